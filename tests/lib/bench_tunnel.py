"""The tunnels' part of tests/bench: two hosts joined by a third, against the same hosts on plain veths, joined by WireGuard where the
kernel has it, and by gost where it can be built.

All figures are medians of interleaved rounds; a ratio is ours divided by the other's. CPU is that of the three programs together.
After them come the longest that a packet waits while a hundred thousand routes are exchanged, and what a thousand hosts cost.
"""
import contextlib, ctypes, json, os, pathlib, resource, shutil, signal, socket, statistics, struct, subprocess, threading, time

SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))
SERVER, PORT = "10.66.0.1", 8443
CLONE_NEWNET = 0x40000000
HOSTS = {"s": 1, "h1": 2, "h2": 3}


def run(*words, **kw):
    return subprocess.run(words, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **kw).stdout


class Veth:
    """The hosts, on a bridge."""

    name, target = "veth", "10.66.0.3"

    def __init__(self, program):
        self.program, self.processes, self.routers = str(program), [], []
        self.root = pathlib.Path("/run/bench-tunnel")

    def __enter__(self):
        shutil.rmtree(self.root, ignore_errors=True)
        (self.root / "etc/systemd-netns/router").mkdir(parents=True)
        run("ip", "link", "add", "bench0", "type", "bridge")
        run("ip", "link", "set", "bench0", "up")
        for netns, number in HOSTS.items():
            run("ip", "netns", "add", netns)
            run("ip", "-n", netns, "link", "set", "lo", "up")
            run("ip", "link", "add", f"bench{number}", "type", "veth", "peer", "name", "eth0", "netns", netns)
            run("ip", "link", "set", f"bench{number}", "master", "bench0", "up")
            run("ip", "-n", netns, "address", "add", f"10.66.0.{number}/24", "dev", "eth0")
            run("ip", "-n", netns, "link", "set", "eth0", "up")
        self.connect()
        self.start("h2", "iperf3", "-s")
        for _ in range(200):
            with contextlib.suppress(subprocess.CalledProcessError):
                run("ip", "netns", "exec", "h1", "ping", "-qc", "1", "-W", "1", self.target)
                break
            time.sleep(0.05)
        time.sleep(0.3)
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGKILL)
        for process in self.processes:
            process.wait()
        for netns, number in HOSTS.items():
            # The kernel takes its time with the links of a namespace that goes.
            run("ip", "link", "delete", f"bench{number}")
            run("ip", "netns", "delete", netns)
        run("ip", "link", "delete", "bench0")
        shutil.rmtree("/run/systemd-netns/router", ignore_errors=True)

    def connect(self):
        pass

    def start(self, netns, *words):
        # nsenter becomes the program, so that its figures are the process's.
        words = ["nsenter", f"--net=/run/netns/{netns}", *words]
        with open(self.root / f"{netns}.log", "a") as log:
            process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=log)
        self.processes.append(process)
        return process

    def cpu(self):
        total = 0
        for process in self.routers:
            words = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
        return total

    def iperf(self, *words):
        words = ["ip", "netns", "exec", "h1", "iperf3", "-J", "-c", self.target, "-t", str(SECONDS), *words]
        return json.loads(run(*words))["end"]


class Plain(Veth):
    """Our routers, in the clear."""

    name, target, routes, reload = "plain", "192.168.123.3", 0, 3600
    server_more, host_more = "Plain = yes", "Plain = yes"

    def connect(self):
        self.write_routes(0)
        table = f"[Table t]\nFile = {self.root}/routes\nReload = {self.reload}\nRoute =\n  192.168.123.2 host-1\n  192.168.123.3 host-2\n"
        self.router("s", f"[Router]\n[Tunnel]\nListen = {SERVER}:{PORT}\nDefault = t\n{self.server_more}\n{table}")
        for number in (1, 2):
            own = f"192.168.123.{number + 1}"
            uplink = f"[Uplink up]\nServer = {SERVER}:{PORT}\nHost = host-{number}\nRoute = 192.168.123.0/24\n{self.host_more}\n"
            self.router(f"h{number}", f"[Router]\nAddress = {own}/24\n{uplink}")

    def write_routes(self, first):
        """All of them, each to another host than for another first one."""
        lines = (f"{10 + n // 65536}.{n // 256 % 256}.{n % 256}.0/24 host-{(n + first) % 1000}" for n in range(self.routes))
        (self.root / "routes.new").write_text("\n".join(lines))
        (self.root / "routes.new").rename(self.root / "routes")

    def router(self, netns, text):
        name = f"r-{netns}"
        (self.root / f"etc/systemd-netns/router/{name}.conf").write_text(text)
        words = [self.program, "router"]
        run("nsenter", f"--net=/run/netns/{netns}", *words, "prepare", "--root", str(self.root), name)
        self.routers.append(self.start(netns, *words, "run", "-v", "--root", str(self.root), name))


class Tls(Plain):
    """Our routers, by TLS."""

    name = "TLS"
    server_more = "Certificate = /run/bench-tunnel/c.pem\nKey = /run/bench-tunnel/k.pem"
    host_more = "CA = /run/bench-tunnel/c.pem"

    def connect(self):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=bench", "-addext", f"subjectAltName=IP:{SERVER}", "-addext", "basicConstraints=critical,CA:FALSE",
            "-keyout", str(self.root / "k.pem"), "-out", str(self.root / "c.pem"))
        super().connect()


class Many(Plain):
    """The same with a hundred thousand routes."""

    name, routes = "100,000 routes", 100_000


class Exchanged(Many):
    """The same, read again every second."""

    reload = 1


class Crowd(Plain):
    """The same with a host for each of a thousand routes."""

    name, routes = "1,000 hosts", 1000


class WireGuard(Veth):
    """The kernel's own, with the third host between the two as in the others."""

    name, target = "WireGuard", "192.168.123.3"

    @staticmethod
    def lacks():
        """Why it cannot be, if so."""
        if not shutil.which("wg"):
            return "there is no wg(8)"
        made = subprocess.run(["ip", "link", "add", "wg-try", "type", "wireguard"], text=True, capture_output=True)
        if made.returncode == 0:
            run("ip", "link", "delete", "wg-try")
        return made.stderr.strip()

    def connect(self):
        keys = {netns: run("wg", "genkey").strip() for netns in HOSTS}
        public = {netns: run("wg", "pubkey", input=key).strip() for netns, key in keys.items()}
        for netns, number in HOSTS.items():
            run("ip", "-n", netns, "link", "add", "wg0", "type", "wireguard")
            lines = [f"[Interface]\nPrivateKey = {keys[netns]}\nListenPort = 51820"]
            for other, own in HOSTS.items():
                if other != netns and "s" in (other, netns):
                    allowed = f"192.168.123.{own}/32" if netns == "s" else "192.168.123.0/24"
                    lines.append(f"[Peer]\nPublicKey = {public[other]}\nEndpoint = 10.66.0.{own}:51820\nAllowedIPs = {allowed}")
            file = self.root / f"{netns}.wg"
            file.write_text("\n".join(lines) + "\n")
            run("ip", "netns", "exec", netns, "wg", "setconf", "wg0", str(file))
            run("ip", "-n", netns, "address", "add", f"192.168.123.{number}/24", "dev", "wg0")
            run("ip", "-n", netns, "link", "set", "wg0", "up")
        run("ip", "netns", "exec", "s", "sysctl", "-qw", "net.ipv4.ip_forward=1")


class Gost(Veth):
    """gost in each place."""

    name, target = "gost", "192.168.123.3"

    def connect(self):
        routes = "".join(f"  - dst: 192.168.123.{n + 1}\n    gateway: host-{n}\n" for n in (1, 2))
        self.gost("s", f"""services:
- name: service-0
  addr: :{PORT}
  handler: {{type: router, metadata: {{router: router-0}}}}
  listener: {{type: tcp}}
routers:
- name: router-0
  routes:
{routes}""")
        time.sleep(0.5)
        for number in (1, 2):
            self.gost(f"h{number}", f"""services:
- name: service-0
  addr: :0
  handler: {{type: tun, chain: chain-0}}
  listener: {{type: tun, metadata: {{name: tun0, net: 192.168.123.{number + 1}/24, mtu: 1420}}}}
  forwarder: {{nodes: [{{name: host, addr: host-{number}}}]}}
chains:
- name: chain-0
  hops:
  - name: hop-0
    nodes:
    - {{name: node-0, addr: "{SERVER}:{PORT}", connector: {{type: router}}, dialer: {{type: tcp}}}}
""")

    def gost(self, netns, config):
        file = self.root / f"{netns}.yml"
        file.write_text(config)
        self.routers.append(self.start(netns, self.program, "-C", str(file)))


def tcp(world, streams):
    before = world.cpu()
    end = world.iperf("-P", str(streams))
    world.spent = (world.cpu() - before) / max(end["sum_received"]["bytes"] / 1e9, 1e-9)
    return end["sum_received"]["bits_per_second"] / 1e9


def udp(world):
    end = world.iperf("-u", "-l", "64", "-b", "0")["sum"]
    return end["packets"] * (100 - end["lost_percent"]) / 100 / end["seconds"] / 1e3


def ping(world):
    text = run("ip", "netns", "exec", "h1", "ping", "-q", "-c", "50", "-i", "0.01", world.target)
    return float(text.rsplit("=", 1)[1].split("/")[1])


FIGURES = {
    "TCP x1, Gbit/s": lambda world: tcp(world, 1),
    "CPU, s/GB": lambda world: world.spent,
    "TCP x4, Gbit/s": lambda world: tcp(world, 4),
    "64-byte UDP, 1000/s": udp,
    "idle ping, ms": ping,
}


def pings(world, during=None):
    """The longest of many pings, in milliseconds, while something is done."""
    words = ["ip", "netns", "exec", "h1", "ping", "-q", "-c", "4000", "-i", "0.001", "-W", "2", world.target]
    process = subprocess.Popen(words, text=True, stdout=subprocess.PIPE)
    if during:
        during()
    text = process.communicate()[0]
    if " 0% packet loss" not in text:
        raise RuntimeError(f"packets are lost: {text}")
    return float(text.rsplit("=", 1)[1].split("/")[2])


def exchange(binary, rounds):
    """How long a packet waits at most while all routes are exchanged, against the same without that."""
    quiet, busy, count = [], [], 0
    with Exchanged(binary) as world:
        read = lambda: (world.root / "s.log").read_text().count("read again")

        def exchanged():
            nonlocal count
            for _ in range(2):
                before, count = read(), count + 1
                world.write_routes(count)
                limit = time.monotonic() + 10
                while read() == before:
                    if time.monotonic() > limit:
                        raise RuntimeError("the routes are not read again")
                    time.sleep(0.02)

        for _ in range(rounds):
            quiet.append(pings(world))
            busy.append(pings(world, exchanged))
    for name, values in (("quiet", quiet), (f"{count} exchanges of {world.name}", busy)):
        print(f"tunnel: longest ping, {name:36} {statistics.median(values):9.3f} ms, at most {max(values):.3f}", flush=True)


def within(netns, f):
    """Does something in a namespace, on a thread of its own."""
    found = []

    def inside():
        with open(f"/run/netns/{netns}") as file:
            if ctypes.CDLL(None).setns(file.fileno(), CLONE_NEWNET):
                raise OSError(f"setns: {netns}")
        found.append(f())

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    return found[0]


def register(name):
    """A connection of a host of that name."""
    feature = lambda kind, data: struct.pack(">BH", kind, len(data)) + data
    features = feature(4, b"\0\2") + feature(2, bytes([3, len(name)]) + name.encode() + b"\0\0")
    stream = socket.create_connection((SERVER, PORT))
    stream.sendall(struct.pack(">BBH", 1, 3, len(features)) + features)
    if stream.recv(64)[:2] != b"\1\0":
        raise RuntimeError(f"{name} is refused")
    return stream


def memory(binary):
    """What hosts that are registered cost."""
    with Crowd(binary) as world:
        def resident():
            lines = pathlib.Path(f"/proc/{world.routers[0].pid}/status").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

        before = resident()
        streams = within("h1", lambda: [register(f"host-{n}") for n in range(10, 1010)])
        after = resident()
        print(f"tunnel: {len(streams)} hosts cost {after - before} KiB, {(after - before) / len(streams):.1f} KiB each; "
              f"the router has {after} KiB", flush=True)
        table = {name: figure(world) for name, figure in FIGURES.items()}
        for name, value in table.items():
            print(f"tunnel: {world.name:16} {name:24} {value:9.3f}", flush=True)
        for stream in streams:
            stream.close()


def bench(binary, rounds, gost=None):
    resource.setrlimit(resource.RLIMIT_NOFILE, (16384, 16384))
    lacks = WireGuard.lacks()
    if lacks:
        print(f"tunnel: without WireGuard: {lacks}")
    kinds = [(Veth, binary), (Plain, binary), (Many, binary), (Tls, binary)]
    kinds += ([] if lacks else [(WireGuard, binary)]) + ([(Gost, gost)] if gost else [])
    table = {}
    for _ in range(rounds):
        for kind, program in kinds:
            with kind(program) as world:
                for name, figure in FIGURES.items():
                    table.setdefault(kind.name, {}).setdefault(name, []).append(figure(world))
    medians = {kind: {name: statistics.median(values) for name, values in found.items()} for kind, found in table.items()}
    for kind, found in medians.items():
        for name, value in found.items():
            line = f"tunnel: {kind:16} {name:24} {value:9.3f}"
            for other in ("veth", "plain", "WireGuard", "gost"):
                if other != kind and medians.get(other, {}).get(name):
                    line += f"   {value / medians[other][name]:6.2f} of {other}"
            print(line, flush=True)
    exchange(binary, rounds)
    memory(binary)

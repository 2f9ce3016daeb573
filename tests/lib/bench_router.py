"""The router's part of tests/bench: against veth pairs, uWSGI's router, pasta and slirp4netns, where they are installed.

A *host* namespace has the router's device (or the veths' ends), services have one device each. All figures are medians of interleaved
rounds; a ratio is ours divided by the other's.
"""
import contextlib, json, os, pathlib, shutil, signal, statistics, subprocess, time

SECONDS = float(os.environ.get("BENCH_SECONDS", "2"))
HOST, PEERS = "host", ["svc1", "svc2"]


def run(*words, **kw):
    return subprocess.run(words, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, **kw).stdout


def inside(netns, *words):
    return ["ip", "netns", "exec", netns, *words]


class World:
    """Namespaces and processes of one way to connect them, all gone at the end."""

    def __init__(self, binary):
        self.binary, self.processes, self.netns = str(binary), [], []

    def __enter__(self):
        self.scratch = pathlib.Path("/run/bench-router")
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        for name in [HOST, *PEERS]:
            self.add(name)
        run(*inside(HOST, "sysctl", "-qw", "net.ipv4.ip_forward=1"))
        self.connect()
        for name in [HOST, *PEERS]:
            self.start(name, "iperf3", "-s", "-p", "5201")
        time.sleep(0.3)
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGKILL)
        for process in self.processes:
            process.wait()
        for name in self.netns:
            with contextlib.suppress(subprocess.CalledProcessError):
                for pid in run("ip", "netns", "pids", name).split():
                    os.kill(int(pid), signal.SIGKILL)
                run("ip", "netns", "delete", name)

    def add(self, name):
        run("ip", "netns", "add", name)
        self.netns.append(name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        run(*inside(name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"))

    def start(self, netns, *words):
        process = subprocess.Popen(inside(netns, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def address(self, netns, device, address):
        for _ in range(500):
            with contextlib.suppress(subprocess.CalledProcessError):
                run("ip", "-n", netns, "link", "show", "dev", device)
                break
            time.sleep(0.02)
        run("ip", "-n", netns, "address", "replace", address, "dev", device)
        run("ip", "-n", netns, "link", "set", device, "up")

    def router_cpu(self):
        """CPU seconds of the process in the middle, if there is one."""
        process = getattr(self, "router", None)
        if not process:
            return None
        with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
            words = stat.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


class Ours(World):
    name = "ours"
    host, services = "10.77.0.1", ["10.77.0.2", "10.77.0.3"]
    rules, idle = 0, 0

    def connect(self):
        socket = str(self.scratch / "r.sock")
        options = ["--tuntap-router", f"emp0 {socket}"]
        for _ in range(self.rules):
            for chain in ("out", "in"):
                options += [f"--tuntap-router-firewall-{chain}", "deny 10.99.1.0/24 10.99.2.3"]
        self.router = self.start(HOST, self.binary, "router", *options)
        self.address(HOST, "emp0", f"{self.host}/16")
        for netns, address in zip(PEERS, self.services):
            self.start(netns, self.binary, "device", "--pass", "--tuntap-device", f"tun0 {socket}")
            self.address(netns, "tun0", f"{address}/16")
            # The first packet registers the address.
            run(*inside(netns, "ping", "-qc", "1", "-w", "5", self.host))


class Uwsgi(World):
    name = "uwsgi"
    host, services = "10.78.0.1", ["10.78.0.2", "10.78.0.3"]
    program = None

    def connect(self):
        socket = str(self.scratch / "u.sock")
        serve = ["--master", "--die-on-term", "--socket"]
        self.start(HOST, self.program, "--tuntap-router", f"emp0 {socket}", *serve, str(self.scratch / "a"))
        self.address(HOST, "emp0", f"{self.host}/24")
        for netns, address in zip(PEERS, self.services):
            # As long as it is root it makes its devices once more at each step.
            user = ["--jailed", "--uid", "65534", "--gid", "65534"]
            self.start(netns, self.program, "--tuntap-device", f"tun0 {socket}", *user, *serve, f"@{netns}")
            self.address(netns, "tun0", f"{address}/24")
            run(*inside(netns, "ping", "-qc", "1", "-w", "5", self.host))


class Veth(World):
    name = "veth"
    host, services = "10.79.1.1", ["10.79.1.2", "10.79.2.2"]

    def connect(self):
        for n, netns in enumerate(PEERS, 1):
            run("ip", "-n", HOST, "link", "add", f"v{n}", "type", "veth", "peer", "name", "v0", "netns", netns)
            self.address(HOST, f"v{n}", f"10.79.{n}.1/24")
            self.address(netns, "v0", f"10.79.{n}.2/24")
            run("ip", "-n", netns, "route", "add", "default", "via", f"10.79.{n}.1")


class Pasta(World):
    """What it carries in sockets of the host's, from the service on; it has no other direction of that kind."""

    name = "pasta"
    # What it takes for the host is the next hop of the host's default route.
    host, services = "10.80.0.2", ["10.80.0.1", None]
    only = ("TCP x1 service -> host", "TCP x4 service -> host", "64-byte UDP service -> host")

    def connect(self):
        run("ip", "-n", HOST, "link", "add", "up0", "type", "veth", "peer", "name", "v0", "netns", PEERS[1])
        self.address(PEERS[1], "v0", "10.80.0.2/24")
        self.address(HOST, "up0", "10.80.0.1/24")
        run("ip", "-n", HOST, "route", "add", "default", "via", "10.80.0.2")
        self.attach()
        for _ in range(250):
            if "default" in run("ip", "-n", PEERS[0], "route"):
                break
            time.sleep(0.02)

    def attach(self):
        quiet = ["--config-net", "-f", "-q", "-t", "none", "-u", "none"]
        self.start(HOST, "pasta", *quiet, "--runas", "0", "--ns-ifname", "tun0", "--netns", PEERS[0])


class Slirp4netns(Pasta):
    name = "slirp4netns"
    host = "10.0.2.2"

    def attach(self):
        self.start(HOST, "slirp4netns", "--configure", "--mtu=65520", "--netns-type=path", f"/run/netns/{PEERS[0]}", "tap0")


def iperf(source, target, *options):
    # Where a connection is stuck, as uWSGI's are once a frame was lost, iperf3 waits for ever.
    words = inside(source, "timeout", str(int(SECONDS) + 15), "iperf3", "-c", target, "-t", str(SECONDS), "-J", *options)
    return json.loads(run(*words))["end"]


def tcp(source, target, streams=1):
    return iperf(source, target, "-P", str(streams))["sum_received"]["bits_per_second"]


def udp(source, target):
    total = iperf(source, target, "-u", "-b", "0", "-l", "64")["sum"]
    return (total["packets"] - total["lost_packets"]) / total["seconds"]


def ping(source, target, count=200):
    words = inside(source, "ping", "-q", "-c", str(count), "-i", "0.005", target)
    return float(run(*words).rsplit("=", 1)[1].split("/")[1])


def loaded_ping(source, target):
    words = inside(source, "timeout", str(int(SECONDS) + 15), "iperf3", "-c", target, "-t", str(SECONDS))
    load = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    time.sleep(0.3)
    with contextlib.suppress(subprocess.CalledProcessError):
        result = ping(source, target, int((SECONDS - 0.8) / 0.01))
        load.wait()
        return result
    load.wait()
    return float("nan")


def figures(world):
    """What is measured, in the order of the table; higher is better but for the last ones."""
    one, two = PEERS
    host, (first, second) = world.host, world.services
    return {
        "TCP x1 service -> host": lambda: tcp(one, host),
        "TCP x1 host -> service": lambda: tcp(HOST, first),
        "TCP x1 service -> service": lambda: tcp(one, second),
        "TCP x4 service -> host": lambda: tcp(one, host, 4),
        "TCP x4 service -> service": lambda: tcp(one, second, 4),
        "64-byte UDP service -> host": lambda: udp(one, host),
        "64-byte UDP service -> service": lambda: udp(one, second),
        "idle ping": lambda: ping(one, host),
        "ping under load": lambda: loaded_ping(one, host),
    }


def measure(kinds, binary, rounds):
    """Medians by kind and figure; the kinds take turns."""
    seen = {kind.name: {} for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            with kind(binary) as world:
                wanted = getattr(kind, "only", None)
                for name, figure in figures(world).items():
                    if wanted and name not in wanted:
                        continue
                    cpu = world.router_cpu()
                    try:
                        value = figure()
                    except (subprocess.CalledProcessError, KeyError):
                        value = float("nan")
                    seen[kind.name].setdefault(name, []).append(value)
                    if cpu is not None and name.startswith("TCP x1"):
                        used = (world.router_cpu() - cpu) / max(value * SECONDS / 8e9, 1e-9)
                        seen[kind.name].setdefault(f"CPU s/GB {name[7:]}", []).append(used)
    return {kind: {name: median(values) for name, values in table.items()} for kind, table in seen.items()}


def median(values):
    """Of those that were measured."""
    return statistics.median([value for value in values if value == value] or [float("nan")])


def shown(name, value):
    if name.startswith("TCP"):
        return f"{value / 1e9:7.2f} Gbit/s"
    if "UDP" in name:
        return f"{value / 1e3:7.1f} k/s"
    return f"{value:7.3f} s/GB" if "CPU" in name else f"{value:7.3f} ms"


class Idle(Ours):
    """The same with a thousand idle peers, and a hundred rules."""

    name, rules, idle = "crowded", 100, 1000

    def connect(self):
        super().connect()
        before = self.memory()
        self.crowd = self.start(HOST, "python3", __file__, str(self.scratch / "r.sock"), str(self.idle))
        for _ in range(600):
            time.sleep(0.1)
            if (self.scratch / "crowd").exists():
                break
        self.per_peer = (self.memory() - before) / self.idle

    def memory(self):
        with open(f"/proc/{self.router.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def bench(binary, rounds, uwsgi=None):
    kinds = [Ours, Veth]
    if uwsgi:
        Uwsgi.program = uwsgi
        kinds.append(Uwsgi)
    kinds += [kind for kind in (Pasta, Slirp4netns) if shutil.which(kind.name)]
    table = measure(kinds, binary, rounds)
    for name, value in table["ours"].items():
        line = f"router: {name:32} {shown(name, value)}"
        for other in [kind.name for kind in kinds[1:]]:
            if name in table.get(other, {}):
                line += f"   {value / table[other][name]:6.2f} of {other}"
        print(line, flush=True)
    crowded = []
    def peers(world):
        crowded.append(world.per_peer)
    table = {"ours": {}, "crowded": {}}
    for _ in range(rounds):
        for kind in (Ours, Idle):
            with kind(binary) as world:
                if kind is Idle:
                    peers(world)
                for name in ("TCP x1 service -> host", "64-byte UDP service -> host"):
                    table[kind.name].setdefault(name, []).append(figures(world)[name]())
    for name, values in table["ours"].items():
        ratio = statistics.median(table["crowded"][name]) / statistics.median(values)
        print(f"router: {name:32} with 1,000 idle peers and 100 rules: {ratio:.2f} of without", flush=True)
    print(f"router: memory per idle peer {statistics.median(crowded):.1f} KiB")


def crowd(socket_path, count):
    """Peers that frame packets, each of which has registered an address and says nothing more."""
    import socket, struct
    held = []
    for n in range(int(count)):
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peer.connect(socket_path)
        source = bytes([10, 77, 100 + n // 250, 1 + n % 250])
        head = struct.pack("!BBHHHBBH", 0x45, 0, 28, 1, 0, 64, 17, 0) + source + bytes([10, 77, 0, 1])
        packet = head + struct.pack("!HHHH", 1000, 9, 8, 0)
        peer.sendall(struct.pack("<BHB", 0, len(packet), 0) + packet)
        held.append(peer)
    pathlib.Path(socket_path).with_name("crowd").write_text("all in", encoding="ascii")
    time.sleep(600)


if __name__ == "__main__":
    import resource, sys
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    crowd(*sys.argv[1:])

"""The part of tests/bench about published ports: requests per second by nft and by a handed-over descriptor, against direct access.

`outside` asks, over the host, a server in the namespace `app`. Directly: at its own address, which the host routes to; by nft: at a port of
the host that is published; by a descriptor: at a socket of the host that the server was handed, against a server that runs on the host.
Figures are of the best tenth of many short, interleaved rounds: what else the machine does only takes away.
"""
import os, pathlib, signal, socket, statistics, subprocess, sys, time

REQUEST = b"GET / HTTP/1.1\r\nHost: app\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100
# Short, so that what else the machine does hits both sides alike.
CONNECTIONS, REQUESTS = 400, 3000


def serve(listener):
    """Answers connection after connection, each for as long as it asks."""
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while connection.recv(4096):
            connection.sendall(ANSWER)
        connection.close()


def ask(address, port, connections, requests):
    """Requests per second."""
    before = time.perf_counter()
    for _ in range(connections):
        with socket.create_connection((address, port), 10) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(requests):
                connection.sendall(REQUEST)
                left = len(ANSWER)
                while left:
                    got = connection.recv(4096)
                    if not got:
                        sys.exit("a connection was lost")
                    left -= len(got)
    return connections * requests / (time.perf_counter() - before)


def nearly_best(figures):
    return statistics.median(sorted(figures)[-max(len(figures) // 10, 1):])


def inside(netns, *words, **kw):
    prefix = ["ip", "netns", "exec", netns] if netns else []
    return subprocess.Popen([*prefix, sys.executable, __file__, *map(str, words)], **kw)


def measure(address, port, connections, requests):
    done = inside("outside", "ask", address, port, connections, requests, stdout=subprocess.PIPE, text=True)
    said, _ = done.communicate()
    if done.returncode:
        sys.exit(f"asking {address}:{port} failed")
    return float(said)


def prepare(ours):
    subprocess.run(["sh", "-ec", """
        ip netns add outside
        ip link add eth0 type veth peer name eth0 netns outside
        ip address add 203.0.113.1/24 dev eth0; ip link set eth0 up
        ip -n outside address add 203.0.113.9/24 dev eth0; ip -n outside link set eth0 up
        ip -n outside route add 10.1.1.0/24 via 203.0.113.1
        mkdir -p /etc/netns/app/network
        """], check=True)
    folder = pathlib.Path("/etc/netns/app/network")
    (folder / "links").write_text("link-netns app pub0 pub1\niface pub0 inet static\n    address 10.1.1.1/24\n")
    (folder / "interfaces").write_text("auto pub1\niface pub1 inet static\n    address 10.1.1.6/24\n    gateway 10.1.1.1\n")
    (folder / "nat").write_text("[publish web]\nPort = 8080\nTo = 10.1.1.6:80\n")
    ours("start", "app")


def bench(ours, rounds):
    prepare(ours)
    handed = socket.create_server(("203.0.113.1", 8081), backlog=1024)
    servers = [inside("app", "serve", "10.1.1.6", 80), inside("", "serve", "203.0.113.1", 8082),
               inside("app", "serve-fd", handed.fileno(), pass_fds=[handed.fileno()])]
    handed.close()
    try:
        time.sleep(1)
        for what, connections, requests in [("a connection for each", CONNECTIONS, 1), ("one connection", 1, REQUESTS)]:
            ways = {"published by nft": (("203.0.113.1", 8080), ("10.1.1.6", 80)),
                    "by a descriptor": (("203.0.113.1", 8081), ("203.0.113.1", 8082))}
            for way, (ours_at, direct) in ways.items():
                sides = {ours_at: [], direct: []}
                for n in range(8 * rounds):
                    # Who is first changes, as what runs beside does.
                    for at in list(sides)[:: 1 if n % 2 else -1]:
                        sides[at].append(measure(*at, connections, requests))
                mine, theirs = map(nearly_best, sides.values())
                print(f"{way + ', ' + what:<46} {mine:9.0f} /s   direct       {theirs:9.0f} /s   ratio {mine / theirs:6.3f}", flush=True)
    finally:
        for server in servers:
            server.send_signal(signal.SIGKILL)
            server.wait()
        ours("stop", "app")


if __name__ == "__main__":
    if sys.argv[1] == "ask":
        print(ask(sys.argv[2], *map(int, sys.argv[3:])))
    elif sys.argv[1] == "serve":
        serve(socket.create_server((sys.argv[2], int(sys.argv[3])), backlog=1024))
    else:
        serve(socket.socket(fileno=int(sys.argv[2])))

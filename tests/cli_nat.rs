//! The program with addresses that the host translates: real rules, real connections, all between namespaces of the test's own.

mod common;

use common::{eventually, in_world, own_etc, sh, try_sh};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use systemd_netns::kernel::Namespace;

/// The program that was built with this test, or the one that is installed where only the test was brought.
fn program() -> &'static str {
    let built = env!("CARGO_BIN_EXE_systemd-netns");
    if Path::new(built).exists() { built } else { "/usr/sbin/systemd-netns" }
}

const PATIENCE: Duration = Duration::from_secs(5);

/// A host with `eth0`, behind which `outside` is, a bridge `br1`, and services `app` and `two` on that.
fn world(test: impl FnOnce() + Send) {
    in_world(|| {
        if !try_sh("nft add table inet somebodys; nft add chain inet somebodys c").status.success() {
            eprintln!("SKIPPED: there is no nft, or this kernel has no nf_tables");
            return;
        }
        own_etc();
        sh("ip link set lo up
            ip netns add outside
            ip link add eth0 type veth peer name eth0 netns outside
            ip link add br1 type bridge
            sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
            sysctl -qw net.ipv4.conf.eth0.forwarding=0 net.ipv4.conf.br1.forwarding=0 net.ipv6.conf.eth0.accept_ra=1
            ip address add 203.0.113.1/24 dev eth0; ip address add 2001:db8::1/64 dev eth0 nodad
            ip -n outside address add 203.0.113.9/24 dev eth0; ip -n outside address add 2001:db8::9/64 dev eth0 nodad
            ip address add 10.1.1.1/24 dev br1; ip address add fd01::1/64 dev br1 nodad
            ip link set eth0 up; ip link set br1 up; ip -n outside link set eth0 up; ip -n outside link set lo up");
        for (name, host) in [("app", 6), ("two", 7)] {
            let text = format!(
                "auto br1..1\niface br1..1\n    address 10.1.1.{host}/24\n    address fd01::{host}/64\n    \
                 gateway 10.1.1.1\n    gateway fd01::1\n"
            );
            write(name, "interfaces", &text);
        }
        let before = host();
        test();
        assert_eq!(host(), before, "the host is as it was");
        assert!(!Path::new("/run/systemd-netns").exists(), "there is a record");
    });
}

/// What may have been changed on the host.
fn host() -> String {
    sh(
        "nft list ruleset; sysctl -a 2>/dev/null | grep -E 'conf\\.(eth0|br1|all|lo)\\.(forwarding|accept_ra|accept_redirects|route_localnet) '; \
        ip -br link | cut -d@ -f1 | cut -d' ' -f1",
    )
}

fn write(service: &str, file: &str, text: &str) {
    let path = Path::new("/etc/netns").join(service).join("network").join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).env_remove("JOURNAL_STREAM").env_remove("SSH_CONNECTION");
    command
}

/// Runs the program, which must end with a status, and gives back all that it said.
#[track_caller]
fn run(status: i32, arguments: &[&str]) -> String {
    let output = command(arguments).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    said
}

#[track_caller]
fn assert_says(said: &str, part: &str) {
    assert!(said.contains(part), "no `{part}` in: {said}");
}

/// Does something in a namespace; the host has no name.
fn within<T: Send>(netns: &str, act: impl FnOnce() -> T + Send) -> T {
    if netns.is_empty() { act() } else { Namespace::named(&netns.parse().unwrap()).unwrap().within(act).unwrap() }
}

/// A server that tells everybody who they are, until the namespace's test ends.
fn serve(netns: &str, address: &str) {
    let listener = within(netns, || TcpListener::bind(address).unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let peer = stream.peer_addr().map(|peer| peer.ip().to_canonical().to_string()).unwrap_or_default();
            let _ = stream.write_all(peer.as_bytes());
        }
    });
}

fn serve_udp(netns: &str, address: &str) {
    let socket = within(netns, || UdpSocket::bind(address).unwrap());
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((_, peer)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(peer.ip().to_canonical().to_string().as_bytes(), peer);
        }
    });
}

/// As whom one is seen there.
fn ask(netns: &str, address: &str) -> std::io::Result<String> {
    let address: SocketAddr = address.parse().unwrap();
    let mut stream = within(netns, || TcpStream::connect_timeout(&address, PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut said = String::new();
    stream.read_to_string(&mut said)?;
    Ok(said)
}

fn ask_udp(netns: &str, address: &str) -> std::io::Result<String> {
    let any = if address.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let socket = within(netns, || UdpSocket::bind(any))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(b"?", address)?;
    let mut buffer = [0; 64];
    let (length, from) = socket.recv_from(&mut buffer)?;
    assert_eq!(from.to_string(), address, "who answers");
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// Whether frames that are bridged go through the rules of IP (`br_netfilter`); tells whether the kernel knows that.
fn bridges_call(rules: bool) -> bool {
    let on = u8::from(rules);
    let keys = format!("net.bridge.bridge-nf-call-iptables={on} net.bridge.bridge-nf-call-ip6tables={on}");
    try_sh(&format!("sysctl -qw {keys}")).status.success()
}

#[track_caller]
fn assert_seen_as(netns: &str, address: &str, who: &str) {
    match ask(netns, address) {
        Ok(seen) => assert_eq!(seen, who, "{netns:?} at {address}"),
        Err(e) => panic!(
            "{netns:?} at {address}: {e}\n{}",
            sh("nft list ruleset; ip route; ip neigh; conntrack -L 2>/dev/null || :")
        ),
    }
}

fn is_refused(netns: &str, address: &str) -> bool {
    let address: SocketAddr = address.parse().unwrap();
    within(netns, || TcpStream::connect_timeout(&address, Duration::from_millis(500))).is_err()
}

const PUBLISH: &str =
    "[publish ssh]\nAddress = 203.0.113.1, 2001:db8::1\nPort = 2222\nTo = 10.1.1.6:22, [fd01::6]:22\n";

#[test]
fn what_is_published_is_reached_from_everywhere() {
    world(|| {
        write("app", "nat", PUBLISH);
        assert_says(&run(0, &["check", "app"]), "app: good\n");
        run(0, &["start", "app"]);
        run(0, &["start", "two"]);
        serve("app", "[::]:22");
        bridges_call(false);
        // The true address for those outside; the host's for those to whom the answer would go straight.
        for (from, to, seen) in [
            ("outside", "203.0.113.1:2222", "203.0.113.9"),
            ("outside", "[2001:db8::1]:2222", "2001:db8::9"),
            ("", "203.0.113.1:2222", "10.1.1.1"),
            ("", "[2001:db8::1]:2222", "fd01::1"),
            ("two", "203.0.113.1:2222", "10.1.1.1"),
            ("two", "[2001:db8::1]:2222", "fd01::1"),
            ("app", "203.0.113.1:2222", "10.1.1.1"),
            ("app", "[2001:db8::1]:2222", "fd01::1"),
            ("two", "10.1.1.6:22", "10.1.1.7"),
        ] {
            assert_seen_as(from, to, seen);
        }
        // Bridges that ask the host's rules, too, as docker wants them, know the way back by themselves.
        if bridges_call(true) {
            for from in ["two", "app", "outside", ""] {
                ask(from, "203.0.113.1:2222").unwrap_or_else(|e| panic!("{from:?}: {e}"));
                ask(from, "[2001:db8::1]:2222").unwrap_or_else(|e| panic!("{from:?}: {e}"));
            }
            bridges_call(false);
        }
        assert!(is_refused("outside", "203.0.113.1:22"), "what is not published");
        let said = run(0, &["status", "app"]);
        assert_says(&said, "app: up, as the files say");
        let what = "203.0.113.1, 2001:db8::1 port 2222 tcp to 10.1.1.6:22, [fd01::6]:22";
        assert_says(&said, &format!("    publish ssh: {what}  ("));
        assert_says(&sh("nft list tables"), "table inet somebodys");
        run(0, &["stop", "app"]);
        assert!(is_refused("outside", "203.0.113.1:2222"));
        run(0, &["stop", "two"]);
    });
}

const LOOPBACK: &str = "[publish own]\nAddress = 127.0.0.1\nPort = 2223\nProtocol = tcp, udp\nTo = 10.1.1.6:22\n";

/// Has the namespace ask for 127.0.0.1 where the host is, as no honest one does.
fn ask_for_the_hosts_loopback(netns: &str, port: u16) -> bool {
    sh(&format!(
        "ip netns exec {netns} sh -ec 'cd /proc/sys/net/ipv4/conf; echo 1 >br1..1/route_localnet; echo 0 >all/rp_filter'
         ip -n {netns} address flush dev lo
         ip -n {netns} route replace 127.0.0.1 via 10.1.1.1 dev br1..1 src 10.1.1.7"
    ));
    !is_refused(netns, &format!("127.0.0.1:{port}"))
}

#[test]
fn the_hosts_own_loopback_is_published_and_stays_its_own() {
    world(|| {
        let open = || {
            sh(
                "sysctl -n net.ipv4.conf.br1.route_localnet net.ipv4.conf.eth0.route_localnet net.ipv4.conf.all.route_localnet",
            )
        };
        write("app", "nat", LOOPBACK);
        run(0, &["start", "app"]);
        run(0, &["start", "two"]);
        serve("app", "[::]:22");
        serve_udp("app", "0.0.0.0:22");
        assert_seen_as("", "127.0.0.1:2223", "10.1.1.1");
        assert_eq!(ask_udp("", "127.0.0.1:2223").unwrap(), "10.1.1.1");
        assert_eq!(open(), "1\n0\n0\n", "of the link that leads there alone");
        assert!(is_refused("outside", "203.0.113.1:2223"), "it is published by that address alone");
        assert!(is_refused("two", "203.0.113.1:2223"));
        assert_says(
            &run(0, &["status", "app"]),
            "    publish own: 127.0.0.1 port 2223 tcp, udp to 10.1.1.6:22  (2 connections)\n",
        );

        // What listens at 127.0.0.1 alone is out of reach for those on the bridge, who could reach it but for the guard.
        serve("", "127.0.0.1:5432");
        assert_seen_as("", "127.0.0.1:5432", "127.0.0.1");
        assert!(!ask_for_the_hosts_loopback("two", 5432));
        assert_says(&sh("nft list chain inet systemd-netns-nat-app guard"), "ip daddr 127.0.0.0/8 counter packets ");
        sh("nft delete chain inet systemd-netns-nat-app guard");
        assert!(ask_for_the_hosts_loopback("two", 5432), "the test asks as one could");
        sh("nft delete table inet systemd-netns-nat-app");
        run(0, &["reload", "app"]);
        assert!(!ask_for_the_hosts_loopback("two", 5432), "a reload guards it again");

        // First the guard, then the way; and back the other way round.
        let order = |text: &str| {
            let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no `{what}` in {text}"));
            at("systemd-netns-nat-app") < at("route_localnet")
        };
        assert!(!order(&run(0, &["plan", "--stop", "app"])));
        write("app", "nat", PUBLISH);
        assert!(!order(&run(0, &["plan", "app"])));
        run(0, &["reload", "app"]);
        assert_eq!(open(), "0\n0\n0\n");
        write("app", "nat", LOOPBACK);
        assert!(order(&run(0, &["plan", "app"])));
        run(0, &["reload", "app"]);
        assert_says(&run(0, &["reload", "app"]), "nothing to do");
        run(0, &["stop", "app"]);
        assert_eq!(open(), "0\n0\n0\n");
        run(0, &["stop", "two"]);
    });
}

#[test]
fn ranges_protocols_addresses_and_sources_are_published() {
    world(|| {
        sh("ip address add 203.0.113.2/24 dev eth0");
        write(
            "app",
            "nat",
            "[publish any]\nPort = 80, 8000-8001\nTo = 10.1.1.6\n\
             [publish mapped]\nPort = 9000-9002\nTo = 10.1.1.6:7000-7002\nProtocol = tcp, udp\nMasquerade = yes\n\
             [publish dns]\nPort = 53\nProtocol = udp\nTo = 10.1.1.6:5353, [fd01::6]:5353\n\
             [publish all]\nAddress = 203.0.113.2\nTo = 10.1.1.6\nLink = eth0\n\
             [publish few]\nPort = 4000\nTo = 10.1.1.6:4000\nFrom = 203.0.113.64/26\n",
        );
        run(0, &["start", "app"]);
        for port in ["80", "8001", "7002", "4000", "12345"] {
            serve("app", &format!("0.0.0.0:{port}"));
        }
        serve_udp("app", "[::]:5353");
        serve_udp("app", "0.0.0.0:7001");
        assert_seen_as("outside", "203.0.113.1:80", "203.0.113.9");
        assert_seen_as("outside", "203.0.113.1:8001", "203.0.113.9");
        assert_seen_as("outside", "203.0.113.1:9002", "10.1.1.1");
        assert_seen_as("outside", "203.0.113.2:12345", "203.0.113.9");
        assert!(is_refused("outside", "203.0.113.1:12345"));
        assert!(is_refused("outside", "203.0.113.1:4000"), "not from there");
        sh("ip -n outside address add 203.0.113.70/24 dev eth0; ip -n outside address delete 203.0.113.9/24 dev eth0
            ip -n outside address replace 203.0.113.70/24 dev eth0");
        assert_seen_as("outside", "203.0.113.1:4000", "203.0.113.70");
        for (to, seen) in
            [("203.0.113.1:53", "203.0.113.70"), ("[2001:db8::1]:53", "2001:db8::9"), ("203.0.113.1:9001", "10.1.1.1")]
        {
            assert_eq!(ask_udp("outside", to).unwrap(), seen, "{to}");
        }
        assert_eq!(ask_udp("", "203.0.113.1:53").unwrap(), "10.1.1.1");
        run(0, &["stop", "app"]);
        sh("ip address delete 203.0.113.2/24 dev eth0");
    });
}

#[test]
fn what_leaves_has_the_hosts_address() {
    world(|| {
        sh("ip address add 203.0.113.3/24 dev eth0");
        serve("outside", "[::]:80");
        write("app", "nat", "[masquerade]\nFrom = 10.1.1.0/24, fd01::/64\nLink = eth0\n");
        run(0, &["start", "app"]);
        run(0, &["start", "two"]);
        assert_seen_as("app", "203.0.113.9:80", "203.0.113.1");
        assert_seen_as("two", "[2001:db8::9]:80", "2001:db8::1");
        assert_seen_as("two", "203.0.113.9:80", "203.0.113.1");
        assert_says(&run(0, &["status", "app"]), "    masquerade: 10.1.1.0/24, fd01::/64 by eth0  (3 connections)\n");
        let status: serde_json::Value = serde_json::from_str(&run(0, &["status", "app", "--json"])).unwrap();
        let nat = &status[0]["nat"][0];
        assert_eq!(
            [&nat["section"], &nat["name"], &nat["connections"]],
            [&"masquerade".into(), &"".into(), &serde_json::json!(3)]
        );
        // Link by link, where the links are named.
        let key = |key: &str| sh(&format!("sysctl -n net.{key}")).trim().to_owned();
        let forwarding = ["ipv4.conf.all", "ipv4.conf.eth0", "ipv4.conf.br1"].map(|c| key(&format!("{c}.forwarding")));
        assert_eq!(forwarding, ["0", "1", "1"]);
        assert_eq!([key("ipv6.conf.all.forwarding"), key("ipv6.conf.eth0.accept_ra")], ["1", "2"]);

        write("app", "nat", "[snat]\nFrom = 10.1.1.0/24\nTo = 203.0.113.3\n");
        assert_says(&run(0, &["status", "app"]), "snat ip to 203.0.113.3");
        run(0, &["reload", "app"]);
        assert_seen_as("app", "203.0.113.9:80", "203.0.113.3");
        assert_eq!(key("ipv6.conf.all.forwarding"), "0", "nothing asks for it any more");
        assert_says(&run(0, &["reload", "app"]), "nothing to do");

        // Somebody's hand, as by a restart of nftables.service.
        assert_says(&run(0, &["status", "app"]), "    snat: 10.1.1.0/24 to 203.0.113.3  (1 connection)\n");
        sh("nft delete table inet systemd-netns-nat-app");
        let said = run(0, &["status", "app"]);
        assert_says(&said, "not as the files say");
        assert!(!said.contains("    snat: "), "what is not in force is shown: {said}");
        run(0, &["reload", "app"]);
        assert_seen_as("two", "203.0.113.9:80", "203.0.113.3");
        std::fs::remove_file("/etc/netns/app/network/nat").unwrap();
        run(0, &["reload", "app"]);
        assert!(!sh("nft list tables").contains("systemd-netns"));
        assert_eq!(key("ipv4.conf.br1.forwarding"), "0");
        run(0, &["stop", "app"]);
        run(0, &["stop", "two"]);
        sh("ip address delete 203.0.113.3/24 dev eth0");
    });
}

#[test]
fn what_another_still_needs_stays() {
    world(|| {
        for name in ["app", "two"] {
            write(name, "nat", "[masquerade]\nFrom = 10.1.1.0/24\nLink = eth0\n");
            run(0, &["start", name]);
        }
        let forwarding = || sh("sysctl -n net.ipv4.conf.eth0.forwarding net.ipv4.conf.br1.forwarding");
        run(0, &["stop", "app"]);
        assert_eq!(forwarding(), "1\n1\n");
        write("two", "nat", "[masquerade]\nFrom = 10.1.1.0/24\n");
        run(0, &["reload", "two"]);
        assert_eq!(forwarding(), "1\n1\n");
        run(0, &["stop", "two"]);
        assert_eq!(forwarding(), "0\n0\n");
    });
}

#[test]
fn a_reload_loses_no_connection() {
    world(|| {
        write("app", "nat", PUBLISH);
        run(0, &["start", "app"]);
        serve("app", "[::]:22");
        let (stop, told) = (std::sync::atomic::AtomicBool::new(false), std::sync::atomic::AtomicUsize::new(0));
        std::thread::scope(|scope| {
            use std::sync::atomic::Ordering::Relaxed;
            let ask_on = || {
                while !stop.load(Relaxed) {
                    assert_eq!(ask("outside", "203.0.113.1:2222").expect("no connection is lost"), "203.0.113.9");
                    told.fetch_add(1, Relaxed);
                }
            };
            let clients = [scope.spawn(ask_on), scope.spawn(ask_on)];
            for port in 1..=20 {
                let asked = told.load(Relaxed);
                write("app", "nat", &format!("{PUBLISH}[publish more]\nPort = {port}\nTo = 10.1.1.6\n"));
                run(0, &["reload", "app"]);
                eventually("clients go on", || {
                    (told.load(Relaxed) > asked || clients.iter().any(|c| c.is_finished())).then_some(())
                });
            }
            stop.store(true, Relaxed);
        });
        run(0, &["stop", "app"]);
    });
}

#[test]
fn killed_at_any_time_it_leaves_nothing_after_a_stop() {
    world(|| {
        write("app", "nat", &format!("{PUBLISH}{LOOPBACK}[masquerade]\nFrom = 10.1.1.0/24, fd01::/64\n"));
        let before = host();
        for round in 0..24u64 {
            let act = ["start", "reload", "stop"][round as usize % 3];
            if act != "start" {
                run(0, &["start", "app"]);
            }
            if act == "reload" {
                write("app", "nat", &format!("{PUBLISH}[publish more]\nPort = {}\nTo = 10.1.1.6\n", round + 1));
            }
            let mut child = command(&[act, "app"]).stderr(std::process::Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(round * 4 / 3));
            child.kill().unwrap();
            child.wait().unwrap();
            run(0, &["stop", "app"]);
            assert_eq!(host(), before, "after a {act} that was killed");
        }
    });
}

#[test]
fn mistakes_have_their_places() {
    world(|| {
        write(
            "app",
            "nat",
            "[masquerade]\n[snat]\nFrom = 10.1.1.5/24\nTo = eth0\n[publish a]\nPort = 0, 70000, 9-8\nTo = 10.1.1.6:22\n\
             [publish b]\nTo = 10.1.1.6:99999\n[publish c]\nPort = 1-3\nTo = 10.1.1.6:5-6, 10.1.1.7\n[publish d]\nPort = 1, 2\n\
             To = 10.1.1.6:5\n[publish e]\nAddress = 2001:db8::1\nPort = 3\nTo = 10.1.1.6\nProtocol = sctp\n[publsh]\nTo = x\n\
             [publish f]\nPort = 80\nTo = 10.1.1.6\n[publish g]\nPort = 79-81\nTo = 10.1.1.7\nLink = \"a b\"\nPrt = 1\n",
        );
        let said = run(78, &["check", "app"]);
        let file = "/etc/netns/app/network/nat";
        for part in [
            "1:2: error: `[masquerade]` has no `From`",
            "3:8: error: `10.1.1.5/24` has bits beyond its prefix length",
            "4:6: error: `eth0` is not an address",
            "6:8: error: `0` is not a port",
            "6:11: error: `70000` is not a port",
            "6:18: error: `9-8` is not a port",
            "8:2: error: `[publish b]` has no `Port`",
            "9:15: error: `99999` is not a port",
            "12:6: error: 3 are published, and 2 are here",
            "12:20: error: this is the second one of its family",
            "14:11: error: several ports cannot go to one",
            "17:11: error: there is no `To` of the family of `2001:db8::1`",
            "19:6: error: there is no `Address` of the family of `10.1.1.6`",
            "20:12: error: `sctp` is not `tcp` or `udp`",
            "21:2: error: unknown section `publsh`",
            "26:2: error: this is published already",
            "30:1: error: unknown key `Prt`",
        ] {
            assert_says(&said, &format!("{file}:{part}"));
        }
        assert_says(&said, "did you mean `publish`?");
        write(
            "app",
            "nat",
            "[publish a]\nAddress = 127.0.0.1\nTo = 10.1.1.6\n[publish b]\nAddress = ::1\nPort = 80\nTo = fd01::6\n",
        );
        let said = run(78, &["check", "app"]);
        assert_says(&said, &format!("{file}:2:11: error: `127.0.0.1` needs a `Port`"));
        assert_says(&said, &format!("{file}:5:11: error: the kernel lets nothing from ::1 leave `lo`"));
        write("app", "nat", "[publish a]\nPort = 80\nTo = 10.7.7.7\n");
        assert_says(
            &run(0, &["check", "app"]),
            &format!("{file}:3:6: warning: `10.7.7.7` is in no network of these files"),
        );
    });
}

#[test]
fn sockets_become_units() {
    world(|| {
        write(
            "app",
            "nat",
            "[socket web]\nListen = 80, [2001:db8::1]:8080\n[socket admin]\nListen = 127.0.0.1:8081\nTo = 127.0.0.1:81\n\
             Service = adm.service\n[socket dns]\nListen = 53\nProtocol = udp\n",
        );
        assert_says(&run(0, &["check", "app"]), "app: good\n");
        let generator = format!("ln -s {} /run/systemd-netns-generator", program());
        sh(&format!("{generator}; mkdir /run/units; /run/systemd-netns-generator /run/units"));
        let unit =
            |name: &str| std::fs::read_to_string(format!("/run/units/systemd-netns-publish-app-{name}")).unwrap();
        assert_says(&unit("web.socket"), "ListenStream=80\nListenStream=[2001:db8::1]:8080\n");
        assert_says(&unit("web.socket"), "Service=app.service\n");
        assert_says(&unit("dns.socket"), "ListenDatagram=53\n");
        assert_says(
            &unit("admin.service"),
            "After=systemd-netns@app.service systemd-netns-publish-app-admin.socket adm.service\n",
        );
        let wanted = sh("ls /run/units/sockets.target.wants");
        assert_eq!(wanted.lines().count(), 3, "{wanted}");

        write(
            "app",
            "nat",
            "[socket]\n[socket a b]\nListen = 0\n[socket c]\nListen = x:1, 80\nTo = 10.1.1.6\nProtocol = icmp\nService = a/b\n\
             [socket d]\nListen = 53\nProtocol = udp\nTo = 127.0.0.1:53\n",
        );
        let said = run(78, &["check", "app"]);
        for part in [
            "1:2: error: `[socket]` has no name that a unit can have",
            "1:2: error: `[socket]` has no `Listen`",
            "2:2: error: `[socket a b]` has no name that a unit can have",
            "3:10: error: `0` is not a port",
            "5:10: error: `x:1` is not a socket",
            "6:6: error: `10.1.1.6` is not a socket",
            "7:12: error: `icmp` is not `tcp` or `udp`",
            "8:11: error: `a/b` is not the name of a service",
            "12:6: error: datagrams cannot be passed on",
        ] {
            assert_says(&said, &format!("/etc/netns/app/network/nat:{part}"));
        }
    });
}

#[test]
fn check_warns_of_what_is_beside() {
    world(|| {
        write("app", "nat", "[publish ssh]\nPort = 20-30\nTo = 10.1.1.6\n");
        write("two", "nat", "[publish ssh]\nAddress = 203.0.113.1\nPort = 22\nTo = 10.1.1.7\n");
        sh("nft add table ip filter
            nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'");
        let output =
            command(&["check", "app"]).env("SSH_CONNECTION", "203.0.113.9 50000 203.0.113.1 22").output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_says(&said, "app: good, with 3 warnings");
        let file = "/etc/netns/app/network/nat:1:2: warning:";
        assert_says(
            &said,
            &format!("{file} your own session came in by 203.0.113.1 port 22: the next one goes to 10.1.1.6"),
        );
        assert_says(&said, &format!("{file} two publishes this, too"));
        assert_says(&said, "the host's chain FORWARD of table ip filter drops what is forwarded");
        sh("nft delete table ip filter");
        write("two", "nat", "[publish ssh]\nAddress = 203.0.113.1\nPort = 31\nTo = 10.1.1.7\n");
        assert_says(&run(0, &["check", "app"]), "app: good\n");
    });
}

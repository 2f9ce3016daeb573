//! With the real uWSGI: its device at our router, our device at its router, and its configurations run by us.

use super::peer::{Peer, echo};
use super::traffic::{datagrams, transfer};
use super::world::*;
use crate::common::{eventually, sh, try_sh};
use nix::sys::signal::Signal;
use serde_json::json;
use std::process::Command;
use std::sync::LazyLock;
use systemd_netns::router::settings::{Listen, Protocol};
use systemd_netns::router::uwsgi::Statistics;

/// The program, or why there is none. Outside of any world: it may have to be fetched and built.
static PROGRAM: LazyLock<Result<String, String>> = LazyLock::new(|| {
    let build = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lib/uwsgi");
    let built = Command::new(build).output().map_err(|e| format!("{build}: {e}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let last = |bytes: &[u8]| text(bytes).lines().last().unwrap_or_default().to_owned();
    if built.status.success() { Ok(text(&built.stdout)) } else { Err(last(&built.stderr)) }
});

/// Runs a test in a world, where uWSGI can be had.
fn with_uwsgi(test: impl FnOnce() + Send) {
    match &*PROGRAM {
        Ok(_) => world(test),
        Err(why) => eprintln!("SKIPPED: uWSGI cannot be built: {why}"),
    }
}

/// uWSGI's socket of its router, and where that tells statistics.
const THEIRS: [&str; 2] = ["/run/uwsgi.sock", "/run/uwsgi-stats.sock"];

/// Little enough that no stream to or from it ever fills: what it could not write whole, it goes on with at the wrong place.
const LITTLE: usize = 64 << 10;

/// TCP and UDP, also in fragments.
fn traffic(from: &str, to: &str, address: &str) {
    (0..4).for_each(|_| transfer(from, to, address, LITTLE));
    datagrams(from, to, address, 1400, 20);
    datagrams(from, to, address, 4000, 5);
}

/// Runs it in a namespace, or here; what it says is in `/run/NAME.log`.
fn uwsgi(netns: &str, name: &str, options: &[&str]) -> Process {
    let log = std::fs::File::create(format!("/run/{name}.log")).unwrap();
    let mut command = Command::new(PROGRAM.as_ref().unwrap());
    command.args(["--master", "--die-on-term", "--no-orphans", "--socket", &format!("/run/{name}.us")]).args(options);
    command.stdout(log.try_clone().unwrap()).stderr(log);
    super::traffic::at(netns, || Process::start(&mut command))
}

/// Its device `uw0` at our router. As long as it is root it makes its devices once more at each step: so it gives that up.
fn connecting(netns: &str, options: &[&str]) -> Process {
    namespace(netns);
    let at = format!("uw0 {SOCKET}");
    let user = ["--uid", "4242", "--gid", "4243"];
    uwsgi(netns, netns, &[&["--jailed", "--tuntap-device", &at], &user[..], options].concat())
}

/// The same with an address.
fn device(netns: &str, number: u8, options: &[&str]) -> Process {
    let process = connecting(netns, options);
    configure(netns, "uw0", &format!("192.168.0.{number}/24"));
    process
}

/// Waits for a device and configures it.
pub fn configure(netns: &str, link: &str, address: &str) {
    let script = format!("ip address add {address} dev {link} && ip link set {link} up");
    super::traffic::at(netns, || {
        let log = || std::fs::read_to_string(format!("/run/{netns}.log")).unwrap_or_default();
        let is_there = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            try_sh(&format!("ip link show {link}")).status.success()
        });
        assert!(is_there, "no {link} in {netns}: {}", log());
        sh(&script);
        if !netns.is_empty() {
            sh("ip route add default via 192.168.0.1");
        }
    });
}

/// Its router, with our device's kind for it.
fn router(options: &[&str]) -> Process {
    let at = format!("emp0 {}", THEIRS.join(" "));
    let process = uwsgi("", "router", &[&["--tuntap-router", &at], options].concat());
    configure("", "emp0", "192.168.0.1/24");
    // What goes from peer to peer, the host has to forward there.
    sh("sysctl -qw net.ipv4.ip_forward=1");
    eventually("its statistics", || std::os::unix::net::UnixStream::connect(THEIRS[1]).ok());
    process
}

fn kind_for_theirs(number: u8) -> Kind {
    let mut kind = kind(Protocol::Uwsgi, number);
    kind.settings.router = Listen::Unix(THEIRS[0].into());
    kind.settings.addresses.truncate(1);
    kind.setup = format!(
        "ip address add 192.168.0.{number}/24 dev tun0; ip link set tun0 up; ip route add default via 192.168.0.1"
    );
    kind
}

fn their_statistics() -> Statistics {
    serde_json::from_str(&ask(THEIRS[1], "")).expect("uWSGI's statistics")
}

#[test]
fn its_device_works_with_our_router() {
    with_uwsgi(|| {
        let router = Router::start("");
        let _a = device("a", 2, &[]);
        ping("a", OWN[0]);
        let _b = service("b", 3);
        let c = device("c", 4, &[]);
        ping("c", OWN[0]);
        for (from, to, address) in
            [("a", "", OWN[0]), ("", "a", "192.168.0.2"), ("a", "b", "192.168.0.3"), ("a", "c", "192.168.0.4")]
        {
            traffic(from, to, address);
        }
        let peer = router.peer("192.168.0.2").unwrap();
        assert_eq!((&peer["transport"], &peer["addr"]), (&json!("frames"), &json!("192.168.0.2")));
        // What the kernel sends by IPv6 by itself has not ended it, as it does at uWSGI's router.
        assert_eq!(router.said().matches("by frames").count(), 2, "{}", router.said());
        drop(c);
        eventually("it is gone", || router.peer("192.168.0.4").is_none().then_some(()));
        ping("a", OWN[0]);
    });
}

#[test]
fn our_framed_device_works_with_its_router() {
    with_uwsgi(|| {
        let _router = router(&[]);
        let (a, _b) = (Device::start("a", kind_for_theirs(2)), Device::start("b", kind_for_theirs(3)));
        ping("a", OWN[0]);
        ping("b", OWN[0]);
        for (from, to, address) in [("a", "", OWN[0]), ("", "a", "192.168.0.2"), ("a", "b", "192.168.0.3")] {
            traffic(from, to, address);
        }
        let statistics = their_statistics();
        let known = statistics.peers.iter().find(|peer| peer.addr == "192.168.0.2").expect("it is known");
        let least = 8 * LITTLE as u64;
        assert!(known.rx > least && known.tx > least, "{known:?}");
        assert_eq!(known.addr_32, u32::from_ne_bytes([192, 168, 0, 2]));
        assert_eq!(a.attached(), 1, "no packet of ours made it close the connection");
    });
}

#[test]
fn our_device_outlives_its_router() {
    with_uwsgi(|| {
        let mut first = router(&[]);
        let a = Device::start("a", kind_for_theirs(2));
        ping("a", OWN[0]);
        let before = a.attached();
        first.end(Signal::SIGTERM);
        eventually("its device is gone", || (!try_sh("ip link show emp0").status.success()).then_some(()));
        let _second = router(&[]);
        a.wait_for_attached(before + 1);
        ping("a", OWN[0]);
    });
}

#[test]
fn the_rules_of_its_device_are_obeyed() {
    with_uwsgi(|| {
        let router = Router::start("");
        sh(
            "ip address add 192.168.0.11/24 dev r0; ip address add 203.0.113.1/32 dev r0; ip address add 203.0.114.1/32 dev r0",
        );
        let rules = [
            "--tuntap-device-rule",
            "out 0.0.0.0 203.0.113.0/24 deny",
            "--tuntap-device-rule",
            "out 192.168.0.2 192.168.0.11 deny",
            "--tuntap-device-rule",
            "in 192.168.0.3/32 0.0.0.0 deny",
            "--tuntap-device-rule",
            "in 0.0.0.0 192.168.0.2 allow",
        ];
        let _a = device("a", 2, &rules);
        let _b = service("b", 3);
        ping("a", OWN[0]);
        ping("a", "203.0.114.1");
        for (from, to, reason) in [
            ("a", "203.0.113.1", "192.168.0.2"),
            ("a", "192.168.0.11", "192.168.0.2"),
            ("b", "192.168.0.2", "192.168.0.3"),
        ] {
            let before = router.lost(reason, "denied-peer");
            assert!(!answers(from, to, ""), "{to} answers {from}");
            assert_eq!(router.lost(reason, "denied-peer"), before + 1, "{from} to {to}");
        }
        ping("b", OWN[0]);
    });
}

#[test]
fn the_rules_of_our_device_are_obeyed_by_its_router() {
    with_uwsgi(|| {
        let _router = router(&[]);
        sh(
            "ip address add 192.168.0.11/24 dev emp0; ip address add 203.0.113.1/32 dev emp0; ip address add 203.0.114.1/32 dev emp0",
        );
        let mut kind = kind_for_theirs(2);
        kind.settings.chain_out.rules =
            ["deny any 203.0.113.0/24", "deny any 192.168.0.11"].map(|rule| rule.parse().unwrap()).into();
        let _a = Device::start("a", kind);
        let _b = Device::start("b", kind_for_theirs(3));
        for to in [OWN[0], "203.0.114.1"] {
            ping("a", to);
        }
        for to in ["203.0.113.1", "192.168.0.11"] {
            ping("b", to);
            assert!(!answers("a", to, ""), "{to}");
        }
    });
}

#[test]
fn its_device_shows_its_credentials_to_our_router() {
    with_uwsgi(|| {
        let router = Router::start("Credentials = yes\n[Admit user]\nUser = 4242\nAddress = 192.168.0.0/28\n");
        let _a = device("a", 2, &["--tuntap-use-credentials"]);
        ping("a", OWN[0]);
        let known = router.peer("192.168.0.2").unwrap();
        assert_eq!((&known["uid"], &known["gid"]), (&json!(4242), &json!(4243)));
        let _b = connecting("b", &["--uid", "4241", "--tuntap-use-credentials"]);
        router.says("no rule admits it");
        // Out of a namespace of processes of its own, where its number is 1.
        namespace("c");
        let log = std::fs::File::create("/run/c.log").unwrap();
        let mut command = Command::new("unshare");
        command.args(["--fork", "--pid", "--kill-child=TERM", "--mount-proc"]).arg(PROGRAM.as_ref().unwrap());
        command.args(["--master", "--die-on-term", "--socket", "/run/c.us", "--jailed"]);
        command.args(["--tuntap-device", &format!("uw0 {SOCKET}"), "--tuntap-use-credentials"]);
        command.args(["--uid", "4242", "--gid", "4243"]).stdout(log.try_clone().unwrap()).stderr(log);
        let _c = within("c", || Process::start(&mut command));
        configure("c", "uw0", "192.168.0.4/24");
        ping("c", OWN[0]);
        let known = router.peer("192.168.0.4").unwrap();
        assert!(known["uid"] == 4242 && known["pid"].as_u64() > Some(1), "{known:#}");
        // Without them nobody comes in.
        let _d = connecting("d", &[]);
        within("d", || {
            eventually("its packet", || {
                let _ = try_sh("ip address add 192.168.0.5/24 dev uw0; ip link set uw0 up; ping -c 1 -W 1 192.168.0.1");
                router.said().contains("it does not begin with its credentials").then_some(())
            });
        });
        assert!(router.peer("192.168.0.5").is_none());
    });
}

#[test]
fn our_device_shows_its_credentials_to_its_router() {
    with_uwsgi(|| {
        let _router = router(&["--tuntap-use-credentials"]);
        let mut kind = kind_for_theirs(2);
        kind.settings.credentials = true;
        let a = Device::start("a", kind);
        ping("a", OWN[0]);
        let known = their_statistics().peers.into_iter().find(|peer| peer.addr == "192.168.0.2").expect("it is known");
        assert_eq!((known.uid, known.gid, known.pid), (0, 0, std::process::id()));
        assert_eq!(a.attached(), 1);
        // Who shows none is thrown out.
        let b = Device::start("b", kind_for_theirs(3));
        eventually("it is in for a second time", || {
            assert!(!answers("b", OWN[0], ""));
            (b.attached() >= 2).then_some(())
        });
        ping("a", OWN[0]);
    });
}

#[test]
fn a_peer_of_its_kind_by_tcp_is_a_peer() {
    world(|| {
        let text = "[Router]\nAddress = 192.168.0.1/24, fd00::1/64\nListen = 127.0.0.1:7070\nStatistics = /run/s.sock
[Admit any]\nAny = yes\nAddress = 192.168.0.0/24, fd00::/64\n";
        let mut router = Router::stopped();
        router.write_whole(text);
        router.prepare();
        router.run();
        let stream = std::net::TcpStream::connect("127.0.0.1:7070").unwrap();
        let mut peer = Peer::from(std::os::unix::net::UnixStream::from(std::os::fd::OwnedFd::from(stream)));
        peer.send(&echo("192.168.0.9", OWN[0]));
        assert!(peer.receive(super::peer::is_reply).is_some());
        assert_eq!(router.peer("192.168.0.9").unwrap()["pid"], 0);
    });
}

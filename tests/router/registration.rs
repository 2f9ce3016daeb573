//! Whose an address is: by a first packet, by what is announced, by who one is.

use super::peer::{Peer, echo, is_reply, udp};
use super::world::*;
use crate::common::eventually;
use serde_json::json;
use systemd_netns::router::settings::{Mode, Protocol};

#[test]
fn the_first_packet_registers_its_source() {
    world(|| {
        let router = Router::start("");
        let mut peer = Peer::connect();
        // A byte that is no whole frame yet.
        std::io::Write::write_all(&mut peer.stream, &[0]).unwrap();
        eventually("the peer is in", || (router.peers() == 1).then_some(()));
        assert_eq!(router.statistics()["peers"][0]["addresses"], json!([]));
        let rest = super::peer::frame(0, &echo("192.168.0.9", OWN[0]));
        std::io::Write::write_all(&mut peer.stream, &rest[1..]).unwrap();
        assert!(peer.receive(is_reply).is_some());
        peer.send(&echo("fd00::9", OWN[1]));
        assert!(peer.receive(is_reply).is_some());
        assert_eq!(router.peer("192.168.0.9").unwrap()["addresses"], json!(["192.168.0.9", "fd00::9"]));
        router.says("192.168.0.9 is peer ");
    });
}

#[test]
fn announced_addresses_are_there_before_any_packet() {
    world(|| {
        let router = Router::start("");
        let mut quiet = kind(Protocol::Descriptor, 2);
        quiet.setup =
            "ip address add 192.168.0.2/24 dev tun0; sysctl -qw net.ipv6.conf.tun0.disable_ipv6=1; ip link set tun0 up"
                .into();
        let device = Device::start("a", quiet);
        device.wait_for_attached(1);
        let peer = router.peer("192.168.0.2").expect("it has its address once it is in");
        assert_eq!(peer["addresses"], json!(["192.168.0.2", "fd00::2"]));
        assert_eq!(peer["counters"]["out_packets"], 0);
        assert_eq!(peer["netns"], json!([]), "no rule asks for it");
        crate::common::sh("ping -c 1 -W 10 192.168.0.2");
    });
}

#[test]
fn a_taken_address_stays_with_who_has_it_until_that_is_gone() {
    world(|| {
        let router = Router::start("");
        let first = service("a", 2);
        let mut framed = Peer::connect();
        framed.send(&echo("192.168.0.2", OWN[0]));
        router.says("sent from 192.168.0.2, which was refused: taken");
        eventually("the count", || (router.statistics()["peers"][1]["dropped"] == 1).then_some(()));
        let second = Device::start("b", kind(Protocol::Descriptor, 2));
        router.says("the address 192.168.0.2 is held by another peer (pid ");
        ping("a", OWN[0]);
        crate::common::sh("ping -c 1 -W 10 192.168.0.2");
        assert_eq!((first.attached(), second.attached()), (1, 0));
        // Another address may still be its own.
        framed.send(&echo("192.168.0.9", OWN[0]));
        assert!(framed.receive(is_reply).is_some());
        drop(first);
        second.wait_for_attached(1);
        ping("b", OWN[0]);
        drop(second);
        eventually("it is gone", || router.peer("192.168.0.2").is_none().then_some(()));
        let mut third = Peer::connect();
        third.send(&echo("192.168.0.2", OWN[0]));
        assert!(third.receive(is_reply).is_some());
    });
}

#[test]
fn who_has_an_address_sends_from_no_other() {
    world(|| {
        let router = Router::start("");
        let _service = service("a", 2);
        let mut peer = Peer::with("192.168.0.9");
        router.wait_for_peer("192.168.0.9");
        for other in ["192.168.0.10", "192.168.0.2", "203.0.113.9"] {
            peer.send(&echo(other, OWN[0]));
        }
        router.wait_for_lost("192.168.0.9", "spoofed", 2);
        router.wait_for_lost("192.168.0.9", "forbidden", 1);
        within("a", || {
            crate::common::sh(
                "ip address add 192.168.0.77/24 dev tun0; ping -c 1 -W 1 -I 192.168.0.77 192.168.0.1 || true",
            )
        });
        router.wait_for_lost("192.168.0.2", "spoofed", 1);
        assert_eq!(router.peers(), 2);
        peer.send(&echo("192.168.0.9", OWN[0]));
        assert!(peer.receive(is_reply).is_some());
    });
}

#[test]
fn addresses_that_are_nobodys_are_refused() {
    world(|| {
        let router = Router::start("");
        let mut peer = Peer::connect();
        let refused = [
            ("192.168.0.1", "forbidden"),
            ("fd00::1", "forbidden"),
            ("192.168.0.0", "forbidden"),
            ("192.168.0.255", "forbidden"),
            ("192.168.1.9", "forbidden"),
            ("fd01::9", "forbidden"),
            ("0.0.0.0", "source"),
            ("127.0.0.1", "source"),
            ("224.0.0.1", "source"),
            ("169.254.0.9", "source"),
            ("fe80::9", "source"),
            ("::", "source"),
        ];
        for (address, _) in refused {
            peer.send(&udp(address, if address.contains(':') { "fd00::2" } else { "192.168.0.2" }, 1, 2, b"x"));
        }
        peer.send(&udp("192.168.0.9", "203.0.113.9", 1, 2, b"x"));
        router.wait_for_peer("192.168.0.9");
        for reason in ["forbidden", "source"] {
            let wanted = refused.iter().filter(|(_, why)| *why == reason).count();
            assert_eq!(router.lost("192.168.0.9", reason), wanted as u64, "{reason}");
        }
        // An address that the device gets while the router runs is its own as well.
        crate::common::sh("ip address add 192.168.0.99/24 dev r0");
        eventually("it is known", || {
            let mut other = Peer::with("192.168.0.99");
            other.send(&udp("192.168.0.98", "203.0.113.9", 1, 2, b"x"));
            let known = eventually("it has one of them", || {
                router
                    .peer("192.168.0.98")
                    .or_else(|| router.peer("192.168.0.99"))
                    .map(|peer| peer["addresses"].clone())
            });
            drop(other);
            eventually("it is gone", || (router.peers() == 1).then_some(()));
            (known == json!(["192.168.0.98"])).then_some(())
        });
        // One that is announced is refused with the device.
        let mut own = kind(Protocol::Descriptor, 2);
        own.settings.addresses.push("192.168.0.1/24".parse().unwrap());
        let device = Device::start("a", own);
        router.says("it may not have the address 192.168.0.1");
        assert_eq!(device.attached(), 0);
    });
}

/// Namespaces and users with ranges of their own.
const RANGES: &str = "
[Admit a]
Netns = a
Address = 192.168.0.2, fd00::2
[Admit user]
User = 4242
Address = 192.168.0.64/28
[Admit group]
Group = 4343
Address = 192.168.0.200
";

#[test]
fn namespaces_users_and_groups_have_ranges() {
    world(|| {
        let router = Router::start(RANGES);
        // By where the device is, and not by who passes it.
        let a = service("a", 2);
        assert_eq!(router.peer("192.168.0.2").unwrap()["netns"], json!(["a"]));
        drop(a);
        let b = Device::start("b", kind(Protocol::Descriptor, 3));
        router.says("no rule admits it");
        assert_eq!(b.attached(), 0);
        let other = Device::start_there("a", kind(Protocol::Descriptor, 4));
        router.says("it may not have the address 192.168.0.4");
        assert_eq!(other.attached(), 0);
        assert!(Peer::speaks_and_is_closed());

        let mut user = as_user(4242, 1, Peer::connect);
        user.send(&echo("192.168.0.80", OWN[0]));
        user.send(&echo("192.168.0.2", OWN[0]));
        user.send(&echo("192.168.0.65", OWN[0]));
        assert!(user.receive(is_reply).is_some());
        let known = router.peer("192.168.0.65").unwrap();
        assert_eq!((&known["uid"], &known["gid"]), (&json!(4242), &json!(1)));
        assert_eq!(router.lost("192.168.0.65", "forbidden"), 2);
        let mut group = as_user(4444, 4343, Peer::connect);
        group.send(&echo("192.168.0.200", OWN[0]));
        assert!(group.receive(is_reply).is_some());
        assert!(as_user(4444, 4444, Peer::speaks_and_is_closed));
    });
}

#[test]
fn a_reload_changes_who_comes_in_and_not_who_is_in() {
    world(|| {
        let mut router = Router::start("");
        let mut peer = Peer::with("192.168.0.9");
        router.wait_for_peer("192.168.0.9");
        router.reload(RANGES);
        assert!(Peer::speaks_and_is_closed());
        peer.send(&echo("192.168.0.9", OWN[0]));
        assert!(peer.receive(is_reply).is_some());
    });
}

#[test]
fn credentials_are_asked_for_where_the_file_says_so() {
    world(|| {
        let router = Router::start("Credentials = yes\n[Admit user]\nUser = 4242\nAddress = 192.168.0.0/24\n");
        assert!(Peer::speaks_and_is_closed());
        router.says("it does not begin with its credentials");
        // What it says of itself counts, as far as the kernel lets it say that.
        let mut peer = Peer::connect();
        peer.greet(4242, 4243);
        peer.send(&echo("192.168.0.9", OWN[0]));
        assert!(peer.receive(is_reply).is_some());
        let known = router.peer("192.168.0.9").unwrap();
        assert_eq!(
            (&known["uid"], &known["gid"], &known["pid"]),
            (&json!(4242), &json!(4243), &json!(std::process::id()))
        );
        let mut other = Peer::connect();
        other.greet(4241, 4243);
        assert!(other.is_closed());
        router.says("no rule admits it");
    });
}

#[test]
fn a_process_without_a_number_here_has_credentials_all_the_same() {
    world(|| {
        let mut router = Router::start("Credentials = yes\n[Admit user]\nUser = 4242\nAddress = 192.168.0.0/24\n");
        router.end(nix::sys::signal::Signal::SIGTERM);
        // In a namespace of processes of its own the router does not see those of others.
        let mut command = std::process::Command::new("unshare");
        command.args(["--fork", "--pid", "--kill-child=TERM", program(), "router", "run", "--root", "/run/root", "r0"]);
        let _process = Process::start(command.stderr(std::process::Stdio::null()));
        let mut peer = eventually("it listens", || std::os::unix::net::UnixStream::connect(SOCKET).ok()).into();
        Peer::greet(&mut peer, 4242, 4243);
        peer.send(&echo("192.168.0.9", OWN[0]));
        assert!(peer.receive(is_reply).is_some());
        let known = router.peer("192.168.0.9").unwrap();
        assert_eq!((&known["uid"], &known["gid"], &known["pid"]), (&json!(4242), &json!(4243), &json!(0)));
    });
}

#[test]
fn a_device_of_the_other_layer_is_refused() {
    world(|| {
        let router = Router::start("");
        let mut tap = kind(Protocol::Descriptor, 2);
        tap.settings.mode = Mode::Tap;
        tap.setup = "true".into();
        let device = Device::start("a", tap);
        router.says("its device is of the other layer");
        assert_eq!(device.attached(), 0);
    });
}

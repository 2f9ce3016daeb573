//! What uWSGI's router was seen to do, and ours must not: a test for each.

use super::peer::{Peer, echo, frame, is_reply, source, udp};
use super::traffic::transfer;
use super::world::*;
use crate::common::{eventually, sh, try_sh};
use std::io::Write;
use std::process::Command;
use systemd_netns::router::settings::Protocol;

/// A peer that has an address and is answered.
#[track_caller]
fn answered(address: &str) -> Peer {
    let mut peer = Peer::connect();
    is_answered(&mut peer, address);
    peer
}

#[track_caller]
fn is_answered(peer: &mut Peer, address: &str) {
    let own = OWN[usize::from(address.contains(':'))];
    peer.send(&echo(address, own));
    let reply = peer.receive(is_reply);
    let reply = reply.unwrap_or_else(|| panic!("no answer for {address}: {}", ask(STATISTICS, "")));
    assert_eq!(source(&reply).to_string(), own);
}

#[test]
fn a_second_peer_with_a_taken_address_throws_nobody_out() {
    world(|| {
        let router = Router::start("");
        let mut first = answered("192.168.0.9");
        let mut second = Peer::connect();
        second.send(&echo("192.168.0.9", OWN[0]));
        router.says("sent from 192.168.0.9, which was refused: taken");
        is_answered(&mut first, "192.168.0.9");
        is_answered(&mut second, "192.168.0.8");
        assert_eq!(router.lost("192.168.0.8", "taken"), 1);
    });
}

#[test]
fn a_registered_peer_sends_from_no_other_source() {
    world(|| {
        let router = Router::start("");
        let mut victim = answered("192.168.0.8");
        let mut peer = answered("192.168.0.9");
        peer.send(&udp("192.168.0.7", "192.168.0.8", 1, 2, b"forged"));
        peer.send(&udp("192.168.0.9", "192.168.0.8", 1, 2, b"honest"));
        let first = victim.receive(|packet| packet.ends_with(b"forged") || packet.ends_with(b"honest")).unwrap();
        assert!(first.ends_with(b"honest"));
        assert_eq!(router.lost("192.168.0.9", "spoofed"), 1);
    });
}

#[test]
fn addresses_are_checked_against_ranges_and_the_routers_own() {
    world(|| {
        let router = Router::start("[Admit all]\nAny = yes\nAddress = 192.168.0.0/28\n");
        let mut peer = Peer::connect();
        for address in [OWN[0], "192.168.0.200", "198.51.100.1"] {
            peer.send(&udp(address, "203.0.113.9", 1, 2, b"x"));
        }
        is_answered(&mut peer, "192.168.0.9");
        assert_eq!(router.lost("192.168.0.9", "forbidden"), 3);
        ping_host();
    });
}

/// The host still has its own address.
fn ping_host() {
    sh("ping -c 1 -W 5 192.168.0.1");
}

#[test]
fn an_ipv6_first_packet_kills_no_peer() {
    world(|| {
        let router = Router::start("");
        let mut peer = Peer::connect();
        // As a kernel's: a listener report, a router solicitation, then one of its own.
        peer.send(&super::peer::ip("::", "ff02::16", 58, &[143, 0, 0, 0, 0, 0, 0, 0], Some(2)));
        peer.send(&super::peer::ip("fe80::9", "ff02::2", 58, &[133, 0, 0, 0, 0, 0, 0, 0], Some(2)));
        is_answered(&mut peer, "fd00::9");
        is_answered(&mut peer, "192.168.0.9");
        assert_eq!(router.lost("192.168.0.9", "source"), 2);
    });
}

#[test]
fn a_frame_that_is_too_long_ends_its_peer_and_nothing_else() {
    world(|| {
        let router = Router::start("");
        let mut other = answered("192.168.0.8");
        let mut peer = answered("192.168.0.9");
        peer.stream.write_all(&frame(0, &[0x45; 8193])[..4]).unwrap();
        assert!(peer.is_closed());
        router.says("a frame of 8193 bytes is too long");
        is_answered(&mut other, "192.168.0.8");
        // The longest that may be is taken, and is no packet here.
        let mut peer = answered("192.168.0.9");
        peer.send(&[0x45; 8192]);
        is_answered(&mut peer, "192.168.0.9");
        assert_eq!(router.lost("192.168.0.9", "malformed"), 1);
    });
}

#[test]
fn a_frame_of_an_unknown_kind_ends_its_peer_and_nothing_else() {
    world(|| {
        let router = Router::start("");
        let mut other = answered("192.168.0.8");
        for (bytes, why) in [
            (frame(2, b""), "unknown kind of frame 0/2"),
            (frame(1, &[0; 23]), "a block of rules has 23 bytes"),
            (frame(1, &[&[7][..], &[0; 23]].concat()), "a rule has the unknown direction 7"),
            (b"GET / HTTP/1.0\r\n\r\n".to_vec(), "unknown kind of frame 71/32"),
            (b"uwsgi-tuntaq".to_vec(), "it does not begin with its credentials"),
        ] {
            let mut peer = Peer::connect();
            peer.stream.write_all(&bytes).unwrap();
            assert!(peer.is_closed(), "{why}");
            router.says(why);
        }
        is_answered(&mut other, "192.168.0.8");
        assert_eq!(router.peers(), 1);
    });
}

#[test]
fn short_frames_and_bad_version_nibbles_are_dropped_and_counted() {
    world(|| {
        let router = Router::start("");
        let mut peer = Peer::connect();
        let good = udp("192.168.0.9", "203.0.113.9", 1, 2, b"x");
        let mut bad: Vec<Vec<u8>> = [0, 1, 4, 19, 20, 27].map(|length| good[..length].to_vec()).into();
        bad.extend([0x00, 0x15, 0x55, 0x75, 0xf5].map(|first| [&[first], &good[1..]].concat()));
        // Lengths that say otherwise than the frame; a header that is longer than the packet.
        bad.push([&good[..], b"more"].concat());
        bad.push([&[0x4f], &good[1..]].concat());
        bad.push([&[0x44], &good[1..]].concat());
        let v6 = udp("fd00::9", "2001:db8::1", 1, 2, b"x");
        bad.extend([1, 39, 40, 47].map(|length| v6[..length].to_vec()));
        for packet in &bad {
            peer.send(packet);
        }
        is_answered(&mut peer, "192.168.0.9");
        assert_eq!(router.lost("192.168.0.9", "malformed"), bad.len() as u64);
        assert_eq!(router.said().matches("is in, by frames").count(), 1);
    });
}

#[test]
fn a_device_that_is_down_stops_neither_router_nor_peers() {
    world(|| {
        let router = Router::start("");
        let mut peers = ["192.168.0.8", "192.168.0.9"].map(answered);
        sh("ip link set r0 down");
        peers[0].send(&echo("192.168.0.8", OWN[0]));
        eventually("it is counted", || (router.lost("", "down") > 0).then_some(()));
        peers[0].send(&udp("192.168.0.8", "192.168.0.9", 1, 2, b"meanwhile"));
        assert!(peers[1].receive(|packet| packet.ends_with(b"meanwhile")).is_some());
        sh("ip link set r0 up");
        peers.iter_mut().zip(["192.168.0.8", "192.168.0.9"]).for_each(|(peer, address)| is_answered(peer, address));
    });
}

#[test]
fn a_typing_error_in_a_rules_action_is_refused() {
    world(|| {
        let run = |arguments: &[&str]| {
            let done = Command::new(program()).args(arguments).env_remove("JOURNAL_STREAM").output().unwrap();
            (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
        };
        for (option, text) in [("out", "denny 192.168.0.9 0.0.0.0"), ("in", "Deny"), ("in", "denied 10.0.0.1 10.0.0.2")]
        {
            let option = format!("--tuntap-router-firewall-{option}");
            let (code, said) = run(&["router", "--tuntap-router", "emp0 /run/u.sock", &option, text]);
            assert_eq!(code, Some(78), "{said}");
            assert!(said.contains(&format!("error: unknown action `{}`", text.split(' ').next().unwrap())), "{said}");
        }
        let rule = "out 192.168.0.9 0.0.0.0 denny";
        let (code, said) = run(&["device", "--tuntap-device", "uw0 /run/u.sock", "--tuntap-device-rule", rule]);
        assert!(code == Some(78) && said.contains("error: unknown action `denny`"), "{said}");
        // A rule that lacks its destination is no rule that matches everything.
        let (code, said) =
            run(&["router", "--tuntap-router", "emp0 /run/u.sock", "--tuntap-router-firewall-in", "deny 10.0.0.1"]);
        assert!(code == Some(78) && said.contains("the destination is missing"), "{said}");
        assert!(!try_sh("ip link show emp0").status.success());
    });
}

#[test]
fn a_prefix_of_zero_and_bits_under_a_mask_match_as_they_are_meant() {
    world(|| {
        let rules = "[Firewall]\nOut =\n  allow 192.168.0.9/24 203.0.113.1\n  allow 0.0.0.0/0 203.0.113.2
  allow 10.0.0.9/0 203.0.113.3\n  allow ::/0 2001:db8::1\n  deny\n";
        let router = Router::start(rules);
        let mut peer = Peer::connect();
        for to in ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"] {
            peer.send(&udp("192.168.0.8", to, 1, 2, b"x"));
        }
        peer.send(&udp("fd00::8", "2001:db8::1", 1, 2, b"x"));
        router.wait_for_rules("out", &[1, 1, 1, 1, 1, 0]);
        drop(router);
        // The same by uWSGI's own option.
        let mut command = Command::new(program());
        command.args(["router", "--tuntap-router", &format!("emp0 {SOCKET} {STATISTICS}")]);
        for rule in ["deny 192.168.0.9/24 203.0.113.1", "deny 0.0.0.0/0 203.0.113.2", "deny 10.0.0.9/0 203.0.113.3"] {
            command.args(["--tuntap-router-firewall-out", rule]);
        }
        let _process = Process::start(command.stderr(std::process::Stdio::null()));
        let router = Router::stopped();
        let mut peer: Peer = eventually("it listens", || std::os::unix::net::UnixStream::connect(SOCKET).ok()).into();
        for to in ["203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"] {
            peer.send(&udp("192.168.0.8", to, 1, 2, b"x"));
        }
        eventually("it is known", || router.peer("192.168.0.8"));
        router.wait_for_rules("out", &[1, 1, 1, 1]);
    });
}

#[test]
fn a_statistics_client_that_sends_nothing_stalls_no_traffic() {
    world(|| {
        let router = Router::start("");
        let silent: Vec<_> = (0..3).map(|_| std::os::unix::net::UnixStream::connect(STATISTICS).unwrap()).collect();
        let mut peer = answered("192.168.0.9");
        let _a = service("a", 2);
        transfer("a", "", OWN[0], 1 << 20);
        is_answered(&mut peer, "192.168.0.9");
        assert_eq!(router.peers(), 2);
        drop(silent);
    });
}

#[test]
fn a_peer_that_never_reads_delays_nobody() {
    world(|| {
        let router = Router::start("");
        let mut deaf = answered("192.168.0.9");
        let mut sender = answered("192.168.0.8");
        let packet = udp("192.168.0.8", "192.168.0.9", 1, 2, &[0; 1400]);
        eventually("its queue is full", || {
            (0..100).for_each(|_| sender.send(&packet));
            (router.lost("192.168.0.9", "queue-full") > 0).then_some(())
        });
        // All that is sent beside it arrives, in order, while more of it is lost.
        for number in 0..500_u16 {
            sender.send(&packet);
            sender.send(&udp("192.168.0.8", OWN[0], number, 9, b"x"));
        }
        is_answered(&mut sender, "192.168.0.8");
        assert!(router.lost("192.168.0.9", "queue-full") > 400);
        // What it reads in the end are whole packets.
        let mut read = 0;
        while deaf.receive(|it| it == packet).is_some() && read < 50 {
            read += 1;
        }
        assert_eq!(read, 50);
    });
}

#[test]
fn no_gateway_takes_packets_from_anyone() {
    world(|| {
        let run = |arguments: &[&str]| {
            let done = Command::new(program()).args(arguments).env_remove("JOURNAL_STREAM").output().unwrap();
            (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
        };
        // There are none: a configuration that has one is refused, and does not run without it.
        let (code, said) = run(&["router", "--tuntap-router", "emp0 /run/u.sock /run/s.sock 127.0.0.1:7000"]);
        assert_eq!(code, Some(78), "{said}");
        let route = "192.168.0.0/24 10.0.0.0/8 127.0.0.1:7001";
        let (code, said) = run(&["router", "--tuntap-router", "emp0 /run/u.sock", "--tuntap-router-route", route]);
        assert_eq!(code, Some(78), "{said}");
        let rule = "out 0.0.0.0 10.0.0.0/8 gateway 127.0.0.1:7001";
        let (code, said) = run(&["device", "--tuntap-device", "uw0 /run/u.sock", "--tuntap-device-rule", rule]);
        assert_eq!(code, Some(78), "{said}");
        // A peer that asks for one is refused, too: its other rules would not hold as it meant them.
        let router = Router::start("");
        let mut peer = Peer::connect();
        peer.stream.write_all(&frame(1, &[&[1][..], &[0; 16], &[2, 127, 0, 0, 1, 0x1b, 0x59]].concat())).unwrap();
        assert!(peer.is_closed());
        router.says("its rules send packets to a gateway, which only the router's own may");
    });
}

#[test]
fn ipv6_is_as_good_as_ipv4() {
    world(|| {
        let router = Router::start("[Firewall]\nOut = deny any 2001:db8::/32\n");
        let mut own = kind(Protocol::Uwsgi, 2);
        own.setup =
            "ip address add fd00::2/64 dev tun0 nodad; ip link set tun0 up; ip -6 route add default via fd00::1".into();
        let _a = Device::start("a", own);
        ping("a", OWN[1]);
        transfer("a", "", OWN[1], 1 << 20);
        assert!(!answers("a", "2001:db8::1", ""));
        assert_eq!(router.lost("fd00::2", "denied-out"), 1);
    });
}

#[test]
fn many_peers_cost_a_packet_nothing() {
    world(|| {
        let mut router = Router::start("");
        router.write_whole(&format!(
            "[Router]\nAddress = 10.0.0.1/16, 192.168.0.1/24\nListen = {SOCKET}\nStatistics = {STATISTICS}\n"
        ));
        router.prepare();
        let before = router.said().matches("reloaded").count();
        router.process().signal(nix::sys::signal::Signal::SIGHUP);
        eventually("the reload", || (router.said().matches("reloaded").count() > before).then_some(()));
        // Each is found among all, the first and the last.
        let address = |number: usize| format!("10.0.{}.{}", 1 + number / 200, 1 + number % 200);
        let mut peers: Vec<Peer> = (0..400).map(|number| Peer::with(&address(number))).collect();
        eventually("all are in", || (router.peers() == peers.len()).then_some(()));
        for (from, to) in [(0, 399), (399, 0), (200, 199)] {
            peers[from].send(&udp(&address(from), &address(to), 1, 2, b"found"));
            assert!(peers[to].receive(|packet| packet.ends_with(b"found")).is_some(), "{from} to {to}");
        }
        drop(peers);
        eventually("all are gone", || (router.peers() == 0).then_some(()));
    });
}

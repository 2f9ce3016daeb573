//! Rules: every kind in both chains, told from one another by their counters.

use super::peer::{Peer, echo, frame, ip, is_reply, source, syn, udp};
use super::traffic::Stream;
use super::world::*;
use systemd_netns::router::settings::Protocol;

/// One of each kind; rules that could match what another is to match stand behind it.
const EACH: &str = "
[Firewall]
PolicyIn = allow
PolicyOut = deny
Out =
    deny 192.168.0.9 198.51.100.0/24
    allow any 203.0.113.7 proto udp rate 1/min burst 3
    deny any 203.0.113.7
    allow any any proto udp dport 53,8000-8010
    deny fd00::/64 2001:db8::/32 proto udp sport 7
    allow fd00::/64 2001:db8::/32 proto udp
    allow proto tcp sport 1024-65535 dport 80
    deny any 203.0.113.8 log
    allow proto icmp
    allow proto icmpv6
    allow proto 89
";

#[test]
fn each_kind_of_rule_means_what_it_says() {
    world(|| {
        let router = Router::start(EACH);
        let mut peer = Peer::connect();
        let (v4, v6) = ("192.168.0.9", "fd00::9");
        let policy = 11;
        let mut sent: Vec<(Vec<u8>, usize)> = vec![
            (udp(v4, "198.51.100.77", 1, 53, b"x"), 0),
            (udp(v4, "198.51.101.77", 1, 53, b"x"), 3),
            (udp(v4, "203.0.113.7", 1, 53, b"x"), 1),
            (udp(v4, "203.0.113.7", 1, 53, b"x"), 1),
            (udp(v4, "203.0.113.7", 1, 53, b"x"), 1),
            // What the rate lets not through is not meant by the rule.
            (udp(v4, "203.0.113.7", 1, 53, b"x"), 2),
            (echo(v4, "203.0.113.7"), 2),
            (syn(v4, "203.0.113.8", 2000, 80), 6),
            (syn(v4, "203.0.113.8", 1023, 80), 7),
            (syn(v4, "203.0.113.9", 1023, 80), policy),
            (syn(v4, "203.0.113.9", 1024, 81), policy),
            (udp(v6, "2001:db8::7", 7, 9, b"x"), 4),
            (udp(v6, "2001:db8::7", 8, 9, b"x"), 5),
            (udp(v6, "2001:db9::7", 8, 9, b"x"), policy),
            (echo(v4, "203.0.113.9"), 8),
            (echo(v6, "2001:db8::7"), 9),
            (ip(v4, "203.0.113.9", 89, b"routes", None), 10),
            (ip(v4, "203.0.113.9", 90, b"routes", None), policy),
        ];
        sent.extend(
            [(52, policy), (53, 3), (54, policy), (7999, policy), (8000, 3), (8010, 3), (8011, policy)]
                .map(|(port, rule)| (udp(v4, "203.0.113.9", 1, port, b"x"), rule)),
        );
        let mut wanted = vec![0; policy + 1];
        for (packet, rule) in sent {
            peer.send(&packet);
            wanted[rule] += 1;
            router.wait_for_rules("out", &wanted);
        }
        let denied = wanted[0] + wanted[2] + wanted[4] + wanted[7] + wanted[policy];
        assert_eq!(router.lost(v4, "denied-out"), denied);
        router
            .says("firewall: 192.168.0.9 to 203.0.113.8, protocol 6 ports 1023 80, 40 bytes: deny any 203.0.113.8 log");
        assert_eq!(router.said().matches("firewall: ").count(), 1);
    });
}

#[test]
fn fragments_are_meant_by_a_rule_of_ports_only_where_that_is_safe() {
    world(|| {
        let router = Router::start("[Firewall]\nOut =\n  allow proto udp dport 53\n  deny proto udp dport 54\n");
        let mut peer = Peer::with("192.168.0.9");
        router.wait_for_rules("out", &[0, 0, 1]);
        let mut later = udp("192.168.0.9", "203.0.113.9", 1, 53, &[0; 64]);
        later[6..8].copy_from_slice(&185_u16.to_be_bytes());
        // Nobody knows its ports: it may be a part of what is denied.
        peer.send(&later);
        router.wait_for_rules("out", &[0, 1, 1]);
    });
}

#[test]
fn what_goes_from_peer_to_peer_passes_both_chains() {
    world(|| {
        let rules = "[Firewall]\nOut =\n  allow 192.168.0.8 192.168.0.9\n  deny 192.168.0.9 192.168.0.8
In =\n  deny any 192.168.0.7\n  allow 192.168.0.8 192.168.0.9\n";
        let router = Router::start(rules);
        let mut peers = ["192.168.0.7", "192.168.0.8", "192.168.0.9"].map(Peer::with);
        let [seven, eight, nine] = &mut peers;
        router.wait_for_rules("out", &[0, 0, 3]);
        eight.send(&udp("192.168.0.8", "192.168.0.9", 1, 2, b"hello"));
        assert!(nine.receive(|packet| packet.ends_with(b"hello")).is_some());
        assert_eq!((router.rules("out"), router.rules("in")), (vec![1, 0, 3], vec![0, 1, 0]));

        nine.send(&udp("192.168.0.9", "192.168.0.8", 1, 2, b"hello"));
        router.wait_for_rules("out", &[1, 1, 3]);
        assert_eq!(router.lost("192.168.0.9", "denied-out"), 1);
        assert_eq!(router.rules("in"), [0, 1, 0]);

        eight.send(&udp("192.168.0.8", "192.168.0.7", 1, 2, b"hello"));
        router.wait_for_rules("in", &[1, 1, 0]);
        assert_eq!(router.lost("192.168.0.8", "denied-in"), 1);

        // From the host only `in`, to the host only `out`.
        crate::common::sh("ping -c 1 -W 1 192.168.0.7 || true");
        router.wait_for_rules("in", &[2, 1, 0]);
        seven.send(&echo("192.168.0.7", OWN[0]));
        router.wait_for_rules("out", &[1, 1, 5]);
        router.wait_for_rules("in", &[3, 1, 0]);
        assert_eq!(router.lost("", "denied-in"), 2);
    });
}

#[test]
fn policies_decide_what_no_rule_means() {
    world(|| {
        let mut router = Router::start("[Firewall]\nPolicy = deny\nPolicyIn = allow\nOut = allow any 192.168.0.1\n");
        let mut peer = Peer::connect();
        peer.send(&echo("192.168.0.9", OWN[0]));
        assert!(peer.receive(is_reply).is_some());
        peer.send(&echo("192.168.0.9", "192.168.0.2"));
        router.wait_for_rules("out", &[1, 1]);
        assert_eq!(router.lost("192.168.0.9", "denied-out"), 1);
        router.reload("[Firewall]\nPolicyIn = deny\n");
        peer.send(&echo("192.168.0.9", OWN[0]));
        // The answer is what is denied now.
        crate::common::eventually("the denial", || (router.lost("", "denied-in") == 1).then_some(()));
    });
}

#[test]
fn a_reload_keeps_peers_connections_and_the_counters_of_rules_that_stay() {
    world(|| {
        let mut router = Router::start("[Firewall]\nOut =\n  allow any 203.0.113.1\n  allow any 203.0.113.2\n");
        let (a, b) = (service("a", 2), framed_service("b", 3));
        let mut peer = Peer::connect();
        std::thread::scope(|scope| {
            let stream = Stream::start(scope, "a", "b", "192.168.0.3");
            stream.begin(4 << 20);
            let before = (router.wait_for_peer("192.168.0.2"), router.wait_for_peer("192.168.0.3"));
            for (to, rule) in [("203.0.113.1", 0), ("203.0.113.2", 1), ("203.0.113.2", 1)] {
                let count = router.rules("out")[rule];
                peer.send(&udp("192.168.0.9", to, 1, 2, b"x"));
                crate::common::eventually("the count", || (router.rules("out")[rule] == count + 1).then_some(()));
            }
            router.reload(
                "[Firewall]\nOut =\n  deny any 203.0.113.3\n  allow any 203.0.113.2\n  allow any 203.0.113.1\n",
            );
            assert_eq!(router.rules("out")[..3], [0, 2, 1]);
            peer.send(&udp("192.168.0.9", "203.0.113.3", 1, 2, b"x"));
            router.wait_for_lost("192.168.0.9", "denied-out", 1);
            assert_eq!(router.rules("out")[..3], [1, 2, 1]);
            stream.end();
            stream.begin(4 << 20);
            stream.end();
            for (address, before) in [("192.168.0.2", before.0), ("192.168.0.3", before.1)] {
                let now = router.wait_for_peer(address);
                assert_eq!((&now["peer"], &now["addresses"]), (&before["peer"], &before["addresses"]));
                assert!(now["counters"]["out_bytes"].as_u64() > before["counters"]["out_bytes"].as_u64());
            }
        });
        assert_eq!((a.attached(), b.attached()), (1, 1));

        // With a mistake in the file all stays as it was.
        router.write("[Firewall]\nOut = allwo any 203.0.113.3\n");
        router.process().signal(nix::sys::signal::Signal::SIGHUP);
        router.says("unknown action `allwo`");
        router.says("the router goes on as it was");
        assert_eq!(router.rules("out")[..3], [1, 2, 1]);
        ping("a", "192.168.0.3");
    });
}

#[test]
fn a_peers_own_rules_narrow_what_the_routers_allow() {
    world(|| {
        let router = Router::start("[Firewall]\nOut = deny any 203.0.113.2\n");
        let mut own = kind(Protocol::Descriptor, 2);
        own.settings.chain_out.rules =
            ["deny any 203.0.113.1", "allow any 203.0.113.2"].map(|r| r.parse().unwrap()).into();
        own.settings.chain_in.rules = vec!["deny 192.168.0.3 any".parse().unwrap()];
        let device = Device::start("a", own);
        device.wait_for_attached(1);
        let _b = service("b", 3);
        ping("a", OWN[0]);
        within("a", || crate::common::sh("for i in 1 2 3; do ping -c 1 -W 1 203.0.113.$i >&2 || true; done"));
        assert_eq!((router.lost("192.168.0.2", "denied-peer"), router.lost("192.168.0.2", "denied-out")), (1, 1));
        assert!(!answers("b", "192.168.0.2", ""));
        assert_eq!(router.lost("192.168.0.3", "denied-peer"), 1);
        assert!(!answers("a", "192.168.0.3", ""), "the answer is denied");

        // The same by frames, as uWSGI's device sends its rules: out, from any, to 203.0.113.0/24, deny.
        let mut peer = Peer::with("192.168.0.9");
        router.wait_for_peer("192.168.0.9");
        let (to, mask) = (u32::from_be_bytes([203, 0, 113, 0]), 0xffff_ff00_u32);
        let rule = [&[1][..], &[0; 8], &to.to_ne_bytes(), &mask.to_ne_bytes(), &[1], &[0; 6]].concat();
        std::io::Write::write_all(&mut peer.stream, &frame(1, &rule)).unwrap();
        peer.send(&udp("192.168.0.9", "203.0.113.1", 1, 2, b"x"));
        router.wait_for_lost("192.168.0.9", "denied-peer", 1);
        peer.send(&echo("192.168.0.9", OWN[0]));
        let reply = peer.receive(is_reply).expect("the rest passes");
        assert_eq!(source(&reply).to_string(), OWN[0]);
    });
}

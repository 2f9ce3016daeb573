//! Statistics: uWSGI's JSON and Prometheus' text say the same, and who reads them badly holds nobody up.

use super::peer::{Peer, echo, is_reply, udp};
use super::traffic::transfer;
use super::world::*;
use crate::common::eventually;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::net::UnixStream;
use systemd_netns::router::uwsgi;

const RULES: &str = "[Firewall]\nOut =\n  deny any 203.0.113.9\n  allow any 192.168.0.0/16\n";

#[test]
fn what_uwsgi_tells_is_told_under_its_names() {
    world(|| {
        let mut router = Router::start(RULES);
        let _a = service("a", 2);
        let mut peer = Peer::connect();
        let hello = echo("192.168.0.9", OWN[0]);
        peer.send(&hello);
        let reply = peer.receive(is_reply).unwrap();
        peer.send(&udp("192.168.0.9", "203.0.113.9", 1, 2, b"x"));
        router.wait_for_lost("192.168.0.9", "denied-out", 1);
        // As its readers do: nothing is sent.
        let mut text = String::new();
        UnixStream::connect(STATISTICS).unwrap().read_to_string(&mut text).unwrap();
        let told: uwsgi::Statistics = serde_json::from_str(&text).expect("uWSGI's keys");
        assert_eq!(told.pid, router.process().0.id());
        assert_eq!((told.uid, told.gid, told.peers.len()), (0, 0, 2));
        let nine = told.peers.iter().find(|peer| peer.addr == "192.168.0.9").unwrap();
        assert_eq!(nine.addr_32, u32::from_ne_bytes([192, 168, 0, 9]));
        assert_eq!((nine.tx, nine.rx, nine.dropped), (reply.len() as u64, hello.len() as u64, 1));
        assert_eq!(nine.pid, std::process::id());

        let by_http = ask(STATISTICS, "GET / HTTP/1.0\r\n\r\n");
        let (head, body) = by_http.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n"), "{head}");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
        assert_eq!(serde_json::from_str::<Value>(body).unwrap()["router"], "r0");
    });
}

/// Samples by their names with labels.
fn samples(text: &str) -> BTreeMap<&str, u64> {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Content-Type: text/plain; version=0.0.4"), "{head}");
    let lines = body.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').map(|(name, value)| (name, value.parse().unwrap())).unwrap()).collect()
}

#[test]
fn prometheus_is_told_the_same() {
    world(|| {
        let router = Router::start(RULES);
        let _a = service("a", 2);
        let mut peer = Peer::with("192.168.0.9");
        peer.send(&echo("192.168.0.9", "192.168.0.2"));
        assert!(peer.receive(is_reply).is_some());
        router.wait_for_lost("192.168.0.9", "denied-out", 1);
        let text = ask(STATISTICS, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        let samples = samples(&text);
        for (kind, lines) in [("counter", 7), ("gauge", 3)] {
            assert_eq!(text.matches(&format!(" {kind}\n")).count(), lines, "{text}");
        }
        let nine = router.peer("192.168.0.9").unwrap();
        let labels = format!("router=\"r0\",peer=\"{}\",address=\"192.168.0.9\",netns=\"\"", nine["peer"]);
        for (name, wanted) in [
            (format!("netns_router_out_packets_total{{{labels}}}"), 1),
            (format!("netns_router_out_bytes_total{{{labels}}}"), 32),
            (format!("netns_router_in_packets_total{{{labels}}}"), 1),
            (format!("netns_router_in_bytes_total{{{labels}}}"), 32),
            (format!("netns_router_dropped_packets_total{{{labels},reason=\"denied-out\"}}"), 1),
            (format!("netns_router_dropped_packets_total{{{labels},reason=\"spoofed\"}}"), 0),
            ("netns_router_rule_packets_total{router=\"r0\",chain=\"out\",index=\"0\",rule=\"deny any 203.0.113.9\"}".into(), 1),
            ("netns_router_peers{router=\"r0\"}".into(), 2),
        ] {
            assert_eq!(samples.get(name.as_str()), Some(&wanted), "{name} in {text}");
        }
        let json = &nine["counters"];
        assert_eq!((&json["out_packets"], &json["in_bytes"]), (&json!(1), &json!(32)));
    });
}

#[test]
fn super_packets_count_as_what_they_are_on_a_wire() {
    world(|| {
        let router = Router::start("");
        let _a = service("a", 2);
        let bytes = 4 << 20;
        transfer("a", "", OWN[0], bytes);
        let counters = router.peer("192.168.0.2").unwrap()["counters"].clone();
        let packets = counters["out_packets"].as_u64().unwrap();
        // 1448 bytes of a packet of 1500 are payload. Acknowledgements are few, and without any.
        let least = (bytes / 1448) as u64;
        assert!(packets >= least && packets < 3 * least, "{packets} packets where {least} were expected");
    });
}

#[test]
fn a_reader_that_sends_or_reads_nothing_holds_nobody_up() {
    world(|| {
        let router = Router::start("");
        // Many addresses make much to tell.
        let peers: Vec<Peer> = (10..200).map(|number| Peer::with(&format!("192.168.0.{number}"))).collect();
        eventually("all are in", || (router.peers() == peers.len()).then_some(()));
        let bad: Vec<UnixStream> = (0..64).map(|_| UnixStream::connect(STATISTICS).unwrap()).collect();
        let _services = [service("a", 2), framed_service("b", 3)];
        transfer("a", "b", "192.168.0.3", 1 << 20);
        transfer("b", "", OWN[1], 1 << 20);
        ping("a", OWN[0]);
        // Who reads is told in the end, whatever those do.
        assert_eq!(router.peers(), peers.len() + 2);
        drop(bad);
        assert_eq!(router.peers(), peers.len() + 2);
    });
}

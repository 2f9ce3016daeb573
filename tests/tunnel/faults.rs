//! What goes wrong at one end of a tunnel, and that nobody else notices.

use super::hosts::*;
use super::raw::{Raw, framed, request};
use crate::common::{eventually, sh, try_sh};
use crate::router::peer::{echo, is_reply, udp};
use crate::router::traffic::{Stream, datagrams, transfer};
use crate::router::world::{answers, ping, world};
use nix::sys::signal::Signal;
use std::io::Write;

const ADDRESS: [u8; 4] = [192, 168, 123, 1];

/// The server with a third host, which the test plays.
fn three(more: &str) -> (Router, Router, Router) {
    let text = server_text(&format!("{PLAIN}\n{more}"));
    let text = format!("{text}    192.168.123.9 host-9\n");
    let server = Router::start("s", "rs", &text);
    (server, host(1, PLAIN), host(2, PLAIN))
}

fn host_9() -> Vec<u8> {
    request("host-9", [192, 168, 123, 9], None, None)
}

#[test]
fn a_server_is_killed_under_a_stream() {
    world(|| {
        hosts();
        let mut server = server(PLAIN);
        let (one, two) = (host(1, PLAIN), host(2, PLAIN));
        ping("h1", "192.168.123.2");
        std::thread::scope(|scope| {
            let stream = Stream::start(scope, "h1", "h2", "192.168.123.2");
            for signal in [Signal::SIGKILL, Signal::SIGTERM] {
                stream.begin(32 << 20);
                server.end(signal);
                one.wait_for_none("up");
                two.wait_for_none("up");
                server.run();
                // The connections of the hosts come again, and what was sent arrives on the one that was there.
                stream.end();
            }
        });
        assert_eq!(one.said().matches("is connected to").count(), 3);
    });
}

#[test]
fn who_never_reads_loses_its_own_packets_only() {
    world(|| {
        hosts();
        let (server, _one, _two) = three("");
        let deaf = Raw::host("s", &host_9());
        let mut flood = Raw::host("s", &request("host-8", [192, 168, 123, 8], None, None));
        let packet = udp("192.168.123.8", "192.168.123.9", 1, 2, &[0; 1300]);
        let burst = framed(&packet).repeat(500);
        for _ in 0..40 {
            flood.0.write_all(&burst).unwrap();
            assert!(answers("h1", "192.168.123.2", ""));
        }
        server.wait_for_lost("host-9", "queue-full", 1000);
        transfer("h1", "h2", "192.168.123.2", 4 << 20);
        assert_eq!(server.lost("host-1", "queue-full") + server.lost("host-2", "queue-full"), 0);
        drop(deaf);
    });
}

#[test]
fn what_is_no_packet_is_counted_and_what_says_nothing_waits_alone() {
    world(|| {
        hosts();
        let (server, _one, _two) = three("");
        let mut garbage = Raw::host("h1", &host_9());
        for len in [1, 19, 20, 1000, 65535] {
            garbage.send(&vec![0xa5; len]);
        }
        garbage.0.write_all(&[0; 40]).unwrap();
        server.wait_for_lost("host-9", "malformed", 5);
        // It is still understood after that.
        garbage.send(&echo("192.168.123.9", "192.168.123.2"));
        assert!(garbage.receive(is_reply).is_some());
        // A length that never comes to its end holds nobody up; nor do those that say nothing, or half of it.
        garbage.0.write_all(&[0xff, 0xff, 0x45]).unwrap();
        let silent: Vec<Raw> = (0..80).map(|_| Raw::connect("h1")).collect();
        for (at, raw) in silent.iter().enumerate() {
            let _ = (&raw.0).write_all(&host_9()[..at % 20]);
        }
        server.says("10.255.0.2 has 64 connections that have no address yet");
        assert!(answers("h1", "192.168.123.2", ""));
        server.says("what it says takes too long");
        for _ in 0..3 {
            let mut noise = Raw::connect("h2");
            let _ = noise.0.write_all(&[0xa5; 5000]);
            assert!(noise.is_closed());
        }
        transfer("h2", "h1", "192.168.123.1", 4 << 20);
    });
}

#[test]
fn two_that_claim_one_name() {
    world(|| {
        hosts();
        let server = server(PLAIN);
        let mut first = Raw::host("h1", &request("host-1", ADDRESS, None, None));
        assert_eq!(Raw::connect("h2").ask(&request("host-1", ADDRESS, None, None)), 6);
        server.says("the name host-1 is held by 10.255.0.2");
        let _two = host(2, PLAIN);
        // From the same place more than one may come; each flow keeps to one of them.
        let mut second = Raw::host("h1", &request("host-1", ADDRESS, None, None));
        for sender in [&mut first, &mut second] {
            sender.send(&echo("192.168.123.1", "192.168.123.2"));
        }
        let answers = [&mut first, &mut second]
            .map(|one| u8::from(one.receive(is_reply).is_some() && one.receive(is_reply).is_some()));
        assert_eq!(answers.iter().sum::<u8>(), 1, "{answers:?}");
        // When one goes the flow goes on by the other.
        drop(first);
        eventually("one is left", || (server.remotes("host-1").len() == 1).then_some(()));
        second.send(&echo("192.168.123.1", "192.168.123.2"));
        assert!(second.receive(is_reply).is_some());
        // The same host, known by its number, takes its own place.
        let mut known = request("host-7", [192, 168, 123, 7], None, None);
        known.extend([0xe2, 0, 16].iter().chain(&[7; 16]));
        known[3] += 19;
        let mut before = Raw::host("h1", &known);
        let _after = Raw::host("h1", &known);
        assert!(before.is_closed());
        assert_eq!(server.remotes("host-7").len(), 1);
    });
}

#[test]
fn a_connection_whose_other_end_is_out_of_reach() {
    world(|| {
        hosts();
        let server = server(PLAIN);
        let (one, _two) = (host(1, PLAIN), host(2, PLAIN));
        ping("h1", "192.168.123.2");
        sh("ip link set v2 down");
        server.wait_for_none("host-1");
        one.wait_for_none("up");
        assert!(answers("h2", "192.168.123.2", ""));
        sh("ip link set v2 up");
        one.wait_for("up");
        ping("h2", "192.168.123.1");
    });
}

#[test]
fn packets_are_lost_and_late_on_the_way() {
    world(|| {
        hosts();
        let netem = try_sh("tc qdisc add dev v2 root netem loss 20% delay 100ms");
        if !netem.status.success() {
            return eprintln!("SKIPPED: no netem here: {}", String::from_utf8_lossy(&netem.stderr).trim());
        }
        let server = server(PLAIN);
        let (_one, _two) = (host(1, PLAIN), host(2, PLAIN));
        ping("h1", "192.168.123.2");
        transfer("h1", "h2", "192.168.123.2", 1 << 18);
        assert_eq!(server.remotes("host-2").len(), 1);
    });
}

#[test]
fn packets_that_are_too_large_are_told_of() {
    world(|| {
        hosts();
        lan("h1", "lan1", "192.168.100");
        lan("h2", "lan2", "192.168.200");
        let _server = server(PLAIN);
        let (_one, _two) = (host(1, PLAIN), host(2, PLAIN));
        ping("lan1", "192.168.200.2");
        let out = sh("ip netns exec lan1 ping -c 2 -W 2 -M do -s 1450 192.168.200.2 || true");
        assert!(out.contains("mtu = 1420") || out.contains("mtu=1420"), "{out}");
        datagrams("lan1", "lan2", "192.168.200.2", 4000, 3);
        // Where a packet passes is seen: both routers, and then its end.
        let out = sh("ip netns exec lan1 ping -c 1 -W 2 -t 2 192.168.200.2 || true");
        assert!(out.contains("Time to live exceeded"), "{out}");
    });
}

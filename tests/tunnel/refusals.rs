//! Who may be which host: each refusal, and what gost says and hears.

use super::hosts::*;
use super::raw::{HOST_1, Raw, bytes, listen, receive, request};
use crate::common::eventually;
use crate::router::peer::{echo, is_reply, source, udp};
use crate::router::world::{answers, ping, world};
use std::collections::VecDeque;
use std::io::{Read, Write};

const ONE: [u8; 4] = [192, 168, 123, 1];

#[test]
fn a_client_of_gosts_is_served() {
    world(|| {
        hosts();
        let server = server(PLAIN);
        let mut one = Raw::host("h1", &bytes(HOST_1));
        let _two = host(2, PLAIN);
        one.send(&echo("192.168.123.1", "192.168.123.2"));
        let answer = one.receive(is_reply).expect("host 2 answers");
        assert_eq!(source(&answer).to_string(), "192.168.123.2");
        // A hop less, by the server and by the other host.
        assert!(answer[8] < 64, "{answer:?}");
        assert_eq!(server.wait_for("host-1")["remote"]["encrypted"], false);
        // What it says of others is not believed.
        one.send(&udp("192.168.200.1", "192.168.123.2", 1, 2, b"x"));
        one.send(&udp("192.168.123.2", "192.168.123.2", 1, 2, b"x"));
        server.wait_for_lost("host-1", "spoofed", 2);
        // What goes nowhere is told: unreachable networks and hosts, and the end of a packet's way.
        let told = |one: &mut Raw, kind, code| {
            let is = |p: &[u8]| p[9] == 1 && p[20..22] == [kind, code];
            one.receive(is).unwrap_or_else(|| panic!("no answer {kind} {code}: {:#}", server.statistics()))
        };
        one.send(&udp("192.168.123.1", "203.0.113.1", 1, 2, b"x"));
        told(&mut one, 3, 0);
        let mut last = udp("192.168.123.1", "192.168.123.2", 1, 2, b"x");
        last[8] = 1;
        one.send(&last);
        told(&mut one, 11, 0);
        drop(_two);
        server.wait_for_none("host-2");
        one.send(&udp("192.168.123.1", "192.168.200.7", 1, 2, b"x"));
        told(&mut one, 3, 1);
    });
}

#[test]
fn a_server_of_gosts_is_spoken_to() {
    world(|| {
        hosts();
        let listener = listen("s");
        let mut router = start_host(1, PLAIN);
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        let wanted = bytes(HOST_1);
        let mut said = vec![0; 4];
        stream.read_exact(&mut said).unwrap();
        let length = usize::from(u16::from_be_bytes([said[2], said[3]]));
        said.resize(4 + length, 0);
        stream.read_exact(&mut said[4..]).unwrap();
        // The same, and then what gost passes over.
        assert_eq!((&said[..2], &said[4..wanted.len()]), (&wanted[..2], &wanted[4..]));
        assert!(said[wanted.len()] > 0xe0, "{said:?}");
        stream.write_all(&bytes("0100001703001400112233445566778899aabbccddeeff00000000")).unwrap();
        router.wait_for("up");
        stream.write_all(&super::raw::framed(&echo("192.168.123.2", "192.168.123.1"))).unwrap();
        assert!(receive(&mut stream, is_reply).is_some());
        // One that refuses is asked again.
        drop(stream);
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut said).unwrap();
        stream.write_all(&[1, 6, 0, 0]).unwrap();
        router.says("the router refused: the host's name may not be had");
        router.wait_for_none("up");
        let why = router.statistics()["tunnels"]["uplinks"]["up"]["why"].clone();
        assert!(why.as_str().is_some_and(|why| why.contains("refused")), "{why}");
        let again = listener.accept().unwrap();
        drop(again);
        router.end(nix::sys::signal::Signal::SIGTERM);
    });
}

#[test]
fn nobody_is_let_in_that_the_ingress_rules_do_not_have() {
    world(|| {
        hosts();
        let text = format!(
            "[Router]\n[Tunnel]\nListen = {SERVER}:{PORT}\nPlain = yes\nDefault = {1}\nIngress =\n    host-1 {0}\n    host-2 {1}\n\
             [Table {0}]\nRoute = 192.168.123.1 host-1\n[Table {1}]\nRoute = 192.168.123.2 host-2\n",
            IDS[0], IDS[1]
        );
        let server = Router::start("s", "rs", &text);
        let ask = |name: &str, id| Raw::connect("h1").ask(&request(name, ONE, None, id));
        assert_eq!(ask("host-1", Some(IDS[0])), 0);
        assert_eq!(ask("host-1", Some(IDS[1])), 6);
        assert_eq!(ask("host-1", None), 6);
        assert_eq!(ask("host-3", Some(IDS[0])), 6);
        assert_eq!(ask("host-2", None), 0);
        server.says("the ingress rules keep host host-1 out of table");
        let tunnels = &server.statistics()["tunnels"];
        assert_eq!(tunnels["refusals"], 3, "{tunnels:#}");
        assert!(
            tunnels["refused"][0]["why"].as_str().unwrap().contains("no ingress rule has host host-3"),
            "{tunnels:#}"
        );
        // Nor is who said something else.
        let mut other = Raw::connect("h1");
        assert_eq!(other.ask(&[1, 1, 0, 0]), 1);
        assert!(other.is_closed());
        let mut long = Raw::connect("h1");
        assert_eq!(long.ask(&[1, 3, 0xff, 0xff]), 1);
    });
}

#[test]
fn users_have_passwords_and_their_own_names() {
    world(|| {
        hosts();
        std::fs::write("/run/one", "secret\n").unwrap();
        std::fs::write("/run/two", "other\n").unwrap();
        let clients = "[Client one]\nUser = one\nPasswordFile = /run/one\nHost = host-1\nAddress = 192.168.123.0/24\n\
                       [Client two]\nUser = two\nPasswordFile = /run/two\nHost = host-2, host-1\n";
        let text = |clients: &str| format!("{}{clients}", server_text(PLAIN));
        let mut server = Router::start("s", "rs", &text(clients));
        let ask = |name: &str, user| Raw::connect("h1").ask(&request(name, ONE, user, None));
        assert_eq!(ask("host-1", Some(("one", "secret"))), 0);
        assert_eq!(ask("host-1", Some(("one", "other"))), 2);
        assert_eq!(ask("host-1", None), 2);
        assert_eq!(ask("host-2", Some(("one", "secret"))), 3);
        // Our own client.
        let up = "Plain = yes\nUser = two\nPasswordFile = /run/two";
        let two = host(2, up);
        assert_eq!(server.wait_for("host-2")["remote"]["client"], "two");
        // A name is its first holder's, whoever else may have it.
        let first = Raw::host("h1", &request("host-1", ONE, Some(("one", "secret")), None));
        assert_eq!(ask("host-1", Some(("two", "other"))), 6);
        server.says("the name host-1 is held by client one");
        // The same may come more than once.
        let second = Raw::host("h1", &request("host-1", ONE, Some(("one", "secret")), None));
        assert_eq!(server.remotes("host-1").len(), 2);
        drop((first, second));
        server.wait_for_none("host-1");
        // Who may not be there any more goes, and the others stay.
        let mut one = Raw::host("h1", &request("host-1", ONE, Some(("one", "secret")), None));
        std::fs::write("/run/one", "changed\n").unwrap();
        server.reload(&text(clients));
        assert!(one.is_closed());
        assert_eq!(ask("host-1", Some(("one", "secret"))), 2);
        assert_eq!(server.said().matches("host host-2 at").count() + server.remotes("host-2").len(), 2);
        drop(two);
    });
}

#[test]
fn nobody_stays_who_came_in_while_the_password_changed() {
    world(|| {
        hosts();
        let text = format!("{}[Client one]\nUser = one\nPasswordFile = /run/one\n", server_text(PLAIN));
        std::fs::write("/run/one", "secret\n").unwrap();
        let mut server = Router::start("s", "rs", &text);
        let asked = request("host-1", ONE, Some(("one", "secret")), None);
        // Each knocks until it is refused, and holds on to what it got last.
        let knock = || {
            let mut last = VecDeque::new();
            for _ in 0..2000 {
                let mut raw = Raw::connect("h1");
                match raw.try_ask(&asked) {
                    Some(0) => last.push_back(raw),
                    Some(2) => break,
                    // The name has no more room until the others are known to be gone; or it was let in, and had to go at once.
                    _ => {}
                }
                last.drain(..last.len().saturating_sub(2));
            }
            last
        };
        let held: Vec<Raw> = std::thread::scope(|scope| {
            let knocking: Vec<_> = (0..4).map(|_| scope.spawn(knock)).collect();
            std::thread::sleep(std::time::Duration::from_millis(100));
            std::fs::write("/run/one", "changed\n").unwrap();
            server.reload(&text);
            knocking.into_iter().flat_map(|one| one.join().unwrap()).collect()
        });
        assert!(!held.is_empty());
        for mut one in held {
            assert!(one.is_closed());
        }
        assert_eq!(server.remotes("host-1").len(), 0);
    });
}

#[test]
fn tables_and_their_files_are_read_again() {
    world(|| {
        hosts();
        std::fs::write("/run/routes", "# the first\n192.168.123.1 host-1\n192.168.123.2 host-2 # there\n").unwrap();
        let text = format!(
            "[Router]\n[Tunnel]\nListen = {SERVER}:{PORT}\nPlain = yes\nDefault = all\n[Table all]\nFile = /run/routes\nReload = 1\n"
        );
        let mut server = Router::start("s", "rs", &text);
        let (_one, _two) = (host(1, PLAIN), host(2, PLAIN));
        ping("h1", "192.168.123.2");
        // A mistake, and no file at all, change nothing.
        std::fs::write("/run/routes", "192.168.123.1 host-1\n192.168.123.2/24 host-2\n").unwrap();
        server.says("/run/routes: line 2: `192.168.123.2/24` has bits beyond its prefix length");
        std::fs::remove_file("/run/routes").unwrap();
        server.says("/run/routes: No such file");
        assert!(answers("h1", "192.168.123.2", ""));
        // The network behind a host moves.
        lan("h2", "lan2", "192.168.200");
        std::fs::write("/run/routes", "192.168.123.1 host-1\n192.168.123.2 host-2\n192.168.200.0/24 host-1\n").unwrap();
        server.says("3 routes, read again");
        assert!(!answers("h1", "192.168.200.2", ""));
        std::fs::write(
            "/run/routes",
            "192.168.123.1 host-1\n192.168.123.2 host-2\n192.168.0.0/16 host-1\n192.168.200.0/24 host-2\n",
        )
        .unwrap();
        server.says("4 routes, read again");
        ping("h1", "192.168.200.2");
        // A table that is gone takes its hosts with it; the connection is tried again.
        server.reload(&text.replace("all", "none"));
        eventually("they go and come", || (server.said().matches("is in: host host-1").count() > 1).then_some(()));
        ping("h1", "192.168.200.2");
    });
}

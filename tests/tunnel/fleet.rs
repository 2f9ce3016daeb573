//! Routers that find one another, and what they hold, in Redis.

use super::federation::service;
use super::hosts::*;
use super::raw::{Raw, request};
use super::redis::{is_missing, redis, redis_cli};
use super::tls::{certificate, issuer};
use crate::common::{eventually, sh};
use crate::router::peer::{echo, is_reply};
use crate::router::traffic::transfer;
use crate::router::world::{answers, namespace, ping, program, world};
use nix::sys::signal::Signal;

/// The router of host 1 or 2, whose entry holds for so many seconds, with more of what stands in its file.
fn member(number: u8, expiry: u32, more: &str) -> Router {
    start(number, expiry, PLAIN, PLAIN, more)
}

/// The same, with what its `[Tunnel]` and its `[Registry]` have of TLS.
fn start(number: u8, expiry: u32, server: &str, client: &str, more: &str) -> Router {
    let at = format!("10.255.0.{}:{PORT}", number + 1);
    let text = format!(
        "[Router]\nAddress = 192.168.50.{number}/24\n[Tunnel]\nListen = {at}\n{server}\nDefault = all\n[Table all]\nLocal = yes\n{more}\n\
         [Registry]\nRedis = redis://{SERVER}:6379\nPrefix = test\nAddress = {at}\nHost = branch-{number}\n{client}\n\
         Period = 1\nExpiry = {expiry}\n"
    );
    Router::start(&format!("h{number}"), &format!("r{number}"), &text)
}

/// Both, which have found each other.
fn both(expiry: u32, more: &str) -> (Router, Router) {
    let (one, two) = (member(1, expiry, more), member(2, expiry, more));
    one.wait_for("fleet:branch-2");
    two.wait_for("fleet:branch-1");
    (one, two)
}

fn lost(address: &str) {
    eventually(&format!("{address} is gone"), || (!answers("web", address, "")).then_some(()));
}

#[test]
fn a_service_is_found_at_whichever_router_has_it() {
    world(|| {
        if is_missing() {
            return;
        }
        hosts();
        let _redis = redis();
        let (_one, two) = both(30, "");
        ["web", "app", "moved"].into_iter().for_each(namespace);
        let _web = service("web", 9, 2);
        ping("web", "192.168.50.1");
        let app = service("app", 7, 1);
        ping("web", "192.168.50.7");
        transfer("web", "app", "192.168.50.7", 4 << 20);
        assert!(redis_cli("hgetall test:router:branch-1").contains("address - 192.168.50.7"));
        // Its other router tells where it has gone to, while the first still holds its entry.
        drop(app);
        lost("192.168.50.7");
        let near = service("moved", 7, 2);
        ping("web", "192.168.50.7");
        drop(near);
        sh("ip netns delete moved; ip netns delete app");
        namespace("app");
        let _app = service("app", 7, 1);
        ping("web", "192.168.50.7");
        let told = two.statistics();
        assert_eq!(told["tunnels"]["registry"]["reached"], true, "{told:#}");
        assert_eq!(told["tunnels"]["registry"]["routers"]["branch-1"]["at"], "10.255.0.2:8443", "{told:#}");
        let status = sh(&format!("ip netns exec h2 {} --root /run/root status", program()));
        for part in
            ["registry: reached for", "router branch-1 at 10.255.0.2:8443 holds 2 hosts and addresses", "round trip"]
        {
            assert!(status.contains(part), "no `{part}` in: {status}");
        }
    });
}

#[test]
fn routers_know_each_other_by_certificates() {
    world(|| {
        if is_missing() {
            return;
        }
        hosts();
        let _redis = redis();
        let ours = issuer("/run/ca.pem");
        for name in ["branch-1", "branch-2", "stranger"] {
            let names = [&format!("{name}.example.org"), "fleet.example.org"];
            certificate(&ours, &format!("/run/{name}"), &names, false);
        }
        let with = |number: u8, shows: &str| {
            let other = 3 - number;
            let own = format!("Certificate = /run/{shows}.pem\nKey = /run/{shows}.key");
            let server = format!("{own}\nClientCA = /run/ca.pem");
            let client = format!("{own}\nCA = /run/ca.pem\nServerName = fleet.example.org");
            let more = format!("[Client other]\nCertificate = branch-{other}.example.org\nHost = branch-{other}");
            start(number, 30, &server, &client, &more)
        };
        let (one, mut two) = (with(1, "branch-1"), with(2, "stranger"));
        // One may connect to the other; the other may not, whatever it wrote into Redis.
        one.says("no client has user none with that password and certificate stranger.example.org");
        two.end(Signal::SIGTERM);
        let two = with(2, "branch-2");
        let way = one.wait_for("fleet:branch-2");
        assert_eq!(way["remote"]["encrypted"], true, "{way:#}");
        two.wait_for("fleet:branch-1");
        one.wait_for("branch-2");
        ["web", "app"].into_iter().for_each(namespace);
        let (_web, _app) = (service("web", 9, 2), service("app", 7, 1));
        ping("web", "192.168.50.7");
        transfer("web", "app", "192.168.50.7", 4 << 20);
    });
}

#[test]
fn what_a_router_held_is_gone_soon_after_it() {
    world(|| {
        if is_missing() {
            return;
        }
        hosts();
        let _redis = redis();
        let (mut one, two) = both(4, "");
        ["web", "app"].into_iter().for_each(namespace);
        let (_web, _app) = (service("web", 9, 2), service("app", 7, 1));
        ping("web", "192.168.50.7");
        one.end(Signal::SIGKILL);
        two.says("registry: router branch-1 is gone");
        two.wait_for_none("fleet:branch-1");
        lost("192.168.50.7");
        assert_eq!(redis_cli("exists test:router:branch-1").trim(), "0");
        one.run();
        ping("web", "192.168.50.7");
        // One that is ended says so itself.
        one.end(Signal::SIGTERM);
        assert_eq!(redis_cli("exists test:router:branch-1").trim(), "0");
        assert_eq!(redis_cli("sismember test:routers branch-1").trim(), "0");
        lost("192.168.50.7");
    });
}

#[test]
fn the_register_dies_and_comes_back_with_nothing() {
    world(|| {
        if is_missing() {
            return;
        }
        hosts();
        let mut engine = redis();
        let (_one, two) = both(30, "");
        ["web", "app"].into_iter().for_each(namespace);
        let (_web, _app) = (service("web", 9, 2), service("app", 7, 1));
        ping("web", "192.168.50.7");
        engine.end(Signal::SIGKILL);
        two.says("what 1 routers hold stays until its time is over");
        assert!(answers("web", "192.168.50.7", ""));
        assert_eq!(two.statistics()["tunnels"]["registry"]["reached"], false);
        let engine = redis();
        two.says("registry: it is reached again");
        assert!(answers("web", "192.168.50.7", ""));
        eventually("both have written anew", || (redis_cli("scard test:routers").trim() == "2").then_some(()));
        assert!(!two.said().contains("branch-1 is gone"));
        drop(engine);
    });
}

#[test]
fn without_a_register_entries_hold_until_their_time_is_over() {
    world(|| {
        if is_missing() {
            return;
        }
        hosts();
        let mut engine = redis();
        let (_one, two) = both(3, "");
        ["web", "app"].into_iter().for_each(namespace);
        let (_web, _app) = (service("web", 9, 2), service("app", 7, 1));
        ping("web", "192.168.50.7");
        engine.end(Signal::SIGKILL);
        two.says("registry: router branch-1 is gone");
        lost("192.168.50.7");
        let _engine = redis();
        ping("web", "192.168.50.7");
        // What somebody else writes there is passed over.
        redis_cli("sadd test:routers damaged 'no name'");
        redis_cli("hset test:router:damaged at nowhere");
        two.says("registry: the entry of router damaged is damaged: its address is none");
        two.says("registry: `no name` is no name of a router");
        assert!(answers("web", "192.168.50.7", ""));
    });
}

#[test]
fn hosts_of_a_table_are_found_at_other_routers_and_tables_stay_apart() {
    world(|| {
        if is_missing() {
            return;
        }
        hosts();
        let _redis = redis();
        let route = "Route =\n    192.168.123.1 host-1\n    192.168.123.2 host-2\n";
        let tables = format!("[Table {}]\n{route}[Table {}]\n{route}", IDS[0], IDS[1]);
        let (_one, two) = both(30, &tables);
        let host = |number: u8, id: usize| {
            let mut raw = Raw::connect_to("s", &format!("10.255.0.{}", number + 1));
            assert_eq!(raw.ask(&request(&format!("host-{number}"), [192, 168, 123, number], None, Some(IDS[id]))), 0);
            raw
        };
        let (mut first, mut second, mut other) = (host(1, 0), host(2, 0), host(2, 1));
        two.wait_for(&format!("fleet:branch-1@{}", IDS[0]));
        let is_for_it = |packet: &[u8]| packet[16..20] == [192, 168, 123, 2] && packet[20] == 8;
        eventually("the second has a question", || {
            first.send(&echo("192.168.123.1", "192.168.123.2"));
            second.receive(is_for_it)
        });
        second.send(&echo("192.168.123.2", "192.168.123.1"));
        assert!(first.receive(|packet| packet[12..16] == [192, 168, 123, 2]).is_some());
        assert!(other.receive(|packet| is_for_it(packet) || is_reply(packet)).is_none());
    });
}

//! gost's tutorial "TUN networking based on routing tunnel", with our program in each role.

use super::hosts::*;
use crate::common::sh;
use crate::router::traffic::{datagrams, transfer};
use crate::router::world::{Device, Kind, answers, kind, ping, ping_with, world};
use systemd_netns::model::{ClientSettings, ServerAddress};
use systemd_netns::router::rule::{Action, Chain};
use systemd_netns::router::settings::{DeviceSettings, Listen, Protocol};

const SIZE: usize = 8 << 20;

#[test]
fn two_hosts_and_the_subnets_behind_them() {
    world(|| {
        hosts();
        lan("h1", "lan1", "192.168.100");
        lan("h2", "lan2", "192.168.200");
        let server = server(PLAIN);
        let (_one, _two) = (host(1, PLAIN), host(2, PLAIN));
        ping("h1", "192.168.123.2");
        ping("h2", "192.168.123.1");
        ping("lan1", "192.168.200.2");
        ping("lan2", "192.168.100.2");
        // Nothing need be fragmented that says it may not be, and what may be is.
        ping_with("lan1", "192.168.200.2", "-M dont -s 4000");
        transfer("h1", "h2", "192.168.123.2", SIZE);
        transfer("h2", "h1", "192.168.123.1", SIZE);
        transfer("lan1", "lan2", "192.168.200.2", SIZE);
        transfer("lan2", "lan1", "192.168.100.2", SIZE);
        datagrams("lan1", "lan2", "192.168.200.2", 1300, 20);
        sh("ip netns exec h2 iperf3 -s -D -1 -B 192.168.123.2 >/dev/null; sleep 0.3
            ip netns exec h1 iperf3 -c 192.168.123.2 -t 1 >/run/iperf || { cat /run/iperf; exit 1; }");
        for (name, address) in [("host-1", "192.168.123.1"), ("host-2", "192.168.123.2")] {
            let peer = server.wait_for(name);
            assert_eq!(peer["transport"], "tunnel", "{address}: {peer:#}");
            assert_eq!(peer["remote"]["table"], "router-0");
            assert_eq!(server.lost(name, "queue-full") + server.lost(name, "spoofed"), 0, "{peer:#}");
        }
    });
}

/// The file of a host in a table of the second part: the network of the table, and the host's number there.
fn isolated(host: u8, table: usize) -> String {
    let (net, name) = (123 + table, format!("host-{host}-ns{}", table + 1));
    format!(
        "[Router]\nAddress = 192.168.{net}.{host}/24\n[Uplink up]\nServer = {SERVER}:{PORT}\nPlain = yes\nHost = {name}\nId = {}\n\
         Address = 192.168.{net}.{host}\nRoute = 192.168.{net}.0/24, 10.0.0.0/8\n",
        IDS[table]
    )
}

fn ingress_server() -> Router {
    let table = |at: usize| {
        let net = 123 + at;
        format!(
            "[Table {}]\nRoute =\n    192.168.{net}.1 host-1-ns{n}\n    192.168.{net}.2 host-2-ns{n}\n    10.0.0.0/9 host-1-ns{n}\n    10.128.0.0/9 host-2-ns{n}\n",
            IDS[at],
            n = at + 1
        )
    };
    let rule = |host: u8, at: usize| format!("    host-{host}-ns{} {}\n", at + 1, IDS[at]);
    let rules: String = [rule(1, 0), rule(2, 0), rule(1, 1), rule(2, 1)].concat();
    let text = format!(
        "[Router]\n[Tunnel]\nListen = 0.0.0.0:{PORT}, [::]:{PORT}\nPlain = yes\nIngress =\n{rules}{}{}",
        table(0),
        table(1)
    );
    Router::start("s", "rs", &text)
}

#[test]
fn two_tables_that_know_nothing_of_each_other() {
    world(|| {
        hosts();
        let server = ingress_server();
        let routers: Vec<Router> = [(1, 0), (2, 0), (1, 1), (2, 1)]
            .map(|(host, table)| {
                Router::start(&format!("h{host}"), &format!("r{host}t{table}"), &isolated(host, table))
            })
            .into();
        routers.iter().for_each(|router| drop(router.wait_for("up")));
        ping("h1", "192.168.123.2");
        ping("h1", "192.168.124.2");
        ping("h2", "192.168.123.1");
        ping("h2", "192.168.124.1");
        // The same addresses in both, each at its own host: what is sent by one table's device comes out of that table's.
        for table in [0, 1] {
            let device = format!("r1t{table}");
            let before = packets(&server, &format!("host-2-ns{}", table + 1));
            assert!(!answers("h1", "10.200.0.1", &format!("-I {device}")));
            let after = packets(&server, &format!("host-2-ns{}", table + 1));
            assert!(after > before, "{before} {after}: {:#}", server.statistics());
        }
        // Nobody comes from one to the other by saying its addresses.
        sh("ip -n h1 route add 192.168.124.2 dev r1t0 src 192.168.123.1 table 7
            ip -n h1 rule add from 192.168.123.1 to 192.168.124.2 table 7");
        assert!(!answers("h1", "192.168.124.2", "-I 192.168.123.1"));
    });
}

fn packets(server: &Router, name: &str) -> u64 {
    server.wait_for(name)["counters"]["in_packets"].as_u64().unwrap()
}

/// A device of a namespace, held by a thread of the test as our own program holds it.
fn device(netns: &str, number: u8) -> Device {
    let addresses = [format!("192.168.123.{number}/24"), format!("fd00:123::{number}/64")];
    let addresses: Vec<ipnet::IpNet> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    let client = ClientSettings {
        server: ServerAddress { host: SERVER.into(), port: PORT },
        tls: None,
        host: format!("host-{number}").parse().unwrap(),
        id: None,
        weight: 0,
        addresses: addresses.iter().map(ipnet::IpNet::addr).collect(),
        user: None,
        mtu: 1420,
    };
    let base = kind(Protocol::Tunnel, number);
    let settings = DeviceSettings {
        router: Listen::Tunnel(client.server.clone()),
        addresses,
        mtu: 1420,
        tunnel: Some(Box::new(client)),
        chain_out: Chain { rules: vec!["deny any 192.168.123.66".parse().unwrap()], policy: Action::Allow },
        ..base.settings
    };
    let setup = format!(
        "sysctl -qw net.ipv6.conf.tun0.addr_gen_mode=1
         ip address add 192.168.123.{number}/24 dev tun0; ip address add fd00:123::{number}/64 dev tun0 nodad
         ip link set tun0 mtu 1420 up"
    );
    sh(&format!("ip netns exec {netns} ip tuntap add tun0 mode tun"));
    Device::start_there(netns, Kind { settings, setup })
}

#[test]
fn devices_of_namespaces_are_hosts() {
    world(|| {
        hosts();
        let mut server = server(PLAIN);
        let (one, two) = (device("h1", 1), device("h2", 2));
        one.wait_for_attached(1);
        two.wait_for_attached(1);
        ping("h1", "192.168.123.2");
        transfer("h1", "h2", "192.168.123.2", SIZE);
        transfer("h2", "h1", "192.168.123.1", SIZE);
        // No route of the server's has these: what a host announced is its own.
        ping("h1", "fd00:123::2");
        transfer("h2", "h1", "fd00:123::1", SIZE);
        // Its own rules hold.
        assert!(!answers("h1", "192.168.123.66", ""));
        assert_eq!(server.lost("host-1", "no-route"), 0);
        // The device stays when the router goes.
        server.end(nix::sys::signal::Signal::SIGKILL);
        server.run();
        one.wait_for_attached(2);
        two.wait_for_attached(2);
        transfer("h1", "h2", "192.168.123.2", SIZE);
    });
}

//! Remote hosts in the core, without any I/O.

use super::super::tests::{send, settings, somebody, udp};
use super::super::{Identity, Transport, Verdict};
use super::*;
use crate::router::packet::VnetHeader;
use crate::router::rule::Chain;
use crate::router::samples;
use crate::router::settings::Settings;
use proptest::prelude::*;
use std::collections::HashMap;

const TABLES: [&str; 2] = ["e87f56dd-fd57-4921-9ab8-a0847662daae", "ef502590-c5f4-437e-a81f-fe4083505075"];

fn net(text: &str) -> IpNet {
    text.parse().unwrap_or_else(|_| text.parse::<IpAddr>().unwrap().into())
}

fn routes(list: &[(&str, &str)]) -> Arc<Routes> {
    let gateway = |name: &str| match name.strip_prefix('^') {
        _ if name.starts_with('@') => Gateway::Router(name[1..].parse().unwrap()),
        Some(uplink) => Gateway::Uplink(uplink.parse().unwrap()),
        None if name == "device" => Gateway::Device,
        None => Gateway::Host(name.parse().unwrap()),
    };
    Arc::new(Routes::new(list.iter().map(|(to, name)| (net(to), gateway(name)))).0)
}

fn host(name: &str, table: Option<&str>, announced: &[&str]) -> Introduction {
    Introduction {
        identity: Identity::default(),
        announced: announced.iter().map(|a| a.parse().unwrap()).collect(),
        chains: [Chain::default(), Chain::default()],
        transport: Transport::Tunnel,
        remote: Some(Remote {
            table: table.map(|name| name.parse().unwrap()),
            gateway: Gateway::Host(name.parse().unwrap()),
            weight: 0,
            instance: None,
            holder: format!("client {name}"),
            range: None,
            limits: None,
        }),
    }
}

fn with(mut introduction: Introduction, change: impl FnOnce(&mut Remote)) -> Introduction {
    change(introduction.remote.as_mut().unwrap());
    introduction
}

/// A router whose local peers have the first routes, and with two tables of other routes.
fn switch(local: &[(&str, &str)], one: &[(&str, &str)], two: &[(&str, &str)]) -> Switch {
    let mut switch = Switch::new(Arc::new(settings()));
    let named = |at: usize, list| (Some(TABLES[at].parse().unwrap()), routes(list));
    assert_eq!(switch.set_tables(vec![(None, routes(local)), named(0, one), named(1, two)]), []);
    switch
}

/// The tutorial's first part.
const TUTORIAL: [(&str, &str); 4] = [
    ("192.168.123.1", "host-1"),
    ("192.168.100.0/24", "host-1"),
    ("192.168.123.2", "host-2"),
    ("192.168.200.0/24", "host-2"),
];

#[test]
fn packets_follow_routes_and_come_from_where_routes_lead() {
    let mut switch = switch(&[], &TUTORIAL, &[]);
    let one = switch.join(host("host-1", Some(TABLES[0]), &["192.168.123.1"]), 0).unwrap();
    let gone = |reason| Verdict::Drop(reason);
    assert_eq!(send(&mut switch, one, "192.168.123.1", "192.168.123.2"), gone(Reason::Away));
    let two = switch.join(host("host-2", Some(TABLES[0]), &["192.168.123.2"]), 0).unwrap();
    for (source, destination) in [("192.168.123.1", "192.168.123.2"), ("192.168.100.7", "192.168.200.9")] {
        assert_eq!(send(&mut switch, one, source, destination), Verdict::To(two));
        assert_eq!(send(&mut switch, two, destination, source), Verdict::To(one));
        assert_eq!(send(&mut switch, two, source, destination), gone(Reason::Spoofed));
    }
    assert_eq!(send(&mut switch, one, "192.168.123.1", "192.168.100.1"), gone(Reason::Returned));
    assert_eq!(send(&mut switch, one, "192.168.123.1", "203.0.113.1"), gone(Reason::NoRoute));
    assert_eq!(send(&mut switch, one, "127.0.0.1", "192.168.123.2"), gone(Reason::Source));
    assert_eq!(
        send(&mut switch, one, "fd00::1", "192.168.123.2".replace("192.168.123.2", "fd00::2").as_str()),
        gone(Reason::Spoofed)
    );
    // Nobody is told twice.
    assert_eq!(switch.notices().count(), 3);
}

#[test]
fn tables_know_nothing_of_one_another() {
    let lists = [("10.9.0.1", "a"), ("10.9.0.2", "b")];
    let mut switch = switch(&[("10.9.0.0/16", "a")], &lists, &lists);
    let join = |switch: &mut Switch, name, table| switch.join(host(name, table, &["10.8.0.1"]), 0);
    let ports: Vec<PortId> = [None, Some(TABLES[0]), Some(TABLES[1])]
        .into_iter()
        .flat_map(|table| ["a", "b"].map(|name| (name, table)))
        .map(|(name, table)| join(&mut switch, name, table).unwrap())
        .collect();
    assert_eq!(send(&mut switch, ports[2], "10.9.0.1", "10.9.0.2"), Verdict::To(ports[3]));
    assert_eq!(send(&mut switch, ports[4], "10.9.0.1", "10.9.0.2"), Verdict::To(ports[5]));
    // Each table's first host has the address that both announced.
    assert_eq!(send(&mut switch, ports[3], "10.9.0.2", "10.8.0.1"), Verdict::To(ports[2]));
    assert_eq!(send(&mut switch, ports[5], "10.9.0.2", "10.8.0.1"), Verdict::To(ports[4]));
    // The host's device is in the first; its default route is nobody else's, and its own networks are.
    assert_eq!(send(&mut switch, ports[2], "10.9.0.1", "10.0.0.1"), Verdict::Drop(Reason::NoRoute));
    assert_eq!(send(&mut switch, DEVICE, "10.0.0.1", "10.9.0.2"), Verdict::To(ports[0]));
    assert_eq!(send(&mut switch, ports[0], "10.9.0.1", "10.0.0.1"), Verdict::To(DEVICE));
    let unknown = switch.join(host("a", Some("other"), &[]), 0);
    assert_eq!(unknown, Err(Refusal::NoTable));
}

#[test]
fn local_peers_and_an_uplink_are_one_network() {
    let mut switch = switch(&[("10.0.0.0/24", "device"), ("0.0.0.0/0", "^far")], &[], &[]);
    let local = switch.join(somebody(1, &["10.0.0.2"]), 0).unwrap();
    let far = with(host("far", None, &[]), |remote| remote.gateway = Gateway::Uplink("far".parse().unwrap()));
    let far = switch.join(far, 0).unwrap();
    assert_eq!(send(&mut switch, local, "10.0.0.2", "203.0.113.1"), Verdict::To(far));
    assert_eq!(send(&mut switch, far, "203.0.113.1", "10.0.0.2"), Verdict::To(local));
    // Its own network is the router's, as are its addresses.
    assert_eq!(send(&mut switch, local, "10.0.0.2", "10.0.0.9"), Verdict::To(DEVICE));
    assert_eq!(send(&mut switch, far, "10.0.0.9", "10.0.0.2"), Verdict::Drop(Reason::Spoofed));
    assert_eq!(send(&mut switch, far, "10.0.0.2", "10.0.0.1"), Verdict::Drop(Reason::Taken));
    assert_eq!(send(&mut switch, far, "10.0.0.1", "10.0.0.2"), Verdict::Drop(Reason::Forbidden));
    // A host of the uplink's name is another.
    assert_eq!(switch.join(host("far", None, &[]), 0).map(|port| switch.is_remote(port)), Ok(true));
    assert_eq!(send(&mut switch, DEVICE, "10.0.0.1", "203.0.113.1"), Verdict::To(far));
}

#[test]
fn routers_of_a_fleet_are_reached_both_ways_and_pass_nothing_on() {
    let mut switch = switch(&[("10.1.0.1", "@one"), ("10.2.0.1", "@two"), ("10.0.0.0/24", "device")], &[], &[]);
    let local = switch.join(somebody(1, &["10.0.0.2"]), 0).unwrap();
    let out = with(host("one", None, &[]), |remote| remote.gateway = Gateway::Router("one".parse().unwrap()));
    let out = switch.join(out, 0).unwrap();
    assert_eq!(send(&mut switch, local, "10.0.0.2", "10.1.0.1"), Verdict::To(out));
    // It also connects itself, and either way is as good.
    let into = switch.join(host("one", None, &[]), 0).unwrap();
    for one in [out, into] {
        assert_eq!(send(&mut switch, one, "10.1.0.1", "10.0.0.2"), Verdict::To(local));
        assert_eq!(send(&mut switch, one, "10.2.0.1", "10.0.0.2"), Verdict::Drop(Reason::Spoofed));
    }
    let two = switch.join(host("two", None, &[]), 0).unwrap();
    assert_eq!(send(&mut switch, local, "10.0.0.2", "10.2.0.1"), Verdict::To(two));
    for one in [out, into] {
        assert_eq!(send(&mut switch, one, "10.1.0.1", "10.2.0.1"), Verdict::Drop(Reason::Returned));
    }
    switch.leave(out);
    assert_eq!(send(&mut switch, local, "10.0.0.2", "10.1.0.1"), Verdict::To(into));
    // What it holds has moved here: that counts, whatever the register still says.
    let moved = switch.join(somebody(2, &["10.0.0.3"]), 0).unwrap();
    switch.set_routes(&None, routes(&[("10.0.0.3", "@one"), ("10.2.0.1", "@two")]));
    assert_eq!(send(&mut switch, local, "10.0.0.2", "10.0.0.3"), Verdict::To(moved));
    let comes = switch.join(host("host-9", None, &["10.0.0.4"]), 0).unwrap();
    switch.set_routes(&None, routes(&[("10.0.0.4", "@one"), ("10.2.0.1", "@two")]));
    assert_eq!(send(&mut switch, local, "10.0.0.2", "10.0.0.4"), Verdict::To(comes));
    switch.leave(into);
    assert_eq!(send(&mut switch, local, "10.0.0.2", "10.1.0.1"), Verdict::To(DEVICE));
}

#[test]
fn a_name_is_its_first_holders() {
    let mut switch = switch(&[], &TUTORIAL, &[]);
    let table = Some(TABLES[0]);
    let first = switch.join(host("host-1", table, &[]), 0).unwrap();
    let other = with(host("host-1", table, &[]), |remote| remote.holder = "another".into());
    assert_eq!(switch.join(other.clone(), 0), Err(Refusal::Claimed("host-1".into(), "client host-1".into())));
    // In another table it is free.
    assert!(switch.join(with(other.clone(), |remote| remote.table = Some(TABLES[1].parse().unwrap())), 0).is_ok());
    let peers = switch.peers().count();
    for _ in peers..8 {
        assert!(switch.join(host("host-1", table, &[]), 0).is_ok());
    }
    assert!(matches!(switch.join(host("host-1", table, &[]), 0), Err(Refusal::Full(8))));
    let all: Vec<PortId> = switch.peers().map(|(port, _)| port).collect();
    all.into_iter().for_each(|port| switch.leave(port));
    assert_eq!(switch.join(other, 0), Ok(first).map(|_| PortId(switch.peers().next().unwrap().0.0)));
}

#[test]
fn who_comes_again_takes_its_own_place() {
    let mut switch = switch(&[], &TUTORIAL, &[]);
    let again = with(host("host-1", Some(TABLES[0]), &[]), |remote| remote.instance = Some([1; 16]));
    assert_eq!(switch.replaced_by(&again), None);
    let first = switch.join(again.clone(), 0).unwrap();
    assert_eq!(switch.replaced_by(&again), Some(first));
    for other in [
        with(again.clone(), |remote| remote.instance = Some([2; 16])),
        with(again.clone(), |remote| remote.instance = None),
        with(again.clone(), |remote| remote.holder = "another".into()),
        with(again, |remote| remote.table = None),
    ] {
        assert_eq!(switch.replaced_by(&other), None);
    }
}

#[test]
fn what_is_announced_is_had_where_no_route_says_otherwise() {
    let mut switch = switch(&[], &TUTORIAL, &[]);
    let announced = ["192.168.123.1", "192.168.123.2", "10.7.0.1", "10.7.0.2", "10.7.0.3", "10.7.0.4"];
    let one = switch.join(host("host-1", Some(TABLES[0]), &announced), 0).unwrap();
    let two = switch.join(host("host-2", Some(TABLES[0]), &["10.7.0.1", "10.7.0.9"]), 0).unwrap();
    // As many as there may be, but for those that routes lead to; what is another's by a route, or by having come first, is not had.
    assert_eq!(switch.peer(one).unwrap().addresses().len(), 3);
    assert_eq!(switch.peer(two).unwrap().addresses(), ["10.7.0.9".parse::<IpAddr>().unwrap()]);
    let refused = switch.notices().filter(|notice| matches!(notice, Notice::Refused(..))).count();
    assert_eq!(refused, 3);
    assert_eq!(send(&mut switch, two, "10.7.0.9", "10.7.0.1"), Verdict::To(one));
    // Another connection of the same name has it from then on.
    let next = switch.join(host("host-1", Some(TABLES[0]), &["10.7.0.1"]), 0).unwrap();
    assert_eq!(send(&mut switch, next, "10.7.0.1", "10.7.0.9"), Verdict::To(two));
    switch.leave(one);
    assert_eq!(send(&mut switch, two, "10.7.0.9", "10.7.0.1"), Verdict::To(next));
}

#[test]
fn a_range_bounds_what_is_announced() {
    let mut switch = switch(&[], &[], &[]);
    let range = |range: &[&str]| {
        let range = range.iter().map(|net| net.parse().unwrap()).collect();
        with(host("a", Some(TABLES[0]), &["10.7.0.1", "10.6.0.1"]), |remote| remote.range = Some(range))
    };
    let a = switch.join(range(&["10.7.0.0/16"]), 0).unwrap();
    assert_eq!(switch.peer(a).unwrap().addresses(), ["10.7.0.1".parse::<IpAddr>().unwrap()]);
    // Among local peers it is as for them.
    let b = switch.join(host("b", None, &["10.0.0.7", "10.0.0.1", "10.7.0.1"]), 0).unwrap();
    assert_eq!(switch.peer(b).unwrap().addresses(), ["10.0.0.7".parse::<IpAddr>().unwrap()]);
}

#[test]
fn flows_stay_on_their_connection() {
    let mut switch = switch(&[], &TUTORIAL, &[]);
    let to = switch.join(host("host-2", Some(TABLES[0]), &[]), 0).unwrap();
    let mut join = |weight| switch.join(with(host("host-1", Some(TABLES[0]), &[]), |r| r.weight = weight), 0).unwrap();
    let connectors = [join(0), join(1), join(4)];
    let flow = |switch: &mut Switch, number: u16| {
        let packet = samples::udp_packet("192.168.200.1", "192.168.100.1", (number, 53));
        switch.decide(to, &VnetHeader::default(), &packet, 0)
    };
    let before: Vec<Verdict> = (0..600).map(|number| flow(&mut switch, number)).collect();
    assert_eq!(before, (0..600).map(|number| flow(&mut switch, number)).collect::<Vec<_>>());
    let share = |port| before.iter().filter(|verdict| **verdict == Verdict::To(port)).count();
    let shares = connectors.map(share);
    assert!((50..200).contains(&shares[0]) && (50..200).contains(&shares[1]) && shares[2] > 300, "{shares:?}");
    switch.leave(connectors[0]);
    for (number, before) in before.into_iter().enumerate() {
        let now = flow(&mut switch, number as u16);
        assert!(now == before || before == Verdict::To(connectors[0]) && now != before);
    }
}

#[test]
fn who_is_at_the_end_of_its_way_is_told() {
    let mut switch = switch(&[("10.9.0.0/16", "a")], &TUTORIAL, &[]);
    let one = switch.join(host("host-1", Some(TABLES[0]), &[]), 0).unwrap();
    let two = switch.join(host("host-2", Some(TABLES[0]), &[]), 0).unwrap();
    let ask = |switch: &mut Switch, from, ttl, (source, destination)| {
        let mut packet = udp(source, destination);
        packet[8] = ttl;
        let verdict = switch.decide(from, &VnetHeader::default(), &packet, 0);
        let packet = crate::router::packet::Packet::parse(&packet).unwrap();
        (verdict, switch.back_to(&packet, from))
    };
    let way = ("192.168.123.1", "192.168.123.2");
    assert_eq!(ask(&mut switch, one, 2, way), (Verdict::To(two), Some(one)));
    assert_eq!(ask(&mut switch, one, 1, way), (Verdict::Drop(Reason::Expired), Some(one)));
    let a = switch.join(host("a", None, &[]), 0).unwrap();
    // The kernel counts what goes through it.
    assert_eq!(ask(&mut switch, a, 1, ("10.9.0.1", "10.0.0.1")), (Verdict::To(DEVICE), Some(a)));
    assert_eq!(ask(&mut switch, DEVICE, 1, ("10.0.0.1", "10.9.0.1")), (Verdict::To(a), Some(DEVICE)));
}

#[test]
fn tables_are_swapped_under_who_is_there() {
    let mut switch = switch(&[], &TUTORIAL, &[("10.0.0.0/8", "x")]);
    let one = switch.join(host("host-1", Some(TABLES[0]), &[]), 0).unwrap();
    let two = switch.join(host("host-2", Some(TABLES[0]), &[]), 0).unwrap();
    let x = switch.join(host("x", Some(TABLES[1]), &[]), 0).unwrap();
    let name = |at: usize| Some(TABLES[at].parse().unwrap());
    switch.set_routes(&name(0), routes(&[("192.168.123.2", "host-2"), ("172.16.0.0/12", "host-1")]));
    assert_eq!(send(&mut switch, two, "192.168.123.2", "172.16.0.1"), Verdict::To(one));
    assert_eq!(send(&mut switch, two, "192.168.123.2", "192.168.123.1"), Verdict::Drop(Reason::NoRoute));
    // In another order, with a new one between; then one is gone.
    let other = (Some("other".parse().unwrap()), routes(&[]));
    let kept =
        switch.set_tables(vec![(None, routes(&[])), (name(1), routes(&[])), other, (name(0), routes(&TUTORIAL))]);
    assert_eq!(kept, []);
    assert_eq!(send(&mut switch, two, "192.168.123.2", "192.168.123.1"), Verdict::To(one));
    assert_eq!(switch.set_tables(vec![(None, routes(&[])), (name(0), routes(&TUTORIAL))]), [x]);
    switch.leave(x);
    assert_eq!(switch.domains.len(), 4);
    switch.set_tables(vec![
        (name(0), routes(&[])),
        (name(1), routes(&[])),
        (Some("third".parse().unwrap()), routes(&[])),
    ]);
    assert_eq!(switch.domains.len(), 4);
}

/// `cargo test --release --lib -- --ignored --nocapture exchange_cost` says how long the packets' thread is held up by other routes.
#[test]
#[ignore = "measures"]
fn exchange_cost() {
    let many = Settings { limits: Limits { peers: 2000, ..Limits::default() }, ..settings() };
    let mut switch = Switch::new(Arc::new(many));
    let name: TableName = TABLES[0].parse().unwrap();
    let table = |first: u32| {
        let route = |n: u32| {
            let net = ipnet::Ipv4Net::new_assert((0x0a00_0000 + (n << 8)).into(), 24);
            (net.into(), Gateway::Host(format!("host-{}", (n + first) % 1000).parse().unwrap()))
        };
        Arc::new(Routes::new((0..100_000).map(route)).0)
    };
    switch.set_tables(vec![(None, Arc::default()), (Some(name.clone()), table(0))]);
    for n in 0..1000 {
        switch.join(host(&format!("host-{n}"), Some(TABLES[0]), &[]), 0).unwrap();
    }
    let exchange = |first: u32| {
        let (table, name) = (table(first), Some(name.clone()));
        let began = std::time::Instant::now();
        switch.set_routes(&name, table);
        began.elapsed()
    };
    let mut times: Vec<_> = (1..50).map(exchange).collect();
    times.sort_unstable();
    println!("100,000 routes and 1,000 hosts exchanged in {:?}, at most {:?}", times[25], times[48]);
}

proptest! {
    /// Whatever comes and goes: nothing crosses from one table to another, and nobody is sent what no route of its table, and no claim of
    /// its own, leads to it.
    #[test]
    fn nothing_crosses(steps in prop::collection::vec((0..6_u8, 0..3_usize, 0..3_u8, 0..12_u8, 0..12_u8), 1..150)) {
        let list = [("10.9.0.0/29", "h0"), ("10.9.0.4/30", "h1"), ("10.9.0.5/32", "h2")];
        let mut switch = switch(&list, &list, &list[..2]);
        let lists = [&list[..], &list, &list[..2]];
        let names = [None, Some(TABLES[0]), Some(TABLES[1])];
        let mut homes: HashMap<PortId, (usize, u8)> = HashMap::new();
        for (act, home, number, a, b) in steps {
            let (source, destination) = (format!("10.9.0.{a}"), format!("10.9.0.{b}"));
            match act {
                0 => if let Ok(port) = switch.join(host(&format!("h{number}"), names[home], &[&source]), 0) {
                    homes.insert(port, (home, number));
                },
                1 => if let Some(port) = homes.keys().copied().min() {
                    switch.leave(port);
                    homes.remove(&port);
                },
                _ => for from in homes.keys().copied().collect::<Vec<_>>() {
                    let Verdict::To(to) = send(&mut switch, from, &source, &destination) else { continue };
                    if to == DEVICE {
                        prop_assert_eq!(homes[&from].0, 0);
                        continue;
                    }
                    prop_assert_eq!(homes[&from].0, homes[&to].0);
                    for (port, address) in [(from, &source), (to, &destination)] {
                        let (home, number) = homes[&port];
                        let table = routes(lists[home]);
                        let routed = table.gateway(address.parse().unwrap()).map(ToString::to_string);
                        let claimed = homes.iter().filter(|(_, other)| **other == (home, number)).any(|(other, _)| {
                            switch.peer(*other).unwrap().addresses().contains(&address.parse().unwrap())
                        });
                        prop_assert!(claimed || routed == Some(format!("h{number}")), "{} of {:?}", address, port);
                    }
                },
            }
        }
    }
}

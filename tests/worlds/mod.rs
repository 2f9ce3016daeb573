//! Generated worlds: a host with links of its own, and files that ask for a namespace.
//!
//! NICs are veth ends whose other end is away, so that the same worlds can be made for real. What not every kernel has is put over
//! that by [`layers`].

#![allow(dead_code, reason = "each test crate uses a part of this")]

pub mod layers;
pub mod rules;

use ipnet::IpNet;
use layers::{Features, layers};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};
use systemd_netns::model::{
    Address, Desired, DesiredLink, Kind, Link, LinkName, MacAddr, Netns, NetnsName, NetnsState, Place, Presence,
    Resolv, Route, Rule, RuleAction, Stanza, State, VirtualKind,
};

/// A host and what is asked of it.
#[derive(Debug, Clone)]
pub struct World {
    /// The host before.
    pub host: State,
    /// What the files say.
    pub desired: Desired,
}

impl World {
    /// Drops wishes for links that this host has not got, or that the host's own addresses would clash with.
    pub fn keep_possible(&mut self) {
        let host = &self.host.netns[&Netns::Host];
        self.desired.links.retain(|l| match (&l.link.kind, l.link.master) {
            (None, _) => l.place.link.is_loopback() || host.links.contains_key(&l.place.link),
            (_, Some(master)) if l.place.netns == Netns::Host => host.links.contains_key(&master),
            _ => true,
        });
    }
}

/// The namespace of every world.
pub fn netns() -> NetnsName {
    "law".parse().unwrap()
}

fn inside() -> Netns {
    Netns::Named(netns())
}

fn name(text: &str) -> LinkName {
    text.parse().unwrap()
}

/// A NIC: the near end of a pair.
fn nic(i: usize, mtu: u32, up: bool) -> Link {
    Link {
        kind: Some(Kind::Veth { peer: None }),
        up: Some(up),
        mtu: Some(mtu),
        mac: MacAddr::from_bytes(&[2, 0, 0, 0, 9, i as u8]),
        addrgenmode: Some(0),
        ..Link::default()
    }
}

fn address4(subnet: u8, host: u8, len: u8) -> Address {
    let ip = Ipv4Addr::new(10, 9, subnet, host);
    let local = IpNet::new(ip.into(), len).unwrap();
    let broadcast = match local {
        IpNet::V4(net) if len < 31 => Some(net.broadcast()),
        _ => None,
    };
    Address { broadcast, ..Address::plain(local) }
}

fn address6(subnet: u8, host: u8) -> Address {
    let local = format!("fd09:{subnet:x}::{host:x}/64").parse().unwrap();
    Address { nodad: true, ..Address::plain(local) }
}

fn route4(subnet: u8, i: u8, link: LinkName) -> Route {
    let via = IpAddr::V4(Ipv4Addr::new(10, 9, subnet, 254));
    Route {
        onlink: true,
        ..Route::new(format!("10.{}.{i}.0/24", 100 + subnet).parse().unwrap(), Some(via), Some(link))
    }
}

/// Distinct hosts of a subnet, in any order.
fn addresses(subnet: u8) -> impl Strategy<Value = Vec<Address>> {
    let v4 = prop::sample::subsequence((1u8..8).collect::<Vec<_>>(), 0..4).prop_shuffle();
    let v6 = prop::sample::subsequence((1u8..5).collect::<Vec<_>>(), 0..3);
    (v4, v6, prop::sample::select(vec![24u8, 28, 31, 32])).prop_map(move |(v4, v6, len)| {
        let v4 = v4.into_iter().map(|h| address4(subnet, h, len));
        v4.chain(v6.into_iter().map(|h| address6(subnet, h))).collect()
    })
}

fn stanza(subnet: u8, link: LinkName) -> impl Strategy<Value = Stanza> {
    (addresses(subnet), prop::sample::subsequence((0u8..6).collect::<Vec<_>>(), 0..4), any::<bool>()).prop_map(
        move |(addresses, routes, default)| {
            let mut routes: Vec<Route> = routes.into_iter().map(|i| route4(subnet, i, link)).collect();
            if default {
                let default = Route::new("0.0.0.0/0".parse().unwrap(), Some("10.9.0.254".parse().unwrap()), Some(link));
                routes.push(Route { onlink: true, metric: subnet.into(), ..default });
            }
            // Without an address a link has no IPv4, and the kernel takes no route.
            if !addresses.iter().any(|a| a.local.addr().is_ipv4()) {
                routes.clear();
            }
            Stanza { addresses, routes, ..Stanza::default() }
        },
    )
}

fn desired_link(place: Place, link: Link, stanza: Stanza) -> DesiredLink {
    let stanzas = vec![stanza];
    DesiredLink {
        place,
        link,
        from: None,
        presence: Presence::Required,
        sysctls: Vec::new(),
        wait: None,
        device: None,
        stanzas,
    }
}

fn up() -> Link {
    Link { up: Some(true), ..Link::default() }
}

fn nics() -> impl Strategy<Value = Vec<(LinkName, Link, Vec<Address>)>> {
    let one = |i: usize| {
        (prop::sample::select(vec![1400u32, 1500]), any::<bool>(), addresses(20 + i as u8)).prop_map(
            move |(mtu, up, addresses)| {
                let addresses = if up { addresses } else { Vec::new() };
                (name(&format!("nic{i}")), nic(i, mtu, up), addresses)
            },
        )
    };
    (one(0), one(1), one(2)).prop_map(|(a, b, c)| vec![a, b, c])
}

/// NICs that move in.
fn taken() -> impl Strategy<Value = Vec<DesiredLink>> {
    let one = |i: usize| {
        let link = name(&format!("nic{i}"));
        let mtu = prop::option::of(prop::sample::select(vec![1300u32, 1500]));
        (any::<bool>(), mtu, stanza(i as u8, link)).prop_map(move |(yes, mtu, stanza)| {
            yes.then(|| desired_link(Place::new(inside(), link), Link { mtu, ..up() }, stanza))
        })
    };
    (one(0), one(1), one(2)).prop_map(|(a, b, c)| [a, b, c].into_iter().flatten().collect())
}

/// Pairs with the host, some of them on a bridge there.
fn pairs() -> impl Strategy<Value = Vec<DesiredLink>> {
    let one = |i: u8| {
        let (outer, inner) = (name(&format!("out{i}")), name(&format!("in{i}")));
        (any::<bool>(), any::<bool>(), stanza(40 + i, outer), stanza(60 + i, inner)).prop_map(
            move |(yes, bridged, outside, within)| {
                let (host, ns) = (Place::new(Netns::Host, outer), Place::new(inside(), inner));
                let master = bridged.then(|| name("brx"));
                let host_stanza = if bridged { Stanza::default() } else { outside };
                let host_link = Link { kind: Some(Kind::Veth { peer: Some(ns.clone()) }), master, ..up() };
                let ns_link = Link { kind: Some(Kind::Veth { peer: Some(host.clone()) }), ..up() };
                let both = vec![desired_link(host, host_link, host_stanza), desired_link(ns, ns_link, within)];
                if yes { both } else { Vec::new() }
            },
        )
    };
    (one(0), one(1)).prop_map(|(a, b)| [a, b].concat())
}

fn rules() -> impl Strategy<Value = Vec<(Netns, Rule)>> {
    prop::sample::subsequence((1u32..5).collect::<Vec<_>>(), 0..3).prop_map(|tables| {
        let rule = |table: u32| Rule {
            ipv6: table.is_multiple_of(2),
            priority: 1000 + table,
            from: None,
            to: None,
            iif: Some(LinkName::LO),
            oif: None,
            fwmark: None,
            action: RuleAction::Lookup(table),
        };
        tables.into_iter().map(|t| (inside(), rule(t))).collect()
    })
}

fn host(nics: Vec<(LinkName, Link, Vec<Address>)>) -> State {
    let mut host = NetnsState::default();
    let lo = Link {
        kind: Some(Kind::Loopback),
        up: Some(true),
        mtu: Some(65536),
        mac: MacAddr::from_bytes(&[0; 6]),
        ..Link::default()
    };
    host.links.insert(LinkName::LO, lo);
    let bridge = Link {
        kind: Some(Kind::plain(VirtualKind::Bridge)),
        up: Some(true),
        mtu: Some(1500),
        mac: MacAddr::from_bytes(&[2, 0, 0, 0, 9, 99]),
        ..Link::default()
    };
    host.links.insert(name("brx"), bridge);
    for (i, (nic, link, addresses)) in nics.into_iter().enumerate() {
        if addresses.iter().any(|a| a.local.addr().is_ipv4()) {
            host.routes.push(route4(20 + i as u8, 7, nic));
        }
        if !addresses.is_empty() {
            host.addresses.insert(nic, addresses);
        }
        host.links.insert(nic, link);
    }
    State { netns: [(Netns::Host, host)].into() }
}

/// Any world of what a kernel has.
pub fn world(has: Features) -> impl Strategy<Value = World> {
    (nics(), taken(), pairs(), rules(), layers(has), rules::rules(has.rules)).prop_map(|parts| {
        let (nics, taken, pairs, rules, layers, over) = parts;
        let lo = desired_link(Place::new(inside(), LinkName::LO), up(), Stanza::default());
        let mut links = [vec![lo], taken, pairs].concat();
        layers.over(&mut links);
        let (resolv, scripts) = (Resolv::default(), Stanza::default());
        let (sysctls, optional, uses) = (Vec::new(), [].into(), [].into());
        let (ruleset, table) = (None, None);
        let mut desired =
            Desired { netns: netns(), links, rules, sysctls, optional, ruleset, table, uses, resolv, scripts };
        let mut host = host(nics);
        over.over(host.netns.get_mut(&Netns::Host).unwrap(), &mut desired);
        World { host, desired }
    })
}

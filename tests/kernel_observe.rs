//! The kernel's eyes: what is seen, what is left out, what is counted.

mod common;

use common::kinds::has_vlans;
use common::ops::*;
use common::{in_world, ip_json, sh};
use std::collections::{BTreeMap, BTreeSet};
use systemd_netns::kernel::{Error, Kernel, Observed, Wanted};
use systemd_netns::model::{Kind, LinkName, Netns, Place, Sysctl, VirtualKind};
use systemd_netns::plan::Op;

#[test]
fn routes_are_seen_as_they_were_added() {
    in_world(|| {
        sh(ROUTED);
        let a = inside("a");
        let routes = some_routes();
        let ops: Vec<Op> = routes.iter().map(|r| Op::AddRoute { netns: a.clone(), route: r.clone() }).collect();
        Kernel::new().apply(&ops).unwrap();
        let seen = observe(std::slice::from_ref(&a));
        let seen_routes = &seen.state.netns[&a].routes;
        for route in &routes {
            assert!(seen_routes.contains(route), "{route:?} in {seen_routes:#?}");
        }
        assert_eq!(seen_routes.len(), routes.len(), "{seen_routes:#?}");
        assert_eq!(seen.unmodelled, 0);
        let gone: Vec<Op> = routes.into_iter().map(|route| Op::DeleteRoute { netns: a.clone(), route }).collect();
        Kernel::new().apply(&gone).unwrap();
        assert_eq!(observe(std::slice::from_ref(&a)).state.netns[&a].routes, []);
    });
}

#[test]
fn what_the_kernel_makes_is_not_seen_and_what_has_no_words_is_counted() {
    in_world(|| {
        sh(ROUTED);
        sh("ip -n a route add 10.9.0.0/16 nexthop via 192.0.2.2 dev eth0 nexthop via 192.0.2.3 dev eth0
            ip -n a route add 10.8.0.0/16 tos 0x10 via 192.0.2.2
            ip -n a -6 route add 2001:db8:9::/48 nexthop via 2001:db8::2 dev eth0 nexthop via 2001:db8::3 dev eth0
            ip -n a rule add priority 100 ipproto tcp lookup 7; ip -n a rule add priority 101 not from 10.0.0.0/8 lookup 7
            ip -n a address add 192.0.2.77/24 dev eth0 valid_lft 1000 preferred_lft 500");
        let a = inside("a");
        let seen = observe(std::slice::from_ref(&a));
        assert_eq!(seen.unmodelled, 4);
        let state = &seen.state.netns[&a];
        assert_eq!(state.routes.len(), 2, "{:#?}", state.routes);
        assert!(state.rules.is_empty());
        assert_eq!(state.addresses_of(LinkName::LO), []);
        assert_eq!(state.addresses_of(link("eth0")).len(), 2, "{:#?}", state.addresses);
    });
}

#[test]
fn settings_are_those_of_the_namespace() {
    in_world(|| {
        sh("ip netns add a; ip link add link0 type veth peer name eth0.7 netns a");
        let a = inside("a");
        let forwarding = Sysctl::ipv4(link("all"), "forwarding");
        let accept_ra = Sysctl::ipv6(link("eth0.7"), "accept_ra");
        let nothing = Sysctl::ipv6(link("eth9"), "accept_ra");
        let set = |key: &Sysctl, value: &str| Op::SetSysctl {
            netns: a.clone(),
            key: key.clone(),
            value: value.to_owned(),
            optional: false,
        };
        let ops = [set(&forwarding, "1"), set(&accept_ra, "0"), set(&nothing, "0"), set(&accept_ra, "2")];
        let failure = Kernel::new().apply(&ops).unwrap_err();
        assert_eq!((failure.index, &failure.error), (2, &Error::NoSetting(nothing.clone())));
        assert_eq!(failure.to_string(), "the kernel has no setting net/ipv6/conf/eth9/accept_ra");
        let keys = BTreeSet::from([forwarding.clone(), accept_ra.clone(), nothing]);
        let wanted = Wanted {
            netns: BTreeSet::from([a.clone(), Netns::Host]),
            sysctls: BTreeMap::from([(a.clone(), keys.clone()), (Netns::Host, keys)]),
            ..Wanted::default()
        };
        let seen = Kernel::new().observe(&wanted).unwrap().state;
        let values = BTreeMap::from([(forwarding.clone(), "1".to_owned()), (accept_ra, "0".to_owned())]);
        assert_eq!(seen.netns[&a].sysctls, values);
        assert_eq!(seen.netns[&Netns::Host].sysctls, BTreeMap::from([(forwarding, "0".to_owned())]));
        assert_eq!(Kernel::new().apply_all(&ops).len(), 1);
        let again = sh("ip netns exec a cat /proc/sys/net/ipv6/conf/eth0.7/accept_ra");
        assert_eq!(again, "2\n");
    });
}

#[test]
fn of_a_busy_host_only_the_routes_of_some_links_are_seen() {
    in_world(|| {
        sh("ip link add a0 type veth peer name a1; ip link add b0 type veth peer name b1
            for l in a0 a1 b0 b1; do ip link set $l up; done
            ip route add 10.0.0.0/8 dev a0; ip route add 11.0.0.0/8 dev b0; ip -6 route add 2001:db8::/32 dev a0
            ip route add blackhole 12.0.0.0/8; ip route add 13.0.0.0/8 nexthop dev b0 nexthop dev b1");
        let mut wanted = Wanted { netns: BTreeSet::from([Netns::Host]), ..Wanted::default() };
        let all = Kernel::new().observe(&wanted).unwrap();
        assert_eq!((all.state.netns[&Netns::Host].routes.len(), all.unmodelled), (4, 1));
        wanted.host_links = Some(BTreeSet::from([link("a0"), link("a1"), link("gone")]));
        let some = Kernel::new().observe(&wanted).unwrap();
        let destinations: Vec<String> =
            some.state.netns[&Netns::Host].routes.iter().map(|route| route.to.to_string()).collect();
        assert_eq!((destinations.join(" "), some.unmodelled), ("10.0.0.0/8 2001:db8::/32".to_owned(), 0));
    });
}

#[test]
fn links_are_seen_with_what_they_stand_on() {
    in_world(|| {
        sh("ip netns add a; ip netns add b; ip netns add c
            ip link add br0 type bridge; ip link add l0 type veth peer name e0 netns a; ip link set l0 master br0
            ip -n a link add x type veth peer name y netns b; ip link add l1 type veth peer name e1 netns c
            ip -n a link add same0 type veth peer name same1; ip link set l0 alias 'some text' up");
        let seen = observe(&[Netns::Host, inside("a"), inside("b"), inside("none")]);
        let (a, b) = (inside("a"), inside("b"));
        let kind = |place: &Place| seen.state.link(place).unwrap().kind.clone().unwrap();
        let pair = |place: Place| Kind::Veth { peer: Some(place) };
        assert_eq!(kind(&host("l0")), pair(at(&a, "e0")));
        assert_eq!(kind(&at(&a, "e0")), pair(host("l0")));
        assert_eq!(kind(&at(&a, "x")), pair(at(&b, "y")));
        assert_eq!(kind(&at(&b, "y")), pair(at(&a, "x")));
        assert_eq!(kind(&at(&a, "same0")), pair(at(&a, "same1")));
        assert_eq!(kind(&host("l1")), Kind::Veth { peer: None });
        assert_eq!(kind(&host("lo")), Kind::Loopback);
        assert!(kind(&host("br0")).satisfies(&Kind::plain(VirtualKind::Bridge)));
        let l0 = seen.state.link(&host("l0")).unwrap();
        assert_eq!((l0.master, l0.up, l0.alias.as_deref()), (Some(link("br0")), Some(true), Some("some text")));
        assert!(!seen.state.netns.contains_key(&inside("none")));
        let index = ip_json("-n a link show dev e0")[0]["ifindex"].as_u64();
        assert_eq!(seen.indexes.get(&at(&a, "e0")).map(|index| u64::from(*index)), index);
    });
}

/// What is seen of the host with these links spoken of and those names besides.
fn glance(links: &[&str], names: &[&str], netns: &[Netns]) -> Observed {
    let set = |names: &[&str]| Some(names.iter().map(|name| link(name)).collect());
    let netns = netns.iter().cloned().chain([Netns::Host]).collect();
    let wanted = Wanted { netns, host_links: set(links), host_names: set(names), ..Wanted::default() };
    Kernel::new().observe(&wanted).unwrap()
}

fn names_of(seen: &Observed) -> Vec<&str> {
    seen.state.netns[&Netns::Host].links.keys().map(LinkName::as_str).collect()
}

#[test]
fn of_a_host_with_many_links_those_that_are_named_are_seen() {
    in_world(|| {
        sh("ip netns add a; for n in 0 1 2 3; do ip link add p$n type veth peer name q$n; done
            ip link add n0 type veth peer name n1 netns a; ip link property add dev p3 altname other
            for l in p0 q0 p1 q1 n0; do ip link set $l up; done; ip -n a link set n1 up
            ip address add 192.0.2.1/24 dev p0; ip -6 address add 2001:db8::1/64 dev p0 nodad
            ip route add 10.0.0.0/8 dev p0; ip -6 route add 2001:db8:1::/48 dev p0; ip route add 11.0.0.0/8 dev p1");
        let a = inside("a");
        let all = observe(&[Netns::Host, a.clone()]);
        let some = glance(&["p0", "n0", "none"], &["p1", "other"], std::slice::from_ref(&a));
        // With the other ends of pairs, and the link that has the name as its second.
        assert_eq!(names_of(&some), ["n0", "p0", "p1", "p3", "q0", "q1", "q3"]);
        assert_part(&some, &all);
        assert_eq!(some.state.netns[&Netns::Host].addresses_of(link("p0")).len(), 2);
        assert_eq!(destinations(&some), ["10.0.0.0/8", "2001:db8:1::/48"]);
        assert_eq!(some.state.netns[&a], all.state.netns[&a]);
    });
}

#[test]
fn a_vlan_is_seen_with_all_that_is_below_it() {
    if !has_vlans() {
        return;
    }
    in_world(|| {
        sh("ip netns add a; for n in 0 1; do ip link add p$n type veth peer name q$n; done
            ip link add link p0 name p0.7 type vlan id 7; ip link add link p0.7 name p0.7.8 type vlan id 8
            ip link add link p0.7 name inside type vlan id 9; ip link set inside netns a
            for l in p0 q0 p0.7 p0.7.8; do ip link set $l up; done
            ip address add 192.0.2.1/24 dev p0.7.8; ip route add 10.0.0.0/8 dev p0.7.8; ip route add 11.0.0.0/8 dev p0.7");
        let a = inside("a");
        let all = observe(&[Netns::Host, a.clone()]);
        let some = glance(&["p0.7.8"], &[], std::slice::from_ref(&a));
        assert_eq!(names_of(&some), ["p0", "p0.7", "p0.7.8", "q0"]);
        assert_part(&some, &all);
        assert_eq!(destinations(&some), ["10.0.0.0/8"]);
        assert_eq!(some.state.netns[&a], all.state.netns[&a]);
        assert_eq!(names_of(&glance(&["q1"], &[], &[a])), names_of(&all), "what stands on the host's p0.7 is inside");
    });
}

/// Whether what is seen of links of the host is what is seen of them among all others.
#[track_caller]
fn assert_part(some: &Observed, all: &Observed) {
    let (whole, part) = (&all.state.netns[&Netns::Host], &some.state.netns[&Netns::Host]);
    for (name, link) in &part.links {
        assert_eq!(Some(link), whole.links.get(name), "{name}");
        assert_eq!(whole.addresses_of(*name), part.addresses_of(*name));
        assert_eq!(some.indexes.get(&host(name.as_str())), all.indexes.get(&host(name.as_str())));
    }
}

fn destinations(seen: &Observed) -> Vec<String> {
    seen.state.netns[&Netns::Host].routes.iter().map(|route| route.to.to_string()).collect()
}

#[test]
fn all_links_of_the_host_are_seen_where_others_matter() {
    in_world(|| {
        sh("ip netns add a; ip link add br0 type bridge; ip link add alone type veth peer name other netns a
            for n in 0 1 2; do ip link add p$n type veth peer name q$n; ip link set p$n up; ip link set q$n up; done
            ip link set p2 master br0; ip link add n0 type veth peer name n1 netns a
            ip -6 address add 2001:db8::1/64 dev p0 nodad; ip -6 address add 2001:db8:2::1/64 dev p1 nodad
            ip -6 route add 2001:db8:9::/48 nexthop via 2001:db8::2 dev p0 nexthop via 2001:db8:2::2 dev p1");
        // With those of tunnels, where the kernel has any.
        let all = names_of(&observe(&[Netns::Host])).len();
        let named = |links: &[&str]| names_of(&glance(links, &[], &[])).len();
        assert_eq!(named(&["alone"]), 1);
        assert_eq!(named(&["q2"]), all, "the other end is a port");
        assert_eq!(named(&["p2"]), all, "a port");
        assert_eq!(named(&["br0"]), all, "a master");
        assert_eq!(named(&["p0"]), all, "a route goes by another link, too");
        let routes = glance(&["p0"], &[], &[]).state.netns[&Netns::Host].routes.clone();
        assert_eq!(routes.len(), 2, "{routes:?}");
        let a = [inside("a")];
        assert_eq!(names_of(&glance(&["alone"], &["n0"], &a)), ["alone", "n0"]);
        let seen = glance(&["alone"], &[], &a);
        assert_eq!(names_of(&seen).len(), all, "a link inside is tied to one that was not named");
        assert_eq!(seen.state.link(&at(&a[0], "n1")).unwrap().kind, Some(Kind::Veth { peer: Some(host("n0")) }));
    });
}

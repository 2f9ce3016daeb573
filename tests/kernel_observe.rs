//! The kernel's eyes: what is seen, what is left out, what is counted.

mod common;

use common::ops::*;
use common::{in_world, ip_json, sh};
use std::collections::{BTreeMap, BTreeSet};
use systemd_netns::kernel::{Error, Kernel, Wanted};
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

//! Law 3, *text = deed*: for each kind of operation the printed command and the request leave the same.

mod common;

use common::deed::text_is_deed;
use common::kinds::made_of;
use common::ops::*;
use common::{in_world, sh};
use std::collections::BTreeSet;
use systemd_netns::kernel::Kernel;
use systemd_netns::model::{Address, Kind, Netns, Route, Rule, RuleAction, Scope, VirtualKind};
use systemd_netns::plan::{LinkSetting, Op};

#[test]
fn links_are_made_set_and_deleted_as_the_text_says() {
    let (a, br, port) = (inside("a"), host("br0"), host("link0"));
    let inner = at(&a, "eth0");
    let mut ops = vec![
        Op::AddNetns(name("a")),
        Op::AddLink { place: br.clone(), kind: Kind::plain(VirtualKind::Bridge) },
        veth(inner.clone(), port.clone()),
        veth(host("p0"), host("p1")),
        set(&port, LinkSetting::Mac("02:00:00:00:00:01".parse().unwrap())),
        set(&inner, LinkSetting::Mac("02:00:00:00:00:02".parse().unwrap())),
        set(&port, LinkSetting::Master(Some(link("br0")))),
        set(&port, LinkSetting::Mtu(1400)),
        set(&port, LinkSetting::Alias("to the service's side".into())),
        set(&inner, LinkSetting::AddAltname("a-rather-long-alternative-name".into())),
        set(&inner, LinkSetting::AddAltname("second".into())),
        set(&br, LinkSetting::Up(true)),
        set(&port, LinkSetting::Up(true)),
        set(&at(&a, "lo"), LinkSetting::Up(true)),
        set(&inner, LinkSetting::Up(true)),
    ];
    text_is_deed("", &ops);
    ops.extend([
        set(&port, LinkSetting::Master(None)),
        set(&port, LinkSetting::Alias(String::new())),
        set(&port, LinkSetting::Up(false)),
        set(&inner, LinkSetting::DeleteAltname("second".into())),
        Op::DeleteLink(host("p1")),
        Op::DeleteLink(br),
    ]);
    text_is_deed("", &ops);
    ops.extend([Op::DeleteLink(inner), Op::DeleteNetns(name("a"))]);
    text_is_deed("", &ops);
}

#[test]
fn a_link_that_commands_may_have_made_is_made_or_gets_the_options() {
    let Kind::Virtual(own) = made_of(VirtualKind::Bridge, None, "ageing_time 5000, stp_state 1") else {
        unreachable!()
    };
    let ops = [Op::EnsureLink { place: host("br0"), own }];
    text_is_deed("", &ops);
    text_is_deed("ip link add br0 type bridge", &ops);
    in_world(|| {
        sh("ip link add br0 type bridge");
        Kernel::new().apply(&ops).unwrap();
        assert!(sh("ip -d link show br0").contains("ageing_time 5000"));
        sh("ip link delete br0; ip link add br0 type veth peer name p0");
        Kernel::new().apply(&ops).unwrap_err();
    });
}

#[test]
fn links_move_and_come_back_as_the_text_says() {
    let setup = "ip link add p0 type veth peer name p1; ip link set p0 up mtu 1300 address 02:00:00:00:00:07
        ip link property add dev p0 altname first altname second; ip link set p1 address 02:00:00:00:00:08
        ip netns add a; ip netns add b";
    let (a, b) = (inside("a"), inside("b"));
    let there =
        [Op::MoveLink { from: host("p0"), to: at(&a, "eth0") }, Op::MoveLink { from: host("p1"), to: at(&b, "p1") }];
    text_is_deed(setup, &there);
    let back = [
        Op::MoveLink { from: at(&a, "eth0"), to: at(&b, "eth5") },
        Op::MoveLink { from: at(&b, "eth5"), to: host("p0") },
        Op::MoveLink { from: at(&b, "p1"), to: host("p1") },
    ];
    text_is_deed(setup, &[&there[..], &back[..]].concat());
    in_world(|| {
        sh(setup);
        let before = observe(&[Netns::Host]).state;
        apply(&there);
        let away = observe(&[Netns::Host, a.clone(), b.clone()]).state;
        let eth0 = away.link(&at(&a, "eth0")).unwrap();
        assert_eq!(eth0.mtu, Some(1300));
        assert_eq!(eth0.altnames, BTreeSet::from(["first".to_owned(), "second".to_owned()]));
        assert_eq!(eth0.kind, Some(Kind::Veth { peer: Some(at(&b, "p1")) }));
        apply(&back);
        apply(&[set(&host("p0"), LinkSetting::Up(true))]);
        assert_eq!(observe(&[Netns::Host]).state, before);
    });
}

#[test]
fn addresses_are_added_changed_and_deleted_as_the_text_says() {
    let (a, eth0) = (inside("a"), at(&inside("a"), "eth0"));
    let setup = "ip netns add a; ip link add link0 type veth peer name eth0 netns a; ip link set link0 up
        ip -n a link set eth0 up";
    let plain = |text: &str| Address::plain(text.parse().unwrap());
    let peer = |text: &str, far: &str| Address { peer: Some(far.parse().unwrap()), ..plain(text) };
    let all = [
        plain("192.0.2.1/24"),
        plain("192.0.2.2/24"),
        Address { broadcast: Some("198.51.100.255".parse().unwrap()), ..plain("198.51.100.1/24") },
        Address { label: Some("eth0:1".into()), scope: Scope::LINK, ..plain("203.0.113.1/32") },
        peer("10.0.0.1/32", "10.0.0.2"),
        peer("10.0.1.1/24", "10.0.1.2"),
        plain("2001:db8::1/64"),
        Address { nodad: true, ..plain("2001:db8::2/64") },
        Address { preferred_lifetime: Some(0), ..plain("2001:db8::3/64") },
        Address { preferred_lifetime: Some(0), ..plain("192.0.2.9/24") },
        Address { preferred_lifetime: Some(3600), ..plain("2001:db8::4/64") },
        Address { nodad: true, ..peer("2001:db8:1::1/128", "2001:db8:1::2") },
        Address { nodad: true, scope: Scope::LINK, ..plain("fe80::1/64") },
    ];
    let add = all.clone().map(|address| Op::AddAddress { place: eth0.clone(), address });
    let mut ops = add.to_vec();
    text_is_deed(setup, &ops);
    in_world(|| {
        sh(setup);
        Kernel::new().apply(&ops).unwrap();
        let seen = observe(std::slice::from_ref(&a)).state;
        let seen = seen.netns[&a].addresses_of(eth0.link);
        assert_eq!(seen.len(), all.len(), "{seen:#?}");
        for wanted in &all {
            assert!(seen.iter().any(|address| address.satisfies(wanted)), "{wanted:?} in {seen:#?}");
        }
    });
    let changes = [
        plain("192.0.2.9/24"),
        Address { preferred_lifetime: Some(0), ..plain("192.0.2.1/24") },
        plain("2001:db8::3/64"),
        Address { preferred_lifetime: Some(0), ..plain("2001:db8::4/64") },
    ];
    ops.extend(changes.map(|address| Op::ChangeAddress { place: eth0.clone(), address }));
    ops.extend([1, 3, 5, 7, 11].map(|n: usize| Op::DeleteAddress { place: eth0.clone(), address: all[n].clone() }));
    text_is_deed(setup, &ops);
}

#[test]
fn routes_are_added_replaced_and_deleted_as_the_text_says() {
    let a = inside("a");
    let routes = some_routes();
    let mut ops: Vec<Op> = routes.iter().map(|r| Op::AddRoute { netns: a.clone(), route: r.clone() }).collect();
    text_is_deed(ROUTED, &ops);
    let replaced = [Route { via: Some("192.0.2.250".parse().unwrap()), ..routes[0].clone() }];
    ops.extend(replaced.map(|route| Op::ReplaceRoute { netns: a.clone(), route }));
    let other = Route { via: Some("2001:db8::9".parse().unwrap()), ..routes[14].clone() };
    ops.push(Op::ReplaceRoute { netns: a.clone(), route: other });
    text_is_deed(ROUTED, &ops);
    ops.extend(routes[1..14].iter().map(|r| Op::DeleteRoute { netns: a.clone(), route: r.clone() }));
    ops.extend(routes[15..].iter().map(|r| Op::DeleteRoute { netns: a.clone(), route: r.clone() }));
    text_is_deed(ROUTED, &ops);
}

#[test]
fn rules_are_added_and_deleted_as_the_text_says() {
    let a = inside("a");
    let rule = |priority, ipv6| Rule {
        ipv6,
        priority,
        from: None,
        to: None,
        iif: None,
        oif: None,
        fwmark: None,
        action: RuleAction::Lookup(100),
    };
    let rules = [
        Rule { from: Some("192.0.2.0/24".parse().unwrap()), ..rule(10, false) },
        Rule { to: Some("192.0.2.7/32".parse().unwrap()), iif: Some(link("eth0")), ..rule(11, false) },
        Rule { fwmark: Some((1, 0xff)), ..rule(12, false) },
        Rule { oif: Some(link("eth0")), action: RuleAction::Lookup(70_000), ..rule(13, false) },
        Rule { action: RuleAction::Unreachable, ..rule(14, false) },
        Rule { from: Some("2001:db8::/32".parse().unwrap()), ..rule(10, true) },
        Rule { fwmark: Some((0x10, u32::MAX)), action: RuleAction::Prohibit, ..rule(20, true) },
        Rule { action: RuleAction::Blackhole, ..rule(21, true) },
    ];
    let add = rules.clone().map(|rule| Op::AddRule { netns: a.clone(), rule });
    text_is_deed("ip netns add a", &add);
    let delete = rules.clone().map(|rule| Op::DeleteRule { netns: a.clone(), rule });
    text_is_deed("ip netns add a", &[&add[..], &delete[3..6]].concat());
    in_world(|| {
        sh("ip netns add a");
        Kernel::new().apply(&add).unwrap();
        assert_eq!(observe(std::slice::from_ref(&a)).state.netns[&a].rules, rules);
        Kernel::new().apply(&delete).unwrap();
        assert_eq!(observe(std::slice::from_ref(&a)).state.netns[&a].rules, []);
    });
}

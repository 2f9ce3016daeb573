//! The kernel's hands and eyes, in worlds of their own.

mod common;

use common::{dumps, eventually, in_world, ip_json, sh, try_sh};
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use systemd_netns::kernel::{Error, Kernel, Namespace, Wanted, netns};
use systemd_netns::model::{
    Address, Kind, LinkName, Netns, NetnsName, Place, Route, RouteKind, Rule, RuleAction, Scope, State, Sysctl,
    VlanProtocol,
};
use systemd_netns::plan::{LinkSetting, Op};

fn link(name: &str) -> LinkName {
    name.parse().unwrap()
}

fn name(name: &str) -> NetnsName {
    name.parse().unwrap()
}

fn inside(name: &str) -> Netns {
    Netns::Named(name.parse().unwrap())
}

fn at(netns: &Netns, name: &str) -> Place {
    Place::new(netns.clone(), link(name))
}

fn host(name: &str) -> Place {
    at(&Netns::Host, name)
}

fn veth(here: Place, there: Place) -> Op {
    Op::AddLink { place: here, kind: Kind::Veth { peer: Some(there) } }
}

fn set(place: &Place, set: LinkSetting) -> Op {
    Op::SetLink { place: place.clone(), set }
}

fn add_address(place: &Place, address: &str) -> Op {
    Op::AddAddress { place: place.clone(), address: Address::plain(address.parse().unwrap()) }
}

fn add_route(netns: &Netns, to: &str, via: Option<&str>, dev: Option<&str>) -> Op {
    let route = Route::new(to.parse().unwrap(), via.map(|ip| ip.parse().unwrap()), dev.map(link));
    Op::AddRoute { netns: netns.clone(), route }
}

fn apply(ops: &[Op]) {
    for (index, op) in ops.iter().enumerate() {
        Kernel::new().apply(&[op]).unwrap_or_else(|failure| panic!("{index}: {op}: {failure}"));
    }
}

fn observe(namespaces: &[Netns]) -> systemd_netns::kernel::Observed {
    let wanted = Wanted { netns: namespaces.iter().cloned().collect(), ..Wanted::default() };
    Kernel::new().observe(&wanted).unwrap()
}

/// The state that `ip` and this program agree to be equal.
fn shown() -> Vec<(String, serde_json::Value)> {
    let names = netns::list().unwrap();
    dumps(&names.iter().map(NetnsName::as_str).collect::<Vec<_>>())
}

/// Law 3: the printed text and the deed leave the same.
#[track_caller]
fn text_is_deed(setup: &str, ops: &[Op]) {
    let text: Vec<String> = ops.iter().map(Op::to_string).collect();
    let by_text = in_world(|| {
        sh(setup);
        sh(&text.join("\n"));
        std::thread::sleep(Duration::from_millis(50));
        shown()
    });
    let by_deed = in_world(|| {
        sh(setup);
        // In one run and one conversation, as a plan is applied.
        Kernel::new().apply(ops).unwrap_or_else(|failure| panic!("{}: {failure}", ops[failure.index]));
        let Some(wanted) = &by_text else { return };
        let mut last = Vec::new();
        for _ in 0..100 {
            last = shown();
            if last == *wanted {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        for ((table, text), (_, deed)) in wanted.iter().zip(&last) {
            assert_eq!(format!("{text:#}"), format!("{deed:#}"), "ip {table}\nafter\n{}", ops_text(ops));
        }
        assert_eq!(wanted.len(), last.len());
    });
    assert_eq!(by_text.is_some(), by_deed.is_some());
}

fn ops_text(ops: &[Op]) -> String {
    ops.iter().map(|op| format!("{op}\n")).collect()
}

#[test]
fn namespaces_are_made_and_deleted_side_by_side_with_ip_netns() {
    in_world(|| {
        let made = netns::create(&name("ours")).unwrap();
        sh("ip netns add theirs");
        assert_eq!(sh("ip netns list | sort | cut -d' ' -f1"), "ours\ntheirs\n");
        assert_eq!(netns::list().unwrap(), [name("ours"), name("theirs")]);
        assert_eq!(Namespace::named(&name("ours")).unwrap().identity(), made.identity());
        assert_eq!(sh("ip -n ours -o link | wc -l").trim(), "1");
        assert!(matches!(netns::create(&name("theirs")), Err(Error::NetnsExists(_))));
        assert_eq!(sh("grep -c ' /run/netns ' /proc/self/mountinfo").trim(), "1");
        assert!(sh("grep ' /run/netns ' /proc/self/mountinfo").contains("shared:"));
        sh("ip netns delete ours");
        netns::delete(&name("theirs")).unwrap();
        assert_eq!(netns::list().unwrap(), []);
        assert_eq!(sh("ls /run/netns"), "");
        assert!(matches!(netns::delete(&name("theirs")), Err(Error::NoNetns(_))));
    });
}

#[test]
fn making_a_namespace_leaves_the_caller_where_it_is() {
    in_world(|| {
        let before = Namespace::own().unwrap().identity();
        let made = netns::create(&name("a")).unwrap();
        assert_eq!(Namespace::own().unwrap().identity(), before);
        let seen = made.within(|| Namespace::own().unwrap().identity()).unwrap();
        assert_eq!(seen, made.identity());
        assert_ne!(seen, before);
        assert_eq!(Namespace::own().unwrap().identity(), before);
    });
}

#[test]
fn a_half_made_namespace_counts_as_none_and_can_be_deleted() {
    in_world(|| {
        netns::create(&name("whole")).unwrap();
        std::fs::write("/run/netns/half", "").unwrap();
        assert!(!netns::is_mounted(&name("half")));
        assert!(netns::is_mounted(&name("whole")));
        assert_eq!(netns::list().unwrap(), [name("whole")]);
        assert!(matches!(Namespace::named(&name("half")), Err(Error::NoNetns(_))));
        assert_eq!(observe(&[inside("half")]).state, State::default());
        netns::delete(&name("half")).unwrap();
        assert!(!std::path::Path::new("/run/netns/half").exists());
    });
}

#[test]
fn many_at_once_make_one_mount_and_one_namespace_each() {
    in_world(|| {
        std::thread::scope(|scope| {
            for number in 0..8 {
                scope.spawn(move || netns::create(&name(&format!("n{number}"))).unwrap());
            }
        });
        assert_eq!(netns::list().unwrap().len(), 8);
        assert_eq!(sh("grep -c ' /run/netns ' /proc/self/mountinfo").trim(), "1");
    });
}

#[test]
fn the_processes_inside_are_found() {
    in_world(|| {
        let made = netns::create(&name("a")).unwrap();
        assert_eq!(netns::pids(&made).unwrap(), []);
        let mut child = std::process::Command::new("ip").args(["netns", "exec", "a", "sleep", "60"]).spawn().unwrap();
        let found = eventually("a process inside", || netns::pids(&made).unwrap().into_iter().next());
        assert_eq!(found.pid, child.id());
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn links_are_made_set_and_deleted_as_the_text_says() {
    let (a, br, port) = (inside("a"), host("br0"), host("link0"));
    let inner = at(&a, "eth0");
    let mut ops = vec![
        Op::AddNetns(name("a")),
        Op::AddLink { place: br.clone(), kind: Kind::Bridge },
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
fn a_link_stays_when_its_new_name_is_taken() {
    in_world(|| {
        sh("ip netns add a; ip -n a link add eth0 type veth peer name x
            ip link add p0 type veth peer name p1; ip address add 10.0.0.1/24 dev p0; ip link set p0 up
            ip link property add dev p1 altname eth7; ip address add 10.0.1.1/24 dev p1");
        for (from, to) in [("p0", "eth0"), ("p1", "eth7")] {
            let op = Op::MoveLink { from: host(from), to: at(&inside("a"), to) };
            let failure = Kernel::new().apply(&[op]).unwrap_err();
            assert!(failure.error.is_exists(), "{failure}");
        }
        let seen = observe(&[Netns::Host, inside("a")]).state;
        assert!(seen.link(&host("p0")).is_some() && seen.link(&host("p1")).is_some());
        assert_eq!(seen.netns[&Netns::Host].addresses_of(link("p0")).len(), 1);
        assert_eq!(seen.netns[&Netns::Host].addresses_of(link("p1")).len(), 1);
        assert_eq!(seen.netns[&inside("a")].links.len(), 3);
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

const ROUTED: &str = "ip netns add a; ip link add link0 type veth peer name eth0 netns a; ip link set link0 up
    ip -n a link set eth0 up; ip -n a link set lo up
    ip -n a address add 192.0.2.1/24 dev eth0; ip -n a address add 2001:db8::1/64 dev eth0 nodad";

fn some_routes() -> Vec<Route> {
    let new = |to: &str, via: &str, dev: &str| {
        let via = Some(via).filter(|v| !v.is_empty()).map(|v| v.parse().unwrap());
        Route::new(to.parse().unwrap(), via, Some(dev).filter(|d| !d.is_empty()).map(link))
    };
    vec![
        new("0.0.0.0/0", "192.0.2.254", "eth0"),
        Route { metric: 100, ..new("0.0.0.0/0", "192.0.2.253", "eth0") },
        new("198.51.100.0/24", "", "eth0"),
        Route { src: Some("192.0.2.1".parse().unwrap()), ..new("198.51.101.0/24", "192.0.2.254", "eth0") },
        Route { table: 100, ..new("0.0.0.0/0", "192.0.2.254", "eth0") },
        Route { table: 100_000, protocol: 4, ..new("10.0.0.0/8", "192.0.2.254", "eth0") },
        Route { onlink: true, ..new("10.1.0.0/16", "203.0.113.9", "eth0") },
        Route { scope: Scope::HOST, ..new("10.5.0.0/16", "", "eth0") },
        new("10.2.0.0/16", "fe80::1", "eth0"),
        new("10.3.0.0/16", "", "").of_kind(RouteKind::Blackhole),
        new("10.3.1.0/24", "", "").of_kind(RouteKind::Unreachable),
        new("10.3.2.0/24", "", "").of_kind(RouteKind::Prohibit),
        Route { table: 100, ..new("10.3.3.0/24", "", "").of_kind(RouteKind::Throw) },
        new("::/0", "fe80::1", "eth0"),
        Route { metric: 7, ..new("2001:db8:1::/48", "2001:db8::2", "eth0") },
        Route { src: Some("2001:db8::1".parse().unwrap()), ..new("2001:db8:2::/48", "2001:db8::2", "eth0") },
        Route { table: 100, ..new("2001:db8:3::/48", "", "eth0") },
        new("2001:db8:4::/48", "", "").of_kind(RouteKind::Blackhole),
        new("2001:db8:5::/48", "", "").of_kind(RouteKind::Unreachable),
        Route { onlink: true, ..new("2001:db8:6::/48", "2001:db9::1", "eth0") },
        new("10.77.0.0/16", "", "lo").of_kind(RouteKind::Local),
        Route { table: 255, ..new("10.78.0.0/16", "", "lo").of_kind(RouteKind::Local) },
        Route { table: 100, ..new("2001:db8:77::/48", "", "lo").of_kind(RouteKind::Local) },
        Route { table: 255, ..new("2001:db8:78::/48", "", "lo").of_kind(RouteKind::Local) },
        Route { metric: 5, ..new("::/0", "fe80::2", "eth0") },
    ]
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

#[test]
fn settings_are_those_of_the_namespace() {
    in_world(|| {
        sh("ip netns add a; ip link add link0 type veth peer name eth0.7 netns a");
        let a = inside("a");
        let forwarding = Sysctl::ipv4(link("all"), "forwarding");
        let accept_ra = Sysctl::ipv6(link("eth0.7"), "accept_ra");
        let nothing = Sysctl::ipv6(link("eth9"), "accept_ra");
        let set =
            |key: &Sysctl, value: &str| Op::SetSysctl { netns: a.clone(), key: key.clone(), value: value.to_owned() };
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
fn an_error_in_a_batch_is_that_of_its_operation() {
    in_world(|| {
        sh(ROUTED);
        let a = inside("a");
        let mut ops: Vec<Op> = (0..3000u32)
            .map(|n| {
                let to = format!("10.{}.{}.0/24", n / 250, n % 250);
                add_route(&a, &to, Some("192.0.2.2"), Some("eth0"))
            })
            .collect();
        let wrong = [0, 1, 17, 998, 999, 1500, 2999];
        for index in wrong {
            ops[index] = add_route(&a, "172.16.0.0/12", Some("203.0.113.77"), Some("eth0"));
        }
        ops[2000] = add_route(&a, "172.16.0.0/12", None, Some("eth9"));
        let failures = Kernel::new().apply_all(&ops);
        let indexes: Vec<usize> = failures.iter().map(|failure| failure.index).collect();
        assert_eq!(indexes, [0, 1, 17, 998, 999, 1500, 2000, 2999]);
        assert_eq!(failures[0].error.errno(), Some(Errno::ENETUNREACH));
        assert_eq!(failures[0].to_string(), "Network is unreachable: Nexthop has invalid gateway");
        assert_eq!(failures[6].error, Error::NoLink(link("eth9")));
        assert_eq!(observe(std::slice::from_ref(&a)).state.netns[&a].routes.len(), 2992);
    });
}

#[test]
fn the_first_failure_of_a_run_is_the_one_that_is_told() {
    in_world(|| {
        sh(ROUTED);
        let a = inside("a");
        let good = |n: u32| add_route(&a, &format!("10.0.{n}.0/24"), Some("192.0.2.2"), Some("eth0"));
        let ops = [good(1), good(1), good(2), good(2), add_route(&a, "10.9.0.0/24", None, Some("eth9"))];
        let failure = Kernel::new().apply(&ops).unwrap_err();
        assert_eq!(failure.index, 1);
        assert!(failure.error.is_exists());
        let elsewhere = [Op::DeleteLink(host("none")), Op::AddNetns(name("never"))];
        let failure = Kernel::new().apply(&elsewhere).unwrap_err();
        assert_eq!(failure.index, 0);
        assert!(failure.error.is_absent(), "{failure}");
        assert!(!netns::is_mounted(&name("never")));
        let nowhere = Kernel::new().apply(&[add_address(&at(&inside("none"), "lo"), "10.0.0.1/8")]).unwrap_err();
        assert_eq!(nowhere.error, Error::NoNetns(name("none")));
    });
}

#[test]
fn ten_thousand_routes_arrive() {
    in_world(|| {
        sh(ROUTED);
        let a = inside("a");
        let to = |n: u32| match n % 2 {
            0 => format!("10.{}.{}.0/24", n / 250, n % 250),
            _ => format!("2001:db8:1:{n:x}::/64"),
        };
        let via = |n: u32| if n.is_multiple_of(2) { "192.0.2.2" } else { "2001:db8::2" };
        let ops: Vec<Op> = (0..10_000).map(|n| add_route(&a, &to(n), Some(via(n)), Some("eth0"))).collect();
        let mut kernel = Kernel::new();
        kernel.apply(&ops).unwrap();
        let seen = kernel.observe(&Wanted { netns: BTreeSet::from([a.clone()]), ..Wanted::default() }).unwrap();
        let seen: BTreeSet<String> = seen.state.netns[&a].routes.iter().map(|r| format!("{r:?}")).collect();
        let asked = ops.iter().map(|op| match op {
            Op::AddRoute { route, .. } => format!("{route:?}"),
            _ => unreachable!(),
        });
        assert_eq!(seen, asked.collect());
        assert_eq!(sh("ip -n a route show via 192.0.2.2 | wc -l").trim(), "5000");
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
        wanted.host_routes_of = Some(BTreeSet::from([link("a0"), link("a1"), link("gone")]));
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
        assert_eq!(kind(&host("br0")), Kind::Bridge);
        let l0 = seen.state.link(&host("l0")).unwrap();
        assert_eq!((l0.master, l0.up, l0.alias.as_deref()), (Some(link("br0")), Some(true), Some("some text")));
        assert!(!seen.state.netns.contains_key(&inside("none")));
        let index = ip_json("-n a link show dev e0")[0]["ifindex"].as_u64();
        assert_eq!(seen.indexes.get(&at(&a, "e0")).map(|index| u64::from(*index)), index);
    });
}

#[test]
fn a_link_that_a_command_makes_is_awaited() {
    in_world(|| {
        sh("ip netns add a");
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 0.3; ip -n a link add eth0 type veth peer name x"])
            .spawn()
            .unwrap();
        let place = at(&inside("a"), "eth0");
        Kernel::new().apply(&[Op::AwaitLink(place.clone()), set(&place, LinkSetting::Up(true))]).unwrap();
        child.wait().unwrap();
    });
}

const TWO_HOSTS: &str = "ip netns add a; ip netns add b; ip -n a link add eth0 type veth peer name eth0 netns b
    for n in a b; do ip netns exec $n sysctl -qw net.ipv6.conf.eth0.addr_gen_mode=1; done";

#[test]
fn duplicate_address_detection_is_awaited() {
    in_world(|| {
        sh(TWO_HOSTS);
        let (a, b) = (at(&inside("a"), "eth0"), at(&inside("b"), "eth0"));
        let limit = Duration::from_secs(10);
        let dad = |place: &Place| Op::AwaitDad { place: place.clone(), limit };
        apply(&[set(&a, LinkSetting::Up(true)), set(&b, LinkSetting::Up(true)), add_address(&a, "2001:db8::1/64")]);
        apply(&[dad(&a)]);
        assert_eq!(sh("ip -n a -6 address show dev eth0 tentative"), "");
        apply(&[add_address(&b, "2001:db8::1/64")]);
        let failure = Kernel::new().apply(&[dad(&b)]).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "address 2001:db8::1 on eth0 is used by another host (duplicate address detection)"
        );
        let missing = at(&inside("a"), "eth7");
        assert_eq!(Kernel::new().apply(&[dad(&missing)]).unwrap_err().error, Error::NoLink(missing.link));
    });
}

#[test]
fn without_carrier_there_is_no_waiting_and_too_long_is_an_error() {
    in_world(|| {
        sh(TWO_HOSTS);
        let (a, b) = (at(&inside("a"), "eth0"), at(&inside("b"), "eth0"));
        apply(&[set(&a, LinkSetting::Up(true)), add_address(&a, "2001:db8::1/64")]);
        apply(&[Op::AwaitDad { place: a.clone(), limit: Duration::from_secs(1000) }]);
        sh("ip netns exec a sysctl -qw net.ipv6.conf.eth0.dad_transmits=50");
        apply(&[set(&b, LinkSetting::Up(true)), add_address(&a, "2001:db8::2/64")]);
        let short = Op::AwaitDad { place: a, limit: Duration::from_millis(30) };
        let failure = Kernel::new().apply(&[short]).unwrap_err();
        assert_eq!(failure.to_string(), "duplicate address detection on eth0 was not done within 0.03 s");
    });
}

#[test]
fn a_conversation_outlives_changes_that_others_make() {
    in_world(|| {
        let mut kernel = Kernel::new();
        let eth0 = at(&inside("a"), "eth0");
        sh("ip netns add a; ip link add link0 type veth peer name eth0 netns a");
        kernel.apply(&[add_address(&eth0, "10.0.0.1/8")]).unwrap();
        sh("ip netns delete a; ip netns add a; ip link add link1 type veth peer name eth0 netns a");
        kernel.apply(&[add_address(&eth0, "10.0.0.1/8")]).unwrap();
        sh("ip -n a link delete eth0; ip -n a link add other type veth peer name eth0");
        kernel.apply(&[add_address(&eth0, "10.0.0.1/8"), Op::DeleteNetns(name("a"))]).unwrap();
        assert!(try_sh("ip netns list").stdout.is_empty());
    });
}

#[test]
fn what_cannot_be_asked_for_is_an_error_and_no_panic() {
    in_world(|| {
        sh("ip link add l0 type veth peer name m0");
        let vlan = Kind::Vlan { parent: None, id: 5, protocol: VlanProtocol::Ieee8021Q };
        let ops = [
            Op::AddLink { place: host("v"), kind: vlan },
            Op::AddLink { place: host("w"), kind: Kind::Other("wireguard".into()) },
            set(&host("l0"), LinkSetting::Alias("x".repeat(70_000))),
            set(&host("l0"), LinkSetting::AddAltname("x".repeat(70_000))),
            set(&host("l0"), LinkSetting::Alias("x".repeat(255))),
        ];
        let failures = Kernel::new().apply_all(&ops);
        assert_eq!(failures.iter().map(|f| f.index).collect::<Vec<_>>(), [0, 1, 2, 3]);
    });
}

//! Plans with masters and links of options, as the scripts that they print.

mod common;

use common::kinds::made_of;
use common::ops::{at, host, inside, link, name};
use std::time::Duration;
use systemd_netns::model::{
    BridgeVlan, Desired, DesiredLink, Kind, Link, LinkOptions, LinkValue, Netns, NetnsState, Owned, Place, Presence,
    Route, RouteKind, Stanza, State, Virtual, VirtualKind, VlanProtocol, Wireguard,
};
use systemd_netns::plan::{Op, Plan, converge, own, simulate};

fn nic() -> Link {
    Link { kind: Some(Kind::Physical), up: Some(true), mtu: Some(1500), addrgenmode: Some(0), ..Link::default() }
}

/// A host with two NICs.
fn machine() -> State {
    let links = ["eth0", "eth1"].map(|name| (link(name), nic()));
    let host = NetnsState { links: links.into(), ..NetnsState::default() };
    State { netns: [(Netns::Host, host)].into() }
}

fn up() -> Link {
    Link { up: Some(true), ..Link::default() }
}

fn of(kind: Kind) -> Link {
    Link { kind: Some(kind), ..up() }
}

fn wanted(place: Place, link: Link) -> DesiredLink {
    let (presence, stanzas) = (Presence::Required, vec![Stanza::default()]);
    DesiredLink { place, link, from: None, presence, sysctls: Vec::new(), wait: None, device: None, stanzas }
}

fn port(port: &str, master: &str) -> DesiredLink {
    wanted(at(&inside("web"), port), Link { master: Some(link(master)), ..up() })
}

fn with_address(mut link: DesiredLink, address: &str) -> DesiredLink {
    let local = address.parse().unwrap();
    link.stanzas[0].addresses.push(systemd_netns::model::Address::plain(local));
    link
}

fn desired(links: Vec<DesiredLink>) -> Desired {
    let (resolv, scripts) = Default::default();
    Desired {
        netns: name("web"),
        links,
        rules: Vec::new(),
        sysctls: Vec::new(),
        optional: [].into(),
        ruleset: None,
        table: None,
        uses: [].into(),
        resolv,
        scripts,
    }
}

#[track_caller]
fn plan_is(links: Vec<DesiredLink>, expected: &str) {
    let plan = converge(machine(), &desired(links), None).expect("no problem").to_string();
    let expected: String = expected.trim().lines().map(|line| format!("{}\n", line.trim())).collect();
    assert_eq!(plan, expected);
}

#[test]
fn a_bridge_comes_after_its_ports_and_is_awaited() {
    let bridge = of(made_of(VirtualKind::Bridge, None, "stp_state 1, vlan_filtering 1, forward_delay 400"));
    let own = BridgeVlan { id: 7, pvid: true, untagged: true };
    let bridge = wanted(at(&inside("web"), "br0"), Link { vlans: Some([own].into()), ..bridge });
    let bridge = DesiredLink { wait: Some(Duration::from_secs(10)), ..with_address(bridge, "192.0.2.1/24") };
    let mut first = port("eth0", "br0");
    first.link.port =
        LinkOptions::from([("cost".into(), LinkValue::Number(7)), ("learning".into(), LinkValue::Number(1))]);
    first.link.addrgenmode = Some(1);
    let tagged = |id| BridgeVlan { id, pvid: false, untagged: false };
    first.link.vlans = Some([tagged(10), tagged(11), tagged(12), own].into());
    plan_is(
        vec![bridge, first, port("eth1", "br0")],
        "ip netns add web
        ip link set dev eth0 netns web
        ip link set dev eth1 netns web
        ip -n web link add name br0 type bridge forward_delay 400 stp_state 1 vlan_filtering 1
        ip -n web link set dev eth0 addrgenmode none
        ip -n web link set dev eth0 master br0
        ip -n web link set dev eth0 type bridge_slave cost 7
        bridge -n web vlan add vid 7 dev eth0 pvid untagged
        bridge -n web vlan add vid 10-12 dev eth0
        bridge -n web vlan del vid 1 dev eth0
        ip -n web link set dev eth0 up
        ip -n web link set dev eth1 master br0
        ip -n web link set dev eth1 up
        bridge -n web vlan add vid 7 dev br0 pvid untagged self
        bridge -n web vlan del vid 1 dev br0 self
        ip -n web link set dev br0 up
        timeout 10 sh -c 'while ip -n web -d link show master br0 | grep -qE '\\''state (listening|learning)'\\''; do sleep 0.1; done' || :
        ip -n web address add 192.0.2.1/24 dev br0 scope global",
    );
}

#[test]
fn a_bonds_primary_is_named_when_it_is_in() {
    let bond = of(made_of(VirtualKind::Bond, None, "mode active-backup, miimon 100, primary eth1"));
    let vlan = Kind::Vlan { parent: Some(at(&inside("web"), "bond0")), id: 5, protocol: VlanProtocol::Ieee8021Q };
    plan_is(
        vec![
            wanted(at(&inside("web"), "bond0.5"), of(vlan)),
            wanted(at(&inside("web"), "bond0"), bond),
            port("eth0", "bond0"),
            port("eth1", "bond0"),
        ],
        "ip netns add web
        ip link set dev eth0 netns web
        ip link set dev eth1 netns web
        ip -n web link add name bond0 type bond mode active-backup miimon 100
        ip -n web link add link bond0 name bond0.5 type vlan id 5
        ip -n web link set dev eth0 master bond0
        ip -n web link set dev eth1 master bond0
        ip -n web link set dev bond0 type bond primary eth1
        ip -n web link set dev bond0 up",
    );
}

#[test]
fn members_of_a_vrf_get_their_addresses_when_they_are_in() {
    plan_is(
        vec![
            with_address(port("eth0", "red"), "192.0.2.1/24"),
            wanted(at(&inside("web"), "red"), of(made_of(VirtualKind::Vrf, None, "table 10"))),
        ],
        "ip netns add web
        ip -n web link add name red type vrf table 10
        ip link set dev eth0 netns web
        ip -n web link set dev red up
        ip -n web link set dev eth0 master red
        ip -n web link set dev eth0 up
        ip -n web address add 192.0.2.1/24 dev eth0 scope global",
    );
}

#[test]
fn links_are_made_where_what_they_stand_on_is() {
    let wireguard = Kind::Virtual(Virtual { birth: Some(Netns::Host), ..Virtual::plain(VirtualKind::Wireguard) });
    let keys = Wireguard { path: "/etc/wireguard/wg0.conf".into(), ..Wireguard::default() };
    let wireguard = Link { wireguard: Some(Box::new(keys)), ..of(wireguard) };
    let gre = made_of(VirtualKind::Gre, Some(host("eth0")), "local 192.0.2.1, remote 192.0.2.2, ikey 5, okey 5");
    let vxlan = made_of(VirtualKind::Vxlan, Some(host("eth0")), "id 9, group 239.0.0.1, dstport 4789, learning no");
    let web = inside("web");
    plan_is(
        vec![
            wanted(at(&web, "wg0"), wireguard),
            wanted(at(&web, "gre1"), of(gre)),
            wanted(at(&web, "vx9"), of(vxlan)),
            wanted(at(&web, "mv"), of(made_of(VirtualKind::Macvlan, Some(host("eth1")), "mode bridge"))),
            wanted(at(&web, "t0"), of(made_of(VirtualKind::Tun, None, "user 7, group 8"))),
            wanted(at(&web, "l"), of(Kind::plain(VirtualKind::Dummy))),
        ],
        "ip netns add web
        ip link add name wg0 netns web type wireguard
        ip link add name gre1 type gre remote 192.0.2.2 local 192.0.2.1 ikey 5 okey 5 dev eth0 && ip link set dev gre1 netns web
        ip link add name vx9 netns web type vxlan id 9 group 239.0.0.1 dstport 4789 nolearning dev eth0
        ip link add link eth1 name mv netns web type macvlan mode bridge
        ip -n web tuntap add dev t0 mode tun user 7 group 8
        ip -n web link add name l type dummy
        ip netns exec web wg setconf wg0 /etc/wireguard/wg0.conf
        ip -n web link set dev wg0 up
        ip -n web link set dev gre1 up
        ip -n web link set dev vx9 up
        ip -n web link set dev mv up
        ip -n web link set dev t0 up
        ip -n web link set dev l up",
    );
}

/// The plan from one file to another.
#[track_caller]
fn reload_is(before: Vec<DesiredLink>, after: Vec<DesiredLink>, expected: &str) {
    let first = desired(before);
    let plan = converge(machine(), &first, None).expect("no problem");
    let owned: Owned = own(&machine().netns[&Netns::Host], first.into(), &plan, None);
    let now = simulate(&machine(), &plan);
    let reload = converge(now, &desired(after), Some(&owned)).expect("no problem").to_string();
    let expected: String = expected.trim().lines().map(|line| format!("{}\n", line.trim())).collect();
    assert_eq!(reload, expected);
}

#[test]
fn options_change_in_place_or_the_link_is_made_anew() {
    let bond = |text: &str| wanted(at(&inside("web"), "bond0"), of(made_of(VirtualKind::Bond, None, text)));
    let all = |text: &str| vec![with_address(bond(text), "2001:db8::1/64"), port("eth0", "bond0")];
    reload_is(
        all("mode 802.3ad, miimon 100"),
        all("mode 802.3ad, miimon 200"),
        "ip -n web link set dev bond0 type bond miimon 200",
    );
    reload_is(
        all("mode 802.3ad, lacp_rate slow"),
        all("mode 802.3ad, lacp_rate fast"),
        "ip -n web link set dev bond0 down
        ip -n web link set dev bond0 type bond lacp_rate fast
        ip -n web link set dev bond0 up
        ip -n web address add 2001:db8::1/64 dev bond0",
    );
    reload_is(
        all("mode 802.3ad"),
        all("mode active-backup"),
        "ip -n web link delete dev bond0
        ip -n web link add name bond0 type bond mode active-backup
        ip -n web link set dev eth0 master bond0
        ip -n web link set dev bond0 up
        ip -n web address add 2001:db8::1/64 dev bond0",
    );
}

#[test]
fn a_link_leaves_the_master_that_the_file_no_longer_names() {
    let bridge = || wanted(at(&inside("web"), "br0"), of(Kind::plain(VirtualKind::Bridge)));
    reload_is(
        vec![bridge(), port("eth0", "br0")],
        vec![bridge(), wanted(at(&inside("web"), "eth0"), up())],
        "ip -n web link set dev eth0 nomaster",
    );
}

#[test]
fn what_cannot_be_is_a_problem() {
    let web = inside("web");
    let bridge = wanted(at(&web, "br0"), of(Kind::plain(VirtualKind::Bridge)));
    let vlan = Kind::Vlan { parent: Some(at(&web, "br0")), id: 5, protocol: VlanProtocol::Ieee8021Q };
    let loops = Link { master: Some(link("br0")), ..of(vlan) };
    let problems = converge(machine(), &desired(vec![bridge, wanted(at(&web, "br0.5"), loops)]), None).unwrap_err();
    assert!(problems[0].message.contains("stand on one another"), "{problems:?}");
    let problems = converge(machine(), &desired(vec![port("eth0", "nothing")]), None).unwrap_err();
    assert_eq!(problems[0].message, "eth0 in web is to be a port of nothing, which does not exist");
}

fn with_pre_up(mut link: DesiredLink, lines: [&str; 2], early: usize) -> DesiredLink {
    link.stanzas[0].pre_up = lines.map(str::to_owned).to_vec();
    link.stanzas[0].early = early;
    link
}

/// The operations of a plan, commands as the lines that they are, without the namespace.
fn in_short(plan: &Plan) -> Vec<String> {
    let short = |op: &Op| match op {
        Op::Run(command) => format!("{}: {}", command.link, command.line),
        op => op.to_string().replace(" -n web", ""),
    };
    plan.ops.iter().map(short).collect()
}

#[test]
fn commands_run_before_the_bridge_that_they_belong_to_is_made() {
    let bridge = wanted(at(&inside("web"), "br0"), of(made_of(VirtualKind::Bridge, None, "ageing_time 5000")));
    let bridge = with_pre_up(with_address(bridge, "192.0.2.1/24"), ["line", "script"], 1);
    let first = with_pre_up(port("eth0", "br0"), ["its own", "another"], 0);
    let implied = DesiredLink { stanzas: Vec::new(), ..port("eth1", "br0") };
    let plan = converge(machine(), &desired(vec![bridge, first, implied]), None).expect("no problem");
    assert_eq!(
        in_short(&plan),
        [
            "ip netns add web",
            "ip link set dev eth0 netns web",
            "ip link set dev eth1 netns web",
            "eth0: its own",
            "eth0: another",
            "ip link set dev eth0 up",
            "br0: line",
            "if ip link show dev br0 >/dev/null 2>&1; then ip link set dev br0 type bridge ageing_time 5000; \
             else ip link add name br0 type bridge ageing_time 5000; fi",
            "ip link set dev eth0 master br0",
            "ip link set dev eth1 master br0",
            "ip link set dev eth1 up",
            "br0: script",
            "ip link set dev br0 up",
            "ip address add 192.0.2.1/24 dev br0 scope global",
        ]
    );
}

#[test]
fn a_bridge_that_is_there_is_not_made_again_because_its_commands_changed() {
    let bridge = wanted(at(&inside("web"), "br0"), of(made_of(VirtualKind::Bridge, None, "ageing_time 5000")));
    let files = |line| desired(vec![with_pre_up(bridge.clone(), [line, "script"], 1), port("eth0", "br0")]);
    let before = files("one");
    let first = converge(machine(), &before, None).expect("no problem");
    let current = simulate(&machine(), &first);
    let owned = own(&machine().netns[&Netns::Host], before.into(), &first, None);
    assert_eq!(owned.made, [at(&inside("web"), "br0")]);
    let after = converge(current, &files("two"), Some(&owned)).expect("no problem");
    assert_eq!(in_short(&after), ["br0: two", "br0: script"]);
}

#[test]
fn a_connection_is_dialled_once_and_no_link_is_looked_for() {
    let line = |line: &str| vec![line.to_owned()];
    let mut dial = wanted(at(&inside("web"), "dsl"), Link::default());
    dial.presence = Presence::OnlyAName;
    dial.stanzas = vec![Stanza { up: line("pon"), down: line("poff"), post_down: line("after"), ..Stanza::default() }];
    let with = desired(vec![
        dial,
        port("eth0", "br0"),
        wanted(at(&inside("web"), "br0"), of(Kind::plain(VirtualKind::Bridge))),
    ]);
    let first = converge(machine(), &with, None).expect("no problem");
    assert_eq!(in_short(&first).iter().filter(|op| op.contains("dsl")).collect::<Vec<_>>(), ["dsl: pon"]);
    let current = simulate(&machine(), &first);
    let owned = own(&machine().netns[&Netns::Host], with.clone().into(), &first, None);
    assert!(converge(current.clone(), &with, Some(&owned)).expect("no problem").is_empty());
    let without = desired(with.links[1..].to_vec());
    let last = converge(current, &without, Some(&owned)).expect("no problem");
    assert_eq!(in_short(&last), ["dsl: poff", "dsl: after"]);
}

#[test]
fn a_lease_comes_before_the_ipv4_addresses_of_later_stanzas_only() {
    let dhcp = serde_json::from_str(r#"{"protocol":"dhcp","client":"dhclient","request_prefix":false,"limit":60}"#);
    let mut link = wanted(at(&inside("web"), "eth0"), up());
    link.stanzas[0].dhcp = Some(dhcp.unwrap());
    let ops = |address| {
        let mut link = link.clone();
        let address = systemd_netns::model::Address::plain(address);
        link.stanzas.push(Stanza { addresses: vec![address], ..Stanza::default() });
        let plan = converge(machine(), &desired(vec![link]), None).expect("no problem");
        let of_interest = |op: &&Op| matches!(op, Op::AwaitLease(_) | Op::AddAddress { .. });
        plan.ops.iter().filter(of_interest).map(|op| matches!(op, Op::AwaitLease(_))).collect::<Vec<_>>()
    };
    assert_eq!(ops("192.0.2.10/24".parse().unwrap()), [true, false]);
    assert_eq!(ops("2001:db8::10/64".parse().unwrap()), [false, true]);
}

#[test]
fn what_a_port_loses_to_a_bond_that_is_made_late_is_there_once_again() {
    let route = |to: &str, link| Route::new(to.parse().unwrap(), None, link);
    let wants = |to: &[Route]| {
        let mut eth0 = with_address(wanted(at(&inside("web"), "eth0"), up()), "2001:db8::1/64");
        eth0.stanzas[0].routes = to.to_vec();
        // The same address once more.
        eth0.stanzas.push(Stanza { routes: Vec::new(), ..eth0.stanzas[0].clone() });
        eth0
    };
    let by_it = route("198.51.100.0/24", Some(link("eth0")));
    let obsolete = route("203.0.113.0/24", Some(link("eth0")));
    let nowhere = route("10.0.0.0/8", None).of_kind(RouteKind::Blackhole);
    let first = desired(vec![wants(&[by_it.clone(), obsolete, nowhere.clone()])]);
    let plan = converge(machine(), &first, None).expect("no problem");
    let up = simulate(&machine(), &plan);
    let owned = own(&machine().netns[&Netns::Host], first.into(), &plan, None);

    let bond = of(made_of(VirtualKind::Bond, None, "mode active-backup"));
    let bond = with_pre_up(wanted(at(&inside("web"), "bond0"), bond), ["line", "script"], 1);
    let mut eth0 = wants(&[by_it, nowhere]);
    eth0.link.master = Some(link("bond0"));
    let second = desired(vec![bond, eth0]);
    let plan = converge(up.clone(), &second, Some(&owned)).expect("no problem").to_string();
    let count = |words: &str| plan.lines().filter(|line| line.contains(words)).count();
    assert_eq!(count("link set dev eth0 down"), 1, "{plan}");
    assert_eq!(count("address add 2001:db8::1/64"), 1, "{plan}");
    assert_eq!(count("route add 198.51.100.0/24"), 1, "{plan}");
    assert_eq!((count("10.0.0.0/8"), count("203.0.113.0/24"), count("delete")), (0, 0, 0), "{plan}");
}

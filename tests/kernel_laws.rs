//! The laws that speak of the kernel, on generated worlds that are made for real.
//!
//! *text = deed*: the printed script and the applied plan leave the same dumps. *eyes = hands*: what is observed afterwards is what
//! was simulated. *leaves no trace*: a teardown gives back what was observed first.

mod common;
mod worlds;

use common::kinds::{has, has_vlan_filtering, has_vlans};
use common::{dumps, in_two_worlds, in_world, sh, try_sh};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::OnceLock;
use systemd_netns::kernel::{Kernel, Wanted};
use systemd_netns::model::{
    Kind, Link, LinkName, LinkOptions, MARK_TABLE, Netns, NetnsState, Owned, Place, State, Sysctl, VirtualKind,
};
use systemd_netns::plan::{Op, Plan, converge, own, simulate, teardown};
use systemd_netns::system::journal::About;
use systemd_netns::system::nft;
use worlds::layers::Features;
use worlds::{World, netns};

/// Each case makes and deletes namespaces, so a few must do: as many as `PROPTEST_CASES` says, or 25.
fn config() -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(25);
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// Worlds of what this kernel has; what it lacks is said aloud.
fn world() -> impl Strategy<Value = World> {
    worlds::world(Features {
        vlan: has_vlans(),
        vlan_aware: has_vlan_filtering(),
        bond: has(VirtualKind::Bond),
        vrf: has(VirtualKind::Vrf),
        macvlan: has(VirtualKind::Macvlan),
        dummy: has(VirtualKind::Dummy),
        rules: has_nft(),
    })
}

fn for_each_world(test: impl Fn(&World)) {
    let mut runner = TestRunner::new(config());
    let result = runner.run(&world(), |world| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(&world)))
            .map_err(|panic| TestCaseError::fail(message(&*panic)))
    });
    told(result);
}

/// The plans of the smallest case say more than its states.
#[track_caller]
fn told<T: std::fmt::Debug>(result: Result<(), TestError<T>>) {
    match result {
        Err(TestError::Fail(reason, _)) => panic!("{reason}"),
        Err(other) => panic!("{other}"),
        Ok(()) => {}
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default()
}

/// Makes the host of a world in the present one.
fn make_host(world: &World) {
    let mut script = String::from("ip netns add wire\nip link set lo up\n");
    let host = &world.host.netns[&Netns::Host];
    for (name, link) in &host.links {
        let mac = link.mac.map(|m| m.to_string()).unwrap_or_default();
        match link.kind {
            Some(Kind::Loopback) => continue,
            Some(Kind::Virtual(_)) => writeln!(script, "ip link add {name} address {mac} type bridge").unwrap(),
            _ => writeln!(script, "ip link add {name} address {mac} type veth peer name {name} netns wire").unwrap(),
        }
        writeln!(script, "ip link set {name} mtu {}", link.mtu.unwrap()).unwrap();
        let up = if link.up == Some(true) { "up" } else { "down" };
        writeln!(script, "ip link set {name} {up}").unwrap();
    }
    let mut plan = Plan::default();
    for (link, addresses) in &host.addresses {
        for address in addresses {
            plan.ops.push(Op::AddAddress { place: Place::new(Netns::Host, *link), address: address.clone() });
        }
    }
    for route in &host.routes {
        plan.ops.push(Op::AddRoute { netns: Netns::Host, route: route.clone() });
    }
    let settings = host.sysctls.iter().map(|(key, value)| format!("sysctl -qw {key}={value}\n"));
    // Of all links first.
    let (all, others): (Vec<String>, Vec<_>) = settings.partition(|line| line.contains("/all/forwarding"));
    sh(&format!("{script}{plan}{}{}", all.concat(), others.concat()));
}

fn look() -> State {
    let inside = Netns::Named(netns());
    let wanted = Wanted {
        netns: [Netns::Host, inside.clone()].into(),
        sysctls: [(Netns::Host, host_settings()), (inside.clone(), inner_settings())].into(),
        ..Wanted::default()
    };
    let mut kernel = Kernel::new();
    let mut state = kernel.observe(&wanted).expect("observe").state;
    if has_nft() {
        if let Some(inner) = state.netns.get_mut(&inside) {
            let mark = kernel.namespace(&inside).unwrap().within(|| nft::mark(MARK_TABLE)).unwrap();
            inner.tables.extend(mark.map(|mark| (MARK_TABLE.to_owned(), mark)));
        }
        let table = "systemd-netns-law";
        let host = state.netns.get_mut(&Netns::Host).unwrap();
        host.tables.extend(nft::mark(table).map(|mark| (table.to_owned(), mark)));
    }
    state
}

/// The settings that generated worlds speak of.
fn host_settings() -> BTreeSet<Sysctl> {
    let of = |family: &str| {
        let links = ["all", "nic0", "nic1", "brx"];
        links.map(|link| format!("net/{family}/conf/{link}/forwarding"))
    };
    let others = ["net/ipv4/conf/all/accept_redirects", "net/ipv6/conf/nic1/accept_ra"].map(str::to_owned);
    of("ipv4").into_iter().chain(of("ipv6")).chain(others).filter_map(|path| Sysctl::parse(&path)).collect()
}

fn inner_settings() -> BTreeSet<Sysctl> {
    ["net/ipv4/ip_forward", "net/ipv4/ip_local_port_range"].into_iter().filter_map(Sysctl::parse).collect()
}

fn has_nft() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        let has = nix::unistd::Uid::effective().is_root() && try_sh("unshare -n nft add table inet x").status.success();
        if !has {
            eprintln!("SKIPPED: rules of nft in worlds: there is no nft, or this kernel has no nf_tables");
        }
        has
    })
}

fn plan_for(world: &World) -> (State, Plan, Owned) {
    let current = look();
    let plan = converge(current.clone(), &world.desired, None).expect("a generated world can be reached");
    let owned = own(&current.netns[&Netns::Host], world.desired.clone().into(), &plan, None);
    (current, plan, owned)
}

#[track_caller]
fn apply(plan: &Plan) {
    apply_after(plan, &Plan::default());
}

#[track_caller]
fn apply_after(plan: &Plan, before: &Plan) {
    // Commands are nothing that the kernel does; those of these worlds do nothing.
    let ops: Vec<Op> = plan.ops.iter().filter(|op| !matches!(op, Op::Run(_))).cloned().collect();
    let commands = Plan { ops, notes: Vec::new() };
    let web: systemd_netns::model::NetnsName = "web".parse().expect("a name");
    if let Err(failed) = systemd_netns::apply::apply(&mut Kernel::new(), About::Netns(&web), &commands) {
        panic!("{}: {:#}\nbefore:\n{before}now:\n{plan}", failed.op, failed.error);
    }
}

/// What the modules of tunnels give to every namespace, with a name that nobody may take from them.
const FALLBACK: [&str; 9] =
    ["erspan0", "gre0", "gretap0", "ip6_vti0", "ip6gre0", "ip6tnl0", "ip_vti0", "sit0", "tunl0"];

/// What two views of one state may differ in: hardware addresses that were drawn, the order of tables, ends of pairs that are away.
#[derive(Debug, PartialEq)]
struct View(BTreeMap<Netns, BTreeMap<&'static str, Vec<String>>>);

/// As much of a state as is known of `known`, which was simulated: what the kernel chooses is not known there.
fn view(state: &State, known: &State) -> View {
    let table = |lines: Vec<String>| {
        let mut lines = lines;
        lines.sort();
        lines
    };
    // A NIC that has moved has forgotten its own.
    let stays = |key: &Sysctl| key.link().is_none_or(|link| link == "brx");
    let is_known = |netns: &Netns, key: &Sysctl| {
        let is = |state: &State| state.netns.get(netns).is_some_and(|n| n.sysctls.contains_key(key));
        is(known) && stays(key)
    };
    let one = |(netns, s): (&Netns, &NetnsState)| {
        let link = |(name, l): (&LinkName, &Link)| {
            let known = known.link(&Place::new(netns.clone(), *name));
            let is_the_kernels = known.is_none() && FALLBACK.contains(&name.as_str());
            (!is_the_kernels).then(|| format!("{name} {}", view_link(l, &known.cloned().unwrap_or_default())))
        };
        let addresses = s.addresses.iter().flat_map(|(l, list)| list.iter().map(move |a| format!("{l} {a:?}")));
        let tables = BTreeMap::from([
            ("links", table(s.links.iter().filter_map(link).collect())),
            ("addresses", table(addresses.collect())),
            ("routes", table(s.routes.iter().map(|r| format!("{r:?}")).collect())),
            ("rules", table(s.rules.iter().map(|r| format!("{r:?}")).collect())),
            ("tables", table(s.tables.iter().map(|t| format!("{t:?}")).collect())),
            (
                "settings",
                table(s.sysctls.iter().filter(|(key, _)| is_known(netns, key)).map(|s| format!("{s:?}")).collect()),
            ),
        ]);
        (netns.clone(), tables)
    };
    View(state.netns.iter().map(one).collect())
}

fn view_link(l: &Link, known: &Link) -> String {
    let kind = l.kind.as_ref().map(Kind::name).unwrap_or_default();
    let mac = l.mac.filter(|m| m.as_bytes().starts_with(&[2, 0, 0, 0, 9]) && known.mac.is_some());
    let named = |all: &LinkOptions, known: &LinkOptions| {
        let kept = all.iter().filter(|(word, _)| known.contains_key(*word));
        kept.map(|(word, value)| format!("{word}={value:?}")).collect::<Vec<_>>()
    };
    let options = |l: &Link| l.kind.as_ref().and_then(Kind::as_virtual).map(|v| v.options.clone()).unwrap_or_default();
    let (options, port) = (named(&options(l), &options(known)), named(&l.port, &known.port));
    let mtu = l.mtu.filter(|_| known.mtu.is_some());
    let vlans = l.vlans.as_ref().filter(|_| known.vlans.is_some() && has_vlan_filtering());
    let addrgenmode = l.addrgenmode.filter(|_| known.addrgenmode.is_some());
    format!(
        "{kind} {options:?} up={:?} mtu={mtu:?} mac={mac:?} master={:?} {port:?} {vlans:?} {addrgenmode:?} {:?}",
        l.up, l.master, l.altnames
    )
}

/// Whether what is seen is what was simulated.
#[track_caller]
fn assert_as_simulated(seen: &State, simulated: &State, what: &str) {
    let (seen, simulated) = (view(seen, simulated), view(simulated, simulated));
    for (netns, tables) in &simulated.0 {
        for (name, rows) in tables {
            assert_same_rows(&seen.0[netns][name], rows, &format!("{name} of {netns}\n{what}"));
        }
    }
    assert_eq!(seen, simulated, "{what}");
}

/// The rows of all dumps. Their order is chance: the kernel makes some routes by itself, a little later.
fn rows(namespaces: &[&str]) -> Vec<String> {
    let mut rows = Vec::new();
    for (title, mut table) in dumps(namespaces) {
        for row in table.as_array_mut().into_iter().flatten() {
            if let Some(addresses) = row.get_mut("addr_info").and_then(|a| a.as_array_mut()) {
                // The order of IPv4's says which is primary.
                addresses.sort_by_key(|a| if a["family"] == "inet" { String::new() } else { a.to_string() });
            }
            rows.push(format!("{title}: {row}"));
        }
    }
    // They follow from the addresses, and come a little after them.
    rows.retain(|row| !row.contains(r#""protocol":"kernel""#));
    rows.sort();
    rows
}

#[track_caller]
fn assert_same_rows(a: &[String], b: &[String], what: &str) {
    let only =
        |x: &[String], y: &[String]| x.iter().filter(|row| !y.contains(row)).cloned().collect::<Vec<_>>().join("\n");
    assert!(a == b, "only there:\n{}\nonly here:\n{}\n{what}", only(b, a), only(a, b));
}

#[test]
fn the_text_does_what_the_deed_does() {
    for_each_world(|world| {
        let deed = || {
            make_host(world);
            let (_, plan, _) = plan_for(world);
            apply(&plan);
        };
        let text = || {
            make_host(world);
            let (_, plan, _) = plan_for(world);
            sh(&plan.to_string());
        };
        if let Some((deed, text)) = in_two_worlds(deed, text, || rows(&["law"])) {
            assert_same_rows(&deed, &text, "");
        }
    });
}

#[test]
fn the_eyes_see_what_the_hands_did() {
    for_each_world(|world| {
        in_world(|| {
            make_host(world);
            let (current, plan, owned) = plan_for(world);
            apply(&plan);
            let after = look();
            assert_as_simulated(&after, &simulate(&current, &plan), &plan.to_string());
            assert!(after.satisfies(&world.desired.state()));
            let again = converge(after.clone(), &world.desired, Some(&owned)).expect("no problem");
            assert!(again.is_empty(), "a second plan: {again}");
        });
    });
}

#[test]
fn a_teardown_leaves_no_trace() {
    for_each_world(|world| {
        in_world(|| {
            make_host(world);
            let (before, plan, owned) = plan_for(world);
            let dump = rows(&[]);
            apply(&plan);
            let down = teardown(look(), &owned);
            apply(&down);
            assert_as_simulated(&look(), &before, &format!("{plan}\n{down}"));
            assert_same_rows(&rows(&[]), &dump, &format!("{plan}\n{down}"));
        });
    });
}

#[test]
fn a_reload_in_the_kernel_is_what_was_simulated() {
    let result = TestRunner::new(config()).run(&(world(), world()), |(a, b)| {
        let mut b = World { host: a.host.clone(), desired: b.desired };
        b.keep_possible();
        let run = || {
            in_world(|| {
                make_host(&a);
                let (_, plan, owned) = plan_for(&a);
                apply(&plan);
                let current = look();
                let reload = converge(current.clone(), &b.desired, Some(&owned)).expect("no problem");
                apply_after(&reload, &plan);
                let after = look();
                let what = format!("{plan}\nreload:\n{reload}");
                assert_as_simulated(&after, &simulate(&current, &reload), &what);
                assert!(after.satisfies(&b.desired.state()), "{reload}");
            });
        };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
            .map_err(|panic| TestCaseError::fail(message(&*panic)))
    });
    told(result);
}

//! The laws for links that leave in other namespaces, on generated `xfrm` files: no kernel is needed.

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use systemd_netns::config::{self, Surroundings};
use systemd_netns::model::{
    Address, Desired, Kind, Link, LinkName, Netns, NetnsName, NetnsState, Owned, Place, State, Sysctl,
};
use systemd_netns::plan::{converge, own, own_elsewhere, settle, simulate, teardown};

/// Where every namespace's default route is.
struct Machine;

impl Surroundings for Machine {
    fn links(&self) -> Vec<LinkName> {
        Vec::new()
    }

    fn attribute(&self, _: &LinkName, _: &str) -> Option<String> {
        None
    }

    fn installed(&self, _: &str) -> bool {
        true
    }

    fn uplink(&self, netns: &NetnsName, _: bool) -> Option<LinkName> {
        (netns.as_str() != "dest2").then(|| "up0".parse().unwrap())
    }

    fn map(&self, _: &str, _: &str, _: &[String]) -> Result<String, String> {
        Err(String::new())
    }
}

/// A section of the file.
#[derive(Debug, Clone)]
struct Section {
    dest: Option<u8>,
    prefixes: Vec<u8>,
    block: bool,
    mtu: Option<u16>,
    underlay: bool,
}

fn section() -> impl Strategy<Value = Section> {
    let prefixes = prop::sample::subsequence((0u8..6).collect::<Vec<_>>(), 1..5);
    let mtu = prop::option::of(1280u16..1500);
    (prop::option::of(0u8..3), prefixes, any::<bool>(), mtu, any::<bool>())
        .prop_map(|(dest, prefixes, block, mtu, underlay)| Section { dest, prefixes, block, mtu, underlay })
}

/// Up to five sections by number, so that two files have some of them in common.
fn file() -> impl Strategy<Value = BTreeMap<u8, Section>> {
    prop::collection::btree_map(0u8..5, section(), 0..5)
}

fn text(file: &BTreeMap<u8, Section>) -> String {
    let one = |(n, s): (&u8, &Section)| {
        let net = |i: &u8| if i.is_multiple_of(2) { format!("10.{n}.{i}.0/24") } else { format!("fd00:{n}:{i}::/48") };
        let prefixes = s.prefixes.iter().map(net).collect::<Vec<_>>().join(", ");
        let dest = s.dest.map_or(String::new(), |d| format!("DestNetNS = dest{d}\n"));
        let mtu = s.mtu.map_or(String::new(), |mtu| format!("MTU = {mtu}\n"));
        let underlay = if s.underlay { "UnderlayDev = eth0\n" } else { "" };
        let block = s.block;
        format!("[ipsec{n}]\nIfId = {}\nPrefixes = {prefixes}\nBlockP2P = {block}\n{dest}{mtu}{underlay}", n + 1)
    };
    file.iter().map(one).collect()
}

/// The service's files in a folder of this thread's own.
fn load(service: &str, file: &BTreeMap<u8, Section>) -> Arc<Desired> {
    let root: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "xfrm-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let folder = root.join("etc/netns").join(service).join("network");
    fs::create_dir_all(&folder).unwrap();
    fs::write(
        folder.join("interfaces"),
        "auto eth0\niface eth0 inet static\n address 192.0.2.2/24\n gateway 192.0.2.1\n",
    )
    .unwrap();
    fs::write(folder.join("xfrm"), text(file)).unwrap();
    let loaded = config::load(&root, &service.parse().unwrap(), &Machine);
    fs::remove_dir_all(&root).unwrap();
    assert!(!loaded.has_errors(), "{:#?}", loaded.diagnostics);
    loaded.desired.expect("no mistake").into()
}

fn named(name: &str) -> Netns {
    Netns::Named(name.parse().unwrap())
}

/// A host with a NIC, and every namespace that a file may name, with an uplink.
fn world() -> State {
    let plain = |kind| Link { kind: Some(kind), up: Some(true), mtu: Some(1500), ..Link::default() };
    let mut host = NetnsState::default();
    host.links.insert("eth0".parse().unwrap(), plain(Kind::Physical));
    let mut state = State { netns: [(Netns::Host, host)].into() };
    for name in ["dest0", "dest1", "dest2", "xfrm_one", "xfrm_two"] {
        let mut netns = NetnsState::default();
        netns.links.insert("up0".parse().unwrap(), plain(Kind::Veth { peer: None }));
        netns.addresses.insert("up0".parse().unwrap(), vec![Address::plain("203.0.113.2/24".parse().unwrap())]);
        for key in [Sysctl::ipv4_of_all("forwarding"), Sysctl::ipv6_of_all("forwarding")] {
            netns.sysctls.insert(key, "0".into());
        }
        state.netns.insert(named(name), netns);
    }
    state
}

/// What is here and there, but for settings of links that are gone.
fn essence(state: &State) -> State {
    let mut state = state.clone();
    for netns in state.netns.values_mut() {
        netns.sysctls.retain(|key, _| !key.path().contains("/ipsec") && !key.path().contains("/eth0/"));
        netns.routes.sort_by_key(|r| format!("{r:?}"));
    }
    state
}

fn start(current: &State, desired: &Arc<Desired>, others: &[Owned]) -> (State, Owned) {
    let plan = converge(current.clone(), desired, None).expect("no problem");
    let mut owned = own(&current.netns[&Netns::Host], Arc::clone(desired), &plan, None);
    own_elsewhere(&mut owned, current, others);
    (simulate(current, &plan), owned)
}

fn stop(current: &State, owned: &Owned, others: &[&Owned]) -> State {
    let mut plan = teardown(current.clone(), owned);
    plan.spare(&others.iter().map(|o| Arc::clone(&o.desired)).collect::<Vec<_>>());
    simulate(current, &plan)
}

proptest! {
    #[test]
    fn a_plan_converges_and_a_second_one_is_empty(file in file()) {
        let desired = load("one", &file);
        let (up, owned) = start(&world(), &desired, &[]);
        prop_assert!(up.satisfies(&desired.state()), "{up:#?}");
        let again = converge(up, &desired, Some(&owned)).expect("no problem");
        prop_assert!(again.is_empty(), "{again}");
    }

    #[test]
    fn a_teardown_leaves_no_trace(file in file()) {
        let (up, owned) = start(&world(), &load("one", &file), &[]);
        prop_assert_eq!(essence(&stop(&up, &owned, &[])), essence(&world()));
    }

    #[test]
    fn a_start_that_was_killed_anywhere_leaves_no_trace(file in file(), cut in any::<prop::sample::Index>()) {
        let (world, desired) = (world(), load("one", &file));
        let mut plan = converge(world.clone(), &desired, None).expect("no problem");
        let mut owned = own(&world.netns[&Netns::Host], desired, &plan, None);
        own_elsewhere(&mut owned, &world, &[]);
        plan.ops.truncate(cut.index(plan.ops.len() + 1));
        let half = simulate(&world, &plan);
        prop_assert_eq!(essence(&stop(&half, &owned, &[])), essence(&world));
    }

    #[test]
    fn a_reload_leads_from_any_file_to_any_other(a in file(), b in file()) {
        let (world, b) = (world(), load("one", &b));
        let (up, owned) = start(&world, &load("one", &a), &[]);
        let plan = converge(up.clone(), &b, Some(&owned)).expect("no problem");
        let mut owned = own(&up.netns[&Netns::Host], Arc::clone(&b), &plan, Some(owned));
        own_elsewhere(&mut owned, &up, &[]);
        let after = simulate(&up, &plan);
        settle(&mut owned);
        prop_assert!(after.satisfies(&b.state()), "{plan}");
        let again = converge(after.clone(), &b, Some(&owned)).expect("no problem");
        prop_assert!(again.is_empty(), "{again}");
        prop_assert_eq!(essence(&stop(&after, &owned, &[])), essence(&world));
    }

    #[test]
    fn a_reload_that_was_killed_anywhere_is_finished_or_torn_down(
        (a, b) in (file(), file()),
        cut in any::<prop::sample::Index>(),
    ) {
        let (world, a, b) = (world(), load("one", &a), load("one", &b));
        let (up, owned) = start(&world, &a, &[]);
        let mut plan = converge(up.clone(), &b, Some(&owned)).expect("no problem");
        let mut owned = own(&up.netns[&Netns::Host], Arc::clone(&b), &plan, Some(owned));
        own_elsewhere(&mut owned, &up, &[]);
        plan.ops.truncate(cut.index(plan.ops.len() + 1));
        let half = simulate(&up, &plan);
        prop_assert_eq!(essence(&stop(&half, &owned, &[])), essence(&world));
        for next in [b, a] {
            let plan = converge(half.clone(), &next, Some(&owned)).expect("no problem");
            let mut owned = own(&half.netns[&Netns::Host], Arc::clone(&next), &plan, Some(owned.clone()));
            own_elsewhere(&mut owned, &half, &[]);
            let after = simulate(&half, &plan);
            settle(&mut owned);
            prop_assert!(after.satisfies(&next.state()), "{plan}");
            prop_assert_eq!(essence(&stop(&after, &owned, &[])), essence(&world));
        }
    }

    #[test]
    fn two_services_share_namespaces_and_the_last_one_restores_them(a in file(), b in file(), first in any::<bool>()) {
        // Sections of a service have names of their own.
        let b: BTreeMap<u8, Section> = b.into_iter().map(|(n, s)| (n + 5, Section { underlay: false, ..s })).collect();
        let world = world();
        let (one, two) = (load("one", &a), load("two", &b));
        let two = Arc::new(without_nic(&two));
        let (up, owned_one) = start(&world, &one, &[]);
        let (up, owned_two) = start(&up, &two, std::slice::from_ref(&owned_one));
        prop_assert!(up.satisfies(&one.state()) && up.satisfies(&two.state()));
        let (gone, left) = if first { (&owned_one, &owned_two) } else { (&owned_two, &owned_one) };
        let half = stop(&up, gone, &[left]);
        prop_assert!(half.satisfies(&left.desired.state()));
        prop_assert_eq!(essence(&stop(&half, left, &[])), essence(&world));
    }
}

/// There is but one NIC.
fn without_nic(desired: &Desired) -> Desired {
    let mut desired = desired.clone();
    desired.links.retain(|l| l.place.link.as_str() != "eth0");
    desired
}

#[test]
fn a_namespace_that_is_not_there_is_a_problem_of_the_link() {
    let section = Section { dest: Some(0), prefixes: vec![0], block: false, mtu: None, underlay: false };
    let mut world = world();
    world.netns.remove(&named("dest0"));
    let problems = converge(world, &load("one", &BTreeMap::from([(0, section)])), None).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].to_string(), "there is no namespace dest0 for ipsec0");
    assert_eq!(problems[0].place, Place::new(named("dest0"), "ipsec0".parse().unwrap()));
}

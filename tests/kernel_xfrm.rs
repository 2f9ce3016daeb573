//! XFRM interfaces: made in one namespace and put into another they stay bound to the first; text and deed are the same.

mod common;

use common::deed::text_is_deed;
use common::in_world;
use common::kinds::{SETUP, has, made_of};
use common::ops::*;
use common::{ip_json, sh};
use std::collections::BTreeSet;
use std::sync::Arc;
use systemd_netns::config;
use systemd_netns::kernel::{Kernel, Wanted};
use systemd_netns::model::{Desired, Kind, Netns, Place, State, Sysctl, Virtual, VirtualKind};
use systemd_netns::plan::{Op, converge, own, own_elsewhere, simulate, teardown};

fn born_in(birth: &Netns, parent: Option<Place>, id: &str) -> Kind {
    let Kind::Virtual(v) = made_of(VirtualKind::Xfrm, parent.clone(), &format!("if_id {id}")) else { unreachable!() };
    Kind::Virtual(Virtual { birth: Some(birth.clone()).filter(|_| parent.is_none()), ..v })
}

fn links() -> Vec<Op> {
    let add = |place, kind| Op::AddLink { place, kind };
    vec![
        add(host("here"), made_of(VirtualKind::Xfrm, None, "if_id 1")),
        add(host("onit"), made_of(VirtualKind::Xfrm, Some(host("p0")), "if_id 4294967295")),
        add(at(&inside("a"), "ipsec0"), born_in(&Netns::Host, None, "0x11")),
        add(at(&inside("a"), "ipsec1"), born_in(&Netns::Host, Some(host("p0")), "18")),
        add(host("back"), born_in(&inside("a"), None, "17")),
    ]
}

#[test]
fn they_are_made_as_the_text_says_and_seen_as_they_were_made() {
    if !has(VirtualKind::Xfrm) {
        return;
    }
    text_is_deed(SETUP, &links());
    in_world(|| {
        sh(SETUP);
        apply(&links());
        let seen = observe(&[Netns::Host, inside("a")]).state;
        for op in links() {
            let Op::AddLink { place, kind } = op else { unreachable!() };
            let have = seen.link(&place).and_then(|l| l.kind.clone());
            assert!(have.as_ref().is_some_and(|have| have.satisfies(&kind)), "wanted {kind:?}\nseen {have:?}");
            assert_eq!(seen.link(&place).unwrap().mtu, Some(1500), "{place}");
        }
    });
}

/// Its states are looked up where it was made: the kernel says so by the number of that namespace.
#[test]
fn it_stays_bound_to_where_it_was_made() {
    if !has(VirtualKind::Xfrm) {
        return;
    }
    in_world(|| {
        sh("ip netns add home; ip netns add dest");
        apply(&[Op::AddLink { place: at(&inside("dest"), "ipsec0"), kind: born_in(&inside("home"), None, "17") }]);
        let link = &ip_json("-n dest -d link show dev ipsec0")[0];
        assert!(link["link_netnsid"].is_number(), "{link}");
        // A second one of the same number cannot be made there, and can be made elsewhere.
        let again = Op::AddLink { place: at(&inside("dest"), "x"), kind: born_in(&inside("home"), None, "17") };
        assert!(Kernel::new().apply(&[again]).is_err());
        apply(&[Op::AddLink { place: at(&inside("dest"), "y"), kind: born_in(&inside("dest"), None, "17") }]);
    });
}

const INTERFACES: &str = "auto eth0\niface eth0 inet static\n address 192.0.2.2/24\n gateway 192.0.2.1\n";
const XFRM: &str = "[ipsec0]\nIfId = 17\nDestNetNS = dest\nPrefixes = 10.1.0.0/16, fd01::/48\n\
    [ipsec1]\nIfId = 0x12\nDestNetNS = dest\nUnderlayDev = eth0\nPrefixes = 10.2.0.0/16, fd02::/48\nBlockP2P = yes\n";

fn desired() -> Arc<Desired> {
    let root = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kernel-xfrm-{}", std::process::id()));
    let root =
        if root.parent().is_some_and(std::path::Path::exists) { root } else { std::env::temp_dir().join("xfrm") };
    let folder = root.join("etc/netns/law/network");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("interfaces"), INTERFACES).unwrap();
    std::fs::write(folder.join("xfrm"), XFRM).unwrap();
    config::load(&root, &name("law"), &config::Nothing).desired.expect("no mistake").into()
}

fn look(desired: &Desired) -> State {
    let mut wanted = Wanted { netns: [Netns::Host, inside("law"), inside("dest")].into(), ..Wanted::default() };
    let keys: BTreeSet<Sysctl> = desired.sysctls.iter().map(|(_, key, _)| key.clone()).collect();
    let of_links = desired.links.iter().filter(|l| l.place.netns == inside("dest")).flat_map(|l| &l.sysctls);
    wanted.sysctls.insert(inside("dest"), keys.into_iter().chain(of_links.map(|(key, _)| key.clone())).collect());
    Kernel::new().observe(&wanted).expect("observe").state
}

const WORLD: &str = "ip netns add wire; ip netns add dest; ip -n dest link set lo up
    ip link add eth0 address 02:00:00:00:00:01 type veth peer name eth0 netns wire
    ip -n wire link set eth0 up; ip link set eth0 up";

#[test]
fn the_laws_hold_for_a_file_with_two_sections() {
    if !has(VirtualKind::Xfrm) {
        return;
    }
    let desired = desired();
    let plan = in_world(|| {
        sh(WORLD);
        let before = look(&desired);
        let plan = converge(before.clone(), &desired, None).expect("no problem");
        let mut owned = own(&before.netns[&Netns::Host], Arc::clone(&desired), &plan, None);
        own_elsewhere(&mut owned, &before, &[]);
        Kernel::new().apply(&plan.ops).unwrap_or_else(|f| panic!("{}: {}", plan.ops[f.index], f.error));
        let after = look(&desired);
        assert!(after.satisfies(&desired.state()), "{plan}\n{after:#?}");
        let dest = |state: &State| {
            let netns = &state.netns[&inside("dest")];
            let mut routes: Vec<String> = netns.routes.iter().map(|r| format!("{r:?}")).collect();
            routes.sort();
            (netns.links.keys().copied().collect::<Vec<_>>(), routes, netns.rules.clone(), netns.sysctls.clone())
        };
        assert_eq!(dest(&after), dest(&simulate(&before, &plan)), "eyes = hands");
        let again = converge(after.clone(), &desired, Some(&owned)).expect("no problem");
        assert!(again.is_empty(), "a second plan: {again}");
        let down = teardown(after, &owned);
        Kernel::new().apply(&down.ops).unwrap_or_else(|f| panic!("{}: {}", down.ops[f.index], f.error));
        assert_eq!(dest(&look(&desired)), dest(&before), "{down}");
        plan
    });
    if let Some(plan) = plan {
        text_is_deed(WORLD, &plan.ops);
    }
}

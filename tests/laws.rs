//! The laws that need no kernel: a plan converges, a second one is empty, and a teardown leaves no trace.
//!
//! Host and files are generated; the kernel is [`simulate`]d. `tests/kernel_laws.rs` holds the simulation to the kernel.

mod worlds;

use proptest::prelude::*;
use std::collections::BTreeMap;
use systemd_netns::model::{Desired, Link, LinkName, Netns, Owned, Place, State, VirtualKind};
use systemd_netns::plan::{Before, LinkSetting, Op, converge, own, own_settings, settle, simulate, teardown};
use worlds::World;
use worlds::layers::Features;

fn world() -> impl Strategy<Value = World> {
    worlds::world(Features::ALL)
}

type Links = BTreeMap<LinkName, Link>;

fn start(world: &World) -> (State, Owned) {
    let plan = converge(world.host.clone(), &world.desired, None).expect("a generated world can be reached");
    let owned = own(&world.host.netns[&Netns::Host], world.desired.clone().into(), &plan, None);
    (simulate(&world.host, &plan), owned)
}

/// Links with the hardware addresses that bridges have there: a bridge's own may be its ports'.
fn known_macs(links: &Links, there: &Links) -> Links {
    let mut links = links.clone();
    for (name, link) in &mut links {
        if link.mac.is_none() && link.kind.as_ref().is_some_and(|k| k.is(VirtualKind::Bridge)) {
            link.mac = there.get(name).and_then(|l| l.mac);
        }
    }
    links
}

/// Two states are the same but for hardware addresses that the kernel draws.
fn assert_same(a: &State, b: &State) {
    assert_eq!(a.netns.keys().collect::<Vec<_>>(), b.netns.keys().collect::<Vec<_>>());
    for (name, x) in &a.netns {
        let y = &b.netns[name];
        assert_eq!(known_macs(&x.links, &y.links), y.links, "links of {name}");
        assert_eq!(x.addresses, y.addresses, "addresses of {name}");
        let sorted = |routes: &[systemd_netns::model::Route]| {
            let mut texts: Vec<String> = routes.iter().map(|r| format!("{r:?}")).collect();
            texts.sort();
            texts
        };
        assert_eq!(sorted(&x.routes), sorted(&y.routes), "routes of {name}");
        assert_eq!(x.rules, y.rules, "rules of {name}");
        assert_eq!(x.tables, y.tables, "tables of {name}");
        // A NIC that has moved has forgotten its own.
        for (key, value) in y.sysctls.iter().filter(|(key, _)| !key.link().is_some_and(|link| link.starts_with("nic")))
        {
            assert_eq!(x.sysctls.get(key), Some(value), "{key} of {name}");
        }
    }
}

proptest! {
    #[test]
    fn a_plan_converges(world in world()) {
        let (up, _) = start(&world);
        prop_assert!(up.satisfies(&world.desired.state()), "after:\n{up:#?}\ndesired:\n{:#?}", world.desired);
    }

    #[test]
    fn a_second_plan_is_empty(world in world()) {
        let (up, owned) = start(&world);
        let again = converge(up.clone(), &world.desired, Some(&owned)).expect("no problem");
        prop_assert!(again.is_empty(), "{again}");
    }

    #[test]
    fn a_teardown_leaves_no_trace(world in world()) {
        let (up, owned) = start(&world);
        let down = teardown(up.clone(), &owned);
        assert_same(&simulate(&up, &down), &world.host);
    }

    #[test]
    fn a_start_that_was_killed_anywhere_is_torn_down_without_a_trace(world in world(), cut in any::<prop::sample::Index>()) {
        let mut plan = converge(world.host.clone(), &world.desired, None).expect("a generated world can be reached");
        let owned = own(&world.host.netns[&Netns::Host], world.desired.clone().into(), &plan, None);
        plan.ops.truncate(cut.index(plan.ops.len() + 1));
        let half = simulate(&world.host, &plan);
        assert_same(&simulate(&half, &teardown(half.clone(), &owned)), &world.host);
    }

    #[test]
    fn a_reload_leads_from_any_files_to_any_others(a in world(), b in world()) {
        // The same host for both: what `b` needs and only its own host has is not asked for.
        let mut b = World { host: a.host.clone(), desired: b.desired };
        b.keep_possible();
        let (up, owned) = start(&a);
        let plan = converge(up.clone(), &b.desired, Some(&owned)).expect("no problem");
        let mut owned = own(&up.netns[&Netns::Host], b.desired.clone().into(), &plan, Some(owned));
        settle(&mut owned);
        let after = simulate(&up, &plan);
        prop_assert!(after.satisfies(&b.desired.state()), "plan:\n{plan}\nafter:\n{after:#?}\ndesired:\n{:#?}", b.desired);
        let again = converge(after.clone(), &b.desired, Some(&owned)).expect("no problem");
        prop_assert!(again.is_empty(), "second plan:\n{again}");
        assert_same(&simulate(&after, &teardown(after.clone(), &owned)), &a.host);
    }

    #[test]
    fn a_reload_that_was_killed_anywhere_is_finished_or_torn_down(
        (a, b, c) in (world(), world(), world()),
        cut in any::<prop::sample::Index>(),
    ) {
        let [b, c] = [b, c].map(|other| {
            let mut other = World { host: a.host.clone(), desired: other.desired };
            other.keep_possible();
            other.desired
        });
        let (up, owned) = start(&a);
        let mut plan = converge(up.clone(), &b, Some(&owned)).expect("no problem");
        let owned = own(&up.netns[&Netns::Host], b.clone().into(), &plan, Some(owned));
        plan.ops.truncate(cut.index(plan.ops.len() + 1));
        let half = simulate(&up, &plan);
        assert_same(&simulate(&half, &teardown(half.clone(), &owned)), &a.host);
        // What comes next: the same files, those of before, or others.
        for next in [&b, &a.desired, &c] {
            let plan = converge(half.clone(), next, Some(&owned)).expect("no problem");
            let mut owned = own(&half.netns[&Netns::Host], next.clone().into(), &plan, Some(owned.clone()));
            let after = simulate(&half, &plan);
            prop_assert!(after.satisfies(&next.state()), "plan:\n{plan}\nafter:\n{after:#?}\ndesired:\n{next:#?}");
            settle(&mut owned);
            let again = converge(after.clone(), next, Some(&owned)).expect("no problem");
            prop_assert!(again.is_empty(), "second plan:\n{again}");
            assert_same(&simulate(&after, &teardown(after.clone(), &owned)), &a.host);
        }
    }

    #[test]
    fn rules_are_there_before_the_first_link_is_up(world in world()) {
        let plan = converge(world.host.clone(), &world.desired, None).expect("a generated world can be reached");
        let at = |is: &dyn Fn(&Op) -> bool| plan.ops.iter().position(is);
        let inside = |place: &Place| place.netns != Netns::Host;
        let up = at(&|op| matches!(op, Op::SetLink { place, set: LinkSetting::Up(true) } if inside(place)));
        let loaded = at(&|op| matches!(op, Op::SetRuleset { .. }));
        prop_assert_eq!(loaded.is_some(), world.desired.ruleset.is_some());
        prop_assert!(loaded.is_none_or(|loaded| loaded < up.expect("lo goes up")), "{plan}");
        // The other way round on the host: nothing leads to what is not there.
        let table = at(&|op| matches!(op, Op::SetTable { .. }));
        prop_assert!(table.is_none_or(|table| table + 1 == plan.ops.len()), "{plan}");
        let (up, owned) = start(&world);
        let down = teardown(up, &owned);
        prop_assert_eq!(table.is_some(), matches!(down.ops.first(), Some(Op::SetTable { content: None, .. })));
    }

    #[test]
    fn what_another_needs_on_the_host_stays_until_it_goes(a in world(), b in world()) {
        // Only what both do to the host's settings: the second one finds what the first has changed.
        let (mut first, mut second) = (a.desired.clone(), b.desired);
        (first.links, first.rules, first.table) = (Vec::new(), Vec::new(), None);
        (second.links, second.rules, second.table) = (Vec::new(), Vec::new(), None);
        second.netns = "other".parse().unwrap();
        for (netns, ..) in &mut second.sysctls {
            if *netns != Netns::Host {
                *netns = Netns::Named(second.netns.clone());
            }
        }
        let host = Netns::Host;
        let begin = |now: &State, desired: &Desired, others: &[Before]| {
            let plan = converge(now.clone(), desired, None).expect("no problem");
            let mut owned = own(&now.netns[&host], desired.clone().into(), &plan, None);
            own_settings(&mut owned, others);
            (simulate(now, &plan), owned)
        };
        let end = |now: &State, owned: &Owned, others: &[Before]| {
            let mut plan = teardown(now.clone(), owned);
            plan.spare_settings(now, others, None);
            simulate(now, &plan)
        };
        let (one_up, one) = begin(&a.host, &first, &[]);
        let (both_up, two) = begin(&one_up, &second, std::slice::from_ref(&one.before.sysctls));
        let two_up = end(&both_up, &one, std::slice::from_ref(&two.before.sysctls));
        for (_, key, value) in second.sysctls.iter().filter(|(netns, ..)| *netns == host) {
            prop_assert_eq!(two_up.netns[&host].sysctls.get(key), Some(value), "{} is still needed", key);
        }
        assert_same(&end(&two_up, &two, &[]), &a.host);
    }

    #[test]
    fn nothing_but_our_own_is_touched_on_the_host(world in world()) {
        let plan = converge(world.host.clone(), &world.desired, None).expect("a generated world can be reached");
        let asked: Vec<_> = world.desired.sysctls.iter().map(|(_, key, _)| key.path()).collect();
        let named: Vec<_> = world.desired.links.iter().flat_map(|l| [l.place.link, l.host_name()]).collect();
        for op in &plan.ops {
            if let Some(Netns::Host) = op.netns() {
                let text = op.to_string();
                let is_asked = asked.iter().any(|key| text.contains(key));
                prop_assert!(is_asked || named.iter().any(|n| text.contains(n.as_str())), "{text}");
            }
        }
    }
}

//! Devices of routers in plans: attached once, again when they are told something else or their link is made anew, and detached before
//! the link goes. Worlds and files are generated; the kernel is simulated.

mod worlds;

use proptest::prelude::*;
use systemd_netns::model::{Device, DeviceMode, DeviceProtocol, Listen, Netns, Owned, Place, State};
use systemd_netns::plan::{Op, Plan, converge, own, settle, simulate, teardown};
use worlds::World;
use worlds::layers::Features;

fn device(mtu: u32) -> Device {
    Device {
        tunnel: None,
        router: Listen::Unix("/run/x.sock".into()),
        named: Some("emperor0".parse().unwrap()),
        mode: DeviceMode::Tun,
        protocol: DeviceProtocol::Descriptor,
        addresses: Vec::new(),
        mtu,
        rules_out: vec!["deny".into()],
        rules_in: Vec::new(),
        credentials: false,
    }
}

/// A world where some links are devices' that are told one of two things.
fn world() -> impl Strategy<Value = World> {
    let told = prop::collection::vec(prop::option::of(1280..1282u32), 64);
    (worlds::world(Features::ALL), told).prop_map(|(mut world, told)| {
        let inside = world.desired.links.iter_mut().filter(|link| link.place.netns != Netns::Host);
        for (link, told) in inside.zip(told) {
            link.device = told.map(device);
        }
        world
    })
}

fn start(world: &World) -> (State, Owned, Plan) {
    let plan = converge(world.host.clone(), &world.desired, None).expect("a generated world can be reached");
    let owned = own(&world.host.netns[&Netns::Host], world.desired.clone().into(), &plan, None);
    (simulate(&world.host, &plan), owned, plan)
}

fn attached(plan: &Plan) -> Vec<(Place, Device)> {
    let of = |op: &Op| match op {
        Op::AttachDevice { place, device } => Some((place.clone(), device.clone())),
        _ => None,
    };
    plan.ops.iter().filter_map(of).collect()
}

fn detached(plan: &Plan) -> Vec<&Place> {
    plan.ops.iter().filter_map(|op| if let Op::DetachDevice(place) = op { Some(place) } else { None }).collect()
}

fn wanted(world: &World) -> Vec<(Place, Device)> {
    world.desired.links.iter().filter_map(|link| Some((link.place.clone(), link.device.clone()?))).collect()
}

fn sorted(mut all: Vec<(Place, Device)>) -> Vec<(Place, Device)> {
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

proptest! {
    #[test]
    fn every_device_is_attached_once_and_a_second_plan_is_empty(world in world()) {
        let (up, owned, plan) = start(&world);
        prop_assert_eq!(sorted(attached(&plan)), sorted(wanted(&world)));
        prop_assert!(detached(&plan).is_empty());
        let again = converge(up, &world.desired, Some(&owned)).expect("no problem");
        prop_assert!(again.is_empty(), "{again}");
    }

    #[test]
    fn a_device_is_there_with_all_of_its_link(world in world()) {
        let (_, _, plan) = start(&world);
        for (place, _) in attached(&plan) {
            let at = plan.ops.iter().position(|op| matches!(op, Op::AttachDevice { place: p, .. } if *p == place)).unwrap();
            let later = plan.ops[at..].iter().find(|op| matches!(op, Op::AddAddress { place: p, .. } if *p == place));
            prop_assert!(later.is_none(), "{later:?} after it is attached: {plan}");
        }
    }

    #[test]
    fn every_device_is_detached_before_its_link_goes(world in world()) {
        let (up, owned, _) = start(&world);
        let down = teardown(up, &owned);
        let mut places: Vec<Place> = detached(&down).into_iter().cloned().collect();
        places.sort();
        prop_assert_eq!(places, sorted(wanted(&world)).into_iter().map(|(place, _)| place).collect::<Vec<_>>());
        for (i, op) in down.ops.iter().enumerate() {
            if let Op::DeleteLink(gone) | Op::MoveLink { from: gone, .. } = op {
                let late = down.ops[i..].iter().any(|op| matches!(op, Op::DetachDevice(place) if place == gone));
                prop_assert!(!late, "{gone} goes before its device: {down}");
            }
        }
    }

    #[test]
    fn a_reload_leaves_what_is_told_the_same(a in world(), b in world()) {
        let mut b = World { host: a.host.clone(), desired: b.desired };
        b.keep_possible();
        let (up, owned, _) = start(&a);
        let plan = converge(up.clone(), &b.desired, Some(&owned)).expect("no problem");
        // By the plan's word, in order: what is attached at the end.
        let mut now = wanted(&a);
        for op in &plan.ops {
            match op {
                Op::AttachDevice { place, device } => {
                    now.retain(|(p, _)| p != place);
                    now.push((place.clone(), device.clone()));
                }
                Op::DetachDevice(place) => now.retain(|(p, _)| p != place),
                _ => {}
            }
        }
        prop_assert_eq!(sorted(now), sorted(wanted(&b)), "{}", plan);
        let mut owned = own(&up.netns[&Netns::Host], b.desired.clone().into(), &plan, Some(owned));
        settle(&mut owned);
        let again = converge(simulate(&up, &plan), &b.desired, Some(&owned)).expect("no problem");
        prop_assert!(again.is_empty(), "second plan:\n{again}");
    }

    #[test]
    fn another_word_to_a_device_is_a_restart_of_it_alone(world in world()) {
        let (up, owned, _) = start(&world);
        let mut other = world.desired.clone();
        other.links.iter_mut().filter_map(|link| link.device.as_mut()).for_each(|device| device.credentials = true);
        let plan = converge(up, &other, Some(&owned)).expect("no problem");
        prop_assert_eq!(plan.ops.len(), wanted(&world).len(), "{}", plan);
        prop_assert!(plan.ops.iter().all(|op| matches!(op, Op::AttachDevice { .. })), "{plan}");
    }
}

//! Masters and their ports: what is printed, what is asked for and what is seen are the same.

mod common;

use common::deed::text_is_deed;
use common::kinds::{SETUP, can, change, has, has_vlan_filtering, made_of};
use common::ops::*;
use common::{in_world, sh};
use std::collections::BTreeSet;
use std::time::Duration;
use systemd_netns::kernel::Kernel;
use systemd_netns::model::{BridgeVlan, Kind, LinkOptions, LinkValue, Netns, PortOf, VirtualKind};
use systemd_netns::plan::{LinkSetting, Op, VlanRange};

fn port_options(of: PortOf, text: &str) -> LinkOptions {
    let one = |part: &str| {
        let (word, value) = part.split_once(' ').unwrap();
        (word.to_owned(), of.option(word).unwrap_or_else(|| panic!("{word}")).parse(value).unwrap())
    };
    text.split(", ").map(one).collect()
}

#[test]
fn ports_of_a_bridge_are_set_as_the_text_says() {
    let wanted = port_options(
        PortOf::Bridge,
        "cost 77, priority 5, hairpin on, guard on, root_block on, fastleave on, learning off, flood off, mcast_flood off, \
         bcast_flood off, mcast_to_unicast on, proxy_arp on, proxy_arp_wifi on, neigh_suppress on, isolated on, mcast_router 0, group_fwd_mask 8",
    );
    let port = host("p0");
    let mut ops = vec![
        Op::AddLink { place: host("br0"), kind: Kind::plain(VirtualKind::Bridge) },
        set(&port, LinkSetting::AddrGenMode(1)),
        set(&port, LinkSetting::Master(Some(link("br0")))),
        set(&port, LinkSetting::Port { of: PortOf::Bridge, options: wanted.clone() }),
    ];
    text_is_deed(SETUP, &ops);
    in_world(|| {
        sh(SETUP);
        apply(&ops);
        let seen = observe(&[Netns::Host]).state;
        let have = seen.link(&port).unwrap();
        for (word, value) in &wanted {
            assert_eq!(have.port.get(word), Some(value), "{word}");
        }
        assert_eq!((have.addrgenmode, have.master), (Some(1), Some(link("br0"))));
    });
    ops.push(set(&port, LinkSetting::AddrGenMode(0)));
    ops.push(set(
        &port,
        LinkSetting::Port { of: PortOf::Bridge, options: port_options(PortOf::Bridge, "learning on, cost 5") },
    ));
    text_is_deed(SETUP, &ops);
}

#[test]
fn membership_in_vlans_is_set_as_the_text_says() {
    if !has_vlan_filtering() {
        return;
    }
    let (port, br) = (host("p0"), host("br0"));
    let range = |first, last, pvid, untagged, of_the_bridge| VlanRange { first, last, pvid, untagged, of_the_bridge };
    let ops = [
        Op::AddLink { place: br.clone(), kind: made_of(VirtualKind::Bridge, None, "vlan_filtering 1") },
        set(&port, LinkSetting::Master(Some(link("br0")))),
        set(&port, LinkSetting::AddVlans(range(10, 20, false, false, false))),
        set(&port, LinkSetting::AddVlans(range(30, 30, true, true, false))),
        set(&port, LinkSetting::AddVlans(range(12, 13, false, true, false))),
        set(&port, LinkSetting::DeleteVlans(range(15, 18, false, false, false))),
        set(&port, LinkSetting::DeleteVlans(range(1, 1, false, false, false))),
        set(&br, LinkSetting::AddVlans(range(10, 11, false, false, true))),
        set(&br, LinkSetting::DeleteVlans(range(1, 1, false, false, true))),
    ];
    text_is_deed(SETUP, &ops);
    in_world(|| {
        sh(SETUP);
        apply(&ops);
        let seen = observe(&[Netns::Host]).state;
        let vlan = |id, pvid, untagged| BridgeVlan { id, pvid, untagged };
        let tagged = [10, 11, 14, 19, 20].map(|id| vlan(id, false, false));
        let others = [vlan(12, false, true), vlan(13, false, true), vlan(30, true, true)];
        let want: BTreeSet<BridgeVlan> = tagged.into_iter().chain(others).collect();
        assert_eq!(seen.link(&port).unwrap().vlans, Some(want));
        assert_eq!(seen.link(&br).unwrap().vlans, Some([vlan(10, false, false), vlan(11, false, false)].into()));
        assert_eq!(seen.link(&host("p1")).unwrap().vlans, None);
    });
}

#[test]
fn a_bond_takes_its_ports_as_the_text_says() {
    if !has(VirtualKind::Bond) {
        return;
    }
    let (bond, a, b) = (host("bond0"), host("p0"), host("p1"));
    let queue = LinkOptions::from([("queue_id".to_owned(), LinkValue::Number(2))]);
    let prio = can(
        "priorities of a bond's ports",
        "ip link add name b type bond mode 1; ip link add name p type veth peer name q
        ip link set p master b; ip link set p type bond_slave prio 5",
    );
    let mut ops = vec![
        Op::AddLink { place: bond.clone(), kind: made_of(VirtualKind::Bond, None, "mode 1, miimon 100") },
        set(&a, LinkSetting::Up(false)),
        set(&b, LinkSetting::Up(false)),
        set(&a, LinkSetting::Master(Some(link("bond0")))),
        set(&b, LinkSetting::Master(Some(link("bond0")))),
        set(&b, LinkSetting::Port { of: PortOf::Bond, options: queue.clone() }),
        set(&bond, LinkSetting::Up(true)),
        change(VirtualKind::Bond, &bond, "primary p1"),
    ];
    if prio {
        let options = LinkOptions::from([("prio".to_owned(), LinkValue::Number(7))]);
        ops.push(set(&b, LinkSetting::Port { of: PortOf::Bond, options }));
    }
    text_is_deed(SETUP, &ops);
    in_world(|| {
        sh(SETUP);
        apply(&ops);
        let seen = observe(&[Netns::Host]).state;
        let have = seen.link(&bond).and_then(|l| l.kind.as_ref()?.as_virtual()).unwrap();
        assert_eq!(have.options.get("primary"), Some(&LinkValue::Link(link("p1"))));
        let port = seen.link(&b).unwrap();
        assert_eq!((port.up, port.master), (Some(true), Some(link("bond0"))));
        assert_eq!(port.port.get("queue_id"), queue.get("queue_id"));
    });
}

#[test]
fn a_bridge_is_awaited_until_its_ports_forward() {
    in_world(|| {
        sh("ip link add name br0 type bridge stp_state 1 forward_delay 200; ip link add name p0 type veth peer name p1
            ip link set p0 master br0; ip link set p0 up; ip link set p1 up; ip link set br0 up");
        let wait = |limit| Op::AwaitForwarding { place: host("br0"), limit };
        Kernel::new().apply(&[wait(Duration::from_millis(1))]).expect("too long is no error");
        assert!(sh("ip -d link show p0").contains("state listening"));
        Kernel::new().apply(&[wait(Duration::from_secs(30))]).unwrap();
        assert!(sh("ip -d link show p0").contains("state forwarding"));
        sh(&wait(Duration::from_secs(1)).to_string());
    });
}

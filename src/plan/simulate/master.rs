//! Masters and their ports: what they do to one another.
//!
//! - A bridge without an MTU or hardware address of its own has the smallest of its ports'. Whether it was given one is not seen of
//!   a bridge. One that has something else was; of one that has just that, nobody knows what it will have when its ports change.
//! - A bond brings its ports up, gives them its MTU and hardware address, and takes the first one's if it has none itself. Ports that
//!   it frees are down and have what they had before, which is not known here.
//! - A VRF takes its members down and up again.

use super::super::op::VlanRange;
use super::link::{at, forget_mtu, link_mut, ports, put_mac, set_up};
use super::{drop_what_needs_up, in_netns};
use crate::model::{
    BridgeVlan, Kind, Link, LinkName, LinkOptions, LinkValue, MacAddr, Place, State, Virtual, VirtualKind,
};
use std::collections::BTreeSet;

/// What a bridge without ports has.
const BRIDGE_MTU: u32 = 1500;

pub(super) fn change(state: &mut State, place: &Place, new: Option<LinkName>) {
    if state.link(place).is_none_or(|l| l.master == new) {
        return;
    }
    leave(state, place);
    if let Some(new) = new {
        join(state, place, new);
    }
}

fn kind_of(state: &State, place: &Place) -> Option<VirtualKind> {
    Some(state.link(place)?.kind.as_ref()?.as_virtual()?.kind)
}

/// The bridge that a link is a port of.
pub(super) fn bridge_of(state: &State, port: &Place) -> Option<Place> {
    let bridge = at(&port.netns, state.link(port)?.master?);
    (kind_of(state, &bridge) == Some(VirtualKind::Bridge)).then_some(bridge)
}

/// A link is no port any more.
pub(super) fn leave(state: &mut State, place: &Place) {
    let Some(old) = state.link(place).and_then(|l| l.master) else { return };
    let master = at(&place.netns, old);
    let follows = (mtu_follows_ports(state, &master), mac_follows_ports(state, &master));
    if let Some(link) = link_mut(state, place) {
        link.master = None;
        link.port.clear();
    }
    match kind_of(state, &master) {
        Some(VirtualKind::Bridge) => {
            if let Some(link) = link_mut(state, place) {
                link.vlans =
                    link.vlans.take().filter(|_| link.kind.as_ref().is_some_and(|k| k.is(VirtualKind::Bridge)));
            }
            follow_ports(state, &master, follows);
        }
        Some(VirtualKind::Bond) => {
            let gone = LinkValue::Link(place.link);
            set_up(state, place, false);
            if let Some(link) = link_mut(state, place) {
                link.mtu = None;
            }
            put_mac(state, place, None);
            if ports(state, &master).is_empty() {
                put_mac(state, &master, None);
            }
            if let Some(bond) = link_mut(state, &master) {
                forget_active(bond);
                if let Some(Kind::Virtual(v)) = &mut bond.kind {
                    v.options.retain(|word, value| word != "primary" || *value != gone);
                }
            }
        }
        Some(VirtualKind::Vrf) => cycle(state, place),
        _ => {}
    }
}

fn join(state: &mut State, place: &Place, new: LinkName) {
    let master = at(&place.netns, new);
    let follows = (mtu_follows_ports(state, &master), mac_follows_ports(state, &master));
    if let Some(link) = link_mut(state, place) {
        link.master = Some(new);
    }
    let virtual_master = state.link(&master).and_then(|l| l.kind.as_ref()?.as_virtual()).cloned();
    match virtual_master {
        Some(bridge) if bridge.kind == VirtualKind::Bridge => {
            if let Some(link) = link_mut(state, place) {
                link.vlans = Some(default_vlans(&bridge));
                link.port = fresh_bridge_port();
            }
            follow_ports(state, &master, follows);
        }
        Some(bond) if bond.kind == VirtualKind::Bond => enslave(state, place, &master, &bond),
        Some(vrf) if vrf.kind == VirtualKind::Vrf => cycle(state, place),
        _ => {}
    }
}

fn enslave(state: &mut State, place: &Place, master: &Place, bond: &Virtual) {
    let number = |word: &str| match bond.options.get(word) {
        Some(LinkValue::Number(n)) => *n,
        _ => 0,
    };
    let (mtu, mut bond_mac) = state.link(master).map_or((None, None), |l| (l.mtu, l.mac));
    if bond_mac.is_none() && ports(state, master).len() == 1 {
        bond_mac = state.link(place).and_then(|l| l.mac);
        put_mac(state, master, bond_mac);
    }
    set_up(state, place, true);
    if let Some(bond) = link_mut(state, master) {
        forget_active(bond);
    }
    let Some(port) = link_mut(state, place) else { return };
    port.mtu = mtu;
    // Addresses are drawn and swapped anew while it balances by them.
    let balances = number("mode") >= 5;
    if balances {
        put_mac(state, place, None);
        put_mac(state, master, None);
    } else if number("fail_over_mac") == 0 {
        put_mac(state, place, bond_mac);
    }
}

/// Which of its ports a bond uses is its own choice, as long as nobody tells it.
fn forget_active(bond: &mut Link) {
    if let Some(Kind::Virtual(v)) = &mut bond.kind {
        v.options.remove("active_slave");
    }
}

/// The ports of a master that goes.
pub(super) fn release_ports(state: &mut State, master: &Place) {
    for port in ports(state, master) {
        leave(state, &at(&master.netns, port));
    }
}

/// Down and up again, if it is up.
fn cycle(state: &mut State, place: &Place) {
    if state.link(place).is_some_and(|l| l.up == Some(true)) {
        drop_what_needs_up(in_netns(state, &place.netns), place.link);
    }
}

/// A link has another hardware address: a bond's ports have it too, and its bridge may.
pub(super) fn set_mac(state: &mut State, place: &Place, mac: MacAddr) {
    let mac_followed = bridge_of(state, place).is_some_and(|bridge| mac_follows_ports(state, &bridge));
    put_mac(state, place, Some(mac));
    if kind_of(state, place) == Some(VirtualKind::Bond) {
        for port in ports(state, place) {
            put_mac(state, &at(&place.netns, port), Some(mac));
        }
    }
    if let Some(bridge) = bridge_of(state, place) {
        follow_ports(state, &bridge, (false, mac_followed));
    }
}

fn ports_of(state: &State, bridge: &Place) -> Vec<Link> {
    let names = ports(state, bridge);
    names.into_iter().filter_map(|name| state.link(&at(&bridge.netns, name)).cloned()).collect()
}

fn smallest<T: Ord + Copy>(all: impl Iterator<Item = Option<T>>) -> Option<T> {
    all.collect::<Option<Vec<T>>>()?.into_iter().min()
}

/// Whether a bridge's MTU may be that of its ports.
pub(super) fn mtu_follows_ports(state: &State, bridge: &Place) -> bool {
    let Some(link) = state.link(bridge) else { return false };
    link.mtu.is_none() || link.mtu == ports_mtu(&ports_of(state, bridge))
}

/// Whether a bridge's hardware address may be that of one of its ports.
fn mac_follows_ports(state: &State, bridge: &Place) -> bool {
    let (Some(link), ports) = (state.link(bridge), ports_of(state, bridge)) else { return false };
    ports.is_empty() || link.mac.is_none() || link.mac == smallest(ports.iter().map(|p| p.mac))
}

fn ports_mtu(ports: &[Link]) -> Option<u32> {
    if ports.is_empty() { Some(BRIDGE_MTU) } else { smallest(ports.iter().map(|p| p.mtu)) }
}

pub(super) fn follow_ports_mtu(state: &mut State, bridge: &Place) {
    follow_ports(state, bridge, (true, false));
}

/// What may follow the ports is not known any more, unless that makes no difference.
fn follow_ports(state: &mut State, bridge: &Place, (mtu, mac): (bool, bool)) {
    let ports = ports_of(state, bridge);
    let Some(link) = state.link(bridge) else { return };
    let (has_mac, has_mtu) = (link.mac, link.mtu);
    if mac && has_mac != smallest(ports.iter().map(|p| p.mac)) {
        put_mac(state, bridge, None);
    }
    if mtu && has_mtu != ports_mtu(&ports) {
        forget_mtu(state, bridge);
    }
}

/// What a port of a bridge, and the bridge itself, is a member of at first.
pub(super) fn default_vlans(bridge: &Virtual) -> BTreeSet<BridgeVlan> {
    default_pvid(bridge).map(|id| BridgeVlan { id, pvid: true, untagged: true }).into_iter().collect()
}

fn default_pvid(bridge: &Virtual) -> Option<u16> {
    match bridge.options.get("vlan_default_pvid") {
        Some(LinkValue::Number(n)) => u16::try_from(*n).ok().filter(|n| *n > 0),
        _ => Some(1),
    }
}

/// What a port is like at first; what it costs depends on its speed.
fn fresh_bridge_port() -> LinkOptions {
    let on = ["learning", "flood", "mcast_flood", "bcast_flood", "mcast_router"].map(|word| (word, 1));
    let off = ["hairpin", "guard", "root_block", "fastleave", "proxy_arp", "proxy_arp_wifi", "mcast_to_unicast"];
    let more = ["group_fwd_mask", "neigh_suppress", "vlan_tunnel", "isolated", "locked"];
    let off = off.into_iter().chain(more).map(|word| (word, 0));
    let all = on.into_iter().chain(off).chain([("priority", 32)]);
    all.map(|(word, n)| (word.to_owned(), LinkValue::Number(n))).collect()
}

/// A new PVID takes the place of the one before.
pub(super) fn add_vlans(link: &mut Link, range: &VlanRange) {
    let vlans = link.vlans.get_or_insert_default();
    let others = vlans.iter().filter(|v| !(range.first..=range.last).contains(&v.id));
    let mut all: BTreeSet<BridgeVlan> = others.map(|v| BridgeVlan { pvid: v.pvid && !range.pvid, ..*v }).collect();
    let VlanRange { pvid, untagged, .. } = *range;
    all.extend((range.first..=range.last).map(|id| BridgeVlan { id, pvid, untagged }));
    *vlans = all;
}

/// Options of a link; another VLAN by default takes the place of the former one in the bridge and its ports.
pub(super) fn set_options(state: &mut State, place: &Place, options: &LinkOptions) {
    let Some(Link { kind: Some(Kind::Virtual(v)), .. }) = link_mut(state, place) else { return };
    let (old, bridge) = (default_pvid(v), v.kind == VirtualKind::Bridge);
    v.options.extend(options.clone());
    let new = default_pvid(v);
    if !bridge || !options.contains_key("vlan_default_pvid") || new == old {
        return;
    }
    let all = ports(state, place).into_iter().chain([place.link]).collect::<Vec<_>>();
    for name in all {
        let Some(vlans) = link_mut(state, &at(&place.netns, name)).and_then(|l| l.vlans.as_mut()) else { continue };
        let by_default = |id: u16| BridgeVlan { id, pvid: true, untagged: true };
        let untouched = old.is_none_or(|old| vlans.contains(&by_default(old)));
        if !untouched || new.is_some_and(|new| vlans.iter().any(|v| v.id == new)) {
            continue;
        }
        vlans.retain(|v| Some(v.id) != old);
        vlans.extend(new.map(by_default));
    }
}

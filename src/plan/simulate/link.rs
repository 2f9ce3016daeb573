//! Links: made, deleted, moved, set.

use super::super::op::LinkSetting;
use super::{drop_what_needs_up, forget_traffic, in_netns, master};
use crate::model::{Kind, Link, LinkName, MacAddr, Netns, Place, State, Virtual, VirtualKind};

pub(super) fn add_link(state: &mut State, place: &Place, kind: &Kind) {
    let fresh = Link { kind: Some(kind.clone()), up: Some(false), mtu: Some(1500), ..Link::default() };
    let mut put = |place: &Place, link: Link| in_netns(state, &place.netns).links.insert(place.link, link);
    match kind {
        Kind::Veth { peer: Some(peer) } => {
            let kind = Some(Kind::Veth { peer: Some(place.clone()) });
            put(peer, Link { kind, ..fresh.clone() });
            put(place, fresh);
        }
        Kind::Vlan { parent: Some(parent), .. } => {
            let (mtu, mac) = state.link(parent).map_or((None, None), |l| (l.mtu, l.mac));
            in_netns(state, &place.netns).links.insert(place.link, Link { mtu, mac, ..fresh });
        }
        Kind::Virtual(v) => {
            let parent = v.parent.as_ref().and_then(|p| state.link(p));
            let (mtu, mac) = match v.kind {
                VirtualKind::Bridge | VirtualKind::Bond | VirtualKind::Dummy => (Some(1500), None),
                VirtualKind::Xfrm | VirtualKind::Tun | VirtualKind::Tap => (Some(1500), None),
                VirtualKind::Wireguard => (Some(1420), None),
                VirtualKind::Macvlan | VirtualKind::Macvtap => (parent.and_then(|p| p.mtu), None),
                VirtualKind::Ipvlan => (parent.and_then(|p| p.mtu), parent.and_then(|p| p.mac)),
                _ => (None, None),
            };
            let vlans = (v.kind == VirtualKind::Bridge).then(|| master::default_vlans(v));
            // Where it was made is not seen of a link that is there.
            let kind = Some(Kind::Virtual(Virtual { birth: None, ..v.clone() }));
            in_netns(state, &place.netns).links.insert(place.link, Link { kind, mtu, mac, vlans, ..fresh });
        }
        _ => {
            put(place, fresh);
        }
    }
}

pub(super) fn delete_link(state: &mut State, place: &Place) {
    master::release_ports(state, place);
    master::leave(state, place);
    let Some(link) = in_netns(state, &place.netns).links.remove(&place.link) else { return };
    forget_traffic(in_netns(state, &place.netns), place.link);
    for dependent in standing_on(state, place, |_| true) {
        delete_link(state, &dependent);
    }
    if let Some(Kind::Veth { peer: Some(peer) }) = link.kind {
        delete_link(state, &peer);
    }
}

/// Links that go when `parent` goes: VLANs, macvlan, ipvlan, VXLAN.
fn standing_on(state: &State, parent: &Place, which: impl Fn(&Kind) -> bool) -> Vec<Place> {
    let on_it = |l: &Link| {
        let kind = l.kind.as_ref().filter(|k| dies_with_parent(k) && k.tied_to() == Some(parent));
        kind.is_some_and(&which)
    };
    // There may be thousands of links, and each of them may be asked about.
    let all = state.netns.iter().flat_map(|(netns, s)| s.links.iter().map(move |(name, link)| (netns, name, link)));
    all.filter(|(.., link)| on_it(link)).map(|(netns, name, _)| at(netns, *name)).collect()
}

fn dies_with_parent(kind: &Kind) -> bool {
    matches!(kind, Kind::Vlan { .. }) || kind.as_virtual().is_some_and(|v| v.kind.dies_with_parent())
}

fn is_vlan(kind: &Kind) -> bool {
    matches!(kind, Kind::Vlan { .. })
}

/// A link that moves goes down and leaves its master. VLANs and their like stay where they are and still stand on it, but for
/// VXLANs, which go.
pub(super) fn move_link(state: &mut State, from: &Place, to: &Place) {
    if state.link(from).is_none() {
        return;
    }
    if from.netns != to.netns {
        for vxlan in standing_on(state, from, |k| k.is(VirtualKind::Vxlan)) {
            delete_link(state, &vxlan);
        }
        master::leave(state, from);
        set_up(state, from, false);
    }
    let Some(mut link) = in_netns(state, &from.netns).links.remove(&from.link) else { return };
    forget_traffic(in_netns(state, &from.netns), from.link);
    if from.netns != to.netns {
        link.vlans = None;
        // IPv6 begins anew there, as a namespace has it by default.
        link.addrgenmode = link.addrgenmode.map(|_| 0);
    }
    in_netns(state, &to.netns).links.insert(to.link, link);
    for netns in state.netns.values_mut() {
        for other in netns.links.values_mut() {
            match &mut other.kind {
                Some(Kind::Veth { peer: Some(place) } | Kind::Vlan { parent: Some(place), .. }) if place == from => {
                    *place = to.clone();
                }
                Some(Kind::Virtual(Virtual { parent: Some(place), .. })) if place == from => *place = to.clone(),
                _ => {}
            }
        }
    }
}

pub(super) fn set_link(state: &mut State, place: &Place, set: &LinkSetting) {
    match set {
        LinkSetting::Up(up) => return set_up(state, place, *up),
        LinkSetting::Mtu(mtu) => return set_mtu(state, place, *mtu),
        LinkSetting::Master(new) => return master::change(state, place, *new),
        LinkSetting::Mac(mac) => return master::set_mac(state, place, *mac),
        LinkSetting::Options { options, .. } => return master::set_options(state, place, options),
        _ => {}
    }
    let Some(link) = link_mut(state, place) else { return };
    match set {
        LinkSetting::Alias(text) => link.alias = (!text.is_empty()).then(|| text.clone()),
        LinkSetting::AddAltname(alt) => {
            link.altnames.insert(alt.clone());
        }
        LinkSetting::DeleteAltname(alt) => {
            link.altnames.remove(alt);
        }
        LinkSetting::Port { options, .. } => link.port.extend(options.clone()),
        LinkSetting::AddVlans(range) => master::add_vlans(link, range),
        LinkSetting::DeleteVlans(range) => {
            link.vlans.get_or_insert_default().retain(|v| !(range.first..=range.last).contains(&v.id));
        }
        LinkSetting::AddrGenMode(mode) => link.addrgenmode = Some(*mode),
        LinkSetting::Wireguard(wg) => link.wireguard = Some(wg.clone()),
        _ => {}
    }
}

pub(super) fn link_mut<'a>(state: &'a mut State, place: &Place) -> Option<&'a mut Link> {
    state.netns.get_mut(&place.netns)?.links.get_mut(&place.link)
}

/// VLANs follow their parent up and down.
pub(super) fn set_up(state: &mut State, place: &Place, up: bool) {
    let Some(netns) = state.netns.get_mut(&place.netns) else { return };
    let Some(link) = netns.links.get_mut(&place.link) else { return };
    let changes = link.up != Some(up);
    link.up = Some(up);
    if !up {
        drop_what_needs_up(netns, place.link);
    }
    if changes {
        for vlan in standing_on(state, place, is_vlan) {
            set_up(state, &vlan, up);
        }
    }
}

/// What stands on a link is not larger than it; a bond's ports are as large as it is.
pub(super) fn set_mtu(state: &mut State, place: &Place, mtu: u32) {
    let bridge = master::bridge_of(state, place);
    let follows = bridge.as_ref().is_some_and(|b| master::mtu_follows_ports(state, b));
    let Some(link) = link_mut(state, place) else { return };
    link.mtu = Some(mtu);
    let bond = link.kind.as_ref().is_some_and(|k| k.is(VirtualKind::Bond));
    for child in standing_on(state, place, |_| true) {
        let Some(link) = link_mut(state, &child) else { continue };
        let ipvlan = link.kind.as_ref().is_some_and(|k| k.is(VirtualKind::Ipvlan));
        let vxlan = link.kind.as_ref().is_some_and(|k| k.is(VirtualKind::Vxlan));
        if !vxlan && (ipvlan || link.mtu.is_some_and(|m| m > mtu)) {
            set_mtu(state, &child, mtu);
        }
    }
    if bond {
        for port in ports(state, place) {
            set_mtu(state, &Place::new(place.netns.clone(), port), mtu);
        }
    }
    if let Some(bridge) = bridge.filter(|_| follows) {
        master::follow_ports_mtu(state, &bridge);
    }
}

/// A link has another hardware address. Those of VLANs and their like may follow it, or not.
pub(super) fn put_mac(state: &mut State, place: &Place, mac: Option<MacAddr>) {
    let Some(link) = link_mut(state, place) else { return };
    if link.mac == mac {
        return;
    }
    link.mac = mac;
    for child in standing_on(state, place, |k| is_vlan(k) || k.is(VirtualKind::Ipvlan)) {
        put_mac(state, &child, None);
    }
}

/// A link's MTU is not known any more, nor that of what stands on it.
pub(super) fn forget_mtu(state: &mut State, place: &Place) {
    let all = standing_on(state, place, |k| !k.is(VirtualKind::Vxlan));
    for place in all.iter().chain([place]) {
        if let Some(link) = link_mut(state, place) {
            link.mtu = None;
        }
    }
}

/// The ports of a master.
pub(super) fn ports(state: &State, master: &Place) -> Vec<LinkName> {
    let links = state.netns.get(&master.netns).map(|n| &n.links).into_iter().flatten();
    links.filter(|(_, l)| l.master == Some(master.link)).map(|(name, _)| *name).collect()
}

/// A link of a namespace.
pub(super) fn at(netns: &Netns, link: LinkName) -> Place {
    Place::new(netns.clone(), link)
}

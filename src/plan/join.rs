//! Links and their masters; and what a link of options is to be like.
//!
//! Joining and leaving a master takes addresses and routes away, and so does a change that needs the link down. Of links that were
//! there before, both are therefore done before anybody looks at addresses and routes.

use super::Problem;
use super::mend::Draft;
use super::op::{LinkSetting, Op, VlanRange};
use crate::model::{
    BridgeVlan, Change, Desired, DesiredLink, Kind, Link, LinkName, LinkOptions, LinkValue, Owned, Place, PortOf,
    Virtual, VirtualKind,
};
use std::collections::BTreeSet;

/// What cannot wait until a link that was there before is configured.
pub(super) fn settle_in(draft: &mut Draft, link: &DesiredLink, owned: Option<&Owned>) {
    let place = &link.place;
    let Some(have) = draft.now.link(place) else { return };
    let mut masters = owned.into_iter().flat_map(|o| o.at(place)).filter_map(|was| was.link.master);
    match link.link.master {
        None if masters.any(|ours| have.master == Some(ours)) => draft.set(place, LinkSetting::Master(None)),
        Some(master) if draft.now.link(&Place::new(place.netns.clone(), master)).is_some() => {
            draft.join(place, Some(master));
        }
        _ => {}
    }
    // A bridge that has lost all its ports has lost its hardware address too, and can be in no VLAN without one.
    let is_bridge = draft.virtual_kind(place) == Some(VirtualKind::Bridge);
    let mac = draft.now.link(place).and_then(|l| l.mac);
    if let Some(wanted) = link.link.mac.filter(|_| is_bridge && mac != link.link.mac) {
        draft.set(place, LinkSetting::Mac(wanted));
    }
    // Another VLAN by default touches ports whose own are seen to later.
    draft.mend_options(place, &link.link, |change| change != Change::WithPorts);
}

/// Ports come before their master; where it is made after commands of its own, they join it then.
pub(super) fn gather_ports(draft: &mut Draft, master: &DesiredLink, desired: &Desired) {
    let name = Some(master.place.link);
    for port in desired.links.iter().filter(|l| l.link.master == name && l.place.netns == master.place.netns) {
        if draft.now.link(&port.place).is_some() {
            draft.mend_down(&port.place, &port.link, None);
            draft.mend_up(&port.place, &port.link);
        }
    }
}

/// A master that is not there and that nothing is going to make.
pub(super) fn missing_masters<'a>(draft: &Draft, desired: &'a Desired) -> Vec<Problem> {
    let missing = |link: &&'a DesiredLink| {
        let Some(master) = link.link.master.map(|m| Place::new(link.place.netns.clone(), m)) else { return false };
        let a_command_may_make_it = link.stanzas.iter().any(|s| !s.pre_up.is_empty());
        !a_command_may_make_it && draft.now.link(&master).is_none() && desired.link(&master).is_none()
    };
    let problem = |link: &DesiredLink| {
        let master = link.link.master.map(|m| m.to_string()).unwrap_or_default();
        Problem::new(&link.place, format!("{} is to be a port of {master}, which does not exist", link.place))
    };
    desired.links.iter().filter(missing).map(problem).collect()
}

/// A kind as a new link of it begins: with what ip-link(8) adds, without what only means something once it has ports.
pub(super) fn newborn(kind: &Kind) -> Kind {
    let Kind::Virtual(v) = kind else { return kind.clone() };
    let mut v = v.clone();
    v.options.retain(|word, _| v.kind.option(word).is_none_or(|option| option.change != Change::WithPorts));
    v.complete();
    Kind::Virtual(v)
}

impl Draft {
    pub(super) fn set(&mut self, place: &Place, set: LinkSetting) {
        self.push(Op::SetLink { place: place.clone(), set });
    }

    /// Whether a link's master is yet to be made.
    pub(super) fn waits_for_master(&self, place: &Place, want: &Link) -> bool {
        want.master.is_some_and(|master| self.unborn.contains(&Place::new(place.netns.clone(), master)))
    }

    /// Makes a link a port of a master; a bond takes it only while it is down.
    pub(super) fn join(&mut self, place: &Place, master: Option<LinkName>) {
        let have = self.now.link(place);
        if master.is_none() || have.is_some_and(|l| l.master == master) {
            return;
        }
        let may_be_up = have.is_some_and(|l| l.up != Some(false));
        let is_bond = |m| self.virtual_kind(&Place::new(place.netns.clone(), m)) == Some(VirtualKind::Bond);
        if may_be_up && master.is_some_and(is_bond) {
            self.set(place, LinkSetting::Up(false));
        }
        self.set(place, LinkSetting::Master(master));
    }

    pub(super) fn virtual_kind(&self, place: &Place) -> Option<VirtualKind> {
        Some(self.now.link(place)?.kind.as_ref()?.as_virtual()?.kind)
    }

    /// Changes the options that are otherwise and that `which` names. One that is changed while the link is down leaves it as it was.
    pub(super) fn mend_options(&mut self, place: &Place, want: &Link, which: impl Fn(Change) -> bool) {
        let virtual_of = |link: &Link| link.kind.as_ref().and_then(Kind::as_virtual).cloned();
        let Some(want) = virtual_of(want) else { return };
        let Some(link) = self.now.link(place) else { return };
        let (have, up) = (virtual_of(link).unwrap_or_else(|| Virtual::plain(want.kind)), link.up == Some(true));
        let differing = have.differing(&want).filter(|(option, _)| option.is_changeable() && which(option.change));
        let differing: Vec<_> = differing.collect();
        if differing.is_empty() {
            return;
        }
        let needs_down = up && differing.iter().any(|(option, _)| option.change == Change::WhenDown);
        let options: LinkOptions = differing.iter().map(|(o, v)| (o.word.to_owned(), (*v).clone())).collect();
        if needs_down {
            self.set(place, LinkSetting::Up(false));
        }
        self.set(place, LinkSetting::Options { kind: want.kind, options });
        if needs_down {
            self.set(place, LinkSetting::Up(true));
        }
    }

    /// What a port is as such.
    pub(super) fn mend_port(&mut self, place: &Place, want: &Link) {
        let Some(have) = self.now.link(place) else { return };
        let differs = |(word, value): &(&String, &LinkValue)| have.port.get(*word) != Some(value);
        let options: LinkOptions =
            want.port.iter().filter(differs).map(|(word, value)| (word.clone(), value.clone())).collect();
        let master = have.master.and_then(|m| self.virtual_kind(&Place::new(place.netns.clone(), m)));
        let of = match master {
            Some(VirtualKind::Bridge) => Some(PortOf::Bridge),
            Some(VirtualKind::Bond) => Some(PortOf::Bond),
            _ => options.keys().find_map(|word| PortOf::of(word)),
        };
        if let Some(of) = of.filter(|_| !options.is_empty()) {
            self.set(place, LinkSetting::Port { of, options });
        }
    }

    /// The VLANs that a port or a bridge is a member of.
    pub(super) fn mend_vlans(&mut self, place: &Place, want: &Link) {
        let Some(want) = &want.vlans else { return };
        let Some(link) = self.now.link(place) else { return };
        let of_the_bridge = link.master.is_none() && self.virtual_kind(place) == Some(VirtualKind::Bridge);
        let have = link.vlans.clone().unwrap_or_default();
        for range in ranges(want.difference(&have), of_the_bridge) {
            self.set(place, LinkSetting::AddVlans(range));
        }
        let wanted: BTreeSet<u16> = want.iter().map(|v| v.id).collect();
        let gone: Vec<BridgeVlan> = have.into_iter().filter(|v| !wanted.contains(&v.id)).collect();
        // What they were like does not matter any more.
        let alike: Vec<BridgeVlan> =
            gone.iter().map(|v| BridgeVlan { id: v.id, pvid: false, untagged: false }).collect();
        for range in ranges(alike.iter(), of_the_bridge) {
            self.set(place, LinkSetting::DeleteVlans(range));
        }
    }

    /// Whether a bridge or one of its ports was changed in a way that makes ports begin to listen.
    pub(super) fn was_stirred(&self, bridge: &Place) -> bool {
        let port = |place: &Place| {
            place.netns == bridge.netns && self.now.link(place).is_some_and(|l| l.master == Some(bridge.link))
        };
        self.plan.ops.iter().any(|op| match op {
            Op::SetLink { place, set: LinkSetting::Up(true) } => place == bridge || port(place),
            Op::SetLink { place, set: LinkSetting::Master(Some(_)) } => port(place),
            _ => false,
        })
    }
}

/// Neighbours that are alike, as ranges; the one that untagged frames come in as stands alone.
fn ranges<'a>(vlans: impl Iterator<Item = &'a BridgeVlan>, of_the_bridge: bool) -> Vec<VlanRange> {
    let mut ranges: Vec<VlanRange> = Vec::new();
    for vlan in vlans {
        match ranges.last_mut() {
            Some(r)
                if r.last.checked_add(1) == Some(vlan.id) && !r.pvid && !vlan.pvid && r.untagged == vlan.untagged =>
            {
                r.last = vlan.id;
            }
            _ => {
                let BridgeVlan { id, pvid, untagged } = *vlan;
                ranges.push(VlanRange { first: id, last: id, pvid, untagged, of_the_bridge });
            }
        }
    }
    ranges
}

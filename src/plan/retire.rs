//! Links that are no longer wanted: commands are run, what was made is deleted, what was taken goes back as it was.

use super::mend::Draft;
use super::op::{LinkSetting, Op, Phase};
use crate::model::{Desired, DesiredLink, Kind, Link, LinkName, Netns, NetnsState, Owned, Place, Presence, Taken};

/// What the record has and the files no longer ask for.
pub(super) fn retire_unwanted(draft: &mut Draft, owned: &Owned, desired: &Desired) {
    let gone = |place: &Place| desired.link(place).is_none();
    for link in owned.links().into_iter().rev().filter(|l| gone(&l.place)) {
        down_commands(draft, link, owned);
        let place = &link.place;
        if let Some(taken) = owned.taken.iter().find(|t| t.place == *place) {
            give_back(draft, taken, owned);
        } else if owned.made.contains(place) {
            delete(draft, place);
        } else if is_borrowed(link, owned) {
            restore(draft, place, &owned.before);
        }
    }
}

/// Whether a link of the host is changed where it is; one that another version moves in goes back from there.
pub(super) fn is_borrowed(link: &DesiredLink, owned: &Owned) -> bool {
    link.presence == Presence::Borrowed && !owned.taken.iter().any(|taken| taken.name == link.place.link)
}

/// `pre-down`, the client's end, then `post-down`, stanza by stanza; the device's end last. Commands of the latter find the link down, as ifdown leaves it.
pub(super) fn down_commands(draft: &mut Draft, link: &DesiredLink, owned: &Owned) {
    for stanza in &link.stanzas {
        draft.run(&link.place, stanza, Phase::PreDown);
        if let Some(dhcp) = &stanza.dhcp {
            draft.stop_dhcp(&link.place, dhcp);
        }
        if stanza.post_down.is_empty() {
            continue;
        }
        let up = draft.now.link(&link.place).and_then(|l| l.up) == Some(true);
        if up && !link.place.link.is_loopback() && link.presence != Presence::Borrowed {
            draft.push(Op::SetLink { place: link.place.clone(), set: LinkSetting::Up(false) });
        }
        draft.run(&link.place, stanza, Phase::PostDown);
    }
    // After the commands of this link, which may still need the network; those of others come before by their order.
    detach(draft, &link.place, owned);
}

/// Ends the device that any version had there.
pub(super) fn detach(draft: &mut Draft, place: &Place, owned: &Owned) {
    if owned.at(place).any(|link| link.device.is_some()) {
        draft.push(Op::DetachDevice(place.clone()));
    }
}

/// Deletes a link that this program made, unless it went with its other end.
pub(super) fn delete(draft: &mut Draft, place: &Place) {
    if draft.now.link(place).is_some_and(|l| !l.kind.as_ref().is_some_and(Kind::is_physical)) {
        draft.push(Op::DeleteLink(place.clone()));
    }
}

/// Moves a link back to the host, under its own name or a free one, and restores what it had there.
pub(super) fn give_back(draft: &mut Draft, taken: &Taken, owned: &Owned) {
    let before = &owned.before;
    let Some(inside) = find(draft, taken, owned) else {
        let home = Place::new(Netns::Host, taken.name);
        if draft.now.link(&home).is_some() {
            restore(draft, &home, before);
        } else {
            draft.note(format!("{} is gone: it is neither in {} nor on the host", taken.name, taken.place.netns));
        }
        return;
    };
    let name = home_name(draft, taken.name);
    let home = Place::new(Netns::Host, name);
    draft.push(Op::MoveLink { from: inside, to: home.clone() });
    match before.links.get(&taken.name) {
        Some(link) => restore_as(draft, &home, taken.name, link, before),
        None => draft.note(format!("{} was not recorded: it comes back without addresses", taken.name)),
    }
}

/// Physical links that somebody else put into the namespace; left there, the kernel would rename them at will.
pub(super) fn evict(draft: &mut Draft, netns: &Netns) {
    let Some(inside) = draft.now.netns.get(netns) else { return };
    let strangers: Vec<LinkName> =
        inside.links.iter().filter(|(_, l)| l.kind == Some(Kind::Physical)).map(|(name, _)| *name).collect();
    for name in strangers {
        draft.note(format!("{name} was moved into {netns} by somebody else: it goes to the host"));
        let to = Place::new(Netns::Host, home_name(draft, name));
        draft.push(Op::MoveLink { from: Place::new(netns.clone(), name), to });
    }
}

/// Where a taken link is now: at its place, or renamed by somebody, recognised by the hardware address that it had or was given.
fn find(draft: &Draft, taken: &Taken, owned: &Owned) -> Option<Place> {
    if draft.now.link(&taken.place).is_some() {
        return Some(taken.place.clone());
    }
    let was = owned.before.links.get(&taken.name)?;
    let given = owned.desired.link(&taken.place).and_then(|l| l.link.mac);
    let kind = was.kind.as_ref()?.name();
    let inside = draft.now.netns.get(&taken.place.netns)?;
    let explained = |place: &Place| owned.made.contains(place) || owned.taken.iter().any(|t| t.place == *place);
    let same = |l: &Link| {
        l.mac.is_some_and(|mac| was.mac == Some(mac) || given == Some(mac))
            && l.kind.as_ref().is_some_and(|k| k.name() == kind)
    };
    let mut places =
        inside.links.iter().filter(|(_, l)| same(l)).map(|(n, _)| Place::new(taken.place.netns.clone(), *n));
    places.find(|place| !explained(place))
}

/// The name on the host, or a free `devN`, as the kernel itself would choose.
fn home_name(draft: &mut Draft, name: LinkName) -> LinkName {
    let taken = |name: LinkName| draft.now.netns.get(&Netns::Host).is_some_and(|host| host.has_name(name));
    if !taken(name) {
        return name;
    }
    let free = (0..).filter_map(|n| format!("dev{n}").parse().ok()).find(|n| !taken(*n)).unwrap_or(name);
    draft.note(format!("the name {name} is taken on the host: the link comes back as {free}"));
    free
}

/// Restores a link that never left the host.
pub(super) fn restore(draft: &mut Draft, home: &Place, before: &NetnsState) {
    if let Some(link) = before.links.get(&home.link) {
        restore_as(draft, home, home.link, link, before);
    }
}

/// Gives `home` the properties, addresses and routes that `before` has under `name`.
fn restore_as(draft: &mut Draft, home: &Place, name: LinkName, link: &Link, before: &NetnsState) {
    let Some(have) = draft.now.link(home).cloned() else { return };
    for extra in have.altnames.difference(&link.altnames) {
        let set = LinkSetting::DeleteAltname(extra.clone());
        draft.push(Op::SetLink { place: home.clone(), set });
    }
    let master = link.master.filter(|m| draft.now.link(&Place::new(Netns::Host, *m)).is_some());
    if let Some(lost) = link.master.filter(|_| master.is_none()) {
        draft.note(format!("{name} was a port of {lost}, which is gone"));
    }
    let alias = link.alias.clone().or_else(|| have.alias.as_ref().map(|_| String::new()));
    if link.master.is_none() && have.master.is_some() {
        draft.set(home, LinkSetting::Master(None));
    }
    // What a port of a master that is gone was like means nothing; keys are nobody's to restore.
    let (port, vlans) =
        if master == link.master { (link.port.clone(), link.vlans.clone()) } else { Default::default() };
    draft.mend_down(home, &Link { alias, master, port, vlans, wireguard: None, ..link.clone() }, None);
    draft.mend_up(home, link);
    let now = draft.now.netns.get(&Netns::Host).cloned().unwrap_or_default();
    for address in before.addresses_of(name) {
        if !now.addresses_of(home.link).iter().any(|a| a.key() == address.key()) {
            draft.push(Op::AddAddress { place: home.clone(), address: address.clone() });
        }
    }
    if link.up != Some(true) {
        return;
    }
    // Routes without a next hop first: the others may need them.
    let (direct, others): (Vec<_>, Vec<_>) =
        before.routes.iter().filter(|r| r.link == Some(name)).partition(|r| r.via.is_none());
    for route in direct.into_iter().chain(others) {
        let route = crate::model::Route { link: Some(home.link), ..route.clone() };
        if !now.routes.contains(&route) {
            draft.push(Op::AddRoute { netns: Netns::Host, route });
        }
    }
}

//! From the current state to the desired one.
//!
//! First every link arrives: it is found, moved in from the host, or made, what it stands on before it. One whose commands come
//! first is made once they have run, and its ports join it then. Then each is configured, stanza by stanza, commands in their
//! places as ifupdown has them. What the files no longer ask for goes last, so that an address or a next hop is replaced without
//! a moment in which there is none.

use super::join::{gather_ports, missing_masters, newborn, settle_in};
use super::mend::Draft;
use super::op::{Op, Phase, Plan};
use super::order::order;
use super::retire::retire_unwanted;
use super::settings::{forget_sysctls, load_ruleset, restore_host, set_early, set_sysctls, set_table};
use super::shared::rules;
use super::tables::Tables;
use super::{Problem, retire, shared};
use crate::model::{
    Desired, DesiredLink, Dhcp, Kind, Netns, Owned, Place, Presence, Stanza, State, Virtual, VirtualKind,
};
use std::collections::BTreeSet;

/// The changes that lead from `current` to `desired`, given what was applied before (`owned`); or why there are none.
pub fn converge(current: State, desired: &Desired, owned: Option<&Owned>) -> Result<Plan, Vec<Problem>> {
    let ordered = order(&desired.links)?;
    let mut draft = Draft::new(current);
    draft.problems = shared::missing(&draft, desired);
    for netns in desired.made_netns() {
        if let Some(name) = netns.name().filter(|_| !draft.now.netns.contains_key(&netns)) {
            draft.push(Op::AddNetns(name.clone()));
        }
    }
    let all = Netns::Named(desired.netns.clone());
    let was_for_all = owned.map(|o| &o.desired.scripts);
    let same_for_all = owned.is_some_and(|o| o.versions().all(|was| was.scripts.same_commands(&desired.scripts)));
    if !same_for_all {
        was_for_all.iter().for_each(|was| draft.run_for_all(&all, was, Phase::PreDown));
    }
    if let Some(owned) = owned {
        retire_unwanted(&mut draft, owned, desired);
    }
    if !same_for_all {
        was_for_all.iter().for_each(|was| draft.run_for_all(&all, was, Phase::PostDown));
    }
    names(&mut draft, desired, owned);
    if !same_for_all {
        draft.run_for_all(&all, &desired.scripts, Phase::PreUp);
    }
    set_early(&mut draft, desired);
    let mut fresh = BTreeSet::new();
    for link in &ordered {
        if arrive(&mut draft, link, desired, owned) {
            fresh.insert(&link.place);
        }
    }
    let missing = missing_masters(&draft, desired);
    draft.problems.extend(missing);
    if !draft.problems.is_empty() {
        return Err(draft.problems);
    }
    load_ruleset(&mut draft, desired, owned);
    for link in ordered.iter().filter(|link| !fresh.contains(&link.place)) {
        settle_in(&mut draft, link, owned);
    }
    let mut tables = Tables::take(&mut draft, desired, owned);
    for link in &ordered {
        configure(&mut draft, link, (desired, owned), fresh.contains(&link.place), &mut tables);
    }
    draft.finish_waits();
    rules(&mut draft, desired, owned);
    mend_what_followed(&mut draft, desired);
    tables.raise_fallen(&mut draft, desired);
    tables.drop_obsolete(&mut draft);
    if let Some(owned) = owned {
        shared::restore_settings(&mut draft, owned, Some(desired));
        restore_host(&mut draft, owned, Some(desired));
    }
    set_table(&mut draft, desired, owned);
    if !same_for_all {
        draft.run_for_all(&all, &desired.scripts, Phase::PostUp);
    }
    Ok(draft.plan)
}

/// A bridge has the MTU that it was given no longer for certain once a port has left it for a master that is made late.
fn mend_what_followed(draft: &mut Draft, desired: &Desired) {
    for link in &desired.links {
        if draft.virtual_kind(&link.place) == Some(VirtualKind::Bridge) {
            draft.mend_mtu(&link.place, &link.link);
        }
    }
}

/// The namespace's resolv.conf. Clients that are going to be started add to it.
fn names(draft: &mut Draft, desired: &Desired, owned: Option<&Owned>) {
    let of = |desired: &Desired| desired.has_resolv().then(|| desired.resolv.clone());
    let want = of(desired);
    let differs = owned.map_or(want.is_some(), |o| o.versions().any(|was| of(was) != want));
    if differs {
        draft.push(Op::SetResolv { netns: desired.netns.clone(), resolv: want });
    }
}

/// Sees to it that a link is at its place; tells whether that is news.
fn arrive(draft: &mut Draft, link: &DesiredLink, desired: &Desired, owned: Option<&Owned>) -> bool {
    let place = &link.place;
    if link.presence == Presence::OnlyAName {
        return owned.is_none_or(|o| o.desired.link(place).is_none());
    }
    let ours = owned.is_some_and(|o| o.made.contains(place));
    match (&link.link.kind, draft.now.link(place)) {
        // One of the host's would be changed, and never put back.
        (Some(kind @ Kind::Virtual(_)), Some(_)) if place.netns == Netns::Host && !ours => {
            let what = format!("there is a link {} on the host that was not made for {}", place.link, desired.netns);
            let help =
                format!("choose another name for the {}, or delete it: ip link delete {}", kind.name(), place.link);
            draft.problems.push(Problem::new(place, what).help(help));
            false
        }
        (None, Some(_)) => false,
        (None, None) => move_in(draft, link, desired),
        (Some(kind), Some(have))
            if have.kind.as_ref().is_some_and(|k| k.can_become(kind)) && same_birth(kind, place, owned) =>
        {
            // A pair was just made from its other end, or it was there already.
            let just_made = |op: &Op| matches!(op, Op::AddLink { kind, .. } if kind.tied_to() == Some(place));
            draft.plan.ops.iter().any(just_made)
        }
        (Some(kind), Some(_)) => {
            if !ours {
                let what = format!("{place} exists and is not the {} that the file asks for", kind.name());
                draft.problems.push(Problem::new(place, what));
                return false;
            }
            retire::delete(draft, place);
            make(draft, link, kind, owned)
        }
        (Some(kind), None) => make(draft, link, kind, owned),
    }
}

/// Whether a link was made in the namespace where it would be made now; that is not seen of the link itself.
fn same_birth(kind: &Kind, place: &Place, owned: Option<&Owned>) -> bool {
    let birth = |v: &Virtual| v.made_in(&place.netns).clone();
    let mut was = owned.into_iter().flat_map(|o| o.at(place)).filter_map(|was| was.link.kind.as_ref()?.as_virtual());
    kind.as_virtual().is_none_or(|now| was.all(|was| birth(now) == birth(was)))
}

/// A link that exists, on the host; or one that a command is going to make.
fn move_in(draft: &mut Draft, link: &DesiredLink, desired: &Desired) -> bool {
    let place = &link.place;
    let home = Place::new(Netns::Host, link.host_name());
    let there = place.netns != Netns::Host && !home.link.is_loopback() && draft.now.link(&home).is_some();
    if !there {
        if link.presence != Presence::MadeByCommand {
            draft.problems.push(missing(link));
        }
        return true;
    }
    let lost: Vec<String> = draft
        .now
        .places()
        .filter(|(p, l)| {
            let on_it = l.kind.as_ref().is_some_and(|k| !matches!(k, Kind::Veth { .. }) && k.tied_to() == Some(&home));
            // One of the same name that is wanted inside moves too, or is made anew there.
            on_it && desired.link(p).is_none() && !desired.links.iter().any(|l| l.host_name() == p.link)
        })
        .map(|(p, _)| p.to_string())
        .collect();
    if !lost.is_empty() {
        let what = format!("{} carries {}, which would lose it when it moves", home.link, lost.join(", "));
        draft.problems.push(
            Problem::new(place, what).help("name them in the namespace's file too, or delete them on the host first"),
        );
        return false;
    }
    draft.push(Op::MoveLink { from: home, to: place.clone() });
    true
}

fn missing(link: &DesiredLink) -> Problem {
    let place = &link.place;
    match place.netns {
        Netns::Host => Problem::new(place, format!("link {} does not exist on the host", place.link)),
        Netns::Named(_) => {
            Problem::new(place, format!("link {} exists neither on the host nor in {}", link.host_name(), place.netns))
        }
    }
}

/// Makes a link, or takes the very same one that the host has already.
fn make(draft: &mut Draft, link: &DesiredLink, kind: &Kind, owned: Option<&Owned>) -> bool {
    let place = &link.place;
    let home = Place::new(Netns::Host, link.host_name());
    if let Some(tied) = kind.tied_to() {
        if !matches!(kind, Kind::Veth { .. }) && draft.now.link(tied).is_none() {
            // The parent's own problem is told where the parent is named; a parent made by a command comes later.
            return true;
        }
        let is_pair = matches!(kind, Kind::Veth { .. });
        if is_pair && draft.now.link(tied).is_some() && !clear_other_end(draft, place, tied, owned) {
            return false;
        }
    }
    let at_home = draft.now.link(&home).and_then(|l| l.kind.as_ref());
    // There cannot be two VLANs of a number on a link.
    if place.netns != Netns::Host
        && matches!(kind, Kind::Vlan { .. })
        && at_home.is_some_and(|have| have.satisfies(kind))
    {
        draft.push(Op::MoveLink { from: home, to: place.clone() });
        return true;
    }
    if !link.early_commands().is_empty() {
        draft.unborn.insert(place.clone());
        return true;
    }
    let op = match kind {
        // A pair is made once, told from its inner end.
        Kind::Veth { peer: Some(peer) } if place.netns == Netns::Host => {
            Op::AddLink { place: peer.clone(), kind: Kind::Veth { peer: Some(place.clone()) } }
        }
        kind => Op::AddLink { place: place.clone(), kind: newborn(kind) },
    };
    draft.push(op);
    true
}

/// The other end's name must be free; a left-over of ours goes.
fn clear_other_end(draft: &mut Draft, place: &Place, other: &Place, owned: Option<&Owned>) -> bool {
    if owned.is_some_and(|o| o.made.contains(other)) {
        retire::delete(draft, other);
        return true;
    }
    draft.problems.push(
        Problem::new(place, format!("the other end of the pair, {other}, exists already and is not this program's"))
            .help(format!("choose another name, or delete it: ip link delete {}", other.link)),
    );
    false
}

/// Properties, addresses, routes and commands of a link.
fn configure(
    draft: &mut Draft,
    link: &DesiredLink,
    (desired, owned): (&Desired, Option<&Owned>),
    fresh: bool,
    tables: &mut Tables,
) {
    let before = owned.and_then(|o| o.desired.link(&link.place));
    let all: Vec<&DesiredLink> = owned.into_iter().flat_map(|o| o.at(&link.place)).collect();
    // What only some versions have may or may not have been done.
    let in_each = !fresh && owned.is_some_and(|o| all.len() == o.versions().count());
    let always = |has: &dyn Fn(&DesiredLink) -> bool| in_each && all.iter().all(|was| has(was));
    let same =
        |i: usize| always(&|was| was.stanzas.get(i).zip(link.stanzas.get(i)).is_some_and(|(a, b)| a.same_commands(b)));
    let was: &[&DesiredLink] = if fresh { &[] } else { &all };
    if let Some(owned) = owned.filter(|_| link.device.is_none()) {
        retire::detach(draft, &link.place, owned);
    }
    end_former(draft, link, before, fresh, same);
    end_doubtful(draft, link, before, &all);
    if link.stanzas.is_empty() && !draft.waits_for_master(&link.place, &link.link) {
        ready(draft, link, desired, was);
    }
    for (i, stanza) in link.stanzas.iter().enumerate() {
        let early = if i == 0 && draft.unborn.remove(&link.place) { link.early_commands() } else { &[] };
        if !early.is_empty() {
            draft.run_lines(&link.place, stanza, Phase::PreUp, early);
            appear(draft, link);
            gather_ports(draft, link, desired);
        }
        if !same(i) {
            draft.run_lines(&link.place, stanza, Phase::PreUp, &stanza.pre_up[early.len()..]);
        }
        if i == 0 {
            ready(draft, link, desired, was);
            tables.correct_addresses(draft, link);
        }
        if stanza.addresses.iter().any(|address| address.local.addr().is_ipv4()) {
            draft.let_leases_come_first(&link.place);
        }
        let added_ipv6 = add_addresses(draft, link, stanza, tables);
        let runs = |dhcp: &Dhcp| always(&|was| was.dhcp().any(|d| d == dhcp));
        if let Some(dhcp) = stanza.dhcp.as_ref().filter(|dhcp| !runs(dhcp)) {
            draft.start_dhcp(&link.place, dhcp);
            if !stanza.routes.is_empty() {
                // Their next hops may be in the subnet that the lease is of.
                draft.finish_waits();
            }
        }
        for route in &stanza.routes {
            tables.add_route(draft, &link.place.netns, route);
        }
        if let Some(limit) = stanza.dad.filter(|_| added_ipv6) {
            draft.await_dad(&link.place, limit);
        }
        if !same(i) {
            draft.run(&link.place, stanza, Phase::PostUp);
        }
    }
    // A link that was made anew is not the one that was attached.
    if let Some(device) = link.device.as_ref().filter(|device| !always(&|was| was.device.as_ref() == Some(*device))) {
        draft.push(Op::AttachDevice { place: link.place.clone(), device: device.clone() });
    }
}

/// Tells whether there is an IPv6 address among the new ones that others may have, too.
fn add_addresses(draft: &mut Draft, link: &DesiredLink, stanza: &Stanza, tables: &mut Tables) -> bool {
    let mut added_ipv6 = false;
    for address in &stanza.addresses {
        added_ipv6 |=
            tables.add_address(draft, &link.place, address) && address.local.addr().is_ipv6() && !address.nodad;
    }
    added_ipv6
}

/// Ends what the link's stanzas of `before` had running, and runs their commands but for the stanzas that are the `same`.
fn end_former(
    draft: &mut Draft,
    link: &DesiredLink,
    before: Option<&DesiredLink>,
    fresh: bool,
    same: impl Fn(usize) -> bool,
) {
    let keeps = |dhcp: &Dhcp| link.dhcp().any(|d| d == dhcp);
    let Some(before) = before else { return };
    if fresh {
        for dhcp in before.dhcp().filter(|dhcp| !keeps(dhcp)) {
            draft.stop_dhcp(&link.place, dhcp);
        }
        return;
    }
    for (i, stanza) in before.stanzas.iter().enumerate() {
        if !same(i) {
            draft.run(&link.place, stanza, Phase::PreDown);
        }
        if let Some(dhcp) = stanza.dhcp.as_ref().filter(|dhcp| !keeps(dhcp)) {
            draft.stop_dhcp(&link.place, dhcp);
        }
        if !same(i) {
            draft.run(&link.place, stanza, Phase::PostDown);
        }
    }
}

/// Clients of versions whose end nobody has seen, and that the link has no more.
fn end_doubtful(draft: &mut Draft, link: &DesiredLink, before: Option<&DesiredLink>, all: &[&DesiredLink]) {
    let ended_or_kept = before.into_iter().chain([link]);
    let mut ended: Vec<&Dhcp> = ended_or_kept.flat_map(DesiredLink::dhcp).collect();
    for dhcp in all.iter().flat_map(|version| version.dhcp()) {
        if !ended.contains(&dhcp) {
            draft.stop_dhcp(&link.place, dhcp);
            ended.push(dhcp);
        }
    }
}

/// The link is there, has its properties and is up; a bridge's ports are in already.
fn ready(draft: &mut Draft, link: &DesiredLink, desired: &Desired, was: &[&DesiredLink]) {
    if link.presence == Presence::OnlyAName {
        return;
    }
    appear(draft, link);
    forget_sysctls(draft, link, was);
    let endpoints = link.link.wireguard.as_ref();
    let others = |w: &&DesiredLink| w.link.wireguard.as_ref().zip(endpoints).is_some_and(|(a, b)| !a.same_endpoints(b));
    let was = was.iter().copied().find(others).or(was.first().copied());
    draft.mend_down(&link.place, &link.link, was.map(|w| &w.link));
    set_sysctls(draft, desired, link.sysctls.iter().map(|(key, value)| (&link.place.netns, key, value)));
    draft.mend_up(&link.place, &link.link);
    if let Some(limit) = link.wait.filter(|limit| !limit.is_zero() && draft.was_stirred(&link.place)) {
        draft.push(Op::AwaitForwarding { place: link.place.clone(), limit });
    }
}

/// The link is there. One that commands had the chance to make may be.
fn appear(draft: &mut Draft, link: &DesiredLink) {
    if draft.now.link(&link.place).is_some() {
        return;
    }
    let place = link.place.clone();
    draft.push(match link.link.kind.as_ref().map(newborn) {
        Some(Kind::Virtual(own)) if !link.early_commands().is_empty() && *own.made_in(&place.netns) == place.netns => {
            Op::EnsureLink { place, own }
        }
        Some(kind) => Op::AddLink { place, kind },
        None => Op::AwaitLink(place),
    });
}

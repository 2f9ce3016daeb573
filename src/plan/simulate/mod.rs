//! What the kernel makes of a plan, in memory.
//!
//! Models what rtnetlink does beside the request itself: what goes with a link when it is deleted, moved or set down,
//! which end of a pair or VLAN dies with another, what ports and their master do to one another, secondary addresses
//! that fall with their primary. What cannot be known, such as hardware addresses that the kernel draws, is `None`.

mod link;
mod master;

use super::op::{Op, Plan};
use crate::model::{
    Address, Kind, Link, LinkName, MARK_TABLE, MacAddr, Netns, NetnsState, Place, Route, State, Sysctl, Table,
};
use link::{add_link, delete_link, move_link, set_link};

/// The state after the plan.
pub fn simulate(state: &State, plan: &Plan) -> State {
    let mut state = state.clone();
    for op in &plan.ops {
        step(&mut state, op);
    }
    state
}

/// The state after one change.
pub(super) fn step(state: &mut State, op: &Op) {
    match op {
        Op::AddNetns(name) => {
            let mut fresh = NetnsState::default();
            let lo = Link {
                kind: Some(Kind::Loopback),
                up: Some(false),
                mtu: Some(65536),
                mac: MacAddr::from_bytes(&[0; 6]),
                ..Link::default()
            };
            fresh.links.insert(LinkName::LO, lo);
            state.netns.insert(Netns::Named(name.clone()), fresh);
        }
        Op::DeleteNetns(name) => delete_netns(state, &Netns::Named(name.clone())),
        Op::AddLink { place, kind } => add_link(state, place, kind),
        Op::EnsureLink { place, own } => add_link(state, place, &Kind::Virtual(own.clone())),
        Op::DeleteLink(place) => delete_link(state, place),
        Op::MoveLink { from, to } => move_link(state, from, to),
        Op::SetLink { place, set } => set_link(state, place, set),
        Op::AddAddress { place, address } => {
            in_netns(state, &place.netns).addresses.entry(place.link).or_default().push(address.clone());
        }
        Op::ChangeAddress { place, address } => {
            for a in in_netns(state, &place.netns).addresses.entry(place.link).or_default() {
                if a.key() == address.key() {
                    *a = address.clone();
                }
            }
        }
        Op::DeleteAddress { place, address } => delete_address(in_netns(state, &place.netns), place.link, address),
        Op::AddRoute { netns, route } => in_netns(state, netns).routes.push(route.clone()),
        Op::ReplaceRoute { netns, route } => {
            let routes = &mut in_netns(state, netns).routes;
            match routes.iter_mut().find(|r| r.key() == route.key()) {
                Some(old) => *old = route.clone(),
                None => routes.push(route.clone()),
            }
        }
        Op::DeleteRoute { netns, route } => in_netns(state, netns).routes.retain(|r| r != route),
        Op::AddRule { netns, rule } => in_netns(state, netns).rules.push(rule.clone()),
        Op::DeleteRule { netns, rule } => in_netns(state, netns).rules.retain(|r| r != rule),
        Op::SetSysctl { netns, key, value, .. } => set_sysctl(in_netns(state, netns), key, value),
        Op::SetTable { .. } | Op::SetRuleset { .. } => set_rules(state, op),
        Op::AwaitLink(place) => {
            in_netns(state, &place.netns).links.entry(place.link).or_default();
        }
        Op::AwaitDad { .. } | Op::AwaitForwarding { .. } | Op::AwaitLinkLocal { .. } => {}
        Op::Run(_) | Op::StartDhcp(_) | Op::AwaitLease(_) | Op::StopDhcp(_) | Op::SetResolv { .. } => {}
        Op::AttachDevice { .. } | Op::DetachDevice(_) => {}
    }
}

/// Forwarding of all links is that of each, and of those that come (`devinet_sysctl_forward`, `addrconf_fixup_forwarding`).
fn set_sysctl(netns: &mut NetnsState, key: &Sysctl, value: &str) {
    let was = netns.sysctls.insert(key.clone(), value.to_owned());
    let Some(family) = key.forwards_all().filter(|_| was.as_deref() != Some(value)) else { return };
    for (other, changed) in &mut netns.sysctls {
        let of_family = other.path().split('/').nth(1) == Some(family);
        if of_family && (other.path().ends_with("/forwarding") || other.forwards_all().is_some()) {
            value.clone_into(changed);
        } else if other.path() == "net/ipv4/conf/all/accept_redirects" && of_family {
            (if value == "0" { "1" } else { "0" }).clone_into(changed);
        }
    }
}

fn set_rules(state: &mut State, op: &Op) {
    match op {
        Op::SetTable { name, content: Some(content) } => {
            in_netns(state, &Netns::Host).tables.insert(name.clone(), Table::mark_in(content));
        }
        Op::SetTable { name, content: None } => _ = in_netns(state, &Netns::Host).tables.remove(name),
        Op::SetRuleset { netns, ruleset } => {
            let mark = ruleset.iter().map(|ruleset| (MARK_TABLE.to_owned(), ruleset.mark()));
            in_netns(state, &Netns::Named(netns.clone())).tables = mark.collect();
        }
        _ => {}
    }
}

fn in_netns<'a>(state: &'a mut State, netns: &Netns) -> &'a mut NetnsState {
    state.netns.entry(netns.clone()).or_default()
}

fn delete_netns(state: &mut State, name: &Netns) {
    let Some(gone) = state.netns.get(name).cloned() else { return };
    for (link, properties) in &gone.links {
        let place = Place::new(name.clone(), *link);
        match properties.kind {
            Some(Kind::Physical) => move_link(state, &place, &Place::new(Netns::Host, *link)),
            Some(Kind::Loopback) => {}
            _ => delete_link(state, &place),
        }
    }
    state.netns.remove(name);
}

fn forget_traffic(netns: &mut NetnsState, link: LinkName) {
    netns.sysctls.retain(|key, _| key.link() != Some(link.as_str()));
    netns.addresses.remove(&link);
    netns.routes.retain(|r| r.link != Some(link));
}

/// Down, a link keeps its IPv4 addresses and loses its IPv6 ones, and all its routes.
fn drop_what_needs_up(netns: &mut NetnsState, link: LinkName) {
    netns.routes.retain(|r| r.link != Some(link));
    if let Some(addresses) = netns.addresses.get_mut(&link) {
        addresses.retain(|a| a.local.addr().is_ipv4());
    }
    drop_empty(netns, link);
}

fn drop_empty(netns: &mut NetnsState, link: LinkName) {
    if netns.addresses_of(link).is_empty() {
        netns.addresses.remove(&link);
    }
}

fn delete_address(netns: &mut NetnsState, link: LinkName, gone: &Address) {
    let promotes = netns.sysctls.get(&promote_secondaries(link)).is_some_and(|v| v == "1");
    let Some(addresses) = netns.addresses.get_mut(&link) else { return };
    let subnet = gone.local.trunc();
    let ipv4 = gone.local.addr().is_ipv4();
    let primary = addresses.iter().find(|a| a.local.trunc() == subnet).is_some_and(|a| a.key() == gone.key());
    let with_it = |a: &Address| ipv4 && primary && !promotes && gone.peer.is_none() && a.local.trunc() == subnet;
    addresses.retain(|a| a.key() != gone.key() && !with_it(a));
    let family_left = addresses.iter().any(|a| a.local.addr().is_ipv4());
    let owner = gone.local.addr();
    let lost =
        |r: &Route| r.link == Some(link) && (r.src == Some(owner) || (ipv4 && !family_left && r.to.addr().is_ipv4()));
    netns.routes.retain(|r| !lost(r));
    drop_empty(netns, link);
}

/// The setting that keeps secondary addresses when their primary goes (ip-sysctl).
pub(super) fn promote_secondaries(link: LinkName) -> Sysctl {
    Sysctl::ipv4(link, "promote_secondaries")
}

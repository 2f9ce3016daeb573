//! Addresses and routes against those that are there: what to add, correct, replace and drop.
//!
//! There may be many thousands, so each is hashed once. What is there and was never this program's is left alone; what it
//! added earlier and nothing asks for any more is dropped, last of all, so that its successor is there before it goes.

use super::mend::Draft;
use super::op::Op;
use super::simulate::promote_secondaries;
use crate::model::{Address, Desired, DesiredLink, LinkName, Netns, NetnsState, Owned, Place, Route};
use ipnet::IpNet;
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

type AddressKey = (IpNet, Option<IpAddr>);
type RouteKey = (u32, IpNet, u32);

#[derive(Default)]
pub(super) struct Tables {
    netns: BTreeMap<Netns, Table>,
    /// Links that were taken down on the way. What they lost is not in the tables any more.
    fallen: BTreeSet<Place>,
}

#[derive(Default)]
struct Table {
    addresses: BTreeMap<LinkName, HashMap<AddressKey, Address>>,
    routes: HashSet<Route>,
    /// Addresses of ours that are there and that nothing asks for any more.
    obsolete_addresses: Vec<(LinkName, Address)>,
    /// Routes of ours that are there and that nothing asks for any more.
    obsolete_routes: Vec<Route>,
    /// Their keys, less those whose place another route has taken.
    replaceable: HashSet<RouteKey>,
    /// Links whose IPv4 routes may fall when an address is corrected.
    shaken: HashSet<LinkName>,
}

impl Tables {
    /// Takes the addresses and routes out of the draft, which has no further use for them.
    pub(super) fn take(draft: &mut Draft, desired: &Desired, owned: Option<&Owned>) -> Self {
        let mut tables = Self::default();
        // What fell until now is not in the tables that were simulated.
        draft.fallen.clear();
        for (name, netns) in &mut draft.now.netns {
            tables.netns.insert(name.clone(), Table::new(netns));
        }
        let differs = |was: &&Desired| !std::ptr::eq(*was, desired) && was.links != desired.links;
        let previous: Vec<&Desired> = owned.into_iter().flat_map(Owned::versions).filter(differs).collect();
        if !previous.is_empty() {
            tables.find_obsolete(desired, &previous);
        }
        tables
    }

    fn find_obsolete(&mut self, desired: &Desired, previous: &[&Desired]) {
        for (netns, table) in &mut self.netns {
            let want: HashSet<&Route> = links_of(desired, netns).flat_map(DesiredLink::routes).collect();
            let ours = || previous.iter().flat_map(|version| links_of(version, netns));
            // Versions may have one in common.
            let (mut routes, mut addresses) = (HashSet::default(), HashSet::default());
            let gone = |r: &&Route| !want.contains(r) && table.routes.contains(*r);
            let gone = ours().flat_map(DesiredLink::routes).filter(gone);
            table.obsolete_routes = gone.filter(|route| routes.insert(*route)).cloned().collect();
            table.replaceable = table.obsolete_routes.iter().map(Route::key).collect();
            for link in ours() {
                let Some(have) = table.addresses.get(&link.place.link) else { continue };
                let want: HashSet<AddressKey> =
                    desired.link(&link.place).into_iter().flat_map(DesiredLink::addresses).map(Address::key).collect();
                let gone = |a: &&Address| !want.contains(&a.key()) && have.contains_key(&a.key());
                let name = link.place.link;
                let gone = link.addresses().filter(gone).filter(|a| addresses.insert((name, a.key())));
                table.obsolete_addresses.extend(gone.map(|a| (name, a.clone())));
            }
        }
    }

    /// Addresses that are there with another broadcast address, label, scope or lifetime. Must come before any route:
    /// the kernel drops routes with the address that is taken away for a moment.
    pub(super) fn correct_addresses(&mut self, draft: &mut Draft, link: &DesiredLink) {
        self.forget_fallen(draft);
        let Some(table) = self.netns.get_mut(&link.place.netns) else { return };
        let Some(have) = table.addresses.get(&link.place.link) else { return };
        for address in link.addresses() {
            let Some(there) = have.get(&address.key()).filter(|there| !there.satisfies(address)) else { continue };
            let place = link.place.clone();
            let other_lifetime = Address { preferred_lifetime: address.preferred_lifetime, ..there.clone() };
            if other_lifetime.satisfies(address) {
                draft.push(Op::ChangeAddress { place, address: address.clone() });
                continue;
            }
            let promoted = keep_secondaries(draft, &place);
            draft.push(Op::DeleteAddress { place: place.clone(), address: there.clone() });
            draft.push(Op::AddAddress { place: place.clone(), address: address.clone() });
            promoted.undo(draft);
            table.shaken.insert(place.link);
        }
    }

    /// Adds an address unless it is there; tells whether it was added.
    pub(super) fn add_address(&mut self, draft: &mut Draft, place: &Place, address: &Address) -> bool {
        self.forget_fallen(draft);
        let table = self.netns.entry(place.netns.clone()).or_default();
        let have = table.addresses.entry(place.link).or_default();
        if have.contains_key(&address.key()) {
            return false;
        }
        have.insert(address.key(), address.clone());
        draft.push(Op::AddAddress { place: place.clone(), address: address.clone() });
        true
    }

    /// Adds a route unless it is there, in the place of one of ours where that has its key.
    pub(super) fn add_route(&mut self, draft: &mut Draft, netns: &Netns, route: &Route) {
        self.forget_fallen(draft);
        if !self.netns.contains_key(netns) {
            self.netns.insert(netns.clone(), Table::default());
        }
        let Some(table) = self.netns.get_mut(netns) else { return };
        let shaken = route.to.addr().is_ipv4() && route.link.is_some_and(|l| table.shaken.contains(&l));
        if table.routes.contains(route) && !shaken {
            return;
        }
        if !self.fallen.is_empty() {
            // For `raise_fallen` to tell what was added after the fall.
            table.routes.insert(route.clone());
        }
        let (netns, replaces) = (netns.clone(), shaken || table.replaceable.remove(&route.key()));
        if replaces {
            draft.push(Op::ReplaceRoute { netns, route: route.clone() });
        } else {
            draft.push(Op::AddRoute { netns, route: route.clone() });
        }
    }

    /// Adds again what is wanted of links that were taken down after it was there: what a bond does to its ports, for one.
    pub(super) fn raise_fallen(&mut self, draft: &mut Draft, desired: &Desired) {
        self.forget_fallen(draft);
        for place in self.fallen.clone() {
            let Some(link) = desired.link(&place) else { continue };
            for address in link.addresses().filter(|a| a.local.addr().is_ipv6()) {
                self.add_address(draft, &place, address);
            }
            // One without a link stays.
            for route in link.routes().filter(|route| route.link == Some(place.link)) {
                self.add_route(draft, &place.netns, route);
            }
        }
    }

    /// Takes what links have lost that were taken down since the last time out of the tables.
    fn forget_fallen(&mut self, draft: &mut Draft) {
        while let Some(place) = draft.fallen.pop_first() {
            if let Some(table) = self.netns.get_mut(&place.netns) {
                table.forget_fallen(place.link);
            }
            self.fallen.insert(place);
        }
    }

    /// What was ours and nothing asks for any more: routes first, their addresses after them.
    pub(super) fn drop_obsolete(mut self, draft: &mut Draft) {
        self.forget_fallen(draft);
        for (netns, table) in self.netns {
            let replaceable = table.replaceable;
            for route in table.obsolete_routes.into_iter().filter(|r| replaceable.contains(&r.key())) {
                draft.push(Op::DeleteRoute { netns: netns.clone(), route });
            }
            for (link, address) in table.obsolete_addresses {
                let place = Place::new(netns.clone(), link);
                let subnet = address.local.trunc();
                let shared = address.local.addr().is_ipv4()
                    && table
                        .addresses
                        .get(&link)
                        .is_some_and(|have| have.keys().any(|key| *key != address.key() && key.0.trunc() == subnet));
                let promoted = if shared { keep_secondaries(draft, &place) } else { Promoted(None) };
                draft.push(Op::DeleteAddress { place, address });
                promoted.undo(draft);
            }
        }
    }
}

impl Table {
    fn new(netns: &mut NetnsState) -> Self {
        let by_key = |list: Vec<Address>| list.into_iter().map(|a| (a.key(), a)).collect();
        Self {
            addresses: std::mem::take(&mut netns.addresses).into_iter().map(|(l, list)| (l, by_key(list))).collect(),
            routes: std::mem::take(&mut netns.routes).into_iter().collect(),
            ..Self::default()
        }
    }

    fn forget_fallen(&mut self, link: LinkName) {
        let stays = |route: &Route| route.link != Some(link);
        self.routes.retain(stays);
        self.obsolete_routes.retain(stays);
        self.shaken.remove(&link);
        if let Some(addresses) = self.addresses.get_mut(&link) {
            addresses.retain(|_, address| address.local.addr().is_ipv4());
        }
        self.obsolete_addresses.retain(|(of, address)| *of != link || address.local.addr().is_ipv4());
    }
}

fn links_of<'a>(desired: &'a Desired, netns: &'a Netns) -> impl Iterator<Item = &'a DesiredLink> {
    desired.links.iter().filter(move |l| l.place.netns == *netns)
}

/// The setting to put back after [`keep_secondaries`].
pub(super) struct Promoted(Option<Op>);

impl Promoted {
    pub(super) fn undo(self, draft: &mut Draft) {
        if let Some(op) = self.0 {
            draft.push(op);
        }
    }
}

/// By default the kernel drops the other addresses of a subnet with its first one. This turns that off for a while.
pub(super) fn keep_secondaries(draft: &mut Draft, place: &Place) -> Promoted {
    let key = promote_secondaries(place.link);
    let netns = place.netns.clone();
    let before = draft.now.netns.get(&netns).and_then(|n| n.sysctls.get(&key)).cloned();
    if before.as_deref() == Some("1") {
        return Promoted(None);
    }
    draft.push(Op::SetSysctl { netns: netns.clone(), key: key.clone(), value: "1".into() });
    Promoted(Some(Op::SetSysctl { netns, key, value: before.unwrap_or_else(|| "0".into()) }))
}

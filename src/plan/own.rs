//! The record that a plan makes necessary, worked out before the plan is carried out.

use super::op::{Op, Plan};
use super::settings::{remember_host, settle_host};
use crate::model::{Desired, LinkName, Netns, NetnsState, Owned, Place, Presence, State, Taken};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What this program will answer for once `plan` is begun, which was made for a `host` as it is now and `desired`.
///
/// `previous` is what it answers for already; that is kept even where `desired` no longer has it, since the plan may stop
/// half-way: then all versions are there in part, until one of them was carried out in full ([`settle`]).
pub fn own(host: &NetnsState, desired: Arc<Desired>, plan: &Plan, previous: Option<Owned>) -> Owned {
    let changed = previous.as_ref().map(changed).unwrap_or_default();
    let mut owned = match previous {
        Some(mut previous) => {
            previous.former.insert(0, std::mem::replace(&mut previous.desired, desired));
            previous.former.retain(|former| *former != previous.desired);
            previous
        }
        None => Owned {
            desired,
            former: Vec::new(),
            taken: Vec::new(),
            before: NetnsState::default(),
            made: Vec::new(),
            elsewhere: BTreeMap::new(),
        },
    };
    for op in &plan.ops {
        match op {
            Op::MoveLink { from, to } if from.netns == Netns::Host => {
                owned.taken.retain(|t| t.name != from.link && t.place != *to);
                owned.taken.push(Taken { name: from.link, place: to.clone() });
                if !changed.contains(&from.link) {
                    remember(&mut owned.before, host, from.link);
                }
            }
            Op::AddLink { place, kind } => {
                let pair = kind.tied_to().filter(|_| matches!(kind, crate::model::Kind::Veth { .. }));
                for made in [Some(place), pair].into_iter().flatten() {
                    remember_made(&mut owned.made, made);
                }
            }
            Op::EnsureLink { place, .. } => remember_made(&mut owned.made, place),
            _ => {}
        }
    }
    let desired = owned.desired.clone();
    for link in borrowed(&desired) {
        if !owned.before.links.contains_key(&link) {
            remember(&mut owned.before, host, link);
        }
    }
    remember_host(&mut owned.before.sysctls, host, &desired);
    owned
}

/// Links on the host that are not as they were before, which the record says: those that are borrowed, and where a change was not
/// finished those that were on their way back.
fn changed(previous: &Owned) -> BTreeSet<LinkName> {
    let returning = previous.taken.iter().filter(|_| !previous.former.is_empty()).map(|taken| taken.name);
    let all = previous.versions().flat_map(borrowed).chain(returning);
    all.filter(|name| previous.before.links.contains_key(name)).collect()
}

/// Adds what the settings that `owned` asks for are before they are changed, in its own namespace and those that it uses.
///
/// `others` use them too, perhaps. What one of them has changed already was something else before, which is what the last one
/// of all restores.
pub fn own_elsewhere(owned: &mut Owned, current: &State, others: &[Owned]) {
    let desired = Arc::clone(&owned.desired);
    let counts = |netns: &Netns| desired.uses(netns) || desired.is_own(netns);
    for (netns, key, _) in desired.sysctls.iter().filter(|(netns, ..)| counts(netns)) {
        let of_other = others.iter().find_map(|other| other.elsewhere.get(netns)?.get(key));
        let now = || current.netns.get(netns)?.sysctls.get(key);
        if let Some(value) = of_other.or_else(now) {
            let settings = owned.elsewhere.entry(netns.clone()).or_default();
            settings.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
}

/// What is no longer this program's once a plan was carried out: links that went back or were deleted, and how they were before.
pub fn settle(owned: &mut Owned) {
    let Owned { desired, former, taken, made, before, elsewhere } = owned;
    former.clear();
    taken.retain(|t| desired.link(&t.place).is_some());
    made.retain(|place| desired.link(place).is_some());
    let ours = |name: &LinkName| taken.iter().any(|t| t.name == *name) || borrowed(desired).any(|b| b == *name);
    before.links.retain(|name, _| ours(name));
    before.addresses.retain(|name, _| ours(name));
    settle_host(&mut before.sysctls, desired);
    before.routes.retain(|route| route.link.as_ref().is_some_and(ours));
    if let Some(own) = elsewhere.get_mut(&Netns::Named(desired.netns.clone())) {
        own.retain(|key, _| desired.sysctls.iter().any(|(netns, wanted, _)| desired.is_own(netns) && wanted == key));
    }
    elsewhere.retain(|netns, own| desired.uses(netns) || desired.is_own(netns) && !own.is_empty());
}

/// Links of the host that stay there and are changed nevertheless.
fn borrowed(desired: &Desired) -> impl Iterator<Item = LinkName> {
    desired.links.iter().filter(|l| l.presence == Presence::Borrowed).map(|l| l.place.link)
}

fn remember_made(made: &mut Vec<Place>, place: &Place) {
    if !made.contains(place) {
        made.push(place.clone());
    }
}

/// Records a link of the host's with its addresses and routes.
fn remember(before: &mut NetnsState, host: &NetnsState, name: LinkName) {
    let Some(link) = host.links.get(&name) else { return };
    before.links.insert(name, link.clone());
    before.addresses.insert(name, host.addresses_of(name).to_vec());
    before.routes.retain(|r| r.link != Some(name));
    before.routes.extend(host.routes.iter().filter(|r| r.link == Some(name)).cloned());
}

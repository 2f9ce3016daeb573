//! From the current state back to what was there before, by the record alone.

use super::mend::Draft;
use super::op::{Op, Phase, Plan};
use super::retire::{delete, detach, down_commands, evict, give_back, is_borrowed, restore};
use super::settings::{remove_tables, restore_host};
use super::shared;
use crate::model::{Netns, Owned, Place, State};
use std::collections::BTreeSet;

/// What undoes a start, finished or not, whatever became of the files.
///
/// `current` lacks a namespace that is not this program's: then nothing is done in it.
pub fn teardown(current: State, owned: &Owned) -> Plan {
    let mut draft = Draft::new(current);
    let there = |draft: &Draft, place: &Place| draft.now.netns.contains_key(&place.netns);
    let all = Netns::Named(owned.desired.netns.clone());
    remove_tables(&mut draft, owned);
    let has_all = draft.now.netns.contains_key(&all);
    if has_all {
        draft.run_for_all(&all, &owned.desired.scripts, Phase::PreDown);
    }
    for link in owned.links().into_iter().rev() {
        if there(&draft, &link.place) {
            down_commands(&mut draft, link, owned);
        } else {
            // Clients and devices hold a namespace alive whose name is gone.
            link.dhcp().for_each(|dhcp| draft.stop_dhcp(&link.place, dhcp));
            detach(&mut draft, &link.place, owned);
        }
    }
    stop_former_clients(&mut draft, owned);
    if has_all {
        draft.run_for_all(&all, &owned.desired.scripts, Phase::PostDown);
    }
    for taken in owned.taken.iter().rev() {
        give_back(&mut draft, taken, owned);
    }
    for place in owned.made.iter().rev() {
        delete(&mut draft, place);
    }
    let borrowed = owned.versions().flat_map(|version| &version.links).filter(|link| is_borrowed(link, owned));
    for place in borrowed.map(|link| &link.place).collect::<BTreeSet<_>>() {
        restore(&mut draft, place, &owned.before);
    }
    for (netns, rule) in owned.versions().flat_map(|version| &version.rules).filter(|(n, _)| *n != all) {
        if draft.now.netns.get(netns).is_some_and(|n| n.rules.contains(rule)) {
            draft.push(Op::DeleteRule { netns: netns.clone(), rule: rule.clone() });
        }
    }
    restore_host(&mut draft, owned, None);
    shared::restore_settings(&mut draft, owned, None);
    for netns in owned.desired.made_netns() {
        evict(&mut draft, &netns);
        if let Some(name) = netns.name().filter(|_| draft.now.netns.contains_key(&netns)) {
            draft.push(Op::DeleteNetns(name.clone()));
        }
    }
    draft.plan
}

/// Clients that a link had and the latest version of it has not: nothing says whether they were ended.
fn stop_former_clients(draft: &mut Draft, owned: &Owned) {
    for link in owned.former.iter().flat_map(|former| &former.links).filter(|link| link.dhcp().next().is_some()) {
        let latest = owned.at(&link.place).next();
        for dhcp in link.dhcp().filter(|dhcp| !latest.is_some_and(|latest| latest.dhcp().any(|d| d == *dhcp))) {
            draft.stop_dhcp(&link.place, dhcp);
        }
    }
}

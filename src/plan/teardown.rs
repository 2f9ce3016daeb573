//! From the current state back to what was there before, by the record alone.

use super::mend::Draft;
use super::op::{Op, Phase, Plan};
use super::retire::{delete, down_commands, evict, give_back, restore};
use super::shared;
use crate::model::{Netns, Owned, Place, Presence, State};

/// What undoes a start, finished or not, whatever became of the files.
///
/// `current` lacks a namespace that is not this program's: then nothing is done in it.
pub fn teardown(current: State, owned: &Owned) -> Plan {
    let mut draft = Draft::new(current);
    let there = |draft: &Draft, place: &Place| draft.now.netns.contains_key(&place.netns);
    let all = Netns::Named(owned.desired.netns.clone());
    let has_all = draft.now.netns.contains_key(&all);
    if has_all {
        draft.run_for_all(&all, &owned.desired.scripts, Phase::PreDown);
    }
    for link in owned.desired.links.iter().rev() {
        if there(&draft, &link.place) {
            down_commands(&mut draft, link);
        } else {
            // Clients and devices hold a namespace alive whose name is gone.
            link.dhcp().for_each(|dhcp| draft.stop_dhcp(&link.place, dhcp));
            draft.attach(&link.place, None, link.device.as_ref());
        }
    }
    if has_all {
        draft.run_for_all(&all, &owned.desired.scripts, Phase::PostDown);
    }
    for taken in owned.taken.iter().rev() {
        give_back(&mut draft, taken, owned);
    }
    for place in owned.made.iter().rev() {
        delete(&mut draft, place);
    }
    for link in owned.desired.links.iter().filter(|l| l.presence == Presence::Borrowed) {
        restore(&mut draft, &link.place, &owned.before);
    }
    for (netns, rule) in owned.desired.rules.iter().filter(|(n, _)| *n != all) {
        if draft.now.netns.get(netns).is_some_and(|n| n.rules.contains(rule)) {
            draft.push(Op::DeleteRule { netns: netns.clone(), rule: rule.clone() });
        }
    }
    restore_settings(&mut draft, owned);
    shared::restore_settings(&mut draft, owned, None);
    for netns in owned.desired.made_netns() {
        evict(&mut draft, &netns);
        if let Some(name) = netns.name().filter(|_| draft.now.netns.contains_key(&netns)) {
            draft.push(Op::DeleteNetns(name.clone()));
        }
    }
    draft.plan
}

/// The host's settings that were changed. One that went with its link is no longer there to be restored.
fn restore_settings(draft: &mut Draft, owned: &Owned) {
    let now = draft.now.netns.get(&Netns::Host).cloned().unwrap_or_default();
    for (key, value) in &owned.before.sysctls {
        if now.sysctls.get(key).is_some_and(|v| v != value) {
            draft.push(Op::SetSysctl { netns: Netns::Host, key: key.clone(), value: value.clone() });
        }
    }
}

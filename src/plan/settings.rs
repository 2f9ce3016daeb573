//! Settings of the kernel's, and rules of nft(8): the host's forwarding and table, and what the namespace has of its own.

use super::mend::Draft;
use super::op::Op;
use crate::model::{Desired, DesiredLink, MARK_TABLE, Netns, Owned, Place, Presence, Sysctl};

/// The namespace's own rules: once all links are there that they may name, and before the first of these is up.
pub(super) fn load_ruleset(draft: &mut Draft, desired: &Desired, owned: Option<&Owned>) {
    let netns = Netns::Named(desired.netns.clone());
    let now = draft.now.netns.get(&netns).and_then(|netns| netns.tables.get(MARK_TABLE)).cloned();
    let was_ours = || owned.is_some_and(|owned| owned.versions().any(|was| was.ruleset.is_some()));
    let differs = match &desired.ruleset {
        Some(ruleset) => now != Some(ruleset.mark()),
        None => now.is_some() && was_ours(),
    };
    if differs {
        draft.push(Op::SetRuleset { netns: desired.netns.clone(), ruleset: desired.ruleset.clone() });
    }
}

/// Settings that are not as they shall be.
pub(super) fn set_sysctls<'a>(
    draft: &mut Draft,
    desired: &Desired,
    settings: impl Iterator<Item = (&'a Netns, &'a Sysctl, &'a String)>,
) {
    for (netns, key, value) in settings {
        let optional = desired.is_own(netns) && desired.optional.contains(key);
        let have = draft.now.netns.get(netns).and_then(|n| n.sysctls.get(key));
        // What a namespace that was looked at has not, it will not have.
        let may_be = !optional || have.is_some() || draft.plan.ops.iter().any(|op| is_new(op, netns, key));
        if may_be && have != Some(value) {
            draft.push(Op::SetSysctl { netns: netns.clone(), key: key.clone(), value: value.clone(), optional });
        }
    }
}

/// Whether an operation makes something that nobody has asked for this setting yet.
fn is_new(op: &Op, netns: &Netns, key: &Sysctl) -> bool {
    let is_link = |place: &Place| place.netns == *netns && key.link() == Some(place.link.as_str());
    match op {
        Op::AddNetns(name) => netns.name() == Some(name),
        Op::AddLink { place, kind } => is_link(place) || kind.tied_to().is_some_and(is_link),
        Op::EnsureLink { place, .. } | Op::AwaitLink(place) | Op::MoveLink { to: place, .. } => is_link(place),
        _ => false,
    }
}

/// Settings that are asked for no more get what a new link has.
pub(super) fn forget_sysctls(draft: &mut Draft, link: &DesiredLink, was: &[&DesiredLink]) {
    let netns = &link.place.netns;
    if link.presence == Presence::Borrowed {
        return;
    }
    for (key, _) in was.iter().flat_map(|was| &was.sysctls) {
        let now = |key: &Sysctl| draft.now.netns.get(netns)?.sysctls.get(key).cloned();
        let kept = link.sysctls.iter().any(|(wanted, _)| wanted == key);
        if let Some(value) = key.of_default().and_then(|key| now(&key)).filter(|_| !kept)
            && now(key).is_some_and(|now| now != value)
        {
            draft.push(Op::SetSysctl { netns: netns.clone(), key: key.clone(), value, optional: true });
        }
    }
}

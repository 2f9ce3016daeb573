//! Settings of the kernel's, and rules of nft(8): the host's forwarding and table, and what the namespace has of its own.

use super::mend::Draft;
use super::op::{Op, Plan};
use super::shared;
use crate::model::{Desired, DesiredLink, MARK_TABLE, Netns, NetnsState, Owned, Place, Presence, State, Sysctl};
use std::collections::{BTreeMap, BTreeSet};

/// Settings of the host as they were before somebody changed them, a router or a namespace.
pub type Before = BTreeMap<Sysctl, String>;

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

/// Settings of namespaces, before any link arrives. What is not there yet, and what needs a table before it, is left out.
pub(super) fn set_early(draft: &mut Draft, desired: &Desired) {
    let missing = shared::missing_settings(draft, desired);
    let late = |netns: &Netns, key: &Sysctl| *netns == Netns::Host && key.opens_loopback();
    let settings =
        desired.sysctls.iter().filter(|(netns, key, _)| !missing.contains(&(netns, key)) && !late(netns, key));
    set_sysctls(draft, desired, settings.map(|(netns, key, value)| (netns, key, value)));
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

/// The table on the host, once all is there that it leads to.
pub(super) fn set_table(draft: &mut Draft, desired: &Desired, owned: Option<&Owned>) {
    let now = draft.now.netns.get(&Netns::Host).map(|host| host.tables.clone()).unwrap_or_default();
    let ours: BTreeSet<&str> = owned.into_iter().flat_map(tables).collect();
    let wanted = desired.table.as_ref();
    for name in ours.into_iter().filter(|name| wanted.is_none_or(|table| table.name != *name)) {
        if now.contains_key(name) {
            draft.push(Op::SetTable { name: name.to_owned(), content: None });
        }
    }
    if let Some(table) = wanted.filter(|table| now.get(&table.name) != Some(&table.mark())) {
        draft.push(Op::SetTable { name: table.name.clone(), content: Some(table.content()) });
    }
    open_loopback(draft, desired);
}

/// Removes what tables there are: nothing is led to links that are about to go.
pub(super) fn remove_tables(draft: &mut Draft, owned: &Owned) {
    close_loopback(draft, owned, None);
    for name in tables(owned).collect::<BTreeSet<_>>() {
        if draft.now.netns.get(&Netns::Host).is_some_and(|host| host.tables.contains_key(name)) {
            draft.push(Op::SetTable { name: name.to_owned(), content: None });
        }
    }
}

/// The names of the tables that may be there.
fn tables(owned: &Owned) -> impl Iterator<Item = &str> {
    owned.versions().filter_map(|version| Some(version.table.as_ref()?.name.as_str()))
}

/// The settings of the host that `still` does not ask for, as they were. One that went with its link is no longer there.
pub(super) fn restore_host(draft: &mut Draft, owned: &Owned, still: Option<&Desired>) {
    let kept: BTreeSet<&Sysctl> = still.into_iter().flat_map(on_host).map(|(key, _)| key).collect();
    let along = |key: &Sysctl| kept.iter().any(|kept| changes_along(kept, key));
    let before = owned.before.sysctls.iter().filter(|(key, _)| !kept.contains(key) && !along(key));
    restore(draft, &before.map(|(key, value)| (key.clone(), value.clone())).collect());
    if let Some(still) = still {
        // Some may have changed along.
        let settings = on_host(still).filter(|(key, _)| !key.opens_loopback());
        set_sysctls(draft, still, settings.map(|(key, value)| (&Netns::Host, key, value)));
        close_loopback(draft, owned, Some(still));
    }
}

/// Lets 127.0.0.0/8 leave by links of the host and come in, once the table is there that guards these.
fn open_loopback(draft: &mut Draft, desired: &Desired) {
    let settings = on_host(desired).filter(|(key, _)| key.opens_loopback());
    set_sysctls(draft, desired, settings.map(|(key, value)| (&Netns::Host, key, value)));
}

/// The same undone for what `still` does not ask for, before that table goes. A link that was made is as a new one.
fn close_loopback(draft: &mut Draft, owned: &Owned, still: Option<&Desired>) {
    let asked = |key: &Sysctl| still.is_some_and(|still| on_host(still).any(|(wanted, _)| wanted == key));
    let keys = owned.versions().flat_map(on_host).map(|(key, _)| key);
    let keys: BTreeSet<&Sysctl> = keys.filter(|key| key.opens_loopback() && !asked(key)).collect();
    let before = |key: &Sysctl| owned.before.sysctls.get(key).cloned().unwrap_or_else(|| "0".to_owned());
    restore(draft, &keys.into_iter().map(|key| (key.clone(), before(key))).collect());
}

/// Settings of the host as they were: those of all links first, as they change the others along.
pub(super) fn restore(draft: &mut Draft, before: &Before) {
    let (all, others): (Vec<_>, Vec<_>) = before.iter().partition(|(key, _)| key.forwards_all().is_some());
    for (key, value) in all.into_iter().chain(others) {
        let now = draft.now.netns.get(&Netns::Host).and_then(|host| host.sysctls.get(key));
        if now.is_some_and(|now| now != value) {
            let (key, value) = (key.clone(), value.clone());
            draft.push(Op::SetSysctl { netns: Netns::Host, key, value, optional: false });
        }
    }
}

/// What is asked of the host's settings, those of its links among them.
pub(super) fn on_host(desired: &Desired) -> impl Iterator<Item = (&Sysctl, &String)> {
    let settings =
        desired.sysctls.iter().filter(|(netns, ..)| *netns == Netns::Host).map(|(_, key, value)| (key, value));
    let links = desired.links.iter().filter(|link| link.place.netns == Netns::Host);
    settings.chain(links.flat_map(|link| &link.sysctls).map(|(key, value)| (key, value)))
}

/// Whether a setting changes when another one is made (ip-sysctl, `conf/all/forwarding`).
fn changes_along(with: &Sysctl, key: &Sysctl) -> bool {
    let Some(family) = with.forwards_all() else { return false };
    let of_family = key.path().split('/').nth(1) == Some(family);
    of_family && (key.path().ends_with("/forwarding") || key.path() == "net/ipv4/conf/all/accept_redirects")
}

/// Whether forwarding of all links is asked for, in one family: then the settings of each have to be looked at.
pub fn forwards_all(desired: &Desired) -> impl Iterator<Item = &str> {
    on_host(desired).filter_map(|(key, _)| key.forwards_all())
}

/// Whether anything is asked of the host's settings or tables.
pub fn changes_host(desired: &Desired) -> bool {
    desired.table.is_some() || on_host(desired).next().is_some()
}

/// Remembers what the host's settings are before they are changed.
pub(super) fn remember_host(before: &mut Before, host: &NetnsState, desired: &Desired) {
    let wanted: BTreeSet<&Sysctl> = on_host(desired).map(|(key, _)| key).collect();
    for (key, value) in &host.sysctls {
        if wanted.contains(key) || wanted.iter().any(|wanted| changes_along(wanted, key)) {
            before.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
}

/// Drops what nothing asks for any more.
pub(super) fn settle_host(before: &mut Before, desired: &Desired) {
    let wanted: BTreeSet<&Sysctl> = on_host(desired).map(|(key, _)| key).collect();
    before.retain(|key, _| wanted.contains(key) || wanted.iter().any(|wanted| changes_along(wanted, key)));
}

/// What others have changed on the host already was something else before, which is what the last of all restores.
pub fn own_settings(owned: &mut Owned, others: &[Before]) {
    for (key, value) in &mut owned.before.sysctls {
        if let Some(before) = others.iter().find_map(|other| other.get(key)) {
            value.clone_from(before);
        }
    }
}

impl Plan {
    /// Leaves the host's settings that others need as they are in `current`, but for those that `desired` asks for itself.
    pub fn spare_settings(&mut self, current: &State, others: &[Before], desired: Option<&Desired>) {
        let asked = |key: &Sysctl| desired.is_some_and(|desired| on_host(desired).any(|(wanted, _)| wanted == key));
        let needed: BTreeSet<&Sysctl> = others.iter().flat_map(Before::keys).filter(|key| !asked(key)).collect();
        let now = current.netns.get(&Netns::Host);
        let mut ops = Vec::with_capacity(self.ops.len());
        for op in self.ops.drain(..) {
            let Op::SetSysctl { netns: Netns::Host, key, value, .. } = &op else {
                ops.push(op);
                continue;
            };
            if needed.contains(key) {
                continue;
            }
            // What changes along, and shall not.
            let along = needed.iter().filter(|other| changes_along(key, other));
            let kept = along.filter_map(|other| Some(((*other).clone(), now?.sysctls.get(*other)?.clone())));
            let kept: Vec<_> = kept.filter(|(_, now)| now != value).collect();
            ops.push(op);
            ops.extend(kept.into_iter().map(|(key, value)| Op::SetSysctl {
                netns: Netns::Host,
                key,
                value,
                optional: false,
            }));
        }
        self.ops = ops;
    }
}

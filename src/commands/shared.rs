//! Namespaces that services put links into beside their own: made for the first of their users, kept until the last has gone.
//!
//! Each is a namespace like any other, with files and a record of its own. Its record names its users, and theirs name what they
//! use; a user counts for as long as both say so. Its own name is among them while it is up for its own sake: a stop of its own
//! only takes that away while others have links in it, and the last of these stops it.
//!
//! Who uses another takes a turn ([`lock::turn`]) before any other lock, and what is used never uses its user: so nobody waits
//! for one that waits for it.

use super::host;
use super::load::{self, load};
use super::look::{self, is_ours, look, refuse_foreign};
use super::{start, stop};
use crate::config;
use crate::kernel::Kernel;
use crate::model::{Desired, Netns, NetnsName, Owned, State};
use crate::plan::{self, Plan, Problem, simulate};
use crate::system::lock::{self, Lock};
use crate::system::record::{self, Progress, Record};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The turn of one that uses, or may use, other namespaces; none for one that does not.
pub(super) fn turn(root: &Path, name: &NetnsName) -> Result<Option<Lock>> {
    let file = root.join("etc/netns").join(name.as_str()).join("network/xfrm");
    let uses = file.exists() || Record::read(name).ok().flatten().is_some_and(|r| !r.uses.is_empty());
    uses.then(lock::turn).transpose()
}

/// What the files ask for, where that uses other namespaces; for once these are up it may be something else. With a mistake in
/// the files there is none.
pub(super) fn first_look(root: &Path, name: &NetnsName) -> Option<Desired> {
    let has_file = root.join("etc/netns").join(name.as_str()).join("network/xfrm").exists();
    let desired = if has_file { load::read(root, name).desired } else { None };
    desired.filter(|desired| !desired.uses.is_empty())
}

/// Makes the namespaces that the files name, without anything in them. Mistakes in the files are for a start to tell.
pub(super) fn create_used(root: &Path, name: &NetnsName, record: &mut Record) -> Result<()> {
    let Some(desired) = first_look(root, name) else { return Ok(()) };
    for used in &desired.uses {
        enter(name, record, used)?;
        let _lock = lock::acquire(&record::directory(used))?;
        join(used, name)?;
    }
    Ok(())
}

/// Sees to it that what `name` uses is up, and knows that.
pub(super) fn acquire(root: &Path, name: &NetnsName, record: &mut Record, desired: &Desired) -> Result<()> {
    for used in &desired.uses {
        enter(name, record, used)?;
        let _lock = lock::acquire(&record::directory(used))?;
        let joined = join(used, name)?;
        if joined.progress != Progress::Complete {
            log::info!("{name}: starting {used}, where links of its are to be");
            load::await_nics(root, used);
            start::start_locked(root, used)?;
        }
    }
    Ok(())
}

/// Writes down that `name` uses another, before that one is touched.
fn enter(name: &NetnsName, record: &mut Record, used: &NetnsName) -> Result<()> {
    if leads_to(used, name) {
        bail!("{name} puts links into {used}, and {used} into {name}: neither can be started before the other");
    }
    if record.uses.insert(used.clone()) {
        record.write(name)?;
    }
    Ok(())
}

/// Whether one namespace uses another, by itself or by what it uses.
fn leads_to(from: &NetnsName, to: &NetnsName) -> bool {
    let mut open = vec![from.clone()];
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop().filter(|name| name != to) {
        if seen.insert(name.clone()) {
            open.extend(Record::read(&name).ok().flatten().into_iter().flat_map(|r| r.uses));
        }
        if open.is_empty() {
            return false;
        }
    }
    true
}

/// A record of a namespace that is there, with one more user. Its lock is held.
fn join(used: &NetnsName, user: &NetnsName) -> Result<Record> {
    let found = Record::read(used)?;
    refuse_foreign(used, found.as_ref())?;
    let up = found.filter(|r| r.progress == Progress::Complete && is_ours(used, r));
    let mut record = up.map_or_else(|| start::ensure_created(used), Ok)?;
    if record.users.insert(user.clone()) {
        record.write(used)?;
    }
    Ok(record)
}

/// Ends the use of those namespaces; what nobody uses any more is stopped.
pub(super) fn release<'a>(name: &NetnsName, used: impl IntoIterator<Item = &'a NetnsName>) -> Result<()> {
    for used in used {
        let _lock = lock::acquire(&record::directory(used))?;
        let Some(mut record) = Record::read(used)? else {
            // Only the lock was there.
            Record::remove(used)?;
            continue;
        };
        record.users.remove(name);
        if has_users(used, &mut record) {
            record.write(used)?;
        } else {
            stop::stop_locked(used, &record)
                .with_context(|| format!("stop {used}, which {name} was the last to use"))?;
        }
    }
    Ok(())
}

/// Whether anybody still needs a namespace; who says so no more is forgotten.
pub(super) fn has_users(name: &NetnsName, record: &mut Record) -> bool {
    let says_so = |user: &NetnsName| Record::read(user).ok().flatten().is_some_and(|r| r.uses.contains(name));
    record.users.retain(|user| user == name || says_so(user));
    !record.users.is_empty()
}

/// Stops a namespace for its own part. Tells whether others keep it.
pub(super) fn leave(name: &NetnsName, record: &mut Record) -> Result<bool> {
    let was_up = record.users.remove(name);
    let kept = is_ours(name, record) && has_users(name, record);
    if kept {
        record.write(name)?;
        let users: Vec<&str> = record.users.iter().map(NetnsName::as_str).collect();
        let level = if was_up { log::Level::Info } else { log::Level::Debug };
        log::log!(level, "{name} stays up: there are links of {} in it", users.join(", "));
    }
    Ok(kept)
}

/// Takes away the names of namespaces that were left because they could not be, from inside a unit's sandbox.
pub(super) fn sweep() -> Result<()> {
    for name in Record::list() {
        let is_abandoned = |r: &Record| r.abandoned && r.users.is_empty();
        if Record::read(&name).ok().flatten().is_some_and(|r| is_abandoned(&r)) {
            let _lock = lock::acquire(&record::directory(&name))?;
            match Record::read(&name)? {
                Some(record) if is_abandoned(&record) => stop::stop_locked(&name, &record)?,
                Some(_) => {}
                None => Record::remove(&name)?,
            }
        }
    }
    Ok(())
}

/// What others answer for in the namespaces that `desired` or `record` uses, theirs included whose namespaces these are.
pub(super) fn others(name: &NetnsName, record: Option<&Record>, desired: Option<&Desired>) -> Vec<Owned> {
    let used = record.into_iter().flat_map(|r| &r.uses).chain(desired.into_iter().flat_map(|d| &d.uses));
    let mut all: BTreeSet<NetnsName> = BTreeSet::new();
    for used in used.collect::<BTreeSet<_>>() {
        all.insert(used.clone());
        all.extend(Record::read(used).ok().flatten().into_iter().flat_map(|r| r.users));
    }
    all.remove(name);
    all.iter().filter_map(|other| Record::read(other).ok()??.owned(other, None).ok()?).collect()
}

/// The plan of a namespace that leaves what others still ask for.
pub(super) fn converge(
    current: State,
    desired: &Desired,
    owned: Option<&Owned>,
    others: &[Owned],
) -> Result<Plan, Vec<Problem>> {
    let mut plan = plan::converge(current.clone(), desired, owned)?;
    plan.spare(&desires(others));
    if owned.is_some_and(|owned| !owned.before.sysctls.is_empty()) {
        plan.spare_settings(&current, &host::befores(Some(&desired.netns), None), Some(desired));
    }
    Ok(plan)
}

/// What they ask for.
pub(super) fn desires(others: &[Owned]) -> Vec<Arc<Desired>> {
    others.iter().map(|other| Arc::clone(&other.desired)).collect()
}

/// Adds to a state the namespaces that `desired` uses and that are not up, as a start would make them first.
pub(super) fn imagine(root: &Path, state: &mut State, desired: &Desired) -> Result<Vec<Plan>> {
    let mut plans = Vec::new();
    for used in desired.uses.iter().filter(|used| look::ours(used).is_none()) {
        let record = Record::read(used)?;
        refuse_foreign(used, record.as_ref())?;
        let mut loaded = load::read_used(root, used);
        let Some(theirs) = loaded.desired.take() else {
            // The same once more, for its mistakes.
            load(root, used)?;
            continue;
        };
        let current = look(&mut Kernel::new(), used, None, None, Some(&theirs))?.state;
        let plan = plan::converge(current, &theirs, None).map_err(|p| load::problems(&loaded, &p))?;
        *state = simulate(state, &plan);
        let settings = desired.sysctls.iter().filter(|(netns, ..)| netns.name() == Some(used));
        let made = state.netns.entry(Netns::Named(used.clone())).or_default();
        made.sysctls.extend(settings.map(|(_, key, _)| (key.clone(), "0".to_owned())));
        plans.push(plan);
    }
    Ok(plans)
}

/// The plans by which those are stopped that nobody uses once `name` has stopped.
pub(super) fn stops(name: &NetnsName, record: &Record) -> Result<Vec<Plan>> {
    let mut plans = Vec::new();
    for used in &record.uses {
        let Some(mut theirs) = Record::read(used)? else { continue };
        theirs.users.remove(name);
        let owned = theirs.owned(used, None)?;
        if let Some(owned) = owned.filter(|_| !has_users(used, &mut theirs)) {
            let current = look(&mut Kernel::new(), used, Some(&theirs), Some(&owned), None)?.state;
            plans.push(plan::teardown(current, &owned));
            plans.extend(stops(used, &theirs)?);
        }
    }
    Ok(plans)
}

/// Reloads those that a namespace's default route matters to.
pub(super) fn follow(root: &Path, name: &NetnsName) {
    for user in Record::read(name).ok().flatten().into_iter().flat_map(|r| r.users) {
        let owned = || Record::read(&user).ok()??.owned(&user, None).ok()?;
        let has_rules = |o: Owned| o.desired.rules.iter().any(|(netns, _)| netns.name() == Some(name));
        if user != *name && owned().is_some_and(has_rules) {
            log::info!("{user} has rules in {name}: reloading it too");
            if let Err(e) = start::reload(root, &user) {
                log::warn!("{e:#}, ignoring");
            }
        }
    }
}

/// Reloads those whose links are ports of bridges that `name` has just made: they lost them when it was stopped.
pub(super) fn attach(root: &Path, name: &NetnsName) {
    let owned = |name: &NetnsName| Record::read(name).ok()??.owned(name, None).ok()?;
    let made = owned(name).map(|owned| config::made_on_host(&owned.desired)).unwrap_or_default();
    if made.is_empty() {
        return;
    }
    let is_on = |owned: Owned| {
        let links = owned.desired.links.iter();
        links.filter_map(|link| link.link.master.filter(|_| link.place.netns == Netns::Host)).any(|m| made.contains(&m))
    };
    for other in Record::list().into_iter().filter(|other| other != name && look::ours(other).is_some()) {
        if owned(&other).is_some_and(is_on) {
            log::info!("{other} is on a bridge of {name}: reloading it too");
            if let Err(e) = start::reload(root, &other) {
                log::warn!("{e:#}, ignoring");
            }
        }
    }
}

//! `create`, `start` and `reload`.
//!
//! A start reads the files, looks at the kernel, makes a plan, writes down what it will answer for, and only then changes
//! anything. When that fails, or was killed, the record is torn down like a finished start: there is no scripted undo.

use super::load::{load_when_there, problems};
use super::look::{identity, is_left_over, is_ours, look, refuse_foreign, wanted};
use super::{firewall, host, names, router, shared, stamp, stop};
use crate::apply::{apply, apply_all};
use crate::kernel::{Kernel, netns};
use crate::model::{Desired, Netns, NetnsName, NetnsState, Owned, State};
use crate::plan::{Op, Plan, own, own_elsewhere, own_settings, settle};
use crate::report;
use crate::system::journal::{self, About, Event};
use crate::system::lock::{self, Lock};
use crate::system::record::{self, Progress, Record};
use crate::system::resolv;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Makes the namespace alone, and those that its links are to be in.
pub fn create(root: &Path, name: &NetnsName) -> Result<()> {
    let _turn = shared::turn(root, name)?;
    let _lock = lock::acquire(&record::directory(name))?;
    let mut record = ensure_created(name)?;
    if record.users.insert(name.clone()) {
        record.write(name)?;
    }
    shared::create_used(root, name, &mut record)
}

/// Makes and configures the namespace, or brings one that is up in line with the files.
pub fn start(root: &Path, name: &NetnsName) -> Result<()> {
    let turn = shared::turn(root, name)?;
    let lock = lock::acquire(&record::directory(name))?;
    let before = Record::read(name)?;
    if let Some(mut up) = before.clone().filter(|r| r.progress == Progress::Complete && is_ours(name, r)) {
        log::info!("{name} is up already: bringing it in line with the files");
        if up.users.insert(name.clone()) {
            up.write(name)?;
        }
        return reload_locked(root, name);
    }
    let result = start_locked(root, name).and_then(|()| need_for_itself(name));
    match &result {
        Err(_) if before.is_none() => forget_created(name, lock),
        Err(_) => {}
        Ok(()) => {
            drop((lock, turn));
            shared::attach(root, name);
        }
    }
    result
}

/// It was started for its own sake, not for others' alone.
fn need_for_itself(name: &NetnsName) -> Result<()> {
    let Some(mut record) = Record::read(name)? else { return Ok(()) };
    if record.users.insert(name.clone()) { record.write(name) } else { Ok(()) }
}

/// The work, with the lock held.
pub(super) fn start_locked(root: &Path, name: &NetnsName) -> Result<()> {
    if let Some(first) = shared::first_look(root, name) {
        shared::acquire(root, name, &mut ensure_created(name)?, &first)?;
    }
    // The uplinks of what it uses are known by now.
    let (desired, loaded) = load_when_there(root, name)?;
    router::refuse_mistaken(root, &desired)?;
    firewall::refuse(&desired)?;
    let mut record = ensure_created(name)?;
    let others = shared::others(name, Some(&record), Some(&desired));
    let mut kernel = Kernel::new();
    let settings = host::lock(Some(&desired), None)?;
    let current = look(&mut kernel, name, Some(&record), None, Some(&desired))?.state;
    let plan = shared::converge(current.clone(), &desired, None, &others).map_err(|p| problems(&loaded, &p))?;
    record.progress = Progress::Unfinished;
    let applied = Arc::clone(&desired);
    record.write_owned(name, &answer_for(&current, desired, &plan, None, &others))?;
    drop(settings);
    plan.notes.iter().for_each(|note| log::warn!("{note}"));
    if let Err(failed) = apply(&mut kernel, About::Netns(name), &plan) {
        let error = anyhow::Error::from(failed);
        journal::tell(About::Netns(name), Event::Failed, "start", format_args!("{error:#}"));
        log::info!("{name}: giving everything back");
        stop::stop_locked(name, &record).context("and what was done could not be undone")?;
        bail!("{name} was not started; everything is back where it was");
    }
    record.progress = Progress::Complete;
    record.write(name)?;
    stamp::make(root, name, &loaded, &applied, wanted(name, Some(&record), None, Some(&applied)));
    let done = report::summary(&plan);
    journal::tell(About::Netns(name), Event::Up, "start", format_args!("{name} is up: {done}"));
    Ok(())
}

/// The namespace with a record, and nothing left over from a start or stop that did not finish.
pub(super) fn ensure_created(name: &NetnsName) -> Result<Record> {
    let record = Record::read(name)?;
    refuse_foreign(name, record.as_ref())?;
    let mut users = BTreeSet::new();
    if let Some(mut record) = record {
        if !is_left_over(&record) && is_ours(name, &record) {
            resolv::prepare(name)?;
            if std::mem::take(&mut record.abandoned) {
                record.write(name)?;
            }
            return Ok(record);
        }
        users.clone_from(&record.users);
        log::info!("{name}: finishing what an earlier start or stop left undone");
        stop::stop_locked(name, &record)?;
        std::fs::create_dir_all(record::directory(name)).context("make the record's directory")?;
    }
    // Written first: a namespace without a record would be taken for somebody else's.
    let created = |identity| {
        let mut record = Record::created(identity);
        record.users.clone_from(&users);
        record
    };
    created(None).write(name)?;
    let namespace = netns::create(name).with_context(|| format!("make the namespace {name}"))?;
    let record = created(Some(identity(&namespace)));
    record.write(name)?;
    resolv::prepare(name)?;
    Ok(record)
}

/// After a failure: the namespace that this very start made.
fn forget_created(name: &NetnsName, lock: Lock) {
    match Record::read(name) {
        Ok(Some(record)) if record.progress == Progress::Created => {
            if let Err(e) = stop::stop_locked(name, &record) {
                log::warn!("{e:#}, ignoring");
            }
        }
        Ok(None) => {
            let _ = Record::remove(name);
        }
        _ => {}
    }
    drop(lock);
}

/// Applies the difference between the files and the kernel.
pub fn reload(root: &Path, name: &NetnsName) -> Result<()> {
    {
        let _turn = shared::turn(root, name)?;
        let _lock = lock::acquire(&record::directory(name))?;
        reload_locked(root, name)?;
    }
    shared::follow(root, name);
    Ok(())
}

fn reload_locked(root: &Path, name: &NetnsName) -> Result<()> {
    let record = Record::read(name)?;
    refuse_foreign(name, record.as_ref())?;
    let Some(mut record) = record.filter(|r| r.progress == Progress::Complete) else {
        if Record::read(name)?.is_none() {
            let _ = Record::remove(name);
        }
        bail!("{name} is not up: start it first (systemctl start systemd-netns@{name})");
    };
    if stamp::holds(root, name) {
        log::info!("{name}: nothing to do");
        return Ok(());
    }
    let used_before = record.uses.clone();
    if let Some(first) = shared::first_look(root, name) {
        shared::acquire(root, name, &mut record, &first)?;
    }
    let (desired, loaded) = load_when_there(root, name)?;
    router::refuse_mistaken(root, &desired)?;
    let owned = record.owned(name, Some(&desired))?;
    if owned.as_ref().is_none_or(|owned| owned.desired.ruleset != desired.ruleset) {
        firewall::refuse(&desired)?;
    }
    let others = shared::others(name, Some(&record), Some(&desired));
    let mut kernel = Kernel::new();
    let settings = host::lock(Some(&desired), owned.as_ref())?;
    let current = look(&mut kernel, name, Some(&record), owned.as_ref(), Some(&desired))?.state;
    let plan = shared::converge(current.clone(), &desired, owned.as_ref(), &others);
    let plan = plan.map_err(|p| problems(&loaded, &p))?;
    let is_settled = |o: &Owned| o.former.is_empty() && Arc::ptr_eq(&o.desired, &desired);
    if plan.is_empty() && owned.as_ref().is_some_and(is_settled) {
        stamp::make(root, name, &loaded, &desired, wanted(name, Some(&record), owned.as_ref(), None));
        log::info!("{name}: nothing to do");
        return Ok(());
    }
    stamp::remove(name);
    let previous = owned.as_ref().map(|o| Arc::clone(&o.desired));
    let mut owned = answer_for(&current, desired, &plan, owned, &others);
    record.write_owned(name, &owned)?;
    // A router that a device needs may be waiting for that lock by then.
    let settings = settings.filter(|_| !plan.ops.iter().any(|op| matches!(op, Op::AttachDevice { .. } | Op::Run(_))));
    plan.notes.iter().for_each(|note| log::warn!("{note}"));
    if let Err(failed) = apply(&mut kernel, About::Netns(name), &plan) {
        let error = anyhow::Error::from(failed);
        journal::tell(About::Netns(name), Event::Failed, "reload", format_args!("{error:#}"));
        drop(settings);
        go_back(name, &mut record, owned, previous)?;
        use_only(name, &mut record, used_before)?;
        bail!("{name} was not reloaded; it is as it was before");
    }
    settle(&mut owned);
    record.write_owned(name, &owned)?;
    drop(settings);
    use_only(name, &mut record, owned.desired.uses.clone())?;
    stamp::make(root, name, &loaded, &owned.desired, wanted(name, Some(&record), Some(&owned), None));
    if plan.ops.iter().any(|op| matches!(op, Op::SetResolv { .. })) {
        names::refresh(name);
    }
    let done = report::summary(&plan);
    journal::tell(
        About::Netns(name),
        Event::Reloaded,
        "reload",
        format_args!("{name} is in line with its files: {done}"),
    );
    Ok(())
}

/// Ends the use of namespaces that are not among `uses`. They are written down until then, for whoever comes after a kill.
fn use_only(name: &NetnsName, record: &mut Record, uses: BTreeSet<NetnsName>) -> Result<()> {
    if record.uses != uses {
        shared::release(name, record.uses.difference(&uses))?;
        record.uses = uses;
        record.write(name)?;
    }
    Ok(())
}

/// What a plan makes `name` answer for, here and in the namespaces that it uses.
fn answer_for(current: &State, desired: Arc<Desired>, plan: &Plan, previous: Option<Owned>, others: &[Owned]) -> Owned {
    let netns = desired.netns.clone();
    let mut owned = own(&host_of(current), desired, plan, previous);
    own_elsewhere(&mut owned, current, others);
    if !owned.before.sysctls.is_empty() {
        own_settings(&mut owned, &host::befores(Some(&netns), None));
    }
    owned
}

/// After a failed reload: a plan from here to what was applied before.
fn go_back(name: &NetnsName, record: &mut Record, owned: Owned, previous: Option<Arc<Desired>>) -> Result<()> {
    let Some(previous) = previous else { return Ok(()) };
    log::info!("{name}: going back to what was applied before");
    let others = shared::others(name, Some(record), Some(&previous));
    let mut kernel = Kernel::new();
    let _settings = host::lock(Some(&previous), Some(&owned))?;
    let current = look(&mut kernel, name, Some(record), Some(&owned), Some(&previous))?.state;
    let back = shared::converge(current.clone(), &previous, Some(&owned), &others).map_err(|p| {
        let text: Vec<String> = p.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("what was applied before cannot be reached any more: {}", text.join("; "))
    })?;
    let failures = apply_all(&mut kernel, About::Netns(name), &back);
    let mut owned = answer_for(&current, previous, &back, Some(owned), &others);
    if failures.is_empty() {
        settle(&mut owned);
    }
    record.write_owned(name, &owned)?;
    stop::report_failures(failures).context("going back failed too; see systemd-netns status")
}

/// The host's part of a state.
fn host_of(state: &State) -> NetnsState {
    state.netns.get(&Netns::Host).cloned().unwrap_or_default()
}

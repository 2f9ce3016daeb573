//! `create`, `start` and `reload`.
//!
//! A start reads the files, looks at the kernel, makes a plan, writes down what it will answer for, and only then changes
//! anything. When that fails, or was killed, the record is torn down like a finished start: there is no scripted undo.

use super::load::{load_when_there, problems};
use super::look::{identity, is_left_over, is_ours, look, refuse_foreign, wanted};
use super::{names, stamp, stop};
use crate::apply::{apply, apply_all};
use crate::kernel::{Kernel, netns};
use crate::model::{Desired, Netns, NetnsName, NetnsState, Owned, State};
use crate::plan::{Op, converge, own, settle};
use crate::report;
use crate::system::lock::{self, Lock};
use crate::system::record::{self, Progress, Record};
use crate::system::resolv;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::sync::Arc;

/// Makes the namespace alone.
pub fn create(name: &NetnsName) -> Result<()> {
    let _lock = lock::acquire(&record::directory(name))?;
    ensure_created(name).map(|_| ())
}

/// Makes and configures the namespace, or brings one that is up in line with the files.
pub fn start(root: &Path, name: &NetnsName) -> Result<()> {
    let lock = lock::acquire(&record::directory(name))?;
    let before = Record::read(name)?;
    if before.as_ref().is_some_and(|r| r.progress == Progress::Complete && is_ours(name, r)) {
        log::info!("{name} is up already: bringing it in line with the files");
        return reload_locked(root, name);
    }
    let result = start_locked(root, name);
    if result.is_err() && before.is_none() {
        forget_created(name, lock);
    }
    result
}

fn start_locked(root: &Path, name: &NetnsName) -> Result<()> {
    let (desired, loaded) = load_when_there(root, name)?;
    let mut record = ensure_created(name)?;
    let mut kernel = Kernel::new();
    let current = look(&mut kernel, name, Some(&record), None, Some(&desired))?.state;
    let host = host_of(&current);
    let plan = converge(current, &desired, None).map_err(|p| problems(&loaded, &p))?;
    record.progress = Progress::Unfinished;
    let shared = Arc::clone(&desired);
    record.write_owned(name, &own(&host, desired, &plan, None))?;
    plan.notes.iter().for_each(|note| log::warn!("{note}"));
    if let Err(failed) = apply(&mut kernel, &plan) {
        let error = anyhow::Error::from(failed);
        log::error!("{error:#}");
        log::info!("{name}: giving everything back");
        stop::stop_locked(name, &record).context("and what was done could not be undone")?;
        bail!("{name} was not started; everything is back where it was");
    }
    record.progress = Progress::Complete;
    record.write(name)?;
    stamp::make(root, name, &loaded, &shared, wanted(name, Some(&record), None, Some(&shared)));
    log::info!("{name} is up: {}", report::summary(&plan));
    Ok(())
}

/// The namespace with a record, and nothing left over from a start or stop that did not finish.
fn ensure_created(name: &NetnsName) -> Result<Record> {
    let record = Record::read(name)?;
    refuse_foreign(name, record.as_ref())?;
    if let Some(record) = record {
        if !is_left_over(&record) && is_ours(name, &record) {
            resolv::prepare(name)?;
            return Ok(record);
        }
        log::info!("{name}: finishing what an earlier start or stop left undone");
        stop::stop_locked(name, &record)?;
        std::fs::create_dir_all(record::directory(name)).context("make the record's directory")?;
    }
    // Written first: a namespace without a record would be taken for somebody else's.
    Record::created(None).write(name)?;
    let namespace = netns::create(name).with_context(|| format!("make the namespace {name}"))?;
    let record = Record::created(Some(identity(&namespace)));
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
    let _lock = lock::acquire(&record::directory(name))?;
    reload_locked(root, name)
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
    let (desired, loaded) = load_when_there(root, name)?;
    let owned = record.owned(name, Some(&desired))?;
    let mut kernel = Kernel::new();
    let current = look(&mut kernel, name, Some(&record), owned.as_ref(), Some(&desired))?.state;
    let host = host_of(&current);
    let plan = converge(current, &desired, owned.as_ref()).map_err(|p| problems(&loaded, &p))?;
    if plan.is_empty() && owned.as_ref().is_some_and(|o| Arc::ptr_eq(&o.desired, &desired)) {
        stamp::make(root, name, &loaded, &desired, wanted(name, Some(&record), owned.as_ref(), None));
        log::info!("{name}: nothing to do");
        return Ok(());
    }
    stamp::remove(name);
    let previous = owned.as_ref().map(|o| Arc::clone(&o.desired));
    let mut owned = own(&host, desired, &plan, owned);
    record.write_owned(name, &owned)?;
    plan.notes.iter().for_each(|note| log::warn!("{note}"));
    if let Err(failed) = apply(&mut kernel, &plan) {
        log::error!("{:#}", anyhow::Error::from(failed));
        go_back(name, &mut record, owned, previous)?;
        bail!("{name} was not reloaded; it is as it was before");
    }
    settle(&mut owned);
    record.write_owned(name, &owned)?;
    stamp::make(root, name, &loaded, &owned.desired, wanted(name, Some(&record), Some(&owned), None));
    if plan.ops.iter().any(|op| matches!(op, Op::SetResolv { .. })) {
        names::refresh(name);
    }
    log::info!("{name} is in line with its files: {}", report::summary(&plan));
    Ok(())
}

/// After a failed reload: a plan from here to what was applied before.
fn go_back(name: &NetnsName, record: &mut Record, owned: Owned, previous: Option<Arc<Desired>>) -> Result<()> {
    let Some(previous) = previous else { return Ok(()) };
    log::info!("{name}: going back to what was applied before");
    let mut kernel = Kernel::new();
    let current = look(&mut kernel, name, Some(record), Some(&owned), Some(&previous))?.state;
    let host = host_of(&current);
    let back = converge(current, &previous, Some(&owned)).map_err(|p| {
        let text: Vec<String> = p.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("what was applied before cannot be reached any more: {}", text.join("; "))
    })?;
    let failures = apply_all(&mut kernel, &back);
    let mut owned = own(&host, previous, &back, Some(owned));
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

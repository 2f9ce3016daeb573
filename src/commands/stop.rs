//! `stop` and `delete`: from the record alone.

use super::look::{is_ours, look, refuse_foreign};
use super::pairs::Pairs;
use super::{host, shared};
use crate::apply::Failed;
use crate::kernel::{Kernel, netns};
use crate::model::NetnsName;
use crate::plan::{Op, teardown};
use crate::report;
use crate::system::journal::{self, About, Event};
use crate::system::lock;
use crate::system::record::{self, Progress, Record};
use anyhow::{Result, bail};
use nix::errno::Errno;
use std::path::Path;
use std::time::Instant;

/// Gives everything back and deletes the namespace. What is not there is no mistake.
pub fn stop(root: &Path, name: &NetnsName) -> Result<()> {
    let _turn = shared::turn(root, name)?;
    let _lock = lock::acquire(&record::directory(name))?;
    let Some(mut record) = Record::read(name)? else { return nothing_of_ours(name) };
    if shared::leave(name, &mut record)? { Ok(()) } else { stop_locked(name, &record) }
}

/// The namespace's name and record alone; what is in it must have been given back by `stop`. So with those that it used last.
pub fn delete(root: &Path, name: &NetnsName) -> Result<()> {
    stop(root, name)?;
    shared::sweep()
}

fn nothing_of_ours(name: &NetnsName) -> Result<()> {
    Record::remove(name)?;
    refuse_foreign(name, None)?;
    log::debug!("{name} is not up: nothing to do");
    Ok(())
}

/// The work, with the lock held.
pub(super) fn stop_locked(name: &NetnsName, record: &Record) -> Result<()> {
    let mut record = record.clone();
    if record.progress == Progress::Complete {
        record.progress = Progress::Unfinished;
        record.write(name)?;
    }
    let mut kernel = Kernel::new();
    let (mut failures, mut pairs) = (Vec::new(), Pairs::default());
    if let Some(owned) = record.owned(name, None)? {
        let _settings = host::lock(None, Some(&owned))?;
        let before = Instant::now();
        let current = look(&mut kernel, name, Some(&record), Some(&owned), None)?;
        let looked = before.elapsed();
        let mut plan = teardown(current.state.clone(), &owned);
        plan.ops.retain(|op| !matches!(op, Op::DeleteNetns(_)));
        plan.spare(&shared::desires(&shared::others(name, Some(&record), None)));
        plan.spare_settings(&current.state, &host::befores(Some(name), None), None);
        plan.notes.iter().for_each(|note| log::warn!("{note}"));
        let done = report::summary(&plan);
        pairs = Pairs::take_from(&mut plan, &mut kernel, name, &current);
        failures = pairs.apply_beside(&mut kernel, name, plan, looked);
        journal::tell(About::Netns(name), Event::Down, "stop", format_args!("{name} is down: {done}"));
    }
    // The user's commands may fail, as they may with ifdown; they leave nothing of ours behind.
    let (commands, mut failures): (Vec<_>, Vec<_>) = failures.into_iter().partition(|f| matches!(*f.op, Op::Run(_)));
    for failed in commands {
        log::warn!("{:#}, ignoring", anyhow::Error::from(failed));
    }
    // It ends when nobody holds it any more, this program included.
    drop(kernel);
    failures.retain(|f| !went_by_itself(f));
    let mut ended = false;
    if failures.is_empty() {
        shared::release(name, &record.uses)?;
        ended = delete_name(name, &record)?;
    }
    failures.extend(pairs.finish(name, ended).into_iter().filter(|f| !went_by_itself(f)));
    report_failures(failures)?;
    if ended {
        return Record::remove(name);
    }
    let mut left = Record::created(record.identity);
    left.abandoned = true;
    left.write(name)
}

/// The namespace's name; whether it is gone. What is left otherwise is going to be empty.
fn delete_name(name: &NetnsName, record: &Record) -> Result<bool> {
    // Where a start was killed while it made the namespace, or a stop in this place, there may be a file without a mount.
    if is_ours(name, record) || (!netns::is_mounted(name) && netns::path(name).exists()) {
        match netns::delete(name) {
            Err(e) if e.errno() == Some(Errno::EBUSY) => {
                // In the unit's sandbox the mount that others see is out of reach.
                log::debug!("{name}: the namespace's name is left for `delete`, outside of this mount namespace");
                return Ok(false);
            }
            done => done?,
        }
    }
    Ok(true)
}

/// What was to be deleted and is gone already is no failure.
fn went_by_itself(failed: &Failed) -> bool {
    let deletes = matches!(
        *failed.op,
        Op::DeleteLink(_)
            | Op::DeleteNetns(_)
            | Op::DeleteRoute { .. }
            | Op::DeleteAddress { .. }
            | Op::DeleteRule { .. }
    );
    deletes && failed.error.downcast_ref::<crate::kernel::Error>().is_some_and(crate::kernel::Error::is_absent)
}

/// All failures as one error.
pub(super) fn report_failures(failures: Vec<Failed>) -> Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    let text: Vec<String> = failures.into_iter().map(|f| format!("{:#}", anyhow::Error::from(f))).collect();
    bail!(text.join("\n"))
}

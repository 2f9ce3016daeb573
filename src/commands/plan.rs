//! `plan NAME [--stop]` and `plan --router NAME [--stop]`: the commands that a person would type.

use super::load::{load, problems};
use super::look::{is_left_over, look, refuse_foreign};
use super::{host, router, shared};
use crate::kernel::Kernel;
use crate::model::{NetnsName, RouterName};
use crate::plan::{Plan, teardown};
use crate::system::record::Record;
use anyhow::{Result, bail};
use std::io::Write;
use std::path::Path;

/// Prints the plan of a start or reload, or of a stop.
pub fn plan(root: &Path, name: &NetnsName, stop: bool) -> Result<()> {
    let record = Record::read(name)?;
    refuse_foreign(name, record.as_ref())?;
    let owned = |desired| record.as_ref().map_or(Ok(None), |r| r.owned(name, desired));
    let mut last = Vec::new();
    let plan = if stop {
        let Some(owned) = owned(None)? else { bail!("{name} is not up: there is nothing to stop") };
        let current = look(&mut Kernel::new(), name, record.as_ref(), Some(&owned), None)?.state;
        let mut plan = teardown(current.clone(), &owned);
        plan.spare(&shared::desires(&shared::others(name, record.as_ref(), None)));
        plan.spare_settings(&current, &host::befores(Some(name), None), None);
        last = record.as_ref().map_or(Ok(Vec::new()), |record| shared::stops(name, record))?;
        plan
    } else {
        if record.as_ref().is_some_and(is_left_over) {
            log::warn!(
                "{name} is half-made: a start first finishes what was left undone (systemd-netns plan {name} --stop)"
            );
        }
        let (desired, loaded) = load(root, name)?;
        let owned = owned(Some(&desired))?;
        let mut current = look(&mut Kernel::new(), name, record.as_ref(), owned.as_ref(), Some(&desired))?.state;
        let first = shared::imagine(root, &mut current, &desired)?;
        first.iter().try_for_each(|plan| write!(std::io::stdout(), "{plan}"))?;
        let others = shared::others(name, record.as_ref(), Some(&desired));
        shared::converge(current, &desired, owned.as_ref(), &others).map_err(|p| problems(&loaded, &p))?
    };
    print(&plan)?;
    last.iter().try_for_each(|plan| write!(std::io::stdout(), "{plan}"))?;
    Ok(())
}

/// Prints the plan of a router's `prepare`, or of its `clean`.
pub fn router(root: &Path, name: &RouterName, stop: bool) -> Result<()> {
    print(&router::plan(root, name, stop)?)
}

fn print(plan: &Plan) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if plan.is_empty() {
        writeln!(out, "# nothing to do")?;
    }
    write!(out, "{plan}")?;
    Ok(())
}

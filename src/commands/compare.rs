//! How far a namespace is from its files.

use super::load::read;
use super::look::look;
use super::shared;
use crate::config::PublishedSocket;
use crate::interfaces::diagnostic::Severity;
use crate::kernel::Kernel;
use crate::model::{NetnsName, Owned, State};
use crate::system::record::{Progress, Record};
use anyhow::Result;
use std::path::Path;
use std::sync::Arc;

/// What was found.
pub(super) struct Compared {
    /// The kernel, as far as the files and the record speak of it.
    pub current: State,
    /// What is answered for.
    pub owned: Option<Owned>,
    /// The commands that a reload would amount to; none when it would refuse, or the namespace is not up.
    pub drift: Option<Vec<String>>,
    /// What keeps the files from being applied.
    pub mistakes: Vec<String>,
    /// What systemd is to listen for.
    pub sockets: Vec<PublishedSocket>,
}

/// Compares a namespace that is ours with its files.
///
/// # Errors
/// When the record or the kernel cannot be read.
pub(super) fn compare(root: &Path, name: &NetnsName, record: &Record) -> Result<Compared> {
    let mut loaded = read(root, name);
    let desired = loaded.desired.take().map(Arc::new);
    let errors = loaded.diagnostics.iter().filter(|d| d.severity == Severity::Error);
    let mut mistakes: Vec<String> = errors.map(ToString::to_string).collect();
    let owned = record.owned(name, desired.as_ref())?;
    let current = look(&mut Kernel::new(), name, Some(record), owned.as_ref(), desired.as_deref())?.state;
    let mut drift = None;
    if let Some(desired) = desired.as_deref().filter(|_| record.progress == Progress::Complete) {
        let others = shared::others(name, Some(record), Some(desired));
        match shared::converge(current.clone(), desired, owned.as_ref(), &others) {
            Ok(plan) => drift = Some(plan.ops.iter().map(ToString::to_string).collect()),
            Err(problems) => mistakes.extend(problems.iter().map(ToString::to_string)),
        }
    }
    Ok(Compared { current, owned, drift, mistakes, sockets: loaded.sockets })
}

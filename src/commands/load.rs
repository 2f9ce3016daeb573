//! The files of a namespace, read with what the machine knows; mistakes as text.

use super::machine::Machine;
use super::{Mistakes, Refused};
use crate::config::{self, Loaded};
use crate::interfaces::diagnostic::{Diagnostic, Severity};
use crate::model::{Desired, LinkName, NetnsName};
use crate::plan::Problem;
use crate::system::journal;
use crate::system::record::Record;
use anyhow::Result;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// systemd's own default (`DefaultDeviceTimeoutSec=`, systemd-system.conf(5)).
const DEVICE_LIMIT: Duration = Duration::from_secs(90);

/// How often links are looked for that may yet come.
const AWHILE: Duration = Duration::from_millis(100);

/// Reads the files of `netns`, once the links are there that `bridge_waitport` waits for, or its time has passed.
///
/// # Errors
/// As of [`load`].
pub(super) fn load_when_there(root: &Path, netns: &NetnsName) -> Result<(Arc<Desired>, Loaded)> {
    let loaded = read(root, netns);
    if loaded.has_errors() || loaded.awaited.is_empty() {
        return judge(loaded);
    }
    let names: Vec<&str> = loaded.awaited.iter().map(|(link, _)| link.as_str()).collect();
    log::info!("{netns}: waiting for {}", names.join(", "));
    let start = Instant::now();
    let is_missing = |link: &LinkName| !Path::new("/sys/class/net").join(link.as_str()).exists();
    while loaded.awaited.iter().any(|(link, limit)| start.elapsed() < *limit && is_missing(link)) {
        std::thread::sleep(AWHILE);
    }
    load(root, netns)
}

/// Waits for the host's links that a namespace needs which is started for another's sake, as long as systemd would wait for their
/// device units. At somebody's command nothing is waited for.
pub(super) fn await_nics(root: &Path, netns: &NetnsName) {
    let needed = read_used(root, netns).desired.iter().flat_map(config::host_links).collect::<Vec<_>>();
    let is_missing = |link: &LinkName| !Path::new("/sys/class/net").join(link.as_str()).exists();
    let start = Instant::now();
    // Set by systemd for what it runs (systemd.exec(5)).
    let limit = if std::env::var_os("INVOCATION_ID").is_some() { DEVICE_LIMIT } else { Duration::ZERO };
    while start.elapsed() < limit && needed.iter().any(is_missing) {
        std::thread::sleep(AWHILE);
    }
}

/// Reads the files of `netns`; warnings are logged.
///
/// # Errors
/// [`Mistakes`] when there is one in the files.
pub(super) fn load(root: &Path, netns: &NetnsName) -> Result<(Arc<Desired>, Loaded)> {
    judge(read(root, netns))
}

fn judge(mut loaded: Loaded) -> Result<(Arc<Desired>, Loaded)> {
    let (errors, warnings): (Vec<&Diagnostic>, Vec<_>) =
        loaded.diagnostics.iter().partition(|d| d.severity == Severity::Error);
    for warning in warnings {
        log::warn!(target: journal::PLAIN, "{warning}");
    }
    let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
    match loaded.desired.take() {
        Some(desired) if text.is_empty() => Ok((Arc::new(desired), loaded)),
        _ => Err(Mistakes(text.join("\n")).into()),
    }
}

/// The files and everything that is to be said about them.
pub(super) fn read(root: &Path, netns: &NetnsName) -> Loaded {
    let used = Record::read(netns).ok().flatten().is_some_and(|r| r.users.iter().any(|user| user != netns));
    config::load(root, netns, &Machine::new(root, netns, used))
}

/// The same of a namespace that others are going to use.
pub(super) fn read_used(root: &Path, netns: &NetnsName) -> Loaded {
    config::load(root, netns, &Machine::new(root, netns, true))
}

/// The problems of a plan, each at the place in the files that names the link.
pub(super) fn problems(loaded: &Loaded, problems: &[Problem]) -> anyhow::Error {
    let text: Vec<String> = problems.iter().map(|p| diagnostic(loaded, p, Severity::Error).to_string()).collect();
    Refused(text.join("\n")).into()
}

/// A problem as a diagnostic.
pub(super) fn diagnostic(loaded: &Loaded, problem: &Problem, severity: Severity) -> Diagnostic {
    let span = loaded.spans.get(&problem.place).cloned();
    Diagnostic { severity, message: problem.message.clone(), span, help: problem.help.clone() }
}

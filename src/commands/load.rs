//! The files of a namespace, read with what the machine knows; mistakes as text.

use super::{Mistakes, Refused, look};
use crate::config::{self, Loaded, Surroundings};
use crate::interfaces::diagnostic::{Diagnostic, Severity};
use crate::kernel::{self, Kernel};
use crate::model::{Desired, LinkName, Netns, NetnsName};
use crate::plan::Problem;
use crate::system::record::Record;
use crate::system::{journal, programs};
use anyhow::Result;
use std::cell::{OnceCell, RefCell};
use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
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

/// What patterns and mappings ask of this machine. Looked up only when something asks.
struct Machine<'a> {
    root: &'a Path,
    netns: &'a NetnsName,
    /// Whether others put links into it.
    used: bool,
    kernel: RefCell<Kernel>,
    links: OnceCell<Known>,
}

/// The links that there are.
struct Known {
    host: HashSet<LinkName>,
    /// Those of the host and the namespace.
    all: Vec<LinkName>,
}

impl<'a> Machine<'a> {
    fn new(root: &'a Path, netns: &'a NetnsName, used: bool) -> Self {
        Self { root, netns, used, kernel: RefCell::new(Kernel::new()), links: OnceCell::new() }
    }

    fn known(&self) -> &Known {
        self.links.get_or_init(|| {
            let host = look::links(&Netns::Host);
            let inside = look::links(&Netns::Named(self.netns.clone()));
            let known: HashSet<LinkName> = host.iter().copied().collect();
            let all = host.into_iter().chain(inside.into_iter().filter(|name| !known.contains(name))).collect();
            Known { host: known, all }
        })
    }
}

impl Surroundings for Machine<'_> {
    fn links(&self) -> Vec<LinkName> {
        self.known().all.clone()
    }

    fn by_altname(&self, name: &str) -> Option<LinkName> {
        let mut kernel = self.kernel.borrow_mut();
        let mut called = |netns| kernel.link_called(&netns, name).ok().flatten();
        let link = called(Netns::Host).or_else(|| called(Netns::Named(self.netns.clone())))?;
        Some(link).filter(|link| link.as_str() != name)
    }

    fn attribute(&self, link: &LinkName, variable: &str) -> Option<String> {
        if !self.known().host.contains(link) || variable.contains('/') || variable.starts_with('.') {
            return None;
        }
        let file = if variable == "mac" { "address" } else { variable };
        let text = std::fs::read_to_string(format!("/sys/class/net/{link}/{file}")).ok()?;
        Some(text.trim_end().to_owned())
    }

    fn installed(&self, program: &str) -> bool {
        // Another machine's files are not held against this one.
        self.root != Path::new("/") || programs::find(program).is_some()
    }

    fn uplink(&self, netns: &NetnsName, ipv6: bool) -> Option<LinkName> {
        if self.root == Path::new("/")
            && let Some(namespace) = look::ours(netns)
        {
            return kernel::proc::default_link(&namespace, ipv6).ok().flatten();
        }
        // It is going to be as its files say. Those of its own that ask for others' uplinks do not matter here.
        let machine = Machine::new(self.root, netns, true);
        config::uplink(&config::load(self.root, netns, &WithoutUplinks(&machine)).desired?, ipv6)
    }

    fn mtu_inside(&self, link: &LinkName) -> Option<u32> {
        let inside = || look::link(&Netns::Named(self.netns.clone()), *link)?.mtu;
        if self.root == Path::new("/") { inside() } else { None }
    }

    fn is_used_by_others(&self) -> bool {
        self.used
    }

    fn map(&self, script: &str, argument: &str, lines: &[String]) -> Result<String, String> {
        let mut child = Command::new(script)
            .arg(argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| e.to_string())?;
        if let Some(mut stdin) = child.stdin.take() {
            // A script need not read what it is given.
            let _ = stdin.write_all(lines.iter().map(|l| format!("{l}\n")).collect::<String>().as_bytes());
        }
        let output = child.wait_with_output().map_err(|e| e.to_string())?;
        if !output.status.success() {
            return Err(format!("ended with {}", output.status));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().next().unwrap_or("").trim().to_owned())
    }
}

/// A machine that is not asked for uplinks: two namespaces' files may name one another.
struct WithoutUplinks<'a>(&'a Machine<'a>);

impl Surroundings for WithoutUplinks<'_> {
    fn links(&self) -> Vec<LinkName> {
        self.0.links()
    }

    fn by_altname(&self, name: &str) -> Option<LinkName> {
        self.0.by_altname(name)
    }

    fn attribute(&self, link: &LinkName, variable: &str) -> Option<String> {
        self.0.attribute(link, variable)
    }

    fn installed(&self, program: &str) -> bool {
        self.0.installed(program)
    }

    fn is_used_by_others(&self) -> bool {
        self.0.used
    }

    fn map(&self, script: &str, argument: &str, lines: &[String]) -> Result<String, String> {
        self.0.map(script, argument, lines)
    }
}

//! The services of a namespace: whether they run, whether all of them is inside, and why one failed.
//!
//! A service is known by its `BindsTo=` of the namespace's unit, which the drop-in has. What leaks is looked for where it was seen to
//! happen: a service that was started before the drop-in was there runs in the host's network; one whose drop-in was written by hand asks
//! the host's name servers.

use crate::kernel::Namespace;
use crate::kernel::mounts;
use crate::kernel::netns::{self, Identity};
use crate::model::NetnsName;
use crate::system::systemd::{self, Manager};
use crate::system::{journal, resolv};
use serde::Serialize;

/// How many lines of the journal are shown of a failure.
const LINES: usize = 8;
/// How many processes of a service are looked at.
const PROCESSES: usize = 1000;

/// A service that is bound to a namespace.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct Service {
    pub unit: String,
    /// Whether it runs.
    pub active: bool,
    pub main_pid: Option<u32>,
    /// Its processes that are not in the namespace.
    pub outside: Vec<u32>,
}

/// A unit that failed.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct Failure {
    pub unit: String,
    /// systemd's word, such as `exit-code`.
    pub result: String,
    /// What it said last.
    pub said: Vec<String>,
    /// What to do.
    pub remedy: String,
}

/// What systemd knows of a namespace.
#[derive(Debug, Default)]
pub(in crate::commands) struct Bound {
    pub services: Vec<Service>,
    pub leaks: Vec<String>,
    pub failures: Vec<Failure>,
}

/// A conversation with systemd, where it runs and can be reached.
pub(in crate::commands) fn manager() -> Option<Manager> {
    let manager = systemd::is_booted().then(Manager::connect)?;
    manager.inspect_err(|e| log::debug!("{e:#}, ignoring")).ok()
}

/// The namespaces whose units have failed.
pub(in crate::commands) fn failed(manager: Option<&Manager>) -> Vec<NetnsName> {
    let units = manager.and_then(|manager| manager.list("failed", "systemd-netns@*.service").ok()).unwrap_or_default();
    units.iter().filter_map(|unit| name_of(unit)).collect()
}

/// The namespace whose unit it is.
pub(in crate::commands) fn name_of(unit: &str) -> Option<NetnsName> {
    unit.strip_prefix("systemd-netns@")?.strip_suffix(".service")?.parse().ok()
}

/// Looks at the unit of a namespace and at the services that are bound to it. What cannot be asked is left out.
pub(in crate::commands) fn look(manager: &Manager, name: &NetnsName) -> Bound {
    let mut bound = Bound::default();
    let own = format!("systemd-netns@{name}.service");
    let units = manager.bound_by(&own).unwrap_or_default();
    let identity = Namespace::named(name).ok().map(|namespace| namespace.identity());
    for unit in std::iter::once(own.clone()).chain(units.into_iter().filter(|unit| unit.ends_with(".service"))) {
        let Ok(service) = manager.service(&unit) else { continue };
        if service.active == "failed" {
            let remedy = remedy(name, &unit, unit == own);
            let said = journal::last_errors(&service.invocation, LINES);
            bound.failures.push(Failure { unit: unit.clone(), result: service.result.clone(), said, remedy });
        }
        if unit == own {
            continue;
        }
        let active = matches!(service.active.as_str(), "active" | "activating" | "reloading" | "refreshing");
        let mut looked = Service { unit, active, main_pid: service.main_pid, outside: Vec::new() };
        if let Some(identity) = identity.filter(|_| active) {
            let processes = processes(&service);
            looked.outside = processes.iter().copied().filter(|pid| is_elsewhere(*pid, identity)).collect();
            bound.leaks.extend(leak(&looked));
            bound.leaks.extend(leak_of_names(name, &looked));
        }
        bound.services.push(looked);
    }
    bound
}

fn remedy(name: &NetnsName, unit: &str, is_own: bool) -> String {
    match is_own {
        true => format!("see systemd-netns check {name} and journalctl -u {unit}; then: systemctl restart {unit}"),
        false => format!("see journalctl -u {unit}; then: systemctl restart {unit}"),
    }
}

/// The processes of a service: those of its control group, or its main process where there is none.
fn processes(service: &systemd::Service) -> Vec<u32> {
    let file = |root: &str| std::fs::read_to_string(format!("{root}{}/cgroup.procs", service.group)).ok();
    let lines = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"].into_iter().find_map(file);
    let lines = lines.filter(|_| !service.group.is_empty()).unwrap_or_default();
    let mut found: Vec<u32> = lines.lines().filter_map(|line| line.parse().ok()).take(PROCESSES).collect();
    if found.is_empty() {
        found.extend(service.main_pid);
    }
    found
}

fn is_elsewhere(pid: u32, identity: Identity) -> bool {
    netns::of_process(pid).is_some_and(|of| of != identity)
}

fn leak(service: &Service) -> Option<String> {
    let host = Namespace::own().ok().map(|own| own.identity());
    let first = service.main_pid.filter(|pid| service.outside.contains(pid)).or(service.outside.first().copied())?;
    let what = if Some(first) == service.main_pid { "main process" } else { "process" };
    let place = if netns::of_process(first) == host { "in the host's network" } else { "in another namespace" };
    let more = match service.outside.len() - 1 {
        0 => String::new(),
        n => format!(", with {n} more"),
    };
    let unit = &service.unit;
    Some(format!("{unit}: {what} {first} is {place}{more}; restart it: systemctl restart {unit}"))
}

/// A service that is inside and does not see the name servers of the namespace.
fn leak_of_names(name: &NetnsName, service: &Service) -> Option<String> {
    let pid = service.main_pid.filter(|pid| !service.outside.contains(pid))?;
    let folder = resolv::folder(name);
    let has_own = folder.join("resolv.conf").exists();
    if !has_own || mounts::has_mount(pid, &folder) {
        return None;
    }
    let unit = &service.unit;
    Some(format!(
        "{unit}: asks the host's name servers, as its drop-in does not bind {}; write it anew: systemd-netns enable {unit} --netns {name}",
        folder.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_in_the_unit() {
        assert_eq!(name_of(r"systemd-netns@a\x2db@c.service").unwrap().as_str(), r"a\x2db@c");
        assert!(name_of("nginx.service").is_none());
    }

    #[test]
    fn a_leak_says_what_to_do() {
        let service =
            |outside: Vec<u32>| Service { unit: "a.service".to_owned(), active: true, main_pid: Some(1), outside };
        assert_eq!(leak(&service(Vec::new())), None);
        let said = leak(&service(vec![std::process::id(), 1])).unwrap();
        assert!(said.starts_with("a.service: main process 1 is in "), "{said}");
        assert!(said.ends_with(", with 1 more; restart it: systemctl restart a.service"), "{said}");
    }
}

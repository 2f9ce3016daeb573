//! `router prepare NAME`, `router reload NAME` and `router clean NAME`: the host's side of a router.
//!
//! As with a namespace: the file is read, the kernel looked at, a plan made, what is answered for written down, and only then is
//! anything changed. Two routers are prepared one after another, as they share settings of the host.

use super::load;
use crate::apply::{apply, apply_all};
use crate::commands::stop::report_failures;
use crate::commands::{Mistakes, Refused, host, look};
use crate::config;
use crate::interfaces::diagnostic::{Diagnostic, Severity};
use crate::kernel::{Kernel, Wanted};
use crate::model::{Gate, Netns, OwnedGate, RouterName, State};
use crate::plan::{Plan, Problem, close_gate, gate_links, gate_settings, open_gate, own_gate, settle_gate};
use crate::report;
use crate::router::settings::Settings;
use crate::system::journal::{self, About, Event};
use crate::system::systemd::{self, Active, Manager};
use crate::system::{gate, lock, nft, secrets};
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::Path;

/// Brings the host in line with a router's file. A unit is not started again for a mistake where it is its main process that tells
/// it (`RestartPreventExitStatus=`, systemd.service(5)): so what runs before leaves it to that.
pub(super) fn prepare(root: &Path, name: &RouterName, before_run: bool) -> Result<()> {
    match load(root, name) {
        Err(e) if before_run && e.is::<Mistakes>() => Ok(()),
        settings => prepare_for(name, &settings?),
    }
}

/// The same for settings that are read already.
pub(super) fn prepare_for(name: &RouterName, settings: &Settings) -> Result<()> {
    secrets::keep(&settings.tunnels.secrets())?;
    let (wanted, _lock) = (wanted_gate(name, settings)?, lock::settings()?);
    open(name, wanted)
}

/// Carries the gate's plan out.
pub(super) fn open(name: &RouterName, wanted: Gate) -> Result<()> {
    let owned = gate::read(name)?;
    let current = look_at(Some(&wanted), owned.as_ref())?;
    let plan = plan_of(&current, &wanted, owned.as_ref())?;
    plan.notes.iter().for_each(|note| log::warn!("{note}"));
    if plan.is_empty() && owned.as_ref().is_some_and(|owned| owned.gate == wanted) {
        log::debug!("{name}: nothing to do");
        return Ok(());
    }
    let seen = current.netns.get(&Netns::Host).cloned().unwrap_or_default();
    let is_new = owned.is_none();
    let mut owned = own_gate(&seen, wanted, owned, &host::befores(None, Some(name)));
    gate::write(name, &owned)?;
    if let Err(failed) = apply(&mut Kernel::new(), About::Router(name), &plan) {
        let error = anyhow::Error::from(failed);
        if is_new {
            log::info!("{name}: giving everything back");
            close(name, &owned).context("and what was done could not be undone")?;
        }
        return Err(error);
    }
    settle_gate(&mut owned);
    gate::write(name, &owned)?;
    let done = report::summary(&plan);
    journal::tell(About::Router(name), Event::Up, "prepare", format_args!("{name} is prepared: {done}"));
    Ok(())
}

/// The commands that a `prepare`, or a `clean`, would amount to.
pub fn plan(root: &Path, name: &RouterName, stop: bool) -> Result<Plan> {
    let owned = gate::read(name)?;
    if stop {
        let Some(owned) = owned else { bail!("router {name} is not prepared: there is nothing to clean") };
        return Ok(close_gate(look_at(None, Some(&owned))?, &owned, &host::befores(None, Some(name))));
    }
    let wanted = wanted_gate(name, &load(root, name)?)?;
    plan_of(&look_at(Some(&wanted), owned.as_ref())?, &wanted, owned.as_ref())
}

/// What a router's file asks for against what there is: warnings, for a link may yet come.
pub fn problems(name: &RouterName, settings: &Settings) -> Vec<Diagnostic> {
    let found = || -> Result<Vec<Diagnostic>> {
        let (wanted, owned) = (wanted_gate(name, settings)?, gate::read(name)?);
        let current = look_at(Some(&wanted), owned.as_ref())?;
        let (notes, problems) = match open_gate(current, &wanted, owned.as_ref(), true) {
            Ok(plan) => (plan.notes, Vec::new()),
            Err(problems) => (Vec::new(), problems),
        };
        let notes = notes.into_iter().map(Diagnostic::warning_without_place);
        Ok(notes.chain(problems.iter().map(|problem| diagnostic(problem, Severity::Warning))).collect())
    };
    found().unwrap_or_else(|e| vec![Diagnostic::warning_without_place(format!("{e:#}"))])
}

/// Brings the host in line, and tells the daemon (systemd says in `MAINPID` which process that is) to read its file again.
pub(super) fn reload(root: &Path, name: &RouterName) -> Result<()> {
    let settings = load(root, name)?;
    if let Some(owned) = gate::read(name)?.filter(|owned| owned.gate.device != settings.device) {
        bail!("the device is {} now: restart the router instead, its peers come back", owned.gate.device);
    }
    prepare_for(name, &settings)?;
    let Ok(pid) = std::env::var("MAINPID") else { return Ok(()) };
    match pid.parse() {
        Ok(pid) if pid > 1 => kill(Pid::from_raw(pid), Signal::SIGHUP).context("tell the router to read its file"),
        _ => bail!("MAINPID is {pid:?}"),
    }
}

/// Gives everything back. A router that has failed is started again, or restarted by somebody: then all of it stays, so that its peers'
/// connections do; `last` gives it back all the same. When its socket stops, what a failed one has left goes too.
pub(super) fn clean(name: &RouterName, last: bool) -> Result<()> {
    // Set by systemd for ExecStopPost= of a service (systemd.exec(5)).
    let result = std::env::var("SERVICE_RESULT").ok();
    let failed = result.as_ref().is_some_and(|result| result != "success");
    if !last && (failed || is_needed(name, result.is_some())) {
        log::debug!("{name} goes on, or comes back: its device stays");
        return if failed && systemd::is_booted() { renew_socket(name) } else { Ok(()) };
    }
    let _lock = lock::settings()?;
    match gate::read(name)? {
        Some(owned) => close(name, &owned),
        None => gate::remove(name),
    }
}

/// Has the router's socket made anew where its file was deleted, which is why the router ended.
fn renew_socket(name: &RouterName) -> Result<()> {
    let (unit, manager) = (format!("systemd-netns-router@{name}.socket"), Manager::connect()?);
    if manager.missing_file(&unit)?.is_some() { manager.restart_soon(&unit) } else { Ok(()) }
}

/// Whether systemd is about to start the router's units again, or runs it; the latter does not count where it `ends` at the moment.
fn is_needed(name: &RouterName, ends: bool) -> bool {
    let unit = |kind| format!("systemd-netns-router@{name}.{kind}");
    let asked = || -> Result<bool> {
        let manager = Manager::connect()?;
        let runs = !matches!(manager.active(&unit("service"))?, Active::No | Active::Failed);
        Ok(runs && !ends || manager.is_restarting(&unit("service"))? || manager.is_restarting(&unit("socket"))?)
    };
    systemd::is_booted() && asked().unwrap_or(false)
}

fn close(name: &RouterName, owned: &OwnedGate) -> Result<()> {
    let plan = close_gate(look_at(None, Some(owned))?, owned, &host::befores(None, Some(name)));
    report_failures(apply_all(&mut Kernel::new(), About::Router(name), &plan))?;
    gate::remove(name)?;
    let done = report::summary(&plan);
    journal::tell(About::Router(name), Event::Down, "clean", format_args!("{name} is cleaned up: {done}"));
    Ok(())
}

fn plan_of(current: &State, wanted: &Gate, owned: Option<&OwnedGate>) -> Result<Plan> {
    let there = wanted.table.is_some() && nft::is_there(&wanted.table_name());
    open_gate(current.clone(), wanted, owned, there).map_err(|problems| {
        let text: Vec<String> = problems.iter().map(|p| diagnostic(p, Severity::Error).to_string()).collect();
        Refused(text.join("\n")).into()
    })
}

fn diagnostic(problem: &Problem, severity: Severity) -> Diagnostic {
    Diagnostic { severity, message: problem.message.clone(), span: None, help: problem.help.clone() }
}

/// What the settings mean on this host.
fn wanted_gate(name: &RouterName, settings: &Settings) -> Result<Gate> {
    Ok(config::gate(name, settings, &look::links(&Netns::Host), &host::advertised()?))
}

fn look_at(wanted: Option<&Gate>, owned: Option<&OwnedGate>) -> Result<State> {
    let wanted = Wanted {
        netns: [Netns::Host].into(),
        sysctls: [(Netns::Host, gate_settings(wanted, owned))].into(),
        host_links: Some(gate_links(wanted, owned)),
        ..Wanted::default()
    };
    Ok(Kernel::new().observe(&wanted)?.state)
}

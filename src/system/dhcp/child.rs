//! A client as a plain process, where systemd does not supervise it: in containers, and in tests.
//!
//! It is known by its number and its time of start, as numbers are used again.

use super::client;
use super::directory;
use crate::model::Instance;
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a client may take to give its lease back and end.
const PATIENCE: Duration = Duration::from_secs(8);
const PAUSE: Duration = Duration::from_millis(20);

/// Starts the client of an instance whose parameters are written.
///
/// # Errors
/// When it cannot be started.
pub fn start(instance: &Instance) -> Result<()> {
    let directory = directory(instance);
    let log = File::create(directory.join("log")).context("make the client's log")?;
    let child = Command::new(std::env::current_exe().context("find this program")?)
        .args(["dhcp", "run", &instance.to_string()])
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("share the client's log")?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .context("start the client")?;
    let pid = i32::try_from(child.id()).context("the client's number")?;
    let text = format!("{pid} {}\n", start_time(pid).unwrap_or(0));
    fs::write(directory.join("pid"), text).context("write the client's pid file")
}

/// The client's process, if it runs.
pub fn pid(instance: &Instance) -> Option<Pid> {
    let text = fs::read_to_string(directory(instance).join("pid")).ok()?;
    let (pid, since) = text.trim().split_once(' ')?;
    let (pid, since): (i32, u64) = (pid.parse().ok()?, since.parse().ok()?);
    (pid > 1 && start_time(pid) == Some(since)).then(|| Pid::from_raw(pid))
}

/// Whether the client runs.
pub fn runs(instance: &Instance) -> bool {
    pid(instance).is_some()
}

/// Gives the lease back and ends the client, if it runs.
///
/// # Errors
/// When it does not end.
pub fn stop(instance: &Instance) -> Result<()> {
    let Some(pid) = pid(instance) else { return Ok(()) };
    if let Err(e) = super::parameters(instance).and_then(|dhcp| client::release(instance, &dhcp, Some(pid))) {
        log::warn!("{instance}: {e:#}, ignoring: the lease is not given back");
    }
    // What the client left: its helpers are in its group.
    let _ = kill(Pid::from_raw(-pid.as_raw()), Signal::SIGTERM);
    if wait(pid) {
        return Ok(());
    }
    let _ = kill(Pid::from_raw(-pid.as_raw()), Signal::SIGKILL);
    if wait(pid) { Ok(()) } else { bail!("the client of {instance} (process {pid}) does not end") }
}

/// Waits until a process is gone; tells whether it is.
pub fn wait(pid: Pid) -> bool {
    let (start, since) = (Instant::now(), start_time(pid.as_raw()));
    while since.is_some() && start_time(pid.as_raw()) == since {
        if start.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
    true
}

/// When a process was started (proc_pid_stat(5), field 22); none when it is gone, or only waits to be asked how it ended.
pub(in crate::system) fn start_time(pid: i32) -> Option<u64> {
    let text = match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(e) if e.kind() == ErrorKind::NotFound => return None,
        text => text.ok()?,
    };
    // The name before it may hold blanks and parentheses.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

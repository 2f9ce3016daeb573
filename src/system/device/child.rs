//! What holds a device as a plain process, where systemd does not supervise it: in containers, and in tests.
//!
//! It says that it is ready as it would say to systemd (sd_notify(3)).

use super::directory;
use crate::model::DeviceInstance;
use crate::system::dhcp::child::{start_time, wait};
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a router may take for a device.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks whether the process still runs.
const PAUSE: Duration = Duration::from_millis(100);

/// Starts what holds a device, and waits until it is ready.
pub(super) fn start(instance: &DeviceInstance) -> Result<()> {
    let directory = directory(instance);
    let log = File::create(directory.join("log")).context("make the device's log")?;
    let socket = directory.join("notify");
    let _ = fs::remove_file(&socket);
    let notify = UnixDatagram::bind(&socket).context("make the device's socket")?;
    notify.set_read_timeout(Some(PAUSE)).context("set the socket's time limit")?;
    let mut child = Command::new(std::env::current_exe().context("find this program")?)
        .args(["device", &instance.to_string()])
        .env("NOTIFY_SOCKET", &socket)
        .env_remove("WATCHDOG_USEC")
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("share the device's log")?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .context("start what holds the device")?;
    let pid = i32::try_from(child.id()).context("the process' number")?;
    let text = format!("{pid} {}\n", start_time(pid).unwrap_or(0));
    fs::write(directory.join("pid"), text).context("write the device's pid file")?;
    let ready = await_ready(&notify, &mut child);
    if let Err(e) = ready {
        let said = fs::read_to_string(directory.join("log")).unwrap_or_default();
        stop(instance)?;
        bail!("{e:#}; its last words: {}", said.lines().last().unwrap_or("none"));
    }
    Ok(())
}

fn await_ready(notify: &UnixDatagram, child: &mut Child) -> Result<()> {
    let start = Instant::now();
    let mut buffer = [0; 4096];
    loop {
        let said = notify.recv(&mut buffer).map(|n| String::from_utf8_lossy(&buffer[..n]).into_owned());
        if said.is_ok_and(|said| said.lines().any(|line| line == "READY=1")) {
            return Ok(());
        }
        if let Some(status) = child.try_wait().context("look at what holds the device")? {
            bail!("what holds the device ended with {status}");
        }
        if start.elapsed() > PATIENCE {
            bail!("the router did not take the device in {} s", PATIENCE.as_secs());
        }
    }
}

/// Ends what holds a device, if it runs.
pub(super) fn stop(instance: &DeviceInstance) -> Result<()> {
    let Some(pid) = pid(instance) else { return Ok(()) };
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let _ = kill(Pid::from_raw(-pid.as_raw()), signal);
        if wait(pid) {
            return Ok(());
        }
    }
    bail!("what holds the device {instance} (process {pid}) does not end")
}

fn pid(instance: &DeviceInstance) -> Option<Pid> {
    let text = fs::read_to_string(directory(instance).join("pid")).ok()?;
    let (pid, since) = text.trim().split_once(' ')?;
    let (pid, since): (i32, u64) = (pid.parse().ok()?, since.parse().ok()?);
    (pid > 1 && start_time(pid) == Some(since)).then(|| Pid::from_raw(pid))
}

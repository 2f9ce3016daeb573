//! Clients that ask the network for a link's addresses, each supervised and with files of its own.
//!
//! Theory. Under systemd a client is the unit `systemd-netns-dhcp@NETNS:LINK:FAMILY.service`, which runs
//! `systemd-netns dhcp run INSTANCE`: that enters the namespace and a view of files that is the client's alone ([`view`]), and
//! becomes the client. Elsewhere, or where that unit is not installed, the same command is a plain process with a pid
//! file ([`child`]).
//!
//! Whatever the client is told it passes on to this same program, which stands in the place of the client's own script
//! ([`environment`]). That one takes a lease ([`Lease`]) for what it is, the word of a stranger; gives the link its address and
//! routes, where the client does not by itself; and never touches the host's files or name.
//!
//! In `/run/systemd-netns/NETNS/dhcp/LINK:FAMILY/`:
//!
//! - `parameters.json`: what is asked for
//! - `lease.json`: what was given; it is there while there is a lease, which is what a start waits for
//! - `run/` and `lib/`: the client's `/run` and its folder in `/var/lib`
//! - `pid` and `log`, of a plain process

pub mod child;
pub mod client;
pub mod environment;
pub mod lease;
pub mod view;

pub use lease::{Lease, Leased};

use super::record;
use super::systemd::{self, Active, Manager};
use crate::model::{Dhcp, Instance};
use crate::plan::Asking;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between two looks for a lease.
const PAUSE: Duration = Duration::from_millis(50);
/// How many of those looks there are for one whether the client still runs.
const LOOKS: u32 = 20;

/// The folder of a client.
pub fn directory(instance: &Instance) -> PathBuf {
    record::directory(&instance.netns).join("dhcp").join(instance.within())
}

/// What a client was started with.
///
/// # Errors
/// When it was not started by this program.
pub fn parameters(instance: &Instance) -> Result<Dhcp> {
    let path = directory(instance).join("parameters.json");
    let text = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
}

/// Starts a client; one that runs is stopped first.
///
/// # Errors
/// When it does not start.
pub fn start(asking: &Asking) -> Result<()> {
    let instance = instance(asking)?;
    let manager = manager(&instance)?;
    end(&instance, manager.as_ref())?;
    let directory = directory(&instance);
    let make = |path: &Path| {
        let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(path);
        made.with_context(|| format!("make {}", path.display()))
    };
    make(&directory)?;
    let path = directory.join("parameters.json");
    let text = serde_json::to_vec(&asking.dhcp).context("write the client's parameters")?;
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    match manager {
        Some(manager) => manager.start(&instance.unit()),
        None => child::start(&instance),
    }
}

/// Waits until a client was answered.
///
/// # Errors
/// When it was not in time, or has ended.
pub fn await_lease(asking: &Asking) -> Result<()> {
    let instance = instance(asking)?;
    let (Dhcp { protocol, client, limit, .. }, link) = (&asking.dhcp, instance.link);
    log::info!("waiting for {protocol} on {link} ({client}), at most {limit} s");
    let (start, limit) = (Instant::now(), Duration::from_secs((*limit).into()));
    let manager = manager(&instance)?;
    let (mut looks, mut missed) = (0, 0);
    loop {
        if let Some(lease) = Lease::read(&instance)? {
            log::info!("{link} has {protocol}{}", lease.summary());
            return Ok(());
        }
        looks += 1;
        if looks % LOOKS == 0 {
            let runs = match &manager {
                Some(manager) => !matches!(manager.active(&instance.unit())?, Active::No | Active::Failed),
                None => child::runs(&instance),
            };
            missed = if runs { 0 } else { missed + 1 };
        }
        // Twice in a row: a client that is just being replaced is not gone.
        let gone = missed >= 2;
        if gone || start.elapsed() > limit {
            let why =
                if gone { "the client has ended".to_owned() } else { format!("no answer in {} s", limit.as_secs()) };
            bail!("{protocol} on {link}: {why}; {}", said(&instance, manager.is_some()));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Gives a lease back and ends the client. One that does not run is no mistake.
///
/// # Errors
/// When it does not end.
pub fn stop(asking: &Asking) -> Result<()> {
    let instance = instance(asking)?;
    let manager = manager(&instance)?;
    end(&instance, manager.as_ref())
}

/// Ends a client and forgets what it was given.
fn end(instance: &Instance, manager: Option<&Manager>) -> Result<()> {
    if let Some(manager) = manager {
        manager.stop(&instance.unit())?;
    }
    child::stop(instance)?;
    let directory = directory(instance);
    if directory.exists() {
        super::resolv::set_lease(instance, None)?;
    }
    match fs::remove_dir_all(&directory) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e).with_context(|| format!("remove {}", directory.display())),
        _ => Ok(()),
    }
}

/// systemd, if it is here and has the unit.
fn manager(instance: &Instance) -> Result<Option<Manager>> {
    if !systemd::is_booted() {
        return Ok(None);
    }
    let manager = Manager::connect()?;
    Ok(manager.knows(&instance.unit())?.then_some(manager))
}

fn instance(asking: &Asking) -> Result<Instance> {
    Instance::of(&asking.place, asking.dhcp.protocol).context("a link of the host asks for nothing")
}

/// Where the client's own words are, or the last of them.
fn said(instance: &Instance, by_systemd: bool) -> String {
    if by_systemd {
        return format!("its messages: journalctl -u '{}'", instance.unit());
    }
    let text = fs::read(directory(instance).join("log")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let visible = |line: &str| line.chars().filter(|c| !c.is_control()).collect::<String>();
    let lines: Vec<String> = text.lines().rev().take(3).map(visible).collect();
    format!("its last messages: {}", lines.into_iter().rev().collect::<Vec<_>>().join(" / "))
}

//! What holds the devices of namespaces for their routers, each supervised.
//!
//! Theory. Under systemd it is the unit `systemd-netns-device@NETNS:LINK.service`, which runs `systemd-netns device INSTANCE`: that
//! enters the namespace, opens the device, passes it to its router, and says that it is ready once the router has it. Elsewhere,
//! or where that unit is not installed, the same command is a plain process with a pid file (`child`).
//!
//! In `/run/systemd-netns/NETNS/device/LINK/`:
//!
//! - `device.json`: what it is told
//! - `pid` and `log`, of a plain process

mod child;

use super::record;
use super::systemd::{self, Manager};
use crate::model::{Device, DeviceInstance, Place};
use anyhow::{Context, Result};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// The folder of a device.
pub fn directory(instance: &DeviceInstance) -> PathBuf {
    record::directory(&instance.netns).join("device").join(instance.within())
}

/// What a device is told.
///
/// # Errors
/// When it was not attached by this program.
pub fn told(instance: &DeviceInstance) -> Result<Device> {
    let path = directory(instance).join("device.json");
    let text = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
}

/// Attaches a device, and waits until its router has it; one that is attached is detached first.
///
/// # Errors
/// When the router does not take it.
pub fn attach(place: &Place, device: &Device) -> Result<()> {
    let instance = instance(place)?;
    let manager = manager(&instance)?;
    end(&instance, manager.as_ref())?;
    let directory = directory(&instance);
    let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(&directory);
    made.with_context(|| format!("make {}", directory.display()))?;
    let path = directory.join("device.json");
    let text = serde_json::to_vec(device).context("write what the device is told")?;
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    let link = instance.link;
    log::info!("attaching {link} to {}", device.router);
    let attached = match &manager {
        Some(manager) => open_socket(manager, device).and_then(|()| manager.start_at_once(&instance.unit())),
        None => child::start(&instance),
    };
    attached.with_context(|| format!("{} does not take {link}", device.router))
}

/// Detaches a device. One that is not attached is no mistake.
///
/// # Errors
/// When what holds it does not end.
pub fn detach(place: &Place) -> Result<()> {
    let instance = instance(place)?;
    let manager = manager(&instance)?;
    end(&instance, manager.as_ref())
}

/// A router of this host is started by its socket, when the device connects. One that systemd does not know is somebody else's.
fn open_socket(manager: &Manager, device: &Device) -> Result<()> {
    let Some(router) = &device.named else { return Ok(()) };
    let unit = format!("systemd-netns-router@{router}.socket");
    if !manager.knows(&unit)? {
        return Ok(());
    }
    match manager.missing_file(&unit)? {
        Some(file) => {
            log::warn!("{} is gone, where {router} is found: it is made anew", file.display());
            manager.restart(&unit)
        }
        None => manager.start(&unit),
    }
}

fn end(instance: &DeviceInstance, manager: Option<&Manager>) -> Result<()> {
    if let Some(manager) = manager {
        manager.stop(&instance.unit())?;
    }
    child::stop(instance)?;
    let directory = directory(instance);
    match fs::remove_dir_all(&directory) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e).with_context(|| format!("remove {}", directory.display())),
        _ => Ok(()),
    }
}

/// systemd, if it is here and has the unit.
fn manager(instance: &DeviceInstance) -> Result<Option<Manager>> {
    if !systemd::is_booted() {
        return Ok(None);
    }
    let manager = Manager::connect()?;
    Ok(manager.knows(&instance.unit())?.then_some(manager))
}

fn instance(place: &Place) -> Result<DeviceInstance> {
    DeviceInstance::of(place).context("a link of the host is attached to nothing")
}

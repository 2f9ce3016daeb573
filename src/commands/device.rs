//! `device INSTANCE`, what the unit of a device runs ([`crate::system::device`]); and a device of uWSGI's options.

use super::router::uwsgi::{self, Commands};
use crate::cli::{Device, UwsgiDevice};
use crate::config;
use crate::kernel::Namespace;
use crate::model::DeviceInstance;
use crate::router::device;
use crate::router::settings::DeviceSettings;
use crate::system::{device as attached, privileges};
use anyhow::{Context, Result, bail};
use sd_notify::NotifyState;
use std::ffi::OsString;
use std::process::Command;
use std::sync::mpsc;

/// Does what was typed.
pub fn device(typed: &Device) -> Result<()> {
    match &typed.instance {
        Some(instance) => of_instance(instance),
        None => by_options(&typed.uwsgi, &typed.command),
    }
}

/// Holds the device of a namespace's link, until it is told to end.
fn of_instance(instance: &DeviceInstance) -> Result<()> {
    let device = attached::told(instance)?;
    let settings = config::device_settings(instance.link, &device).context("read the rules of the record")?;
    let netns = &instance.netns;
    let namespace = Namespace::named(netns).with_context(|| format!("there is no namespace {netns}"))?;
    let home = Namespace::own()?;
    // A thread of its own is in the namespace until the device is open; then nobody needs any privilege.
    let thread = std::thread::Builder::new().name("device".to_owned()).spawn(move || {
        namespace.enter()?;
        // The way to the router is the host's: its socket may be one of TCP, or have an abstract name.
        let mut opened = || {
            home.enter().context("go back to the host's namespace")?;
            privileges::give_up()
        };
        hold(&settings, &mut opened, &mut || Ok(()))
    });
    let thread = thread.context("start a thread")?;
    privileges::give_up()?;
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Makes a device in the namespace that this runs in, and runs a command once the router has it. The device goes with this process,
/// however that ends: the kernel takes it away with its last descriptor.
fn by_options(options: &UwsgiDevice, command: &[OsString]) -> Result<()> {
    let (settings, commands) = uwsgi::device(options)?;
    hold_with(settings, commands, command.to_vec())
}

/// Holds a device; as with uWSGI the lines of `exec-as-root` run once it is connected, as they may use it, and then the command. What
/// ends first is the end: the command, or the device.
fn hold_with(settings: DeviceSettings, commands: Commands, command: Vec<OsString>) -> Result<()> {
    let (tell, told) = mpsc::channel();
    let mut first = Some((commands, command, tell.clone()));
    std::thread::spawn(move || {
        let mut attached = || {
            if let Some((commands, command, tell)) = first.take() {
                std::thread::spawn(move || {
                    let done = commands.run().and_then(|()| run(&command));
                    // Without a command there is nothing to wait for but the device.
                    if done.is_err() || !command.is_empty() { tell.send(done) } else { Ok(()) }
                });
            }
            Ok(())
        };
        let held = hold(&settings, &mut || Ok(()), &mut attached);
        tell.send(held)
    });
    told.recv().context("wait for the device")?
}

fn run(command: &[OsString]) -> Result<()> {
    let Some((program, arguments)) = command.split_first() else { return Ok(()) };
    let status = Command::new(program).args(arguments).status();
    let status = status.with_context(|| format!("run {}", program.to_string_lossy()))?;
    if status.success() { Ok(()) } else { bail!("the command ended with {status}") }
}

/// Opens the device in the namespace of the calling thread and holds it for ever. `opened` is called when the device is there, `attached`
/// each time that the router let it in, of which the first is told to systemd.
fn hold(
    settings: &DeviceSettings,
    opened: &mut dyn FnMut() -> Result<()>,
    attached: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    let mut attached = || {
        let text = format!("{} is connected to the router at {}", settings.device, settings.router);
        let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&text)]);
        log::info!("{text}");
        attached()
    };
    // For `systemctl status`, and for who waits for the start.
    let mut waiting = |why: &str| {
        let _ = sd_notify::notify(&[NotifyState::Status(why)]);
    };
    // It ends by a signal; being asked is a sign of life.
    let mut ended = || {
        let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        false
    };
    device::run(
        settings,
        &mut device::Run { opened, attached: &mut attached, waiting: &mut waiting, ended: &mut ended },
    )
}

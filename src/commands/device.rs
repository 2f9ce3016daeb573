//! `device INSTANCE`, what the unit of a device runs ([`crate::system::device`]); and a device of uWSGI's options.

use super::router::uwsgi::{self, Commands};
use crate::apply::{apply, apply_all};
use crate::cli::{Device, UwsgiDevice};
use crate::config;
use crate::kernel::{Kernel, Namespace, Wanted};
use crate::model::{DeviceInstance, Netns, Place};
use crate::plan::{Op, Plan};
use crate::router::settings::DeviceSettings;
use crate::system::{device as attached, privileges};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::process::{Command, ExitStatus};
use std::sync::mpsc;

/// Does what was typed.
pub fn device(device: &Device) -> Result<()> {
    match &device.instance {
        Some(instance) => of_instance(instance),
        None => by_options(&device.uwsgi, &device.command),
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

/// Makes a device in the namespace that this runs in, and runs a command once the router has it. The device goes with it.
fn by_options(options: &UwsgiDevice, command: &[OsString]) -> Result<()> {
    let (mut settings, commands) = uwsgi::device(options)?;
    let place = Place::new(Netns::Host, settings.device);
    let plan = |op| Plan { ops: vec![op], notes: Vec::new() };
    apply(&mut Kernel::new(), &plan(Op::AddLink { place: place.clone(), kind: uwsgi::tun() }))?;
    let result = hold_with(&mut settings, &place, &commands, command);
    for failed in apply_all(&mut Kernel::new(), &plan(Op::DeleteLink(place))) {
        log::warn!("{:#}, ignoring", anyhow::Error::from(failed));
    }
    result
}

fn hold_with(settings: &mut DeviceSettings, place: &Place, commands: &Commands, command: &[OsString]) -> Result<()> {
    commands.run()?;
    settings.addresses = addresses(place)?;
    let Some((program, arguments)) = command.split_first() else {
        return hold(settings, &mut || Ok(()), &mut || Ok(()));
    };
    // Whichever ends first: the command, or the hope of a router.
    let (tell, told) = mpsc::channel::<Result<ExitStatus>>();
    let settings = settings.clone();
    std::thread::spawn({
        let tell = tell.clone();
        let (program, arguments) = (program.clone(), arguments.to_vec());
        move || {
            let mut once = Some(tell.clone());
            let mut start = || {
                let Some(tell) = once.take() else { return Ok(()) };
                let mut child = Command::new(&program).args(&arguments).spawn();
                let status = move || child.as_mut().map_or_else(|e| Err(std::io::Error::from(e.kind())), |c| c.wait());
                std::thread::spawn(move || {
                    let mut status = status;
                    tell.send(status().context("run the command"))
                });
                Ok(())
            };
            let held = hold(&settings, &mut || Ok(()), &mut start);
            let _ = tell.send(held.and_then(|()| bail!("the device was let go")));
        }
    });
    let status = told.recv().context("wait for the command")??;
    if status.success() { Ok(()) } else { bail!("the command ended with {status}") }
}

/// The addresses that the commands have given the device: they are announced.
fn addresses(place: &Place) -> Result<Vec<ipnet::IpNet>> {
    let wanted = Wanted { netns: [Netns::Host].into(), host_links: Some([place.link].into()), ..Wanted::default() };
    let state = Kernel::new().observe(&wanted)?.state;
    let host = state.netns.get(&Netns::Host).cloned().unwrap_or_default();
    let told = host.addresses_of(place.link).iter().filter(|address| !address.is_ipv6_link_local());
    Ok(told.map(|address| address.local).collect())
}

/// The seam to `router::device::run`: opens the device in the namespace of the calling thread and holds it. `opened` is called when the
/// device is there, `attached` each time that the router let it in, of which the first is told to systemd.
fn hold(
    settings: &DeviceSettings,
    _opened: &mut dyn FnMut() -> Result<()>,
    _attached: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    bail!("this build holds no device for {}", settings.router)
}

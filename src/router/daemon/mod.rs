//! The loop around the core: the packets' thread (`data`), and beside it one that accepts peers, answers who asks for
//! statistics, reloads and ends. They share nothing but messages and counters, so that nobody who asks holds a packet up. Hosts that
//! connect from elsewhere have threads of their own for all that comes before their packets (`tunnel`).

mod accept;
mod data;
pub mod far;
mod frames;
mod listen;
mod port;
mod room;
mod statistics;
mod tunnel;

use super::settings::Settings;
use crate::kernel::tun::{Device, Features, Way};
use crate::router::settings::Mode;
use accept::Door;
use anyhow::{Context, Result, bail};
pub use data::Status;
use data::{Command, Handle, Told};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tunnel::Tunnels;
pub use tunnel::report;
use tunnel::report::Report;

/// What a daemon is run with, beside its settings.
pub struct Run<'a> {
    /// Reads the settings again, for a reload; the second is why they cannot be used.
    pub reload: Option<&'a dyn Fn() -> Result<Settings>>,
    /// What is done when the device is there and before a peer is let in.
    pub ready: Option<&'a dyn Fn() -> Result<()>>,
    /// The only way to the kernel that is taken; the best there is when there is none.
    pub way: Option<Way>,
}

/// How many messages of the packets' thread wait to be read; what comes then is lost, but for the counters.
const MESSAGES: usize = 1024;
/// How often it is looked what addresses the device has, and whether sockets are still there.
const LOOK: Duration = Duration::from_secs(5);

/// Runs a router until it is told to end (`SIGTERM`, `SIGINT`). `SIGHUP` reloads it.
///
/// # Errors
/// When the device or a socket cannot be had, or the device goes.
pub fn run(settings: Settings, run: &Run<'_>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(serve(settings, run))
}

async fn serve(settings: Settings, run: &Run<'_>) -> Result<()> {
    let mut end = signal(SignalKind::terminate()).context("watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("watch for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("watch for SIGHUP")?;
    let features = Features { tap: settings.mode == Mode::Tap, headers: true };
    let device = Device::open(settings.device, features).with_context(|| format!("the device {}", settings.device))?;
    let name = settings.device;
    if let Some(ready) = run.ready {
        ready()?;
    }
    until_running(name.as_str()).await;
    let (tell, mut told) = mpsc::channel(MESSAGES);
    let mut running = Running::begin(settings, device, run, tell)?;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    log::info!("the router {name} is ready");
    let mut look = tokio::time::interval(LOOK);
    let mut watchdog = tokio::time::interval(watchdog());
    loop {
        tokio::select! {
            _ = end.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => running.reload(run),
            _ = look.tick() => running.look()?,
            _ = watchdog.tick() => if is_alive(&running.data).await {
                let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
            },
            message = told.recv() => running.hear(message)?,
        }
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    running.tunnels.leave().await;
    running.data.send(Command::Stop);
    while let Some(message) = told.recv().await {
        if matches!(message, Told::Ended(_)) {
            break;
        }
    }
    Ok(())
}

/// A router that runs.
struct Running {
    settings: Arc<Settings>,
    data: Handle,
    door: Arc<Door>,
    connections: Connections,
    tunnels: Tunnels,
    /// The sockets where peers connect.
    sockets: listen::Files,
}

impl Running {
    /// Starts the packets' thread, and all that lets peers in.
    fn begin(settings: Settings, device: Device, run: &Run<'_>, tell: mpsc::Sender<Told>) -> Result<Self> {
        let listeners = listen::listeners(&settings)?;
        let settings = Arc::new(settings);
        let data = data::start(Arc::clone(&settings), device, run.way, tell)?;
        let connections = Connections::default();
        let door = Arc::new(Door::new(data.clone(), Arc::clone(&connections), Arc::clone(&settings)));
        for listener in listeners.peers {
            tokio::spawn(accept::accept(listener, Arc::clone(&door)));
        }
        let report = Arc::<Report>::default();
        for listener in listeners.statistics {
            tokio::spawn(statistics::serve(listener, data.clone(), Arc::clone(&report), settings.device));
        }
        let tunnels = Tunnels::start(&settings, data.clone(), report)?;
        let running = Self { settings, data, door, connections, tunnels, sockets: listeners.files };
        running.own();
        Ok(running)
    }

    /// Tells the packets' thread the device's addresses.
    fn own(&self) {
        self.data.send(Command::Own(own(self.settings.device.as_str(), &self.settings)));
    }

    fn reload(&mut self, run: &Run<'_>) {
        let Some(settings) = reload(run, &mut self.tunnels) else { return };
        self.settings = settings;
        self.data.send(Command::Reload(Arc::clone(&self.settings)));
        self.own();
        self.door.reload(Arc::clone(&self.settings));
    }

    /// Looks at what may change by itself.
    fn look(&mut self) -> Result<()> {
        self.own();
        match self.sockets.gone() {
            Some(file) => bail!("{} is gone, where peers connect: it is made anew", file.display()),
            None => Ok(()),
        }
    }

    /// Acts on what the packets' thread told.
    fn hear(&mut self, message: Option<Told>) -> Result<()> {
        match message {
            Some(Told::Notice(text)) => log::info!("{text}"),
            Some(Told::Ask(table, address)) => self.tunnels.ask(table, address),
            Some(Told::Gone(member, why)) => {
                log::info!("peer {} is gone: {why}", member.port.0);
                if let Ok(mut connections) = self.connections.lock() {
                    // Dropped, it closes the connection.
                    connections.remove(&member.number);
                }
            }
            Some(Told::Ended(why)) => bail!("{why}"),
            None => bail!("the packets' thread ended"),
        }
        Ok(())
    }
}

/// Waits until the device sends what the host gives it: the kernel looks a little later whether somebody has a device that was up
/// before, and until then the answers to first packets would be lost.
async fn until_running(device: &str) {
    let is_waking = || {
        let mut found = getifaddrs().into_iter().flatten().filter(|found| found.interface_name == device);
        let flags = found.next().map(|found| found.flags);
        flags
            .is_some_and(|flags| flags.contains(InterfaceFlags::IFF_UP) && !flags.contains(InterfaceFlags::IFF_RUNNING))
    };
    for _ in 0..200 {
        if !is_waking() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What ends the connections of peers that are gone, by their numbers.
type Connections = Arc<Mutex<HashMap<u64, oneshot::Sender<()>>>>;

/// The settings of a reload; none where they cannot be used, which is said.
fn reload(run: &Run<'_>, tunnels: &mut Tunnels) -> Option<Arc<Settings>> {
    let read = run.reload?;
    let now = sd_notify::NotifyState::monotonic_usec_now().ok();
    let mut states = vec![sd_notify::NotifyState::Reloading];
    states.extend(now);
    let _ = sd_notify::notify(&states);
    let settings = read().map(Arc::new).and_then(|settings| tunnels.reload(&settings).map(|()| settings));
    let settings = settings.inspect_err(|e| log::error!("{e:#}; the router goes on as it was")).ok();
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    if settings.is_some() {
        log::info!("reloaded");
    }
    settings
}

/// The addresses that the device has, and those that it shall have.
fn own(device: &str, settings: &Settings) -> Vec<IpAddr> {
    let mut own: Vec<IpAddr> = settings.addresses.iter().map(ipnet::IpNet::addr).collect();
    let Ok(found) = getifaddrs() else { return own };
    for found in found.filter(|found| found.interface_name == device) {
        let Some(address) = found.address else { continue };
        let address = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => IpAddr::V4(v4.ip()),
            (_, Some(v6)) => IpAddr::V6(v6.ip()),
            _ => continue,
        };
        if !own.contains(&address) {
            own.push(address);
        }
    }
    own
}

/// How often the service manager wants to hear that this lives: half of what it waits.
fn watchdog() -> Duration {
    sd_notify::watchdog_enabled().map_or(Duration::from_secs(3600), |limit| limit / 2)
}

/// Whether the packets' thread answers.
async fn is_alive(handle: &Handle) -> bool {
    let (reply, answer) = oneshot::channel();
    handle.send(Command::Status(reply));
    tokio::time::timeout(Duration::from_secs(5), answer).await.is_ok_and(|answer| answer.is_ok())
}

//! A namespace's device whose router is on another host: a router of its own, with that device, one uplink, and nothing else. So it has the
//! same engine, the same rules and the same answers as any.

use super::data::{self, Command, Told};
use super::report::Report;
use super::tunnel::{REFUSED, Tunnels};
use crate::kernel::tun::Device;
use crate::router::device::{self, Run};
use crate::router::settings::{DeviceSettings, Limits, Mode, Settings};
use crate::router::tunnel::settings::{Tunnels as TunnelSettings, Uplink};
use anyhow::{Context, Result, bail};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long the router may refuse the device at first.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is asked whether to end.
const TICK: Duration = Duration::from_millis(500);
/// How many messages of the packets' thread wait to be read.
const MESSAGES: usize = 256;

/// Opens the device in the namespace of the calling thread, and carries its packets until it is told to end.
///
/// # Errors
/// When the device, or a file that the settings name, cannot be had; when the router refuses it from the beginning, for 5 s; when the device
/// goes.
pub fn run(settings: &DeviceSettings, run: &mut Run<'_>) -> Result<()> {
    let device = device::open(settings)?;
    (run.opened)()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    let settings = Arc::new(router_of(settings)?);
    runtime.block_on(carry(settings, device, run))
}

async fn carry(settings: Arc<Settings>, device: Device, run: &mut Run<'_>) -> Result<()> {
    let (tell, mut told) = mpsc::channel(MESSAGES);
    let handle = data::start(Arc::clone(&settings), device, None, tell)?;
    handle.send(Command::Own(settings.addresses.iter().map(IpNet::addr).collect()));
    let report = Arc::<Report>::default();
    let tunnels = Tunnels::start(&settings, handle.clone(), Arc::clone(&report))?;
    let joined = tunnels.joined();
    let mut tick = tokio::time::interval(TICK);
    let (mut was_in, mut refused, mut said) = (false, None, None);
    loop {
        tokio::select! {
            () = joined.notified() => {
                (was_in, said) = (true, None);
                (run.attached)()?;
            }
            _ = tick.tick() => {
                if (run.ended)() {
                    break;
                }
                let why = report.told().uplinks.into_values().find_map(|uplink| uplink.why);
                if let Some(why) = why.filter(|why| said.as_ref() != Some(why)) {
                    (run.waiting)(&why);
                    said = Some(why);
                }
                let is_refused = !was_in && said.as_ref().is_some_and(|why| why.starts_with(REFUSED));
                match (is_refused, refused) {
                    (true, None) => refused = Some(Instant::now()),
                    (true, Some(since)) if since.elapsed() > PATIENCE => bail!("{}", said.unwrap_or_default()),
                    (false, _) => refused = None,
                    _ => {}
                }
            }
            message = told.recv() => match message {
                Some(Told::Notice(text)) => log::info!("{text}"),
                Some(Told::Gone(..) | Told::Ask(..)) => {}
                Some(Told::Ended(why)) => bail!("{why}"),
                None => bail!("the packets' thread ended"),
            },
        }
    }
    handle.send(Command::Stop);
    while let Some(message) = told.recv().await {
        if matches!(message, Told::Ended(_)) {
            break;
        }
    }
    Ok(())
}

/// What a router is told that has only this device. What leaves by the device is, for that router, what goes to a peer.
fn router_of(device: &DeviceSettings) -> Result<Settings> {
    let client = device.tunnel.as_deref().context("it is not said what to say to the router")?;
    let everywhere: [IpNet; 2] =
        [Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0).into(), Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0).into()];
    let uplink =
        Uplink { name: client.host.clone(), client: client.clone(), routes: everywhere.into(), announce: false };
    Ok(Settings {
        device: device.device,
        mode: Mode::Tun,
        mtu: device.mtu,
        // Others of its networks are beyond the uplink.
        addresses: device.addresses.iter().map(|address| IpNet::from(address.addr())).collect(),
        listen: Vec::new(),
        statistics: Vec::new(),
        nat: None,
        forwarding: false,
        chain_out: device.chain_in.clone(),
        chain_in: device.chain_out.clone(),
        admit: Vec::new(),
        limits: Limits::default(),
        credentials: false,
        tunnels: TunnelSettings { uplinks: vec![uplink], ..TunnelSettings::default() },
    })
}

//! The other end: opens a namespace's device, passes it to the router, and holds it.
//!
//! Holding it is what makes a restart of the router harmless: the device stays, and is passed again. The connection to the router says
//! nothing after the greeting; when it ends, the router is gone, and it is tried again until there is one.
//!
//! With uWSGI's router, which takes no descriptors, packets are framed here instead. Where the router is on another host, all of a router
//! is here ([`far`](super::daemon::far)).

mod frames;

use super::hello::{Answer, Hello, MAGIC, encode, length};
use super::settings::{DeviceSettings, Listen, Mode, Protocol};
use crate::kernel::tun::{Device, Features};
use anyhow::{Context, Result, bail};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::{Duration, Instant};

/// How long the router may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries, at first and at last.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(2)];

/// What is done at certain points.
pub struct Run<'a> {
    /// When the device is there, and before the router is spoken to.
    pub opened: &'a mut dyn FnMut() -> Result<()>,
    /// Each time that the router let it in.
    pub attached: &'a mut dyn FnMut() -> Result<()>,
    /// Whether to end; asked now and then.
    pub ended: &'a mut dyn FnMut() -> bool,
}

/// Opens the device in the namespace of the calling thread, and holds it for the router until it is told to end.
///
/// # Errors
/// When the device cannot be had; when what the router refuses would be refused again.
pub fn run(settings: &DeviceSettings, run: &mut Run<'_>) -> Result<()> {
    if settings.protocol == Protocol::Tunnel {
        return super::daemon::far::run(settings, run);
    }
    let headers = settings.protocol == Protocol::Descriptor;
    let device = Device::open(settings.device, Features { tap: settings.mode == Mode::Tap, headers })
        .with_context(|| format!("the device {}", settings.device))?;
    (run.opened)()?;
    let mut pause = PAUSES[0];
    let mut told = None;
    while !(run.ended)() {
        let began = Instant::now();
        let result = match settings.protocol {
            Protocol::Descriptor => hold(settings, &device, run),
            Protocol::Uwsgi => frames::pump(settings, &device, run),
            Protocol::Tunnel => bail!("its router is on another host"),
        };
        let why = match result {
            Ok(()) => "the router is gone".to_owned(),
            Err(e) => format!("{e:#}"),
        };
        // The same reason is said once.
        if told.as_ref() != Some(&why) {
            log::warn!("{why}; trying again");
            told = Some(why);
        }
        if began.elapsed() > PAUSES[1] {
            (pause, told) = (PAUSES[0], None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSES[1]);
    }
    Ok(())
}

/// Connects to a router's socket.
///
/// # Errors
/// When nobody listens there.
pub fn connect(router: &Listen) -> Result<UnixStream> {
    match router {
        Listen::Tcp(address) => {
            let stream = std::net::TcpStream::connect_timeout(address, PATIENCE)
                .with_context(|| format!("connect to the router at {address}"))?;
            stream.set_nodelay(true)?;
            Ok(UnixStream::from(std::os::fd::OwnedFd::from(stream)))
        }
        Listen::Tunnel(server) => bail!("{server} is on another host"),
        Listen::Unix(path) => {
            let name = path.to_str().and_then(|path| path.strip_prefix('@'));
            let stream = match name {
                Some(name) => SocketAddr::from_abstract_name(name).and_then(|name| UnixStream::connect_addr(&name)),
                None => UnixStream::connect(path),
            };
            stream.with_context(|| format!("connect to the router at {}", path.display()))
        }
    }
}

/// Passes the device, and waits until the router is gone.
fn hold(settings: &DeviceSettings, device: &Device, run: &mut Run<'_>) -> Result<()> {
    let mut stream = connect(&settings.router)?;
    greet(settings, device, &mut stream)?;
    (run.attached)()?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    let mut rest = [0; 64];
    while !(run.ended)() {
        match stream.read(&mut rest) {
            Ok(0) => break,
            Ok(_) => {}
            Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted) => {}
            Err(e) => return Err(e).context("the connection to the router"),
        }
    }
    Ok(())
}

fn greet(settings: &DeviceSettings, device: &Device, stream: &mut UnixStream) -> Result<()> {
    let hello = Hello {
        addresses: settings.addresses.iter().map(ipnet::IpNet::addr).collect(),
        chain_out: settings.chain_out.clone(),
        chain_in: settings.chain_in.clone(),
    };
    let text = encode(MAGIC, &hello).map_err(anyhow::Error::msg)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let fds = [device.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    beside.push(SendAncillaryMessage::ScmRights(&fds));
    let sent = sendmsg(&*stream, &[IoSlice::new(&text)], &mut beside, SendFlags::NOSIGNAL);
    let sent = sent.context("pass the device to the router")?;
    stream.write_all(&text[sent..]).context("greet the router")?;
    let mut size = [0; 4];
    stream.read_exact(&mut size).context("hear the router's answer")?;
    let mut answer = vec![0; length(size).map_err(anyhow::Error::msg)?];
    stream.read_exact(&mut answer).context("hear the router's answer")?;
    match serde_json::from_slice(&answer).context("the router's answer is damaged")? {
        Answer::Welcome => Ok(()),
        Answer::Refused(why) => bail!("the router refused {}: {why}", settings.device),
    }
}

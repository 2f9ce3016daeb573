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
use crate::model::LinkName;
use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::cell::Cell;
use std::fmt;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::{Duration, Instant};

/// How long the router may take to answer, or to notice that who had the device, or its addresses, before is gone.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries, at first and at last.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(2)];

/// What is done at certain points.
pub struct Run<'a> {
    /// When the device is there, and before the router is spoken to.
    pub opened: &'a mut dyn FnMut() -> Result<()>,
    /// Each time that the router let it in.
    pub attached: &'a mut dyn FnMut() -> Result<()>,
    /// Each time that there is another reason why it is not in.
    pub waiting: &'a mut dyn FnMut(&str),
    /// Whether to end; asked now and then.
    pub ended: &'a mut dyn FnMut() -> bool,
}

/// The router's own reason for not letting a device in.
#[derive(Debug)]
struct Refused(LinkName, String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the router refused {}: {}", self.0, self.1)
    }
}

impl std::error::Error for Refused {}

/// Opens the device in the namespace of the calling thread, and holds it for the router until it is told to end.
///
/// # Errors
/// When the device cannot be had; when the router refuses it from the beginning, for 5 s. Once it was let in it waits for ever.
pub fn run(settings: &DeviceSettings, run: &mut Run<'_>) -> Result<()> {
    if settings.protocol == Protocol::Tunnel {
        return super::daemon::far::run(settings, run);
    }
    let device = open(settings)?;
    (run.opened)()?;
    let was_in = Cell::new(false);
    let Run { attached, waiting, ended, .. } = run;
    let mut attached = || {
        was_in.set(true);
        attached()
    };
    let mut inner = Run { opened: &mut || Ok(()), attached: &mut attached, waiting: &mut |_| (), ended: *ended };
    let mut pause = PAUSES[0];
    let mut told = None;
    let mut refused = None;
    while !(inner.ended)() {
        let began = Instant::now();
        let result = match settings.protocol {
            Protocol::Descriptor => hold(settings, &device, &mut inner),
            Protocol::Uwsgi => frames::pump(settings, &device, &mut inner),
            Protocol::Tunnel => bail!("its router is on another host"),
        };
        let why = match result {
            Ok(()) => "the router is gone".to_owned(),
            Err(e) if e.is::<Refused>() && !was_in.get() => {
                if refused.get_or_insert(began).elapsed() > PATIENCE {
                    return Err(e);
                }
                e.to_string()
            }
            Err(e) => format!("{e:#}"),
        };
        // The same reason is said once.
        if told.as_ref() != Some(&why) {
            log::warn!("{why}; trying again");
            waiting(&why);
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

/// Opens the device. Who held it before may be gone, and the router not yet know it.
pub(super) fn open(settings: &DeviceSettings) -> Result<Device> {
    let headers = settings.protocol != Protocol::Uwsgi;
    let features = Features { tap: settings.mode == Mode::Tap, headers };
    let began = Instant::now();
    loop {
        match Device::open(settings.device, features) {
            Err(e) if e.errno() == Some(Errno::EBUSY) && began.elapsed() < PATIENCE => std::thread::sleep(PAUSES[0]),
            opened => return opened.with_context(|| format!("the device {}", settings.device)),
        }
    }
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
        Answer::Refused(why) => Err(Refused(settings.device, why).into()),
    }
}

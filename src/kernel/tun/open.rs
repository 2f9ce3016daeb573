//! A device of `/dev/net/tun`, opened to carry packets.
//!
//! With `IFF_VNET_HDR` each packet has a virtio-net header before it (`linux/virtio_net.h`), so that the kernel need neither
//! complete checksums nor cut TCP streams into packets: 64 KiB cross in one system call. The device is made or attached in the
//! namespace of the calling thread; what is opened may be passed to other processes.

use super::super::error::Error;
use super::super::netns::{Identity, Namespace};
use super::{DEVICE, Ifreq, failed, ioctl};
use crate::model::LinkName;
use nix::errno::Errno;
use nix::libc::{IFF_MULTI_QUEUE, IFF_NO_PI, IFF_TAP, IFF_TUN, IFF_VNET_HDR, O_NONBLOCK, c_int, c_short};
use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

/// `TUN_F_CSUM`: what is read may lack its checksum.
const F_CSUM: c_int = 0x01;
/// `TUN_F_TSO4`, `TUN_F_TSO6`, `TUN_F_TSO_ECN`: what is read may be a TCP super-packet.
const F_TSO: c_int = 0x02 | 0x04 | 0x08;
/// `TUN_F_USO4`, `TUN_F_USO6` (Linux 6.2): what is read may be a UDP super-packet.
const F_USO: c_int = 0x20 | 0x40;

/// How long a device may be held that is to be opened. A process that was killed is gone before its io_uring(7) is, which lets go
/// of the device; and a router lets go of a peer's when it sees that who passed it is gone.
const RELEASE: Duration = Duration::from_secs(3);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(10);

/// How a device is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// Ethernet frames rather than IP packets.
    pub tap: bool,
    /// Each packet has a virtio-net header before it.
    pub headers: bool,
}

/// An open device.
#[derive(Debug)]
pub struct Device {
    fd: OwnedFd,
    name: LinkName,
    features: Features,
}

impl Device {
    /// Opens the device of that name in the namespace of the calling thread. It is made when it is not there, and is then gone with
    /// its last descriptor. Where somebody has it, this waits for three seconds.
    ///
    /// # Errors
    /// [`Error::NoKind`] without the driver; when the device is another's, held by somebody still, or of the other layer.
    pub fn open(name: LinkName, features: Features) -> Result<Self, Error> {
        let opened = OpenOptions::new().read(true).write(true).custom_flags(O_NONBLOCK).open(DEVICE);
        let file = opened.map_err(|e| match e.raw_os_error() {
            Some(nix::libc::ENOENT | nix::libc::ENODEV | nix::libc::ENXIO) => Error::NoKind("tun".into()),
            _ => Error::io(format!("open {DEVICE}"), &e),
        })?;
        let layer = if features.tap { IFF_TAP } else { IFF_TUN };
        let headers = if features.headers { IFF_VNET_HDR } else { 0 };
        attach_when_free(&file, name, layer | headers | IFF_NO_PI)?;
        let device = Self { fd: file.into(), name, features };
        device.offload()?;
        Ok(device)
    }

    /// A device that another process opened and passed.
    ///
    /// # Errors
    /// When it is no such device, or one with several queues or with packet information before each packet.
    pub fn adopt(fd: OwnedFd) -> Result<Self, Error> {
        let status = nix::sys::stat::fstat(&fd).map_err(|e| Error::system("look at what was passed", e))?;
        if status.st_mode & nix::libc::S_IFMT != nix::libc::S_IFCHR
            || status.st_rdev != nix::sys::stat::makedev(10, 200)
        {
            return Err(Error::system("use what was passed as a device", Errno::ENOTTY));
        }
        let mut request = Ifreq { name: [0; 16], flags: 0, rest: [0; 22] };
        query(&fd, &mut request).map_err(|e| Error::system("ask what device was passed", e))?;
        let flags = c_int::from(request.flags) & 0xffff;
        let foreign = |_| Error::system("use the device that was passed", Errno::EINVAL);
        if flags & IFF_NO_PI == 0 || flags & IFF_MULTI_QUEUE != 0 {
            return Err(foreign(()));
        }
        let name = request.name.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = std::str::from_utf8(name).map_err(|_| foreign(()))?;
        let name = name.parse().map_err(|_| foreign(()))?;
        let features = Features { tap: flags & IFF_TAP != 0, headers: flags & IFF_VNET_HDR != 0 };
        let flags = nix::fcntl::fcntl(&fd, nix::fcntl::FcntlArg::F_GETFL).unwrap_or(0);
        let flags = nix::fcntl::OFlag::from_bits_retain(flags) | nix::fcntl::OFlag::O_NONBLOCK;
        nix::fcntl::fcntl(&fd, nix::fcntl::FcntlArg::F_SETFL(flags)).map_err(|e| failed("mode", e))?;
        let device = Self { fd, name, features };
        device.offload()?;
        Ok(device)
    }

    /// Its name, as it was when it was opened.
    pub fn name(&self) -> LinkName {
        self.name
    }

    /// How it is opened.
    pub fn features(&self) -> Features {
        self.features
    }

    /// The namespace that it is in.
    ///
    /// # Errors
    /// Without `CAP_NET_ADMIN` there, and where the kernel cannot say (before Linux 5.8).
    pub fn namespace(&self) -> Result<Identity, Error> {
        let fd = namespace_of(&self.fd).map_err(|e| Error::system("ask where the device is", e))?;
        let metadata = File::from(fd).metadata().map_err(|e| Error::io("look at the device's namespace", &e))?;
        Ok(Identity::from(&metadata))
    }

    /// The descriptor, to be passed on or given to an [`Engine`](super::Engine).
    pub fn into_fd(self) -> OwnedFd {
        self.fd
    }

    /// Tells the kernel what need not be done to packets that are read.
    fn offload(&self) -> Result<(), Error> {
        if !self.features.headers {
            return Ok(());
        }
        let tries = [F_CSUM | F_TSO | F_USO, F_CSUM | F_TSO, F_CSUM];
        let done = tries.into_iter().any(|offloads| set_offload(&self.fd, offloads).is_ok());
        if done { Ok(()) } else { Err(failed("offloads", Errno::EINVAL)) }
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether a namespace of `/run/netns` is the one that a device is in.
pub fn is_in(identity: Identity, name: &crate::model::NetnsName) -> bool {
    Namespace::named(name).is_ok_and(|namespace| namespace.identity() == identity)
}

fn attach_when_free(file: &File, name: LinkName, flags: c_int) -> Result<(), Error> {
    let start = Instant::now();
    loop {
        match attach(file, name, flags) {
            Err(Errno::EBUSY) if start.elapsed() < RELEASE => std::thread::sleep(AGAIN),
            attached => return attached.map_err(|errno| Error::system(format!("open the device {name}"), errno)),
        }
    }
}

#[allow(unsafe_code, reason = "ioctl(2)")]
fn attach(file: &File, name: LinkName, flags: c_int) -> Result<(), Errno> {
    let mut request = Ifreq { name: [0; 16], flags: flags as c_short, rest: [0; 22] };
    request.name[..name.as_str().len()].copy_from_slice(name.as_str().as_bytes());
    // SAFETY: the descriptor is open; `request` lives through the call and is as long as `struct ifreq`.
    unsafe { ioctl::tunsetiff(file.as_raw_fd(), &raw const request) }.map(drop)
}

#[allow(unsafe_code, reason = "ioctl(2)")]
fn query(fd: &OwnedFd, request: &mut Ifreq) -> Result<(), Errno> {
    // SAFETY: the descriptor is open and one of the driver's; `request` lives through the call and is as long as `struct ifreq`.
    unsafe { ioctl::tungetiff(fd.as_raw_fd(), request) }.map(drop)
}

#[allow(unsafe_code, reason = "ioctl(2)")]
fn set_offload(fd: &OwnedFd, offloads: c_int) -> Result<(), Errno> {
    // SAFETY: the descriptor is open, and this request takes a number.
    unsafe { ioctl::tunsetoffload(fd.as_raw_fd(), offloads) }.map(drop)
}

#[allow(unsafe_code, reason = "ioctl(2)")]
fn namespace_of(fd: &OwnedFd) -> Result<OwnedFd, Errno> {
    // SAFETY: the descriptor is open, and this request takes nothing.
    let fd = unsafe { ioctl::tungetdevnetns(fd.as_raw_fd()) }?;
    // SAFETY: the kernel has just opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

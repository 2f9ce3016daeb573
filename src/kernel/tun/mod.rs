//! Devices of `/dev/net/tun` (`linux/if_tun.h`): those that stay when nobody holds them, as `ip tuntap add` (`ip-tuntap(8)`) makes
//! them, `open` ones, and the [`Engine`] that moves packets between those.
//!
//! The kernel makes none by netlink. A device is made in the namespace of the thread that opens the file, and is gone with the
//! file unless it is made to persist, last of all; so one that fails half-way leaves nothing.

mod engine;
mod open;

pub use engine::{Buffer, Engine, Event, Token, Way};
pub use open::{Device, Features, is_in};

use super::error::Error;
use super::netns::Namespace;
use crate::model::{LinkName, LinkValue, Virtual, VirtualKind};
use nix::errno::Errno;
use nix::libc::{IFF_MULTI_QUEUE, IFF_NO_PI, IFF_TAP, IFF_TUN, IFF_TUN_EXCL, IFF_VNET_HDR, c_int, c_short, c_ulong};
use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;

const DEVICE: &str = "/dev/net/tun";

/// The part of `struct ifreq` (`linux/if.h`) that `TUNSETIFF` reads, in its whole size.
#[repr(C)]
struct Ifreq {
    name: [u8; 16],
    flags: c_short,
    rest: [u8; 22],
}

/// Makes a device in a namespace.
pub(in crate::kernel) fn create(namespace: &Namespace, name: LinkName, device: &Virtual) -> Result<(), Error> {
    namespace.within(|| create_here(name, device))?
}

fn create_here(name: LinkName, device: &Virtual) -> Result<(), Error> {
    let number = |word: &str| match device.options.get(word) {
        Some(LinkValue::Number(n)) => Some(*n),
        _ => None,
    };
    let mut flags = IFF_TUN_EXCL | if device.kind == VirtualKind::Tap { IFF_TAP } else { IFF_TUN };
    let set = |word: &str| number(word).is_some_and(|n| n != 0);
    flags |= if set("pi") { 0 } else { IFF_NO_PI };
    flags |= if set("vnet_hdr") { IFF_VNET_HDR } else { 0 };
    flags |= if set("multi_queue") { IFF_MULTI_QUEUE } else { 0 };
    let file = OpenOptions::new().read(true).write(true).open(DEVICE).map_err(|e| match e.raw_os_error() {
        Some(nix::libc::ENOENT | nix::libc::ENODEV | nix::libc::ENXIO) => Error::NoKind("tun".into()),
        _ => Error::io(format!("open {DEVICE}"), &e),
    })?;
    name_it(&file, name, flags)?;
    for (word, what, request) in [("user", "owner", Set::Owner), ("group", "group", Set::Group)] {
        if let Some(id) = number(word) {
            request.ask(&file, c_ulong::from(u32::try_from(id).unwrap_or(u32::MAX))).map_err(|e| failed(what, e))?;
        }
    }
    Set::Persist.ask(&file, 1).map_err(|e| failed("persistence", e))
}

fn failed(what: &str, errno: Errno) -> Error {
    Error::system(format!("set the {what} of a device of {DEVICE}"), errno)
}

/// The requests that take a number.
#[derive(Clone, Copy)]
enum Set {
    Owner,
    Group,
    Persist,
}

#[allow(unsafe_code, reason = "ioctl(2) of a driver of its own")]
mod ioctl {
    nix::ioctl_write_ptr_bad!(tunsetiff, nix::libc::TUNSETIFF, super::Ifreq);
    nix::ioctl_write_int_bad!(tunsetpersist, nix::libc::TUNSETPERSIST);
    nix::ioctl_write_int_bad!(tunsetowner, nix::libc::TUNSETOWNER);
    nix::ioctl_write_int_bad!(tunsetgroup, nix::libc::TUNSETGROUP);
    nix::ioctl_write_int_bad!(tunsetoffload, nix::libc::TUNSETOFFLOAD);
    nix::ioctl_read_bad!(tungetiff, nix::libc::TUNGETIFF, super::Ifreq);
    nix::ioctl_none_bad!(tungetdevnetns, nix::request_code_none!(b'T', 227));
}

impl Set {
    #[allow(unsafe_code, reason = "ioctl(2)")]
    fn ask(self, file: &File, number: c_ulong) -> Result<(), Errno> {
        let (fd, number) = (file.as_raw_fd(), number as c_int);
        // SAFETY: the descriptor is open, and these requests take a number rather than a pointer.
        unsafe {
            match self {
                Set::Owner => ioctl::tunsetowner(fd, number),
                Set::Group => ioctl::tunsetgroup(fd, number),
                Set::Persist => ioctl::tunsetpersist(fd, number),
            }
        }
        .map(drop)
    }
}

#[allow(unsafe_code, reason = "ioctl(2)")]
fn name_it(file: &File, name: LinkName, flags: c_int) -> Result<(), Error> {
    let mut request = Ifreq { name: [0; 16], flags: flags as c_short, rest: [0; 22] };
    request.name[..name.as_str().len()].copy_from_slice(name.as_str().as_bytes());
    // SAFETY: the descriptor is open; `request` lives through the call and is as long as `struct ifreq`.
    unsafe { ioctl::tunsetiff(file.as_raw_fd(), &raw const request) }.map(drop).map_err(|errno| match errno {
        // What `IFF_TUN_EXCL` says of a device that is there.
        Errno::EBUSY => Error::Refused { errno: Errno::EEXIST, text: None },
        errno => Error::system(format!("make the device {name}"), errno),
    })
}

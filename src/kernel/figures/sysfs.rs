//! What sysfs alone tells of links (sysfs-class-net, `Documentation/ABI/testing/sysfs-class-net`).
//!
//! Theory: sysfs shows the links of the network namespace that it was mounted from. A mount that is attached nowhere
//! (`fsmount(2)`) is made from within, read, and gone when its descriptor is closed: no other process sees it.

use super::super::error::Error;
use super::links::LinkFigures;
use rustix::fs::{Mode, OFlags, openat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};

/// Of one link. What it has not got, or does not say, is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// `NET_ADDR_*` (`linux/netdevice.h`).
    pub address_assign_type: Option<u32>,
    /// `NET_NAME_*` (`linux/netdevice.h`).
    pub name_assign_type: Option<u32>,
    /// Tells ports with the same hardware address apart.
    pub device_id: Option<u32>,
    /// In Mbit/s.
    pub speed: Option<u64>,
    /// `full` or `half`, or none.
    pub duplex: Option<String>,
}

/// Those of the links of the namespace that the calling thread is in, by index.
pub(super) fn read(links: &[LinkFigures]) -> Result<Vec<(u32, Properties)>, Error> {
    let failed = |e: rustix::io::Errno| Error::io("mount sysfs", &e.into());
    let context = fsopen("sysfs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed)?;
    fsconfig_create(context.as_fd()).map_err(failed)?;
    let safe = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mount = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, safe).map_err(failed)?;
    Ok(links.iter().map(|link| (link.index, properties(mount.as_fd(), link))).collect())
}

fn properties(mount: BorrowedFd<'_>, link: &LinkFigures) -> Properties {
    let file = |name: &str| {
        let path = format!("class/net/{}/{name}", link.name.as_str());
        let file = openat(mount, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let mut text = String::new();
        // A link refuses to say what it has not got.
        File::from(file).take(64).read_to_string(&mut text).ok()?;
        Some(text.trim_end().to_owned())
    };
    let device_id = file("dev_id").and_then(|text| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok());
    Properties {
        address_assign_type: file("addr_assign_type").and_then(|text| text.parse().ok()),
        name_assign_type: file("name_assign_type").and_then(|text| text.parse().ok()),
        device_id,
        // -1 where it is not known.
        speed: file("speed").and_then(|text| text.parse().ok()),
        duplex: file("duplex").filter(|text| text != "unknown"),
    }
}

//! Commands of the user's: `/bin/sh -c LINE` with ifupdown's environment, in the view that `ip netns exec` gives.
//!
//! The caller's thread is in the network namespace already; this module gives it a mount namespace of its own, in which
//! `/sys` shows that network namespace and the files of `/etc/netns/NAME/` lie over those of `/etc` (ip-netns(8)), and so does
//! the resolv.conf that was written for the namespace.

use super::{programs, resolv};
use crate::model::{Netns, NetnsName};
use crate::plan::Command;
use anyhow::{Context, Result, bail};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

/// Runs a command and waits for it.
///
/// The calling thread must be one that ends afterwards, and be in the command's network namespace: its mount namespace changes.
///
/// # Errors
/// When it cannot be started, or does not end with status 0.
pub fn run(command: &Command) -> Result<()> {
    if let Netns::Named(name) = &command.netns {
        enter_view(name)?;
    }
    let status = std::process::Command::new("/bin/sh")
        .arg("-c")
        .arg(&command.line)
        .env_clear()
        .env("PATH", programs::PATH)
        .envs(command.environment.iter().map(|(k, v)| (k, v)))
        .stdin(Stdio::null())
        .status()
        .context("start /bin/sh")?;
    if !status.success() {
        bail!("{} command of {} {}: {}", command.phase.as_str(), command.link, ended(status), command.line);
    }
    Ok(())
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "failed".to_owned(),
    }
}

/// Gives the calling thread (or process, when it has only one) the file system view of `ip netns exec NAME`.
///
/// # Errors
/// When the mount namespace or `/sys` cannot be made. A file of `/etc/netns/NAME/` that has no counterpart in `/etc` is
/// skipped, with a message.
pub fn enter_view(name: &NetnsName) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).context("unshare the mount namespace")?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none).context("make the mounts private")?;
    // The kernel shows the links of the network namespace that the mount was made in.
    let _ = umount2("/sys", MntFlags::MNT_DETACH);
    mount(Some(name.as_str()), "/sys", Some("sysfs"), MsFlags::empty(), none)
        .or_else(|_| mount(Some(name.as_str()), "/sys", Some("sysfs"), MsFlags::MS_RDONLY, none))
        .context("mount /sys")?;
    let lay = |own: &Path, over: &Path| {
        if let Err(e) = mount(Some(own), over, none, MsFlags::MS_BIND, none) {
            log::debug!("bind {} over {}: {e}, ignoring", own.display(), over.display());
        }
    };
    for entry in std::fs::read_dir(Path::new("/etc/netns").join(name.as_str())).into_iter().flatten().flatten() {
        lay(&entry.path(), &Path::new("/etc").join(entry.file_name()));
    }
    // What the files and leases say, unless the administrator's own was just laid there.
    if let Some(written) = resolv::written(name) {
        lay(&written, Path::new("/etc/resolv.conf"));
    }
    Ok(())
}

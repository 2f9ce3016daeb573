//! `watch-names`: services keep their own resolv.conf, hosts and nsswitch.conf when the host replaces its files.
//!
//! A service that shall have its own is known by a mount that the drop-in makes, `/run/systemd-netns/NAME/etc` on itself.
//! What the drop-in lays over a file of `/etc` is laid there again in the service's view where the host's file is to be
//! seen. The time between is that of an inotify(7) event: who asks for a name in it asks the host's name servers, from
//! within the namespace.
//!
//! Limits: the host's file is found where its symbolic link points at the time; a folder that is deleted and made again on the
//! way there is only seen after the next change in `/etc`.

use crate::kernel::mounts::{self, Cover};
use crate::kernel::{Namespace, netns};
use crate::model::NetnsName;
use crate::system::record::Record;
use crate::system::resolv;
use anyhow::{Context, Result};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The files of `/etc` that a service may have its own of.
const FILES: [&str; 3] = ["resolv.conf", "hosts", "nsswitch.conf"];

/// Watches the host's files until it is told to end.
pub fn watch() -> Result<()> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC).context("start watching")?;
    loop {
        // First the watches, then the look: nothing that happens between the two is lost.
        let names = add_watches(&inotify)?;
        for netns in Record::list() {
            refresh(&netns);
        }
        loop {
            let events = inotify.read_events().context("watch /etc")?;
            // One without a name is about the folder itself, or says that some were lost.
            if events.iter().any(|event| event.name.as_ref().is_none_or(|name| names.contains(name))) {
                break;
            }
        }
    }
}

/// Watches the folders of the files, also where symbolic links lead; the names that matter there.
fn add_watches(inotify: &Inotify) -> Result<BTreeSet<OsString>> {
    let flags = AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_ONLYDIR;
    let etc = Path::new("/etc");
    inotify.add_watch(etc, flags).context("watch /etc")?;
    let mut names: BTreeSet<OsString> = FILES.iter().map(OsString::from).collect();
    for file in FILES {
        let mut path = etc.join(file);
        // Every link on the way may be replaced.
        for _ in 0..8 {
            let Ok(target) = std::fs::read_link(&path) else { break };
            path = path.parent().unwrap_or(etc).join(target);
            names.extend(path.file_name().map(OsString::from));
            let folder = path.parent().unwrap_or(etc);
            if let Err(e) = inotify.add_watch(folder, flags) {
                log::debug!("watch {}: {e}, ignoring", folder.display());
            }
        }
    }
    Ok(names)
}

/// Lays the files of a namespace over the host's again, in the view of each service that shall have them.
pub(super) fn refresh(netns: &NetnsName) {
    let Some(namespace) = Namespace::named(netns).ok().filter(|_| netns::is_mounted(netns)) else { return };
    let covers = covers(netns);
    let mark = resolv::folder(netns);
    let mut seen = BTreeSet::new();
    for process in netns::pids(&namespace).unwrap_or_default() {
        let pid = process.pid;
        if !mounts::of_process(pid).is_some_and(|view| seen.insert(view)) || !mounts::has_mount(pid, &mark) {
            continue;
        }
        match mounts::cover(pid, &covers) {
            Ok(covered) => covered.iter().for_each(|path| {
                let whose = process.unit.as_deref().unwrap_or("a process");
                log::info!("{netns}: {whose} has its own {} again", path.display());
            }),
            // The process has ended, or the host's file was replaced in this very moment, which is an event of its own.
            Err(e) if e.is_absent() => log::debug!("{netns}: process {pid}: {e}, ignoring"),
            Err(e) => log::warn!("{netns}: process {pid}: {e}, ignoring"),
        }
    }
}

fn covers(netns: &NetnsName) -> Vec<Cover> {
    let own = |file: &str| -> PathBuf {
        match file {
            "resolv.conf" => resolv::folder(netns).join(file),
            file => Path::new("/etc/netns").join(netns.as_str()).join(file),
        }
    };
    let cover = |file: &&str| {
        let over = Path::new("/etc").join(file);
        let hidden = mounts::identity(&over)?;
        Some(Cover { own: own(file), over, hidden })
    };
    FILES.iter().filter_map(cover).collect()
}

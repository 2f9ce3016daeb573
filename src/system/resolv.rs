//! The namespace's resolv.conf: `/run/systemd-netns/NAME/etc/resolv.conf`, which services see in the place of the host's.
//!
//! Theory. Three may have a say. The administrator's own `/etc/netns/NAME/resolv.conf` wins; then the file here is a
//! symbolic link to it. Else it holds what the namespace's files say, followed by what leases brought, in the order of
//! their links' names. Where nobody says anything it is the symbolic link all the same, which points to nothing: a service
//! sees the host's file then, and its own as soon as it is restarted after somebody wrote one.
//!
//! A service has the file by a bind mount, which stays with the inode; so it is written in place, shorter than any page.
//!
//! `resolv.json` beside it remembers who said what. Both go with the record.

use super::record;
use crate::model::{Instance, NetnsName, Resolv};
use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

const HEADER: &str = "# Written by systemd-netns from the namespace's files and its leases.\n";

/// Who said what.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Said {
    /// What the files say; none when they say nothing and no link asks the network.
    files: Option<Resolv>,
    /// What leases say, by [`Instance::within`].
    leases: BTreeMap<String, Resolv>,
}

/// The folder whose files lie over those of `/etc` for services.
pub fn folder(netns: &NetnsName) -> PathBuf {
    record::directory(netns).join("etc")
}

/// The administrator's own file.
fn own(netns: &NetnsName) -> PathBuf {
    Path::new("/etc/netns").join(netns.as_str()).join("resolv.conf")
}

/// The file that was written here, where the administrator has none.
pub fn written(netns: &NetnsName) -> Option<PathBuf> {
    let path = folder(netns).join("resolv.conf");
    let wins = !own(netns).exists() && fs::symlink_metadata(&path).is_ok_and(|m| m.is_file());
    wins.then_some(path)
}

/// Makes the folder, with nothing of the files or of leases in it.
///
/// # Errors
/// When it cannot be made.
pub fn prepare(netns: &NetnsName) -> Result<()> {
    change(netns, |_| ())
}

/// Writes what the files say.
///
/// # Errors
/// When it cannot be written.
pub fn set(netns: &NetnsName, resolv: Option<&Resolv>) -> Result<()> {
    change(netns, |said| {
        said.files = resolv.cloned();
        if resolv.is_none() {
            said.leases.clear();
        }
    })
}

/// Writes what a lease says, or that it says nothing any more.
///
/// # Errors
/// When it cannot be written.
pub fn set_lease(instance: &Instance, resolv: Option<&Resolv>) -> Result<()> {
    change(&instance.netns, |said| {
        match resolv.filter(|r| !r.is_empty()) {
            Some(resolv) => said.leases.insert(instance.within(), resolv.clone()),
            None => said.leases.remove(&instance.within()),
        };
    })
}

fn change(netns: &NetnsName, change: impl FnOnce(&mut Said)) -> Result<()> {
    let directory = record::directory(netns);
    let make = |path: &Path| {
        let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(path);
        made.with_context(|| format!("make {}", path.display()))
    };
    make(&folder(netns))?;
    // Clients of several links may be answered at once.
    let lock = directory.join("resolv.lock");
    let file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&lock);
    let file = file.with_context(|| format!("open {}", lock.display()))?;
    let _lock = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, e)| e).context("lock resolv.conf")?;
    let memory = directory.join("resolv.json");
    let mut said: Said = match fs::read(&memory) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| format!("{} is damaged", memory.display()))?,
        Err(e) if e.kind() == ErrorKind::NotFound => Said::default(),
        Err(e) => return Err(e).with_context(|| format!("read {}", memory.display())),
    };
    change(&mut said);
    let new = directory.join("resolv.json.new");
    let text = serde_json::to_vec(&said).context("write resolv.json")?;
    fs::write(&new, text)
        .and_then(|()| fs::rename(&new, &memory))
        .with_context(|| format!("write {}", memory.display()))?;
    write(netns, &said)
}

fn write(netns: &NetnsName, said: &Said) -> Result<()> {
    let (path, own) = (folder(netns).join("resolv.conf"), own(netns));
    let wrote = match &said.files {
        Some(files) if !own.exists() => {
            let mut all = files.clone();
            said.leases.values().for_each(|lease| all.merge(lease));
            write_in_place(&path, &format!("{HEADER}{all}"))
        }
        _ => point(&path, &own),
    };
    wrote.with_context(|| format!("write {}", path.display()))
}

/// Who reads at the same time sees the old text or the new one, or the new one with the end of the old: never half a word
/// of the new.
fn write_in_place(path: &Path, text: &str) -> std::io::Result<()> {
    if fs::symlink_metadata(path).is_ok_and(|m| !m.is_file()) {
        fs::remove_file(path)?;
    }
    let flags = nix::libc::O_NOFOLLOW;
    let mut file = OpenOptions::new().create(true).write(true).truncate(false).custom_flags(flags).open(path)?;
    // Whatever the caller's umask: services read it.
    file.set_permissions(fs::Permissions::from_mode(0o644))?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}

fn point(path: &Path, target: &Path) -> std::io::Result<()> {
    if fs::read_link(path).is_ok_and(|there| there == target) {
        return Ok(());
    }
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    symlink(target, &new)?;
    fs::rename(&new, path)
}

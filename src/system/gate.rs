//! What was done on the host for routers, written down in `/run/systemd-netns/router/NAME.json` before it is done.

use super::record::DIRECTORY;
use crate::model::{OwnedGate, RouterName};
use anyhow::{Context, Result};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The folder of routers' records and sockets.
pub fn directory() -> PathBuf {
    Path::new(DIRECTORY).join("router")
}

fn path(name: &RouterName) -> PathBuf {
    directory().join(format!("{name}.json"))
}

/// Reads the record of a router; none when there is none.
///
/// # Errors
/// When it cannot be read, or is damaged.
pub fn read(name: &RouterName) -> Result<Option<OwnedGate>> {
    let path = path(name);
    let text = match fs::read(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| format!("read {}", path.display()))?,
    };
    serde_json::from_slice(&text).map(Some).with_context(|| format!("{} is damaged", path.display()))
}

/// Writes the record of a router.
///
/// # Errors
/// When it cannot be written; the old one is then still there.
pub fn write(name: &RouterName, owned: &OwnedGate) -> Result<()> {
    let (path, new) = (path(name), directory().join(format!("{name}.json.new")));
    let write = || -> std::io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(directory())?;
        fs::write(&new, serde_json::to_vec(owned)?)?;
        fs::rename(&new, &path)
    };
    write().with_context(|| format!("write {}", path.display()))
}

/// Removes the record of a router.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove(name: &RouterName) -> Result<()> {
    let path = path(name);
    match fs::remove_file(&path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e).with_context(|| format!("remove {}", path.display()))?,
        _ => {}
    }
    // The last one out; while there are sockets or other routers this fails, as it should.
    let _ = fs::remove_dir(directory());
    let _ = fs::remove_dir(DIRECTORY);
    Ok(())
}

/// The routers that have a record, sorted.
pub fn list() -> Vec<RouterName> {
    let entries = fs::read_dir(directory()).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".json")?.parse().ok());
    let mut names: Vec<RouterName> = names.filter(|name| read(name).is_ok_and(|owned| owned.is_some())).collect();
    names.sort();
    names
}

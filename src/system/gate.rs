//! What was done on the host for routers, written down in `/run/systemd-netns/router/NAME.json` before it is done. Beside it
//! `DEVICE.device` marks the router's device, whatever that is called, for udev's rule of the package.

use super::record::DIRECTORY;
use crate::model::{LinkName, OwnedGate, RouterName};
use anyhow::{Context, Result};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// How the name of a mark ends.
pub const MARK: &str = "device";

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
        mark(name, Some(owned.gate.device))?;
        fs::write(&new, serde_json::to_vec(owned)?)?;
        fs::rename(&new, &path)
    };
    write().with_context(|| format!("write {}", path.display()))
}

/// Marks a router's device, and no other link, as its: other network managers are to leave it alone. A mark holds the router's name.
fn mark(name: &RouterName, device: Option<LinkName>) -> std::io::Result<()> {
    let wanted = device.map(|device| directory().join(format!("{device}.{MARK}")));
    for entry in fs::read_dir(directory()).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_mark = entry.file_name().to_str().is_some_and(|file| file.ends_with(&format!(".{MARK}")));
        if is_mark && Some(&path) != wanted.as_ref() && fs::read_to_string(&path).is_ok_and(|of| of == name.as_str()) {
            fs::remove_file(&path)?;
        }
    }
    wanted.map_or(Ok(()), |path| fs::write(path, name.as_str()))
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
    mark(name, None).with_context(|| format!("remove what is in {}", directory().display()))?;
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

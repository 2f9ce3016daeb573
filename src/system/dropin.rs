//! The drop-in that puts a service into a namespace: `/etc/systemd/system/SERVICE.service.d/netns.conf`.
//!
//! A service that has the namespace of its own name gets a symbolic link to the packaged drop-in, as the documentation has
//! people make by hand; one that shares another's gets a file. Only those two forms are ever removed.

use crate::model::NetnsName;
use anyhow::{Context, Result, bail};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The packaged drop-in.
pub const PACKAGED: &str = "/usr/share/systemd-netns-helper/netns.conf";

/// Its text.
const TEXT: &str = include_str!("../../share/netns.conf");

/// The first line of a drop-in that this program wrote.
const HEADER: &str = "# Written by systemd-netns enable; systemd-netns disable removes it.";

/// Puts `service` (without `.service`) into `netns`; tells whether that was news.
///
/// # Errors
/// When a drop-in of that name exists that is not this program's, or it cannot be written.
pub fn enable(root: &Path, service: &str, netns: &NetnsName) -> Result<bool> {
    let path = path(root, service);
    let own = service == netns.as_str();
    if let Some(there) = read(&path)? {
        let same = match &there {
            DropIn::Packaged => own,
            DropIn::Written(text) => !own && *text == text_for(netns),
            DropIn::Foreign => bail!("{} exists and was not written by systemd-netns: remove it first", path.display()),
        };
        if same {
            return Ok(false);
        }
        std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
    }
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
    }
    let written = if own { symlink(PACKAGED, &path) } else { std::fs::write(&path, text_for(netns)) };
    written.with_context(|| format!("write {}", path.display()))?;
    Ok(true)
}

/// Takes `service` out again; tells whether there was anything to do.
///
/// # Errors
/// When the drop-in is not this program's, or cannot be removed.
pub fn disable(root: &Path, service: &str) -> Result<bool> {
    let path = path(root, service);
    match read(&path)? {
        None => return Ok(false),
        Some(DropIn::Foreign) => {
            bail!("{} was not written by systemd-netns: remove it by hand", path.display())
        }
        Some(_) => std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?,
    }
    if let Some(dir) = path.parent() {
        // Fails while there are other drop-ins, as it should.
        let _ = std::fs::remove_dir(dir);
    }
    Ok(true)
}

/// Where the drop-in of a service is.
pub fn path(root: &Path, service: &str) -> PathBuf {
    root.join("etc/systemd/system").join(format!("{service}.service.d")).join("netns.conf")
}

enum DropIn {
    Packaged,
    Written(String),
    Foreign,
}

fn read(path: &Path) -> Result<Option<DropIn>> {
    if let Ok(target) = std::fs::read_link(path) {
        return Ok(Some(if target == Path::new(PACKAGED) { DropIn::Packaged } else { DropIn::Foreign }));
    }
    match std::fs::read_to_string(path) {
        Ok(text) if text.starts_with(HEADER) => Ok(Some(DropIn::Written(text))),
        Ok(_) => Ok(Some(DropIn::Foreign)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("read {}", path.display())),
    }
}

/// The packaged drop-in with a fixed name in the place of the service's own, without its comments.
fn text_for(netns: &NetnsName) -> String {
    let name = netns.as_str().replace('%', "%%");
    let mut text = format!("{HEADER}\n");
    for line in TEXT.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        text += &line.replace("%n", &format!("{name}.service")).replace("%N", &name);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_drop_in_is_the_packaged_one_with_a_name() {
        let text = text_for(&r"a%b\x2dc".parse().unwrap());
        assert!(text.contains("\nBindsTo=systemd-netns@a%%b\\x2dc.service\n"), "{text}");
        assert!(text.contains("\nNetworkNamespacePath=/run/netns/a%%b\\x2dc\n"), "{text}");
        assert!(text.contains("\nInaccessiblePaths=-/run/nscd"), "{text}");
        assert!(!text.contains("%n") && !text.contains("%N") && text.matches('#').count() == 1, "{text}");
    }
}

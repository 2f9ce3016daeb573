//! `systemd-netns-generator` (systemd.generator(7)): orders each namespace after the device units of its NICs.
//!
//! `Wants=` and `After=`, never `BindsTo=`: when the NIC moves away its device unit vanishes. Runs early in the boot, when
//! nothing but the root file system can be relied on; a mistake in a file is left for `start` to report.

use crate::config;
use crate::model::{LinkName, NetnsName, escape};
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::fmt::Write;
use std::path::Path;

/// Writes the drop-ins into `directory`, the generator's first argument.
pub fn run(directory: Option<&OsStr>) -> Result<()> {
    let directory = Path::new(directory.context("a generator is run by systemd, with a directory")?);
    for netns in config::list(Path::new("/")) {
        let Some(desired) = config::load(Path::new("/"), &netns, &config::Nothing).desired else { continue };
        let nics = config::host_links(&desired);
        if nics.is_empty() {
            continue;
        }
        let dir = directory.join(format!("systemd-netns@{netns}.service.d"));
        std::fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
        let file = dir.join("50-devices.conf");
        std::fs::write(&file, drop_in(&netns, &nics)).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(())
}

fn drop_in(netns: &NetnsName, nics: &[LinkName]) -> String {
    let mut text = format!("# The links of the host that /etc/netns/{netns}/network/interfaces names\n[Unit]\n");
    for nic in nics {
        let unit = format!("sys-subsystem-net-devices-{}.device", escape(nic.as_str())).replace('%', "%%");
        // Writing to a string cannot fail.
        let _ = write!(text, "Wants={unit}\nAfter={unit}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_units_are_escaped_as_systemd_does() {
        let text = drop_in(&"nginx".parse().unwrap(), &["a-b".parse().unwrap()]);
        assert!(text.ends_with(
            "Wants=sys-subsystem-net-devices-a\\x2db.device\nAfter=sys-subsystem-net-devices-a\\x2db.device\n"
        ));
    }
}

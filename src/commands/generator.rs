//! `systemd-netns-generator` (systemd.generator(7)): orders each namespace after the device units of its NICs, and after the
//! services that put links into it.
//!
//! `Wants=` and `After=`, never `BindsTo=`: when the NIC moves away its device unit vanishes. Runs early in the boot, when
//! nothing but the root file system can be relied on; a mistake in a file is left for `start` to report.
//!
//! A namespace that IPsec's links end up in wants the namespace of the IPsec service: so the links are there before the first
//! service in it starts, and stay while one is there, with or without IPsec; then nothing meant for them leaves another way. The
//! other direction is not asked for, or the two would keep one another for ever: `start` sees to it by itself. So it does to the
//! NICs of such a namespace: their device units are gone whenever it was brought up for others, and would be waited for in vain.

use crate::config;
use crate::model::{LinkName, NetnsName, escape};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write;
use std::path::Path;

/// Writes the drop-ins into `directory`, the generator's first argument.
pub fn run(directory: Option<&OsStr>) -> Result<()> {
    let directory = Path::new(directory.context("a generator is run by systemd, with a directory")?);
    let load = |netns: &NetnsName| config::load(Path::new("/"), netns, &config::Nothing).desired;
    let mut users: BTreeMap<NetnsName, Vec<NetnsName>> = BTreeMap::new();
    let mut devices = BTreeMap::new();
    for netns in config::list(Path::new("/")) {
        let Some(desired) = load(&netns) else { continue };
        for used in &desired.uses {
            users.entry(used.clone()).or_default().push(netns.clone());
        }
        devices.insert(netns, config::host_links(&desired));
    }
    for (netns, nics) in devices.iter().filter(|(netns, nics)| !nics.is_empty() && !users.contains_key(*netns)) {
        write(directory, netns, "50-devices.conf", &drop_in(netns, nics))?;
    }
    for (netns, users) in users {
        write(directory, &netns, "50-users.conf", &after_users(&netns, &users))?;
    }
    Ok(())
}

fn write(directory: &Path, netns: &NetnsName, name: &str, text: &str) -> Result<()> {
    let dir = directory.join(format!("systemd-netns@{netns}.service.d"));
    std::fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
    let file = dir.join(name);
    std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))
}

fn after_users(netns: &NetnsName, users: &[NetnsName]) -> String {
    let mut text = format!("# Services whose links end up in {netns}: /etc/netns/SERVICE/network/xfrm\n[Unit]\n");
    for user in users.iter().map(|user| user.as_str().replace('%', "%%")) {
        // Writing to a string cannot fail.
        let _ = write!(text, "Wants=systemd-netns@{user}.service\nAfter=systemd-netns@{user}.service {user}.service\n");
    }
    text
}

fn drop_in(netns: &NetnsName, nics: &[LinkName]) -> String {
    let mut text = format!("# The links of the host that {netns}'s files name\n[Unit]\n");
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
    fn a_namespace_follows_those_whose_links_are_in_it() {
        let text = after_users(&"tunnel".parse().unwrap(), &["strongswan".parse().unwrap()]);
        assert!(text.ends_with(
            "Wants=systemd-netns@strongswan.service\nAfter=systemd-netns@strongswan.service strongswan.service\n"
        ));
    }

    #[test]
    fn device_units_are_escaped_as_systemd_does() {
        let text = drop_in(&"nginx".parse().unwrap(), &["a-b".parse().unwrap()]);
        assert!(text.ends_with(
            "Wants=sys-subsystem-net-devices-a\\x2db.device\nAfter=sys-subsystem-net-devices-a\\x2db.device\n"
        ));
    }
}

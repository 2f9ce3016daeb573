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
//!
//! A namespace with a device follows the router of this host that the device goes to: it is there first, and at shutdown gone last.
//! A router's socket listens where the router's file says.
//!
//! What a `nat` file has sockets for gets units.
//!
//! A namespace on a bridge that another one's `links` file makes follows that one, and keeps it up.

use super::publish;
use crate::config::{self, Accounts};
use crate::model::{LinkName, Listen, NetnsName, RouterName, escape};
use crate::system::gate;
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Write;
use std::path::Path;

/// Writes the drop-ins into `directory`, the generator's first argument.
pub fn run(directory: Option<&OsStr>) -> Result<()> {
    let directory = Path::new(directory.context("a generator is run by systemd, with a directory")?);
    let load = |netns: &NetnsName| config::load(Path::new("/"), netns, &config::Nothing);
    let mut users: BTreeMap<NetnsName, Vec<NetnsName>> = BTreeMap::new();
    let (mut devices, mut makers) = (BTreeMap::new(), BTreeMap::new());
    routers(directory)?;
    for netns in config::list(Path::new("/")) {
        let loaded = load(&netns);
        let Some(desired) = loaded.desired else { continue };
        loaded.sockets.iter().try_for_each(|socket| publish::write(directory, &netns, socket))?;
        let named = desired.links.iter().filter_map(|link| link.device.as_ref()?.named.clone());
        let named: BTreeSet<RouterName> = named.collect();
        if !named.is_empty() {
            write(directory, &unit_of(&netns), "50-routers.conf", &after_routers(&netns, &named))?;
        }
        for used in &desired.uses {
            users.entry(used.clone()).or_default().push(netns.clone());
        }
        for link in config::made_on_host(&desired) {
            makers.insert(link, netns.clone());
        }
        devices.insert(netns, config::host_links(&desired));
    }
    for (netns, nics) in &mut devices {
        let maker = |nic: &LinkName| makers.get(nic).filter(|maker| *maker != netns).cloned();
        let of_others: BTreeSet<NetnsName> = nics.iter().filter_map(maker).collect();
        nics.retain(|nic| !makers.contains_key(nic));
        if !of_others.is_empty() {
            write(directory, &unit_of(netns), "50-bridges.conf", &after_makers(netns, &of_others))?;
        }
    }
    for (netns, nics) in devices.iter().filter(|(netns, nics)| !nics.is_empty() && !users.contains_key(*netns)) {
        write(directory, &unit_of(netns), "50-devices.conf", &drop_in(netns, nics))?;
    }
    for (netns, users) in users {
        write(directory, &unit_of(&netns), "50-users.conf", &after_users(&netns, &users))?;
    }
    Ok(())
}

/// Where routers' sockets listen that are elsewhere than the unit says.
fn routers(directory: &Path) -> Result<()> {
    for name in config::list_routers(Path::new("/")) {
        let Some(settings) = config::load_router(Path::new("/"), &name, &Anybody).settings else { continue };
        let usual = gate::directory().join(format!("{name}.sock"));
        if settings.listen != [Listen::Unix(usual)] {
            let unit = format!("systemd-netns-router@{name}.socket");
            write(directory, &unit, "50-listen.conf", &listen(&name, &settings.listen))?;
        }
    }
    Ok(())
}

/// Who the accounts of a file are does not matter here, and may not be known yet.
struct Anybody;

impl Accounts for Anybody {
    fn user(&self, _: &str) -> Option<u32> {
        Some(0)
    }

    fn group(&self, _: &str) -> Option<u32> {
        Some(0)
    }
}

fn listen(name: &RouterName, sockets: &[Listen]) -> String {
    let mut text = format!("# Where {name}'s file says that it listens\n[Socket]\nListenStream=\n");
    for socket in sockets {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "ListenStream={}", socket.to_string().replace('%', "%%"));
    }
    text
}

fn after_routers(netns: &NetnsName, routers: &BTreeSet<RouterName>) -> String {
    let mut text = format!("# The routers of {netns}'s devices: /etc/netns/{netns}/network/tuntap\n[Unit]\n");
    for unit in routers.iter().map(|router| format!("systemd-netns-router@{router}")) {
        // Writing to a string cannot fail.
        let _ = write!(text, "Wants={unit}.socket\nAfter={unit}.socket {unit}.service\n");
    }
    text
}

fn after_makers(netns: &NetnsName, makers: &BTreeSet<NetnsName>) -> String {
    let mut text =
        format!("# The namespaces that make the bridges which {netns} is on: /etc/netns/NAME/network/links\n[Unit]\n");
    for unit in makers.iter().map(|maker| format!("systemd-netns@{}.service", maker.as_str().replace('%', "%%"))) {
        // Writing to a string cannot fail.
        let _ = write!(text, "Wants={unit}\nAfter={unit}\n");
    }
    text
}

fn unit_of(netns: &NetnsName) -> String {
    format!("systemd-netns@{netns}.service")
}

fn write(directory: &Path, unit: &str, name: &str, text: &str) -> Result<()> {
    let dir = directory.join(format!("{unit}.d"));
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
    fn a_namespace_follows_its_routers() {
        let text = after_routers(&"app".parse().unwrap(), &["emperor0".parse().unwrap()].into());
        assert!(text.ends_with(
            "[Unit]\nWants=systemd-netns-router@emperor0.socket\n\
             After=systemd-netns-router@emperor0.socket systemd-netns-router@emperor0.service\n"
        ));
    }

    #[test]
    fn a_namespace_follows_the_one_that_makes_its_bridge() {
        let text = after_makers(&"app".parse().unwrap(), &["lan".parse().unwrap()].into());
        assert!(text.ends_with("[Unit]\nWants=systemd-netns@lan.service\nAfter=systemd-netns@lan.service\n"), "{text}");
    }

    #[test]
    fn a_socket_listens_where_its_file_says() {
        let sockets = [Listen::Unix("/run/a%b".into()), Listen::Tcp("[::1]:3000".parse().unwrap())];
        let text = listen(&"r".parse().unwrap(), &sockets);
        assert!(text.ends_with("[Socket]\nListenStream=\nListenStream=/run/a%%b\nListenStream=[::1]:3000\n"), "{text}");
    }

    #[test]
    fn device_units_are_escaped_as_systemd_does() {
        let text = drop_in(&"nginx".parse().unwrap(), &["a-b".parse().unwrap()]);
        assert!(text.ends_with(
            "Wants=sys-subsystem-net-devices-a\\x2db.device\nAfter=sys-subsystem-net-devices-a\\x2db.device\n"
        ));
    }
}

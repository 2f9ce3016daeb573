//! Other network managers: whether systemd-networkd and NetworkManager hold a link for theirs, and how to stop them
//! (org.freedesktop.network1(5), NetworkManager's D-Bus interface).

use crate::model::LinkName;
use anyhow::{Context, Result};
use serde_json::Value;
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

const NETWORKD: &str = "org.freedesktop.network1";
const NETWORK_MANAGER: &str = "org.freedesktop.NetworkManager";

/// Who holds a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its name.
    pub manager: &'static str,
    /// The file that makes it do so, where it says.
    pub file: Option<String>,
    /// What stops it, as commands.
    pub remedy: Vec<String>,
}

/// A conversation with those that run.
pub struct Managers {
    runtime: tokio::runtime::Runtime,
    bus: zbus::Connection,
    /// The names of those that run. Asked for first: a call would start them.
    running: Vec<&'static str>,
}

impl Managers {
    /// Opens one.
    ///
    /// # Errors
    /// When the system bus cannot be reached.
    pub fn connect() -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
        let bus = runtime.block_on(zbus::Connection::system()).context("reach the system bus")?;
        let mut managers = Self { runtime, bus, running: Vec::new() };
        for name in [NETWORKD, NETWORK_MANAGER] {
            if managers.has_owner(name)? {
                managers.running.push(name);
            }
        }
        Ok(managers)
    }

    /// Those that run, in words.
    pub fn running(&self) -> Vec<&'static str> {
        self.running.iter().map(|name| if *name == NETWORKD { "systemd-networkd" } else { "NetworkManager" }).collect()
    }

    /// Those that hold a link of the host's for theirs. One that does not know the link, or does not say, does not.
    pub fn holders(&self, link: LinkName) -> Vec<Holder> {
        let held = [self.networkd(link), self.network_manager(link)];
        held.into_iter().filter_map(|held| held.inspect_err(|e| log::debug!("{link}: {e:#}, ignoring")).ok()?).collect()
    }

    fn networkd(&self, link: LinkName) -> Result<Option<Holder>> {
        if !self.running.contains(&NETWORKD) {
            return Ok(None);
        }
        let index = std::fs::read_to_string(format!("/sys/class/net/{link}/ifindex")).context("read its index")?;
        let index: i32 = index.trim().parse().context("read its index")?;
        let call = self.bus.call_method(
            Some(NETWORKD),
            "/org/freedesktop/network1",
            Some("org.freedesktop.network1.Manager"),
            "DescribeLink",
            &index,
        );
        let reply = self.runtime.block_on(call).context("ask systemd-networkd")?;
        let text: String = reply.body().deserialize().context("read systemd-networkd's answer")?;
        let value: Value = serde_json::from_str(&text).context("read systemd-networkd's answer")?;
        Ok(networkd_holds(&value, link))
    }

    fn network_manager(&self, link: LinkName) -> Result<Option<Holder>> {
        if !self.running.contains(&NETWORK_MANAGER) {
            return Ok(None);
        }
        let name = link.as_str();
        let call = self.bus.call_method(
            Some(NETWORK_MANAGER),
            "/org/freedesktop/NetworkManager",
            Some(NETWORK_MANAGER),
            "GetDeviceByIpIface",
            &name,
        );
        let reply = self.runtime.block_on(call).context("ask NetworkManager")?;
        let path: OwnedObjectPath = reply.body().deserialize().context("read NetworkManager's answer")?;
        let (properties, which) =
            (Some("org.freedesktop.DBus.Properties"), ("org.freedesktop.NetworkManager.Device", "Managed"));
        let call = self.bus.call_method(Some(NETWORK_MANAGER), path, properties, "Get", &which);
        let reply = self.runtime.block_on(call).context("ask NetworkManager")?;
        let value: OwnedValue = reply.body().deserialize().context("read NetworkManager's answer")?;
        Ok(bool::try_from(value)?.then(|| Holder {
            manager: "NetworkManager",
            file: None,
            remedy: vec![
                format!("printf '[keyfile]\\nunmanaged-devices+=interface-name:{link}\\n' \\"),
                format!("    >/etc/NetworkManager/conf.d/netns-{link}.conf"),
                format!("systemctl reload NetworkManager && nmcli device set {link} managed no"),
            ],
        }))
    }

    fn has_owner(&self, name: &str) -> Result<bool> {
        let call = self.bus.call_method(
            Some("org.freedesktop.DBus"),
            "/org/freedesktop/DBus",
            Some("org.freedesktop.DBus"),
            "NameHasOwner",
            &name,
        );
        let reply = self.runtime.block_on(call).context("ask the system bus")?;
        reply.body().deserialize().context("read the bus's answer")
    }
}

/// What networkd says of a link: it is its own unless it is unmanaged, or not yet looked at.
fn networkd_holds(described: &Value, link: LinkName) -> Option<Holder> {
    let state = described["AdministrativeState"].as_str()?;
    let held = matches!(state, "configuring" | "configured" | "failed");
    held.then(|| Holder {
        manager: "systemd-networkd",
        file: described["NetworkFile"].as_str().map(str::to_owned),
        remedy: vec![
            format!("printf '[Match]\\nName={link}\\n[Link]\\nUnmanaged=yes\\n' \\"),
            format!("    >/etc/systemd/network/05-netns-{link}.network"),
            "networkctl reload".to_owned(),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networkd_holds_what_it_configures() {
        let link: LinkName = "eth0".parse().unwrap();
        let says = |state: &str| serde_json::json!({ "AdministrativeState": state, "NetworkFile": "/etc/a.network" });
        assert_eq!(networkd_holds(&says("unmanaged"), link), None);
        assert_eq!(networkd_holds(&says("pending"), link), None);
        let holder = networkd_holds(&says("configured"), link).unwrap();
        assert_eq!(holder.file.as_deref(), Some("/etc/a.network"));
        assert!(holder.remedy[0].contains("Name=eth0"));
    }
}

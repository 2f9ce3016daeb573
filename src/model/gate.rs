//! What a router needs of the host: its device, and the way from there to other links.

use super::{Kind, LinkName, RouterName, Sysctl};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The host's side of a router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// The router.
    pub router: RouterName,
    /// Its device.
    pub device: LinkName,
    /// What kind of link that is.
    pub kind: Kind,
    /// Whether it is set up; it is somebody else's business if not said.
    pub up: Option<bool>,
    /// The size of the largest packet, in bytes; as the kernel has it if not said.
    pub mtu: Option<u32>,
    /// Its addresses.
    pub addresses: Vec<IpNet>,
    /// Settings of the host, in the order in which they are made.
    pub sysctls: Vec<(Sysctl, String)>,
    /// Settings that are not made but change along: `…/all/forwarding` writes those of all links. They are put back with the others.
    pub along: Vec<Sysctl>,
    /// What is in its table of nft(8); there is none if not said.
    pub table: Option<String>,
}

/// What this program answers for on the host for a router. It is written down before anything is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedGate {
    /// What was applied last, or is being applied.
    pub gate: Gate,
    /// The host's settings as they were.
    pub before: BTreeMap<Sysctl, String>,
}

impl Gate {
    /// The name of its table of nft(8).
    pub fn table_name(&self) -> String {
        format!("systemd-netns-router-{}", self.router)
    }
}

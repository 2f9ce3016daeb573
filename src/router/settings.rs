//! What a router is told, and what a device is told: plain values, whatever text they came from.

use super::rule::Chain;
use super::tunnel::settings::{ClientSettings, Tunnels};
use crate::model::{LinkName, NetnsName};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use crate::model::{DeviceMode as Mode, DeviceProtocol as Protocol, Listen};

/// A router: `/etc/systemd-netns/router/NAME.conf`, or uWSGI's options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Its own device on the host.
    pub device: LinkName,
    /// Layer 3 or 2.
    pub mode: Mode,
    /// The size of the largest packet, in bytes; 68..=65535.
    pub mtu: u32,
    /// The device's addresses. No peer may claim them.
    pub addresses: Vec<IpNet>,
    /// Where peers connect.
    pub listen: Vec<Listen>,
    /// Where statistics are told.
    pub statistics: Vec<Listen>,
    /// What the host does with packets that leave it.
    pub nat: Option<Nat>,
    /// Whether the host forwards between its other links and this device.
    pub forwarding: bool,
    /// What comes from peers.
    pub chain_out: Chain,
    /// What goes to peers.
    pub chain_in: Chain,
    /// Who may connect, and with which addresses. The first that fits decides; when there is none, anybody who can reach the
    /// socket may, with any address in the networks of [`Self::addresses`], or any at all when there is none.
    pub admit: Vec<Admit>,
    /// What one peer may have.
    pub limits: Limits,
    /// uWSGI's `tuntap-use-credentials`: framed peers begin with their credentials.
    pub credentials: bool,
    /// Networks on other hosts.
    #[serde(default, skip_serializing_if = "Tunnels::is_nothing")]
    pub tunnels: Tunnels,
}

/// Masquerading of what peers send.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Nat {
    /// Behind this link only; behind any but the router's own device when there is none.
    pub behind: Option<LinkName>,
}

/// Who may connect, and with which addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Admit {
    /// Who.
    pub who: Who,
    /// The addresses that it may claim; none at all when this is empty.
    pub addresses: Vec<IpNet>,
    /// What it may have, where that differs from [`Settings::limits`].
    pub limits: Option<Limits>,
}

/// Whom a rule of admission means.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// Anybody.
    Any,
    /// A process of this user (`SO_PEERCRED`, unix(7)).
    User(u32),
    /// A process of this primary group.
    Group(u32),
    /// A device in, or a process of, this namespace of `/run/netns`.
    Netns(NetnsName),
}

/// What one peer may have. Each is a bound, so that memory is bounded by configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// How many peers there may be at once (of all together); 1..=65536.
    pub peers: u32,
    /// How many addresses one peer may have; 1..=1024.
    pub addresses: u32,
    /// What waits for a peer that reads slowly, in bytes.
    pub queue: u32,
    /// How fast it may send.
    pub rate_out: Option<Rate>,
    /// How fast it is sent to.
    pub rate_in: Option<Rate>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { peers: 4096, addresses: 16, queue: 512 << 10, rate_out: None, rate_in: None }
    }
}

/// A token bucket (`tc-tbf(8)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rate {
    /// Bytes per second; at least 1000.
    pub bytes: u64,
    /// Bytes at once.
    pub burst: u64,
}

/// What a namespace's device is told: `/etc/netns/NAME/network/tuntap`, or uWSGI's options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceSettings {
    /// The device in the namespace.
    pub device: LinkName,
    /// Layer 3 or 2.
    pub mode: Mode,
    /// The router's socket.
    pub router: Listen,
    /// How the router is spoken to.
    pub protocol: Protocol,
    /// The addresses that are announced to the router, so that nothing need be sent to be found.
    pub addresses: Vec<IpNet>,
    /// The size of the largest packet, in bytes.
    pub mtu: u32,
    /// Rules of its own, which the router adds to its chains: they can only narrow.
    pub chain_out: Chain,
    /// The same for what goes to it.
    pub chain_in: Chain,
    /// uWSGI's `tuntap-use-credentials`.
    pub credentials: bool,
    /// What is said to a router on another host.
    pub tunnel: Option<Box<ClientSettings>>,
}

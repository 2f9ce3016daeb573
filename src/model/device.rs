//! Links whose packets go to a router over a socket, and what their device is told.

use super::{ClientSettings, RouterName, ServerAddress};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What stands behind a tun or tap link: a router, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Device {
    /// The router's socket.
    pub router: Listen,
    /// The router's name where it is one of this host, whose socket is opened first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<RouterName>,
    /// Layer 3 or 2.
    pub mode: DeviceMode,
    /// How the router is spoken to.
    pub protocol: DeviceProtocol,
    /// The addresses that are announced to the router.
    #[serde(default)]
    pub addresses: Vec<IpNet>,
    /// The size of the largest packet, in bytes.
    pub mtu: u32,
    /// Rules for what leaves by it, as text.
    #[serde(default)]
    pub rules_out: Vec<String>,
    /// Rules for what comes in by it.
    #[serde(default)]
    pub rules_in: Vec<String>,
    /// Whether it begins with its credentials where it speaks in uWSGI's frames.
    #[serde(default)]
    pub credentials: bool,
    /// What is said to a router on another host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Box<ClientSettings>>,
}

/// What a device carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceMode {
    /// IP packets.
    Tun,
    /// Ethernet frames.
    Tap,
}

/// How a router is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceProtocol {
    /// The descriptor is passed.
    Descriptor,
    /// uWSGI's frames.
    Uwsgi,
    /// A routing tunnel to another host.
    Tunnel,
}

/// A socket that somebody listens at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Listen {
    /// A unix stream socket, `@NAME` for an abstract one.
    Unix(PathBuf),
    /// A TCP socket. Who connects there is nobody by name: only rules for anybody admit it.
    Tcp(SocketAddr),
    /// Where a router on another host lets hosts in.
    Tunnel(ServerAddress),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Unix(path) => write!(f, "{}", path.display()),
            Listen::Tcp(address) => write!(f, "{address}"),
            Listen::Tunnel(server) => write!(f, "{server}"),
        }
    }
}

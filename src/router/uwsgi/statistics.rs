//! Statistics as uWSGI tells them: one JSON object, then the connection is closed.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// All of it. Fields stand in the original's order; whoever reads it finds what the original has, under the same names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// The program's version.
    pub version: String,
    /// The router's process.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its working directory.
    pub cwd: String,
    /// Who is connected.
    pub peers: Vec<PeerStatistics>,
}

/// One peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatistics {
    /// Its address; empty before it has one.
    pub addr: String,
    /// The same as a number whose bytes in memory are the address; 0 before it has one, and for IPv6.
    pub addr_32: u32,
    /// The user that it said it is; 0 where nobody asked.
    pub uid: u32,
    /// The group that it said it is.
    pub gid: u32,
    /// The process that it said it is.
    pub pid: u32,
    /// Bytes that were sent to it, headers of frames included.
    pub tx: u64,
    /// Bytes that came from it.
    pub rx: u64,
    /// Packets that did not fit what waits for it.
    pub dropped: u64,
}

impl PeerStatistics {
    /// Nothing yet of a peer with this address.
    pub fn new(address: Option<IpAddr>) -> Self {
        let addr_32 = match address {
            Some(IpAddr::V4(address)) => u32::from_ne_bytes(address.octets()),
            _ => 0,
        };
        let addr = address.map(|address| address.to_string()).unwrap_or_default();
        Self { addr, addr_32, uid: 0, gid: 0, pid: 0, tx: 0, rx: 0, dropped: 0 }
    }
}

//! Addresses of links.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// An address on a link, as `ip address` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The address itself (`IFA_LOCAL`) and the prefix length.
    pub local: IpNet,
    /// The far end of a point-to-point link (`pointopoint`); the prefix length is then the peer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<IpAddr>,
    /// IPv4's broadcast address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broadcast: Option<Ipv4Addr>,
    /// `IFA_LABEL`, IPv4 only; the link's own name when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How far the address is known.
    pub scope: Scope,
    /// `IFA_F_NODAD`: used at once, without looking for a duplicate (IPv6).
    #[serde(default)]
    pub nodad: bool,
    /// Seconds for which new connections may choose it; `None` is for ever, 0 is deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_lifetime: Option<u32>,
}

impl Address {
    /// What the kernel tells two addresses of a link apart by: the address, and for IPv4 the prefix and peer too.
    pub fn key(&self) -> (IpNet, Option<IpAddr>) {
        match self.local {
            IpNet::V4(_) => (self.local, self.peer),
            IpNet::V6(net) => (IpNet::from(IpAddr::V6(net.addr())), None),
        }
    }

    /// Whether this one, seen in the kernel, is what `desired` asks for. A finite lifetime runs down by itself.
    pub fn satisfies(&self, desired: &Address) -> bool {
        let lifetime = match (self.preferred_lifetime, desired.preferred_lifetime) {
            (Some(left), Some(given)) => (left == 0) == (given == 0) && left <= given,
            (have, want) => have == want,
        };
        self.key() == desired.key()
            && self.local == desired.local
            && self.broadcast == desired.broadcast
            && (desired.label.is_none() || self.label == desired.label)
            && self.scope == desired.scope
            && lifetime
    }

    /// A plain address: no peer, no broadcast, global, checked for duplicates, for ever.
    pub fn plain(local: IpNet) -> Self {
        Self {
            local,
            peer: None,
            broadcast: None,
            label: None,
            scope: Scope::GLOBAL,
            nodad: false,
            preferred_lifetime: None,
        }
    }

    /// Whether it is the link-local address that the kernel makes for every IPv6 link.
    pub fn is_ipv6_link_local(&self) -> bool {
        matches!(self.local.addr(), IpAddr::V6(ip) if ip.is_unicast_link_local())
    }
}

/// How far an address or the destination of a route is known (`rtnetlink(7)`, `enum rt_scope_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(pub u8);

impl Scope {
    /// Everywhere.
    pub const GLOBAL: Scope = Scope(0);
    /// Within the site; IPv6 only, and deprecated.
    pub const SITE: Scope = Scope(200);
    /// On the link.
    pub const LINK: Scope = Scope(253);
    /// On this host.
    pub const HOST: Scope = Scope(254);
    /// Nowhere.
    pub const NOWHERE: Scope = Scope(255);

    /// The scope of a name of `rt_scopes`, or of a number from 0 to 255.
    pub fn parse(s: &str) -> Option<Scope> {
        Some(match s {
            "global" => Scope::GLOBAL,
            "site" => Scope::SITE,
            "link" => Scope::LINK,
            "host" => Scope::HOST,
            "nowhere" => Scope::NOWHERE,
            number => Scope(number.parse().ok()?),
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Scope::GLOBAL => f.write_str("global"),
            Scope::SITE => f.write_str("site"),
            Scope::LINK => f.write_str("link"),
            Scope::HOST => f.write_str("host"),
            Scope::NOWHERE => f.write_str("nowhere"),
            Scope(other) => write!(f, "{other}"),
        }
    }
}

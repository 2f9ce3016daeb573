//! Routes.

use super::{LinkName, Scope};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The table that routes go to when nothing else is said (`RT_TABLE_MAIN`).
pub const TABLE_MAIN: u32 = 254;

/// A route with at most one next hop.
///
/// Routes that the kernel makes by itself (`proto kernel`, the local table, router advertisements) are not part of a
/// [`State`](super::State): they follow from addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Route {
    /// The destination, host bits zero.
    pub to: IpNet,
    /// The next hop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<IpAddr>,
    /// The link that it leaves by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkName>,
    /// The address that the host prefers as its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src: Option<IpAddr>,
    /// The metric (`RTA_PRIORITY`); lower wins. For IPv6 the kernel turns 0 into 1024.
    #[serde(default)]
    pub metric: u32,
    /// The table.
    #[serde(default = "main_table")]
    pub table: u32,
    /// What happens to a packet.
    #[serde(default)]
    pub kind: RouteKind,
    /// How far the destination is known.
    pub scope: Scope,
    /// `RTNH_F_ONLINK`: the next hop is taken to be on the link, whatever the addresses say.
    #[serde(default)]
    pub onlink: bool,
    /// Who made it (`/etc/iproute2/rt_protos`); 3 is `boot`, what `ip` and ifupdown leave.
    #[serde(default = "boot")]
    pub protocol: u8,
}

const fn main_table() -> u32 {
    TABLE_MAIN
}

const fn boot() -> u8 {
    Route::BOOT
}

impl Route {
    /// `RTPROT_BOOT`.
    pub const BOOT: u8 = 3;
    /// What the kernel makes of metric 0 in IPv6 (`IP6_RT_PRIO_USER`).
    pub const IPV6_METRIC: u32 = 1024;

    /// A unicast route in the main table, `proto boot`; its scope is that of `ip route add`.
    pub fn new(to: IpNet, via: Option<IpAddr>, link: Option<LinkName>) -> Self {
        let ipv4 = matches!(to, IpNet::V4(_));
        Self {
            to: to.trunc(),
            via,
            link,
            src: None,
            metric: if ipv4 { 0 } else { Self::IPV6_METRIC },
            table: TABLE_MAIN,
            kind: RouteKind::Unicast,
            scope: if ipv4 && via.is_none() { Scope::LINK } else { Scope::GLOBAL },
            onlink: false,
            protocol: Self::BOOT,
        }
    }

    /// The same with another kind and the scope that goes with it.
    #[must_use]
    pub fn of_kind(mut self, kind: RouteKind) -> Self {
        self.kind = kind;
        match kind {
            RouteKind::Unicast => {}
            RouteKind::Local if self.to.addr().is_ipv4() => self.scope = Scope::HOST,
            _ => self.scope = Scope::GLOBAL,
        }
        self
    }

    /// What the kernel tells routes apart by when one is added (`NLM_F_EXCL`).
    pub fn key(&self) -> (u32, IpNet, u32) {
        (self.table, self.to, self.metric)
    }
}

/// What a route does with a packet (`rtnetlink(7)`, `rtm_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteKind {
    /// Sends it on.
    #[default]
    Unicast,
    /// Delivers it here.
    Local,
    /// Drops it silently.
    Blackhole,
    /// Drops it with ICMP unreachable.
    Unreachable,
    /// Drops it with ICMP prohibited.
    Prohibit,
    /// Goes on with the next rule.
    Throw,
}

impl RouteKind {
    /// The word of `ip route`.
    pub fn as_str(self) -> &'static str {
        match self {
            RouteKind::Unicast => "unicast",
            RouteKind::Local => "local",
            RouteKind::Blackhole => "blackhole",
            RouteKind::Unreachable => "unreachable",
            RouteKind::Prohibit => "prohibit",
            RouteKind::Throw => "throw",
        }
    }
}

//! Routing policy rules (`ip rule`).

use super::LinkName;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A rule of the routing policy database. The kernel's own three (0, 32766, 32767) are not part of a state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rule {
    /// Whether it is in the IPv6 database.
    pub ipv6: bool,
    /// Lower is asked first.
    pub priority: u32,
    /// The source that it applies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpNet>,
    /// The destination that it applies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<IpNet>,
    /// The link that the packet came in by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iif: Option<LinkName>,
    /// The link that the socket is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oif: Option<LinkName>,
    /// The firewall mark and its mask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fwmark: Option<(u32, u32)>,
    /// What is done.
    pub action: RuleAction,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleAction {
    /// Looks the route up in a table.
    Lookup(u32),
    /// Drops the packet.
    Blackhole,
    /// Answers unreachable.
    Unreachable,
    /// Answers prohibited.
    Prohibit,
}

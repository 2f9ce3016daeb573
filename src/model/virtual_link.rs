//! Links that are made of options: bridges, bonds, tunnels and their like.
//!
//! Options go by the words of ip-link(8) and hold the kernel's own values in the kernel's own units, so that what is asked for
//! compares with what is seen. A kind's attributes and their numbers are `kernel`'s business.

use super::{LinkName, MacAddr, Place};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A link that this program can make from options alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Virtual {
    /// What it is.
    pub kind: VirtualKind,
    /// The link that it stands on (`ip link add link PARENT …`), where its kind has one; it may be in another namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Place>,
    /// Its options. In a desired state those that are not named are left as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, LinkValue>,
}

/// The kinds of [`Virtual`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "ip-link(8) has a chapter on each")]
pub enum VirtualKind {
    Bridge,
    Bond,
    Dummy,
    Macvlan,
    Macvtap,
    Ipvlan,
    Vrf,
    Vxlan,
    Gre,
    Gretap,
    Ip6gre,
    Ip6gretap,
    Ipip,
    Sit,
    Ip6tnl,
    Wireguard,
    Tun,
    Tap,
}

impl VirtualKind {
    /// Every kind.
    pub const ALL: [VirtualKind; 18] = [
        Self::Bridge,
        Self::Bond,
        Self::Dummy,
        Self::Macvlan,
        Self::Macvtap,
        Self::Ipvlan,
        Self::Vrf,
        Self::Vxlan,
        Self::Gre,
        Self::Gretap,
        Self::Ip6gre,
        Self::Ip6gretap,
        Self::Ipip,
        Self::Sit,
        Self::Ip6tnl,
        Self::Wireguard,
        Self::Tun,
        Self::Tap,
    ];

    /// The word of `ip link add … type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Bond => "bond",
            Self::Dummy => "dummy",
            Self::Macvlan => "macvlan",
            Self::Macvtap => "macvtap",
            Self::Ipvlan => "ipvlan",
            Self::Vrf => "vrf",
            Self::Vxlan => "vxlan",
            Self::Gre => "gre",
            Self::Gretap => "gretap",
            Self::Ip6gre => "ip6gre",
            Self::Ip6gretap => "ip6gretap",
            Self::Ipip => "ipip",
            Self::Sit => "sit",
            Self::Ip6tnl => "ip6tnl",
            Self::Wireguard => "wireguard",
            Self::Tun => "tun",
            Self::Tap => "tap",
        }
    }
}

/// The value of a link's option.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LinkValue {
    /// A number, a flag (0 or 1) or a choice, as the kernel counts it.
    Number(u64),
    /// An address.
    Ip(IpAddr),
    /// A hardware address.
    Mac(MacAddr),
    /// A link of the same namespace.
    Link(LinkName),
    /// Several.
    List(Vec<LinkValue>),
}

impl Virtual {
    /// One without options.
    pub fn plain(kind: VirtualKind) -> Self {
        Self { kind, parent: None, options: BTreeMap::new() }
    }

    /// Whether an existing link is of the same kind on the same parent; options can be changed.
    pub fn is_the_same_link(&self, desired: &Virtual) -> bool {
        self.kind == desired.kind
            && (self.parent.is_none() || desired.parent.is_none() || self.parent == desired.parent)
    }

    /// Whether all options that `desired` names are so.
    pub fn satisfies(&self, desired: &Virtual) -> bool {
        self.is_the_same_link(desired) && desired.options.iter().all(|(k, v)| self.options.get(k) == Some(v))
    }
}

//! Links.

use super::{LinkName, LinkOptions, MacAddr, Netns, Place, Virtual, VirtualKind, Wireguard};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A link. In a desired state a property that is `None` is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Link {
    /// What it is. Desired: `None` takes a link that exists, `Some` makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The administrative state, `IFF_UP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up: Option<bool>,
    /// The MTU in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// The hardware address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// `IFLA_IFALIAS`, the free text that `description` sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The bridge, bond or VRF that it is a port of, in the same namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<LinkName>,
    /// What it is as a port of its master (`ip link set … type bridge_slave`, `bond_slave`), by the words of ip-link(8).
    #[serde(default, skip_serializing_if = "LinkOptions::is_empty")]
    pub port: LinkOptions,
    /// The VLANs that a port of a VLAN-aware bridge, or such a bridge itself, is a member of (`bridge vlan`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlans: Option<BTreeSet<BridgeVlan>>,
    /// How IPv6 link-local addresses are made (`ip link set … addrgenmode`, `enum in6_addr_gen_mode`): 0 from the hardware
    /// address, 1 not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addrgenmode: Option<u8>,
    /// WireGuard's keys and peers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wireguard: Option<Box<Wireguard>>,
    /// Alternative names (`ip link property`), each up to 127 bytes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub altnames: BTreeSet<String>,
}

/// A VLAN that a port is a member of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BridgeVlan {
    /// 1 to 4094.
    pub id: u16,
    /// Whether frames without a tag come in as this one.
    pub pvid: bool,
    /// Whether its frames leave without a tag.
    pub untagged: bool,
}

/// What a link is. The kinds beside [`Kind::Loopback`], [`Kind::Physical`] and [`Kind::Other`] can be made.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `lo`.
    Loopback,
    /// A NIC: the kernel names no kind for it, and gives it to the initial namespace when its own goes.
    Physical,
    /// One end of a pair.
    Veth {
        /// The other end; `None` when it is in a namespace that was not looked at.
        peer: Option<Place>,
    },
    /// An 802.1Q or 802.1ad link on another one.
    Vlan {
        /// The link that carries it; `None` when it is in a namespace that was not looked at.
        parent: Option<Place>,
        /// 0 to 4094.
        id: u16,
        /// The ethertype.
        protocol: VlanProtocol,
    },
    /// One that is made of options.
    Virtual(Virtual),
    /// A kind that this program does not make, by the kernel's name.
    Other(String),
}

/// The ethertype of a VLAN's tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum VlanProtocol {
    /// 802.1Q, customer tags.
    #[serde(rename = "802.1Q")]
    Ieee8021Q,
    /// 802.1ad, service tags.
    #[serde(rename = "802.1ad")]
    Ieee8021Ad,
}

impl Kind {
    /// The kernel's name for it (`IFLA_INFO_KIND`); empty for a NIC.
    pub fn name(&self) -> &str {
        match self {
            Kind::Loopback | Kind::Physical => "",
            Kind::Veth { .. } => "veth",
            Kind::Vlan { .. } => "vlan",
            Kind::Virtual(v) => v.kind.as_str(),
            Kind::Other(name) => name,
        }
    }

    /// Whether a link of this kind comes from a driver rather than from a request, and so must never be deleted.
    pub fn is_physical(&self) -> bool {
        matches!(self, Kind::Physical | Kind::Loopback)
    }

    /// Whether an existing link of kind `self` is what `desired` asks for; an unknown place matches any.
    pub fn satisfies(&self, desired: &Kind) -> bool {
        let same = |a: &Option<Place>, b: &Option<Place>| a.is_none() || b.is_none() || a == b;
        match (self, desired) {
            (Kind::Veth { peer: a }, Kind::Veth { peer: b }) => same(a, b),
            (Kind::Vlan { parent: a, id: i, protocol: p }, Kind::Vlan { parent: b, id: j, protocol: q }) => {
                same(a, b) && i == j && p == q
            }
            (Kind::Virtual(a), Kind::Virtual(b)) => a.satisfies(b),
            (a, b) => a == b,
        }
    }

    /// Whether an existing link of kind `self` can be made into what `desired` asks for without making it anew.
    pub fn can_become(&self, desired: &Kind) -> bool {
        match (self, desired) {
            (Kind::Virtual(a), Kind::Virtual(b)) => a.can_become(b),
            (a, b) => a.satisfies(b),
        }
    }

    /// A kind that needs neither a parent nor options.
    pub fn plain(kind: VirtualKind) -> Self {
        Kind::Virtual(Virtual::plain(kind))
    }

    /// The place that the link stands on or is tied to: a VLAN's parent, a pair's other end.
    pub fn tied_to(&self) -> Option<&Place> {
        match self {
            Kind::Veth { peer } => peer.as_ref(),
            Kind::Vlan { parent, .. } => parent.as_ref(),
            Kind::Virtual(v) => v.parent.as_ref(),
            _ => None,
        }
    }

    /// The namespace that a link of this kind is made in, when it shall live in `home`: that of what it stands on or is tied to.
    pub fn made_in<'a>(&'a self, home: &'a Netns) -> &'a Netns {
        match self {
            Kind::Virtual(v) => v.made_in(home),
            kind => kind.tied_to().map_or(home, |place| &place.netns),
        }
    }

    /// What it is when it is made of options.
    pub fn as_virtual(&self) -> Option<&Virtual> {
        match self {
            Kind::Virtual(v) => Some(v),
            _ => None,
        }
    }

    /// Whether it is made of options and of this kind.
    pub fn is(&self, kind: VirtualKind) -> bool {
        self.as_virtual().is_some_and(|v| v.kind == kind)
    }
}

impl Link {
    /// Whether every property that `desired` names is so.
    pub fn satisfies(&self, desired: &Link) -> bool {
        fn ok<T: PartialEq>(current: &Option<T>, desired: &Option<T>) -> bool {
            desired.is_none() || current == desired
        }
        let kind = match (&self.kind, &desired.kind) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(current), Some(desired)) => current.satisfies(desired),
        };
        kind && ok(&self.up, &desired.up)
            && ok(&self.mtu, &desired.mtu)
            && ok(&self.mac, &desired.mac)
            && ok(&self.alias, &desired.alias)
            && ok(&self.master, &desired.master)
            && desired.port.iter().all(|(k, v)| self.port.get(k) == Some(v))
            && ok(&self.vlans, &desired.vlans)
            && ok(&self.addrgenmode, &desired.addrgenmode)
            && desired.wireguard.as_ref().is_none_or(|w| self.wireguard.as_ref().is_some_and(|have| have.satisfies(w)))
            && desired.altnames.is_subset(&self.altnames)
    }
}

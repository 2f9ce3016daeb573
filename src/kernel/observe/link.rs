//! Reading links: `struct ifinfomsg` and `IFLA_*` (`linux/if_link.h`).
//!
//! In two steps, because a link may stand on one in another namespace: first what its message says, with the index and
//! the namespace's number of what it stands on; then, when all namespaces are read, [`Seen::kind`] with the place.

use super::super::attribute::{
    AF_INET6, IFLA_ADDRESS, IFLA_AF_SPEC, IFLA_ALT_IFNAME, IFLA_BRIDGE_VLAN_INFO, IFLA_BRPORT_STATE, IFLA_IFALIAS,
    IFLA_IFNAME, IFLA_INET6_ADDR_GEN_MODE, IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_INFO_SLAVE_DATA, IFLA_INFO_SLAVE_KIND,
    IFLA_LINK, IFLA_LINK_NETNSID, IFLA_LINKINFO, IFLA_MASTER, IFLA_MTU, IFLA_PROP_LIST, IFLA_TUN_TYPE, IFLA_VLAN_ID,
    IFLA_VLAN_PROTOCOL,
};
use super::super::request::bridge::{PVID, RANGE_BEGIN, RANGE_END, UNTAGGED};
use super::super::{options, view};
use crate::model::{
    BridgeVlan, Kind, Link, LinkName, LinkOptions, MacAddr, Place, PortOf, Virtual, VirtualKind, VlanProtocol,
};
use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash, Hasher};

/// `linux/if_ether.h`.
const ETH_P_8021AD: u16 = 0x88a8;
/// `linux/if.h`.
const IFF_UP: u32 = 1;
const IFF_LOOPBACK: u32 = 8;
const IFF_LOWER_UP: u32 = 1 << 16;
/// The size of `struct ifinfomsg`.
pub(in crate::kernel) const HEADER: usize = 16;

/// A link as its message describes it, in the namespace's own numbers.
#[derive(Debug)]
pub(in crate::kernel) struct Seen {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: LinkName,
    /// What the model says of it, but for the kind and the master.
    pub link: Link,
    /// `IFF_LOWER_UP`.
    pub carrier: bool,
    master: Option<u32>,
    stands_on: Option<u32>,
    /// The number of the namespace that [`Self::stands_on`] is in; none for the same one.
    nsid: Option<i32>,
    loopback: bool,
    info: Info,
}

/// `IFLA_LINKINFO`.
#[derive(Debug, Default)]
struct Info {
    kind: Option<String>,
    /// Of the kinds whose options have words.
    data: Vec<u8>,
    /// Options as a port.
    port: LinkOptions,
    /// `BR_STATE_*` (`linux/if_bridge.h`) of a bridge's port.
    port_state: Option<u8>,
}

/// Reads one link; none when its name is none that the model can bear.
pub(in crate::kernel) fn read(payload: &[u8]) -> Option<Seen> {
    let flags = view::u32_at(payload, 8);
    let (mut name, mut link) = (None, Link { up: Some(flags & IFF_UP != 0), ..Link::default() });
    let (mut master, mut stands_on, mut nsid) = (None, None, None);
    let mut about = Info::default();
    for (attribute, value) in view::attributes_after(payload, HEADER) {
        match attribute {
            IFLA_IFNAME => name = view::text(value).and_then(|text| text.parse().ok()),
            IFLA_MTU => link.mtu = Some(view::u32(value)),
            IFLA_ADDRESS => link.mac = MacAddr::from_bytes(value),
            IFLA_IFALIAS => link.alias = view::text(value).map(str::to_owned),
            IFLA_MASTER => master = Some(view::u32(value)).filter(|index| *index > 0),
            IFLA_LINK => stands_on = Some(view::u32(value)).filter(|index| *index > 0),
            IFLA_LINK_NETNSID => nsid = Some(view::i32(value)),
            IFLA_PROP_LIST => link.altnames = altnames(value),
            IFLA_LINKINFO => about = info(value),
            IFLA_AF_SPEC => link.addrgenmode = addrgenmode(value),
            _ => {}
        }
    }
    let (index, loopback) = (view::u32_at(payload, 4), flags & IFF_LOOPBACK != 0);
    let carrier = flags & IFF_LOWER_UP != 0;
    link.port = std::mem::take(&mut about.port);
    Some(Seen { index, name: name?, link, carrier, master, stands_on, nsid, loopback, info: about })
}

fn altnames(list: &[u8]) -> BTreeSet<String> {
    let names = view::attributes(list).filter(|(kind, _)| *kind == IFLA_ALT_IFNAME);
    names.filter_map(|(_, value)| view::text(value).map(str::to_owned)).collect()
}

fn info(value: &[u8]) -> Info {
    let (mut info, mut port) = (Info::default(), None);
    for (attribute, value) in view::attributes(value) {
        match attribute {
            IFLA_INFO_KIND => info.kind = view::text(value).map(str::to_owned),
            // It comes after the kind. Of a pair there is nothing to know.
            IFLA_INFO_DATA if info.kind.as_deref() != Some("veth") => info.data = value.to_vec(),
            IFLA_INFO_SLAVE_KIND => port = view::text(value),
            IFLA_INFO_SLAVE_DATA if port == Some("bridge") => {
                info.port = options::decode_port(PortOf::Bridge, value);
                let state = view::attributes(value).find(|(kind, _)| *kind == IFLA_BRPORT_STATE);
                info.port_state = state.map(|(_, value)| view::u8_at(value, 0));
            }
            IFLA_INFO_SLAVE_DATA if port == Some("bond") => info.port = options::decode_port(PortOf::Bond, value),
            _ => {}
        }
    }
    info
}

fn addrgenmode(families: &[u8]) -> Option<u8> {
    let (_, inet6) = view::attributes(families).find(|(family, _)| *family == AF_INET6)?;
    let (_, mode) = view::attributes(inet6).find(|(kind, _)| *kind == IFLA_INET6_ADDR_GEN_MODE)?;
    mode.first().copied()
}

/// Reads what VLANs a port or a bridge is a member of (a message of the family `AF_BRIDGE`): its index and they.
pub(in crate::kernel) fn read_vlans(payload: &[u8]) -> Option<(u32, BTreeSet<BridgeVlan>)> {
    let (_, spec) = view::attributes_after(payload, HEADER).find(|(kind, _)| *kind == IFLA_AF_SPEC)?;
    let (mut vlans, mut first) = (BTreeSet::new(), None);
    for (_, value) in view::attributes(spec).filter(|(kind, _)| *kind == IFLA_BRIDGE_VLAN_INFO) {
        let (flags, last) = (view::u16(value), view::u16(value.get(2..)?));
        if flags & RANGE_BEGIN != 0 {
            first = Some(last);
            continue;
        }
        let from = first.take().filter(|_| flags & RANGE_END != 0).unwrap_or(last);
        let vlan = |id| BridgeVlan { id, pvid: flags & PVID != 0, untagged: flags & UNTAGGED != 0 };
        vlans.extend((from..=last.min(4095)).map(vlan));
    }
    Some((view::u32_at(payload, 4), vlans))
}

impl Seen {
    /// Whether what it stands on is in another namespace.
    pub fn reaches_out(&self) -> bool {
        self.nsid.is_some()
    }

    /// The name of its master, of those in its namespace.
    pub fn master(&self, names: &HashMap<u32, LinkName>) -> Option<LinkName> {
        names.get(&self.master?).copied()
    }

    /// Whether it is a bridge.
    pub fn is_bridge(&self) -> bool {
        self.info.kind.as_deref() == Some("bridge")
    }

    /// Whether other links may be its ports.
    pub fn has_ports(&self) -> bool {
        matches!(self.info.kind.as_deref(), Some("bridge" | "bond" | "vrf" | "team"))
    }

    /// Whether it has no master, and its kind speaks of one other link at most, in the general attribute.
    pub fn is_plain(&self) -> bool {
        self.master.is_none() && matches!(self.info.kind.as_deref(), None | Some("veth" | "vlan" | "dummy"))
    }

    /// The indexes of those that it stands on and belongs to, of its own namespace.
    pub fn refers_to(&self) -> impl Iterator<Item = u32> + use<> {
        self.stands_on.filter(|_| self.nsid.is_none()).into_iter().chain(self.master)
    }

    /// Whether it is a bridge, or a port of one.
    pub fn may_have_vlans(&self) -> bool {
        self.is_bridge() || self.info.port_state.is_some()
    }

    /// Hashes what the model says of it, and what does not pass by itself.
    pub fn hash_what_lasts(&self, hasher: &mut impl Hasher) {
        (self.index, self.name, &self.link, self.carrier, self.master).hash(hasher);
        self.kind(|_, _| None).hash(hasher);
    }

    /// Whether it is a link of WireGuard's.
    pub fn is_wireguard(&self) -> bool {
        self.info.kind.as_deref() == Some("wireguard")
    }

    /// `BR_STATE_*`, when it is a port of the bridge with that index.
    pub fn bridge_port_state(&self, bridge: u32) -> Option<u8> {
        self.info.port_state.filter(|_| self.master == Some(bridge))
    }

    /// What it is, with `place` to say where a link is, by the number of its namespace (none for the same) and index.
    pub fn kind(&self, place: impl Fn(Option<i32>, u32) -> Option<Place>) -> Kind {
        let tied_to = || self.stands_on.and_then(|index| place(self.nsid, index));
        match self.info.kind.as_deref() {
            None if self.loopback => Kind::Loopback,
            None => Kind::Physical,
            Some("veth") => Kind::Veth { peer: tied_to() },
            Some("vlan") => {
                let value = |wanted| view::attributes(&self.info.data).find(|(kind, _)| *kind == wanted);
                let protocol = value(IFLA_VLAN_PROTOCOL).map(|(_, value)| view::u16_be(value));
                Kind::Vlan {
                    parent: tied_to(),
                    id: value(IFLA_VLAN_ID).map_or(0, |(_, value)| view::u16(value)),
                    protocol: match protocol {
                        Some(ETH_P_8021AD) => VlanProtocol::Ieee8021Ad,
                        _ => VlanProtocol::Ieee8021Q,
                    },
                }
            }
            Some(other) => match self.virtual_kind(other) {
                Some(kind) => {
                    let name = |index| place(None, index).map(|place| place.link);
                    let options = options::decode(kind, &self.info.data, name);
                    let parent = self.parent(kind).and_then(|index| place(self.nsid, index));
                    Kind::Virtual(Virtual::new(kind, parent, options))
                }
                None => Kind::Other(other.to_owned()),
            },
        }
    }

    /// The index of its parent. Of kinds that name it among their options the general attribute says something else.
    fn parent(&self, kind: VirtualKind) -> Option<u32> {
        match options::parent_attribute(kind) {
            Some(attribute) => {
                let (_, value) = view::attributes(&self.info.data).find(|(kind, _)| *kind == attribute)?;
                Some(view::u32(value)).filter(|index| *index > 0)
            }
            None => self.stands_on.filter(|_| kind.needs_parent()),
        }
    }

    fn virtual_kind(&self, name: &str) -> Option<VirtualKind> {
        /// `IFF_TAP` (`linux/if_tun.h`).
        const IFF_TAP: u8 = 2;
        let mode = view::attributes(&self.info.data).find(|(kind, _)| *kind == IFLA_TUN_TYPE);
        match name {
            "tun" if mode.is_some_and(|(_, value)| value.first() == Some(&IFF_TAP)) => Some(VirtualKind::Tap),
            // Anything else that the kernel calls by this name is none of these.
            "tap" => None,
            name => VirtualKind::ALL.into_iter().find(|kind| kind.as_str() == name),
        }
    }
}

/// The number in the answer to [`get_nsid`](super::super::request::link::get_nsid); none when there is none yet.
pub(in crate::kernel) fn read_nsid(payload: &[u8]) -> Option<i32> {
    /// `NETNSA_NSID` (`linux/net_namespace.h`).
    const NETNSA_NSID: u16 = 1;
    let (_, value) = view::attributes_after(payload, 4).find(|(kind, _)| *kind == NETNSA_NSID)?;
    Some(view::i32(value)).filter(|number| *number >= 0)
}

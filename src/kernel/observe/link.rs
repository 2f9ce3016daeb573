//! Reading links: `struct ifinfomsg` and `IFLA_*` (`linux/if_link.h`).
//!
//! In two steps, because a link may stand on one in another namespace: first what its message says, with the index and
//! the namespace's number of what it stands on; then, when all namespaces are read, [`Seen::kind`] with the place.

use super::super::view;
use crate::model::{Kind, Link, LinkName, MacAddr, Place, VirtualKind, VlanProtocol};
use std::collections::{BTreeSet, HashMap};

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_PROP_LIST: u16 = 52;
const IFLA_ALT_IFNAME: u16 = 53;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
/// `linux/if_vlan.h`, `linux/if_link.h`.
const IFLA_VLAN_ID: u16 = 1;
const IFLA_VLAN_PROTOCOL: u16 = 5;
/// `linux/if_ether.h`.
const ETH_P_8021AD: u16 = 0x88a8;
/// `linux/if.h`.
const IFF_UP: u32 = 1;
const IFF_LOOPBACK: u32 = 8;
const IFF_LOWER_UP: u32 = 1 << 16;
/// The size of `struct ifinfomsg`.
const HEADER: usize = 16;

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
    /// `IFLA_INFO_KIND`.
    kind: Option<String>,
    vlan: (u16, u16),
}

/// Reads one link; none when its name is none that the model can bear.
pub(in crate::kernel) fn read(payload: &[u8]) -> Option<Seen> {
    let flags = view::u32_at(payload, 8);
    let (mut name, mut link) = (None, Link { up: Some(flags & IFF_UP != 0), ..Link::default() });
    let (mut master, mut stands_on, mut nsid) = (None, None, None);
    let (mut kind, mut vlan) = (None, (0, 0));
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
            IFLA_LINKINFO => (kind, vlan) = info(value),
            _ => {}
        }
    }
    let (index, loopback) = (view::u32_at(payload, 4), flags & IFF_LOOPBACK != 0);
    let carrier = flags & IFF_LOWER_UP != 0;
    Some(Seen { index, name: name?, link, carrier, master, stands_on, nsid, loopback, kind, vlan })
}

fn altnames(list: &[u8]) -> BTreeSet<String> {
    let names = view::attributes(list).filter(|(kind, _)| *kind == IFLA_ALT_IFNAME);
    names.filter_map(|(_, value)| view::text(value).map(str::to_owned)).collect()
}

/// `IFLA_INFO_KIND`, and a VLAN's id and protocol.
fn info(value: &[u8]) -> (Option<String>, (u16, u16)) {
    let (mut kind, mut vlan) = (None, (0, 0));
    for (attribute, value) in view::attributes(value) {
        match attribute {
            IFLA_INFO_KIND => kind = view::text(value).map(str::to_owned),
            // Other kinds have other data, whose reading here means nothing and is not used.
            IFLA_INFO_DATA => {
                for (attribute, value) in view::attributes(value) {
                    match attribute {
                        IFLA_VLAN_ID => vlan.0 = view::u16(value),
                        IFLA_VLAN_PROTOCOL => vlan.1 = view::u16_be(value),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    (kind, vlan)
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

    /// What it is, with `place` to say where a link is, by the number of its namespace (none for the same) and index.
    pub fn kind(&self, place: impl FnOnce(Option<i32>, u32) -> Option<Place>) -> Kind {
        let tied_to = || self.stands_on.and_then(|index| place(self.nsid, index));
        match self.kind.as_deref() {
            None if self.loopback => Kind::Loopback,
            None => Kind::Physical,
            Some("veth") => Kind::Veth { peer: tied_to() },
            Some("vlan") => Kind::Vlan {
                parent: tied_to(),
                id: self.vlan.0,
                protocol: match self.vlan.1 {
                    ETH_P_8021AD => VlanProtocol::Ieee8021Ad,
                    _ => VlanProtocol::Ieee8021Q,
                },
            },
            Some("bridge") => Kind::plain(VirtualKind::Bridge),
            Some("dummy") => Kind::plain(VirtualKind::Dummy),
            Some(other) => Kind::Other(other.to_owned()),
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

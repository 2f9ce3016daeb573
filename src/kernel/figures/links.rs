//! The figures of links: `struct ifinfomsg`, `IFLA_*` and `struct rtnl_link_stats64` (`linux/if_link.h`).

use super::super::error::Error;
use super::super::observe::address;
use super::super::request;
use super::super::session::{Request, Session};
use super::super::view;
use super::sysfs::Properties;
use crate::model::LinkName;
use netlink_packet_route::AddressFamily;
use std::collections::HashMap;
use std::net::IpAddr;

const RTM_GETLINK: u16 = 18;
const IFLA_ADDRESS: u16 = 1;
const IFLA_BROADCAST: u16 = 2;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_TXQLEN: u16 = 13;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKMODE: u16 = 17;
const IFLA_IFALIAS: u16 = 20;
const IFLA_STATS64: u16 = 23;
const IFLA_GROUP: u16 = 27;
const IFLA_CARRIER: u16 = 33;
const IFLA_CARRIER_CHANGES: u16 = 35;
const IFLA_CARRIER_UP_COUNT: u16 = 47;
const IFLA_CARRIER_DOWN_COUNT: u16 = 48;
/// The size of `struct ifinfomsg`.
const HEADER: usize = 16;
/// `IFF_UP`, `IFF_DORMANT` (`linux/if.h`).
const IFF_UP: u32 = 1;
const IFF_DORMANT: u32 = 1 << 17;
/// `IFF_RUNNING` and all above the sixteenth bit are worked out for the message; sysfs does not have them.
const LASTING_FLAGS: u32 = 0xffff & !0x40;
/// `IF_OPER_*` (RFC 2863, `linux/if.h`), in the words of sysfs.
const OPERSTATES: [&str; 7] = ["unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"];

/// One link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkFigures {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: LinkName,
    /// The hardware address as sysfs writes it.
    pub address: String,
    /// That of all stations.
    pub broadcast: String,
    /// `ARPHRD_*` (`linux/if_arp.h`).
    pub protocol: u16,
    /// `IFF_*`, as sysfs has them.
    pub flags: u32,
    /// RFC 2863's state, in the words of sysfs.
    pub operstate: &'static str,
    /// `IFF_UP`.
    pub is_up: bool,
    /// RFC 2863's dormant.
    pub is_dormant: bool,
    /// What people call it.
    pub alias: String,
    /// The index of what it stands on; its own where it stands on nothing.
    pub link: u32,
    /// 0 for the usual, 1 where it goes from up to dormant.
    pub link_mode: u8,
    /// In bytes.
    pub mtu: u32,
    /// In packets.
    pub queue: u32,
    /// The group of links that it is in.
    pub group: u32,
    /// Whether there is one; none while the link is down.
    pub carrier: Option<bool>,
    /// How often that changed; how often to up, and to down.
    pub carrier_changes: [u32; 3],
    /// What came in.
    pub received: Flow,
    /// What went out.
    pub sent: Flow,
    /// Of no direction.
    pub per_link: PerLink,
    /// What sysfs alone tells.
    pub properties: Properties,
}

/// What went one way, in the columns of `/proc/net/dev` (`net/core/net-procfs.c`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Wrong ones.
    pub errors: u64,
    /// Good ones for which there was no room.
    pub dropped: u64,
    /// Overruns.
    pub fifo: u64,
    /// Compressed ones.
    pub compressed: u64,
}

/// The columns of one direction alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PerLink {
    /// Wrong lengths, sums and alignments that came in.
    pub frame: u64,
    /// Multicast packets that came in.
    pub multicast: u64,
    /// Packets that came in and that nobody wanted.
    pub nohandler: u64,
    /// Losses of the carrier and the like while sending.
    pub carrier: u64,
    /// Collisions while sending.
    pub collisions: u64,
}

/// An address of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressFigure {
    /// The link.
    pub link: LinkName,
    /// The address.
    pub address: IpAddr,
    /// Its prefix length.
    pub prefix: u8,
}

/// The links of a session's namespace.
pub(super) fn read(session: &mut Session) -> Result<Vec<LinkFigures>, Error> {
    // Zeroes: of every family, with statistics.
    let request = Request::raw(RTM_GETLINK, vec![0; HEADER]);
    session.dump(&request, link)
}

/// The addresses of those links.
pub(super) fn addresses(session: &mut Session, links: &[LinkFigures]) -> Result<Vec<AddressFigure>, Error> {
    let names: HashMap<u32, LinkName> = links.iter().map(|link| (link.index, link.name)).collect();
    session.dump(&request::address::dump(AddressFamily::Unspec), |payload| {
        let seen = address::read(payload)?;
        Some(AddressFigure { link: *names.get(&seen.index)?, address: seen.address(), prefix: seen.prefix() })
    })
}

fn link(payload: &[u8]) -> Option<LinkFigures> {
    let (index, flags) = (view::u32_at(payload, 4), view::u32_at(payload, 8));
    let mut link = LinkFigures {
        index,
        name: LinkName::LO,
        address: String::new(),
        broadcast: String::new(),
        protocol: view::u16(payload.get(2..).unwrap_or_default()),
        flags: flags & LASTING_FLAGS,
        operstate: OPERSTATES[0],
        is_up: flags & IFF_UP != 0,
        is_dormant: flags & IFF_DORMANT != 0,
        alias: String::new(),
        link: index,
        link_mode: 0,
        mtu: 0,
        queue: 0,
        group: 0,
        carrier: None,
        carrier_changes: [0; 3],
        received: Flow::default(),
        sent: Flow::default(),
        per_link: PerLink::default(),
        properties: Properties::default(),
    };
    let mut name = None;
    for (attribute, value) in view::attributes_after(payload, HEADER) {
        match attribute {
            IFLA_IFNAME => name = view::text(value).and_then(|text| text.parse().ok()),
            IFLA_ADDRESS => link.address = hardware(value),
            IFLA_BROADCAST => link.broadcast = hardware(value),
            IFLA_IFALIAS => link.alias = view::text(value).unwrap_or_default().to_owned(),
            IFLA_OPERSTATE => {
                link.operstate = OPERSTATES.get(usize::from(view::u8_at(value, 0))).unwrap_or(&OPERSTATES[0]);
            }
            IFLA_MTU => link.mtu = view::u32(value),
            IFLA_LINK => link.link = view::u32(value),
            IFLA_LINKMODE => link.link_mode = view::u8_at(value, 0),
            IFLA_TXQLEN => link.queue = view::u32(value),
            IFLA_GROUP => link.group = view::u32(value),
            IFLA_CARRIER => link.carrier = Some(view::u8_at(value, 0) != 0).filter(|_| link.is_up),
            IFLA_CARRIER_CHANGES => link.carrier_changes[0] = view::u32(value),
            IFLA_CARRIER_UP_COUNT => link.carrier_changes[1] = view::u32(value),
            IFLA_CARRIER_DOWN_COUNT => link.carrier_changes[2] = view::u32(value),
            IFLA_STATS64 => count(&mut link, value),
            _ => {}
        }
    }
    link.name = name?;
    Some(link)
}

/// `struct rtnl_link_stats64`, added up as `dev_seq_printf_stats()` does.
fn count(link: &mut LinkFigures, value: &[u8]) {
    let at = |field: usize| view::u64_at(value, field * 8);
    let sum = |fields: &[usize]| fields.iter().fold(0, |sum: u64, field| sum.wrapping_add(at(*field)));
    let flow = |fields: [usize; 6]| {
        let [packets, bytes, errors, dropped, fifo, compressed] = fields.map(at);
        Flow { bytes, packets, errors, dropped, fifo, compressed }
    };
    link.received = flow([0, 2, 4, 6, 14, 21]);
    link.sent = flow([1, 3, 5, 7, 18, 22]);
    // Packets that the hardware missed count as dropped.
    link.received.dropped = sum(&[6, 15]);
    link.per_link = PerLink {
        frame: sum(&[10, 11, 12, 13]),
        multicast: at(8),
        nohandler: at(23),
        carrier: sum(&[16, 17, 19, 20]),
        collisions: at(9),
    };
}

fn hardware(bytes: &[u8]) -> String {
    let words: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    words.join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
        message.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(value);
        message.resize(message.len().next_multiple_of(4), 0);
    }

    #[test]
    fn a_message_is_read() {
        let mut message = vec![0; HEADER];
        message[2] = 1;
        message[4] = 7;
        message[8..12].copy_from_slice(&0x0001_1043u32.to_ne_bytes());
        attribute(&mut message, IFLA_IFNAME, b"eth0\0");
        attribute(&mut message, IFLA_ADDRESS, &[2, 0, 0, 0, 0, 0x1a]);
        attribute(&mut message, IFLA_OPERSTATE, &[6]);
        attribute(&mut message, IFLA_CARRIER, &[1]);
        let stats: Vec<u8> = (100..125u64).flat_map(u64::to_ne_bytes).collect();
        attribute(&mut message, IFLA_STATS64, &stats);
        let link = link(&message).unwrap();
        assert_eq!((link.index, link.link, link.flags, link.operstate), (7, 7, 0x1003, "up"));
        assert_eq!((link.address.as_str(), link.carrier, link.protocol), ("02:00:00:00:00:1a", Some(true), 1));
        let received = Flow { packets: 100, bytes: 102, errors: 104, dropped: 221, fifo: 114, compressed: 121 };
        assert_eq!(link.received, received);
        let sent = Flow { packets: 101, bytes: 103, errors: 105, dropped: 107, fifo: 118, compressed: 122 };
        assert_eq!(link.sent, sent);
        let others = PerLink { frame: 446, multicast: 108, nohandler: 123, carrier: 472, collisions: 109 };
        assert_eq!(link.per_link, others);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = link(&bytes);
        }
    }
}

//! Ethernet frames (IEEE 802.3), with at most one VLAN tag (IEEE 802.1Q), and ARP (RFC 826).

use super::{Malformed, Packet, bytes_at, u16_at};
use std::net::Ipv4Addr;

/// The type of IPv4 packets.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// The type of ARP messages.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// The type of IPv6 packets.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
/// The type of a tag, which another type follows.
const ETHERTYPE_VLAN: u16 = 0x8100;

/// Whether an Ethernet address means more than one station: multicast or broadcast.
#[inline]
pub const fn is_group(address: [u8; 6]) -> bool {
    address[0] & 1 != 0
}

/// A view of one Ethernet frame.
///
/// A second tag, and the provider's tags of IEEE 802.1ad, are not looked behind: the type says so, and whoever filters IP must drop what
/// it does not know.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    bytes: &'a [u8],
    destination: [u8; 6],
    source: [u8; 6],
    vlan: Option<u16>,
    ethertype: u16,
    header_len: u8,
}

impl<'a> Frame<'a> {
    /// Reads what a tap device gives.
    ///
    /// # Errors
    /// [`Malformed::Short`] when there is no whole header.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (destination, source) = (bytes_at(bytes, 0)?, bytes_at(bytes, 6)?);
        let ethertype = u16_at(bytes, 12)?;
        if ethertype != ETHERTYPE_VLAN {
            return Ok(Self { bytes, destination, source, vlan: None, ethertype, header_len: 14 });
        }
        let (vlan, ethertype) = (Some(u16_at(bytes, 14)? & 0x0fff), u16_at(bytes, 16)?);
        Ok(Self { bytes, destination, source, vlan, ethertype, header_len: 18 })
    }

    /// All of it.
    #[inline]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whom it is for.
    #[inline]
    pub const fn destination(&self) -> [u8; 6] {
        self.destination
    }

    /// Who says that it is theirs.
    #[inline]
    pub const fn source(&self) -> [u8; 6] {
        self.source
    }

    /// The VLAN's number in its tag, 0..=4095; 0 is a tag that only tells a priority.
    #[inline]
    pub const fn vlan(&self) -> Option<u16> {
        self.vlan
    }

    /// The type of what it carries, behind the tag. Below 1536 it is a length instead (IEEE 802.3).
    #[inline]
    pub const fn ethertype(&self) -> u16 {
        self.ethertype
    }

    /// The bytes before what it carries: 14, or 18 with a tag.
    #[inline]
    pub fn header_len(&self) -> usize {
        usize::from(self.header_len)
    }

    /// What it carries, padding included.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(self.header_len()..).unwrap_or_default()
    }

    /// The IP packet in it; none when it carries something else.
    ///
    /// # Errors
    /// When it says that it carries one and that is malformed, or is of the other family.
    #[inline]
    pub fn packet(&self) -> Result<Option<Packet<'a>>, Malformed> {
        let version = match self.ethertype {
            ETHERTYPE_IPV4 => 4,
            ETHERTYPE_IPV6 => 6,
            _ => return Ok(None),
        };
        match self.payload().first().map(|first| first >> 4) {
            Some(4 | 6) if self.payload().first().map(|first| first >> 4) != Some(version) => Err(Malformed::Ethertype),
            _ => Packet::parse_padded(self.payload()).map(Some),
        }
    }

    /// The ARP message in it; none when it carries something else, or an ARP of other kinds than IPv4 over Ethernet.
    ///
    /// # Errors
    /// [`Malformed::Short`] when it is cut off.
    #[inline]
    pub fn arp(&self) -> Result<Option<Arp>, Malformed> {
        if self.ethertype != ETHERTYPE_ARP { Ok(None) } else { Arp::parse(self.payload()) }
    }
}

/// Who asks for, or tells, whose Ethernet address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Arp {
    /// 1 asks, 2 answers.
    pub operation: u16,
    /// The Ethernet address that the sender claims.
    pub sender_mac: [u8; 6],
    /// The IP address that the sender claims; 0.0.0.0 in a probe (RFC 5227).
    pub sender: Ipv4Addr,
    /// The Ethernet address that is told; meaningless in a question.
    pub target_mac: [u8; 6],
    /// The IP address that is asked for.
    pub target: Ipv4Addr,
}

impl Arp {
    #[inline]
    fn parse(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        // Ethernet, IPv4, and how long their addresses are.
        if bytes_at(bytes, 0)? != [0, 1, 8, 0, 6, 4] {
            return Ok(None);
        }
        Ok(Some(Self {
            operation: u16_at(bytes, 6)?,
            sender_mac: bytes_at(bytes, 8)?,
            sender: bytes_at::<4>(bytes, 14)?.into(),
            target_mac: bytes_at(bytes, 18)?,
            target: bytes_at::<4>(bytes, 24)?.into(),
        }))
    }
}

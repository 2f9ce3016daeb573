//! IP packets (RFC 791, RFC 8200), with as much of their transport as a firewall looks at.

use super::{Malformed, bytes_at, extension, u16_at};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Numbers of protocols (IANA, "Assigned Internet Protocol Numbers").
pub mod protocol {
    #![allow(missing_docs)]
    pub const ICMP: u8 = 1;
    pub const IGMP: u8 = 2;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const DCCP: u8 = 33;
    pub const ICMPV6: u8 = 58;
    pub const SCTP: u8 = 132;
    pub const UDPLITE: u8 = 136;

    /// Whether it begins with a source and a destination port of 16 bits each.
    #[inline]
    pub const fn has_ports(number: u8) -> bool {
        matches!(number, TCP | UDP | DCCP | SCTP | UDPLITE)
    }

    /// The bytes that its header has at least; 0 where that is not looked at.
    #[inline]
    pub(in crate::router) const fn header_len(number: u8) -> usize {
        match number {
            TCP => 20,
            UDP | UDPLITE | ICMP | IGMP => 8,
            DCCP | SCTP => 12,
            ICMPV6 => 4,
            _ => 0,
        }
    }
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Which part of a packet this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fragment {
    /// The whole of it.
    Whole,
    /// The first fragment: it has the transport header.
    First,
    /// A later one: its ports are unknown.
    Later,
}

/// A view of one IP packet, headers checked.
///
/// Not checked: checksums (a packet on its way between two virtual devices need not have one yet), and whether the addresses make sense.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    source: u128,
    destination: u128,
    family: Family,
    fragment: Fragment,
    protocol: u8,
    ttl: u8,
    /// Where the transport begins. Extension headers are bounded, so it fits.
    transport: u16,
    /// The transport's first two numbers: ports, or ICMP's type and code in the first.
    words: [u16; 2],
}

impl<'a> Packet<'a> {
    /// Reads what a tun device gives: exactly one packet.
    ///
    /// # Errors
    /// When the bytes are no such packet; nothing of it may be sent on then.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let packet = Self::parse_padded(bytes)?;
        if packet.bytes.len() == bytes.len() { Ok(packet) } else { Err(Malformed::TotalLength) }
    }

    /// Reads a packet that more bytes may follow: short Ethernet frames are padded. The view ends where the packet does.
    ///
    /// # Errors
    /// As [`Self::parse`], except for what follows.
    #[inline]
    pub fn parse_padded(bytes: &'a [u8]) -> Result<Self, Malformed> {
        match bytes.first().map(|first| first >> 4) {
            Some(4) => Self::parse_v4(bytes),
            Some(6) => Self::parse_v6(bytes),
            Some(_) => Err(Malformed::Version),
            None => Err(Malformed::Short),
        }
    }

    #[inline]
    fn parse_v4(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let header: &[u8; 20] = bytes.first_chunk().ok_or(Malformed::Short)?;
        let [first, _, len_high, len_low, _, _, offset_high, offset_low, ttl, protocol, _, _, addresses @ ..] = *header;
        let header_len = usize::from(first & 0x0f) * 4;
        let len = usize::from(u16::from_be_bytes([len_high, len_low]));
        let bytes = bytes.get(..len).ok_or(Malformed::TotalLength)?;
        if header_len < 20 || header_len > len {
            return Err(Malformed::HeaderLength);
        }
        if header_len > 20 {
            refuse_source_route(bytes.get(20..header_len).unwrap_or_default())?;
        }
        let offset = u16::from_be_bytes([offset_high, offset_low]);
        let (more, offset) = (offset & 0x2000 != 0, offset & 0x1fff);
        let [s0, s1, s2, s3, d0, d1, d2, d3] = addresses;
        Self {
            bytes,
            source: u128::from(u32::from_be_bytes([s0, s1, s2, s3])),
            destination: u128::from(u32::from_be_bytes([d0, d1, d2, d3])),
            family: Family::V4,
            fragment: Fragment::new(offset, more),
            protocol,
            ttl,
            transport: header_len as u16,
            words: [0; 2],
        }
        .with_transport()
    }

    #[inline]
    fn parse_v6(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let header: &[u8; 40] = bytes.first_chunk().ok_or(Malformed::Short)?;
        let payload = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let (next, ttl) = (header[6], header[7]);
        if payload == 0 && next == extension::HOP_BY_HOP && bytes.len() > 40 {
            return Err(Malformed::Jumbogram);
        }
        let bytes = bytes.get(..40 + payload).ok_or(Malformed::TotalLength)?;
        let end = extension::walk(bytes, next)?;
        Self {
            bytes,
            source: u128::from_be_bytes(bytes_at(header, 8)?),
            destination: u128::from_be_bytes(bytes_at(header, 24)?),
            family: Family::V6,
            fragment: end.fragment,
            protocol: end.protocol,
            ttl,
            transport: end.at,
            words: [0; 2],
        }
        .with_transport()
    }

    /// Reads ports, or type and code, where this part of the packet has them.
    #[inline]
    fn with_transport(mut self) -> Result<Self, Malformed> {
        if self.fragment == Fragment::Later {
            return Ok(self);
        }
        let payload = self.payload();
        let truncated = |_| Malformed::Transport;
        if protocol::has_ports(self.protocol) {
            // A first fragment must hold enough to be judged by (RFC 1858); the whole must hold a whole header.
            let needed = if self.fragment == Fragment::Whole { protocol::header_len(self.protocol) } else { 8 };
            if payload.len() < needed {
                return Err(Malformed::Transport);
            }
            self.words = [u16_at(payload, 0).map_err(truncated)?, u16_at(payload, 2).map_err(truncated)?];
            if self.protocol == protocol::TCP && self.fragment == Fragment::Whole {
                let len = self.tcp_header_len();
                if len < 20 || len > payload.len() {
                    return Err(Malformed::Transport);
                }
            }
        } else if self.is_icmp() {
            self.words[0] = u16_at(payload, 0).map_err(truncated)?;
        }
        Ok(self)
    }

    /// The packet's own bytes, without what may follow.
    #[inline]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The family.
    #[inline]
    pub const fn family(&self) -> Family {
        self.family
    }

    /// Where it says it comes from.
    #[inline]
    pub fn source(&self) -> IpAddr {
        address(self.family, self.source)
    }

    /// Where it wants to.
    #[inline]
    pub fn destination(&self) -> IpAddr {
        address(self.family, self.destination)
    }

    /// The source as a number: 32 bits of it in use for IPv4.
    #[inline]
    pub const fn source_bits(&self) -> u128 {
        self.source
    }

    /// The destination as a number: 32 bits of it in use for IPv4.
    #[inline]
    pub const fn destination_bits(&self) -> u128 {
        self.destination
    }

    /// The protocol, behind IPv6's extension headers. Of an IPv6 packet's later fragments it is what the fragment header says,
    /// which can be an extension header's number.
    #[inline]
    pub const fn protocol(&self) -> u8 {
        self.protocol
    }

    /// Which part of a packet this is.
    #[inline]
    pub const fn fragment(&self) -> Fragment {
        self.fragment
    }

    /// Source and destination port, where the protocol has them and this is not a later fragment.
    #[inline]
    pub const fn ports(&self) -> Option<(u16, u16)> {
        if protocol::has_ports(self.protocol) && !matches!(self.fragment, Fragment::Later) {
            Some((self.words[0], self.words[1]))
        } else {
            None
        }
    }

    /// Type and code of ICMP or ICMPv6, where this is not a later fragment.
    #[inline]
    pub const fn icmp(&self) -> Option<(u8, u8)> {
        if self.is_icmp() && !matches!(self.fragment, Fragment::Later) {
            let [kind, code] = self.words[0].to_be_bytes();
            Some((kind, code))
        } else {
            None
        }
    }

    /// How many more routers it may pass.
    #[inline]
    pub const fn ttl(&self) -> u8 {
        self.ttl
    }

    /// Where the transport header begins, in bytes from the packet's beginning.
    #[inline]
    pub fn transport_offset(&self) -> usize {
        usize::from(self.transport)
    }

    /// What follows the IP headers.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(self.transport_offset()..).unwrap_or_default()
    }

    /// Whether routers may not fragment it: IPv4's DF bit; always so for IPv6.
    #[inline]
    pub fn dont_fragment(&self) -> bool {
        self.family == Family::V6 || self.bytes.get(6).is_some_and(|byte| byte & 0x40 != 0)
    }

    /// The two numbers as rules compare them: zero where there are no ports.
    #[inline]
    pub(in crate::router) const fn words(&self) -> [u16; 2] {
        self.words
    }

    /// What the TCP header says is its length, in bytes; 0 when there is none.
    #[inline]
    pub(in crate::router) fn tcp_header_len(&self) -> usize {
        self.payload().get(12).map_or(0, |byte| usize::from(byte >> 4) * 4)
    }

    #[inline]
    const fn is_icmp(&self) -> bool {
        match self.family {
            Family::V4 => self.protocol == protocol::ICMP,
            Family::V6 => self.protocol == protocol::ICMPV6,
        }
    }
}

impl Fragment {
    /// Of an offset in units of 8 bytes, and the "more fragments" bit.
    #[inline]
    pub(super) const fn new(offset: u16, more: bool) -> Self {
        match (offset, more) {
            (0, false) => Self::Whole,
            (0, true) => Self::First,
            _ => Self::Later,
        }
    }
}

#[inline]
fn address(family: Family, bits: u128) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from_bits(bits as u32).into(),
        Family::V6 => Ipv6Addr::from_bits(bits).into(),
    }
}

/// Options that send a packet on from its destination: loose (131) and strict (137) source route. What cannot be read to its end is
/// left to the receiver, which refuses it.
fn refuse_source_route(mut options: &[u8]) -> Result<(), Malformed> {
    while let [kind, rest @ ..] = options {
        options = match (kind, rest) {
            (0, _) => break,
            (1, rest) => rest,
            (131 | 137, _) => return Err(Malformed::SourceRoute),
            (_, [len, ..]) if *len >= 2 => options.get(usize::from(*len)..).unwrap_or_default(),
            _ => break,
        };
    }
    Ok(())
}

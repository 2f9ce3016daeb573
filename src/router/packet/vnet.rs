//! The header before each packet of a device with `IFF_VNET_HDR`: `struct virtio_net_hdr` (`linux/virtio_net.h`; virtio 1.2, section
//! 5.1.6), 10 bytes in the machine's byte order, as `/dev/net/tun` has it unless told otherwise (`TUNSETVNETLE`).

use super::{Family, Fragment, Frame, Malformed, Packet, protocol};

/// The checksum is yet to be completed.
const NEEDS_CSUM: u8 = 1;
/// The checksum was verified.
const DATA_VALID: u8 = 2;

const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_UDP_L4: u8 = 5;
const GSO_ECN: u8 = 0x80;

/// The smallest segment of TCP that Linux makes: 48 bytes with 40 of options (`TCP_MIN_GSO_SIZE`).
const TCP_MIN_SEGMENT: usize = 8;
/// The largest number of datagrams in one of UDP's (`UDP_MAX_SEGMENTS`).
const UDP_MAX_SEGMENTS: usize = 128;

/// What a super-packet is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gso {
    /// TCP segments.
    Tcp,
    /// UDP datagrams (`UDP_SEGMENT`, `udp(7)`).
    Udp,
}

/// What stands before a packet: which part of its checksum is missing, and how a super-packet is cut.
///
/// The peer wrote it, and may lie: [`Self::check`] it against the packet before anything is done by it. The default says that there is
/// nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct VnetHeader {
    /// `VIRTIO_NET_HDR_F_*`.
    pub flags: u8,
    /// `VIRTIO_NET_HDR_GSO_*`.
    pub gso_type: u8,
    /// A hint how many bytes are headers, Ethernet's included. Linux writes what it has in one piece, which can be more.
    pub hdr_len: u16,
    /// Payload bytes per segment.
    pub gso_size: u16,
    /// Where the checksum begins to be summed, from the beginning of the packet or frame.
    pub csum_start: u16,
    /// Where behind that it is stored.
    pub csum_offset: u16,
}

impl VnetHeader {
    /// Its length in bytes.
    pub const LEN: usize = 10;

    /// Reads the header that `bytes` begin with, and gives what follows it.
    ///
    /// # Errors
    /// [`Malformed::Short`] when there is no whole header.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let (header, rest) = bytes.split_first_chunk::<{ Self::LEN }>().ok_or(Malformed::Short)?;
        let [flags, gso_type, h0, h1, g0, g1, s0, s1, o0, o1] = *header;
        let header = Self {
            flags,
            gso_type,
            hdr_len: u16::from_ne_bytes([h0, h1]),
            gso_size: u16::from_ne_bytes([g0, g1]),
            csum_start: u16::from_ne_bytes([s0, s1]),
            csum_offset: u16::from_ne_bytes([o0, o1]),
        };
        Ok((header, rest))
    }

    /// Its bytes.
    #[inline]
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        let [h0, h1] = self.hdr_len.to_ne_bytes();
        let [g0, g1] = self.gso_size.to_ne_bytes();
        let [s0, s1] = self.csum_start.to_ne_bytes();
        let [o0, o1] = self.csum_offset.to_ne_bytes();
        [self.flags, self.gso_type, h0, h1, g0, g1, s0, s1, o0, o1]
    }

    /// Whether the checksum is yet to be completed.
    #[inline]
    pub const fn needs_checksum(&self) -> bool {
        self.flags & NEEDS_CSUM != 0
    }

    /// What the packet is a super-packet of; none when it is a plain one, or the kind is unknown.
    #[inline]
    pub const fn gso(&self) -> Option<Gso> {
        match self.gso_type & !GSO_ECN {
            GSO_TCPV4 | GSO_TCPV6 => Some(Gso::Tcp),
            GSO_UDP_L4 => Some(Gso::Udp),
            _ => None,
        }
    }

    /// Whether it fits the packet that it stands before.
    ///
    /// Accepted is what Linux makes: `hdr_len` is only held to be within the packet, as the kernel does that receives it.
    ///
    /// # Errors
    /// When it does not fit; the packet must be dropped then.
    #[inline]
    pub fn check(&self, packet: &Packet<'_>) -> Result<(), Malformed> {
        if *self == Self::default() {
            return Ok(());
        }
        self.check_behind(packet, 0)
    }

    /// The same for a frame, whose packet the caller has [taken out](Frame::packet). Only an IP packet can need anything done.
    ///
    /// # Errors
    /// As for [`Self::check`].
    #[inline]
    pub fn check_frame(&self, frame: &Frame<'_>, packet: Option<&Packet<'_>>) -> Result<(), Malformed> {
        match packet {
            Some(packet) => self.check_behind(packet, frame.header_len()),
            None if self.flags & !DATA_VALID != 0 => Err(Malformed::VnetFlags),
            None if self.gso_type != 0 => Err(Malformed::VnetGsoType),
            None if usize::from(self.hdr_len) > frame.bytes().len() => Err(Malformed::VnetHeaderLength),
            None => Ok(()),
        }
    }

    /// `ahead` is how many bytes stand before the packet, which the offsets count too.
    fn check_behind(&self, packet: &Packet<'_>, ahead: usize) -> Result<(), Malformed> {
        if self.flags & !(NEEDS_CSUM | DATA_VALID) != 0 {
            return Err(Malformed::VnetFlags);
        }
        if usize::from(self.hdr_len) > ahead + packet.bytes().len() {
            return Err(Malformed::VnetHeaderLength);
        }
        if self.needs_checksum() {
            let place = checksum_offset(packet).filter(|_| packet.fragment() == Fragment::Whole);
            let start = ahead + packet.transport_offset();
            if usize::from(self.csum_start) != start || place != Some(usize::from(self.csum_offset)) {
                return Err(Malformed::VnetChecksum);
            }
        }
        if self.gso_type == 0 { Ok(()) } else { self.check_gso(packet) }
    }

    fn check_gso(&self, packet: &Packet<'_>) -> Result<(), Malformed> {
        let wanted = match (self.gso_type, packet.family()) {
            (GSO_UDP_L4, _) => protocol::UDP,
            (kind, Family::V4) if kind & !GSO_ECN == GSO_TCPV4 => protocol::TCP,
            (kind, Family::V6) if kind & !GSO_ECN == GSO_TCPV6 => protocol::TCP,
            _ => return Err(Malformed::VnetGsoType),
        };
        if packet.protocol() != wanted || packet.fragment() != Fragment::Whole {
            return Err(Malformed::VnetGsoType);
        }
        // The specification ties the one to the other, and without it nobody knows where the checksum is.
        if !self.needs_checksum() {
            return Err(Malformed::VnetChecksum);
        }
        let (size, payload) = (usize::from(self.gso_size), packet.bytes().len() - self.headers(packet));
        let fits = match self.gso() {
            // All ones means "by fragments" within Linux.
            Some(Gso::Tcp) => size >= TCP_MIN_SEGMENT && self.gso_size != u16::MAX,
            _ => size > 0 && self.gso_size != u16::MAX && payload <= size * UDP_MAX_SEGMENTS,
        };
        if fits { Ok(()) } else { Err(Malformed::VnetGsoSize) }
    }

    /// How many bytes are headers of IP and transport, for a header that [fits](Self::check).
    #[inline]
    pub fn headers(&self, packet: &Packet<'_>) -> usize {
        let transport = if self.gso() == Some(Gso::Tcp) { packet.tcp_header_len() } else { 8 };
        (packet.transport_offset() + transport).min(packet.bytes().len())
    }

    /// The length of the largest packet that becomes of it, in bytes: what to compare with a receiver's MTU.
    #[inline]
    pub fn largest(&self, packet: &Packet<'_>) -> usize {
        let whole = packet.bytes().len();
        if self.gso().is_none() { whole } else { whole.min(self.headers(packet) + usize::from(self.gso_size)) }
    }

    /// How many packets become of it; at least 1.
    #[inline]
    pub fn segments(&self, packet: &Packet<'_>) -> usize {
        if self.gso().is_none() {
            return 1;
        }
        let payload = packet.bytes().len() - self.headers(packet);
        payload.div_ceil(usize::from(self.gso_size).max(1)).max(1)
    }
}

/// Where the packet's protocol has its checksum of the internet kind (RFC 1071), from the transport's beginning, when that is within
/// the packet.
#[inline]
pub(in crate::router) fn checksum_offset(packet: &Packet<'_>) -> Option<usize> {
    let offset = match packet.protocol() {
        protocol::TCP => 16,
        protocol::UDP | protocol::UDPLITE | protocol::DCCP => 6,
        protocol::ICMP | protocol::ICMPV6 | protocol::IGMP => 2,
        _ => return None,
    };
    (offset + 2 <= packet.payload().len()).then_some(offset)
}

//! Packets into super-packets: the opposite of cutting, for a device that takes virtio-net headers (as the kernel's generic receive
//! offload does it for links). One write then carries what came as many packets.
//!
//! Only what [cutting](super::segment) would make of the super-packet again is put together: segments of one TCP connection, one after
//! another, that differ in nothing but their numbers; all as long as the first, but for the last. Their checksums are verified, as
//! nobody does it after that.

use super::Sum;
use crate::router::packet::{Family, Fragment, Packet, VnetHeader, protocol};

const FIN_SYN_RST_URG_ECE_CWR: u8 = 0xe7;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const NEEDS_CSUM: u8 = 1;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
/// The longest IP packet.
const LONGEST: usize = 65535;

/// What has been put together so far.
#[derive(Debug, Default)]
pub struct Merge {
    bytes: Vec<u8>,
    /// The payload of each segment but the last, in bytes.
    size: usize,
    count: usize,
    /// Where the TCP header and the payload begin.
    transport: usize,
    headers: usize,
    /// The number of the first byte that would follow.
    next: u32,
    closed: bool,
}

impl Merge {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a packet, unless it does not follow what is there: then that is to be [taken](Self::take) first. What is added as the first
    /// may be any packet; nothing follows one that is no segment.
    pub fn add(&mut self, bytes: &[u8]) -> bool {
        let segment = segment_of(bytes);
        if self.count == 0 {
            self.begin(bytes, segment.as_ref());
            return true;
        }
        let Some(segment) = segment else { return false };
        if self.closed || !self.is_followed_by(bytes, &segment) || !segment.is_right() {
            return false;
        }
        let payload = bytes.get(segment.headers..).unwrap_or_default();
        self.bytes.extend_from_slice(payload);
        self.next = self.next.wrapping_add(payload.len() as u32);
        self.closed = payload.len() < self.size || segment.flags & PSH != 0;
        if segment.flags & PSH != 0
            && let Some(flags) = self.bytes.get_mut(self.transport + 13)
        {
            *flags |= PSH;
        }
        self.count += 1;
        true
    }

    /// The same, where there is something already.
    pub fn add_next(&mut self, bytes: &[u8]) -> bool {
        !self.is_empty() && self.add(bytes)
    }

    fn begin(&mut self, bytes: &[u8], segment: Option<&Segment<'_>>) {
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        self.count = 1;
        match segment.filter(|segment| segment.flags & PSH == 0 && segment.is_right()) {
            Some(segment) => {
                (self.transport, self.headers) = (segment.transport, segment.headers);
                self.size = bytes.len() - segment.headers;
                self.next = segment.sequence.wrapping_add(self.size as u32);
                self.closed = false;
            }
            None => self.closed = true,
        }
    }

    fn is_followed_by(&self, bytes: &[u8], segment: &Segment<'_>) -> bool {
        let payload = bytes.len().saturating_sub(segment.headers);
        let (Some(ours), Some(theirs)) = (self.bytes.get(..self.headers), bytes.get(..segment.headers)) else {
            return false;
        };
        let fits = payload <= self.size && self.bytes.len() + payload <= LONGEST;
        fits && (segment.transport, segment.headers, segment.sequence) == (self.transport, self.headers, self.next)
            && is_same_but_for_numbers(ours, theirs, self.transport)
    }

    /// What there is, with the header that belongs before it; there is nothing after that.
    pub fn take(&mut self) -> (VnetHeader, &[u8]) {
        let count = std::mem::take(&mut self.count);
        if count < 2 {
            return (VnetHeader::default(), &self.bytes);
        }
        (self.finish().unwrap_or_default(), &self.bytes)
    }

    /// Lengths and checksums of the whole.
    fn finish(&mut self) -> Option<VnetHeader> {
        let len = self.bytes.len();
        let is_v4 = self.bytes.first()? >> 4 == 4;
        if is_v4 {
            self.bytes.get_mut(2..4)?.copy_from_slice(&(len as u16).to_be_bytes());
            self.bytes.get_mut(10..12)?.fill(0);
            let sum = Sum::default().with(self.bytes.get(..self.transport)?).finish();
            self.bytes.get_mut(10..12)?.copy_from_slice(&sum);
        } else {
            self.bytes.get_mut(4..6)?.copy_from_slice(&((len - 40) as u16).to_be_bytes());
        }
        let packet = Packet::parse(&self.bytes).ok()?;
        // The sum of the pseudo-header, which the kernel goes on from.
        let [high, low] = Sum::default().with_pseudo_header(&packet, len - self.transport).finish();
        self.bytes.get_mut(self.transport + 16..self.transport + 18)?.copy_from_slice(&[!high, !low]);
        Some(VnetHeader {
            flags: NEEDS_CSUM,
            gso_type: if is_v4 { GSO_TCPV4 } else { GSO_TCPV6 },
            hdr_len: self.headers as u16,
            gso_size: self.size as u16,
            csum_start: self.transport as u16,
            csum_offset: 16,
        })
    }
}

/// A segment with payload that may be one of several.
struct Segment<'a> {
    packet: Packet<'a>,
    transport: usize,
    headers: usize,
    sequence: u32,
    flags: u8,
}

/// A segment's parts; none of what is to stay as it is.
fn segment_of(bytes: &[u8]) -> Option<Segment<'_>> {
    // Nearly all that is none is told by two bytes.
    let (number, plain) = match bytes.first()? {
        0x45 => (bytes.get(9)?, 20),
        first if first >> 4 == 6 => (bytes.get(6)?, 40),
        _ => return None,
    };
    if *number != protocol::TCP {
        return None;
    }
    let packet = Packet::parse(bytes).ok()?;
    let transport = packet.transport_offset();
    let flags = *bytes.get(transport + 13)?;
    let wanted = flags & (FIN_SYN_RST_URG_ECE_CWR | ACK) == ACK;
    let headers = transport + packet.tcp_header_len();
    let fits = transport == plain && packet.fragment() == Fragment::Whole && packet.dont_fragment();
    let sequence = u32::from_be_bytes(*bytes.get(transport + 4..)?.first_chunk()?);
    (wanted && fits && bytes.len() >= headers + 8).then_some(Segment { packet, transport, headers, sequence, flags })
}

impl Segment<'_> {
    /// Whether its checksums are right.
    fn is_right(&self) -> bool {
        let packet = &self.packet;
        let header = match packet.family() {
            Family::V4 => Sum::default().with(packet.bytes().get(..self.transport).unwrap_or_default()).finish(),
            Family::V6 => [0xff; 2],
        };
        let sum = Sum::default().with_pseudo_header(packet, packet.payload().len()).with(packet.payload()).finish();
        header == [0xff; 2] && sum == [0xff; 2]
    }
}

/// Whether two headers differ only in length, identification, sequence number, checksums and PSH.
fn is_same_but_for_numbers(ours: &[u8], theirs: &[u8], transport: usize) -> bool {
    let same = |from: usize, to: usize| ours.get(from..to) == theirs.get(from..to);
    let ip = match transport {
        // Service and version; flags, time to live and protocol; addresses.
        20 => same(0, 2) && same(6, 10) && same(12, 20),
        _ => same(0, 4) && same(6, 40),
    };
    let flags = |bytes: &[u8]| bytes.get(transport + 13).map(|flags| flags & !PSH);
    ip && same(transport, transport + 4)
        && same(transport + 8, transport + 13)
        && flags(ours) == flags(theirs)
        && same(transport + 14, transport + 16)
        && same(transport + 18, ours.len())
}

#[cfg(test)]
mod tests {
    use super::super::{BUFFER, segment};
    use super::*;
    use crate::router::samples::{ip, tcp};
    use proptest::prelude::*;

    /// What the kernel would cut a super-packet of a connection into.
    fn packets(ipv6: bool, ports: (u16, u16), options: &[u8], size: u16, payload: &[u8]) -> Vec<Vec<u8>> {
        let (from, to) = if ipv6 { ("fd00::1", "fd00::2") } else { ("10.0.0.1", "10.0.0.2") };
        let bytes = ip(from, to, protocol::TCP, &tcp(ports, ACK | PSH, options, payload));
        let packet = Packet::parse(&bytes).unwrap();
        let start = packet.transport_offset() as u16;
        let header = VnetHeader {
            flags: NEEDS_CSUM,
            gso_type: if ipv6 { GSO_TCPV6 } else { GSO_TCPV4 },
            hdr_len: start + 20 + options.len() as u16,
            gso_size: size,
            csum_start: start,
            csum_offset: 16,
        };
        let mut all = Vec::new();
        segment(&header, &packet, 1500, &mut vec![0; BUFFER], |piece| all.push(piece.to_vec())).unwrap();
        all
    }

    /// What comes out of a merge when each super-packet is cut again.
    fn through(packets: &[Vec<u8>]) -> (Vec<Vec<u8>>, usize) {
        let (mut merge, mut out, mut writes) = (Merge::default(), Vec::new(), 0);
        let mut cut = |merge: &mut Merge| {
            let (header, bytes) = merge.take();
            let packet = Packet::parse(bytes).unwrap();
            segment(&header, &packet, 1500, &mut vec![0; BUFFER], |piece| out.push(piece.to_vec())).unwrap();
            writes += 1;
        };
        for packet in packets {
            if !merge.add(packet) {
                cut(&mut merge);
                assert!(merge.add(packet));
            }
        }
        if !merge.is_empty() {
            cut(&mut merge);
        }
        (out, writes)
    }

    /// But for the identification, which is counted anew.
    fn plain(packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut packets = packets.to_vec();
        for packet in packets.iter_mut().filter(|packet| packet[0] >> 4 == 4) {
            packet[4..6].fill(0);
            packet[10..12].fill(0);
        }
        packets
    }

    #[test]
    fn one_connections_packets_become_one() {
        for ipv6 in [false, true] {
            let cut = packets(ipv6, (1, 2), &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], 1300, &[7; 13_500]);
            assert_eq!(cut.len(), 11);
            let (out, writes) = through(&cut);
            assert_eq!((plain(&out), writes), (plain(&cut), 1));
        }
    }

    #[test]
    fn what_does_not_follow_stays_apart() {
        let cut = packets(false, (1, 2), &[], 1000, &[7; 3000]);
        let change = |at: usize, by: u8| {
            let mut changed = cut.clone();
            changed[1][at] ^= by;
            through(&changed).1
        };
        assert_eq!(through(&cut).1, 1);
        // Payload and checksums that do not fit each other, a hop less, another port, another number, other flags.
        for (at, by) in [(900, 1), (36, 1), (8, 1), (22, 1), (27, 1), (33, 1), (33, 4), (1, 4)] {
            assert!(change(at, by) > 1, "{at}");
        }
        let other = packets(false, (1, 3), &[], 1000, &[7; 3000]);
        let mixed: Vec<_> = cut.iter().zip(&other).flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
        assert_eq!(through(&mixed).1, 6);
    }

    proptest! {
        /// Whatever comes in whatever order goes on as it was, and in that order.
        #[test]
        fn nothing_is_lost_or_changed(
            bursts in prop::collection::vec((any::<bool>(), 0..3_u16, 8..1400_u16, 1..9000_usize), 1..8), drop in 0..40_usize,
        ) {
            let mut all: Vec<Vec<u8>> = Vec::new();
            for (ipv6, port, size, len) in bursts {
                let payload: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
                all.extend(packets(ipv6, (port, 9), &[], size, &payload));
            }
            if drop < all.len() {
                all.remove(drop);
            }
            prop_assert_eq!(plain(&through(&all).0), plain(&all));
        }
    }
}

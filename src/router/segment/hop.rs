//! What a router changes in a packet that it sends on: how many more may, and how large the segments of a connection are.

use crate::router::packet::{Family, Fragment, Packet, protocol};

const SYN: u8 = 0x02;
/// The option "maximum segment size" and its length (RFC 9293, section 3.7.1).
const MSS: [u8; 2] = [2, 4];

/// Counts the packet's time to live, or hop limit, down; at zero it stays.
pub fn count_down(packet: &mut [u8]) {
    match packet.first().map(|first| first >> 4) {
        Some(4) => {
            let Some(&[ttl, protocol]) = packet.get(8..10) else { return };
            let less = ttl.saturating_sub(1);
            replace(packet, 8, [less, protocol], 10, false);
        }
        Some(6) => {
            if let Some(limit) = packet.get_mut(7) {
                *limit = limit.saturating_sub(1);
            }
        }
        _ => {}
    }
}

/// Lowers the segment size that a TCP connection's first packets announce to what fits an MTU. The checksum must be complete.
pub fn clamp(packet: &mut [u8], mtu: usize) {
    let Some((at, most)) = mss_at(packet, mtu) else { return };
    replace(packet, at.value, most.to_be_bytes(), at.tcp + 16, (at.value - at.tcp) % 2 == 1);
}

struct At {
    tcp: usize,
    value: usize,
}

/// Where the option's value is, when it is larger than what fits, and that.
fn mss_at(bytes: &[u8], mtu: usize) -> Option<(At, u16)> {
    // Nearly all packets are told by few bytes: no TCP, or no beginning of a connection.
    let (transport, at, headers) = match bytes.first()? >> 4 {
        4 => (*bytes.get(9)?, usize::from(bytes.first()? & 0x0f) * 4, 40),
        _ => (*bytes.get(6)?, 40, 60),
    };
    if transport != protocol::TCP || bytes.get(at + 13)? & SYN == 0 {
        return None;
    }
    let packet = Packet::parse(bytes).ok()?;
    let flags = *packet.payload().get(13)?;
    if flags & SYN == 0 || packet.fragment() != Fragment::Whole {
        return None;
    }
    debug_assert_eq!(headers == 60, packet.family() == Family::V6);
    let most = u16::try_from(mtu.saturating_sub(headers)).unwrap_or(u16::MAX);
    let tcp = packet.transport_offset();
    let end = packet.tcp_header_len();
    let mut at = 20;
    while at < end {
        let rest = packet.payload().get(at..end)?;
        match (rest.first()?, rest.get(1)) {
            (0, _) => return None,
            (1, _) => at += 1,
            (kind, Some(len)) if [*kind, *len] == MSS => {
                let value = u16::from_be_bytes(*rest.get(2..)?.first_chunk()?);
                return (value > most).then_some((At { tcp, value: tcp + at + 2 }, most));
            }
            (_, Some(len)) if *len >= 2 => at += usize::from(*len),
            _ => return None,
        }
    }
    None
}

/// Writes two bytes and brings a checksum over them up to date (RFC 1624); `odd` where they are halves of two of its words.
fn replace(packet: &mut [u8], at: usize, new: [u8; 2], checksum: usize, odd: bool) {
    let Some(place) = packet.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<2>()) else { return };
    let old = std::mem::replace(place, new);
    let word = |bytes: [u8; 2]| u32::from(if odd { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) });
    let Some(place) = packet.get_mut(checksum..).and_then(|rest| rest.first_chunk_mut::<2>()) else { return };
    let mut sum = u32::from(!u16::from_be_bytes(*place)) + (0xffff - word(old)) + word(new);
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    *place = (!(sum as u16)).to_be_bytes();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::samples::{ip, tcp};
    use crate::router::segment::Sum;

    /// Both checksums over a packet: all ones when they are right.
    fn wrong(bytes: &[u8]) -> [[u8; 2]; 2] {
        let packet = Packet::parse(bytes).unwrap();
        let header = match packet.family() {
            Family::V4 => Sum::default().with(&bytes[..packet.transport_offset()]).finish(),
            Family::V6 => [0xff; 2],
        };
        let len = packet.payload().len();
        [header, Sum::default().with_pseudo_header(&packet, len).with(packet.payload()).finish()]
    }

    fn right(mut bytes: Vec<u8>) -> Vec<u8> {
        let at = Packet::parse(&bytes).unwrap().transport_offset();
        let [header, transport] = wrong(&bytes);
        if bytes[0] >> 4 == 4 {
            bytes[10..12].copy_from_slice(&header);
        }
        bytes[at + 16..at + 18].copy_from_slice(&transport);
        assert_eq!(wrong(&bytes), [[0xff; 2]; 2]);
        bytes
    }

    #[test]
    fn a_hop_less_is_counted_with_its_checksum() {
        let mut packet = right(ip("10.0.0.1", "10.0.0.2", protocol::TCP, &tcp((1, 2), 0x10, &[], b"x")));
        for wanted in (0..64).rev() {
            count_down(&mut packet);
            assert_eq!((packet[8], wrong(&packet)), (wanted, [[0xff; 2]; 2]));
        }
        count_down(&mut packet);
        assert_eq!(packet[8], 0);
        let mut packet = ip("fd00::1", "fd00::2", protocol::TCP, &tcp((1, 2), 0x10, &[], b"x"));
        count_down(&mut packet);
        assert_eq!(packet[7], 63);
        count_down(&mut []);
        count_down(&mut [0x45; 9]);
    }

    #[test]
    fn segments_are_no_larger_than_what_fits() {
        for (from, to, most) in [("10.0.0.1", "10.0.0.2", 1380_u16), ("fd00::1", "fd00::2", 1360)] {
            for options in [&[2, 4, 5, 0xb4][..], &[1, 2, 4, 5, 0xb4, 1, 1, 1], &[8, 3, 9, 2, 4, 0xff, 0xff, 0]] {
                let mut packet = right(ip(from, to, protocol::TCP, &tcp((1, 2), SYN, options, &[])));
                clamp(&mut packet, 1420);
                assert_eq!(wrong(&packet), [[0xff; 2]; 2], "{options:?}");
                assert!(packet.windows(4).any(|w| w[..2] == MSS && w[2..] == most.to_be_bytes()), "{options:?}");
            }
            // Smaller ones, others than first packets, and what is damaged stay.
            for (flags, options) in
                [(SYN, &[2, 4, 2, 0][..]), (0x10, &[2, 4, 5, 0xb4]), (SYN, &[8, 0, 0, 0]), (SYN, &[2, 4, 5, 0x8c])]
            {
                let mut packet = right(ip(from, to, protocol::TCP, &tcp((1, 2), flags, options, &[])));
                let before = packet.clone();
                clamp(&mut packet, if options[0] == 2 && flags == SYN { 1500 } else { 1420 });
                assert_eq!(packet, before);
            }
        }
    }
}

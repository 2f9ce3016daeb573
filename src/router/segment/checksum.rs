//! The internet checksum (RFC 1071).

use crate::router::packet::{Family, Packet};

/// A sum of 16-bit words in ones' complement, in the machine's byte order until it is finished (RFC 1071, section 2 B).
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds bytes; all but the last addition must be of an even number.
    #[inline]
    #[must_use]
    pub fn with(self, bytes: &[u8]) -> Self {
        // 32 bits at a time into 64: carries stay in the upper half, and the loop becomes vector instructions.
        let (words, rest) = bytes.as_chunks::<4>();
        let sum: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        Self(self.0 + sum + u64::from(u32::from_ne_bytes(last)))
    }

    /// Adds a number.
    #[inline]
    #[must_use]
    pub const fn with_u16(self, number: u16) -> Self {
        Self(self.0 + number.to_be() as u64)
    }

    /// Adds what TCP, UDP and ICMPv6 sum besides themselves: addresses, protocol and length (RFC 9293, section 3.1; RFC 8200, section 8.1).
    #[inline]
    #[must_use]
    pub fn with_pseudo_header(self, packet: &Packet<'_>, len: usize) -> Self {
        let (at, addresses) = match packet.family() {
            Family::V4 => (12, 8),
            Family::V6 => (8, 32),
        };
        let addresses = packet.bytes().get(at..at + addresses).unwrap_or_default();
        self.with(addresses).with_u16(packet.protocol().into()).with_u16(len as u16).with_u16((len >> 16) as u16)
    }

    /// The checksum as it is stored. Zero is written as all ones, which is the same number, for UDP where zero says that there is none
    /// (RFC 768).
    #[inline]
    pub const fn finish(self) -> [u8; 2] {
        let sum = (self.0 >> 32) + (self.0 & 0xffff_ffff);
        let sum = (sum >> 32) + (sum & 0xffff_ffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        let sum = (sum >> 16) + (sum & 0xffff);
        let sum = ((sum >> 16) + (sum & 0xffff)) as u16;
        if sum == u16::MAX { [0xff; 2] } else { (!sum).to_ne_bytes() }
    }
}

//! What the sender of a packet that goes nowhere is told: RFC 792 and 1191 for IPv4, RFC 4443 for IPv6.

use super::Sum;
use crate::router::packet::{Fragment, Packet, protocol};
use std::net::{IpAddr, Ipv4Addr};

/// Why a packet goes nowhere, where its sender is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is longer than this, in bytes.
    TooBig(usize),
    /// No route leads there.
    NoRoute,
    /// A route leads there, and nobody is at its end.
    Away,
    /// It went through as many routers as it may.
    Expired,
}

impl Trouble {
    /// Type, code and what stands in the header's second half: of ICMP, or of ICMPv6.
    fn message(self, ipv6: bool) -> (u8, u8, [u8; 4]) {
        let short = |mtu: usize| u32::from(u16::try_from(mtu).unwrap_or(u16::MAX)).to_be_bytes();
        let long = |mtu: usize| u32::try_from(mtu).unwrap_or(u32::MAX).to_be_bytes();
        match (self, ipv6) {
            (Self::TooBig(mtu), false) => (3, 4, short(mtu)),
            (Self::TooBig(mtu), true) => (2, 0, long(mtu)),
            (Self::NoRoute, false) => (3, 0, [0; 4]),
            (Self::NoRoute, true) => (1, 0, [0; 4]),
            (Self::Away, false) => (3, 1, [0; 4]),
            (Self::Away, true) => (1, 3, [0; 4]),
            (Self::Expired, false) => (11, 0, [0; 4]),
            (Self::Expired, true) => (3, 0, [0; 4]),
        }
    }
}

/// The answer to a packet that is longer than `mtu`: [`answer`].
pub fn too_big(packet: &Packet<'_>, mtu: usize, from: Option<IpAddr>) -> Option<Vec<u8>> {
    answer(packet, Trouble::TooBig(mtu), from)
}

/// The answer to a packet, as an IP packet to its sender.
///
/// It comes `from` the router, or where that has no address of the family from where the packet was going to.
///
/// None where nobody may be told: of its size an IPv4 packet that may be fragmented; a later fragment of one, an ICMP error or redirect,
/// what goes to more than one host, and what comes from none.
pub fn answer(packet: &Packet<'_>, trouble: Trouble, from: Option<IpAddr>) -> Option<Vec<u8>> {
    let from = from.unwrap_or(packet.destination());
    match (packet.source(), packet.destination()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let error = matches!(packet.icmp(), Some((3 | 4 | 5 | 11 | 12, _)));
            let nobody = !is_host(source) || source.is_loopback() || !is_host(destination);
            let wanted = packet.dont_fragment() || !matches!(trouble, Trouble::TooBig(_));
            let told = wanted && packet.fragment() != Fragment::Later && !error && !nobody;
            let from = if let IpAddr::V4(from) = from { from } else { destination };
            told.then(|| v4(packet, trouble, [from.octets(), source.octets()]))
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let error = matches!(packet.icmp(), Some((0..=127 | 137, _)));
            let nobody = source.is_unspecified() || source.is_multicast() || destination.is_multicast();
            // RFC 4443, section 2.4: but for its size, as with IPv4.
            let part = packet.fragment() == Fragment::Later && !matches!(trouble, Trouble::TooBig(_));
            let from = if let IpAddr::V6(from) = from { from } else { destination };
            (!error && !nobody && !part).then(|| v6(packet, trouble, [from.octets(), source.octets()]))
        }
        _ => None,
    }
}

/// Neither unspecified, multicast, broadcast nor reserved.
fn is_host(address: Ipv4Addr) -> bool {
    !address.is_unspecified() && address.octets()[0] < 224
}

/// With as much of the packet as fits 576 bytes (RFC 1812, section 4.3.2.3).
fn v4(packet: &Packet<'_>, trouble: Trouble, [from, to]: [[u8; 4]; 2]) -> Vec<u8> {
    let quoted = &packet.bytes()[..packet.bytes().len().min(576 - 28)];
    let (kind, code, rest) = trouble.message(false);
    let len = (28 + quoted.len() as u16).to_be_bytes();
    // Internetwork control, as Linux marks its errors; DF, and so no identification.
    let start = [0x45, 0xc0, len[0], len[1], 0, 0, 0x40, 0, 64, protocol::ICMP, 0, 0];
    let mut answer = [&start[..], &from, &to, &[kind, code, 0, 0], &rest, quoted].concat();
    let header = Sum::default().with(&answer[..20]).finish();
    let message = Sum::default().with(&answer[20..]).finish();
    answer[10..12].copy_from_slice(&header);
    answer[22..24].copy_from_slice(&message);
    answer
}

/// With as much of the packet as fits 1280 bytes.
fn v6(packet: &Packet<'_>, trouble: Trouble, [from, to]: [[u8; 16]; 2]) -> Vec<u8> {
    let quoted = &packet.bytes()[..packet.bytes().len().min(1280 - 48)];
    let (kind, code, rest) = trouble.message(true);
    let len = 8 + quoted.len() as u16;
    let start = [0x60, 0, 0, 0, len.to_be_bytes()[0], len.to_be_bytes()[1], protocol::ICMPV6, 64];
    let mut answer = [&start[..], &from, &to, &[kind, code, 0, 0], &rest, quoted].concat();
    let pseudo = Sum::default().with(&answer[8..40]).with_u16(len).with_u16(protocol::ICMPV6.into());
    let message = pseudo.with(&answer[40..]).finish();
    answer[42..44].copy_from_slice(&message);
    answer
}

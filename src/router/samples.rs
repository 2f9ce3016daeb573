//! Packets for tests, written down byte by byte without the modules that are tested.

use super::packet::protocol;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP packet around `payload`; its header checksum is zero.
pub fn ip(source: &str, destination: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (source.parse().unwrap(), destination.parse().unwrap()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => v4(source, destination, protocol, payload),
        (IpAddr::V6(source), IpAddr::V6(destination)) => v6(source, destination, protocol, payload),
        _ => panic!("two families"),
    }
}

fn v4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(20 + payload.len()).unwrap().to_be_bytes();
    let start = [0x45, 0, len[0], len[1], 0x12, 0x34, 0x40, 0, 64, protocol, 0, 0];
    [&start[..], &source.octets(), &destination.octets(), payload].concat()
}

fn v6(source: Ipv6Addr, destination: Ipv6Addr, next: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let start = [0x60, 0, 0, 0, len[0], len[1], next, 64];
    [&start[..], &source.octets(), &destination.octets(), payload].concat()
}

/// A TCP segment with `options` (whole words) and these flags.
pub fn tcp(ports: (u16, u16), flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let (source, destination) = (ports.0.to_be_bytes(), ports.1.to_be_bytes());
    let words = (((20 + options.len()) / 4) as u8) << 4;
    let rest = [0xff, 0xff, 0xff, 0x00, 1, 2, 3, 4, words, flags, 0x10, 0, 0, 0, 0, 0];
    [&source[..], &destination, &rest, options, payload].concat()
}

/// A UDP datagram without checksum.
pub fn udp(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let len = ((8 + payload.len()) as u16).to_be_bytes();
    [&ports.0.to_be_bytes()[..], &ports.1.to_be_bytes(), &len, &[0, 0], payload].concat()
}

/// A TCP packet without options or payload.
pub fn tcp_packet(source: &str, destination: &str, ports: (u16, u16)) -> Vec<u8> {
    ip(source, destination, protocol::TCP, &tcp(ports, 0x10, &[], &[]))
}

/// A UDP packet.
pub fn udp_packet(source: &str, destination: &str, ports: (u16, u16)) -> Vec<u8> {
    ip(source, destination, protocol::UDP, &udp(ports, b"payload"))
}

/// Makes an IPv4 packet a fragment: `offset` in bytes.
pub fn fragment(mut packet: Vec<u8>, offset: u16, more: bool) -> Vec<u8> {
    let word = (offset / 8 + if more { 0x2000 } else { 0 }).to_be_bytes();
    packet[6..8].copy_from_slice(&word);
    packet
}

//! Packets, frames and virtio-net headers: what is read from good ones, and why bad ones are refused.

use super::*;
use crate::router::samples::{fragment, ip, tcp, tcp_packet, udp, udp_packet};
use proptest::prelude::*;

fn refused(bytes: &[u8]) -> Malformed {
    Packet::parse(bytes).expect_err("a malformed packet")
}

#[test]
fn a_packet_says_who_sends_what_to_whom() {
    for (source, destination, family) in
        [("192.0.2.1", "198.51.100.7", Family::V4), ("2001:db8::1", "2001:db8::2", Family::V6)]
    {
        let bytes = tcp_packet(source, destination, (1234, 80));
        let packet = Packet::parse(&bytes).unwrap();
        assert_eq!(packet.source(), source.parse::<std::net::IpAddr>().unwrap());
        assert_eq!(packet.destination(), destination.parse::<std::net::IpAddr>().unwrap());
        assert_eq!((packet.family(), packet.protocol(), packet.ttl()), (family, protocol::TCP, 64));
        assert_eq!((packet.ports(), packet.icmp(), packet.fragment()), (Some((1234, 80)), None, Fragment::Whole));
        assert_eq!(packet.payload().len(), 20);
        assert!(packet.dont_fragment());
    }
}

#[test]
fn icmp_has_a_type_and_a_code_of_its_own_family_only() {
    let of = |source, protocol| Packet::parse(&ip(source, source, protocol, &[3, 4, 0, 0, 0, 0, 0, 0])).unwrap().icmp();
    assert_eq!(of("192.0.2.1", protocol::ICMP), Some((3, 4)));
    assert_eq!(of("2001:db8::1", protocol::ICMPV6), Some((3, 4)));
    assert_eq!(of("2001:db8::1", protocol::ICMP), None);
    assert_eq!(of("192.0.2.1", protocol::ICMPV6), None);
}

#[test]
fn only_a_first_fragment_has_ports() {
    let bytes = udp_packet("192.0.2.1", "192.0.2.2", (1, 2));
    let first = fragment(bytes.clone(), 0, true);
    assert_eq!(Packet::parse(&first).unwrap().ports(), Some((1, 2)));
    assert_eq!(Packet::parse(&first).unwrap().fragment(), Fragment::First);
    for more in [false, true] {
        let later = fragment(bytes.clone(), 8, more);
        let later = Packet::parse(&later).unwrap();
        assert_eq!((later.fragment(), later.ports()), (Fragment::Later, None));
    }
    let tiny = fragment(ip("192.0.2.1", "192.0.2.2", protocol::TCP, &[0; 4]), 0, true);
    assert_eq!(refused(&tiny), Malformed::Transport);
}

#[test]
fn lengths_must_agree_with_the_bytes() {
    for source in ["192.0.2.1", "2001:db8::1"] {
        let mut bytes = udp_packet(source, source, (1, 2));
        for len in 0..bytes.len() {
            assert!(matches!(refused(&bytes[..len]), Malformed::Short | Malformed::TotalLength), "{len}");
        }
        bytes.push(0);
        assert_eq!(refused(&bytes), Malformed::TotalLength);
        assert_eq!(Packet::parse_padded(&bytes).unwrap().bytes().len(), bytes.len() - 1);
    }
}

#[test]
fn headers_that_lie_are_refused() {
    let good = tcp_packet("192.0.2.1", "192.0.2.2", (1, 2));
    let with = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        refused(&bytes)
    };
    assert_eq!(with(0, 0x55), Malformed::Version);
    assert_eq!(with(0, 0x44), Malformed::HeaderLength);
    assert_eq!(with(0, 0x4f), Malformed::HeaderLength);
    assert_eq!(with(32, 0x40), Malformed::Transport);
    assert_eq!(with(32, 0x60), Malformed::Transport);
    assert_eq!(refused(&[]), Malformed::Short);
    assert_eq!(refused(&ip("192.0.2.1", "192.0.2.2", protocol::UDP, &[0; 7])), Malformed::Transport);
}

#[test]
fn source_routes_are_refused() {
    let mut v4 = ip("192.0.2.1", "192.0.2.2", protocol::ICMP, &[1, 131, 3, 4, 8, 0, 0, 0]);
    v4[0] = 0x46;
    assert_eq!(refused(&v4), Malformed::SourceRoute);
    v4[21] = 148;
    assert!(Packet::parse(&v4).is_ok());
    let routing = |kind: u8, left: u8| {
        let header = [&[protocol::UDP, 2, kind, left][..], &[0; 20], &udp((1, 2), b"")].concat();
        Packet::parse(&ip("2001:db8::1", "2001:db8::2", 43, &header)).map(|packet| packet.ports())
    };
    assert_eq!(routing(0, 1), Err(Malformed::SourceRoute));
    assert_eq!(routing(0, 0), Ok(Some((1, 2))));
    assert_eq!(routing(2, 1), Ok(Some((1, 2))));
}

#[test]
fn extension_headers_are_walked_to_the_transport() {
    let hop = [60, 0, 5, 2, 0, 0, 1, 0];
    let options = [51, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let authentication = [protocol::UDP, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2];
    let chain = [&hop[..], &options, &authentication, &udp((53, 54), b"x")].concat();
    let bytes = ip("2001:db8::1", "2001:db8::2", 0, &chain);
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!((packet.protocol(), packet.ports()), (protocol::UDP, Some((53, 54))));
    assert_eq!(packet.transport_offset(), 40 + 8 + 16 + 12);
    assert_eq!(refused(&ip("2001:db8::1", "2001:db8::2", 0, &chain[..20])), Malformed::Extension);
    let endless = [60, 0, 1, 4, 0, 0, 0, 0].repeat(9);
    assert_eq!(refused(&ip("2001:db8::1", "2001:db8::2", 60, &endless)), Malformed::Extension);
}

#[test]
fn ipv6_fragments_are_seen_behind_other_headers() {
    let of = |word: u16, next: u8, payload: &[u8]| {
        let header = [&[44, 0, 1, 4, 0, 0, 0, 0, next, 0][..], &word.to_be_bytes(), &[0, 0, 0, 1], payload].concat();
        Packet::parse(&ip("2001:db8::1", "2001:db8::2", 60, &header)).map(|p| (p.fragment(), p.ports(), p.protocol()))
    };
    let datagram = udp((1, 2), b"");
    assert_eq!(of(0, protocol::UDP, &datagram), Ok((Fragment::Whole, Some((1, 2)), protocol::UDP)));
    assert_eq!(of(1, protocol::UDP, &datagram), Ok((Fragment::First, Some((1, 2)), protocol::UDP)));
    assert_eq!(of(8, protocol::UDP, &datagram), Ok((Fragment::Later, None, protocol::UDP)));
    assert_eq!(of(8, 60, &datagram), Ok((Fragment::Later, None, 60)));
    assert_eq!(of(1, 60, &[protocol::UDP, 1]), Err(Malformed::Extension));
}

#[test]
fn jumbograms_are_refused_and_empty_packets_are_not() {
    let mut jumbo = ip("2001:db8::1", "2001:db8::2", 0, &[59, 0, 194, 4, 0, 1, 0, 0]);
    jumbo[4..6].fill(0);
    assert_eq!(refused(&jumbo), Malformed::Jumbogram);
    assert_eq!(Packet::parse(&ip("2001:db8::1", "2001:db8::2", 59, &[])).unwrap().protocol(), 59);
}

fn framed(ethertype: &[u8], payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], ethertype, payload].concat()
}

#[test]
fn a_frame_gives_its_packet_without_padding_and_behind_a_tag() {
    let packet = udp_packet("192.0.2.1", "192.0.2.2", (1, 2));
    let padded = [&packet[..], &[0; 20]].concat();
    for (ethertype, vlan) in [(&[8, 0][..], None), (&[0x81, 0, 0x20, 5, 8, 0], Some(5))] {
        let bytes = framed(ethertype, &padded);
        let frame = Frame::parse(&bytes).unwrap();
        assert_eq!((frame.vlan(), frame.ethertype()), (vlan, ETHERTYPE_IPV4));
        assert_eq!(frame.destination(), [2, 0, 0, 0, 0, 1]);
        assert_eq!(frame.source(), [2, 0, 0, 0, 0, 2]);
        assert_eq!(frame.packet().unwrap().unwrap().bytes(), packet);
        for len in 0..frame.header_len() {
            assert_eq!(Frame::parse(&bytes[..len]).unwrap_err(), Malformed::Short);
        }
    }
    let wrong = framed(&[0x86, 0xdd], &packet);
    assert_eq!(Frame::parse(&wrong).unwrap().packet().unwrap_err(), Malformed::Ethertype);
    let other = framed(&[0x88, 0xa8], &packet);
    assert!(Frame::parse(&other).unwrap().packet().unwrap().is_none());
}

#[test]
fn arp_tells_sender_and_target() {
    let message =
        [&[0, 1, 8, 0, 6, 4, 0, 1][..], &[2, 0, 0, 0, 0, 2], &[192, 0, 2, 1], &[0; 6], &[192, 0, 2, 9]].concat();
    let bytes = framed(&[8, 6], &message);
    let arp = Frame::parse(&bytes).unwrap().arp().unwrap().unwrap();
    assert_eq!((arp.operation, arp.sender_mac), (1, [2, 0, 0, 0, 0, 2]));
    assert_eq!((arp.sender.to_string(), arp.target.to_string()), ("192.0.2.1".into(), "192.0.2.9".into()));
    let short = framed(&[8, 6], &message[..27]);
    assert_eq!(Frame::parse(&short).unwrap().arp().unwrap_err(), Malformed::Short);
}

/// A TCP super-packet of 3000 bytes, and the header that Linux writes for it.
fn super_packet() -> (Vec<u8>, VnetHeader) {
    let bytes = ip("192.0.2.1", "192.0.2.2", protocol::TCP, &tcp((1, 2), 0x18, &[1, 1, 1, 0], &[7; 3000]));
    (bytes, VnetHeader { flags: 1, gso_type: 1, hdr_len: 44, gso_size: 1400, csum_start: 20, csum_offset: 16 })
}

#[test]
fn a_virtio_net_header_survives_its_bytes() {
    let (_, header) = super_packet();
    let bytes = [&header.to_bytes()[..], b"rest"].concat();
    assert_eq!(VnetHeader::parse(&bytes), Ok((header, &b"rest"[..])));
    assert_eq!(VnetHeader::parse(&bytes[..9]), Err(Malformed::Short));
}

#[test]
fn a_header_that_fits_is_accepted_and_any_lie_is_not() {
    let (bytes, good) = super_packet();
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!(good.check(&packet), Ok(()));
    assert_eq!((good.headers(&packet), good.largest(&packet), good.segments(&packet)), (44, 1444, 3));
    let lies = [
        (VnetHeader { flags: 5, ..good }, Malformed::VnetFlags),
        (VnetHeader { flags: 0, ..good }, Malformed::VnetChecksum),
        (VnetHeader { gso_type: 4, ..good }, Malformed::VnetGsoType),
        (VnetHeader { gso_type: 5, ..good }, Malformed::VnetGsoType),
        (VnetHeader { gso_type: 3, ..good }, Malformed::VnetGsoType),
        (VnetHeader { gso_type: 0x80, ..good }, Malformed::VnetGsoType),
        (VnetHeader { gso_size: 0, ..good }, Malformed::VnetGsoSize),
        (VnetHeader { gso_size: 0xffff, ..good }, Malformed::VnetGsoSize),
        (VnetHeader { hdr_len: 3045, ..good }, Malformed::VnetHeaderLength),
        (VnetHeader { csum_start: 24, ..good }, Malformed::VnetChecksum),
        (VnetHeader { csum_offset: 6, ..good }, Malformed::VnetChecksum),
    ];
    for (header, reason) in lies {
        assert_eq!(header.check(&packet), Err(reason), "{header:?}");
    }
    for harmless in [VnetHeader { gso_type: 0x81, ..good }, VnetHeader { hdr_len: 3044, ..good }] {
        assert_eq!(harmless.check(&packet), Ok(()));
    }
}

#[test]
fn fragments_have_nothing_left_to_do() {
    let later = fragment(udp_packet("192.0.2.1", "192.0.2.2", (1, 2)), 8, false);
    let header = VnetHeader { flags: 1, csum_start: 20, csum_offset: 6, ..VnetHeader::default() };
    assert_eq!(header.check(&Packet::parse(&later).unwrap()), Err(Malformed::VnetChecksum));
    let whole = udp_packet("192.0.2.1", "192.0.2.2", (1, 2));
    assert_eq!(header.check(&Packet::parse(&whole).unwrap()), Ok(()));
}

#[test]
fn offsets_of_a_frame_count_its_header() {
    let (bytes, header) = super_packet();
    let header = VnetHeader { csum_start: 34, hdr_len: 58, ..header };
    let bytes = framed(&[8, 0], &bytes);
    let frame = Frame::parse(&bytes).unwrap();
    let packet = frame.packet().unwrap();
    assert_eq!(header.check_frame(&frame, packet.as_ref()), Ok(()));
    assert_eq!(header.check_frame(&frame, None), Err(Malformed::VnetFlags));
}

#[test]
fn names_are_distinct_and_numbered() {
    for (number, malformed) in Malformed::ALL.into_iter().enumerate() {
        assert_eq!(malformed as usize, number);
        assert!(malformed.name().bytes().all(|c| c.is_ascii_lowercase() || c == b'_' || c.is_ascii_digit()));
    }
    let names: std::collections::BTreeSet<_> = Malformed::ALL.iter().map(|malformed| malformed.name()).collect();
    assert_eq!(names.len(), Malformed::ALL.len());
}

proptest! {
    #[test]
    fn no_bytes_make_a_view_fail(mut bytes in prop::collection::vec(any::<u8>(), 0..200), version in 0u8..8) {
        if let Some(first) = bytes.first_mut() {
            *first = version << 4 | *first & 7;
        }
        if let Ok(packet) = Packet::parse_padded(&bytes) {
            prop_assert!(packet.transport_offset() <= packet.bytes().len());
            let _ = (packet.source(), packet.ports(), packet.icmp(), packet.payload());
        }
        if let Ok(frame) = Frame::parse(&bytes) {
            let _ = (frame.packet().is_ok(), frame.arp().is_ok());
        }
    }
}

//! Cutting and checksums, judged by a reader of packets that knows nothing of what it tests.

use super::*;
use crate::router::packet::{Family, Fragment, protocol};
use crate::router::samples::{ip, tcp, udp, udp_packet};
use proptest::prelude::*;

const V4: (&str, &str) = ("192.0.2.1", "192.0.2.2");
const V6: (&str, &str) = ("2001:db8::1", "2001:db8::2");

/// The sum of 16-bit words as RFC 1071 tells it, in the plainest way.
fn naive(parts: &[&[u8]]) -> u16 {
    let bytes = parts.concat();
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

fn pseudo_header(packet: &Packet<'_>) -> Vec<u8> {
    let addresses = match packet.family() {
        Family::V4 => &packet.bytes()[12..20],
        Family::V6 => &packet.bytes()[8..40],
    };
    [addresses, &[0, packet.protocol()], &(packet.payload().len() as u16).to_be_bytes()].concat()
}

/// Asserts that all checksums of a packet are right.
fn assert_sound(bytes: &[u8]) {
    let packet = Packet::parse(bytes).unwrap();
    if packet.family() == Family::V4 {
        assert_eq!(naive(&[&bytes[..packet.transport_offset()]]), 0xffff, "header checksum");
    }
    if packet.fragment() == Fragment::Whole && packet.protocol() != protocol::ICMP {
        assert_eq!(naive(&[&pseudo_header(&packet), packet.payload()]), 0xffff, "transport checksum");
    }
}

/// A super-packet as Linux hands it out, with the sum of the pseudo-header where the checksum will be.
fn super_packet(hosts: (&str, &str), gso: u8, size: u16, flags: u8, payload: &[u8]) -> (Vec<u8>, VnetHeader) {
    let (number, transport, csum_offset) = match gso {
        5 => (protocol::UDP, udp((1000, 2000), payload), 6),
        _ => (protocol::TCP, tcp((1000, 2000), flags, &[1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8], payload), 16),
    };
    let mut bytes = ip(hosts.0, hosts.1, number, &transport);
    let packet = Packet::parse(&bytes).unwrap();
    let start = packet.transport_offset();
    let partial = naive(&[&pseudo_header(&packet)]).to_be_bytes();
    bytes[start + csum_offset..start + csum_offset + 2].copy_from_slice(&partial);
    if hosts.0 == V4.0 {
        let sum = (!naive(&[&bytes[..20]])).to_be_bytes();
        bytes[10..12].copy_from_slice(&sum);
    }
    let gso_type = if gso == 1 && hosts.0 == V6.0 { 4 } else { gso };
    let (csum_start, csum_offset) = (start as u16, csum_offset as u16);
    (bytes, VnetHeader { flags: 1, gso_type, hdr_len: 0, gso_size: size, csum_start, csum_offset })
}

fn cut(header: &VnetHeader, bytes: &[u8], mtu: usize) -> Result<Vec<Vec<u8>>, Refused> {
    let mut sent = Vec::new();
    let mut buffer = vec![0xaa; BUFFER];
    let packet = Packet::parse(bytes).unwrap();
    let count = segment(header, &packet, mtu, &mut buffer, |bytes| sent.push(bytes.to_vec()))?;
    assert_eq!(count, sent.len());
    Ok(sent)
}

/// What stands behind the transport's header.
fn data(bytes: &[u8]) -> Vec<u8> {
    let packet = Packet::parse(bytes).unwrap();
    let header = if packet.protocol() == protocol::TCP { usize::from(packet.payload()[12] >> 4) * 4 } else { 8 };
    packet.payload()[header..].to_vec()
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + at / 251) as u8).collect()
}

#[test]
fn tcp_segments_follow_one_another() {
    let payload = pattern(3000);
    for hosts in [V4, V6] {
        let (bytes, header) = super_packet(hosts, 1, 1400, 0x99, &payload);
        let sent = cut(&header, &bytes, 1500).unwrap();
        assert_eq!(sent.iter().map(|bytes| data(bytes).len()).collect::<Vec<_>>(), [1400, 1400, 200]);
        let transport: Vec<_> = sent.iter().map(|bytes| Packet::parse(bytes).unwrap().payload()).collect();
        let sequence = |at: usize| u32::from_be_bytes(transport[at][4..8].try_into().unwrap());
        assert_eq!((sequence(1).wrapping_sub(sequence(0)), sequence(2).wrapping_sub(sequence(1))), (1400, 1400));
        // CWR on the first, FIN and PSH on the last, ACK on all.
        assert_eq!(transport.iter().map(|bytes| bytes[13]).collect::<Vec<_>>(), [0x90, 0x10, 0x19]);
        sent.iter().for_each(|bytes| assert_sound(bytes));
        if hosts == V4 {
            let ids: Vec<_> = sent.iter().map(|bytes| u16::from_be_bytes([bytes[4], bytes[5]])).collect();
            assert_eq!(ids, [0x1234, 0x1235, 0x1236]);
        }
    }
}

#[test]
fn udp_datagrams_have_lengths_of_their_own() {
    for hosts in [V4, V6] {
        let (bytes, header) = super_packet(hosts, 5, 100, 0, &pattern(250));
        let sent = cut(&header, &bytes, 1280).unwrap();
        let lens: Vec<_> = sent.iter().map(|bytes| Packet::parse(bytes).unwrap().payload()[5]).collect();
        assert_eq!(lens, [108, 108, 58]);
        sent.iter().for_each(|bytes| assert_sound(bytes));
    }
}

#[test]
fn a_missing_checksum_is_completed() {
    for hosts in [V4, V6] {
        for gso in [1, 5] {
            let (bytes, header) = super_packet(hosts, gso, 0, 0x10, &pattern(301));
            let sent = cut(&VnetHeader { gso_type: 0, ..header }, &bytes, 1500).unwrap();
            assert_eq!(sent.len(), 1);
            assert_eq!(data(&sent[0]), pattern(301));
            assert_sound(&sent[0]);
        }
    }
}

#[test]
fn what_needs_nothing_is_passed_on() {
    let bytes = udp_packet(V4.0, V4.1, (1, 2));
    assert_eq!(cut(&VnetHeader::default(), &bytes, 1500), Ok(vec![bytes.clone()]));
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!(segment(&VnetHeader::default(), &packet, 1500, &mut [], |_| {}), Ok(1));
}

#[test]
fn what_does_not_fit_is_refused() {
    let (bytes, header) = super_packet(V4, 1, 1400, 0x10, &pattern(3000));
    assert_eq!(cut(&header, &bytes, 1451), Err(Refused::TooBig));
    assert_eq!(cut(&header, &bytes, 1452).map(|sent| sent.len()), Ok(3));
    let liar = VnetHeader { csum_start: 0, ..header };
    assert_eq!(cut(&liar, &bytes, 1500), Err(Refused::Malformed(Malformed::VnetChecksum)));
    let packet = Packet::parse(&bytes).unwrap();
    assert_eq!(segment(&header, &packet, 1500, &mut [0; 1451], |_| {}), Err(Refused::Buffer));
}

/// The packet that fragments make up, put together by their offsets.
fn reassembled(fragments: &[Vec<u8>]) -> Vec<u8> {
    let mut whole = Vec::new();
    for bytes in fragments {
        let word = u16::from_be_bytes([bytes[6], bytes[7]]);
        assert_eq!(usize::from(word & 0x1fff) * 8, whole.len());
        whole.extend(&bytes[usize::from(bytes[0] & 15) * 4..]);
    }
    let more: Vec<_> = fragments.iter().map(|bytes| bytes[6] & 0x20 != 0).collect();
    assert!(more.split_last().is_some_and(|(last, others)| !last && others.iter().all(|more| *more)));
    whole
}

#[test]
fn ipv4_without_df_is_fragmented() {
    let payload = pattern(3001);
    let (mut bytes, header) = super_packet(V4, 5, 0, 0, &payload);
    bytes[6] = 0;
    let sent = cut(&VnetHeader { gso_type: 0, ..header }, &bytes, 576).unwrap();
    assert_eq!(sent.len(), 6);
    sent.iter().for_each(|bytes| assert_sound(bytes));
    let whole = reassembled(&sent);
    assert_eq!(whole[8..], payload);
    assert_eq!(naive(&[&pseudo_header(&Packet::parse(&bytes).unwrap()), &whole]), 0xffff);
    // A fragment of these again.
    let again = cut(&VnetHeader::default(), &sent[2], 100).unwrap();
    let offset = |bytes: &Vec<u8>| u16::from_be_bytes([bytes[6], bytes[7]]);
    assert_eq!(offset(&again[0]), offset(&sent[2]));
    assert!(again.iter().all(|bytes| bytes[6] & 0x20 != 0));
}

#[test]
fn super_packets_without_df_become_fragments_of_segments() {
    let (mut bytes, header) = super_packet(V4, 1, 1400, 0x10, &pattern(2800));
    bytes[6] = 0;
    let sent = cut(&header, &bytes, 1000).unwrap();
    assert_eq!(sent.len(), 4);
    sent.iter().for_each(|bytes| assert_sound(bytes));
    assert_eq!(reassembled(&sent[..2]).len(), 32 + 1400);
    assert_eq!(reassembled(&sent[2..])[32..], pattern(2800)[1400..]);
}

#[test]
fn only_options_that_are_to_be_copied_are() {
    let options = [7, 4, 4, 0, 148, 4, 0, 0];
    let mut bytes = ip(V4.0, V4.1, protocol::UDP, &[&options[..], &udp((1, 2), &pattern(200))].concat());
    (bytes[0], bytes[6]) = (0x47, 0);
    let sent = cut(&VnetHeader::default(), &bytes, 128).unwrap();
    assert_eq!(sent[0][20..28], options);
    assert_eq!(sent[1][20..28], [1, 1, 1, 1, 148, 4, 0, 0]);
    assert_eq!(reassembled(&sent)[8..], pattern(200));
    sent.iter().for_each(|bytes| assert_sound(bytes));
}

#[test]
fn frames_keep_their_header_and_lose_their_padding() {
    let ethernet = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
    let (bytes, header) = super_packet(V4, 1, 100, 0x10, &pattern(250));
    let header = VnetHeader { csum_start: header.csum_start + 14, ..header };
    let bytes = [&ethernet[..], &bytes].concat();
    let frame = Frame::parse(&bytes).unwrap();
    let packet = frame.packet().unwrap().unwrap();
    let mut sent = Vec::new();
    let mut buffer = [0; 2000];
    let send = |bytes: &[u8]| sent.push(bytes.to_vec());
    assert_eq!(segment_frame(&header, &frame, Some(&packet), 1500, &mut buffer, send), Ok(3));
    for bytes in &sent {
        assert_eq!(bytes[..14], ethernet);
        assert_sound(&bytes[14..]);
    }
}

#[test]
fn the_sender_of_what_is_too_big_is_told() {
    for (hosts, quoted) in [(V4, 548), (V6, 1232)] {
        let (bytes, _) = super_packet(hosts, 1, 1400, 0x10, &pattern(3000));
        let packet = Packet::parse(&bytes).unwrap();
        let answer = too_big(&packet, 1300, None).unwrap();
        assert_sound(&answer);
        let told = Packet::parse(&answer).unwrap();
        assert_eq!((told.source(), told.destination()), (packet.destination(), packet.source()));
        let expected: (_, &[u8]) =
            if hosts == V4 { (Some((3, 4)), &[0, 0, 5, 20]) } else { (Some((2, 0)), &[0, 0, 5, 20]) };
        assert_eq!((told.icmp(), &told.payload()[4..8]), expected);
        assert_eq!(told.payload()[8..], bytes[..quoted]);
        if hosts == V4 {
            assert_eq!(naive(&[told.payload()]), 0xffff);
        }
        let router = if hosts == V4 { "192.0.2.254" } else { "2001:db8::ffff" }.parse().unwrap();
        let answer = too_big(&packet, 1300, Some(router)).unwrap();
        assert_eq!(Packet::parse(&answer).unwrap().source(), router);
    }
}

#[test]
fn nobody_is_told_about_errors_groups_or_fragments() {
    let told = |source: &str, destination: &str, number: u8, payload: &[u8]| {
        let bytes = ip(source, destination, number, payload);
        too_big(&Packet::parse(&bytes).unwrap(), 100, None).is_some()
    };
    assert!(told(V4.0, V4.1, protocol::ICMP, &[8, 0, 0, 0]));
    assert!(!told(V4.0, V4.1, protocol::ICMP, &[3, 4, 0, 0]));
    assert!(told(V6.0, V6.1, protocol::ICMPV6, &[128, 0, 0, 0]));
    assert!(!told(V6.0, V6.1, protocol::ICMPV6, &[2, 0, 0, 0]));
    for (source, destination) in
        [(V4.0, "224.0.0.1"), (V4.0, "255.255.255.255"), ("0.0.0.0", V4.1), ("127.0.0.1", V4.1)]
    {
        assert!(!told(source, destination, protocol::UDP, &udp((1, 2), b"")), "{source} {destination}");
    }
    assert!(!told(V6.0, "ff02::1", 59, b"") && !told("::", V6.1, 59, b""));
    for fragment_word in [[0, 0], [0x40, 1]] {
        let mut bytes = udp_packet(V4.0, V4.1, (1, 2));
        bytes[6..8].copy_from_slice(&fragment_word);
        assert_eq!(too_big(&Packet::parse(&bytes).unwrap(), 100, None), None);
    }
}

proptest! {
    #[test]
    fn sums_are_those_of_the_plain_way(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0..150usize) {
        let (first, second) = bytes.split_at((at & !1).min(bytes.len() & !1));
        let sum = u16::from_be_bytes(Sum::default().with(first).with(second).finish());
        let plain = !naive(&[&bytes]);
        prop_assert!(sum == plain || (sum, plain) == (0xffff, 0));
    }

    #[test]
    fn segments_are_the_payload_in_packets_of_at_most_the_mtu(
        len in 0..65000usize, size in 520..9000u16, v4 in any::<bool>(), gso in prop_oneof![Just(1u8), Just(5)],
    ) {
        let payload = pattern(len);
        let (bytes, header) = super_packet(if v4 { V4 } else { V6 }, gso, size, 0x18, &payload);
        let packet = Packet::parse(&bytes).unwrap();
        let mtu = header.largest(&packet);
        let sent = cut(&header, &bytes, mtu).unwrap();
        prop_assert_eq!(sent.len(), header.segments(&packet));
        sent.iter().for_each(|bytes| assert_sound(bytes));
        prop_assert!(sent.iter().all(|bytes| bytes.len() <= mtu));
        prop_assert_eq!(sent.iter().flat_map(|bytes| data(bytes)).collect::<Vec<_>>(), payload);
        prop_assert_eq!(cut(&header, &bytes, mtu - 1).err(), Some(Refused::TooBig));
    }
}

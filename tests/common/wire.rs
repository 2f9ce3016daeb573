//! What the fuzz targets of the router's pure modules do with their bytes; their seeds are replayed with it, without a fuzzer.

use super::router::packet::{Fragment, Frame, Malformed, Packet, VnetHeader, protocol};
use super::router::rule::{Action, Chain, ChainState, Mistake, Rule};
use super::router::segment::{BUFFER, Refused, segment, segment_frame, too_big};
use super::router::tunnel::{handshake, table, wire};
use super::router::uwsgi::*;
use std::cell::RefCell;
use std::str::FromStr;

thread_local! {
    static ROOM: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

/// A virtio-net header and a packet or frame. The first byte says whether it is a frame, the next two the MTU.
pub fn packet(bytes: &[u8]) {
    let Some(([kind, high, low], rest)) = bytes.split_first_chunk::<3>() else { return };
    let mtu = usize::from(u16::from_be_bytes([*high, *low])).max(68);
    let Ok((header, rest)) = VnetHeader::parse(rest) else { return };
    assert_eq!(header.to_bytes(), bytes[3..13]);
    ROOM.with_borrow_mut(
        |room| if kind & 1 == 0 { tun(header, rest, mtu, room) } else { tap(header, rest, mtu, room) },
    );
}

fn tun(header: VnetHeader, bytes: &[u8], mtu: usize, room: &mut [u8]) {
    let Ok(packet) = Packet::parse(bytes) else { return };
    look(&packet);
    answer(&packet, mtu);
    let fits = header.check(&packet);
    let mut data = 0;
    let sent = segment(&header, &packet, mtu, room, |bytes| {
        assert!(bytes.len() <= mtu);
        let sent = Packet::parse(bytes).expect("what is sent can be read");
        assert_eq!((sent.source(), sent.destination()), (packet.source(), packet.destination()));
        // A fragment's beginning need not be long enough for its transport's header: those are read as fragments.
        data += sent.payload().len();
    });
    outcome(&header, &packet, fits, sent, mtu);
    if sent.is_ok() && header.gso().is_none() {
        assert_eq!(data, packet.payload().len());
    }
}

fn tap(header: VnetHeader, bytes: &[u8], mtu: usize, room: &mut [u8]) {
    let Ok(frame) = Frame::parse(bytes) else { return };
    let _ = (frame.arp(), frame.vlan(), frame.source(), frame.destination());
    let Ok(packet) = frame.packet() else { return };
    let fits = header.check_frame(&frame, packet.as_ref());
    let sent = segment_frame(&header, &frame, packet.as_ref(), mtu, room, |bytes| {
        let sent = Frame::parse(bytes).expect("what is sent can be read");
        assert!(sent.payload().len() <= mtu);
        assert_eq!((sent.ethertype(), sent.vlan()), (frame.ethertype(), frame.vlan()));
    });
    if let Some(packet) = packet {
        look(&packet);
        outcome(&header, &packet, fits, sent, mtu);
    }
}

fn look(packet: &Packet<'_>) {
    assert!(packet.transport_offset() <= packet.bytes().len());
    assert_eq!(
        packet.ports().is_some(),
        protocol::has_ports(packet.protocol()) && packet.fragment() != Fragment::Later
    );
    let _ = (packet.icmp(), packet.ttl(), packet.dont_fragment());
}

fn outcome(
    header: &VnetHeader,
    packet: &Packet<'_>,
    fits: Result<(), Malformed>,
    sent: Result<usize, Refused>,
    mtu: usize,
) {
    match (fits, sent) {
        (Err(reason), sent) => assert_eq!(sent, Err(Refused::Malformed(reason))),
        (Ok(()), Ok(count)) if header.largest(packet) <= mtu => assert_eq!(count, header.segments(packet)),
        (Ok(()), Ok(count)) => assert!(count > header.segments(packet) && !packet.dont_fragment()),
        (Ok(()), Err(reason)) => assert_eq!(reason, Refused::TooBig),
    }
}

/// An answer is a packet, goes back, and is never answered itself.
fn answer(packet: &Packet<'_>, mtu: usize) {
    let Some(bytes) = too_big(packet, mtu, None) else { return };
    let answer = Packet::parse(&bytes).expect("an answer can be read");
    assert_eq!(answer.destination(), packet.source());
    assert!(bytes.len() <= 1280 && too_big(&answer, 68, None).is_none());
}

const MAX: usize = 200;

type Read = (Vec<(Kind, Vec<u8>)>, Option<FrameError>);

/// Reads a stream in parts of `len` bytes.
fn read(bytes: &[u8], len: usize, greeting: Greeting) -> Read {
    let mut decoder = Decoder::new(MAX, greeting);
    let mut messages = Vec::new();
    for part in bytes.chunks(len) {
        let mut rest = part;
        while !rest.is_empty() {
            let taken = decoder.feed(rest);
            assert!(taken > 0, "there is room after all messages are taken");
            rest = &rest[taken..];
            loop {
                match decoder.message() {
                    Ok(Some(message)) => messages.push((message.kind, message.payload.to_vec())),
                    Ok(None) => break,
                    Err(error) => return (messages, Some(error)),
                }
            }
        }
    }
    (messages, None)
}

/// A stream of frames, and the text of options. The first byte says how the stream is cut.
pub fn uwsgi(bytes: &[u8]) {
    let Some((first, stream)) = bytes.split_first() else { return };
    let greeting = if first & 1 == 0 { Greeting::Required } else { Greeting::Optional };
    let whole = read(stream, stream.len().max(1), greeting);
    assert_eq!(whole, read(stream, usize::from(first >> 1) % 40 + 1, greeting));
    for (kind, payload) in &whole.0 {
        assert!(payload.len() <= MAX);
        if *kind == Kind::Rules {
            rules(payload);
        }
    }
    if let Ok(text) = std::str::from_utf8(stream) {
        option::<RouterOption>(text);
        option::<DeviceOption>(text);
        option::<RouteOption>(text);
        option::<PeerRule>(text);
        let _ = credentials(text);
    }
}

/// What is understood of a block survives being written, and becomes chains of as many rules.
fn rules(block: &[u8]) {
    let Ok(rules) = decode_rules(block) else { return };
    for rule in &rules {
        // A gateway's port of zero has no text.
        if let Ok(read) = rule.to_string().parse::<PeerRule>() {
            assert_eq!(read, *rule);
        } else {
            assert!(matches!(rule.action, PeerAction::Gateway(target) if target.port() == 0));
        }
    }
    let chains = PeerChains::new(&rules);
    assert_eq!(chains.into.rules.len() + chains.out.rules.len(), rules.len());
    let known =
        |rule: &PeerRule| [rule.source, rule.destination].iter().all(|n| n.net().is_none_or(|n| n.prefix_len() > 0));
    match encode_rules(&rules) {
        Ok(written) if rules.iter().all(known) => assert_eq!(decode_rules(&written[HEADER..]), Ok(rules)),
        Ok(_) => {}
        Err(reason) => assert_eq!(reason, Inexpressible::Zero),
    }
}

fn option<T: FromStr<Err = Mistake>>(text: &str) {
    if let Err(mistake) = text.parse::<T>() {
        assert!(text.get(mistake.at..mistake.at + mistake.len).is_some());
        let _ = mistake.to_string();
    }
}

/// Lines of rules; what follows a zero byte is a packet that they are asked about.
pub fn firewall(bytes: &[u8]) {
    let split = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let Ok(text) = std::str::from_utf8(&bytes[..split]) else { return };
    let mut chain = Chain { rules: text.lines().filter_map(rule).collect(), policy: Action::Deny };
    if let Ok(packet) = Packet::parse(bytes.get(split + 1..).unwrap_or_default()) {
        let _ = ChainState::new(&chain).verdict(&packet, 0);
        chain.rules.iter_mut().for_each(|rule| rule.rate = None);
        let mut state = ChainState::new(&chain);
        let first = chain.rules.iter().position(|rule| rule.matches(&packet)).map(|at| at as u32);
        assert_eq!(state.verdict(&packet, 0).rule, first);
        assert_eq!(
            state.reload(&chain).counters().map(|(_, counter)| counter.packets).sum::<u64>(),
            u64::from(first.is_some())
        );
    }
}

fn rule(line: &str) -> Option<Rule> {
    match line.parse::<Rule>() {
        Ok(rule) => {
            assert_eq!(rule.to_string().parse(), Ok(rule.clone()));
            Some(rule)
        }
        Err(mistake) => {
            assert!(line.get(mistake.at..mistake.at + mistake.len).is_some());
            let _ = mistake.to_string();
            None
        }
    }
}

/// What a host says to a router, and what follows. The first byte says how the stream is cut, and whether it is a request, a response or
/// routes.
pub fn tunnel(bytes: &[u8]) {
    let Some((first, stream)) = bytes.split_first() else { return };
    match first & 3 {
        0 => request(stream),
        1 => response(stream),
        2 => routes(stream),
        _ => {}
    }
    let whole = packets(stream, stream.len().max(1));
    assert_eq!(whole, packets(stream, usize::from(first >> 2) + 1));
    assert!(whole.0.iter().all(|packet| (1..=MAX).contains(&packet.len())));
}

/// What is understood of a request survives being written.
fn request(bytes: &[u8]) {
    let Some((header, features)) = bytes.split_first_chunk() else { return };
    let Ok(len) = handshake::rest(*header) else { return };
    let Ok(request) = handshake::Request::decode(*header, features.get(..len).unwrap_or(features)) else { return };
    let written = request.encode();
    let (header, features) = written.split_first_chunk().expect("a header");
    assert_eq!(handshake::rest(*header), Ok(features.len()));
    assert_eq!(handshake::Request::decode(*header, features), Ok(request));
}

fn response(bytes: &[u8]) {
    let Some((header, features)) = bytes.split_first_chunk() else { return };
    let Ok(response) = handshake::Response::decode(*header, features) else { return };
    let written = response.encode();
    let (header, features) = written.split_first_chunk().expect("a header");
    assert_eq!(handshake::Response::decode(*header, features), Ok(response));
}

/// Each route of a text is found by its own ends, or a longer one is.
fn routes(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let lines = text.lines().filter_map(|line| table::parse_line(line).ok().flatten());
    let routes: Vec<_> = lines.map(|(to, host)| (to, table::Gateway::Host(host))).collect();
    let built = table::Routes::new(routes.iter().cloned()).0;
    for address in routes.iter().flat_map(|(to, _)| [to.network(), to.broadcast()]) {
        let longest = routes.iter().rev().filter(|(to, _)| to.contains(&address)).max_by_key(|(to, _)| to.prefix_len());
        assert_eq!(built.gateway(address), longest.map(|(_, gateway)| gateway));
    }
}

/// The packets of a stream that is read in parts of `len` bytes, and whether it could be understood to its end.
fn packets(bytes: &[u8], len: usize) -> (Vec<Vec<u8>>, bool) {
    let mut decoder = wire::Decoder::new(MAX, 0);
    let mut packets = Vec::new();
    for mut rest in bytes.chunks(len) {
        while !rest.is_empty() {
            let taken = decoder.feed(rest);
            assert!(taken > 0, "there is room after all packets are taken");
            rest = &rest[taken..];
            loop {
                match decoder.packet() {
                    Ok(Some(packet)) => packets.push(packet.to_vec()),
                    Ok(None) => break,
                    Err(_) => return (packets, false),
                }
            }
        }
    }
    (packets, true)
}

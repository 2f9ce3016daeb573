//! Cutting: TCP and UDP super-packets into packets, and those of IPv4 into fragments.

use super::{Refused, Sum};
use crate::router::packet::{Family, Gso, Packet, VnetHeader};

const TCP_FIN: u8 = 0x01;
const TCP_PSH: u8 = 0x08;
const TCP_CWR: u8 = 0x80;

/// Where packets are put together, and where they go.
pub(super) struct Sink<'b, E> {
    mtu: usize,
    buffer: &'b mut [u8],
    emit: E,
    sent: usize,
}

impl<'b, E: FnMut(&[u8])> Sink<'b, E> {
    pub fn new(mtu: usize, buffer: &'b mut [u8], emit: E) -> Self {
        Self { mtu, buffer, emit, sent: 0 }
    }
}

/// Sends what becomes of a packet whose header was checked; `ahead` is put before each.
pub(super) fn cut<E: FnMut(&[u8])>(
    header: &VnetHeader,
    packet: &Packet<'_>,
    ahead: &[u8],
    mut sink: Sink<'_, E>,
) -> Result<usize, Refused> {
    let largest = header.largest(packet);
    let too_big = largest > sink.mtu;
    // A fragment holds a header and 8 bytes at least.
    if too_big && (packet.dont_fragment() || sink.mtu < packet.transport_offset() + 8) {
        return Err(Refused::TooBig);
    }
    if header.gso().is_none() && !header.needs_checksum() && !too_big && ahead.is_empty() {
        (sink.emit)(packet.bytes());
        return Ok(1);
    }
    if sink.buffer.len() < ahead.len() + largest {
        return Err(Refused::Buffer);
    }
    write(sink.buffer, 0, ahead);
    match header.gso() {
        Some(gso) => segments(header, gso, packet, ahead.len(), &mut sink),
        None => {
            write(sink.buffer, ahead.len(), packet.bytes());
            if header.needs_checksum() {
                let start = packet.transport_offset();
                let place = start + usize::from(header.csum_offset);
                // What is there is the sum of the pseudo-header: so it need not be known what that is.
                let sum = Sum::default().with(packet.payload()).finish();
                write(sink.buffer, ahead.len() + place, &sum);
            }
            sink.send(ahead.len(), packet.bytes().len(), packet);
        }
    }
    Ok(sink.sent)
}

/// Cuts a super-packet. The transport's checksum is made anew of each segment, whatever was there; of the addresses in the IP header,
/// so that it would be wrong behind an IPv6 routing header with addresses left, which Linux does not make super-packets of.
fn segments<E: FnMut(&[u8])>(header: &VnetHeader, gso: Gso, packet: &Packet<'_>, ahead: usize, sink: &mut Sink<'_, E>) {
    let (headers, payload) = packet.bytes().split_at(header.headers(packet));
    let size = usize::from(header.gso_size).max(1);
    let last = payload.len().div_ceil(size).saturating_sub(1);
    for (number, part) in payload.chunks(size).enumerate() {
        let len = headers.len() + part.len();
        let Some(segment) = sink.buffer.get_mut(ahead..ahead + len) else { return };
        write(segment, 0, headers);
        write(segment, headers.len(), part);
        renumber(segment, packet, number);
        match gso {
            Gso::Tcp => tcp(segment, packet, number * size, number == last),
            Gso::Udp => udp(segment, packet),
        }
        sink.send(ahead, len, packet);
    }
    if payload.is_empty() {
        // A header alone, with nothing to cut: only its checksum is missing.
        let plain = VnetHeader { gso_type: 0, gso_size: 0, ..*header };
        let sum = Sum::default().with(packet.payload()).finish();
        write(sink.buffer, ahead, packet.bytes());
        write(sink.buffer, ahead + packet.transport_offset() + usize::from(plain.csum_offset), &sum);
        sink.send(ahead, packet.bytes().len(), packet);
    }
}

/// IP's length, IPv4's identification and header checksum.
fn renumber(segment: &mut [u8], packet: &Packet<'_>, number: usize) {
    match packet.family() {
        Family::V4 => {
            let identification = u16_at(packet.bytes(), 4).wrapping_add(number as u16);
            write(segment, 2, &(segment.len() as u16).to_be_bytes());
            write(segment, 4, &identification.to_be_bytes());
            checksum_v4(segment, packet.transport_offset());
        }
        Family::V6 => write(segment, 4, &(segment.len().saturating_sub(40) as u16).to_be_bytes()),
    }
}

fn checksum_v4(packet: &mut [u8], header_len: usize) {
    write(packet, 10, &[0, 0]);
    let sum = Sum::default().with(packet.get(..header_len).unwrap_or_default()).finish();
    write(packet, 10, &sum);
}

/// The segment's sequence number, and the flags that belong to the first or the last one only.
fn tcp(segment: &mut [u8], packet: &Packet<'_>, offset: usize, last: bool) {
    let at = packet.transport_offset();
    let [high, low] = [u16_at(packet.bytes(), at + 4), u16_at(packet.bytes(), at + 6)];
    let sequence = (u32::from(high) << 16 | u32::from(low)).wrapping_add(offset as u32);
    write(segment, at + 4, &sequence.to_be_bytes());
    if let Some(flags) = segment.get_mut(at + 13) {
        *flags &= if last { u8::MAX } else { !(TCP_FIN | TCP_PSH) };
        *flags &= if offset == 0 { u8::MAX } else { !TCP_CWR };
    }
    checksum(segment, packet, at + 16);
}

fn udp(segment: &mut [u8], packet: &Packet<'_>) {
    let at = packet.transport_offset();
    write(segment, at + 4, &(segment.len().saturating_sub(at) as u16).to_be_bytes());
    checksum(segment, packet, at + 6);
}

fn checksum(segment: &mut [u8], packet: &Packet<'_>, place: usize) {
    write(segment, place, &[0, 0]);
    let transport = segment.get(packet.transport_offset()..).unwrap_or_default();
    let sum = Sum::default().with_pseudo_header(packet, transport.len()).with(transport).finish();
    write(segment, place, &sum);
}

impl<E: FnMut(&[u8])> Sink<'_, E> {
    /// Sends the packet of `len` bytes that stands in the buffer behind `ahead` bytes, in fragments if need be.
    fn send(&mut self, ahead: usize, len: usize, packet: &Packet<'_>) {
        if len > self.mtu {
            return self.fragments(ahead, len, packet.transport_offset());
        }
        (self.emit)(self.buffer.get(..ahead + len).unwrap_or_default());
        self.sent += 1;
    }

    /// Fragments an IPv4 packet (RFC 791, section 3.2). Headers are written over the end of the fragment that was sent before.
    fn fragments(&mut self, ahead: usize, len: usize, header_len: usize) {
        let size = (self.mtu - header_len) & !7;
        let Some(bytes) = self.buffer.get_mut(..ahead + len) else { return };
        let mut headers = [0; 18 + 60];
        let Some(headers) = headers.get_mut(..ahead + header_len) else { return };
        write(headers, 0, bytes);
        let before = u16_at(headers, ahead + 6);
        for start in (0..len - header_len).step_by(size) {
            let end = (start + size).min(len - header_len);
            let more = end < len - header_len || before & 0x2000 != 0;
            let offset = (before & 0x1fff) + (start / 8) as u16;
            let word = before & 0xc000 | if more { 0x2000 } else { 0 } | offset & 0x1fff;
            let Some(fragment) = bytes.get_mut(start..end + headers.len()) else { return };
            write(fragment, 0, headers);
            let Some(packet) = fragment.get_mut(ahead..) else { return };
            write(packet, 2, &(packet.len() as u16).to_be_bytes());
            write(packet, 6, &word.to_be_bytes());
            checksum_v4(packet, header_len);
            (self.emit)(fragment);
            self.sent += 1;
            forget_options(headers.get_mut(ahead + 20..).unwrap_or_default());
        }
    }
}

/// Options that are not copied into later fragments become "no operation", so that the header keeps its length.
fn forget_options(mut options: &mut [u8]) {
    while let [kind, rest @ ..] = options {
        let len = match (*kind, rest.first()) {
            (0, _) => return,
            (1, _) => 1,
            (_, Some(len)) if *len >= 2 => usize::from(*len).min(rest.len() + 1),
            _ => return,
        };
        let (option, after) = options.split_at_mut(len);
        if option.first().is_some_and(|kind| kind & 0x80 == 0) {
            option.fill(1);
        }
        options = after;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |two| u16::from_be_bytes(*two))
}

/// Writes as much of `part` as there is room for.
#[inline]
fn write(bytes: &mut [u8], at: usize, part: &[u8]) {
    let room = bytes.get_mut(at..).unwrap_or_default();
    let len = room.len().min(part.len());
    room[..len].copy_from_slice(&part[..len]);
}

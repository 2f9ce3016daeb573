//! How packets leave: by a device as they are, to a stream cut and framed, or into a queue where a rate keeps them.

use super::{Data, token};
use crate::kernel::tun::{Buffer, Event};
use crate::router::Nanos;
use crate::router::packet::{Frame, Packet, VnetHeader};
use crate::router::segment;
use crate::router::settings::Mode;
use crate::router::switch::{PortId, Reason};
use std::cmp::Reverse;

impl Data {
    /// The size of the largest packet to a port, in bytes.
    pub(super) fn mtu(&self, port: PortId) -> usize {
        let own = self.ways.get(port.0 as usize).and_then(|way| way.as_ref()?.mtu);
        own.unwrap_or(self.switch.settings().mtu as usize)
    }

    /// Writes what is in a buffer to a port.
    pub(super) fn forward(
        &mut self,
        from: PortId,
        to: PortId,
        header: VnetHeader,
        buffer: Buffer,
        now: Nanos,
        later: &mut Vec<Event>,
    ) {
        let at_once = self.switch.may_pass(to, now).is_none();
        let headers = self.way(from).is_some_and(|way| way.headers);
        let length = self.engine.bytes(&buffer).len();
        if let Some(way) = self.way(to)
            && (at_once, way.headers, way.queue.is_empty()) == (true, headers, true)
            && way.framed.is_none()
        {
            self.switch.passed(to, length, now);
            return self.engine.write(token(to), buffer, later);
        }
        let skip = if headers { VnetHeader::LEN } else { 0 };
        let packet = self.engine.bytes(&buffer).get(skip..).unwrap_or_default();
        if let Some(Some(way)) = self.ways.get_mut(to.0 as usize)
            && (at_once, way.queue.is_empty()) == (true, true)
            && let Some(framed) = &mut way.framed
        {
            self.switch.passed(to, length, now);
            let mtu = way.mtu.unwrap_or(self.switch.settings().mtu as usize);
            let mut lost = 0;
            let emit = |piece: &[u8]| lost += u64::from(!framed.queue(piece));
            let cut = cut(self.switch.settings().mode, &header, packet, mtu, &mut self.pieces, emit);
            if cut.is_ok() {
                self.engine.release(buffer);
                return self.queued(to, lost);
            }
        }
        let packet = packet.to_vec();
        self.engine.release(buffer);
        self.send(to, &header, &packet, now, later);
    }

    /// Frames are queued for a port, but for so many.
    fn queued(&mut self, to: PortId, lost: u64) {
        let Some(Some(way)) = self.ways.get_mut(to.0 as usize) else { return };
        if !std::mem::replace(&mut way.dirty, true) {
            self.unwritten.push(to);
        }
        if lost > 0 {
            self.switch.failed(to, Reason::QueueFull, lost);
        }
    }

    /// Writes a packet to a port, whatever that is, or queues it there.
    pub(super) fn send(&mut self, to: PortId, header: &VnetHeader, packet: &[u8], now: Nanos, later: &mut Vec<Event>) {
        let wait = self.switch.may_pass(to, now);
        let bound = self.switch.peer(to).map_or(usize::MAX, |peer| peer.limits.queue as usize);
        let Some(Some(way)) = self.ways.get_mut(to.0 as usize) else { return };
        if wait.is_some() || !way.queue.is_empty() {
            if !way.queue.push(header, packet, bound) {
                self.switch.failed(to, Reason::QueueFull, 1);
            } else if let Some(at) = wait.filter(|_| !std::mem::replace(&mut way.timed, true)) {
                self.timers.push(Reverse((at, to.0)));
            }
            return;
        }
        self.switch.passed(to, packet.len(), now);
        self.put(to, header, packet, now, later);
    }

    /// Hands a packet to what a port is.
    pub(super) fn put(&mut self, to: PortId, header: &VnetHeader, packet: &[u8], now: Nanos, later: &mut Vec<Event>) {
        let mtu = self.mtu(to);
        let Some(Some(way)) = self.ways.get_mut(to.0 as usize) else { return };
        if way.headers {
            match self.engine.copy([&header.to_bytes(), packet]) {
                Some(buffer) => self.engine.write(token(to), buffer, later),
                None => self.switch.failed(to, Reason::NoBuffer, 1),
            }
            return;
        }
        let engine = &mut self.engine;
        let mut lost = 0;
        let emit = |piece: &[u8]| match &mut way.framed {
            Some(framed) => lost += u64::from(!framed.queue(piece)),
            None => match engine.copy([&[], piece]) {
                Some(buffer) => engine.write(token(to), buffer, later),
                None => lost += 1,
            },
        };
        let cut = cut(self.switch.settings().mode, header, packet, mtu, &mut self.pieces, emit);
        if way.framed.is_some() {
            self.queued(to, lost);
        } else if lost > 0 {
            self.switch.failed(to, Reason::QueueFull, lost);
        }
        if let Err(reason) = cut {
            self.switch.failed(to, reason, 1);
            // An answer is never answered, so this ends.
            if reason == Reason::TooBig
                && let Some((port, answer)) = self.too_big(packet, to)
            {
                self.send(port, &VnetHeader::default(), &answer, now, later);
            }
        }
    }

    /// Writes a frame to all but the port that it came from.
    pub(super) fn flood(
        &mut self,
        from: PortId,
        header: VnetHeader,
        buffer: Buffer,
        now: Nanos,
        later: &mut Vec<Event>,
    ) {
        let skip = if self.way(from).is_some_and(|way| way.headers) { VnetHeader::LEN } else { 0 };
        let frame = self.engine.bytes(&buffer).get(skip..).unwrap_or_default().to_vec();
        self.engine.release(buffer);
        self.flood_bytes(from, &header, &frame, now, later);
    }

    pub(super) fn flood_bytes(
        &mut self,
        from: PortId,
        header: &VnetHeader,
        frame: &[u8],
        now: Nanos,
        later: &mut Vec<Event>,
    ) {
        for index in 0..self.ways.len() as u32 {
            if self.switch.may_flood(from, PortId(index), frame, now) {
                self.send(PortId(index), header, frame, now, later);
            }
        }
    }

    /// Writes the frames that wait, as far as the streams take them.
    pub(super) fn flush(&mut self) {
        for port in std::mem::take(&mut self.unwritten) {
            let Some(Some(way)) = self.ways.get_mut(port.0 as usize) else { continue };
            way.dirty = false;
            let Some(framed) = &mut way.framed else { continue };
            match framed.write() {
                Ok(blocked) => {
                    way.blocked = blocked;
                    self.engine.watch(token(port), !way.paused, blocked);
                }
                Err(why) => self.part(port, why),
            }
        }
    }
}

/// Gives `emit` what becomes of a packet without a virtio-net header before it.
fn cut(
    mode: Mode,
    header: &VnetHeader,
    bytes: &[u8],
    mtu: usize,
    buffer: &mut [u8],
    emit: impl FnMut(&[u8]),
) -> Result<usize, Reason> {
    let refused = |refused| if refused == segment::Refused::TooBig { Reason::TooBig } else { Reason::Malformed };
    match mode {
        Mode::Tun => {
            let packet = Packet::parse(bytes).map_err(|_| Reason::Malformed)?;
            segment::segment(header, &packet, mtu, buffer, emit).map_err(refused)
        }
        Mode::Tap => {
            let frame = Frame::parse(bytes).map_err(|_| Reason::Malformed)?;
            let packet = frame.packet().map_err(|_| Reason::Malformed)?;
            segment::segment_frame(header, &frame, packet.as_ref(), mtu, buffer, emit).map_err(refused)
        }
    }
}

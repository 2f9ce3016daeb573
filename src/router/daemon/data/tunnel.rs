//! Remote hosts on the packets' thread: how they come in, and what becomes of their packets.

use super::{Data, Member, Tunnel, token};
use crate::kernel::tun::Event;
use crate::router::Nanos;
use crate::router::daemon::frames::Framed;
use crate::router::daemon::port::Way;
use crate::router::packet::VnetHeader;
use crate::router::segment;
use crate::router::switch::{DEVICE, Introduction, PortId, Refusal, Verdict};
use crate::router::tunnel::wire::Decoder;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

impl Data {
    /// Lets a remote host in, in the place of the connection that it had before, if there is one.
    pub(super) fn join_tunnel(
        &mut self,
        introduction: Introduction,
        tunnel: Tunnel,
        now: Nanos,
    ) -> Result<Member, Refusal> {
        if let Some(before) = self.switch.replaced_by(&introduction) {
            self.part(before, "it has come again".into());
        }
        let port = self.switch.join(introduction, now)?;
        let queue = self.switch.peer(port).map_or(0, |peer| peer.limits.queue as usize);
        let stream = UnixStream::from(tunnel.stream);
        let watched = stream.as_fd().try_clone_to_owned();
        let framed = Framed::tunnel(stream, tunnel.greeting, tunnel.mtu as usize, queue);
        let mut way = Way::framed(self.number + 1, framed);
        (way.mtu, way.gone, way.dirty) = (Some(tunnel.mtu as usize), Some(tunnel.gone), true);
        let member = self.member(port, None, way);
        self.unwritten.push(port);
        let added = watched.map_err(|e| e.to_string());
        let added = added.and_then(|fd| self.engine.add_socket(token(port), fd).map_err(|e| e.to_string()));
        if let Err(e) = added {
            self.part(port, e);
        }
        Ok(member)
    }

    /// Goes through the packets that a remote host has sent. Each is one hop less for whoever it goes to next.
    pub(super) fn packets(
        &mut self,
        from: PortId,
        decoder: &mut Decoder,
        now: Nanos,
        later: &mut Vec<Event>,
    ) -> Result<(), String> {
        while let Some(packet) = decoder.packet().map_err(|e| e.to_string())? {
            self.pass(from, packet, now, later);
            self.charge(from, packet.len(), now);
        }
        self.send_gathered(now, later);
        Ok(())
    }

    /// Sends a packet of a remote host where it is to go, with those that follow it.
    pub(super) fn pass(&mut self, from: PortId, packet: &mut [u8], now: Nanos, later: &mut Vec<Event>) {
        match self.switch.decide(from, &VnetHeader::default(), packet, now) {
            Verdict::To(to) => {
                if to != DEVICE {
                    segment::count_down(packet);
                }
                segment::clamp(packet, self.mtu(from));
                self.gather(to, packet, now, later);
            }
            Verdict::Flood => {}
            Verdict::Wait => self.hold(from, packet, now),
            Verdict::Drop(reason) => self.reply(from, packet, reason, now, later),
        }
    }

    /// Sends a packet to a port; where that takes super-packets, with those that follow it.
    fn gather(&mut self, to: PortId, packet: &[u8], now: Nanos, later: &mut Vec<Event>) {
        if self.gathered.0 == to && self.gathered.1.add_next(packet) {
            return;
        }
        self.send_gathered(now, later);
        if self.way(to).is_some_and(|way| way.headers) {
            self.gathered.0 = to;
            self.gathered.1.add(packet);
        } else {
            self.send(to, &VnetHeader::default(), packet, now, later);
        }
    }

    pub(super) fn send_gathered(&mut self, now: Nanos, later: &mut Vec<Event>) {
        if self.gathered.1.is_empty() {
            return;
        }
        let (to, mut merge) = (self.gathered.0, std::mem::take(&mut self.gathered.1));
        let (header, bytes) = merge.take();
        self.send(to, &header, bytes, now, later);
        // Its memory is used again.
        self.gathered.1 = merge;
    }
}

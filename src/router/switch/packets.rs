//! Deciding about IP packets (tun).

use super::super::Nanos;
use super::super::packet::{Packet, VnetHeader};
use super::{DEVICE, PortId, Reason, Switch, Verdict};

/// What becomes of a packet, and how many it will be on a wire.
pub(super) type Decided = Result<(Verdict, u64), (Reason, u64)>;

impl Switch {
    pub(super) fn packet(&mut self, from: PortId, header: &VnetHeader, bytes: &[u8], now: Nanos) -> Decided {
        let packet = Packet::parse(bytes).map_err(|_| (Reason::Malformed, 1))?;
        header.check(&packet).map_err(|_| (Reason::Malformed, 1))?;
        let count = header.segments(&packet) as u64;
        match self.route(from, &packet, now) {
            Ok(to) => Ok((Verdict::To(to), count)),
            Err(reason) => Err((reason, count)),
        }
    }

    fn route(&mut self, from: PortId, packet: &Packet<'_>, now: Nanos) -> Result<PortId, Reason> {
        if from != DEVICE {
            self.may_send(from, packet.source())?;
        }
        let destination = packet.destination();
        let to = match self.addresses.holder(&destination) {
            Some(to) => to,
            None if destination.is_multicast() => return Err(Reason::Multicast),
            None if from == DEVICE => return Err(Reason::NoPeer),
            None => DEVICE,
        };
        if to == from {
            return Err(Reason::Returned);
        }
        self.filter(from, to, packet, now)?;
        Ok(to)
    }
}

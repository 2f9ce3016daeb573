//! Deciding about IP packets (tun).

use super::super::Nanos;
use super::super::packet::{Packet, VnetHeader};
use super::remote::LOCAL;
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
        let remote = self.is_remote(from);
        if remote {
            self.may_send_from_afar(from, packet)?;
        } else if from != DEVICE {
            self.may_send(from, packet.source())?;
        }
        let (domain, destination) = (self.domain_of(from), packet.destination());
        let to = match self.addresses.holder(&(domain, destination)) {
            Some(to) => to,
            None if destination.is_multicast() => return Err(Reason::Multicast),
            None => match self.by_route(domain, packet) {
                Some(found) => found?,
                None if domain != LOCAL => return Err(self.no_route(domain, destination, now)),
                None if from == DEVICE => return Err(Reason::NoPeer),
                None => DEVICE,
            },
        };
        // What goes on by the device is the kernel's to count down.
        if remote && to != DEVICE && packet.ttl() <= 1 {
            return Err(Reason::Expired);
        }
        if to == from || remote && self.are_routers(domain, from, to) {
            return Err(Reason::Returned);
        }
        self.filter(from, to, packet, now)?;
        Ok(to)
    }
}

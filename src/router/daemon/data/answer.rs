//! The answer to who sent a packet that goes nowhere. Of its size: without it, path MTU discovery finds nothing out and connections hang.
//! Of where it was to go: without it, whoever connects waits.

use super::Data;
use crate::router::Nanos;
use crate::router::packet::{Frame, Packet};
use crate::router::segment::{self, Trouble};
use crate::router::settings::{Mode, Rate};
use crate::router::switch::{Bucket, DEVICE, PortId, Reason};

/// How many answers of the second kind there are in a second, and at once; Linux has as many (icmp_msgs_per_sec, ip-sysctl).
const ANSWERS: Rate = Rate { bytes: 1000, burst: 50 };

/// Keeps count of them.
pub(super) fn patience(now: Nanos) -> Bucket {
    Bucket::new(ANSWERS, now)
}

impl Data {
    /// The answer to a packet that is too big for a port, and the port of who is told; none when nobody may be.
    pub(super) fn too_big(&self, bytes: &[u8], to: PortId) -> Option<(PortId, Vec<u8>)> {
        let trouble = Trouble::TooBig(self.mtu(to));
        if self.switch.settings().mode == Mode::Tun {
            let packet = Packet::parse(bytes).ok()?;
            let port = self.switch.back_to(&packet, to)?;
            return Some((port, self.answer(&packet, trouble, port)?));
        }
        let frame = Frame::parse(bytes).ok()?;
        let answer = self.answer(&frame.packet().ok()??, trouble, PortId(u32::MAX))?;
        let port = self.switch.port_of_mac(frame.source())?;
        let tags = bytes.get(12..frame.header_len())?;
        Some((port, [&frame.source()[..], &frame.destination(), tags, &answer].concat()))
    }

    /// The answer to a packet that came from a port and was dropped; none where there is nothing to say, or too much was said.
    pub(super) fn lost(&mut self, bytes: &[u8], reason: Reason, from: PortId, now: Nanos) -> Option<Vec<u8>> {
        let trouble = match reason {
            Reason::NoRoute => Trouble::NoRoute,
            Reason::Away => Trouble::Away,
            Reason::Expired => Trouble::Expired,
            _ => return None,
        };
        if self.patience.wait(now).is_some() {
            return None;
        }
        self.patience.take(now, 1);
        self.answer(&Packet::parse(bytes).ok()?, trouble, from)
    }

    fn answer(&self, packet: &Packet<'_>, trouble: Trouble, port: PortId) -> Option<Vec<u8>> {
        // The host takes none from an address of its own: it hears it from where the packet was going to.
        let own = self.switch.own().iter().find(|own| own.is_ipv4() == packet.source().is_ipv4());
        segment::answer(packet, trouble, own.copied().filter(|_| port != DEVICE))
    }
}

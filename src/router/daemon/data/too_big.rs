//! The answer to who sent a packet that is larger than what it would leave by: without it, path MTU discovery finds nothing out and
//! connections hang.

use super::Data;
use crate::router::packet::{Frame, Packet};
use crate::router::segment;
use crate::router::settings::Mode;
use crate::router::switch::{DEVICE, PortId};

impl Data {
    /// The answer, and the port of who is told; none when nobody may be.
    pub(super) fn too_big(&self, bytes: &[u8]) -> Option<(PortId, Vec<u8>)> {
        let mtu = self.switch.settings().mtu as usize;
        if self.switch.settings().mode == Mode::Tun {
            return self.answer(&Packet::parse(bytes).ok()?, mtu);
        }
        let frame = Frame::parse(bytes).ok()?;
        let (_, answer) = self.answer(&frame.packet().ok()??, mtu)?;
        let port = self.switch.port_of_mac(frame.source())?;
        let tags = bytes.get(12..frame.header_len())?;
        Some((port, [&frame.source()[..], &frame.destination(), tags, &answer].concat()))
    }

    fn answer(&self, packet: &Packet<'_>, mtu: usize) -> Option<(PortId, Vec<u8>)> {
        let port = self.switch.port_of(packet.source()).unwrap_or(DEVICE);
        // The host takes none from an address of its own: it hears it from where the packet was going to.
        let own = self.switch.own().iter().find(|own| own.is_ipv4() == packet.source().is_ipv4());
        let from = own.copied().filter(|_| port != DEVICE);
        Some((port, segment::too_big(packet, mtu, from)?))
    }
}

//! Deciding about Ethernet frames (tap): a learning switch whose ports keep what they have.

use super::super::Nanos;
use super::super::packet::{Frame, Packet, VnetHeader};
use super::packets::Decided;
use super::{DEVICE, PortId, Reason, Switch, Verdict, is_host};
use std::net::IpAddr;

/// The device's own hardware addresses, and those behind it, are bounded too.
const DEVICE_MACS: usize = 65536;

impl Switch {
    pub(super) fn frame(&mut self, from: PortId, header: &VnetHeader, bytes: &[u8], now: Nanos) -> Decided {
        let malformed = |_| (Reason::Malformed, 1);
        let frame = Frame::parse(bytes).map_err(malformed)?;
        let packet = frame.packet().map_err(malformed)?;
        header.check_frame(&frame, packet.as_ref()).map_err(malformed)?;
        let count = packet.as_ref().map_or(1, |packet| header.segments(packet) as u64);
        match self.switch(from, &frame, packet.as_ref(), now) {
            Ok(verdict) => Ok((verdict, count)),
            Err(reason) => Err((reason, count)),
        }
    }

    fn switch(
        &mut self,
        from: PortId,
        frame: &Frame<'_>,
        packet: Option<&Packet<'_>>,
        now: Nanos,
    ) -> Result<Verdict, Reason> {
        self.learn(from, frame.source())?;
        self.may_send_inside(from, frame, packet)?;
        let holder = self.macs.holder(&frame.destination());
        let to = match holder {
            Some(to) if to == from => return Err(Reason::Returned),
            Some(to) => to,
            // For all, or for one that was not heard of: what the peers' chains say is asked for each.
            None => DEVICE,
        };
        if let Some(packet) = packet {
            self.filter(from, to, packet, now)?;
        }
        Ok(if holder.is_some() { Verdict::To(to) } else { Verdict::Flood })
    }

    /// Whether a frame that goes to all goes to this port, too. It is counted there.
    pub fn may_flood(&mut self, from: PortId, to: PortId, bytes: &[u8], now: Nanos) -> bool {
        if to == from || (to != DEVICE && self.peer(to).is_none()) {
            return false;
        }
        let Ok(packet) = Frame::parse(bytes).and_then(|frame| frame.packet()) else { return false };
        if to != DEVICE
            && let Some(packet) = packet
            && let Err(reason) = self.filter(DEVICE, to, &packet, now)
        {
            self.failed(to, reason, 1);
            return false;
        }
        self.count_in(to, bytes.len(), 1);
        true
    }

    /// A hardware address stays with the port that it was first heard of at, while that is there.
    fn learn(&mut self, from: PortId, mac: [u8; 6]) -> Result<(), Reason> {
        if mac[0] & 1 != 0 || mac == [0; 6] {
            return Err(Reason::Source);
        }
        if self.macs.holder(&mac) == Some(from) {
            return Ok(());
        }
        let room = match self.peer(from) {
            Some(peer) => peer.macs.len() < peer.limits.addresses as usize,
            None => from == DEVICE && self.macs.len() < DEVICE_MACS,
        };
        if !room {
            return Err(Reason::Spoofed);
        }
        self.macs.claim(mac, from).map_err(|_| Reason::Taken)?;
        if let Some(peer) = self.peer_mut(from) {
            peer.macs.push(mac);
        }
        Ok(())
    }

    /// Whether the sender may send what is in a frame.
    fn may_send_inside(&mut self, from: PortId, frame: &Frame<'_>, packet: Option<&Packet<'_>>) -> Result<(), Reason> {
        if from == DEVICE {
            return Ok(());
        }
        if let Some(packet) = packet {
            return if is_beginning(packet) { Ok(()) } else { self.may_send(from, packet.source()) };
        }
        match frame.arp().map_err(|_| Reason::Malformed)? {
            // A probe (RFC 5227) has no sender yet.
            Some(arp) if arp.sender.is_unspecified() => Ok(()),
            Some(arp) if arp.sender_mac != frame.source() => Err(Reason::Spoofed),
            Some(arp) => self.may_send(from, IpAddr::V4(arp.sender)),
            // No firewall sees what is behind a second tag.
            None if is_tag(frame.ethertype()) => Err(Reason::Malformed),
            None => Ok(()),
        }
    }
}

/// Whether an Ethernet type is that of a tag (IEEE 802.1Q, 802.1ad).
fn is_tag(ethertype: u16) -> bool {
    matches!(ethertype, 0x8100 | 0x88a8 | 0x9100)
}

/// What a host sends before it has an address, or about its link: DHCP, duplicate address detection, neighbour discovery.
fn is_beginning(packet: &Packet<'_>) -> bool {
    match packet.source() {
        IpAddr::V4(source) => source.is_unspecified() && packet.ports() == Some((68, 67)),
        IpAddr::V6(source) => !is_host(packet.source()) && (source.is_unspecified() || source.is_unicast_link_local()),
    }
}

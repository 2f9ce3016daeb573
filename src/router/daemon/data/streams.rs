//! Peers that frame packets over a stream: what they sent is gone through, frame by frame.

use super::Data;
use crate::kernel::tun::Event;
use crate::router::Nanos;
use crate::router::daemon::frames::Reader;
use crate::router::packet::VnetHeader;
use crate::router::switch::{PortId, Verdict};
use crate::router::uwsgi::{Kind, Message, PeerChains, decode_rules};

impl Data {
    /// Reads a stream, and goes through what came.
    pub(super) fn read_frames(&mut self, from: PortId, now: Nanos, later: &mut Vec<Event>) -> Result<(), String> {
        let Some(way) = self.way(from).filter(|way| !way.paused) else { return Ok(()) };
        let Some(framed) = &mut way.framed else { return Ok(()) };
        if !framed.read()? {
            return Ok(());
        }
        // Taken out while its packets are gone through, which may write to any port.
        let Some(mut reader) = framed.reader.take() else { return Ok(()) };
        let result = match &mut reader {
            Reader::Tunnel(decoder) => self.packets(from, decoder, now, later),
            Reader::Uwsgi(decoder) => loop {
                match decoder.message() {
                    Ok(Some(message)) => {
                        if let Err(why) = self.message(from, message, now, later) {
                            break Err(why);
                        }
                    }
                    Ok(None) => break Ok(()),
                    Err(e) => break Err(e.to_string()),
                }
            },
        };
        if let Some(framed) = self.way(from).and_then(|way| way.framed.as_mut()) {
            framed.reader = Some(reader);
        }
        result
    }

    fn message(
        &mut self,
        from: PortId,
        message: Message<'_>,
        now: Nanos,
        later: &mut Vec<Event>,
    ) -> Result<(), String> {
        let packet = match message.kind {
            // Who it is was settled when it came in.
            Kind::Greeting => return Ok(()),
            Kind::Rules => {
                let rules = decode_rules(message.payload).map_err(|e| e.to_string())?;
                let chains = PeerChains::new(&rules);
                if !chains.gateways.is_empty() {
                    return Err("its rules send packets to a gateway, which only the router's own may".into());
                }
                self.switch.narrow(from, [chains.out, chains.into]);
                return Ok(());
            }
            Kind::Packet => message.payload,
        };
        let header = VnetHeader::default();
        let verdict = self.switch.decide(from, &header, packet, now);
        self.settle(from);
        self.charge(from, packet.len(), now);
        match verdict {
            Verdict::To(to) => self.send(to, &header, packet, now, later),
            Verdict::Flood => self.flood_bytes(from, &header, packet, now, later),
            Verdict::Wait => self.hold(from, packet, now),
            Verdict::Drop(reason) => self.reply(from, packet, reason, now, later),
        }
        Ok(())
    }
}

//! What the chains say: those of the router, and those of the peers that a packet goes between.

use super::super::Nanos;
use super::super::packet::Packet;
use super::super::rule::{Action, ChainState};
use super::{DEVICE, NOTICES, Notice, Peer, PortId, Reason, Switch};
use std::collections::VecDeque;

impl Switch {
    /// What the rules say about a packet from one port to another: all chains that it passes must allow it.
    pub(super) fn filter(&mut self, from: PortId, to: PortId, packet: &Packet<'_>, now: Nanos) -> Result<(), Reason> {
        if from != DEVICE {
            Self::pass(&mut self.notices, &mut self.chain_out, Reason::DeniedOut, packet, now)?;
            if let Some(chains) = own_chains(&mut self.ports, from) {
                Self::pass(&mut self.notices, &mut chains[0], Reason::DeniedPeer, packet, now)?;
            }
        }
        if to != DEVICE {
            Self::pass(&mut self.notices, &mut self.chain_in, Reason::DeniedIn, packet, now)?;
            if let Some(chains) = own_chains(&mut self.ports, to) {
                Self::pass(&mut self.notices, &mut chains[1], Reason::DeniedPeer, packet, now)?;
            }
        }
        Ok(())
    }

    fn pass(
        notices: &mut VecDeque<Notice>,
        chain: &mut ChainState,
        reason: Reason,
        packet: &Packet<'_>,
        now: Nanos,
    ) -> Result<(), Reason> {
        let verdict = chain.verdict(packet, now);
        if verdict.log && notices.len() < NOTICES {
            let rule = chain.counters().nth(verdict.rule.unwrap_or(0) as usize).map(|(rule, _)| rule.to_string());
            let (source, destination) = (packet.source(), packet.destination());
            let ports = packet.ports().map(|(from, to)| format!(" ports {from} {to}")).unwrap_or_default();
            let text = format!(
                "firewall: {source} to {destination}, protocol {}{ports}, {} bytes: {}",
                packet.protocol(),
                packet.bytes().len(),
                rule.unwrap_or_default()
            );
            notices.push_back(Notice::Logged(text));
        }
        if verdict.action == Action::Allow { Ok(()) } else { Err(reason) }
    }
}

fn own_chains(ports: &mut [Option<Box<Peer>>], port: PortId) -> Option<&mut [ChainState; 2]> {
    ports.get_mut(port.0 as usize)?.as_mut()?.own_chains.as_deref_mut()
}

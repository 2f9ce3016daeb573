//! What the thread tells by itself, and when it is asked how things are.

use super::Data;
use super::messages::{Status, Told};
use crate::router::switch::{DEVICE, Notice, PortId};
use crate::router::{Nanos, rule};
use std::sync::Arc;

impl Data {
    pub(super) fn tell_notices(&mut self) {
        let notices: Vec<Notice> = self.switch.notices().collect();
        for notice in notices {
            let name = |port: PortId| self.switch.peer(port).map(|p| p.introduction.identity.to_string());
            let text = match notice {
                Notice::Registered(port, address) => {
                    format!("{address} is peer {}'s ({})", port.0, name(port).unwrap_or_default())
                }
                Notice::Refused(port, address, reason) => format!(
                    "peer {} ({}) sent from {address}, which was refused: {}",
                    port.0,
                    name(port).unwrap_or_default(),
                    reason.as_str()
                ),
                Notice::Logged(text) => text,
                Notice::Ask(table, address) => {
                    let _ = self.told.try_send(Told::Ask(table, address));
                    continue;
                }
            };
            let _ = self.told.try_send(Told::Notice(text));
        }
    }

    pub(super) fn status(&self, now: Nanos) -> Status {
        Status {
            peers: self.switch.peers().map(|(port, peer)| peer.status(port)).collect(),
            device: self.switch.counters(DEVICE).map(Arc::clone).unwrap_or_default(),
            rules: self.switch.chains().map(counted),
            way: self.engine.way().as_str(),
            now,
        }
    }
}

fn counted(chain: &rule::ChainState) -> Vec<(String, rule::Counter)> {
    let (action, counter) = chain.policy();
    let rules = chain.counters().map(|(rule, counter)| (rule.to_string(), counter));
    rules.chain([(format!("policy {action}"), counter)]).collect()
}

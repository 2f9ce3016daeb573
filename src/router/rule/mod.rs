//! Firewall rules of a router: their text, their values, and whether a packet is meant.
//!
//! A rule is one line:
//!
//! ```text
//! ACTION [SRC DST] [proto PROTOCOL] [sport PORTS] [dport PORTS] [rate N/s|N/min [burst M]] [log]
//! ```
//!
//! | word | is |
//! |---|---|
//! | `ACTION` | `allow` or `deny` |
//! | `SRC`, `DST` | an address, `ADDRESS/PREFIX`, `ADDRESS/DOTTED-MASK` (IPv4), or `any`; bits beyond the prefix are dropped |
//! | `PROTOCOL` | `tcp`, `udp`, `icmp`, `icmpv6`, `sctp` or a number; one with ports where there are `PORTS` |
//! | `PORTS` | ports and ranges of them: `22`, `80,443`, `1024-65535` |
//! | `rate` | the rule matches no more packets than this on average, and `burst` (else 5) at once; what is more goes on to the next rule |
//! | `log` | that it matched is told |
//!
//! The words behind the addresses may stand in any order, each once. `0.0.0.0` and `::` alone mean every address of either family, as
//! `0.0.0.0` does for uWSGI; `0.0.0.0/0` is every IPv4 address, `::/0` every IPv6 address. What is not understood is refused, with its place.
//!
//! # Evaluation
//!
//! The first rule that matches decides, else the [policy](Chain::policy). A packet may have to pass several chains, the router's own
//! and those a peer brought; whoever calls evaluates each and lets it pass only when all allow, so that a peer's `allow` overrides nothing.
//!
//! A later fragment has no ports. A rule with ports that allows never matches one, and a rule with ports that denies always does, if all
//! else fits: what cannot be seen to be allowed is not, and what may be denied is.

mod mistake;
mod parse;
mod print;
mod state;
mod value;

pub use mistake::{Mistake, Word, Words};
pub(in crate::router) use parse::{network, shown};
pub use state::{ChainState, Counter, Verdict};
pub use value::{Network, PortRange, Ports, Rate, Unit};

use super::packet::{Fragment, Packet, protocol};
use serde::{Deserialize, Serialize};

/// Rules in order; the first that matches decides, else the policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Chain {
    /// In order.
    pub rules: Vec<Rule>,
    /// What becomes of a packet that no rule means.
    pub policy: Action,
}

/// No rules: everything passes.
impl Default for Chain {
    fn default() -> Self {
        Self { rules: Vec::new(), policy: Action::Allow }
    }
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It passes.
    Allow,
    /// It is dropped.
    Deny,
}

/// One rule. Its text ([`std::fmt::Display`], [`std::str::FromStr`], serde) and its value say the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rule {
    /// What becomes of what it matches.
    pub action: Action,
    /// Where from.
    pub source: Network,
    /// Where to; of the same family as [`Self::source`] if both have one.
    pub destination: Network,
    /// The number of the protocol.
    pub protocol: Option<u8>,
    /// Source ports; only where the protocol has them.
    pub source_ports: Ports,
    /// Destination ports; only where the protocol has them.
    pub destination_ports: Ports,
    /// How often it matches.
    pub rate: Option<Rate>,
    /// Whether a match is told.
    pub log: bool,
}

impl Rule {
    /// The rule that matches everything.
    pub const fn all(action: Action) -> Self {
        Self {
            action,
            source: Network::Any,
            destination: Network::Any,
            protocol: None,
            source_ports: Ports::ANY,
            destination_ports: Ports::ANY,
            rate: None,
            log: false,
        }
    }

    /// Whether it looks at ports.
    pub fn has_ports(&self) -> bool {
        !self.source_ports.is_any() || !self.destination_ports.is_any()
    }

    /// Whether it means this packet, however many there were before. A [`ChainState`] answers the same faster, and keeps to rates.
    pub fn matches(&self, packet: &Packet<'_>) -> bool {
        let addressed = self.source.contains(packet.source()) && self.destination.contains(packet.destination());
        let ports = match packet.ports() {
            _ if !self.has_ports() => true,
            Some((source, destination)) => {
                self.source_ports.contain(source) && self.destination_ports.contain(destination)
            }
            None => packet.fragment() == Fragment::Later && self.action == Action::Deny,
        };
        addressed && ports && self.protocol.is_none_or(|number| number == packet.protocol())
    }
}

#[cfg(test)]
mod tests;

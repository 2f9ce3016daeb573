//! Firewall rules of a router: their text, their values, and whether a packet is meant.
//!
//! A rule is one line: `ACTION [SRC DST] [proto P] [sport PORTS] [dport PORTS] [rate N/s [burst M]] [log]`.

use serde::{Deserialize, Serialize};

/// Rules in order; the first that matches decides, else the policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    /// In order.
    pub rules: Vec<Rule>,
    /// What becomes of a packet that no rule means.
    pub policy: Action,
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

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// What becomes of what it matches.
    pub action: Action,
}

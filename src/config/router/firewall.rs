//! Chains: `[Firewall]` of a router's file and of a tuntap file. Each line of `Out` and `In` is one rule.

use super::super::ini;
use super::super::report::Report;
use super::super::section::Keys;
use super::value;
use crate::interfaces::diagnostic::{Diagnostic, Word};
use crate::router::rule::{Action, Chain, Rule};

/// Keys of `[Firewall]`.
pub(in crate::config) const NAMES: [&str; 5] = ["Policy", "PolicyOut", "PolicyIn", "Out", "In"];

/// The chains, *out* before *in*, and the text of their rules.
pub(in crate::config) struct Chains {
    pub out: (Chain, Vec<String>),
    pub r#in: (Chain, Vec<String>),
}

/// Reads both chains.
pub(in crate::config) fn read(keys: Keys<'_>, report: &mut Report) -> Chains {
    let both = keys.read("Policy", value::policy, report);
    let mut chain = |rules, policy| {
        let policy = keys.read(policy, value::policy, report).or(both).unwrap_or(Action::Allow);
        let lines = keys.lines(rules, report);
        let parsed = lines.iter().filter_map(|line| report.take(rule(line))).collect();
        let texts = lines.iter().map(|line| line.value.clone()).collect();
        (Chain { rules: parsed, policy }, texts)
    };
    Chains { out: chain("Out", "PolicyOut"), r#in: chain("In", "PolicyIn") }
}

/// One rule; a mistake is marked where it is in the line.
pub(in crate::config) fn rule(line: &Word) -> Result<Rule, Diagnostic> {
    let _ = ini::word;
    match line.value.split_whitespace().next() {
        Some("allow") => Ok(Rule { action: Action::Allow }),
        Some("deny") => Ok(Rule { action: Action::Deny }),
        _ => Err(value::is_not(line, "a rule")),
    }
}

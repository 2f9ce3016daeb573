//! Chains: `[Firewall]` of a router's file and of a tuntap file. Each line of `Out` and `In` is one rule.

use super::super::ini;
use super::super::report::Report;
use super::super::section::Keys;
use super::value;
use crate::interfaces::diagnostic::{Diagnostic, Word};
use crate::router::rule::{Action, Chain, Mistake, Rule};
use std::str::FromStr;

/// Keys of `[Firewall]`.
pub(in crate::config) const NAMES: [&str; 5] = ["Policy", "PolicyOut", "PolicyIn", "Out", "In"];

/// The chains, *out* before *in*.
pub(in crate::config) fn read(keys: Keys<'_>, report: &mut Report) -> (Chain, Chain) {
    let both = keys.read("Policy", value::policy, report);
    let mut chain = |rules, policy| {
        let policy = keys.read(policy, value::policy, report).or(both).unwrap_or(Action::Allow);
        let lines = keys.lines(rules, report);
        let rules: Vec<(Rule, &Word)> =
            lines.into_iter().filter_map(|line| Some((report.take(parsed(line))?, line))).collect();
        warn_of_unreached(&rules, report);
        Chain { rules: rules.into_iter().map(|(rule, _)| rule).collect(), policy }
    };
    (chain("Out", "PolicyOut"), chain("In", "PolicyIn"))
}

/// A line that is read by the router's own parsers; a mistake is marked where it is in the line.
pub(in crate::config) fn parsed<T: FromStr<Err = Mistake>>(line: &Word) -> Result<T, Diagnostic> {
    line.value.parse().map_err(|mistake| marked(line, mistake))
}

/// A mistake in a line, at its place.
pub(in crate::config) fn marked(line: &Word, mistake: Mistake) -> Diagnostic {
    let part = line.value.get(mistake.at..mistake.at + mistake.len).unwrap_or_default();
    let error = Diagnostic::error(&ini::word(&line.span, mistake.at, part).span, mistake.message);
    match mistake.help {
        Some(help) => error.help(help),
        None => error,
    }
}

/// Warns of the first rule behind one that matches everything.
fn warn_of_unreached(rules: &[(Rule, &Word)], report: &mut Report) {
    let is_all = |rule: &Rule| *rule == Rule { log: rule.log, ..Rule::all(rule.action) };
    let all = rules.iter().position(|(rule, _)| is_all(rule));
    if let Some((at, (_, next))) = all.and_then(|at| Some((at, rules.get(at + 1)?))) {
        let help = format!("the rule at {} matches everything", rules[at].1.span);
        report.push(Diagnostic::warning(&next.span, "no packet comes to this rule").help(help));
    }
}

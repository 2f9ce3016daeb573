//! Reading policy rules: `struct fib_rule_hdr` and `FRA_*` (`linux/fib_rules.h`).
//!
//! Left out are the kernel's own: those that look up `local`, `main` and `default` for everything, at 0, 32766 and
//! 32767. A rule with a selector or an action that the model has no words for is counted.

use super::super::view::{self, INET6};
use crate::model::{Rule, RuleAction};
use ipnet::IpNet;

const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_OIFNAME: u16 = 17;
const FRA_PAD: u16 = 18;
const FRA_PROTOCOL: u16 = 21;
const FIB_RULE_INVERT: u32 = 2;
/// What the kernel has at the start, by priority and table.
const DEFAULTS: [(u32, u32); 3] = [(0, 255), (32766, 254), (32767, 253)];
/// The size of `struct fib_rule_hdr`.
const HEADER: usize = 12;

/// What one message makes.
#[derive(Debug)]
pub(super) enum Seen {
    /// A rule.
    Rule(Rule),
    /// One that the model has no words for.
    Unmodelled,
}

/// Reads one rule of a family; none for the kernel's own.
pub(super) fn read(payload: &[u8], family: u8) -> Option<Seen> {
    let header: &[u8; HEADER] = payload.first_chunk()?;
    let [its_family, to_length, from_length, tos, table, _, _, action, ..] = *header;
    if its_family != family {
        return None;
    }
    let mut strange = tos != 0 || view::u32_at(header, 8) & FIB_RULE_INVERT != 0;
    let (mut from, mut to, mut iif, mut oif, mut priority) = (None, None, None, None, 0);
    let (mut table, mut mark, mut mask) = (u32::from(table), None, None);
    for (attribute, value) in view::attributes_after(payload, HEADER) {
        match attribute {
            FRA_SRC => from = view::ip(value).and_then(|ip| IpNet::new(ip, from_length).ok()),
            FRA_DST => to = view::ip(value).and_then(|ip| IpNet::new(ip, to_length).ok()),
            FRA_IIFNAME => iif = Some(view::text(value).and_then(|name| name.parse().ok())),
            FRA_OIFNAME => oif = Some(view::text(value).and_then(|name| name.parse().ok())),
            FRA_PRIORITY => priority = view::u32(value),
            FRA_TABLE => table = view::u32(value),
            FRA_FWMARK => mark = Some(view::u32(value)),
            FRA_FWMASK => mask = Some(view::u32(value)),
            // Said of every rule; the former with -1 for "none".
            FRA_SUPPRESS_PREFIXLEN if view::i32(value) == -1 => {}
            FRA_PROTOCOL | FRA_PAD => {}
            _ => strange = true,
        }
    }
    strange |= iif == Some(None) || oif == Some(None);
    let action = match action {
        1 => RuleAction::Lookup(table),
        6 => RuleAction::Blackhole,
        7 => RuleAction::Unreachable,
        8 => RuleAction::Prohibit,
        _ => return Some(Seen::Unmodelled),
    };
    if strange {
        return Some(Seen::Unmodelled);
    }
    let fwmark = if mark.or(mask).is_some() { Some((mark.unwrap_or(0), mask.unwrap_or(u32::MAX))) } else { None };
    let (iif, oif) = (iif.flatten(), oif.flatten());
    let rule = Rule { ipv6: family == INET6, priority, from, to, iif, oif, fwmark, action };
    if is_default(&rule) { None } else { Some(Seen::Rule(rule)) }
}

fn is_default(rule: &Rule) -> bool {
    let for_all = rule.from.or(rule.to).is_none() && rule.iif.or(rule.oif).is_none() && rule.fwmark.is_none();
    let same = |(priority, table)| rule.priority == priority && rule.action == RuleAction::Lookup(table);
    for_all && DEFAULTS.into_iter().any(same)
}

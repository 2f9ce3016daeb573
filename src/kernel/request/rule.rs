//! Policy rules: `struct fib_rule_hdr` and `FRA_*` (`linux/fib_rules.h`), as `ip rule` (`ip-rule(8)`) sends them.

use super::Request;
use crate::model::{Rule, RuleAction};
use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::rule::{self, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

/// Adds a rule; an equal one must not be there.
pub(in crate::kernel) fn add(rule: &Rule) -> Request {
    Request::new(RouteNetlinkMessage::NewRule(message(rule)), NLM_F_CREATE | NLM_F_EXCL)
}

/// Deletes the first rule that agrees in everything.
pub(in crate::kernel) fn delete(rule: &Rule) -> Request {
    Request::new(RouteNetlinkMessage::DelRule(message(rule)), 0)
}

/// Asks for the rules of a family.
pub(in crate::kernel) fn dump(family: AddressFamily) -> Request {
    let mut message = RuleMessage::default();
    message.header.family = family;
    Request::new(RouteNetlinkMessage::GetRule(message), 0)
}

fn message(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    let (header, attributes) = (&mut message.header, &mut message.attributes);
    header.family = if rule.ipv6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
    attributes.push(RuleAttribute::Priority(rule.priority));
    header.src_len = rule.from.map_or(0, |net| net.prefix_len());
    header.dst_len = rule.to.map_or(0, |net| net.prefix_len());
    let narrow = |net: &IpNet| net.prefix_len() > 0;
    attributes.extend(rule.from.filter(narrow).map(|net| RuleAttribute::Source(net.addr())));
    attributes.extend(rule.to.filter(narrow).map(|net| RuleAttribute::Destination(net.addr())));
    attributes.extend(rule.iif.map(|link| RuleAttribute::Iifname(link.to_string())));
    attributes.extend(rule.oif.map(|link| RuleAttribute::Oifname(link.to_string())));
    if let Some((mark, mask)) = rule.fwmark {
        attributes.extend([RuleAttribute::FwMark(mark), RuleAttribute::FwMask(mask)]);
    }
    header.action = match rule.action {
        RuleAction::Lookup(_) => rule::RuleAction::ToTable,
        RuleAction::Blackhole => rule::RuleAction::Blackhole,
        RuleAction::Unreachable => rule::RuleAction::Unreachable,
        RuleAction::Prohibit => rule::RuleAction::Prohibit,
    };
    if let RuleAction::Lookup(table) = rule.action {
        match u8::try_from(table) {
            Ok(table) => header.table = table,
            Err(_) => attributes.push(RuleAttribute::Table(table)),
        }
    }
    message
}

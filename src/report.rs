//! What was done, in words.

use crate::model::{Kind, Netns};
use crate::plan::{LinkSetting, Op, Plan};
use std::fmt::Write;

/// One sentence about a plan that was carried out: `2 links moved in, 1 made, 3 addresses and 1 route added`.
pub fn summary(plan: &Plan) -> String {
    let count = |what: fn(&Op) -> bool| plan.ops.iter().filter(|op| what(op)).count();
    let counts = [
        (
            count(|op| matches!(op, Op::MoveLink { to, .. } if to.netns != Netns::Host)),
            "link moved in",
            "links moved in",
        ),
        (
            count(|op| matches!(op, Op::MoveLink { to, .. } if to.netns == Netns::Host)),
            "link given back",
            "links given back",
        ),
        (count(|op| matches!(op, Op::AddLink { kind: Kind::Veth { .. }, .. })), "pair made", "pairs made"),
        (count(is_made), "link made", "links made"),
        (count(|op| matches!(op, Op::DeleteLink(_))), "link deleted", "links deleted"),
        (count(|op| matches!(op, Op::AddAddress { .. })), "address added", "addresses added"),
        (count(|op| matches!(op, Op::DeleteAddress { .. })), "address deleted", "addresses deleted"),
        (count(|op| matches!(op, Op::AddRoute { .. } | Op::ReplaceRoute { .. })), "route set", "routes set"),
        (count(|op| matches!(op, Op::DeleteRoute { .. })), "route deleted", "routes deleted"),
        (count(|op| matches!(op, Op::AddRule { .. })), "rule added", "rules added"),
        (count(|op| matches!(op, Op::DeleteRule { .. })), "rule deleted", "rules deleted"),
        (
            count(|op| matches!(op, Op::SetLink { set, .. } if !matches!(set, LinkSetting::Up(true)))),
            "property set",
            "properties set",
        ),
        (count(|op| matches!(op, Op::SetResolv { .. })), "resolv.conf written", "resolv.conf written"),
        (count(|op| matches!(op, Op::StartDhcp(_))), "client started", "clients started"),
        (count(|op| matches!(op, Op::StopDhcp(_))), "client stopped", "clients stopped"),
        (count(|op| matches!(op, Op::AttachDevice { .. })), "device attached", "devices attached"),
        (count(|op| matches!(op, Op::DetachDevice(_))), "device detached", "devices detached"),
        (count(|op| matches!(op, Op::SetRuleset { .. })), "ruleset loaded", "rulesets loaded"),
        (count(|op| matches!(op, Op::SetSysctl { .. })), "setting made", "settings made"),
        (count(|op| matches!(op, Op::SetTable { .. })), "nft table set", "nft tables set"),
        (count(|op| matches!(op, Op::Run(_))), "command run", "commands run"),
    ];
    let mut text = String::new();
    for (n, one, many) in counts.into_iter().filter(|(n, ..)| *n > 0) {
        let between = if text.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{between}{n} {}", if n == 1 { one } else { many });
    }
    if text.is_empty() { "nothing to do".to_owned() } else { text }
}

/// Whether it makes a link that is no pair.
fn is_made(op: &Op) -> bool {
    match op {
        Op::AddLink { kind, .. } => kind.name() != "veth",
        Op::EnsureLink { .. } => true,
        _ => false,
    }
}

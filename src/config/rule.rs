//! `rule` lines, an option of this program, in the words of ip-rule(8):
//!
//! ```text
//! rule [from PREFIX] [to PREFIX] [iif LINK] [oif LINK] [fwmark MARK[/MASK]] [priority N]
//!      lookup TABLE | blackhole | unreachable | prohibit
//! ```

use super::method::Family;
use super::route::{argument, link, prefix, table};
use super::value::{Part, words};
use crate::interfaces::diagnostic::Diagnostic;
use crate::interfaces::syntax::Opt;
use crate::model::{Rule, RuleAction};
use ipnet::IpNet;

/// The priority of the first rule that gives none; it stands before the kernel's own at 32766.
const FIRST_PRIORITY: u32 = 1000;

/// Reads a line of a stanza of `family`. `position` counts the rules of the namespace before it.
pub(super) fn parse(opt: &Opt, family: Family, position: usize) -> Result<Rule, Diagnostic> {
    let whole = Part::whole(opt);
    let mut rule = Rule {
        ipv6: family == Family::Inet6,
        priority: FIRST_PRIORITY.saturating_add(u32::try_from(position).unwrap_or(u32::MAX)),
        from: None,
        to: None,
        iif: None,
        oif: None,
        fwmark: None,
        action: RuleAction::Prohibit,
    };
    let mut action = None;
    let mut of_family: Option<bool> = None;
    let mut rest = words(opt);
    while let Some(keyword) = rest.next() {
        if let Some(word) = verdict(keyword.text) {
            set_action(&mut action, word, keyword)?;
            continue;
        }
        if !KEYWORDS.contains(&keyword.text) {
            let help = "`from`, `to`, `iif`, `oif`, `fwmark`, `priority`, then `lookup TABLE`, `blackhole`, \
                        `unreachable` or `prohibit`";
            return Err(keyword.error(format!("`rule` has no `{}`", keyword.shown())).help(help));
        }
        let value = argument(keyword, &mut rest)?;
        match keyword.text {
            "from" => rule.from = selector(value, &mut of_family)?,
            "to" => rule.to = selector(value, &mut of_family)?,
            "iif" => rule.iif = Some(link(value)?),
            "oif" => rule.oif = Some(link(value)?),
            "fwmark" => rule.fwmark = Some(mark(value)?),
            "lookup" | "table" => set_action(&mut action, RuleAction::Lookup(table(value)?), keyword)?,
            // The kernel's own rule of 0 looks the local table up.
            _ => rule.priority = value.number(1, u32::MAX)?,
        }
    }
    rule.action = action.ok_or_else(|| {
        whole
            .error("`rule` says nothing to do")
            .help("end it with `lookup TABLE`, `blackhole`, `unreachable` or `prohibit`")
    })?;
    rule.ipv6 = of_family.unwrap_or(rule.ipv6);
    Ok(rule)
}

const KEYWORDS: [&str; 11] =
    ["from", "to", "iif", "oif", "fwmark", "lookup", "table", "priority", "preference", "pref", "order"];

fn verdict(word: &str) -> Option<RuleAction> {
    Some(match word {
        "blackhole" => RuleAction::Blackhole,
        "unreachable" => RuleAction::Unreachable,
        "prohibit" => RuleAction::Prohibit,
        _ => return None,
    })
}

fn set_action(action: &mut Option<RuleAction>, new: RuleAction, keyword: Part<'_>) -> Result<(), Diagnostic> {
    match action.replace(new) {
        None => Ok(()),
        Some(_) => Err(keyword.error("a rule does one thing only")),
    }
}

/// A prefix, or `all` for every address.
fn selector(word: Part<'_>, of_family: &mut Option<bool>) -> Result<Option<IpNet>, Diagnostic> {
    if matches!(word.text, "all" | "any") {
        return Ok(None);
    }
    let net = prefix(word)?;
    let ipv6 = matches!(net, IpNet::V6(_));
    match of_family.replace(ipv6) {
        Some(before) if before != ipv6 => Err(word.error("`from` and `to` are of different families")),
        // The whole address space says nothing; the kernel does not keep it.
        _ => Ok(Some(net).filter(|net| net.prefix_len() > 0)),
    }
}

/// `MARK[/MASK]`, each decimal or hexadecimal.
fn mark(word: Part<'_>) -> Result<(u32, u32), Diagnostic> {
    let number = |part: Part<'_>| {
        let parsed = match part.text.strip_prefix("0x").or_else(|| part.text.strip_prefix("0X")) {
            Some(hex) if !hex.starts_with('+') => u32::from_str_radix(hex, 16).ok(),
            _ => return part.number(0, u32::MAX),
        };
        parsed.ok_or_else(|| part.is_not("a firewall mark"))
    };
    let (mark, mask) = word.split('/');
    Ok((number(mark)?, mask.map_or(Ok(u32::MAX), number)?))
}

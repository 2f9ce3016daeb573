//! What stanzas cannot have together: two routes with one key, one rule twice, a link that moves and stays.
//!
//! The kernel refuses the second of two such routes (`NLM_F_EXCL`). ifupdown fails half-way then, for IPv4; the
//! `gateway` of `inet6` takes the other's place.

use super::draft::Draft;
use super::report::Report;
use super::route::RouteLine;
use crate::interfaces::diagnostic::Diagnostic;
use crate::interfaces::syntax::Opt;
use crate::model::{LinkName, Netns, Route, Rule};
use ipnet::IpNet;
use std::collections::HashMap;

/// What the kernel tells routes apart by: namespace, table, destination and metric.
type Key<'a> = (&'a Netns, (u32, IpNet, u32));

/// Where a route is: link, stanza, position.
type At = (usize, usize, usize);

/// Reports routes and rules that are given twice, and takes out routes that a later one replaces.
pub(super) fn resolve(drafts: &mut [Draft<'_>], report: &mut Report) {
    let mut replaced = routes(drafts, report);
    replaced.sort_unstable();
    // From the last on, so that positions stay true.
    for (link, stanza, position) in replaced.into_iter().rev() {
        drafts[link].stanzas[stanza].routes.remove(position);
    }
    rules(drafts, report);
    moves(drafts, report);
}

/// A link that moves in cannot be the one that something on the host stands on, or is made there.
fn moves(drafts: &[Draft<'_>], report: &mut Report) {
    let on_host = drafts.iter().filter(|draft| draft.place.netns == Netns::Host);
    let on_host: HashMap<LinkName, &Draft<'_>> = on_host.map(|draft| (draft.place.link, draft)).collect();
    for draft in drafts.iter().filter(|draft| draft.place.netns != Netns::Host && draft.kind.is_none()) {
        let name = draft.from.unwrap_or(draft.place.link);
        let (Some(other), Some(span)) = (on_host.get(&name), &draft.span) else { continue };
        let error = Diagnostic::error(span, format!("`{name}` cannot both move in and be on the host"));
        report.push(match &other.span {
            Some(other) => error.help(format!("there it is needed by {other}")),
            None => error,
        });
    }
}

fn routes(drafts: &[Draft<'_>], report: &mut Report) -> Vec<At> {
    let count = drafts.iter().flat_map(|draft| &draft.stanzas).map(|stanza| stanza.routes.len()).sum();
    let mut seen: HashMap<Key<'_>, (At, &RouteLine<'_>)> = HashMap::with_capacity(count);
    let mut replaced = Vec::new();
    for (link, draft) in drafts.iter().enumerate() {
        for (stanza, evaluated) in draft.stanzas.iter().enumerate() {
            for (position, line) in evaluated.routes.iter().enumerate() {
                let here = ((link, stanza, position), line);
                let Some(before) = seen.insert((&draft.place.netns, line.route.key()), here) else { continue };
                if line.replaces {
                    report.push(replaces(before.1, line));
                    replaced.push(before.0);
                } else {
                    report.push(twice(before.1, line));
                }
            }
        }
    }
    replaced
}

fn replaces(before: &RouteLine<'_>, line: &RouteLine<'_>) -> Diagnostic {
    let message = format!("this takes the place of another default route of {}", metric(&line.route));
    Diagnostic::warning(&line.opt.value.span, message).help(format!("see {}", before.opt.value.span))
}

fn twice(before: &RouteLine<'_>, line: &RouteLine<'_>) -> Diagnostic {
    let default = line.route.to.prefix_len() == 0;
    let what = if default { "default route".to_owned() } else { format!("route to {}", line.route.to) };
    let message = format!("a second {what} of {}", metric(&line.route));
    let help = if std::ptr::eq(before.opt, line.opt) {
        "two stanzas inherit this line".to_owned()
    } else {
        format!("the first is at {}; another `metric` tells them apart", before.opt.value.span)
    };
    Diagnostic::error(&line.opt.value.span, message).help(help)
}

fn metric(route: &Route) -> String {
    format!("metric {}", route.metric)
}

fn rules(drafts: &[Draft<'_>], report: &mut Report) {
    let mut seen: HashMap<(&Netns, &Rule), &Opt> = HashMap::new();
    for draft in drafts {
        for (rule, opt) in draft.stanzas.iter().flat_map(|stanza| &stanza.rules) {
            if let Some(first) = seen.insert((&draft.place.netns, rule), opt) {
                let help = format!("the first is at {}", first.value.span);
                report.push(Diagnostic::error(&opt.value.span, "the same rule a second time").help(help));
            }
        }
    }
}

//! `link-netns NETNS L1 L2`: pairs of links between the host (L1) and a namespace (L2).
//!
//! They are read from `/etc/network/interfaces`, where the host's administrator may have them, and from the namespace's
//! own `links` file, which no other program reads. A pair that both name alike is one pair.

use super::files::Sources;
use super::report::Report;
use super::value::shown;
use crate::interfaces::diagnostic::{Diagnostic, Span, Word};
use crate::interfaces::syntax::{LinkNetns, Stanza};
use crate::model::{LinkName, NetnsName};
use std::collections::HashMap;

/// A pair of this namespace.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    /// The host's end.
    pub host: LinkName,
    /// The end in the namespace.
    pub inner: LinkName,
    pub host_span: Span,
    pub inner_span: Span,
}

/// The pairs of a namespace in the order of the files, without repetitions.
pub(super) fn pairs(sources: &Sources, netns: &NetnsName, report: &mut Report) -> Vec<Pair> {
    misplaced(&sources.inner.stanzas, report);
    let own = lines(&sources.links.stanzas).inspect(|line| {
        if line.netns.value != netns.as_str() {
            let message = format!("this pair is for `{}`, ignoring", shown(&line.netns.value));
            report.push(Diagnostic::warning(&line.netns.span, message).help(format!("here it is `{netns}`")));
        }
    });
    let all: Vec<&LinkNetns> = lines(&sources.host.stanzas).chain(own).collect();
    let mut by_host: HashMap<&str, &LinkNetns> = HashMap::new();
    let mut by_inner: HashMap<&str, &LinkNetns> = HashMap::new();
    let mut pairs = Vec::new();
    // Those of other namespaces only matter where they take a name of the host.
    let (ours, others): (Vec<&LinkNetns>, Vec<_>) = all.iter().partition(|line| line.netns.value == netns.as_str());
    for line in ours {
        let first = by_host.get(line.link.value.as_str()).or_else(|| by_inner.get(line.peer.value.as_str()));
        match first {
            Some(first) if first.link.value == line.link.value && first.peer.value == line.peer.value => continue,
            Some(first) => report.push(conflict(first, line)),
            None => pairs.extend(pair(line, report)),
        }
        by_host.entry(&line.link.value).or_insert(line);
        by_inner.entry(&line.peer.value).or_insert(line);
    }
    for line in others {
        if let Some(first) = by_host.get(line.link.value.as_str()) {
            let message = format!("`{}` is the host's end of a pair of `{}` too", first.link.value, line.netns.value);
            report.push(Diagnostic::error(&first.link.span, message).help(format!("see {}", line.link.span)));
        }
    }
    pairs
}

fn lines(stanzas: &[Stanza]) -> impl Iterator<Item = &LinkNetns> {
    stanzas.iter().filter_map(|stanza| match stanza {
        Stanza::LinkNetns(line) => Some(line),
        _ => None,
    })
}

fn misplaced(inner: &[Stanza], report: &mut Report) {
    for line in lines(inner) {
        let error = Diagnostic::error(&line.netns.span, "`link-netns` speaks of the host's links, which are not here");
        report.push(error.help("move it into the file `links` in this folder, or into `/etc/network/interfaces`"));
    }
}

fn conflict(first: &LinkNetns, line: &LinkNetns) -> Diagnostic {
    let (word, other) = if first.link.value == line.link.value { (&line.link, first) } else { (&line.peer, first) };
    let message = format!(
        "`{}` is an end of another pair already: `link-netns {} {} {}`",
        shown(&word.value),
        shown(&other.netns.value),
        shown(&other.link.value),
        shown(&other.peer.value)
    );
    Diagnostic::error(&word.span, message).help(format!("see {}", other.link.span))
}

fn pair(line: &LinkNetns, report: &mut Report) -> Option<Pair> {
    let host = end(&line.link, report);
    let inner = end(&line.peer, report);
    let (host_span, inner_span) = (line.link.span.clone(), line.peer.span.clone());
    Some(Pair { host: host?, inner: inner?, host_span, inner_span })
}

fn end(word: &Word, report: &mut Report) -> Option<LinkName> {
    let name: LinkName =
        report.take(word.value.parse().map_err(|why| Diagnostic::error(&word.span, format!("{why}"))))?;
    if name.is_loopback() {
        report.push(Diagnostic::error(&word.span, "`lo` cannot be an end of a pair"));
        return None;
    }
    Some(name)
}

//! Kinds of few options: pairs inside of the namespace, macvlan, macvtap and ipvlan, tun and tap.

use super::super::inherit::Settled;
use super::super::value::{Part, only_word};
use super::{Reader, Shape};
use crate::interfaces::Files;
use crate::interfaces::diagnostic::{Diagnostic, Span};
use crate::model::{LinkName, VirtualKind};
use std::path::Path;

/// How much of passwd(5) and group(5) is read.
const MAX_ACCOUNTS: usize = 1 << 20;

/// `link-type veth` with `veth-peer-name` (ifupdown-ng and ifupdown2).
pub(super) fn pair<'a>(link: LinkName, settled: &[Settled<'a>], span: &Span) -> Result<Shape<'a>, Diagnostic> {
    let Some(opt) = settled.iter().find_map(|settled| settled.named("veth-peer-name")) else {
        let message = format!("`{link}` does not say what the other end of the pair is called");
        return Err(Diagnostic::error(span, message).help("add `veth-peer-name`"));
    };
    let word = only_word(opt)?;
    let peer: LinkName = name(word)?;
    if peer == link || peer.is_loopback() {
        return Err(word.error(format!("`{peer}` cannot be the other end of `{link}`")));
    }
    Ok(Shape::Pair { peer, span: word.span() })
}

/// Those that share a link with it.
pub(super) fn on_parent<'a>(reader: &mut Reader<'_, 'a>) -> Option<(LinkName, Part<'a>)> {
    let kind = reader.kind;
    reader.take(if kind == VirtualKind::Ipvlan { "ipvlan-mode" } else { "macvlan-mode" }, "mode");
    let Some(word) = reader.word("raw-device") else {
        if reader.opt("raw-device").is_none() {
            reader.missing(format!("this {} does not say which link it stands on", kind.as_str()), "add `raw-device`");
        }
        return None;
    };
    reader.report.take(name(word)).map(|parent| (parent, word))
}

/// tun and tap devices that a program opens later.
pub(super) fn tuntap(reader: &mut Reader<'_, '_>, files: &dyn Files) {
    for (option, word, file) in [("tuntap-owner", "user", "/etc/passwd"), ("tuntap-group", "group", "/etc/group")] {
        let Some(part) = reader.word(option) else { continue };
        let number = part.number(0, u64::from(u32::MAX) - 1).ok().or_else(|| account(files, file, part.text));
        match number {
            Some(number) => reader.set_number(word, number),
            None => {
                let message = format!("there is no {word} `{}` in {file}", part.shown());
                reader.report.push(part.error(message));
            }
        }
    }
}

/// The number of a user or group.
fn account(files: &dyn Files, file: &str, name: &str) -> Option<u64> {
    let bytes = files.read(Path::new(file), MAX_ACCOUNTS).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut fields = text.lines().map(|line| line.split(':')).find_map(|mut fields| {
        let is_it = fields.next() == Some(name);
        is_it.then_some(fields)
    })?;
    fields.nth(1)?.parse::<u32>().ok().map(u64::from)
}

/// A link's name.
pub(in crate::config) fn name(word: Part<'_>) -> Result<LinkName, Diagnostic> {
    word.text.parse().map_err(|why| word.error(format!("{why}")))
}

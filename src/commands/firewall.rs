//! The rules of a namespace, tried out before anything is done: in a namespace that is there for nothing else.
//!
//! Rules may name links (`iif`, `devices`), which the kernel looks for. So there are links of the names that the files make or move in.

use super::Mistakes;
use crate::interfaces::diagnostic::Diagnostic;
use crate::kernel::{Kernel, netns};
use crate::model::{Desired, Kind, Netns, Place, Presence, VirtualKind};
use crate::plan::Op;
use crate::system::nft;
use anyhow::Result;

/// What nft(8) and the kernel have to say against the rules of `desired`.
///
/// # Errors
/// When nft(8) is not installed, or there can be no such namespace.
pub(super) fn mistakes(desired: &Desired) -> Result<Vec<Diagnostic>> {
    let Some(ruleset) = &desired.ruleset else { return Ok(Vec::new()) };
    let inside =
        desired.links.iter().filter(|link| desired.is_own(&link.place.netns) && !link.place.link.is_loopback());
    let links = inside.filter(|link| link.presence != Presence::OnlyAName).map(|link| Op::AddLink {
        place: Place::new(Netns::Host, link.place.link),
        kind: Kind::plain(VirtualKind::Bridge),
    });
    let links: Vec<Op> = links.collect();
    netns::apart(|| {
        // What cannot be made is missed by nft, perhaps.
        let failures = Kernel::new().apply_all(&links);
        failures.iter().for_each(|failure| log::debug!("to try rules out: {}, ignoring", failure.error));
        nft::check(ruleset)
    })?
}

/// Refuses rules with a mistake in them.
///
/// # Errors
/// [`Mistakes`]; or what kept the rules from being tried out.
pub(super) fn refuse(desired: &Desired) -> Result<()> {
    let text: Vec<String> = mistakes(desired)?.iter().map(ToString::to_string).collect();
    if text.is_empty() { Ok(()) } else { Err(Mistakes(text.join("\n")).into()) }
}

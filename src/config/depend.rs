//! On which others a link stands: a VLAN's parent, a bridge's ports, a bond's slaves, the VRF that it is in, and what
//! `requires` names. All of these are brought up with it.
//!
//! Where such a link is: inside if the file speaks of it or makes it a port; otherwise a parent stays on the host, and a port
//! moves in.

use super::assemble::Assembly;
use super::draft::Draft;
use super::inherit::Settled;
use super::kind::simple::name;
use super::kind::{bridge, vlan};
use super::ports::{Expression, MAX_PATTERNS, Wanted};
use super::report::Report;
use super::select::Selected;
use super::value::{Part, only_word, words};
use super::{options, ports};
use crate::interfaces::diagnostic::{Diagnostic, Span};
use crate::model::{Kind, LinkName, Netns, Place, VirtualKind, VlanProtocol};
use std::collections::{BTreeSet, HashSet};

/// How many links may stand on each other; the kernel's own limit (`MAX_NEST_DEV`) is 8.
const MAX_STACK: usize = 8;

/// A bridge or bond to its ports.
#[derive(Clone, Copy)]
struct Master {
    link: LinkName,
    kind: VirtualKind,
    /// The MTU that its ports get.
    mtu: Option<u32>,
}

/// Ports by an expression, which are found when everything else is known.
pub(super) struct Pattern<'a> {
    master: Master,
    expression: Expression,
    part: Part<'a>,
}

/// The links that some bridge or bond of the file has for ports, by name.
pub(super) fn moving<'a>(options: impl Iterator<Item = &'a crate::interfaces::syntax::Opt>) -> HashSet<LinkName> {
    let lists = options.filter(|opt| {
        options::find(&opt.name.value).is_some_and(|def| matches!(def.name, "bridge-ports" | "bond-slaves"))
    });
    lists.flat_map(words).filter_map(|word| word.text.parse().ok()).collect()
}

impl<'a> Assembly<'a> {
    /// Where the parent of a link is. Inside it is brought up; on the host it is borrowed.
    pub fn parent(&mut self, one: &Selected, parent: LinkName, span: &Span, report: &mut Report) -> Option<Place> {
        let parent = self.files.machine.canonical(parent);
        if parent == one.link || self.waiting.contains(&parent) {
            report.push(Diagnostic::error(span, format!("`{parent}` would be carried by itself")));
            return None;
        }
        let named = self.by_link.get(&parent).is_some_and(|other| !other.by_pattern);
        self.bring_up_for(one.link, parent, span, report)?;
        let inside = self.inside(parent);
        if named || self.index.contains_key(&inside) {
            return Some(inside);
        }
        if self.moving.contains(&parent) && self.files.machine.may_have(parent) {
            self.add(Draft::new(inside.clone(), Some(span.clone()), None));
            return Some(inside);
        }
        Some(self.borrow(parent, span, Some(true)))
    }

    /// Brings up what `link` depends on, if the file speaks of it.
    fn bring_up_for(&mut self, link: LinkName, other: LinkName, span: &Span, report: &mut Report) -> Option<()> {
        let Some(selected) = self.spoken_of(other, span, report) else { return Some(()) };
        if self.waiting.len() >= MAX_STACK {
            let message = format!("links stand on each other more than {MAX_STACK} deep");
            report.push(Diagnostic::error(span, message));
            return None;
        }
        self.waiting.push(link);
        self.bring_up(&selected, report);
        self.waiting.pop();
        Some(())
    }

    /// A link that the file speaks of, by an `auto` line or by a stanza.
    fn spoken_of(&self, link: LinkName, span: &Span, report: &mut Report) -> Option<Selected> {
        match self.by_link.get(&link).copied() {
            Some(selected) => Some(selected.clone()),
            None if self.pairs.contains_key(&link) || self.is_link(link) => Some(self.implied(link, span, report)),
            None => None,
        }
    }

    /// Before a link's stanzas mean anything: what it requires, and the VRF that it is in.
    pub fn before(&mut self, one: &Selected, settled: &[Settled<'a>], report: &mut Report) {
        for word in settled.iter().flat_map(|settled| settled.all_named("requires")).flat_map(words) {
            let Some(other) = report.take(name(word)) else { continue };
            let span = word.span();
            if !self.waiting.contains(&other) && other != one.link {
                self.bring_up_for(one.link, other, &span, report);
            }
            if !self.has(other) && !self.waiting.contains(&other) && other != one.link {
                let message = format!("nothing in the file brings `{other}` up, ignoring");
                report.push(Diagnostic::warning(&span, message));
            }
        }
        let Some(opt) = settled.iter().find_map(|settled| settled.named("vrf")) else { return };
        let Some((vrf, span)) = report.take(only_word(opt).and_then(|word| Ok((name(word)?, word.span())))) else {
            return;
        };
        if self.waiting.contains(&vrf) || vrf == one.link {
            return report.push(Diagnostic::error(&span, format!("`{vrf}` would be in itself")));
        }
        self.bring_up_for(one.link, vrf, &span, report);
        self.enslave(one.link, vrf, VirtualKind::Vrf, &span, report);
    }

    /// After a link's stanzas: its ports, or the bond that it is a slave of.
    pub fn after(&mut self, one: &Selected, settled: &[Settled<'a>], report: &mut Report) {
        let kind = self.kind_of(one.link);
        let (wanted, mtu) = match kind {
            Some(VirtualKind::Bridge) => {
                self.await_ports(settled, report);
                (ports::of_bridge(settled, report), bridge::mtu(settled))
            }
            Some(VirtualKind::Bond) => (ports::of_bond(settled, report), None),
            _ => (Vec::new(), None),
        };
        let master = kind.map(|kind| Master { link: one.link, kind, mtu });
        for (master, wanted) in master.into_iter().cycle().zip(wanted) {
            match wanted {
                Wanted::Link(part) => self.port(master, part, report),
                Wanted::Matching(expression, part) if self.patterns.len() < MAX_PATTERNS => {
                    self.patterns.push(Pattern { master, expression, part });
                }
                Wanted::Matching(_, part) => {
                    report.push(part.error(format!("more than {MAX_PATTERNS} expressions")));
                }
            }
        }
        if let Some(opt) = settled.iter().find_map(|settled| settled.named("bond-master")) {
            let master = only_word(opt).and_then(|word| Ok((name(word)?, word.span())));
            self.slaves.extend(report.take(master).map(|(master, span)| (one.link, master, span)));
        }
    }

    /// Brings up the bonds of slaves that name them, one after the other: a chain of them may be long.
    pub fn masters(&mut self, report: &mut Report) {
        while let Some((slave, master, span)) = self.slaves.pop() {
            if let Some(selected) = self.spoken_of(master, &span, report) {
                self.bring_up(&selected, report);
            }
            self.enslave(slave, master, VirtualKind::Bond, &span, report);
        }
    }

    /// `bridge_waitport`: links that are not there, but may yet come.
    fn await_ports(&mut self, settled: &[Settled<'a>], report: &mut Report) {
        for (wait, ports) in settled.iter().filter_map(|settled| bridge::wait_for_ports(settled, report)) {
            for port in ports.iter().filter_map(|part| part.text.parse().ok()) {
                if !self.may_be(port) {
                    self.awaited.push((port, wait));
                }
            }
        }
    }

    /// A port by its name. One that is not there is passed over, as bridge-utils and ifenslave do.
    fn port(&mut self, master: Master, part: Part<'a>, report: &mut Report) {
        let by_altname = self.files.machine.by_altname(part.text);
        let Some(port) = by_altname.or_else(|| report.take(name(part))) else { return };
        let span = part.span();
        if port == master.link || self.waiting.contains(&port) {
            return report.push(part.error(format!("`{port}` cannot be both below and above `{}`", master.link)));
        }
        let early = self.has(port);
        if self.bring_up_for(master.link, port, &span, report).is_none() {
            return;
        }
        if !self.has(port) && !self.new_port(master, port, &span, report) {
            let message = format!("there is no link `{port}`, ignoring");
            return report.push(part.warning(message));
        }
        self.become_port(port, master, early, &span, report);
    }

    /// A port that no stanza speaks of: a pair's end, a VLAN that is made for it, or a link that exists.
    fn new_port(&mut self, master: Master, port: LinkName, span: &Span, report: &mut Report) -> bool {
        let of_bridge = master.kind == VirtualKind::Bridge;
        if of_bridge && port.as_str().contains("..") {
            let implied = self.implied(port, span, report);
            if let Some(draft) = self.draft(&implied, &[], report) {
                self.add(draft);
            }
            // A mistake was told.
            return self.has(port) || report.has_errors();
        }
        let dotted = vlan::dotted(port.as_str()).filter(|_| of_bridge);
        let dotted = dotted.and_then(|(parent, id)| Some((parent.parse::<LinkName>().ok()?, vlan::vlan_id(id)?)));
        if let Some((parent, id)) = dotted.filter(|(parent, _)| self.may_be(*parent)) {
            let implied = Selected::implied(port, span);
            self.waiting.push(master.link);
            let place = self.parent(&implied, parent, span, report);
            self.waiting.pop();
            let Some(place) = place else { return true };
            if let Some(at) = self.index.get(&place).copied().filter(|_| place.netns != Netns::Host) {
                // As bridge-utils does. A link of the host's is left as it is: the host may have addresses there.
                self.drafts[at].addrgenmode = Some(1);
            }
            let vlan = Kind::Vlan { parent: Some(place), id, protocol: VlanProtocol::Ieee8021Q };
            self.add(Draft::new(self.inside(port), Some(span.clone()), Some(vlan)));
            return true;
        }
        let exists = self.files.machine.may_have(port);
        if exists {
            self.add(Draft::new(self.inside(port), Some(span.clone()), None));
        }
        exists
    }

    /// Whether there may be a link of that name.
    fn may_be(&self, link: LinkName) -> bool {
        self.has(link)
            || self.by_link.contains_key(&link)
            || self.pairs.contains_key(&link)
            || self.is_link(link)
            || self.files.machine.may_have(link)
    }

    fn become_port(&mut self, port: LinkName, master: Master, early: bool, span: &Span, report: &mut Report) {
        let Some(at) = self.enslave(port, master.link, master.kind, span, report) else { return };
        let draft = &mut self.drafts[at];
        draft.up = Some(true);
        let sets_itself = draft.settings.iter().any(|s| s.def.is_some_and(|def| def.name == "bond-master"));
        match master.kind {
            VirtualKind::Bridge => {
                draft.addrgenmode = Some(1);
                draft.master_mtu = master.mtu.map(|mtu| (Some(mtu), early));
            }
            // bonding gives its slaves its own MTU, whatever they had.
            VirtualKind::Bond if early && !sets_itself => draft.master_mtu = Some((master.mtu, true)),
            _ => {}
        }
    }

    /// Makes a link the port of another.
    fn enslave(
        &mut self,
        port: LinkName,
        master: LinkName,
        kind: VirtualKind,
        span: &Span,
        report: &mut Report,
    ) -> Option<usize> {
        let at = *self.index.get(&self.inside(port))?;
        let what = kind.as_str();
        let is_one = self.kind_of(master) == Some(kind);
        let draft = &mut self.drafts[at];
        let refused = match draft.master {
            _ if !is_one => Some(format!("`{master}` is no {what} of this file")),
            _ if port.is_loopback() => Some(format!("`lo` cannot be a port of a {what}")),
            _ if draft.kind.as_ref().is_some_and(|own| own.is(kind)) => {
                Some(format!("`{port}` is a {what} itself, and cannot be in another"))
            }
            Some(other) if other != master => {
                Some(format!("`{port}` cannot be a port of both `{other}` and `{master}`"))
            }
            _ => None,
        };
        match refused {
            Some(message) => {
                report.push(Diagnostic::error(span, message));
                None
            }
            None => {
                draft.master = Some(master);
                Some(at)
            }
        }
    }

    /// Finds the ports of all expressions, when all other links are known: what is there already, on the host or inside, and
    /// what the file makes count alike, so that the answer is the same before and after it was given once.
    pub fn find_patterns(&mut self, report: &mut Report) {
        for pattern in std::mem::take(&mut self.patterns) {
            let inside = self.drafts.iter().filter(|draft| draft.place.netns != Netns::Host);
            let names: BTreeSet<LinkName> =
                self.files.machine.links().iter().copied().chain(inside.map(|draft| draft.place.link)).collect();
            let found: Vec<LinkName> = names
                .into_iter()
                .filter(|name| pattern.expression.matches(*name) && self.is_free(*name, &pattern))
                .collect();
            let taken: Vec<String> =
                found.iter().filter(|name| !self.has(**name)).map(|name| format!("`{name}`")).collect();
            if !taken.is_empty() {
                let message = format!("this takes {} from the host", taken.join(", "));
                report.push(pattern.part.warning(message));
            }
            let span = pattern.part.span();
            for port in found {
                let early = self.has(port);
                if !early {
                    self.add(Draft::new(self.inside(port), Some(span.clone()), None));
                }
                self.become_port(port, pattern.master, early, &span, report);
            }
        }
    }

    /// Whether a link can become a port by an expression: nobody else has it.
    fn is_free(&self, link: LinkName, pattern: &Pattern<'_>) -> bool {
        if link.is_loopback() || link == pattern.master.link {
            return false;
        }
        match self.index.get(&self.inside(link)) {
            Some(&at) => {
                let draft = &self.drafts[at];
                let kind = draft.kind.as_ref();
                let above = kind.and_then(Kind::tied_to) == Some(&self.inside(pattern.master.link));
                draft.master.is_none() && !above && !kind.is_some_and(|kind| kind.is(pattern.master.kind))
            }
            None => !self.index.contains_key(&Place::new(Netns::Host, link)),
        }
    }

    /// What a link inside is, if it is made of options.
    fn kind_of(&self, link: LinkName) -> Option<VirtualKind> {
        let at = *self.index.get(&self.inside(link))?;
        Some(self.drafts[at].kind.as_ref()?.as_virtual()?.kind)
    }

    /// Whether there is a stanza of the link's name, and not as the logical name of another link.
    fn is_link(&self, link: LinkName) -> bool {
        self.files.ifaces.has(link.as_str()) && !self.logical.contains(link.as_str())
    }

    /// A link that stays on the host.
    pub fn borrow(&mut self, link: LinkName, span: &Span, up: Option<bool>) -> Place {
        let place = Place::new(Netns::Host, link);
        match self.index.get(&place) {
            Some(&at) => self.drafts[at].up = self.drafts[at].up.or(up),
            None => self.add(Draft { up, borrowed: true, ..Draft::new(place.clone(), Some(span.clone()), None) }),
        }
        place
    }
}

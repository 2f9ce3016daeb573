//! Links that a namespace's `links` file makes on the host: bridges, and tap, tun and dummy devices.
//!
//! They belong to the namespace: they are made before its own links, and go with it. A bridge's ports are others of them, the host's
//! ends of pairs, and links of the host that are there, which are borrowed. What attaches to a bridge by itself, as containers and other
//! namespaces do, is not spoken of.

use super::assemble::Assembly;
use super::draft::Draft;
use super::environment::Names;
use super::inherit::{Ifaces, Settled};
use super::kind::simple::name;
use super::kind::{self, Made, Shape};
use super::ports::{self, Wanted};
use super::report::Report;
use super::value::Part;
use crate::interfaces::diagnostic::Diagnostic;
use crate::model::{Kind, LinkName, Netns, Place, Virtual, VirtualKind};
use std::collections::BTreeMap;

const KINDS: [VirtualKind; 4] = [VirtualKind::Bridge, VirtualKind::Tap, VirtualKind::Tun, VirtualKind::Dummy];

impl<'a> Assembly<'a> {
    /// Adds the links that stanzas of the `links` file make, but for those of `others`, and tells which these are.
    pub fn on_host(&mut self, own: &'a Ifaces<'a>, others: &[LinkName], report: &mut Report) -> Vec<LinkName> {
        let mut found: BTreeMap<LinkName, Vec<Settled<'a>>> = BTreeMap::new();
        let mut order = Vec::new();
        for (index, iface) in own.all() {
            let Ok(link) = iface.name.value.parse::<LinkName>() else { continue };
            let is_one = !others.contains(&link) && !own.is_inherited(index) && !link.as_str().contains(':');
            if let Some(settled) = is_one.then(|| own.settle(index, report)).flatten() {
                if !found.contains_key(&link) {
                    order.push(link);
                }
                found.entry(link).or_default().push(settled);
            }
        }
        order.retain(|link| self.make_on_host(*link, &found[link], report));
        for link in &order {
            let names = Names { iface: link.as_str(), logical: link.as_str(), class: None };
            self.evaluate(&Place::new(Netns::Host, *link), names, &found[link], report);
        }
        for link in &order {
            self.ports_on_host(*link, &found[link], report);
        }
        order
    }

    /// Adds a link, if its stanzas make one; not its ports.
    fn make_on_host(&mut self, link: LinkName, settled: &[Settled<'a>], report: &mut Report) -> bool {
        let Some(span) = settled.first().map(|settled| settled.iface.name.span.clone()) else { return false };
        // What it is not is told where it is not used.
        let made = match kind::shape(link, &span, settled, self.files.access, report) {
            Some(Shape::Made(made)) if KINDS.contains(&made.kind) && made.birth.is_none() => made,
            Some(Shape::Made(_)) => {
                let message = "no link of this kind is made on the host";
                report.push(Diagnostic::error(&span, message).help("bridge, tap, tun and dummy devices are"));
                return false;
            }
            _ => return false,
        };
        let Made { kind, options, wait, .. } = made;
        let mut own = Virtual { kind, parent: None, birth: None, options };
        own.complete();
        own.normalize();
        let place = Place::new(Netns::Host, link);
        self.add(Draft { wait, ..Draft::new(place, Some(span), Some(Kind::Virtual(own))) });
        true
    }

    fn ports_on_host(&mut self, bridge: LinkName, settled: &[Settled<'a>], report: &mut Report) {
        let is_bridge = |draft: &Draft<'_>| draft.kind.as_ref().is_some_and(|kind| kind.is(VirtualKind::Bridge));
        let place = Place::new(Netns::Host, bridge);
        if !self.index.get(&place).is_some_and(|at| is_bridge(&self.drafts[*at])) {
            return;
        }
        for wanted in ports::of_bridge(settled, report) {
            match wanted {
                Wanted::Link(part) => self.port_on_host(bridge, part, report),
                Wanted::Matching(_, part) => {
                    report.push(part.error("the ports of a bridge on the host are named one by one"));
                }
            }
        }
    }

    /// One that is not there is passed over, as by bridge-utils.
    fn port_on_host(&mut self, bridge: LinkName, part: Part<'a>, report: &mut Report) {
        let Some(port) = report.take(name(part)) else { return };
        let place = Place::new(Netns::Host, port);
        if port == bridge || port.is_loopback() {
            return report.push(part.error(format!("`{port}` cannot be a port of `{bridge}`")));
        }
        if !self.index.contains_key(&place) {
            if !self.files.machine.may_have(port) {
                return report.push(part.warning(format!("there is no link `{port}`, ignoring")));
            }
            self.borrow(port, &part.span(), Some(true));
        }
        let Some(at) = self.index.get(&place) else { return };
        let draft = &mut self.drafts[*at];
        match draft.master.filter(|other| *other != bridge) {
            Some(other) => {
                let message = format!("`{port}` cannot be a port of both `{other}` and `{bridge}`");
                report.push(part.error(message));
            }
            None => draft.master = Some(bridge),
        }
        draft.up = Some(true);
        if !draft.borrowed {
            draft.addrgenmode = Some(1);
        }
    }
}

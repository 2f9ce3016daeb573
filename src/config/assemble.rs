//! From stanzas to links: who is brought up, what each link is, and on which others it stands.
//!
//! 1. `lo`, then what `auto` and `allow-CLASS` name, in file order
//! 2. what needs no such line: inner ends of `link-netns` pairs, and `iface BR..X`
//! 3. before a VLAN its parent: the one inside if the file speaks of it, else the host's, which stays there
//!
//! A link is one [`Draft`], however many stanzas and aliases speak of it.

use super::check;
use super::depend::{self, Pattern};
use super::draft::Draft;
use super::environment::Names;
use super::inherit::{Ifaces, Settled};
use super::kind::{self, Made, Shape};
use super::mapping::Mappings;
use super::method::Means;
use super::pairs::Pair;
use super::report::Report;
use super::resolv;
use super::scripts::Scripts;
use super::select::{Machine, Selected};
use super::stanza::{self, Subject};
use super::value::{only_word, shown, words};
use super::{options, options::Key, route, stable};
use crate::interfaces::Files as FileAccess;
use crate::interfaces::diagnostic::{Diagnostic, Span};
use crate::interfaces::syntax::Opt;
use crate::model::{Kind, LinkName, LinkValue, Netns, NetnsName, Place, Resolv, Virtual, VirtualKind};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// The first table that `vrf-table auto` takes, as ifupdown2 has it.
const FIRST_VRF_TABLE: u32 = 1001;

/// The files, read.
pub(super) struct Files<'a> {
    /// Files as the namespace sees them.
    pub access: &'a dyn FileAccess,
    pub netns: &'a NetnsName,
    /// The stanzas of the namespace's file.
    pub ifaces: &'a Ifaces<'a>,
    pub mappings: &'a Mappings<'a>,
    pub machine: &'a Machine<'a>,
    /// What `auto` and `allow-CLASS` name.
    pub explicit: &'a [Selected],
    pub pairs: &'a [Pair],
    pub scripts: &'a Scripts,
}

/// The links so far.
pub(super) struct Assembly<'a> {
    pub files: &'a Files<'a>,
    pub drafts: Vec<Draft<'a>>,
    pub resolv: Resolv,
    pub index: HashMap<Place, usize>,
    /// The names that were brought up, aliases among them.
    seen: HashSet<String>,
    /// The stanzas of the namespace's file that somebody uses.
    used: BTreeSet<usize>,
    explicit: HashMap<&'a str, &'a Selected>,
    /// The same by link: itself, or else its first alias.
    pub by_link: HashMap<LinkName, &'a Selected>,
    /// The logical names that differ from their link's.
    pub logical: HashSet<&'a str>,
    pub pairs: HashMap<LinkName, &'a Pair>,
    /// The links that wait for others, on which they depend, to be brought up.
    pub waiting: Vec<LinkName>,
    /// Links that are ports of something somewhere in the file.
    pub moving: HashSet<LinkName>,
    /// Links that `pre-up` commands seem to make, those of other stanzas too: the other end of a pair.
    by_command: HashSet<&'a str>,
    /// Ports by expressions, which come last.
    pub patterns: Vec<Pattern<'a>>,
    /// Slaves and the bonds that they name, which are brought up after them.
    pub slaves: Vec<(LinkName, LinkName, Span)>,
    /// Links that are not there, and how long to wait for them.
    pub awaited: Vec<(LinkName, Duration)>,
    /// Tables of VRFs that the file names or that were given out.
    tables: HashSet<u32>,
    next_table: u32,
    rules: HashMap<Netns, usize>,
}

impl<'a> Assembly<'a> {
    pub fn new(files: &'a Files<'a>) -> Self {
        let mut by_link: HashMap<LinkName, &Selected> = HashMap::new();
        for one in files.explicit {
            let first = by_link.entry(one.link).or_insert(one);
            if !one.is_alias() {
                *first = one;
            }
        }
        Self {
            by_link,
            files,
            drafts: Vec::new(),
            resolv: Resolv::default(),
            index: HashMap::new(),
            seen: HashSet::new(),
            used: BTreeSet::new(),
            explicit: files.explicit.iter().map(|one| (one.name.as_str(), one)).collect(),
            logical: files.explicit.iter().filter(|o| o.logical != o.name).map(|o| o.logical.as_str()).collect(),
            pairs: files.pairs.iter().map(|pair| (pair.inner, pair)).collect(),
            waiting: Vec::new(),
            moving: depend::moving(files.ifaces.options()),
            by_command: files.ifaces.options().filter(|opt| is_pre_up(opt)).flat_map(made_by).collect(),
            patterns: Vec::new(),
            slaves: Vec::new(),
            awaited: Vec::new(),
            tables: files.ifaces.options().filter_map(vrf_table).collect(),
            next_table: FIRST_VRF_TABLE,
            rules: HashMap::new(),
        }
    }

    /// Brings everything in the namespace up.
    pub fn inner(&mut self, report: &mut Report) {
        self.loopback(report);
        for one in self.files.explicit {
            self.bring_up(one, report);
            self.masters(report);
        }
        for pair in self.files.pairs {
            let one = self.implied(pair.inner, &pair.inner_span, report);
            self.bring_up(&one, report);
        }
        for (index, iface) in self.files.ifaces.all() {
            let name = &iface.name;
            if !name.value.contains("..") || name.value.contains(':') || self.used.contains(&index) {
                continue;
            }
            let link = name.value.parse().map_err(|why| Diagnostic::error(&name.span, format!("{why}")));
            if let Some(link) = report.take(link) {
                let one = self.implied(link, &name.span, report);
                self.bring_up(&one, report);
            }
        }
        self.masters(report);
        self.find_patterns(report);
    }

    /// Warns of stanzas that nobody uses.
    pub fn report_unused(&self, report: &mut Report) {
        let mut said: HashSet<&str> = HashSet::new();
        for (index, iface) in self.files.ifaces.all() {
            let name = iface.name.value.as_str();
            let unused = !self.used.contains(&index) && !self.files.ifaces.is_inherited(index);
            // A name that no link can have was an error where it is brought up.
            let base = name.split(':').next().unwrap_or(name);
            if unused && base.parse::<LinkName>().is_ok() && said.insert(name) {
                let message = format!("nothing brings `{}` up", shown(name));
                let help = format!("add `auto {}`", shown(name));
                report.push(Diagnostic::warning(&iface.name.span, message).help(help));
            }
        }
    }

    /// Whether a link of the namespace is brought up.
    pub fn has(&self, link: LinkName) -> bool {
        self.index.contains_key(&self.inside(link))
    }

    pub fn inside(&self, link: LinkName) -> Place {
        Place::new(Netns::Named(self.files.netns.clone()), link)
    }

    /// A link without an `auto` line.
    pub fn implied(&self, link: LinkName, span: &Span, report: &mut Report) -> Selected {
        let mut one = Selected::implied(link, span);
        one.logical = self.files.mappings.apply(&one.name, one.logical, self.files.machine.surroundings, report);
        one
    }

    /// `lo` is first, and always there.
    fn loopback(&mut self, report: &mut Report) {
        match self.explicit.get(LinkName::LO.as_str()).copied() {
            Some(one) => self.bring_up(one, report),
            None => {
                let stanza = self.files.ifaces.named(LinkName::LO.as_str()).next();
                match stanza.map(|index| self.files.ifaces.keyword(index)) {
                    Some(span) => {
                        let one = self.implied(LinkName::LO, span, report);
                        self.bring_up(&one, report);
                    }
                    None => {
                        self.seen.insert(LinkName::LO.to_string());
                        let mut lo = Draft::new(self.inside(LinkName::LO), None, Some(Kind::Loopback));
                        lo.stanzas.extend(stanza::of_scripts(LinkName::LO.as_str(), self.files.scripts));
                        self.add(lo);
                    }
                }
            }
        }
    }

    /// Brings a link or an alias up, and before it what it stands on.
    pub fn bring_up(&mut self, one: &Selected, report: &mut Report) {
        if !self.seen.insert(one.name.clone()) {
            return;
        }
        let place = self.inside(one.link);
        if one.is_alias()
            && let Some(base) = self.explicit.get(one.link.as_str()).copied()
        {
            self.bring_up(base, report);
        }
        let indices: Vec<usize> = self.files.ifaces.named(&one.logical).collect();
        if indices.is_empty() && !one.link.is_loopback() && !self.pairs.contains_key(&one.link) {
            return report.push(without_stanza(one));
        }
        let settled: Vec<Settled<'a>> =
            indices.iter().filter_map(|index| self.files.ifaces.settle(*index, report)).collect();
        self.used.extend(indices);
        if let Some(&at) = self.index.get(&place) {
            self.drafts[at].up = Some(true);
        } else {
            let Some(draft) = self.draft(one, &settled, report) else { return };
            if let (Some(from), Some(_)) = (one.from, &draft.kind) {
                let message = format!("`{}` is made here, so that `{from}` cannot be renamed to it", one.link);
                report.push(Diagnostic::error(&one.span, message));
            }
            self.add(Draft { from: one.from, ..draft });
        }
        self.before(one, &settled, report);
        let names = Names { iface: &one.name, logical: &one.logical, class: one.class.as_deref() };
        self.evaluate(&place, names, &settled, report);
        self.after(one, &settled, report);
    }

    /// Adds stanzas to a link.
    pub fn evaluate(&mut self, place: &Place, names: Names<'_>, settled: &[Settled<'a>], report: &mut Report) {
        let Some(&at) = self.index.get(place) else { return };
        let Files { access, scripts, machine, .. } = *self.files;
        let table = self.table(at);
        let subject = Subject { access, place, names, table, surroundings: machine.surroundings, scripts };
        let rules = self.rules.entry(place.netns.clone()).or_default();
        for settled in settled {
            check::options(settled, report);
            if place.netns != Netns::Host {
                resolv::evaluate(settled, &mut self.resolv, report);
            }
            let draft = &mut self.drafts[at];
            draft.settings.extend(settled.settings.iter().filter(|s| s.def.is_some_and(|def| def.key == Key::Kind)));
            draft.stanzas.push(stanza::evaluate(settled, &subject, rules, report));
        }
    }

    /// The table that a link's routes go to: that of the VRF that it is, or is in.
    fn table(&self, at: usize) -> Option<u32> {
        let of = |draft: &Draft<'_>| {
            let vrf = draft.kind.as_ref()?.as_virtual().filter(|own| own.kind == VirtualKind::Vrf)?;
            match vrf.options.get("table") {
                Some(LinkValue::Number(table)) => u32::try_from(*table).ok(),
                _ => None,
            }
        };
        let draft = &self.drafts[at];
        let master = || self.index.get(&Place::new(draft.place.netns.clone(), draft.master?));
        of(draft).or_else(|| of(&self.drafts[*master()?]))
    }

    pub fn add(&mut self, mut draft: Draft<'a>) {
        draft.by_command = self.by_command.contains(draft.place.link.as_str());
        match self.index.get(&draft.place) {
            None => {
                self.index.insert(draft.place.clone(), self.drafts.len());
                self.drafts.push(draft);
            }
            // Somebody stood on it before it was known to be ours.
            Some(&at) if self.drafts[at].borrowed && !draft.borrowed => self.drafts[at] = draft,
            Some(_) => {}
        }
    }

    /// The link itself, without its stanzas; what it stands on is added.
    pub fn draft(&mut self, one: &Selected, settled: &[Settled<'a>], report: &mut Report) -> Option<Draft<'a>> {
        let place = self.inside(one.link);
        let new = |kind| Some(Draft::new(place.clone(), Some(one.span.clone()), kind));
        if settled.first().is_some_and(|settled| settled.means == Means::Dial) {
            return Some(Draft { only_a_name: true, up: None, ..new(None)? });
        }
        if let Some(pair) = self.pairs.get(&one.link).copied() {
            let host = Place::new(Netns::Host, pair.host);
            let kind = Kind::Veth { peer: Some(place.clone()) };
            self.add(Draft::new(host.clone(), Some(pair.host_span.clone()), Some(kind)));
            return new(Some(Kind::Veth { peer: Some(host) }));
        }
        match kind::shape(one.link, &one.span, settled, self.files.access, report)? {
            Shape::Loopback => new(Some(Kind::Loopback)),
            Shape::Existing => new(None),
            Shape::Port { bridge } => {
                let host = Place::new(Netns::Host, stable::host_end(self.files.netns, one.link)?);
                let span = Some(one.span.clone());
                self.borrow(bridge, &one.span, None);
                let kind = Kind::Veth { peer: Some(place.clone()) };
                let altname = altname(self.files.netns, one.link);
                let fixed_mac = stable::port_mac(self.files.netns, one.link);
                let end = Draft::new(host.clone(), span, Some(kind));
                self.add(Draft { master: Some(bridge), altname, fixed_mac, ..end });
                new(Some(Kind::Veth { peer: Some(host) }))
            }
            Shape::Pair { peer, span } => {
                let other = self.inside(peer);
                let kind = Kind::Veth { peer: Some(place.clone()) };
                self.add(Draft { up: None, ..Draft::new(other.clone(), Some(span), Some(kind)) });
                new(Some(Kind::Veth { peer: Some(other) }))
            }
            Shape::Vlan { parent, id, protocol, raw } => {
                let opt = settled.iter().find_map(|settled| settled.get(Key::VlanRawDevice));
                let span = opt.map_or(&one.span, |opt| &opt.value.span);
                let parent = Some(self.parent(one, parent, span, report)?);
                Some(Draft { raw, ..new(Some(Kind::Vlan { parent, id, protocol }))? })
            }
            Shape::Made(made) => self.made(one, made, settled, report),
        }
    }

    /// A link that is made of options.
    fn made(
        &mut self,
        one: &Selected,
        mut made: Made<'a>,
        settled: &[Settled<'a>],
        report: &mut Report,
    ) -> Option<Draft<'a>> {
        if made.kind == VirtualKind::Vrf {
            let table = self.vrf_table(settled, report)?;
            made.options.insert("table".into(), LinkValue::Number(table.into()));
        }
        let parent = match &made.parent {
            Some((parent, word)) => Some(self.parent(one, *parent, &word.span(), report)?),
            None => None,
        };
        let birth = made.birth.filter(|_| parent.is_none());
        let mut own = Virtual { kind: made.kind, parent, birth, options: made.options };
        own.complete();
        own.normalize();
        let draft = Draft::new(self.inside(one.link), Some(one.span.clone()), Some(Kind::Virtual(own)));
        Some(Draft { wait: made.wait, wireguard: made.wireguard, ..draft })
    }

    /// `vrf-table`: a number, or the next that no VRF of the file has.
    fn vrf_table(&mut self, settled: &[Settled<'a>], report: &mut Report) -> Option<u32> {
        let Some(opt) = settled.iter().find_map(|settled| settled.named("vrf-table")) else {
            let span = settled.first().map(|settled| &settled.iface.name.span)?;
            report.push(Diagnostic::error(span, "this vrf has no table").help("add `vrf-table`, such as `auto`"));
            return None;
        };
        let word = report.take(only_word(opt))?;
        if word.text != "auto" {
            return report.take(route::table(word));
        }
        while !self.tables.insert(self.next_table) {
            self.next_table += 1;
        }
        Some(self.next_table)
    }
}

fn is_pre_up(opt: &Opt) -> bool {
    options::find(&opt.name.value).is_some_and(|def| def.key == Key::PreUp)
}

/// The words of a command that follow one after which ip(8) and brctl(8) take the name of a link to make.
fn made_by(opt: &Opt) -> Vec<&str> {
    let words: Vec<&str> = words(opt).map(|word| word.text).collect();
    let tuntap = words.contains(&"tuntap");
    let makes = |before: &str| ["add", "name", "peer", "addbr"].contains(&before) || tuntap && before == "dev";
    words.windows(2).filter(|pair| makes(pair[0])).map(|pair| pair[1]).collect()
}

/// The table that a `vrf-table` line names.
fn vrf_table(opt: &Opt) -> Option<u32> {
    let is_one = options::find(&opt.name.value).is_some_and(|def| def.name == "vrf-table");
    opt.value.value.trim().parse().ok().filter(|_| is_one)
}

/// The name under which a person finds the host's end of `BR..X`, if the kernel takes it.
fn altname(netns: &NetnsName, inner: LinkName) -> Option<String> {
    Some(format!("{netns}.{inner}")).filter(|name| name.len() <= 127 && !name.contains(':'))
}

fn without_stanza(one: &Selected) -> Diagnostic {
    let message = if one.logical == one.name {
        format!("`{}` has no `iface` stanza", shown(&one.name))
    } else {
        format!("`{}` has no stanza: there is no `iface {}`", shown(&one.name), shown(&one.logical))
    };
    if one.by_pattern {
        let message = format!("{message}, ignoring");
        return Diagnostic::warning(&one.span, message).help("the pattern matches it");
    }
    let help = format!("add `iface {} inet manual`, or `static` with its `address`", shown(&one.logical));
    Diagnostic::error(&one.span, message).help(help)
}

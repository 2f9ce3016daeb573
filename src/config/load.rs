//! The way through this module, once for each namespace.

use super::assemble::{Assembly, Files};
use super::draft::{self, Draft};
use super::environment::Names;
use super::files::Sources;
use super::inherit::Ifaces;
use super::inputs::{Input, RecordingFiles};
use super::mapping::Mappings;
use super::members;
use super::nat::PublishedSocket;
use super::pairs::{self, Pair};
use super::report::Report;
use super::scripts::Scripts;
use super::select::{self, Machine, Renames};
use super::surroundings::{Surroundings, Watched};
use super::value::shown;
use super::{conflicts, dhcp, nat, ruleset, sysctl, tuntap, xfrm};
use crate::interfaces::Files as FileAccess;
use crate::interfaces::diagnostic::{Diagnostic, Severity, Span};
use crate::interfaces::files::OsFiles;
use crate::interfaces::syntax::Stanza;
use crate::model::{Desired, DesiredLink, Kind, LinkName, Netns, NetnsName, Place, Presence, Resolv, Rule};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the files of a namespace ask for.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Their meaning; none if there is an error among the diagnostics.
    pub desired: Option<Desired>,
    /// What there is to say, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// Where each link is named first, for what turns out later, such as that it does not exist.
    pub spans: BTreeMap<Place, Span>,
    /// Links that are not there but may yet come, and how long to wait for them: `bridge_waitport`.
    pub awaited: Vec<(LinkName, Duration)>,
    /// Sockets of the host that are handed to services inside; systemd's business.
    pub sockets: Vec<PublishedSocket>,
    /// The files that were read, as the user knows them.
    pub files: Vec<PathBuf>,
    /// All that this was worked out from; none where it depends on more than files, such as the links that a pattern finds.
    pub inputs: Option<Vec<Input>>,
}

impl Loaded {
    /// Whether nothing may be applied.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Reads the files of a namespace below `root` and says what they mean.
pub fn load(root: &Path, netns: &NetnsName, surroundings: &dyn Surroundings) -> Loaded {
    let asked = RefCell::new(Vec::new());
    let host = OsFiles::new().below(root);
    let inner = RecordingFiles::new(host.clone().in_netns(netns.as_str()), &asked);
    let host = RecordingFiles::new(host, &asked);
    let watched = Watched::new(surroundings);
    let loaded = load_from(&inner, &host, netns, &watched);
    // The administrator's own is not read here, but what names are looked up with depends on whether it is there.
    let own_names = Input::file(&root.join("etc/netns").join(netns.as_str()).join("resolv.conf"));
    asked.borrow_mut().push(own_names);
    Loaded { inputs: (!watched.was_asked()).then(|| asked.take()), ..loaded }
}

/// The same of any files: `access` as the namespace sees them, `host` as the host does.
pub fn load_from(
    access: &dyn FileAccess,
    host: &dyn FileAccess,
    netns: &NetnsName,
    surroundings: &dyn Surroundings,
) -> Loaded {
    let mut report = Report::default();
    let tuntap = tuntap::open(access, netns, &mut report);
    let of_links = Path::new("/etc/netns").join(netns.as_str()).join("network/links");
    let has_links = || access.read(&of_links, 1).is_ok();
    let optional = || tuntap.is_some() || surroundings.is_used_by_others() || has_links();
    let sources = Sources::read(access, host, netns, optional, &mut report);
    let machine = Machine::new(surroundings);
    let pairs = pairs::pairs(&sources, netns, &mut report);
    let ifaces = Ifaces::new(&sources.inner.stanzas);
    ifaces.check(&mut report);
    let mappings = Mappings::new(&sources.inner.stanzas, access);
    let renames = Renames::new(&sources.inner.stanzas, &machine, &mut report);
    let explicit = select::explicit(&sources.inner.stanzas, &renames, &mappings, &machine, &mut report);
    let scripts = Scripts::read(access, &sources.inner.stanzas, &mut report);
    let files = Files {
        access,
        netns,
        ifaces: &ifaces,
        mappings: &mappings,
        machine: &machine,
        explicit: &explicit,
        pairs: &pairs,
        scripts: &scripts,
    };
    let (own, of_host) = (Ifaces::new(&sources.links.stanzas), Ifaces::new(&sources.host.stanzas));
    let mut assembly = Assembly::new(&files);
    assembly.inner(&mut report);
    let needed = host_ends(&mut assembly, &pairs, &own, &of_host, &mut report);
    sources.report_host(netns, &of_host, &needed, &mut report);
    let ends: Vec<LinkName> = pairs.iter().map(|pair| pair.host).collect();
    let made = assembly.on_host(&own, &ends, &mut report);
    report_links_file(&sources.links.stanzas, &own, &[ends, made].concat(), &mut report);
    assembly.report_unused(&mut report);
    renames.report_unused(|link| assembly.has(link), &mut report);
    let Assembly { mut drafts, resolv, awaited, .. } = assembly;
    members::resolve(&mut drafts, &machine, &mut report);
    conflicts::resolve(&mut drafts, &mut report);
    dhcp::check_single(&drafts, &mut report);
    dhcp::rank(&mut drafts);
    let mut spans: BTreeMap<Place, Span> =
        drafts.iter().filter_map(|draft| Some((draft.place.clone(), draft.span.clone()?))).collect();
    let mut desired = Desired { resolv, scripts: scripts.for_all(), ..finish(netns, drafts, &machine, &mut report) };
    let mut paths = sources.paths();
    if let Some(file) = tuntap {
        let around = tuntap::Around { service: netns, host, links: &desired.links };
        let tuntap = tuntap::read(&file, &around, &mut report);
        paths.push(file.path);
        spans.extend(tuntap.spans.clone());
        tuntap.add_to(&mut desired);
    }
    let around = xfrm::Around { access, service: netns, links: &desired.links, machine: &machine };
    let xfrm = xfrm::read(&around, &mut report);
    paths.extend(xfrm.path.clone());
    spans.extend(xfrm.spans.clone());
    xfrm.add_to(&mut desired);
    let settings = sysctl::read(access, netns, &mut report);
    paths.extend(settings.paths.iter().cloned());
    settings.add_to(&mut desired, &machine, &mut report);
    let nat = nat::read(access, netns, &mut report);
    paths.extend(nat.path.clone());
    let sockets = nat.sockets.clone();
    nat.add_to(&mut desired, &machine, &mut report);
    if let Some((ruleset, files)) = ruleset::read(access, netns, &mut report) {
        paths.extend(files);
        desired.ruleset = Some(ruleset);
    }
    let desired = Some(desired).filter(|_| !report.has_errors());
    Loaded { desired, diagnostics: report.finish(&paths), spans, awaited, sockets, files: paths, inputs: None }
}

/// Adds the stanzas of the host's ends: those of the namespace's own `links` file, else those of the host's file.
/// The stanzas of the host's file that matter, by index.
fn host_ends<'a>(
    assembly: &mut Assembly<'a>,
    pairs: &[Pair],
    own: &'a Ifaces<'a>,
    host: &'a Ifaces<'a>,
    report: &mut Report,
) -> BTreeSet<usize> {
    let mut needed = BTreeSet::new();
    own.check(report);
    for pair in pairs {
        let name = pair.host.as_str();
        let source = match (own.has(name), host.has(name)) {
            (true, true) => {
                let message = format!("`{name}` has stanzas in the host's file too, which are not used");
                let help = host.named(name).next().map(|index| format!("see {}", host.keyword(index)));
                report.push(Diagnostic { help, ..Diagnostic::warning(&pair.host_span, message) });
                own
            }
            (true, false) => own,
            (false, _) => {
                needed.extend(host.lineage(name));
                host
            }
        };
        let settled: Vec<_> = source.named(name).filter_map(|index| source.settle(index, report)).collect();
        let names = Names { iface: name, logical: name, class: None };
        assembly.evaluate(&Place::new(Netns::Host, pair.host), names, &settled, report);
    }
    needed
}

/// Warns of what the `links` file says in vain.
fn report_links_file(stanzas: &[Stanza], own: &Ifaces<'_>, used: &[LinkName], report: &mut Report) {
    let ends: BTreeSet<&str> = used.iter().map(LinkName::as_str).collect();
    for (index, iface) in own.all() {
        if !ends.contains(iface.name.value.as_str()) && !own.is_inherited(index) {
            let message = format!("`{}` is not the host's end of a pair", shown(&iface.name.value));
            let help = "the stanzas of this file are for the first link of its `link-netns` lines, and for bridges and \
                        devices that it makes on the host";
            report.push(Diagnostic::warning(&iface.name.span, message).help(help));
        }
    }
    for stanza in stanzas {
        let place = match stanza {
            Stanza::Allow(allow) => {
                allow.names.iter().find(|name| !ends.contains(name.value.as_str())).map(|name| &name.span)
            }
            Stanza::Mapping(mapping) => Some(&mapping.keyword),
            Stanza::Rename(words) => words.first().map(|word| &word.span),
            _ => None,
        };
        if let Some(span) = place {
            report.push(Diagnostic::warning(span, "this has no effect in a `links` file"));
        }
    }
}

fn finish(netns: &NetnsName, drafts: Vec<Draft<'_>>, machine: &Machine<'_>, report: &mut Report) -> Desired {
    let mtus = draft::mtus(&drafts, machine, report);
    let rules: Vec<(Netns, Rule)> = drafts
        .iter()
        .flat_map(|draft| draft.stanzas.iter().map(move |stanza| (&draft.place.netns, stanza)))
        .flat_map(|(netns, stanza)| stanza.rules.iter().map(move |(rule, _)| (netns.clone(), rule.clone())))
        .collect();
    let links = drafts.into_iter().zip(mtus).map(|(draft, mtu)| draft.finish(mtu, report)).collect();
    let (resolv, scripts) = (Resolv::default(), crate::model::Stanza::default());
    let (sysctls, uses, optional) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    let (ruleset, table) = (None, None);
    Desired { netns: netns.clone(), links, rules, sysctls, optional, ruleset, table, uses, resolv, scripts }
}

/// The links of the host that must be there before the namespace can be made: those that move in, and those that
/// VLANs and ports stand on. Links that commands make are not among them.
pub fn host_links(desired: &Desired) -> Vec<LinkName> {
    let needed = desired.links.iter().filter(|link| match link.presence {
        Presence::Borrowed => true,
        Presence::Required => link.link.kind.is_none() && link.place.netns != Netns::Host,
        Presence::MadeByCommand | Presence::OnlyAName => false,
    });
    needed.map(|link| link.from.unwrap_or(link.place.link)).collect()
}

/// The links of the host that the files make there, but for ends of pairs: others may stand on them.
pub fn made_on_host(desired: &Desired) -> Vec<LinkName> {
    let made =
        |link: &&DesiredLink| matches!(link.link.kind, Some(Kind::Virtual(_))) && link.presence == Presence::Required;
    let on_host = desired.links.iter().filter(|link| link.place.netns == Netns::Host);
    on_host.filter(made).map(|link| link.place.link).collect()
}

//! `/etc/netns/SERVICE/network/xfrm`: IPsec's links, which leave in other namespaces than the one that IPsec runs in.
//!
//! A section makes an XFRM interface in the service's namespace, where its states and policies stay, and puts it into `DestNetNS`
//! with routes for its prefixes. The namespaces themselves are others' business: each has its own files, and this one only
//! names them ([`Desired::uses`](crate::model::Desired::uses)).
//!
//! # `BlockP2P`
//!
//! Two hosts behind the same gateway could speak with one another through it, past every firewall. So the section's routes go
//! to a table of their own, and only what comes in by the uplink (the link of the namespace's default route) is looked up there,
//! by a rule. What comes out of a tunnel finds the default route, and with it the firewall, which sends it back or does not.
//!
//! Strict reverse-path filtering (`rp_filter` 1, ip-sysctl) asks by which link an answer would leave; for a packet that
//! comes out of such a tunnel the answer is the uplink, as that question is not put to the rule, and the packet is dropped.
//! The link has `rp_filter` 2 therefore, which only asks whether there is any way back.
//!
//! Must not know: the kernel, who else uses those namespaces.

mod keys;

use super::ini::{self, Section};
use super::report::Report;
use super::select::Machine;
use crate::interfaces::Files;
use crate::interfaces::diagnostic::{Diagnostic, Span};
use crate::model::{
    Desired, DesiredLink, Kind, Link, LinkName, LinkOptions, LinkValue, Netns, NetnsName, Place, Presence, Route, Rule,
    RuleAction, Stanza, Sysctl, TABLE_MAIN, Virtual, VirtualKind,
};
use keys::{DEFAULT, Tunnel};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// What a packet grows by at most, by the ciphers that are in use: an outer IPv6 header (RFC 8200), UDP (RFC 3948), ESP's own
/// header, initialisation vector, padding and trailer (RFC 4303, AES-CBC), and the longest check value (RFC 4868).
const OVERHEAD: u32 = 40 + 8 + 8 + 16 + 15 + 2 + 32;
/// What a derived MTU is not less than: IPv6 needs it (RFC 8200, section 5).
const MIN_MTU: u32 = 1280;
/// An Ethernet link that nothing is known of.
const ETHERNET_MTU: u32 = 1500;
/// Before the rules of an `interfaces` file, which begin at 1000.
const PRIORITY: u32 = 900;

const HELP: &str = "a line such as `[ipsec0]` begins a section, with the name of the link to make";

/// What the file asks for.
#[derive(Default)]
pub(super) struct Xfrm {
    pub links: Vec<DesiredLink>,
    pub spans: BTreeMap<Place, Span>,
    pub rules: Vec<(Netns, Rule)>,
    pub sysctls: Vec<(Netns, Sysctl, String)>,
    /// The namespaces that it names, beside the service's own.
    pub uses: BTreeSet<NetnsName>,
    /// The file, if it is there.
    pub path: Option<PathBuf>,
}

/// What the file is read in view of.
pub(super) struct Around<'a> {
    /// Files as the service's namespace sees them.
    pub access: &'a dyn Files,
    pub service: &'a NetnsName,
    /// The links of its `interfaces`.
    pub links: &'a [DesiredLink],
    pub machine: &'a Machine<'a>,
}

/// Reads the file, where there is one.
pub(super) fn read(around: &Around<'_>, report: &mut Report) -> Xfrm {
    let mut xfrm = Xfrm::default();
    let path = Path::new("/etc/netns").join(around.service.as_str()).join("network/xfrm");
    let Some(source) = ini::source(around.access, &path, report) else { return xfrm };
    xfrm.path = Some(around.access.place(&path));
    let Some(source) = source else { return xfrm };
    let sections = ini::parse(&source, HELP, report);
    let tunnels = tunnels(around, &sections, report);
    compare(&tunnels, report);
    for tunnel in &tunnels {
        xfrm.add(around, tunnel, report);
    }
    xfrm
}

fn tunnels(around: &Around<'_>, sections: &[Section], report: &mut Report) -> Vec<Tunnel> {
    let (defaults, others): (Vec<_>, Vec<_>) = sections.iter().partition(|section| section.name.value == DEFAULT);
    defaults.iter().for_each(|section| keys::warn_of_unknown(section, report));
    let mut tunnels = Vec::new();
    for section in others {
        let Some(tunnel) = keys::read(around.service, section, defaults.first().copied(), report) else { continue };
        let inside = Place::new(Netns::Named(around.service.clone()), tunnel.link);
        if around.links.iter().any(|link| link.place == inside) {
            let message = format!("`{}` is a link of `interfaces` already", tunnel.link);
            let help = format!("a section's link is made in {} before it moves", around.service);
            report.push(Diagnostic::error(&tunnel.span, message).help(help));
        }
        tunnels.push(tunnel);
    }
    tunnels
}

/// What two sections cannot both have.
fn compare(tunnels: &[Tunnel], report: &mut Report) {
    let (mut ids, mut routed) = (HashMap::new(), HashMap::new());
    for tunnel in tunnels {
        if let Some(other) = ids.insert(tunnel.if_id, tunnel) {
            let message = format!("`{}` has interface ID {} too", other.link, tunnel.if_id);
            report.push(Diagnostic::error(&tunnel.if_id_span, message).help(format!("see {}", other.if_id_span)));
        }
        for (prefix, span) in &tunnel.prefixes {
            if let Some((other, first)) = routed.insert((&tunnel.dest, tunnel.table(), prefix), (tunnel.link, span)) {
                let message = format!("`{prefix}` is routed to `{other}` already");
                report.push(Diagnostic::error(span, message).help(format!("see {first}")));
            }
        }
    }
}

impl Tunnel {
    fn table(&self) -> u32 {
        self.block.as_ref().map_or(TABLE_MAIN, |(table, _)| *table)
    }

    fn has(&self, ipv6: bool) -> bool {
        self.prefixes.iter().any(|(net, _)| net.addr().is_ipv6() == ipv6)
    }
}

impl Xfrm {
    /// Adds it to what the other files ask for.
    pub fn add_to(self, desired: &mut Desired) {
        desired.links.extend(self.links);
        desired.rules.extend(self.rules);
        desired.sysctls.extend(self.sysctls);
        desired.uses.extend(self.uses);
    }

    fn add(&mut self, around: &Around<'_>, tunnel: &Tunnel, report: &mut Report) {
        let (home, dest) = (Netns::Named(around.service.clone()), Netns::Named(tunnel.dest.clone()));
        let place = Place::new(dest.clone(), tunnel.link);
        let parent = underlay(around, tunnel, &home, report);
        let options = LinkOptions::from([("if_id".to_owned(), LinkValue::Number(tunnel.if_id.into()))]);
        let birth = Some(home.clone()).filter(|_| parent.is_none() && dest != home);
        let mtu = tunnel.mtu.unwrap_or_else(|| derived_mtu(around, &home, parent.as_ref().map(|p| p.link)));
        let kind = Kind::Virtual(Virtual { kind: VirtualKind::Xfrm, parent, birth, options });
        let link = Link { kind: Some(kind), up: Some(true), mtu: Some(mtu), ..Link::default() };
        let route = |(net, _): &(_, Span)| Route { table: tunnel.table(), ..Route::new(*net, None, Some(tunnel.link)) };
        let stanza = Stanza { routes: tunnel.prefixes.iter().map(route).collect(), ..Stanza::default() };
        let loose = (Sysctl::ipv4(tunnel.link, "rp_filter"), "2".to_owned());
        let sysctls = tunnel.block.iter().map(|_| loose.clone()).collect();
        let (presence, stanzas) = (Presence::Required, vec![stanza]);
        self.spans.insert(place.clone(), tunnel.span.clone());
        self.links.push(DesiredLink { place, link, from: None, presence, sysctls, wait: None, device: None, stanzas });
        for key in [Sysctl::ipv4_of_all("forwarding"), Sysctl::ipv6_of_all("forwarding")] {
            let setting = (dest.clone(), key, "1".to_owned());
            if !self.sysctls.contains(&setting) {
                self.sysctls.push(setting);
            }
        }
        if dest != home {
            self.uses.insert(tunnel.dest.clone());
        }
        if let Some((table, span)) = &tunnel.block {
            self.block(around, tunnel, *table, span, report);
        }
    }

    /// The rules that let packets from the uplink into a table, and no others.
    fn block(&mut self, around: &Around<'_>, tunnel: &Tunnel, table: u32, span: &Span, report: &mut Report) {
        let uplink = |ipv6| around.uplink(&tunnel.dest, ipv6);
        // A router may be known to one family only by its advertisements, or not yet.
        let uplinks = [(false, uplink(false)), (true, uplink(true))];
        let either = uplinks.iter().find_map(|(_, link)| *link);
        for (ipv6, link) in uplinks.into_iter().filter(|(ipv6, _)| tunnel.has(*ipv6)) {
            let Some(link) = link.or(either) else {
                let message =
                    format!("`{}` has no default route, so nothing is let into `{}`", tunnel.dest, tunnel.link);
                let help = "give it one, and reload; what comes out of the tunnel is not affected";
                report.push(Diagnostic::warning(span, message).help(help));
                continue;
            };
            let rule = Rule {
                ipv6,
                priority: PRIORITY,
                from: None,
                to: None,
                iif: Some(link),
                oif: None,
                fwmark: None,
                action: RuleAction::Lookup(table),
            };
            let rule = (Netns::Named(tunnel.dest.clone()), rule);
            if !self.rules.contains(&rule) {
                self.rules.push(rule);
            }
        }
    }
}

impl Around<'_> {
    /// The link of a namespace's default route. The service's own is not up before its files are read.
    fn uplink(&self, dest: &NetnsName, ipv6: bool) -> Option<LinkName> {
        let own = || default_route(self.links, &Netns::Named(self.service.clone()), Some(ipv6));
        let now = self.machine.surroundings.uplink(dest, ipv6);
        if dest == self.service { now.or_else(own) } else { now }
    }
}

/// The link of the default route that a namespace's files ask for, in one family.
pub fn uplink(desired: &Desired, ipv6: bool) -> Option<LinkName> {
    default_route(&desired.links, &Netns::Named(desired.netns.clone()), Some(ipv6))
}

fn default_route(links: &[DesiredLink], netns: &Netns, ipv6: Option<bool>) -> Option<LinkName> {
    let inside = links.iter().filter(|link| link.place.netns == *netns);
    let is_default = |r: &&Route| {
        let family = ipv6.is_none_or(|ipv6| r.to.addr().is_ipv6() == ipv6);
        r.to.prefix_len() == 0 && r.table == TABLE_MAIN && family
    };
    let default =
        |link: &DesiredLink| Some((link.routes().filter(is_default).map(|r| r.metric).min()?, link.place.link));
    let routed = inside.clone().filter_map(default).min_by_key(|(metric, _)| *metric).map(|(_, link)| link);
    let asks = |link: &&DesiredLink| link.dhcp().next().is_some();
    routed.or_else(|| inside.filter(asks).map(|link| link.place.link).next())
}

/// The link that `UnderlayDev` names.
fn underlay(around: &Around<'_>, tunnel: &Tunnel, home: &Netns, report: &mut Report) -> Option<Place> {
    let (link, span) = tunnel.underlay.as_ref()?;
    let place = Place::new(home.clone(), *link);
    if !around.links.iter().any(|other| other.place == place) {
        let message = format!("`{link}` is not a link of {}", around.service);
        let help =
            "hardware takes IPsec over where the IPsec service is: name one of its `interfaces`, or leave this out";
        report.push(Diagnostic::error(span, message).help(help));
    }
    Some(place)
}

/// What a packet may have inside the tunnel, that the underlay can carry it with all that is put around it.
fn derived_mtu(around: &Around<'_>, home: &Netns, underlay: Option<LinkName>) -> u32 {
    let inside = || around.links.iter().filter(|link| link.place.netns == *home && !link.place.link.is_loopback());
    let first = || inside().next().map(|link| link.place.link);
    let link = underlay.or_else(|| default_route(around.links, home, None)).or_else(first);
    let mtu = link.and_then(|link| mtu_of(around, &Place::new(home.clone(), link), 0)).unwrap_or(ETHERNET_MTU);
    mtu.saturating_sub(OVERHEAD).clamp(MIN_MTU, u32::from(u16::MAX))
}

/// How far links may stand on one another for that.
const DEPTH: usize = 8;

/// The MTU that a link has, or will have, as far as that is known.
fn mtu_of(around: &Around<'_>, place: &Place, depth: usize) -> Option<u32> {
    let link = around.links.iter().find(|link| link.place == *place);
    if let Some(mtu) = link.and_then(|link| link.link.mtu) {
        return Some(mtu);
    }
    match link.map(|link| &link.link.kind) {
        Some(Some(kind)) if depth < DEPTH => kind.tied_to().and_then(|parent| mtu_of(around, parent, depth + 1)),
        Some(None) => around.machine.mtu(link?.host_name()),
        Some(Some(_)) => None,
        None => around.machine.mtu(place.link),
    }
}

//! `/etc/netns/NAME/network/nat`: addresses that are translated on the host for what is behind it.
//!
//! | section | keys |
//! |---|---|
//! | `[masquerade]`, `[masquerade NAME]` | `From`, `Link` |
//! | `[snat]`, `[snat NAME]` | `From`, `To`, `Link` |
//! | `[publish]`, `[publish NAME]` | `Address`, `Port`, `Protocol`, `To`, `From`, `Link`, `Masquerade` |
//! | `[socket NAME]` | `Listen`, `Protocol`, `Service`, `To` |
//!
//! All but the last becomes one table of the host ([`table`]) and the forwarding that it needs. IPv4 is forwarded from links one by one, so
//! where each section names its `Link`, only these and the links that lead inside are set. IPv6 is forwarded by all links or none;
//! those that take router advertisements are told to go on (`accept_ra` 2, ip-sysctl).
//!
//! What is published by an address of 127.0.0.0/8 leaves by a link that leads inside, and its answers come in by that: which the kernel
//! forbids but for `route_localnet` (ip-sysctl). With that alone, whoever is on the link could reach all that listens at 127.0.0.1
//! (CVE-2020-8558): so it is set for these links alone, while a chain of the table drops what comes in with such an address
//! (`guard` in [`table`]), which is loaded before and goes after.
//!
//! Must not know: the kernel, what other namespaces publish.

mod beside;
mod keys;
mod socket;
mod table;
mod words;

use super::ini;
use super::report::Report;
use super::section::unknown;
use super::select::Machine;
use super::value::shown;
use crate::interfaces::Files;
use crate::interfaces::diagnostic::{Diagnostic, Span, Word};
use crate::model::{
    Desired, DesiredLink, Kind, LinkName, LinkValue, Netns, NetnsName, Presence, ROUTE_LOCALNET, Sysctl, Table,
};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

pub use beside::nat_warnings;
pub use socket::PublishedSocket;

const HELP: &str = "a line such as `[publish web]` begins a section";
/// More sections than anybody writes; each is held against the others.
const MAX_SECTIONS: usize = 1024;

const SECTIONS: [&str; 4] = ["masquerade", "snat", "publish", "socket"];

/// What the file asks for.
#[derive(Default)]
pub(super) struct Nat {
    sources: Vec<Source>,
    published: Vec<Published>,
    /// What systemd listens for.
    pub sockets: Vec<PublishedSocket>,
    /// The file, if it is there.
    pub path: Option<PathBuf>,
}

/// Packets that leave with another source.
struct Source {
    /// The section's own name.
    name: String,
    from: Vec<IpNet>,
    link: Option<LinkName>,
    /// The new sources, one for each family; none for that of the link by which they leave.
    to: Option<Vec<IpAddr>>,
}

/// Something inside that is reached by addresses of the host.
struct Published {
    /// The section's own name.
    name: String,
    /// The host's addresses; none for all.
    addresses: Vec<IpAddr>,
    /// Ports, each with the last one of a range; none for all of any protocol.
    ports: Vec<Ports>,
    tcp: bool,
    udp: bool,
    to: Vec<Target>,
    from: Vec<IpNet>,
    link: Option<LinkName>,
    masquerade: bool,
    span: Span,
}

/// Ports in a row.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ports {
    first: u16,
    last: u16,
}

/// Where it goes: one for each family.
struct Target {
    address: IpAddr,
    /// The ports there; none for the same ones.
    ports: Option<Ports>,
    span: Span,
}

/// Reads the file, where there is one.
pub(super) fn read(access: &dyn Files, netns: &NetnsName, report: &mut Report) -> Nat {
    let mut nat = Nat::default();
    let path = Path::new("/etc/netns").join(netns.as_str()).join("network/nat");
    let Some(source) = ini::source(access, &path, report) else { return nat };
    nat.path = Some(access.place(&path));
    let Some(source) = source else { return nat };
    let sections = ini::parse(&source, HELP, report);
    if let Some(more) = sections.get(MAX_SECTIONS) {
        report.push(Diagnostic::error(&more.name.span, format!("more than {MAX_SECTIONS} sections")));
    }
    for section in sections.iter().take(MAX_SECTIONS) {
        let name = &section.name;
        let word = name.value.split_whitespace().next().unwrap_or_default();
        match word.to_ascii_lowercase().as_str() {
            "masquerade" => nat.sources.extend(keys::masquerade(section, report)),
            "snat" => nat.sources.extend(keys::snat(section, report)),
            "socket" => nat.sockets.extend(socket::read(netns, section, report)),
            "publish" => nat.published.extend(keys::publish(section, report)),
            _ => {
                let message = format!("unknown section `{}`", shown(&name.value));
                let word = Word { value: word.to_owned(), span: name.span.clone() };
                report.push(unknown(&word, message, &SECTIONS, "sections are"));
            }
        }
    }
    compare(&nat.published, report);
    nat
}

/// What two sections cannot both have.
fn compare(published: &[Published], report: &mut Report) {
    for (i, one) in published.iter().enumerate() {
        if let Some(other) = published[..i].iter().find(|other| one.clashes(other)) {
            let message = "this is published already";
            report.push(Diagnostic::error(&one.span, message).help(format!("see {}", other.span)));
        }
    }
}

impl Published {
    fn clashes(&self, other: &Published) -> bool {
        let families = |p: &Published| [false, true].map(|ipv6| p.to.iter().any(|to| to.address.is_ipv6() == ipv6));
        let family = families(self).iter().zip(families(other)).any(|(a, b)| *a && b);
        let protocol =
            self.ports.is_empty() && other.ports.is_empty() || self.tcp && other.tcp || self.udp && other.udp;
        let overlap = |a: &Ports| other.ports.iter().any(|b| a.first <= b.last && b.first <= a.last);
        let ports = self.ports.is_empty() && other.ports.is_empty() || self.ports.iter().any(overlap);
        let all = self.addresses.is_empty() || other.addresses.is_empty();
        let addresses = all || self.addresses.iter().any(|a| other.addresses.contains(a));
        // Those of some sources, or of a link, are before or after one of all.
        family && protocol && ports && addresses && self.from == other.from && self.link == other.link
    }
}

impl Nat {
    /// Adds it to what the other files ask for.
    pub fn add_to(self, desired: &mut Desired, machine: &Machine<'_>, report: &mut Report) {
        if self.sources.is_empty() && self.published.is_empty() {
            return;
        }
        let inner = inner_links(desired);
        let open = self.open_to_loopback(desired, &inner, report);
        self.warn_of_strangers(desired, report);
        let translations = words::translations(&self);
        desired.table = Some(Table {
            name: table::name(&desired.netns),
            chains: table::chains(&self, &inner.iter().copied().collect::<Vec<_>>(), &open, &translations),
            translations,
        });
        if !self.published.is_empty() {
            reach_itself(desired);
        }
        self.forwarding(desired, &inner, machine);
        let route = |link: LinkName| (Netns::Host, Sysctl::ipv4(link, ROUTE_LOCALNET), "1".to_owned());
        desired.sysctls.extend(open.into_iter().map(route));
    }

    /// The links by which what is published by an address of 127.0.0.0/8 is reached: those with an address in its network, or all that lead
    /// inside where somebody else gives them theirs.
    fn open_to_loopback(&self, desired: &Desired, inner: &BTreeSet<LinkName>, report: &mut Report) -> Vec<LinkName> {
        let mut open = BTreeSet::new();
        for one in self.published.iter().filter(|one| one.addresses.iter().any(IpAddr::is_loopback)) {
            let targets: Vec<IpAddr> = one.to.iter().map(|to| to.address).filter(IpAddr::is_ipv4).collect();
            let on_host =
                desired.links.iter().filter(|l| l.place.netns == Netns::Host && inner.contains(&l.place.link));
            let leads = |l: &&DesiredLink| l.addresses().any(|a| targets.iter().any(|to| a.local.contains(to)));
            let found: Vec<LinkName> = on_host.filter(leads).map(|l| l.place.link).collect();
            if inner.is_empty() {
                let message = "no link of these files leads inside from 127.0.0.1";
                report.push(Diagnostic::error(&one.span, message).help("a `[socket]` may listen there"));
            }
            open.extend(if found.is_empty() { inner.iter().copied().collect() } else { found });
        }
        open.into_iter().collect()
    }

    fn forwarding(&self, desired: &mut Desired, inner: &BTreeSet<LinkName>, machine: &Machine<'_>) {
        let named: Vec<Option<LinkName>> =
            self.sources.iter().map(|s| s.link).chain(self.published.iter().map(|p| p.link)).collect();
        let has = |ipv6| {
            let sources = self.sources.iter().flat_map(|s| &s.from).any(|net| net.addr().is_ipv6() == ipv6);
            sources || self.published.iter().flat_map(|p| &p.to).any(|to| to.address.is_ipv6() == ipv6)
        };
        let mut on_host = Vec::new();
        if has(false) {
            let key = |link| Sysctl::ipv4(link, "forwarding");
            if inner.is_empty() || named.contains(&None) {
                on_host.push((Sysctl::ipv4_of_all("forwarding"), "1"));
            } else {
                let outer: BTreeSet<LinkName> = named.iter().flatten().copied().collect();
                on_host.extend(outer.difference(inner).map(|link| (key(*link), "1")));
            }
            for link in desired.links.iter_mut().filter(|link| link.place.netns == Netns::Host) {
                if inner.contains(&link.place.link) && !link.sysctls.iter().any(|(k, _)| *k == key(link.place.link)) {
                    link.sysctls.push((key(link.place.link), "1".to_owned()));
                }
            }
        }
        if has(true) {
            let takes = machine.surroundings.advertised();
            on_host.extend(takes.into_iter().map(|link| (Sysctl::ipv6(link, "accept_ra"), "2")));
            on_host.push((Sysctl::ipv6_of_all("forwarding"), "1"));
        }
        let settings = on_host.into_iter().map(|(key, value)| (Netns::Host, key, value.to_owned()));
        desired.sysctls.extend(settings);
    }

    /// Warns of what nothing in the files leads to.
    fn warn_of_strangers(&self, desired: &Desired, report: &mut Report) {
        let nets: Vec<IpNet> = desired.links.iter().flat_map(|link| link.addresses().map(|a| a.local)).collect();
        let routed = || desired.links.iter().flat_map(|l| l.routes()).map(|r| r.to).filter(|to| to.prefix_len() > 0);
        let leased = desired.links.iter().any(|link| link.dhcp().next().is_some());
        for to in self.published.iter().flat_map(|p| &p.to).filter(|_| !leased) {
            if !nets.iter().copied().chain(routed()).any(|net| net.contains(&to.address)) {
                let message = format!("`{}` is in no network of these files", to.address);
                let help = "the host must have a route to it";
                report.push(Diagnostic::warning(&to.span, message).help(help));
            }
        }
    }
}

/// A bridge whose frames the host's rules are asked for (`br_netfilter`) sends them back by the port that they came from, where a
/// service asks for itself by the host's address.
fn reach_itself(desired: &mut Desired) {
    let ports = desired.links.iter_mut().filter(|link| link.place.netns == Netns::Host && link.link.master.is_some());
    for port in ports.filter(|link| matches!(link.link.kind, Some(Kind::Veth { .. }))) {
        port.link.port.insert("hairpin".to_owned(), LinkValue::Number(1));
    }
}

/// The links of the host that lead inside: its ends of pairs, bridges that these are ports of, and what else the files make there.
fn inner_links(desired: &Desired) -> BTreeSet<LinkName> {
    let on_host = desired.links.iter().filter(|link| link.place.netns == Netns::Host);
    let ends = on_host.filter(|link| {
        let made = link.link.kind.as_ref().is_some_and(|kind| !matches!(kind, Kind::Loopback | Kind::Physical));
        made && link.presence != Presence::Borrowed
    });
    ends.map(|link| link.link.master.unwrap_or(link.place.link)).collect()
}

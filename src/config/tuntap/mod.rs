//! `/etc/netns/SERVICE/network/tuntap`: tun and tap links of a namespace, whose packets go to a router.
//!
//! | section | keys |
//! |---|---|
//! | `[Tuntap]`, or one section for each device, by its name | `Device`, `Mode`, `Router`, `Protocol`, `Address`, `Gateway`, `Default`, `Route`, `MTU`, `DNS`, `Domains`, `Credentials`; of a router on another host `Host`, `Id`, `Weight`, `CA`, `ServerName`, `Certificate`, `Key`, `User`, `PasswordFile` |
//! | `[Firewall]`, `[Firewall DEVICE]` | `Policy`, `PolicyOut`, `PolicyIn`, `Out`, `In` |
//!
//! The link is made by the namespace's own plan, with its addresses and routes; what holds it and passes it to the router is a
//! [`Device`]. Where the router is one of this host, its file has the defaults: socket, mode and MTU.
//!
//! Must not know: the kernel, whether the router runs.

mod link;

use super::ini::{self, Section};
use super::report::Report;
use super::router::firewall;
use super::router::value;
use super::section::Keys;
use super::value::shown;
use crate::interfaces::Files;
use crate::interfaces::diagnostic::{Diagnostic, Source, Span, Word};
use crate::model::{
    Desired, DesiredLink, Device, Domain, LinkName, MAX_SERVERS, NameServer, Netns, NetnsName, Place, Resolv, Route,
    TABLE_MAIN,
};
use crate::router::rule::{Action, Chain, Mistake};
use crate::router::settings::DeviceSettings;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const HELP: &str = "a line such as `[Tuntap]` begins a section";
pub(super) const NAMES: [&str; 21] = [
    "Device",
    "Mode",
    "Router",
    "Protocol",
    "Address",
    "Gateway",
    "Default",
    "Route",
    "MTU",
    "DNS",
    "Domains",
    "Credentials",
    "Host",
    "Id",
    "Weight",
    "CA",
    "ServerName",
    "Certificate",
    "Key",
    "User",
    "PasswordFile",
];
const DEVICE: &str = "tun0";
/// The file, where there is one.
pub(super) struct File {
    pub path: PathBuf,
    source: Option<Arc<Source>>,
}

/// What the file is read in view of.
pub(super) struct Around<'a> {
    pub service: &'a NetnsName,
    /// The host's files.
    pub host: &'a dyn Files,
    /// The links of `interfaces`.
    pub links: &'a [DesiredLink],
}

/// What the file asks for.
#[derive(Default)]
pub(super) struct Tuntap {
    links: Vec<DesiredLink>,
    resolv: Resolv,
    pub spans: BTreeMap<Place, Span>,
}

impl Tuntap {
    /// Adds it to what the other files ask for.
    pub fn add_to(self, desired: &mut Desired) {
        desired.links.extend(self.links);
        desired.resolv.merge(&self.resolv);
    }
}

/// Opens the file.
pub(super) fn open(access: &dyn Files, service: &NetnsName, report: &mut Report) -> Option<File> {
    let path = Path::new("/etc/netns").join(service.as_str()).join("network/tuntap");
    let source = ini::source(access, &path, report)?;
    Some(File { path: access.place(&path), source })
}

/// Reads the file.
pub(super) fn read(file: &File, around: &Around<'_>, report: &mut Report) -> Tuntap {
    let mut tuntap = Tuntap::default();
    let Some(source) = &file.source else { return tuntap };
    let sections = ini::parse(source, HELP, report);
    let is_firewall =
        |section: &Section| section.name.value.split(' ').next().is_some_and(|w| w.eq_ignore_ascii_case("firewall"));
    let (firewalls, devices): (Vec<&Section>, Vec<_>) = sections.iter().partition(|section| is_firewall(section));
    if devices.is_empty() {
        let message = format!("{} has no section `[Tuntap]`", file.path.display());
        report.push(Diagnostic::error_without_place(message).help("it says which router, and which addresses"));
    }
    for section in devices {
        let Some((device, span)) = device_name(section, report) else { continue };
        let chains = chains(&firewalls, device, report);
        tuntap.resolv.merge(&names(section, report));
        if let Some(mut link) = link::read(section, device, around, &chains, report) {
            link.place.netns = Netns::Named(around.service.clone());
            tuntap.add(link, section, &span, around, report);
        }
    }
    report_unused(&firewalls, &tuntap, report);
    tuntap
}

/// The name of a section's device, and where it is said.
fn device_name(section: &Section, report: &mut Report) -> Option<(LinkName, Span)> {
    let name = &section.name;
    let keys = Keys::new(Some(section), &NAMES, report);
    if name.value.eq_ignore_ascii_case("tuntap") {
        return match keys.get("Device") {
            Some(key) => Some((keys.read("Device", value::parsed, report)?, key.span().clone())),
            None => Some((DEVICE.parse().ok()?, name.span.clone())),
        };
    }
    if let Some(key) = keys.get("Device") {
        let message = format!("the section's name, `{}`, is the device's already", shown(&name.value));
        report.push(Diagnostic::error(&key.name.span, message).help("`Device` is a key of `[Tuntap]`"));
    }
    let help = "a section is `[Tuntap]`, `[Firewall]`, or has a device's name";
    let link: Result<LinkName, _> = name.value.parse();
    let link = report.take(link.map_err(|why| Diagnostic::error(&name.span, format!("{why}")).help(help)))?;
    if keys.get("Router").is_none() {
        // The likeliest reason is a misspelt section.
        let message = format!("`{}` has no `Router`", shown(&name.value));
        report.push(Diagnostic::error(&name.span, message).help(help));
        return None;
    }
    Some((link, name.span.clone()))
}

/// Name servers and search domains, which are the whole namespace's.
fn names(section: &Section, report: &mut Report) -> Resolv {
    // Unknown keys are told already.
    let keys = Keys::new(Some(section), &NAMES, &mut Report::default());
    let what = |what: &'static str| move |word: &Word| value::is_not(word, what);
    let (server, domain) = (what("the address of a name server"), what("the name of a domain"));
    let servers = keys.list("DNS", |word| word.value.parse::<NameServer>().map_err(|_| server(word)), report);
    let search = keys.list("Domains", |word| word.value.parse::<Domain>().map_err(|_| domain(word)), report);
    if let Some(first) = servers.get(MAX_SERVERS) {
        let message = format!("there are {} name servers, of which only {MAX_SERVERS} are asked", servers.len());
        report.push(Diagnostic::warning(&first.span, message).help("see resolv.conf(5), `nameserver`"));
    }
    Resolv {
        servers: servers.into_iter().map(|server| server.value).collect(),
        search: search.into_iter().map(|domain| domain.value).collect(),
        ..Resolv::default()
    }
}

/// The chains of a device: its own section, or else that of all.
fn chains(firewalls: &[&Section], device: LinkName, report: &mut Report) -> (Chain, Chain) {
    let own = firewalls.iter().find(|section| whose(section) == Some(device.as_str()));
    let all = || firewalls.iter().find(|section| whose(section).is_none());
    firewall::read(Keys::new(own.or_else(all).copied(), &firewall::NAMES, report), report)
}

/// The device that `[Firewall DEVICE]` names.
fn whose(firewall: &Section) -> Option<&str> {
    firewall.name.value.split_once(' ').map(|(_, device)| device.trim())
}

fn report_unused(firewalls: &[&Section], tuntap: &Tuntap, report: &mut Report) {
    for section in firewalls {
        let Some(name) = whose(section) else { continue };
        if !tuntap.links.iter().any(|link| link.place.link.as_str() == name) && !report.has_errors() {
            let message = format!("there is no device `{}` here", shown(name));
            report.push(Diagnostic::error(&section.name.span, message));
        }
    }
}

impl Tuntap {
    fn add(&mut self, link: DesiredLink, section: &Section, span: &Span, around: &Around<'_>, report: &mut Report) {
        let place = &link.place;
        if around.links.iter().any(|other| other.place == *place) {
            let message = format!("`{}` is a link of `interfaces` already", place.link);
            report.push(Diagnostic::error(span, message).help("leave it out there: it is made here"));
        }
        if let Some(first) = self.spans.get(place) {
            let message = format!("`{}` is there twice", place.link);
            report.push(Diagnostic::error(span, message).help(format!("the first is at {first}")));
            return;
        }
        let is_default = |r: &&Route| r.to.prefix_len() == 0 && r.table == TABLE_MAIN;
        for route in link.routes().filter(is_default) {
            let same = |other: &Route| other.key() == route.key();
            let others = around.links.iter().chain(&self.links).filter(|other| other.place.netns == place.netns);
            if let Some(other) = others.into_iter().find(|other| other.routes().any(same)) {
                let span = section.keys.iter().find(|key| key.name.value.eq_ignore_ascii_case("Gateway"));
                let span = span.map_or(&section.name.span, |key| key.span());
                let message = format!("`{}` has the default route already", other.place.link);
                report.push(Diagnostic::error(span, message).help("write `Default = no` here"));
            }
        }
        self.spans.insert(place.clone(), span.clone());
        self.links.push(link);
    }
}

/// What a device is told, from the record of it.
///
/// # Errors
/// The rule that is none; rules were read before they were recorded.
pub fn device_settings(link: LinkName, device: &Device) -> Result<DeviceSettings, Mistake> {
    let chain = |rules: &[String]| {
        let rules = rules.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        Ok(Chain { rules, policy: Action::Allow })
    };
    Ok(DeviceSettings {
        device: link,
        mode: device.mode,
        router: device.router.clone(),
        protocol: device.protocol,
        addresses: device.addresses.clone(),
        mtu: device.mtu,
        chain_out: chain(&device.rules_out)?,
        chain_in: chain(&device.rules_in)?,
        credentials: device.credentials,
        tunnel: device.tunnel.clone(),
    })
}

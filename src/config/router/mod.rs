//! `/etc/systemd-netns/router/NAME.conf`: a router, read to [`Settings`].
//!
//! | section | keys |
//! |---|---|
//! | `[Router]` | `Device`, `Mode`, `Listen`, `Statistics`, `Address`, `MTU`, `Forwarding`, `Masquerade`, `Credentials` |
//! | `[Firewall]` | `Policy`, `PolicyOut`, `PolicyIn`, `Out`, `In` |
//! | `[Limits]` | `Peers`, `Addresses`, `Queue`, `RateOut`, `RateIn`, `BurstOut`, `BurstIn` |
//! | `[Tunnel]`, `[Table NAME]`, `[Client NAME]`, `[Uplink NAME]`, `[Registry]` | as [`tunnel`] says |
//! | `[Admit NAME]` | one of `User`, `Group`, `Netns`, `Any`; `Address`, and of `[Limits]` all but `Peers` |
//!
//! Every section may be left out. The sections `[Admit …]` are asked in the order of the file.
//!
//! Must not know: the kernel, whether the router runs.

mod admit;
pub(super) mod firewall;
mod gate;
mod limits;
pub(super) mod tunnel;
pub(super) mod value;
mod warn;

pub use gate::gate;

use super::ini::{self, Section};
use super::report::Report;
use super::section::{Keys, unknown};
use super::value::shown;
use crate::interfaces::Files;
use crate::interfaces::diagnostic::{Diagnostic, Severity, Span, Spanned, Word};
use crate::interfaces::files::OsFiles;
use crate::model::{LinkName, RouterName};
use crate::router::settings::{Limits, Listen, Mode, Nat, Settings};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where routers' files are.
pub const DIRECTORY: &str = "/etc/systemd-netns/router";
/// Where their sockets are unless the file says otherwise.
const SOCKETS: &str = "/run/systemd-netns/router";
/// That of Ethernet, and of most ways out.
const MTU: u32 = 1500;

const HELP: &str = "a line such as `[Router]` begins a section";
const SECTIONS: [&str; 9] =
    ["Router", "Firewall", "Limits", "Admit", "Tunnel", "Table", "Client", "Uplink", "Registry"];
const NAMES: [&str; 9] =
    ["Device", "Mode", "Listen", "Statistics", "Address", "MTU", "Forwarding", "Masquerade", "Credentials"];

/// Numbers of users and groups by their names.
pub trait Accounts {
    /// A user's.
    fn user(&self, name: &str) -> Option<u32>;
    /// A group's.
    fn group(&self, name: &str) -> Option<u32>;
}

/// What a router's file asks for.
#[derive(Debug, Clone)]
pub struct LoadedRouter {
    /// Its meaning; none if there is an error among the diagnostics.
    pub settings: Option<Settings>,
    /// What there is to say, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl LoadedRouter {
    /// Whether nothing may be applied.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// The file of a router.
pub fn router_path(name: &RouterName) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{name}.conf"))
}

/// The socket of a router whose file names none.
pub(super) fn default_socket(name: &RouterName) -> Listen {
    Listen::Unix(Path::new(SOCKETS).join(format!("{name}.sock")))
}

/// The routers that have a file, sorted. What cannot be a router's name is left out.
pub fn list_routers(root: &Path) -> Vec<RouterName> {
    let directory = root.join(DIRECTORY.trim_start_matches('/'));
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".conf")?.parse().ok());
    names.collect::<BTreeSet<RouterName>>().into_iter().collect()
}

/// Reads a router's file below `root`.
pub fn load_router(root: &Path, name: &RouterName, accounts: &dyn Accounts) -> LoadedRouter {
    let mut report = Report::default();
    let files = OsFiles::new().below(root);
    let settings = read(&files, name, accounts, &mut report);
    if settings.is_none() && !report.has_errors() {
        let message = format!("there is no {}", files.place(&router_path(name)).display());
        let help = "write `[Router]` and `Address = 192.168.0.1/24` into it, for example";
        report.push(Diagnostic::error_without_place(message).help(help));
    }
    let settings = settings.filter(|_| !report.has_errors());
    LoadedRouter { settings, diagnostics: report.finish(&[]) }
}

/// Reads a router's file, if it is there.
pub(super) fn read(
    files: &dyn Files,
    name: &RouterName,
    accounts: &dyn Accounts,
    report: &mut Report,
) -> Option<Settings> {
    let source = ini::source(files, &router_path(name), report)??;
    let sections = ini::parse(&source, HELP, report);
    let found = find(&sections, report);
    let keys = Keys::new(found.router, &NAMES, report);
    let base = limits::read(Keys::new(found.limits, &limits::NAMES, report), Limits::default(), report);
    let (chain_out, chain_in) = firewall::read(Keys::new(found.firewall, &firewall::NAMES, report), report);
    let admitted: Vec<_> =
        found.admit.iter().filter_map(|section| admit::read(section, base, accounts, report)).collect();
    let addresses = keys.list("Address", value::address, report);
    let masquerade = keys.read("Masquerade", masquerade, report).flatten();
    let forwarding = keys.read("Forwarding", value::switch, report).unwrap_or(masquerade.is_some());
    let device = match keys.get("Device") {
        Some(_) => keys.read("Device", value::link, report),
        None => report.take(default_device(name, found.router)),
    };
    let sockets = keys.list("Listen", value::listen, report);
    let mut listen: Vec<Listen> = sockets.iter().map(|socket| socket.value.clone()).collect();
    if keys.get("Listen").is_none() {
        listen.push(default_socket(name));
    }
    let mode = keys.read("Mode", value::mode, report).unwrap_or(Mode::Tun);
    let statistics = keys.list("Statistics", value::listen, report);
    let settings = Settings {
        device: device?,
        mode,
        mtu: mtu(keys, &addresses, report),
        addresses: addresses.iter().map(|address| address.value).collect(),
        listen,
        statistics: statistics.iter().map(|socket| socket.value.clone()).collect(),
        nat: masquerade,
        forwarding,
        chain_out,
        chain_in,
        admit: admitted.iter().map(|one| one.admit.clone()).collect(),
        limits: base,
        credentials: keys.read("Credentials", value::switch, report).unwrap_or(false),
        tunnels: tunnel::read(&found.tunnel, mode, base, report),
    };
    warn::of_twice(&addresses, report);
    warn::of_twice(&[sockets, statistics].concat(), report);
    warn::of_dangers(keys, &settings, &admitted, report);
    Some(settings)
}

/// The sections by what they are.
#[derive(Default)]
struct Found<'a> {
    router: Option<&'a Section>,
    firewall: Option<&'a Section>,
    limits: Option<&'a Section>,
    admit: Vec<&'a Section>,
    tunnel: tunnel::Found<'a>,
}

fn find<'a>(sections: &'a [Section], report: &mut Report) -> Found<'a> {
    let mut found = Found::default();
    for section in sections {
        let (word, rest) = section.name.value.split_once(' ').unwrap_or((&section.name.value, ""));
        let place = match word.to_ascii_lowercase().as_str() {
            kind @ ("admit" | "table" | "client" | "uplink") => {
                let error = Diagnostic::error(&section.name.span, "this section has no name of its own");
                match (kind, rest.trim()) {
                    ("admit" | "client", "") => {
                        report.push(error.help(format!("such as `[{word} web]`, where `web` is only for you")));
                    }
                    (_, "") => report.push(error.help(format!("such as `[{word} host-1]`"))),
                    ("admit", _) => found.admit.push(section),
                    ("table", _) => found.tunnel.tables.push(section),
                    ("client", _) => found.tunnel.clients.push(section),
                    _ => found.tunnel.uplinks.push(section),
                }
                continue;
            }
            "tunnel" if rest.is_empty() => &mut found.tunnel.server,
            "registry" if rest.is_empty() => &mut found.tunnel.registry,
            "router" if rest.is_empty() => &mut found.router,
            "firewall" if rest.is_empty() => &mut found.firewall,
            "limits" if rest.is_empty() => &mut found.limits,
            _ => {
                let message = format!("unknown section `{}`", shown(&section.name.value));
                let name = Word { value: word.to_owned(), span: section.name.span.clone() };
                report.push(unknown(&name, message, &SECTIONS, "sections are"));
                continue;
            }
        };
        if let Some(first) = *place {
            let message = format!("section `{}` is there twice", shown(&section.name.value));
            let help = format!("the first is at {}", first.name.span);
            report.push(Diagnostic::error(&section.name.span, message).help(help));
        } else {
            *place = Some(section);
        }
    }
    found
}

/// The router's own name, where that can be a link's.
fn default_device(name: &RouterName, section: Option<&Section>) -> Result<LinkName, Diagnostic> {
    name.as_str().parse().map_err(|why| {
        let help = "give it a `Device` in `[Router]`";
        match section {
            Some(section) => Diagnostic::error(&section.name.span, format!("{why}")).help(help),
            None => Diagnostic::error_without_place(format!("{why}")).help(help),
        }
    })
}

/// `no`, `any`, or the link to masquerade behind.
fn masquerade(word: &Word) -> Result<Option<Nat>, Diagnostic> {
    match word.value.to_ascii_lowercase().as_str() {
        "no" | "false" | "off" | "0" => Ok(None),
        "any" => Ok(Some(Nat { behind: None })),
        "yes" | "true" | "on" | "1" => {
            Err(value::is_not(word, "a link").help("`any` masquerades behind every link but the router's own"))
        }
        _ => Ok(Some(Nat { behind: Some(value::link(word)?) })),
    }
}

fn mtu(keys: Keys<'_>, addresses: &[Spanned<IpNet>], report: &mut Report) -> u32 {
    let mtu = keys.read("MTU", value::mtu, report).unwrap_or(MTU);
    too_small(mtu, keys.span("MTU"), addresses.iter().map(|address| address.value), report);
    mtu
}

/// Reports an MTU that is too small for IPv6.
pub(super) fn too_small(mtu: u32, span: Option<&Span>, addresses: impl Iterator<Item = IpNet>, report: &mut Report) {
    let has_ipv6 = addresses.into_iter().any(|address| address.addr().is_ipv6());
    if let Some(span) = span.filter(|_| has_ipv6 && mtu < value::IPV6_MIN_MTU) {
        let message = format!("`{mtu}` is too small for IPv6");
        report.push(Diagnostic::error(span, message).help(format!("at least {} with IPv6", value::IPV6_MIN_MTU)));
    }
}

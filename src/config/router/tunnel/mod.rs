//! `[Tunnel]`, `[Table NAME]`, `[Client NAME]`, `[Uplink NAME]` and `[Registry]`: networks on other hosts, read to [`Tunnels`].

pub(in crate::config) mod client;
mod registry;
mod server;
mod table;

use super::super::ini::Section;
use super::super::report::Report;
use super::super::section::Keys;
use super::super::value::shown;
use super::{limits, value};
use crate::interfaces::diagnostic::{Diagnostic, Span, Spanned, Word};
use crate::model::HostName;
use crate::router::settings::{Limits, Mode};
use crate::router::tunnel::name::TableName;
use crate::router::tunnel::settings::{Client, Table, Tunnels, Uplink};
use std::collections::BTreeMap;
use std::path::{Component, PathBuf};

/// The sections, in the order of the file.
#[derive(Default)]
pub(super) struct Found<'a> {
    pub server: Option<&'a Section>,
    pub tables: Vec<&'a Section>,
    pub clients: Vec<&'a Section>,
    pub uplinks: Vec<&'a Section>,
    pub registry: Option<&'a Section>,
}

impl Found<'_> {
    fn all(&self) -> impl Iterator<Item = &Section> {
        let lists = [&self.tables, &self.clients, &self.uplinks];
        self.server.into_iter().chain(lists.into_iter().flatten().copied()).chain(self.registry)
    }
}

/// Reads all of them.
pub(super) fn read(found: &Found<'_>, mode: Mode, base: Limits, report: &mut Report) -> Tunnels {
    if let Some(section) = found.all().next().filter(|_| mode == Mode::Tap) {
        let message = "a router with `Mode = tap` has no tunnels";
        report.push(Diagnostic::error(&section.name.span, message).help("they carry IP packets, not frames"));
    }
    let tables = tables(found, report);
    let names = |name: &TableName| tables.iter().any(|table| table.name == *name);
    let server = found.server.and_then(|section| server::read(section, &names, report));
    let clients: Vec<Client> =
        found.clients.iter().filter_map(|section| read_client(section, base, &names, found, report)).collect();
    let uplinks = uplinks(found, report);
    let registry = found.registry.and_then(|section| registry::read(section, server.as_ref(), &tables, report));
    if found.server.is_none() {
        for section in found.tables.iter().chain(&found.clients) {
            let message = format!("`{}` has no effect without `[Tunnel]`", shown(&section.name.value));
            report.push(Diagnostic::warning(&section.name.span, message));
        }
    }
    if let Some(section) = found.server.filter(|_| found.clients.is_empty()) {
        let message = "whoever can connect may be any host, and send from any address of its";
        let help = "a section `[Client …]` says who may be which";
        report.push(Diagnostic::warning(&section.name.span, message).help(help));
    }
    Tunnels { server, tables, clients, uplinks, registry }
}

fn tables(found: &Found<'_>, report: &mut Report) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    let mut local: Option<&Span> = None;
    for section in &found.tables {
        let Some(table) = table::read(section, report) else { continue };
        if tables.iter().any(|other| other.name == table.name) {
            let message = format!("table {} is there twice", table.name);
            report.push(Diagnostic::error(&section.name.span, message));
            continue;
        }
        if let Some(first) = local.filter(|_| table.local) {
            let message = "only one table has `Local = yes`";
            report.push(Diagnostic::error(&section.name.span, message).help(format!("the first is at {first}")));
        } else if table.local {
            local = Some(&section.name.span);
        }
        tables.push(table);
    }
    tables
}

const CLIENT: [&str; 6] = ["User", "PasswordFile", "Certificate", "Host", "Table", "Address"];

fn read_client(
    section: &Section,
    base: Limits,
    is_table: &dyn Fn(&TableName) -> bool,
    found: &Found<'_>,
    report: &mut Report,
) -> Option<Client> {
    let names: Vec<&str> = CLIENT.into_iter().chain(limits::OF_ONE).collect();
    let keys = Keys::new(Some(section), &names, report);
    let name = own_name(section)?;
    let certificate = keys.read("Certificate", |word| Ok(word.value.clone()), report);
    let needs = |key| {
        found.server.is_some_and(|server| Keys::new(Some(server), &[], &mut Report::default()).get(key).is_none())
    };
    if let Some(span) = keys.span("Certificate").filter(|_| needs("ClientCA")) {
        let message = "nobody asks clients for a certificate";
        report.push(Diagnostic::error(span, message).help("`ClientCA` in `[Tunnel]` says who signs them"));
    }
    let user = client::user(section, keys, report);
    if keys.get("User").is_none() && keys.get("Certificate").is_none() {
        let message = format!("`{}` does not say who", shown(&section.name.value));
        let help = "by `User` and `PasswordFile`, by `Certificate`, or by both";
        report.push(Diagnostic::error(&section.name.span, message).help(help));
    }
    let hosts = keys.list("Host", value::parsed::<HostName>, report);
    if keys.get("Host").is_none() {
        let message = format!("`{}` may be any host", shown(&section.name.value));
        report.push(Diagnostic::warning(&section.name.span, message).help("`Host = …` says which"));
    }
    let tables = keys.list("Table", |word| known_table(word, is_table), report);
    let addresses = keys.list("Address", value::prefix, report);
    let limits = limits::read(keys, base, report);
    Some(Client {
        name,
        user,
        certificate,
        hosts: values(hosts),
        tables: values(tables),
        addresses: values(addresses),
        limits: (limits != base).then_some(limits),
    })
}

fn uplinks(found: &Found<'_>, report: &mut Report) -> Vec<Uplink> {
    let mut uplinks: Vec<Uplink> = Vec::new();
    let mut routed = BTreeMap::new();
    for section in &found.uplinks {
        let names: Vec<&str> =
            client::NAMES.into_iter().chain(["Server", "Plain", "Address", "Announce", "Route", "MTU"]).collect();
        let keys = Keys::new(Some(section), &names, report);
        let name = own_name(section).map(|name| Word { value: name, span: section.name.span.clone() });
        let name = name.and_then(|name| report.take(value::parsed::<HostName>(&name)));
        let routes = keys.list("Route", value::prefix, report);
        if keys.get("Route").is_none() {
            let message = format!("`{}` has no `Route`", shown(&section.name.value));
            let help = "nothing is sent to it; `Route = 192.168.200.0/24` sends what is for there";
            report.push(Diagnostic::warning(&section.name.span, message).help(help));
        }
        for route in &routes {
            if let Some(first) = routed.insert(route.value, route.span.clone()) {
                let message = format!("`{}` is routed twice", route.value);
                report.push(Diagnostic::error(&route.span, message).help(format!("first at {first}")));
            }
        }
        let addresses = keys.list("Address", value::address, report);
        let Some(mut client) = client::read(section, keys, report) else { continue };
        client.addresses = addresses.iter().map(|address| address.value.addr()).collect();
        let announce = keys.read("Announce", value::switch, report).unwrap_or(false);
        uplinks.extend(name.map(|name| Uplink { name, client, routes: values(routes), announce }));
    }
    uplinks
}

/// What stands behind the first word of a section's name.
fn own_name(section: &Section) -> Option<String> {
    section.name.value.split_once(' ').map(|(_, name)| name.trim().to_owned())
}

fn values<T>(list: Vec<Spanned<T>>) -> Vec<T> {
    list.into_iter().map(|item| item.value).collect()
}

fn known_table(word: &Word, is_table: &dyn Fn(&TableName) -> bool) -> Result<TableName, Diagnostic> {
    let name: TableName = value::parsed(word)?;
    if is_table(&name) {
        return Ok(name);
    }
    let help = format!("write a section `[Table {name}]`");
    Err(Diagnostic::error(&word.span, format!("there is no table `{name}`")).help(help))
}

/// The path of a file.
fn path(word: &Word) -> Result<PathBuf, Diagnostic> {
    let path = PathBuf::from(&word.value);
    let plain = path.is_absolute() && !path.components().any(|part| part == Component::ParentDir);
    if plain { Ok(path) } else { Err(value::is_not(word, "the absolute path of a file")) }
}

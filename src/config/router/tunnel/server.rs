//! `[Tunnel]`: where and how hosts are let in.

use super::super::super::ini::Section;
use super::super::super::report::Report;
use super::super::super::section::{Keys, words};
use super::super::super::value::shown;
use super::super::value;
use super::{known_table, path};
use crate::interfaces::diagnostic::{Diagnostic, Word};
use crate::model::HostName;
use crate::router::tunnel::name::TableName;
use crate::router::tunnel::settings::{MTU, Server, ServerTls};
use std::net::SocketAddr;

const NAMES: [&str; 8] = ["Listen", "Certificate", "Key", "ClientCA", "Plain", "Default", "Ingress", "MTU"];

/// Reads the section. What is missing or wrong is reported; then there may be none.
pub(super) fn read(section: &Section, is_table: &dyn Fn(&TableName) -> bool, report: &mut Report) -> Option<Server> {
    let keys = Keys::new(Some(section), &NAMES, report);
    let listen = keys.list("Listen", socket, report);
    if keys.get("Listen").is_none() {
        let message = "`Tunnel` has no `Listen`";
        report.push(Diagnostic::error(&section.name.span, message).help("such as `Listen = [::]:8443`"));
    }
    let rules = keys.lines("Ingress", report);
    let ingress = rules.into_iter().filter_map(|line| report.take(rule(line, is_table))).collect();
    Some(Server {
        listen: super::values(listen),
        tls: tls(section, keys, report)?,
        default: keys.read("Default", |word| known_table(word, is_table), report),
        ingress,
        mtu: keys.read("MTU", value::mtu, report).unwrap_or(MTU),
    })
}

/// How it ciphers; inner none where it does not, outer none after a mistake.
fn tls(section: &Section, keys: Keys<'_>, report: &mut Report) -> Option<Option<ServerTls>> {
    let plain = keys.read("Plain", value::switch, report).unwrap_or(false);
    let certificate = keys.read("Certificate", path, report);
    let key = keys.read("Key", path, report);
    let clients = keys.read("ClientCA", path, report);
    if plain {
        for name in ["Certificate", "Key", "ClientCA"] {
            if let Some(key) = keys.get(name) {
                let message = format!("`{name}` has no effect with `Plain = yes`");
                report.push(Diagnostic::error(&key.name.span, message).help("leave one of them out"));
            }
        }
        return Some(None);
    }
    for name in ["Certificate", "Key"] {
        if keys.get(name).is_none() {
            let message = format!("`Tunnel` has no `{name}`");
            let help =
                "it is a PEM file; `Plain = yes` does without, and lets everybody on the way read and change all";
            report.push(Diagnostic::error(&section.name.span, message).help(help));
        }
    }
    Some(Some(ServerTls { certificate: certificate?, key: key?, clients }))
}

fn socket(word: &Word) -> Result<SocketAddr, Diagnostic> {
    let help = "an address and a port such as 192.0.2.1:8443 or [::]:8443";
    word.value.parse().map_err(|_| value::is_not(word, "a socket's address").help(help))
}

/// `HOST TABLE`.
fn rule(line: &Word, is_table: &dyn Fn(&TableName) -> bool) -> Result<(HostName, TableName), Diagnostic> {
    match &words(line)[..] {
        [host, table] => Ok((value::parsed(host)?, known_table(table, is_table)?)),
        _ => {
            let message = format!("`{}` is not a host and a table", shown(&line.value));
            Err(Diagnostic::error(&line.span, message).help("such as `host-1 e87f56dd-fd57-4921-9ab8-a0847662daae`"))
        }
    }
}

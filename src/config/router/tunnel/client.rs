//! What a host says to a router on another host: of a section `[Uplink NAME]`, or of a tuntap file.

use super::super::super::ini::Section;
use super::super::super::report::Report;
use super::super::super::section::Keys;
use super::super::super::value::shown;
use super::super::value;
use super::path;
use crate::interfaces::diagnostic::{Diagnostic, Word};
use crate::model::{ClientSettings, ClientTls, ServerAddress};
use crate::router::tunnel::settings::MTU;
use std::path::PathBuf;
use uuid::Uuid;

/// The keys that both have.
pub(in crate::config) const NAMES: [&str; 9] =
    ["Host", "Id", "Weight", "CA", "ServerName", "Certificate", "Key", "User", "PasswordFile"];

/// Reads an uplink's section but for its addresses and routes.
pub(super) fn read(section: &Section, keys: Keys<'_>, report: &mut Report) -> Option<ClientSettings> {
    let server = keys.read("Server", server_address, report);
    if keys.get("Server").is_none() {
        let message = format!("`{}` has no `Server`", shown(&section.name.value));
        report.push(Diagnostic::error(&section.name.span, message).help("such as `Server = router.example.org:8443`"));
    }
    let plain = keys.read("Plain", value::switch, report).unwrap_or(false);
    with_server(section, keys, server, plain, report)
}

/// Reads what both have, for a router that is known already.
pub(in crate::config) fn with_server(
    section: &Section,
    keys: Keys<'_>,
    server: Option<ServerAddress>,
    plain: bool,
    report: &mut Report,
) -> Option<ClientSettings> {
    let host = keys.read("Host", value::parsed, report);
    if keys.get("Host").is_none() {
        let message = format!("`{}` has no `Host`", shown(&section.name.value));
        let help = "the name by which the other router's routes call this one, such as `Host = host-1`";
        report.push(Diagnostic::error(&section.name.span, message).help(help));
    }
    let id = keys.read("Id", id, report);
    let weight = keys.read("Weight", |word| value::number(word, 1, 255, "a weight"), report);
    let user = user(section, keys, report);
    let mtu = keys.read("MTU", value::mtu, report).unwrap_or(MTU);
    let name = server.as_ref().map(|server| server.host.clone());
    let tls = tls(section, keys, plain, name, report);
    Some(ClientSettings {
        server: server?,
        tls: tls?,
        host: host?,
        id,
        weight: weight.unwrap_or(0) as u8,
        addresses: Vec::new(),
        user,
        mtu,
    })
}

/// How it ciphers; inner none where it does not, outer none after a mistake.
fn tls(
    section: &Section,
    keys: Keys<'_>,
    plain: bool,
    name: Option<String>,
    report: &mut Report,
) -> Option<Option<ClientTls>> {
    let ca = keys.read("CA", path, report);
    let own_name = keys.read("ServerName", |word| Ok(word.value.clone()), report);
    let (certificate, key) = (keys.read("Certificate", path, report), keys.read("Key", path, report));
    if plain {
        for name in ["CA", "ServerName", "Certificate", "Key"] {
            if let Some(key) = keys.get(name) {
                let message = format!("`{name}` has no effect in the clear");
                report.push(Diagnostic::error(&key.name.span, message));
            }
        }
        if let Some(key) = keys.get("PasswordFile") {
            let message = "the password is sent in the clear";
            report.push(Diagnostic::warning(&key.name.span, message).help("everybody on the way can read it"));
        }
        return Some(None);
    }
    if keys.get("Certificate").is_some() != keys.get("Key").is_some() {
        let message = format!("`{}` has only one of `Certificate` and `Key`", shown(&section.name.value));
        report.push(Diagnostic::error(&section.name.span, message));
    }
    Some(Some(ClientTls { name: own_name.or(name)?, ca, identity: certificate.zip(key) }))
}

/// A user and the file with its password, which both must be there.
pub(super) fn user(section: &Section, keys: Keys<'_>, report: &mut Report) -> Option<(String, PathBuf)> {
    let user = keys.read("User", short, report);
    let file = keys.read("PasswordFile", path, report);
    if keys.get("User").is_some() != keys.get("PasswordFile").is_some() {
        let message = format!("`{}` has only one of `User` and `PasswordFile`", shown(&section.name.value));
        let help = "passwords are in files of their own, which need not be read by everybody";
        report.push(Diagnostic::error(&section.name.span, message).help(help));
    }
    user.zip(file)
}

fn short(word: &Word) -> Result<String, Diagnostic> {
    let help = "up to 255 bytes";
    if word.value.len() <= 255 { Ok(word.value.clone()) } else { Err(value::is_not(word, "a user").help(help)) }
}

fn id(word: &Word) -> Result<Uuid, Diagnostic> {
    let id = word.value.parse::<Uuid>().ok().filter(|id| !id.is_nil() && word.value.len() == 36);
    id.ok_or_else(|| value::is_not(word, "an id").help("such as e87f56dd-fd57-4921-9ab8-a0847662daae"))
}

/// `HOST:PORT`, an IPv6 address in brackets.
pub(in crate::config) fn server_address(word: &Word) -> Result<ServerAddress, Diagnostic> {
    let help = "such as router.example.org:8443 or [2001:db8::1]:8443";
    word.value.parse().map_err(|_| value::is_not(word, "a host and a port").help(help))
}

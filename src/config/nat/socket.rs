//! `[socket NAME]`: what listens on the host, and is handed to a service inside without any translation of addresses.

use super::super::ini::Section;
use super::super::report::Report;
use super::super::router::value::{is_not, listen};
use super::super::section::Keys;
use super::super::value::shown;
use crate::interfaces::diagnostic::{Diagnostic, Word};
use crate::model::{Listen, NetnsName, escape};
use std::net::SocketAddr;
use std::path::Path;

const NAMES: [&str; 4] = ["Listen", "Protocol", "Service", "To"];
/// systemd's limit for a unit's name is 255 bytes; `.service` is the longer ending.
const MAX_UNIT: usize = 247;

/// A socket of the host's for a service of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedSocket {
    /// The section's own name.
    pub name: String,
    /// The units' name, without its ending.
    pub unit: String,
    /// Where it listens, in the words of systemd.socket(5).
    pub listen: Vec<String>,
    /// Whether these are for datagrams.
    pub datagrams: bool,
    /// The service that takes the descriptors, without `.service`; or that is started for a connection.
    pub service: String,
    /// Where a proxy inside connects to, for a service that takes no descriptors.
    pub to: Option<String>,
}

/// Reads a section.
pub(super) fn read(netns: &NetnsName, section: &Section, report: &mut Report) -> Option<PublishedSocket> {
    let keys = Keys::new(Some(section), &NAMES, report);
    let span = &section.name.span;
    let name = section.name.value.split_once(char::is_whitespace).map_or("", |(_, name)| name.trim());
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    if name.is_empty() || !name.bytes().all(plain) {
        let message = format!("`[{}]` has no name that a unit can have", shown(&section.name.value));
        report.push(Diagnostic::error(span, message).help("such as `[socket web]`: letters, digits, `_`, `.` and `-`"));
    }
    if keys.get("Listen").is_none() {
        let message = format!("`[{}]` has no `Listen`", shown(&section.name.value));
        report.push(Diagnostic::error(span, message).help("where it listens on the host, such as `Listen = 80`"));
    }
    let unit = format!("systemd-netns-publish-{}-{}", escape(netns.as_str()), escape(name));
    if unit.len() > MAX_UNIT {
        report.push(Diagnostic::error(span, "this name is too long for a unit").help("give the section a shorter one"));
    }
    let where_to = keys.list("Listen", place, report);
    let datagrams = keys.read("Protocol", protocol, report).unwrap_or(false);
    let to = keys.read("To", target, report);
    if let Some(span) = keys.span("To").filter(|_| datagrams) {
        let help = "systemd-socket-proxyd knows connections alone; use `[publish]`";
        report.push(Diagnostic::error(span, "datagrams cannot be passed on").help(help));
    }
    let service = keys.read("Service", service, report).unwrap_or_else(|| netns.to_string());
    let listen: Vec<String> = where_to.into_iter().map(|listen| listen.value).collect();
    (!listen.is_empty()).then(|| PublishedSocket { name: name.to_owned(), unit, listen, datagrams, service, to })
}

/// A port, `ADDRESS:PORT`, an absolute path or `@NAME`.
fn place(word: &Word) -> Result<String, Diagnostic> {
    let port = word.value.bytes().all(|b| b.is_ascii_digit()).then(|| word.value.parse::<u16>().ok());
    match port {
        Some(Some(port)) if port > 0 => Ok(port.to_string()),
        Some(_) => Err(is_not(word, "a port").help("a number from 1 to 65535")),
        None => Ok(listen(word)?.to_string()),
    }
}

fn protocol(word: &Word) -> Result<bool, Diagnostic> {
    match word.value.to_ascii_lowercase().as_str() {
        "tcp" => Ok(false),
        "udp" => Ok(true),
        _ => Err(is_not(word, "`tcp` or `udp`").help("write a section for each")),
    }
}

/// `ADDRESS:PORT`, or the path of a socket that the service has.
fn target(word: &Word) -> Result<String, Diagnostic> {
    match listen(word)? {
        Listen::Tcp(address) if address.port() > 0 => Ok(SocketAddr::to_string(&address)),
        Listen::Unix(path) if Path::new(&path).is_absolute() => Ok(path.display().to_string()),
        _ => Err(is_not(word, "where a service listens").help("such as 127.0.0.1:8080 or /run/app.sock")),
    }
}

fn service(word: &Word) -> Result<String, Diagnostic> {
    let name = word.value.strip_suffix(".service").unwrap_or(&word.value);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b);
    match !name.is_empty() && name.bytes().all(plain) {
        true => Ok(name.to_owned()),
        false => Err(is_not(word, "the name of a service")),
    }
}

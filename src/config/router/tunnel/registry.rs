//! `[Registry]`: where the routers of a fleet find one another.

use super::super::super::ini::Section;
use super::super::super::report::Report;
use super::super::super::section::Keys;
use super::super::super::value::shown;
use super::super::value;
use super::{client, table};
use crate::interfaces::diagnostic::{Diagnostic, Word};
use crate::model::ServerAddress;
use crate::router::tunnel::settings::{Registry, Server, Table};

const NAMES: [&str; 14] = [
    "Redis",
    "Prefix",
    "Address",
    "Period",
    "Expiry",
    "Plain",
    "Host",
    "CA",
    "ServerName",
    "Certificate",
    "Key",
    "User",
    "PasswordFile",
    "MTU",
];
/// What keys begin with where nothing else is said.
const PREFIX: &str = "systemd-netns";
/// How often it is written and read, in seconds, and how many times that it holds.
const PERIOD: u32 = 5;
const MAX_PERIOD: u32 = 60 * 60;
const TIMES: u32 = 3;
const MAX_EXPIRY: u32 = 24 * 60 * 60;

/// Reads the section. What is missing or wrong is reported; then there may be none.
pub(super) fn read(
    section: &Section,
    server: Option<&Server>,
    tables: &[Table],
    report: &mut Report,
) -> Option<Registry> {
    let keys = Keys::new(Some(section), &NAMES, report);
    let redis = keys.read("Redis", table::redis, report);
    if keys.get("Redis").is_none() {
        let message = format!("`{}` has no `Redis`", shown(&section.name.value));
        report.push(Diagnostic::error(&section.name.span, message).help("such as `Redis = redis://192.0.2.1:6379/0`"));
    }
    let prefix = keys.read("Prefix", prefix, report);
    let at = keys.read("Address", client::server_address, report);
    let number = |most| move |word: &Word| value::number(word, 1, most, "a number of seconds");
    let period = keys.read("Period", number(MAX_PERIOD), report).unwrap_or(PERIOD);
    let expiry = keys.read("Expiry", number(MAX_EXPIRY), report).unwrap_or(period * TIMES);
    if let Some(span) = keys.span("Expiry").filter(|_| expiry < 2 * period) {
        let message = format!("`{expiry}` is less than twice the period, {period} s");
        let help = "others would lose this router whenever it is a little late";
        report.push(Diagnostic::error(span, message).help(help));
    }
    check_reach(section, keys, at.is_some(), server, tables, report);
    let plain = keys.read("Plain", value::switch, report).unwrap_or(false);
    // Whom it connects to is found out.
    let nobody = ServerAddress { host: String::new(), port: 1 };
    let client = client::with_server(section, keys, Some(nobody), plain, report);
    Some(Registry {
        redis: redis?,
        prefix: prefix.unwrap_or_else(|| PREFIX.to_owned()),
        at,
        period,
        expiry,
        client: client?,
    })
}

/// Reports what keeps others from reaching this router.
fn check_reach(
    section: &Section,
    keys: Keys<'_>,
    is_found: bool,
    server: Option<&Server>,
    tables: &[Table],
    report: &mut Report,
) {
    if keys.get("Address").is_none() {
        let message = "others do not find this router";
        let help = "`Address = HOST:PORT` says where they reach its `[Tunnel]`";
        report.push(Diagnostic::warning(&section.name.span, message).help(help));
    }
    let Some(span) = keys.span("Address").filter(|_| is_found) else { return };
    let Some(server) = server else {
        let message = "others are told to connect, and nobody lets them in";
        report.push(Diagnostic::error(span, message).help("a section `[Tunnel]` does"));
        return;
    };
    let local = tables.iter().find(|table| table.local);
    if server.default.is_none() || local.map(|table| &table.name) != server.default.as_ref() {
        let message = "others do not reach the local peers of this router";
        let help = "they are in the table with `Local = yes`, which is to be the `Default` of `[Tunnel]`";
        report.push(Diagnostic::warning(span, message).help(help));
    }
}

/// What keys begin with.
fn prefix(word: &Word) -> Result<String, Diagnostic> {
    let fits = word.value.len() <= 255 && word.value.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(word.value.clone()) } else { Err(value::is_not(word, "what the names of keys can begin with")) }
}

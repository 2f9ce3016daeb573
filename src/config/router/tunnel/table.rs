//! `[Table NAME]`: a routing table.

use super::super::super::ini::{self, Section};
use super::super::super::report::Report;
use super::super::super::section::Keys;
use super::super::super::value::shown;
use super::super::value;
use super::{own_name, path};
use crate::interfaces::diagnostic::{Diagnostic, Word};
use crate::model::HostName;
use crate::router::tunnel::settings::Table;
use crate::router::tunnel::table::parse_line;
use ipnet::IpNet;
use std::collections::BTreeMap;

const NAMES: [&str; 4] = ["Local", "Route", "File", "Reload"];
/// How often a file is looked at where nothing else is said, in seconds.
const RELOAD: u32 = 30;
const MAX_RELOAD: u32 = 24 * 60 * 60;

/// Reads a section. What is missing or wrong is reported; then there may be none.
pub(super) fn read(section: &Section, report: &mut Report) -> Option<Table> {
    let keys = Keys::new(Some(section), &NAMES, report);
    let name = own_name(section).map(|name| Word { value: name, span: section.name.span.clone() });
    let name = name.and_then(|name| report.take(value::parsed(&name)));
    let local = keys.read("Local", value::switch, report).unwrap_or(false);
    let lines = keys.lines("Route", report);
    let mut seen = BTreeMap::new();
    let mut routes = Vec::new();
    for line in lines {
        let Some((to, host)) = report.take(route(line)) else { continue };
        if let Some(first) = seen.insert(to, &line.span) {
            let message = format!("`{to}` is routed twice");
            report.push(Diagnostic::error(&line.span, message).help(format!("first at {first}")));
        }
        routes.push((to, host));
    }
    let file = keys.read("File", path, report);
    if keys.get("Route").is_none() && file.is_none() {
        let message = format!("`{}` has neither `Route` nor `File`", shown(&section.name.value));
        let help = "hosts in it reach one another by what they announce, and no subnets";
        report.push(Diagnostic::warning(&section.name.span, message).help(help));
    }
    let seconds = |word: &Word| value::number(word, 1, MAX_RELOAD, "a number of seconds");
    let reload = keys.read("Reload", seconds, report).unwrap_or(RELOAD);
    Some(Table { name: name?, local, routes, file, reload })
}

/// `PREFIX HOST`.
fn route(line: &Word) -> Result<(IpNet, HostName), Diagnostic> {
    match parse_line(&line.value) {
        Ok(Some(route)) => Ok(route),
        Ok(None) => Err(Diagnostic::error(&line.span, "this is no route")),
        Err(bad) => {
            let part = line.value.get(bad.at..bad.at + bad.len).unwrap_or_default();
            let help = "such as `192.168.100.0/24 host-1`";
            Err(Diagnostic::error(&ini::word(&line.span, bad.at, part).span, bad.message).help(help))
        }
    }
}

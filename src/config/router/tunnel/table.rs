//! `[Table NAME]`: a routing table.

use super::super::super::ini::{self, Section};
use super::super::super::report::Report;
use super::super::super::section::Keys;
use super::super::super::value::shown;
use super::super::value;
use super::{own_name, path};
use crate::interfaces::diagnostic::{Diagnostic, Word};
use crate::model::HostName;
use crate::router::tunnel::settings::{Plugin, Source, Table};
use crate::router::tunnel::table::parse_line;
use ipnet::IpNet;
use std::collections::BTreeMap;

const NAMES: [&str; 9] = ["Local", "Route", "File", "URL", "Redis", "RedisKey", "Plugin", "PluginToken", "Reload"];
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
    let sources = sources(section, keys, report);
    let plugin = plugin(keys, report);
    if let Some(key) = keys.get("Plugin").filter(|_| local) {
        let message = "a table with `Local = yes` has no `Plugin`";
        let help = "what no route has goes to the router's device there";
        report.push(Diagnostic::error(&key.name.span, message).help(help));
    }
    if !["Route", "File", "URL", "Redis", "Plugin"].iter().any(|name| keys.get(name).is_some()) {
        let message = format!("`{}` has neither `Route` nor `File`", shown(&section.name.value));
        let help = "hosts in it reach one another by what they announce, and no subnets";
        report.push(Diagnostic::warning(&section.name.span, message).help(help));
    }
    let seconds = |word: &Word| value::number(word, 1, MAX_RELOAD, "a number of seconds");
    let reload = keys.read("Reload", seconds, report).unwrap_or(RELOAD);
    Some(Table { name: name?, local, routes, sources, plugin, reload })
}

fn sources(section: &Section, keys: Keys<'_>, report: &mut Report) -> Vec<Source> {
    let file = keys.read("File", path, report).map(Source::File);
    let http = keys.read("URL", http, report).map(Source::Http);
    let server = keys.read("Redis", redis, report);
    let key = keys.read("RedisKey", |word| Ok(word.value.clone()), report);
    if keys.get("Redis").is_some() != keys.get("RedisKey").is_some() {
        let message = format!("`{}` has only one of `Redis` and `RedisKey`", shown(&section.name.value));
        report.push(Diagnostic::error(&section.name.span, message));
    }
    let redis = server.zip(key).map(|(url, key)| Source::Redis { url, key });
    file.into_iter().chain(http).chain(redis).collect()
}

fn plugin(keys: Keys<'_>, report: &mut Report) -> Option<Plugin> {
    let url = keys.read("Plugin", http, report);
    let token = keys.read("PluginToken", path, report);
    if let Some(key) = keys.get("PluginToken").filter(|_| keys.get("Plugin").is_none()) {
        let message = "`PluginToken` has no effect without `Plugin`";
        report.push(Diagnostic::warning(&key.name.span, message));
    }
    url.map(|url| Plugin { url, token })
}

fn http(word: &Word) -> Result<String, Diagnostic> {
    address_of(word, &["http://", "https://"], "an address such as http://127.0.0.1:8000/routes")
}

/// The address of a server of Redis.
pub(super) fn redis(word: &Word) -> Result<String, Diagnostic> {
    address_of(word, &["redis://", "redis+unix://", "unix://"], "an address such as redis://127.0.0.1:6379/0")
}

fn address_of(word: &Word, schemes: &[&str], what: &str) -> Result<String, Diagnostic> {
    let rest = schemes.iter().find_map(|scheme| word.value.strip_prefix(scheme));
    let plain = rest.is_some_and(|rest| !rest.is_empty()) && word.value.bytes().all(|b| b.is_ascii_graphic());
    if plain { Ok(word.value.clone()) } else { Err(value::is_not(word, what)) }
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

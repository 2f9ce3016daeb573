//! Where routes are read beside the router's own file: files, HTTP and Redis. All of them block, with a time limit, and are read on
//! threads where nobody waits for them.

use super::PATIENCE;
use crate::model::HostName;
use crate::router::tunnel::settings::Source;
use crate::router::tunnel::table::{LONGEST, parse_line};
use ipnet::IpNet;
use redis::Connection;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// How many bytes of routes one source may have.
const MAX: u64 = 128 << 20;

/// Routes, in the order of their source.
pub(super) type List = Vec<(IpNet, HostName)>;

/// Reads a source; with one mistake, nothing of it.
///
/// # Errors
/// Why it cannot be read, or which line of it is no route.
pub(super) fn read(source: &Source) -> Result<List, String> {
    match source {
        Source::File(path) => of_file(path),
        Source::Http(url) => lines(get(url, MAX)?.lines()),
        Source::Redis { url, key } => of_redis(url, key),
    }
}

fn of_file(path: &Path) -> Result<List, String> {
    let len = fs::metadata(path).map_err(|e| e.to_string())?.len();
    if len > MAX {
        return Err(format!("it is longer than {} MiB", MAX >> 20));
    }
    lines(fs::read_to_string(path).map_err(|e| e.to_string())?.lines())
}

fn lines<'a>(lines: impl Iterator<Item = &'a str>) -> Result<List, String> {
    let mut routes = Vec::new();
    for (number, line) in (1..).zip(lines) {
        match parse_line(line) {
            Ok(route) => routes.extend(route),
            Err(bad) => return Err(format!("line {number}: {}", bad.message)),
        }
        if routes.len() > LONGEST {
            return Err(format!("it has more than {LONGEST} routes"));
        }
    }
    Ok(routes)
}

/// What asks by HTTP: by TLS it trusts whom this machine does.
pub(super) static AGENT: LazyLock<Agent> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<Certificate<'static>> = found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let tls = TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(roots))).build();
    Agent::config_builder().timeout_global(Some(PATIENCE)).proxy(None).tls_config(tls).build().into()
});

fn get(url: &str, most: u64) -> Result<String, String> {
    let mut response = AGENT.get(url).call().map_err(|e| e.to_string())?;
    response.body_mut().with_config().limit(most).read_to_string().map_err(|e| e.to_string())
}

/// A hash of prefixes and their hosts, or a set or list of lines.
fn of_redis(url: &str, key: &str) -> Result<List, String> {
    let asked = || -> redis::RedisResult<(String, Vec<String>)> {
        let mut connection = redis::Client::open(url)?.get_connection_with_timeout(PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        let kind: String = redis::cmd("TYPE").arg(key).query(&mut connection)?;
        let lines = of_kind(&kind, key, &mut connection)?;
        Ok((kind, lines))
    };
    let (kind, found) = asked().map_err(|e| e.to_string())?;
    match kind.as_str() {
        "hash" | "set" | "list" => lines(found.iter().map(String::as_str)),
        "none" => Err(format!("there is no key `{key}`")),
        other => Err(format!("the key `{key}` is of the type {other}, not hash, set or list")),
    }
}

fn of_kind(kind: &str, key: &str, connection: &mut Connection) -> redis::RedisResult<Vec<String>> {
    match kind {
        "hash" => {
            let pairs: Vec<(String, String)> = redis::cmd("HGETALL").arg(key).query(connection)?;
            Ok(pairs.into_iter().map(|(to, host)| format!("{to} {host}")).collect())
        }
        "set" => redis::cmd("SMEMBERS").arg(key).query(connection),
        "list" => redis::cmd("LRANGE").arg(key).arg(0).arg(-1).query(connection),
        _ => Ok(Vec::new()),
    }
}

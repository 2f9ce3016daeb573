//! Routes that are asked for one by one, by HTTP: `GET URL?dst=ADDRESS&id=ID`, whose answer is `{"dst": PREFIX, "gateway": HOST}`, or
//! 404 where there is none. No packets wait for it but a few of those that have no route.

use super::sources::AGENT;
use crate::model::HostName;
use crate::router::tunnel::name::TableName;
use crate::router::tunnel::settings::Plugin;
use crate::system::secrets;
use ipnet::IpNet;
use serde::Deserialize;
use std::net::IpAddr;
use uuid::Uuid;

/// How long an answer may be, in bytes.
const LONGEST: u64 = 64 << 10;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    dst: String,
    #[serde(default)]
    gateway: String,
}

/// Asks for the route of an address; none where there is none.
///
/// # Errors
/// When there is no answer, or none that can be understood.
pub(super) fn ask(plugin: &Plugin, table: &TableName, address: IpAddr) -> Result<Option<(IpNet, HostName)>, String> {
    let id = if let TableName::Id(id) = table { *id } else { Uuid::nil() };
    let mut request = AGENT.get(&plugin.url).query("dst", address.to_string()).query("id", id.hyphenated().to_string());
    if let Some(path) = &plugin.token {
        let text = std::fs::read_to_string(secrets::place(path)).map_err(|e| format!("{}: {e}", path.display()))?;
        let token = text.lines().next().unwrap_or_default().trim();
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    let mut response = match request.call() {
        Err(ureq::Error::StatusCode(404)) => return Ok(None),
        response => response.map_err(|e| e.to_string())?,
    };
    let text = response.body_mut().with_config().limit(LONGEST).read_to_string().map_err(|e| e.to_string())?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let answer: Answer = serde_json::from_str(&text).map_err(|e| format!("its answer is damaged: {e}"))?;
    if answer.gateway.is_empty() {
        return Ok(None);
    }
    let host = answer.gateway.parse().map_err(|_| "its answer names no host".to_owned())?;
    let net = if answer.dst.is_empty() { Some(IpNet::from(address)) } else { net(&answer.dst) };
    let net = net.ok_or("its answer has no prefix")?.trunc();
    // Of other addresses it was not asked.
    if net.contains(&address) { Ok(Some((net, host))) } else { Err(format!("its answer is for {net}")) }
}

fn net(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

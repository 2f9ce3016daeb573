//! Routers as `status` shows them: whether they are prepared, how far that is from their files, and what the daemon says.

use super::{prepare, read};
use crate::interfaces::diagnostic::Severity;
use crate::model::{LinkName, Listen, RouterName};
use crate::router::device;
use crate::system::gate;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

/// How long a daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long its answer may be, in bytes.
const LONGEST: u64 = 64 << 20;

/// One router.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct Status {
    router: RouterName,
    /// `up` or `down`.
    state: &'static str,
    device: Option<LinkName>,
    listen: Vec<String>,
    /// The daemon's figures; none when it does not run, or tells nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    figures: Option<Value>,
    /// The commands that a reload would amount to.
    drift: Vec<String>,
    /// What keeps the file from being applied.
    mistakes: Vec<String>,
}

/// All routers that have a file or a record.
pub(in crate::commands) fn all(root: &Path) -> Vec<Status> {
    let names: BTreeSet<RouterName> = gate::list().into_iter().chain(crate::config::list_routers(root)).collect();
    names.iter().map(|name| examine(root, name)).collect()
}

fn examine(root: &Path, name: &RouterName) -> Status {
    let loaded = read(root, name);
    let owned = gate::read(name).ok().flatten();
    let settings = loaded.settings.as_ref();
    let errors = loaded.diagnostics.iter().filter(|d| d.severity == Severity::Error);
    let plan = owned.as_ref().and(settings).map(|_| prepare::plan(root, name, false));
    let mut mistakes: Vec<String> = errors.map(ToString::to_string).collect();
    let drift = match plan {
        Some(Ok(plan)) => plan.ops.iter().map(ToString::to_string).collect(),
        Some(Err(e)) => {
            mistakes.push(format!("{e:#}"));
            Vec::new()
        }
        None => Vec::new(),
    };
    Status {
        router: name.clone(),
        state: if owned.is_some() { "up" } else { "down" },
        device: owned.as_ref().map(|owned| owned.gate.device).or(settings.map(|settings| settings.device)),
        listen: settings.iter().flat_map(|s| &s.listen).map(ToString::to_string).collect(),
        figures: settings.filter(|_| owned.is_some()).and_then(|settings| figures(&settings.statistics)),
        drift,
        mistakes,
    }
}

/// What the first of the daemon's statistics sockets that answers says.
fn figures(sockets: &[Listen]) -> Option<Value> {
    sockets.iter().find_map(|socket| {
        let stream = device::connect(socket).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut text = Vec::new();
        stream.take(LONGEST).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    })
}

/// Lines for people.
pub(in crate::commands) fn print(out: &mut impl Write, status: &Status) -> std::io::Result<()> {
    let device = status.device.map_or_else(String::new, |device| format!(", device {device}"));
    let state = match status.state {
        "up" if status.drift.is_empty() && status.mistakes.is_empty() => "up, as its file says",
        "up" => "up",
        _ => "not up",
    };
    writeln!(out, "router {}: {state}{device}", status.router)?;
    for socket in &status.listen {
        writeln!(out, "    listens at {socket}")?;
    }
    if let Some(figures) = &status.figures {
        print_peers(out, figures)?;
    }
    for mistake in &status.mistakes {
        writeln!(out, "    {}", mistake.replace('\n', "\n    "))?;
    }
    if !status.drift.is_empty() {
        writeln!(out, "    not as the file says; systemctl reload systemd-netns-router@{} would do:", status.router)?;
        status.drift.iter().try_for_each(|op| writeln!(out, "        {}", op.replace('\n', "\n        ")))?;
    }
    Ok(())
}

/// A line for each peer.
fn print_peers(out: &mut impl Write, figures: &Value) -> std::io::Result<()> {
    let peers = figures["peers"].as_array().map(Vec::as_slice).unwrap_or_default();
    writeln!(
        out,
        "    {} {}, packets by {}",
        peers.len(),
        if peers.len() == 1 { "peer" } else { "peers" },
        text(&figures["way"])
    )?;
    for peer in peers {
        let counters = &peer["counters"];
        write!(out, "    {}", who(peer))?;
        write!(
            out,
            ", for {} s; out {} packets, {} bytes; in {} packets, {} bytes",
            peer["since"], counters["out_packets"], counters["out_bytes"], counters["in_packets"], counters["in_bytes"]
        )?;
        if let Some(micros) = peer["round_trip"].as_f64() {
            write!(out, "; round trip {:.3} ms", micros / 1000.0)?;
        }
        for (reason, count) in counters["dropped"].as_object().into_iter().flatten() {
            write!(out, "; {count} dropped: {reason}")?;
        }
        writeln!(out)?;
    }
    print_tunnels(out, &figures["tunnels"])
}

/// Who a peer is: of this host by its namespace and process, or a host elsewhere by what it said and proved.
fn who(peer: &Value) -> String {
    let list = |value: &Value| {
        let items: Vec<String> = value.as_array().into_iter().flatten().map(text).collect();
        if items.is_empty() { "-".to_owned() } else { items.join(" ") }
    };
    let (number, addresses, far) = (&peer["peer"], list(&peer["addresses"]), &peer["remote"]);
    if far.is_null() {
        return format!("peer {number}: {addresses}, netns {}, pid {}", list(&peer["netns"]), peer["pid"]);
    }
    let kind = if far["uplink"] == true { "uplink" } else { "host" };
    let tls = if far["encrypted"] == true { "TLS" } else { "in the clear" };
    let mut line = format!("peer {number}: {addresses}, {kind} {} at {}, {tls}", text(&far["host"]), text(&far["at"]));
    for (word, value) in [("table", &far["table"]), ("client", &far["client"])] {
        if !value.is_null() {
            line += &format!(", {word} {}", text(value));
        }
    }
    if far["certificate"].as_array().is_some_and(|names| !names.is_empty()) {
        line += &format!(", certificate {}", list(&far["certificate"]));
    }
    line
}

/// What is not there and is to be, and who was refused.
fn print_tunnels(out: &mut impl Write, tunnels: &Value) -> std::io::Result<()> {
    for (name, uplink) in tunnels["uplinks"].as_object().into_iter().flatten() {
        if uplink["connected"] != true {
            writeln!(
                out,
                "    uplink {name}: not connected, tried {} s ago: {}",
                uplink["since"],
                text(&uplink["why"])
            )?;
        }
    }
    let registry = &tunnels["registry"];
    if registry["reached"] == true {
        writeln!(out, "    registry: reached for {} s", registry["since"])?;
    } else if !registry.is_null() {
        writeln!(out, "    registry: not reached for {} s: {}", registry["since"], text(&registry["why"]))?;
    }
    for (name, router) in registry["routers"].as_object().into_iter().flatten() {
        let count = &router["holds"];
        writeln!(out, "    router {name} at {} holds {count} hosts and addresses", text(&router["at"]))?;
    }
    for refused in tunnels["refused"].as_array().into_iter().flatten() {
        writeln!(out, "    refused {} s ago: {}: {}", refused["ago"], text(&refused["at"]), text(&refused["why"]))?;
    }
    Ok(())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

//! How a router is, as text: uWSGI's JSON, with more keys than it has, and Prometheus' format.

use super::daemon::Status;
use super::daemon::report::Told;
use super::rule::Counter;
use super::switch::{Counters, PeerStatus, Reason};
use super::uwsgi::PeerStatistics;
use crate::model::LinkName;
use serde_json::{Map, Value, json as value};
use std::fmt::Write;

/// uWSGI's JSON ([`Statistics`](super::uwsgi::Statistics) has its keys), with more of ours: bytes of packets are `tx` and `rx`.
pub fn json(device: LinkName, status: &Status, tunnels: &Told) -> String {
    let chain = |rules: &[(String, Counter)]| {
        let rule = |(text, counted): &(String, Counter)| value!({ "rule": text, "packets": counted.packets, "bytes": counted.bytes });
        rules.iter().map(rule).collect::<Vec<_>>()
    };
    let [out, to] = &status.rules;
    let cwd = std::env::current_dir().unwrap_or_default();
    let whole = value!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "uid": nix::unistd::Uid::current().as_raw(),
        "gid": nix::unistd::Gid::current().as_raw(),
        "cwd": cwd.to_string_lossy(),
        "router": device.as_str(),
        "way": status.way,
        "device": counted(&status.device),
        "firewall": { "out": chain(out), "in": chain(to) },
        "tunnels": tunnels,
        "peers": status.peers.iter().map(|peer| one(peer, status.now, tunnels)).collect::<Vec<_>>(),
    });
    format!("{whole:#}\n")
}

fn one(peer: &PeerStatus, now: super::Nanos, tunnels: &Told) -> Value {
    let first = peer.addresses.iter().find(|address| address.is_ipv4()).or(peer.addresses.first());
    let theirs = PeerStatistics::new(first.copied());
    let who = peer.identity.credentials;
    let counters = &peer.counters;
    value!({
        "peer": peer.port,
        "addr": theirs.addr,
        "addr_32": theirs.addr_32,
        "addresses": peer.addresses,
        "uid": who.map_or(0, |who| who.uid),
        "gid": who.map_or(0, |who| who.gid),
        "pid": who.map_or(0, |who| who.pid),
        "netns": peer.identity.netns,
        "remote": peer.identity.remote,
        "transport": peer.transport,
        // In microseconds.
        "round_trip": tunnels.round_trips.get(&peer.port).map(|time| time.as_micros() as u64),
        "since": now.saturating_sub(peer.since) / 1_000_000_000,
        "tx": counters.in_bytes.get(),
        "rx": counters.out_bytes.get(),
        "dropped": counters.dropped_in_all(),
        "counters": counted(counters),
    })
}

fn counted(counters: &Counters) -> Value {
    let dropped: Map<String, Value> = Reason::ALL
        .into_iter()
        .filter(|reason| counters.dropped(*reason) > 0)
        .map(|reason| (reason.as_str().to_owned(), counters.dropped(reason).into()))
        .collect();
    value!({
        "out_packets": counters.out_packets.get(), "out_bytes": counters.out_bytes.get(),
        "in_packets": counters.in_packets.get(), "in_bytes": counters.in_bytes.get(),
        "dropped": dropped,
    })
}

/// Prometheus' text format, version 0.0.4.
pub fn prometheus(device: LinkName, status: &Status, tunnels: &Told) -> String {
    let mut text = String::new();
    let labels = |peer| labels(device, peer);
    let ports: Vec<(String, &Counters)> = std::iter::once((labels(None), &*status.device))
        .chain(status.peers.iter().map(|peer| (labels(Some(peer)), &*peer.counters)))
        .collect();
    type Read = fn(&Counters) -> u64;
    let families: [(&str, &str, Read); 4] = [
        ("out_packets", "Packets that came from the port.", |c| c.out_packets.get()),
        ("out_bytes", "Bytes that came from the port.", |c| c.out_bytes.get()),
        ("in_packets", "Packets that went to the port.", |c| c.in_packets.get()),
        ("in_bytes", "Bytes that went to the port.", |c| c.in_bytes.get()),
    ];
    for (name, help, read) in families {
        family(&mut text, name, help);
        for (labels, counters) in &ports {
            let _ = writeln!(text, "netns_router_{name}_total{{{labels}}} {}", read(counters));
        }
    }
    family(&mut text, "dropped_packets", "Packets that went nowhere, by reason.");
    for (labels, counters) in &ports {
        for reason in Reason::ALL {
            let (word, count) = (reason.as_str(), counters.dropped(reason));
            let _ = writeln!(text, "netns_router_dropped_packets_total{{{labels},reason=\"{word}\"}} {count}");
        }
    }
    family(&mut text, "rule_packets", "Packets that a firewall rule matched.");
    for (chain, rules) in ["out", "in"].into_iter().zip(&status.rules) {
        for (index, rule) in rules.iter().enumerate() {
            let (text_of, count) = (escaped(&rule.0), rule.1.packets);
            let labels = format!("router=\"{device}\",chain=\"{chain}\",index=\"{index}\",rule=\"{text_of}\"");
            let _ = writeln!(text, "netns_router_rule_packets_total{{{labels}}} {count}");
        }
    }
    let _ = writeln!(text, "# HELP netns_router_peers Peers that are in.\n# TYPE netns_router_peers gauge");
    let _ = writeln!(text, "netns_router_peers{{router=\"{device}\"}} {}", status.peers.len());
    of_tunnels(&mut text, device, status, tunnels);
    text
}

/// What tells a port, or a peer, from the others.
fn labels(device: LinkName, peer: Option<&PeerStatus>) -> String {
    let Some(peer) = peer else { return format!("router=\"{device}\",peer=\"device\",address=\"\",netns=\"\"") };
    let address = peer.addresses.first().map(ToString::to_string).unwrap_or_default();
    let netns = escaped(peer.identity.netns.first().map(|name| name.as_str()).unwrap_or_default());
    let far = peer.identity.remote.as_ref();
    let far = far.map(|far| format!(",host=\"{}\"", escaped(&far.host))).unwrap_or_default();
    format!("router=\"{device}\",peer=\"{}\",address=\"{address}\",netns=\"{netns}\"{far}", peer.port)
}

fn of_tunnels(text: &mut String, device: LinkName, status: &Status, tunnels: &Told) {
    family(text, "refused_hosts", "Hosts that were refused.");
    let _ = writeln!(text, "netns_router_refused_hosts_total{{router=\"{device}\"}} {}", tunnels.refusals);
    let name = "netns_router_round_trip_seconds";
    let help = "How long it takes to a host elsewhere and back.";
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
    for peer in &status.peers {
        if let Some(time) = tunnels.round_trips.get(&peer.port) {
            let _ = writeln!(text, "{name}{{{}}} {}", labels(device, Some(peer)), time.as_secs_f64());
        }
    }
    let help = "Whether an uplink is connected.";
    let _ = writeln!(text, "# HELP netns_router_uplink_connected {help}\n# TYPE netns_router_uplink_connected gauge");
    for (name, uplink) in &tunnels.uplinks {
        let labels = format!("router=\"{device}\",uplink=\"{}\"", escaped(name));
        let _ = writeln!(text, "netns_router_uplink_connected{{{labels}}} {}", u8::from(uplink.connected));
    }
    if let Some(registry) = &tunnels.registry {
        let help = "Whether the register of the fleet is reached.";
        let _ =
            writeln!(text, "# HELP netns_router_registry_reached {help}\n# TYPE netns_router_registry_reached gauge");
        let _ = writeln!(text, "netns_router_registry_reached{{router=\"{device}\"}} {}", u8::from(registry.reached));
    }
}

fn family(text: &mut String, name: &str, help: &str) {
    let name = format!("netns_router_{name}_total");
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
}

/// A label's value.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

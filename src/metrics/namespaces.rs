//! The families `netns_*`: what the namespace is and how it does, and what its protocols count.

use super::text::{Kind, Text, escaped};
use super::{Looked, Namespace};
use crate::kernel::figures::Tables;

/// Writes them.
pub(super) fn write(text: &mut Text, namespaces: &[Namespace], limit: Option<u64>) {
    let rows: Vec<(String, &Namespace)> =
        namespaces.iter().map(|n| (format!("netns=\"{}\"", escaped(n.name.as_str())), n)).collect();
    state(text, &rows);
    looked(text, &rows);
    let tables: Vec<(&str, &Tables)> =
        rows.iter().filter_map(|(labels, n)| Some((labels.as_str(), &n.figures.as_ref()?.tables))).collect();
    sockets(text, &tables);
    protocols(text, &tables);
    conntrack(text, &tables, limit);
    let help = "Packets that IPsec refused, by the kernel's reason.";
    text.family("netns_xfrm_errors_total", Kind::Counter, help, |family| {
        for (labels, t) in &tables {
            t.xfrm().for_each(|(error, n)| family.sample(labels, &[("error", error)], n));
        }
    });
}

/// A gauge of those that have it.
fn gauge<T>(text: &mut Text, name: &str, help: &str, rows: &[(impl AsRef<str>, T)], value: impl Fn(&T) -> Option<u64>) {
    text.family(name, Kind::Gauge, help, |family| {
        for (labels, row) in rows {
            if let Some(value) = value(row) {
                family.sample(labels.as_ref(), &[], value);
            }
        }
    });
}

fn state(text: &mut Text, rows: &[(String, &Namespace)]) {
    gauge(text, "netns_up", "Whether the namespace is up.", rows, |n| Some(u64::from(n.up)));
    let help = "When the namespace was made, since 1970.";
    gauge(text, "netns_created_timestamp_seconds", help, rows, |n| n.created);
}

fn looked(text: &mut Text, rows: &[(String, &Namespace)]) {
    let looked: Vec<(&str, &Looked)> =
        rows.iter().filter_map(|(labels, n)| Some((labels.as_str(), n.looked.as_ref()?))).collect();
    let help = "How many operations a reload would amount to; 0 when all is as the files say.";
    gauge(text, "netns_drift_operations", help, &looked, |l| l.drift.map(|n| n as u64));
    let help = "Mistakes in the files, for which a reload would refuse them.";
    gauge(text, "netns_mistakes", help, &looked, |l| Some(l.mistakes as u64));
    let help = "How often systemd has restarted a service of the namespace by itself.";
    text.family("netns_service_restarts_total", Kind::Counter, help, |family| {
        for (labels, l) in &looked {
            l.restarts.iter().for_each(|(unit, n)| family.sample(labels, &[("unit", unit)], n));
        }
    });
    let help = "When drift, mistakes and restarts were last looked at, since 1970.";
    gauge(text, "netns_looked_timestamp_seconds", help, &looked, |l| Some(l.at));
}

fn sockets(text: &mut Text, tables: &[(&str, &Tables)]) {
    let mut family = |name: &str, help: &str, wanted: &dyn Fn(&str, &str) -> bool| {
        text.family(name, Kind::Gauge, help, |family| {
            for (labels, t) in tables {
                let of = t.sockets().filter(|(protocol, what, _)| wanted(protocol, what));
                of.for_each(|(protocol, _, n)| family.sample(labels, &[("protocol", protocol)], n));
            }
        });
    };
    let is_fragments = |protocol: &str| protocol.starts_with("FRAG");
    let inuse = |protocol: &str, what: &str| what == "inuse" && !is_fragments(protocol);
    family("netns_sockets", "Sockets in use, by protocol.", &inuse);
    family("netns_sockets_time_wait", "Sockets in TIME_WAIT.", &|_, what| what == "tw");
    let queues = |protocol: &str, what: &str| what == "inuse" && is_fragments(protocol);
    family("netns_fragment_queues", "Packets that wait for more of their fragments.", &queues);
    let memory = |protocol: &str, what: &str| what == "memory" && is_fragments(protocol);
    family("netns_fragment_memory_bytes", "What fragments take.", &memory);
    gauge(text, "netns_sockets_all", "Sockets of all protocols and families.", tables, |t| {
        t.sockets().find(|(protocol, what, _)| (*protocol, *what) == ("sockets", "used")).map(|(_, _, n)| n)
    });
}

fn protocols(text: &mut Text, tables: &[(&str, &Tables)]) {
    let help = "Established TCP connections.";
    gauge(text, "netns_tcp_established", help, tables, |t| t.value("Tcp", "CurrEstab"));
    let help = "Whether IPv4 is forwarded between all links.";
    // 2 is "not".
    gauge(text, "netns_ipv4_forwarding", help, tables, |t| t.value("Ip", "Forwarding").map(|n| u64::from(n == 1)));
    let help = "Counters of /proc/net/snmp and snmp6, and some of netstat, by the kernel's names.";
    text.family("netns_snmp_total", Kind::Counter, help, |family| {
        for (labels, t) in tables {
            let all = t.counters();
            all.for_each(|(of, name, n)| family.sample(labels, &[("protocol", of), ("counter", name)], n));
        }
    });
}

fn conntrack(text: &mut Text, tables: &[(&str, &Tables)], limit: Option<u64>) {
    gauge(text, "netns_conntrack_entries", "Connections that are tracked.", tables, |t| t.conntrack_entries());
    let help = "How many connections a namespace may track.";
    text.family("netns_conntrack_entries_limit", Kind::Gauge, help, |family| {
        limit.into_iter().for_each(|limit| family.bare(limit));
    });
    let help = "What became of packets in connection tracking.";
    text.family("netns_conntrack_events_total", Kind::Counter, help, |family| {
        for (labels, t) in tables {
            t.conntrack().iter().for_each(|(event, n)| family.sample(labels, &[("event", event)], *n));
        }
    });
}

//! The families `netns_*`: what the namespace is and how it does, and what its protocols count.

use super::text::{Kind, Text, escaped};
use super::{Looked, Namespace};
use crate::kernel::figures::Tables;
use std::fmt::Display;

/// Writes them.
pub(super) fn write(text: &mut Text, namespaces: &[Namespace]) {
    let rows: Vec<(String, &Namespace)> =
        namespaces.iter().map(|n| (format!("netns=\"{}\"", escaped(n.name.as_str())), n)).collect();
    state(text, &rows);
    looked(text, &rows);
    let tables: Vec<(&str, &Tables)> =
        rows.iter().filter_map(|(labels, n)| Some((labels.as_str(), &n.figures.as_ref()?.tables))).collect();
    sockets(text, &tables);
    protocols(text, &tables);
    conntrack(text, &tables);
    let xfrm = each(&tables, |t| t.xfrm().map(|(error, n)| (format!("error=\"{}\"", escaped(error)), n)).collect());
    text.family("netns_xfrm_errors_total", Kind::Counter, "Packets that IPsec refused, by the kernel's reason.", xfrm);
}

fn state(text: &mut Text, rows: &[(String, &Namespace)]) {
    let up = rows.iter().map(|(labels, n)| (labels, u8::from(n.up)));
    text.family("netns_up", Kind::Gauge, "Whether the namespace is up.", up);
    let created = rows.iter().filter_map(|(labels, n)| Some((labels, n.created?)));
    text.family("netns_created_timestamp_seconds", Kind::Gauge, "When the namespace was made, since 1970.", created);
}

fn looked(text: &mut Text, rows: &[(String, &Namespace)]) {
    let looked: Vec<(&str, &Looked)> =
        rows.iter().filter_map(|(labels, n)| Some((labels.as_str(), n.looked.as_ref()?))).collect();
    let drift = looked.iter().filter_map(|(labels, l)| Some((labels, l.drift?)));
    text.family(
        "netns_drift_operations",
        Kind::Gauge,
        "How many operations a reload would amount to; 0 when all is as the files say.",
        drift,
    );
    let mistakes = looked.iter().map(|(labels, l)| (labels, l.mistakes));
    text.family(
        "netns_mistakes",
        Kind::Gauge,
        "Mistakes in the files, for which a reload would refuse them.",
        mistakes,
    );
    let restarts = looked.iter().flat_map(|(labels, l)| {
        l.restarts.iter().map(move |(unit, n)| (format!("{labels},unit=\"{}\"", escaped(unit)), n))
    });
    text.family(
        "netns_service_restarts_total",
        Kind::Counter,
        "How often systemd has restarted a service of the namespace by itself.",
        restarts,
    );
    let at = looked.iter().map(|(labels, l)| (labels, l.at));
    text.family(
        "netns_looked_timestamp_seconds",
        Kind::Gauge,
        "When drift, mistakes and restarts were last looked at, since 1970.",
        at,
    );
}

fn sockets(text: &mut Text, tables: &[(&str, &Tables)]) {
    let mut family = |name: &str, help: &str, wanted: &dyn Fn(&str, &str) -> bool| {
        let samples = each(tables, |t| {
            let of = t.sockets().filter(|(protocol, what, _)| wanted(protocol, what));
            of.map(|(protocol, _, n)| (format!("protocol=\"{}\"", escaped(protocol)), n)).collect()
        });
        text.family(name, Kind::Gauge, help, samples);
    };
    let is_fragments = |protocol: &str| protocol.starts_with("FRAG");
    let inuse = |protocol: &str, what: &str| what == "inuse" && !is_fragments(protocol);
    family("netns_sockets", "Sockets in use, by protocol.", &inuse);
    family("netns_sockets_time_wait", "Sockets in TIME_WAIT.", &|_, what| what == "tw");
    let queues = |protocol: &str, what: &str| what == "inuse" && is_fragments(protocol);
    family("netns_fragment_queues", "Packets that wait for more of their fragments.", &queues);
    let memory = |protocol: &str, what: &str| what == "memory" && is_fragments(protocol);
    family("netns_fragment_memory_bytes", "What fragments take.", &memory);
    let used = tables.iter().filter_map(|(labels, t)| {
        let (_, _, n) = t.sockets().find(|(protocol, what, _)| (*protocol, *what) == ("sockets", "used"))?;
        Some((labels, n))
    });
    text.family("netns_sockets_all", Kind::Gauge, "Sockets of all protocols and families.", used);
}

fn protocols(text: &mut Text, tables: &[(&str, &Tables)]) {
    let established = tables.iter().filter_map(|(labels, t)| Some((labels, t.value("Tcp", "CurrEstab")?)));
    text.family("netns_tcp_established", Kind::Gauge, "Established TCP connections.", established);
    // 2 is "not".
    let forwarding =
        tables.iter().filter_map(|(labels, t)| Some((labels, u8::from(t.value("Ip", "Forwarding")? == 1))));
    text.family("netns_ipv4_forwarding", Kind::Gauge, "Whether IPv4 is forwarded between all links.", forwarding);
    let counters = each(tables, |t| {
        let labels = |protocol, counter| format!("protocol=\"{}\",counter=\"{}\"", escaped(protocol), escaped(counter));
        t.counters().map(|(protocol, counter, n)| (labels(protocol, counter), n)).collect()
    });
    text.family(
        "netns_snmp_total",
        Kind::Counter,
        "Counters of /proc/net/snmp and snmp6, and some of netstat, by the kernel's names.",
        counters,
    );
}

fn conntrack(text: &mut Text, tables: &[(&str, &Tables)]) {
    let entries = tables.iter().filter_map(|(labels, t)| Some((labels, t.conntrack_entries?)));
    text.family("netns_conntrack_entries", Kind::Gauge, "Connections that are tracked.", entries);
    let limit = tables.iter().filter_map(|(labels, t)| Some((labels, t.conntrack_limit?)));
    text.family("netns_conntrack_entries_limit", Kind::Gauge, "How many connections may be tracked.", limit);
    let events = each(tables, |t| {
        t.conntrack().into_iter().map(|(event, n)| (format!("event=\"{}\"", escaped(event)), n)).collect()
    });
    text.family(
        "netns_conntrack_events_total",
        Kind::Counter,
        "What became of packets in connection tracking.",
        events,
    );
}

/// The samples of each namespace with its label before theirs.
fn each<'a, V: Display + 'a>(
    tables: &'a [(&'a str, &'a Tables)],
    samples: impl Fn(&'a Tables) -> Vec<(String, V)> + 'a,
) -> impl Iterator<Item = (String, V)> + 'a {
    tables.iter().flat_map(move |(labels, t)| {
        samples(t).into_iter().map(move |(more, value)| (format!("{labels},{more}"), value)).collect::<Vec<_>>()
    })
}

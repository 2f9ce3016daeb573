//! The families `node_network_*`, as node_exporter's collectors netclass and netdev have them: names, words and units are
//! theirs, so that the files of a textfile collector and its own figures make one family.

use super::Namespace;
use super::text::{Kind, Text, escaped};
use crate::kernel::figures::LinkFigures;
use std::fmt::Display;
use std::net::IpAddr;

/// A link with its labels.
type Row<'a> = (String, &'a LinkFigures);

/// Writes them.
pub(super) fn write(text: &mut Text, namespaces: &[Namespace]) {
    let all = || namespaces.iter().filter_map(|n| Some((escaped(n.name.as_str()), n.figures.as_ref()?)));
    let mut rows: Vec<Row<'_>> = Vec::new();
    for (netns, figures) in all() {
        let labels = |link: &LinkFigures| format!("netns=\"{netns}\",device=\"{}\"", escaped(link.name.as_str()));
        rows.extend(figures.links.iter().map(|link| (labels(link), link)));
    }
    properties(text, &rows);
    carrier(text, &rows);
    let infos = rows.iter().map(|(labels, link)| (info(labels, link), 1));
    text.family(
        "node_network_info",
        Kind::Gauge,
        "Non-numeric data from /sys/class/net/<iface>, value is always 1.",
        infos,
    );
    let up = rows.iter().map(|(labels, link)| (labels, u8::from(link.operstate == "up")));
    text.family("node_network_up", Kind::Gauge, "Value is 1 if operstate is 'up', 0 otherwise.", up);
    let addresses = all().flat_map(|(netns, figures)| {
        figures.addresses.iter().map(move |a| {
            let (device, address, scope) = (escaped(a.link.as_str()), a.address, scope(a.address));
            let prefix = a.prefix;
            let labels = format!(
                "netns=\"{netns}\",device=\"{device}\",address=\"{address}\",netmask=\"{prefix}\",scope=\"{scope}\""
            );
            (labels, 1)
        })
    });
    text.family("node_network_address_info", Kind::Gauge, "node network address by device", addresses);
    statistics(text, &rows);
}

fn properties(text: &mut Text, rows: &[Row<'_>]) {
    let mut all = |name: &str, value: &dyn Fn(&LinkFigures) -> Option<u64>| {
        let samples = rows.iter().filter_map(|(labels, link)| Some((labels, value(link)?)));
        let help = format!("Network device property: {name}");
        text.family(&format!("node_network_{name}"), Kind::Gauge, &help, samples);
    };
    all("address_assign_type", &|l| l.properties.address_assign_type.map(u64::from));
    all("device_id", &|l| l.properties.device_id.map(u64::from));
    all("dormant", &|l| Some(u64::from(l.is_dormant)));
    all("flags", &|l| Some(u64::from(l.flags)));
    all("iface_id", &|l| Some(u64::from(l.index)));
    all("iface_link", &|l| Some(u64::from(l.link)));
    all("iface_link_mode", &|l| Some(u64::from(l.link_mode)));
    all("mtu_bytes", &|l| Some(u64::from(l.mtu)));
    all("name_assign_type", &|l| l.properties.name_assign_type.map(u64::from));
    all("net_dev_group", &|l| Some(u64::from(l.group)));
    all("protocol_type", &|l| Some(u64::from(l.protocol)));
    // Mbit/s in bytes per second.
    all("speed_bytes", &|l| l.properties.speed.and_then(|speed| speed.checked_mul(1_000_000 / 8)));
    all("transmit_queue_length", &|l| Some(u64::from(l.queue)));
}

fn carrier(text: &mut Text, rows: &[Row<'_>]) {
    let samples = rows.iter().filter_map(|(labels, link)| Some((labels, u8::from(link.carrier?))));
    text.family("node_network_carrier", Kind::Gauge, "Network device property: carrier", samples);
    let names = ["carrier_changes_total", "carrier_up_changes_total", "carrier_down_changes_total"];
    for (at, name) in names.into_iter().enumerate() {
        let samples = rows.iter().map(|(labels, link)| (labels, link.carrier_changes[at]));
        let help = format!("Network device property: {name}");
        text.family(&format!("node_network_{name}"), Kind::Counter, &help, samples);
    }
}

/// The labels of `node_network_info`.
fn info(labels: &str, link: &LinkFigures) -> impl Display {
    let admin = if link.is_up { "up" } else { "down" };
    let (address, broadcast, operstate) = (&link.address, &link.broadcast, link.operstate);
    let (alias, duplex) = (escaped(&link.alias), link.properties.duplex.as_deref().unwrap_or_default());
    format!(
        "{labels},address=\"{address}\",adminstate=\"{admin}\",broadcast=\"{broadcast}\",duplex=\"{}\",\
         ifalias=\"{alias}\",operstate=\"{operstate}\"",
        escaped(duplex)
    )
}

/// node_exporter's word for the reach of an address (Go's `net.IP`).
fn scope(address: IpAddr) -> &'static str {
    let near = match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local(),
    };
    match near {
        true => "link-local",
        false if address.is_unspecified() || address.is_multicast() => "",
        false => "global",
    }
}

type Read = fn(&LinkFigures) -> u64;

const STATISTICS: [(&str, Read); 17] = [
    ("receive_bytes", |l| l.received.bytes),
    ("receive_compressed", |l| l.received.compressed),
    ("receive_drop", |l| l.received.dropped),
    ("receive_errs", |l| l.received.errors),
    ("receive_fifo", |l| l.received.fifo),
    ("receive_frame", |l| l.per_link.frame),
    ("receive_multicast", |l| l.per_link.multicast),
    ("receive_nohandler", |l| l.per_link.nohandler),
    ("receive_packets", |l| l.received.packets),
    ("transmit_bytes", |l| l.sent.bytes),
    ("transmit_carrier", |l| l.per_link.carrier),
    ("transmit_colls", |l| l.per_link.collisions),
    ("transmit_compressed", |l| l.sent.compressed),
    ("transmit_drop", |l| l.sent.dropped),
    ("transmit_errs", |l| l.sent.errors),
    ("transmit_fifo", |l| l.sent.fifo),
    ("transmit_packets", |l| l.sent.packets),
];

fn statistics(text: &mut Text, rows: &[Row<'_>]) {
    for (name, read) in STATISTICS {
        let samples = rows.iter().map(|(labels, link)| (labels, read(link)));
        let help = format!("Network device statistic {name}.");
        text.family(&format!("node_network_{name}_total"), Kind::Counter, &help, samples);
    }
}

//! The families `node_network_*`, as node_exporter's collectors netclass and netdev have them: names, words and units are
//! theirs, so that the files of a textfile collector and its own figures make one family.

use super::Namespace;
use super::text::{Family, Kind, Text, escaped};
use crate::kernel::figures::LinkFigures;
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
    let help = "Non-numeric data from /sys/class/net/<iface>, value is always 1.";
    text.family("node_network_info", Kind::Gauge, help, |family| {
        rows.iter().for_each(|(labels, link)| info(family, labels, link));
    });
    let help = "Value is 1 if operstate is 'up', 0 otherwise.";
    text.family("node_network_up", Kind::Gauge, help, |family| {
        rows.iter().for_each(|(labels, link)| family.sample(labels, &[], u8::from(link.operstate == "up")));
    });
    text.family("node_network_address_info", Kind::Gauge, "node network address by device", |family| {
        for (netns, figures) in all() {
            for a in &figures.addresses {
                let labels = format!("netns=\"{netns}\",device=\"{}\"", escaped(a.link.as_str()));
                let (address, prefix) = (a.address.to_string(), a.prefix.to_string());
                let more = [("address", &*address), ("netmask", &*prefix), ("scope", scope(a.address))];
                family.sample(&labels, &more, 1);
            }
        }
    });
    statistics(text, &rows);
}

fn properties(text: &mut Text, rows: &[Row<'_>]) {
    let mut all = |name: &str, value: &dyn Fn(&LinkFigures) -> Option<u64>| {
        let help = format!("Network device property: {name}");
        text.family(&format!("node_network_{name}"), Kind::Gauge, &help, |family| {
            for (labels, link) in rows {
                if let Some(value) = value(link) {
                    family.sample(labels, &[], value);
                }
            }
        });
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
    text.family("node_network_carrier", Kind::Gauge, "Network device property: carrier", |family| {
        for (labels, link) in rows {
            if let Some(carrier) = link.carrier {
                family.sample(labels, &[], u8::from(carrier));
            }
        }
    });
    let names = ["carrier_changes_total", "carrier_up_changes_total", "carrier_down_changes_total"];
    for (at, name) in names.into_iter().enumerate() {
        let help = format!("Network device property: {name}");
        text.family(&format!("node_network_{name}"), Kind::Counter, &help, |family| {
            rows.iter().for_each(|(labels, link)| family.sample(labels, &[], link.carrier_changes[at]));
        });
    }
}

/// The sample of `node_network_info`.
fn info(family: &mut Family<'_>, labels: &str, link: &LinkFigures) {
    let more = [
        ("address", link.address.as_str()),
        ("adminstate", if link.is_up { "up" } else { "down" }),
        ("broadcast", &link.broadcast),
        ("duplex", link.properties.duplex.as_deref().unwrap_or_default()),
        ("ifalias", &link.alias),
        ("operstate", link.operstate),
    ];
    family.sample(labels, &more, 1);
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
        let help = format!("Network device statistic {name}.");
        text.family(&format!("node_network_{name}_total"), Kind::Counter, &help, |family| {
            rows.iter().for_each(|(labels, link)| family.sample(labels, &[], read(link)));
        });
    }
}

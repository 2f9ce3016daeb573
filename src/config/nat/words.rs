//! What the sections of a `nat` file ask for, in words: for `status`.

use super::{Nat, Ports, Published, Source};
use crate::model::{LinkName, Translation};
use std::fmt::Display;

/// One of each section that becomes rules, in the order in which they are numbered: what is published, then the sources.
pub(super) fn translations(nat: &Nat) -> Vec<Translation> {
    let published = nat.published.iter().map(|one| translation("publish", &one.name, publish(one)));
    let sources = nat.sources.iter().map(|one| {
        let section = if one.to.is_some() { "snat" } else { "masquerade" };
        translation(section, &one.name, source(one))
    });
    published.chain(sources).collect()
}

fn translation(section: &str, name: &str, what: String) -> Translation {
    Translation { section: section.to_owned(), name: name.to_owned(), what }
}

/// `192.0.2.9 port 8080 tcp to 10.1.1.7:80 by eth0`
fn publish(one: &Published) -> String {
    let mut words = Vec::new();
    if !one.addresses.is_empty() {
        words.push(list(&one.addresses));
    }
    if !one.ports.is_empty() {
        let protocols: Vec<&str> =
            [("tcp", one.tcp), ("udp", one.udp)].into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect();
        words.push(format!("port {} {}", list(&one.ports), list(&protocols)));
    }
    let target = |address: std::net::IpAddr, ports: Option<Ports>| match ports {
        Some(ports) if address.is_ipv6() => format!("[{address}]:{ports}"),
        Some(ports) => format!("{address}:{ports}"),
        None => address.to_string(),
    };
    let to: Vec<String> = one.to.iter().map(|to| target(to.address, to.ports)).collect();
    words.push(format!("to {}", list(&to)));
    if !one.from.is_empty() {
        words.push(format!("from {}", list(&one.from)));
    }
    words.extend(by(one.link));
    if one.masquerade {
        words.push("masqueraded".to_owned());
    }
    words.join(" ")
}

/// `10.1.1.0/24 to 192.0.2.9 by eth0`
fn source(one: &Source) -> String {
    let mut words = vec![list(&one.from)];
    words.extend(one.to.as_ref().map(|to| format!("to {}", list(to))));
    words.extend(by(one.link));
    words.join(" ")
}

fn by(link: Option<LinkName>) -> Option<String> {
    link.map(|link| format!("by {link}"))
}

fn list(all: &[impl Display]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

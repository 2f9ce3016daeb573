//! What is translated on the host for a namespace: the sections of its `nat` file that are in force, as the record has them, and how
//! many connections the kernel has counted for each; and its sockets, for which systemd listens on the host.

use crate::config::PublishedSocket;
use crate::model::{Netns, NetnsName, Owned, State};
use crate::system::nft;
use crate::system::systemd::{Active, Manager};
use serde::Serialize;
use std::io::Write;

/// A section that is in force.
#[derive(Debug, Serialize)]
pub(super) struct InForce {
    /// `publish`, `masquerade` or `snat`.
    section: String,
    /// The section's own name; empty for one without.
    name: String,
    /// What is translated to what, in words.
    what: String,
    /// How many connections there were since the table was loaded; none where nft(8) does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<u64>,
}

/// The sections of what was applied, where its table is there as it was loaded.
pub(super) fn in_force(owned: &Owned, current: &State) -> Vec<InForce> {
    let there = |name: &str| current.netns.get(&Netns::Host).and_then(|host| host.tables.get(name));
    let table = owned.desired.table.as_ref().filter(|table| there(&table.name) == Some(&table.mark()));
    let Some(table) = table.filter(|table| !table.translations.is_empty()) else { return Vec::new() };
    let counted = nft::connections(&table.name);
    let numbered = table.translations.iter().enumerate();
    let all = numbered.map(|(number, of)| InForce {
        section: of.section.clone(),
        name: of.name.clone(),
        what: of.what.clone(),
        connections: counted.as_ref().map(|counted| counted.get(&number).copied().unwrap_or_default()),
    });
    all.collect()
}

/// A `[socket]` of the file.
#[derive(Debug, Serialize)]
pub(super) struct Socket {
    unit: String,
    /// The section's own name.
    name: String,
    /// Where on the host.
    listen: Vec<String>,
    /// The service that takes the descriptors, or that connections are passed on to.
    service: String,
    /// Whether systemd listens.
    active: bool,
}

/// The sockets, as systemd has them.
pub(super) fn sockets(manager: &Manager, all: Vec<PublishedSocket>) -> Vec<Socket> {
    let one = |socket: PublishedSocket| {
        let unit = format!("{}.socket", socket.unit);
        let active = manager.active(&unit).is_ok_and(|active| active == Active::Yes);
        let service = format!("{}.service", socket.service);
        Socket { unit, name: socket.name, listen: socket.listen, service, active }
    };
    all.into_iter().map(one).collect()
}

/// A line for each.
pub(super) fn print_sockets(out: &mut impl Write, name: &NetnsName, all: &[Socket]) -> std::io::Result<()> {
    for one in all {
        let (listen, service) = (one.listen.join(", "), &one.service);
        let not = if one.active { String::new() } else { format!("  (does not listen; systemd-netns publish {name})") };
        writeln!(out, "    socket {}: {listen} to {service}{not}", one.name)?;
    }
    Ok(())
}

/// A line for each.
pub(super) fn print(out: &mut impl Write, all: &[InForce]) -> std::io::Result<()> {
    for one in all {
        let space = if one.name.is_empty() { "" } else { " " };
        let counted = match one.connections {
            None => String::new(),
            Some(1) => "  (1 connection)".to_owned(),
            Some(n) => format!("  ({n} connections)"),
        };
        writeln!(out, "    {}{space}{}: {}{counted}", one.section, one.name, one.what)?;
    }
    Ok(())
}

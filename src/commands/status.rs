//! `status [NAME] [--json]`: namespaces, what is in them, who uses them, and how far they are from their files.

use super::compare::compare;
use super::look::is_ours;
use super::router;
use super::tunnels::{self, Tunnel, tunnels, xfrm_errors};
use crate::kernel::{Namespace, netns};
use crate::model::{Kind, Link, LinkName, Netns, NetnsName, NetnsState, Owned};
use crate::system::record::{Progress, Record};
use anyhow::{Result, bail};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// Shows one namespace, or all that have a record.
pub fn status(root: &Path, name: Option<&NetnsName>, json: bool) -> Result<()> {
    let names = match name {
        Some(name) => vec![name.clone()],
        None => Record::list(),
    };
    let mut all = Vec::new();
    for name in &names {
        all.push(examine(root, name)?);
    }
    let routers = if name.is_none() { router::status::all(root) } else { Vec::new() };
    let mut out = std::io::stdout().lock();
    if json {
        // A router has `router` in the place of `name`.
        let values = all.iter().map(serde_json::to_value).chain(routers.iter().map(serde_json::to_value));
        serde_json::to_writer_pretty(&mut out, &values.collect::<Result<Vec<_>, _>>()?)?;
        writeln!(out)?;
    } else {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        for status in &all {
            print(&mut out, status, colour)?;
        }
        for status in &routers {
            router::status::print(&mut out, status)?;
        }
        if all.is_empty() && routers.is_empty() {
            writeln!(out, "no namespace of systemd-netns is up")?;
        }
    }
    match name {
        Some(name) if all.iter().all(|s| s.state != "up") => bail!("{name} is not up"),
        _ => Ok(()),
    }
}

/// A namespace as it is shown.
#[derive(Debug, Serialize)]
struct Status {
    name: NetnsName,
    /// `up`, `unfinished`, `created`, `foreign`, `gone` or `down`.
    state: &'static str,
    links: Vec<LinkStatus>,
    routes: usize,
    processes: Vec<Process>,
    /// Other services whose links are in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    users: Vec<NetnsName>,
    /// IPsec's links, wherever they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tunnels: Vec<Tunnel>,
    /// IPsec's error counters that are not 0.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    xfrm_errors: BTreeMap<String, u64>,
    /// The commands that a reload would amount to.
    drift: Vec<String>,
    /// What keeps the files from being applied.
    mistakes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct LinkStatus {
    name: LinkName,
    kind: String,
    up: bool,
    mtu: Option<u32>,
    mac: Option<String>,
    addresses: Vec<String>,
    /// How it came here.
    origin: String,
}

#[derive(Debug, Serialize)]
struct Process {
    pid: u32,
    unit: Option<String>,
}

fn examine(root: &Path, name: &NetnsName) -> Result<Status> {
    let record = Record::read(name)?;
    let ours = record.as_ref().is_some_and(|r| is_ours(name, r));
    let state = match &record {
        None if netns::is_mounted(name) => "foreign",
        None => "down",
        Some(_) if !ours => "gone",
        Some(r) => match r.progress {
            Progress::Created => "created",
            Progress::Unfinished => "unfinished",
            Progress::Complete => "up",
        },
    };
    let mut status = Status {
        name: name.clone(),
        state,
        links: Vec::new(),
        routes: 0,
        processes: processes(name),
        users: record.iter().flat_map(|r| r.users.iter().filter(|user| *user != name).cloned()).collect(),
        tunnels: Vec::new(),
        xfrm_errors: BTreeMap::new(),
        drift: Vec::new(),
        mistakes: Vec::new(),
    };
    if !ours {
        return Ok(status);
    }
    let Some(record) = &record else { return Ok(status) };
    let compared = compare(root, name, record)?;
    let owned = compared.owned.as_ref();
    if let Some(inside) = compared.current.netns.get(&Netns::Named(name.clone())) {
        status.links = links(inside, owned, &tunnels::foreign_links(name, &status.users));
        status.routes = inside.routes.len();
    }
    if let Some(owned) = owned {
        status.tunnels = tunnels(owned, &compared.current);
        if !status.tunnels.is_empty() {
            status.xfrm_errors = xfrm_errors(name);
        }
    }
    (status.drift, status.mistakes) = (compared.drift.unwrap_or_default(), compared.mistakes);
    Ok(status)
}

fn processes(name: &NetnsName) -> Vec<Process> {
    let found = Namespace::named(name).ok().filter(|_| netns::is_mounted(name)).and_then(|n| netns::pids(&n).ok());
    found.unwrap_or_default().into_iter().map(|p| Process { pid: p.pid, unit: p.unit }).collect()
}

fn links(inside: &NetnsState, owned: Option<&Owned>, foreign: &BTreeMap<LinkName, NetnsName>) -> Vec<LinkStatus> {
    let one = |(name, link): (&LinkName, &Link)| LinkStatus {
        name: *name,
        kind: link.kind.as_ref().map_or("", Kind::name).to_owned(),
        up: link.up == Some(true),
        mtu: link.mtu,
        mac: link.mac.map(|m| m.to_string()),
        addresses: inside.addresses_of(*name).iter().map(|a| a.local.to_string()).collect(),
        origin: match foreign.get(name) {
            Some(user) => format!("of {user}"),
            None => origin(*name, link, owned),
        },
    };
    inside.links.iter().map(one).collect()
}

fn origin(name: LinkName, link: &Link, owned: Option<&Owned>) -> String {
    if name.is_loopback() {
        return "loopback".to_owned();
    }
    if let Some(taken) = owned.and_then(|o| o.taken.iter().find(|t| t.place.link == name)) {
        return if taken.name == name { "from the host".to_owned() } else { format!("the host's {}", taken.name) };
    }
    match &link.kind {
        Some(Kind::Veth { peer: Some(peer) }) => format!("pair with {} on {}", peer.link, peer.netns),
        Some(Kind::Vlan { parent: Some(parent), id, .. }) => {
            format!("VLAN {id} on {}{}", parent.link, if parent.netns == Netns::Host { " of the host" } else { "" })
        }
        _ if owned
            .is_some_and(|o| o.made.iter().any(|p| p.link == name && p.netns.name() == Some(&o.desired.netns))) =>
        {
            "made".to_owned()
        }
        _ => "not from the files".to_owned(),
    }
}

fn print(out: &mut impl Write, s: &Status, colour: bool) -> std::io::Result<()> {
    let (mark, end) = match (colour, s.state) {
        (false, _) => ("", ""),
        (true, "up") if s.drift.is_empty() && s.mistakes.is_empty() => ("\x1b[32m", "\x1b[0m"),
        (true, "up") => ("\x1b[33m", "\x1b[0m"),
        (true, _) => ("\x1b[31m", "\x1b[0m"),
    };
    writeln!(out, "{mark}{}{end}: {}", s.name, what_it_means(s))?;
    let width = s.links.iter().map(|l| l.name.as_str().len()).max().unwrap_or(0);
    for l in &s.links {
        let (up, addresses) = (if l.up { "up  " } else { "down" }, l.addresses.join(" "));
        let space = if addresses.is_empty() { "" } else { "  " };
        writeln!(out, "    {:width$}  {up}  {addresses}{space}({})", l.name.as_str(), l.origin)?;
    }
    tunnels::print(out, &s.tunnels, &s.xfrm_errors)?;
    if s.routes > 0 {
        writeln!(out, "    {} {}", s.routes, if s.routes == 1 { "route" } else { "routes" })?;
    }
    let mut units: Vec<(String, Vec<u32>)> = Vec::new();
    for p in &s.processes {
        let unit = p.unit.clone().unwrap_or_else(|| "no unit".to_owned());
        match units.iter_mut().find(|(u, _)| *u == unit) {
            Some((_, pids)) => pids.push(p.pid),
            None => units.push((unit, vec![p.pid])),
        }
    }
    for (unit, pids) in units {
        let shown: Vec<String> = pids.iter().take(8).map(ToString::to_string).collect();
        let more = if pids.len() > 8 { format!(" and {} more", pids.len() - 8) } else { String::new() };
        writeln!(out, "    {unit}: {}{more}", shown.join(" "))?;
    }
    for mistake in &s.mistakes {
        writeln!(out, "    {}", mistake.replace('\n', "\n    "))?;
    }
    if !s.drift.is_empty() {
        writeln!(out, "    not as the files say; systemctl reload systemd-netns@{} would do:", s.name)?;
        for op in s.drift.iter().take(10) {
            writeln!(out, "        {op}")?;
        }
        if s.drift.len() > 10 {
            writeln!(out, "        … and {} more", s.drift.len() - 10)?;
        }
    }
    Ok(())
}

fn what_it_means(s: &Status) -> String {
    match s.state {
        "up" if s.drift.is_empty() && s.mistakes.is_empty() => "up, as the files say".to_owned(),
        "up" => "up".to_owned(),
        "created" => "made, with nothing in it yet".to_owned(),
        "unfinished" => format!("half-made; give everything back with: systemd-netns stop {}", s.name),
        "gone" => format!(
            "its namespace was deleted by somebody else; give everything back with: systemd-netns stop {}",
            s.name
        ),
        "foreign" => "exists, and was not made by systemd-netns".to_owned(),
        _ => "not up".to_owned(),
    }
}

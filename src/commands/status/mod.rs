//! `status [NAME] [--json] [--watch]`: namespaces, what is in them, who uses them, what is translated for them, how far they are from their files, what is not where it
//! should be, and why something failed.

mod nat;
mod print;
pub(super) mod services;
mod watch;

use super::compare::compare;
use super::look::is_ours;
use super::router;
use super::tunnels::{self, Tunnel, tunnels, xfrm_errors};
use crate::config;
use crate::kernel::{Namespace, netns};
use crate::model::{Kind, Link, LinkName, Netns, NetnsName, NetnsState, Owned};
use crate::system::record::{Progress, Record};
use crate::system::systemd::Manager;
use anyhow::{Result, bail};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::path::Path;

/// What is shown, and how.
pub struct Show<'a> {
    /// One namespace; all when there is none.
    pub name: Option<&'a NetnsName>,
    /// Machine-readable.
    pub json: bool,
    /// Again whenever something has changed.
    pub watch: bool,
}

/// Shows one namespace, or all that have a record or failed.
pub fn status(root: &Path, show: &Show<'_>) -> Result<()> {
    if show.watch {
        return watch::watch(|colour| Overview::look(root, show.name)?.text(colour));
    }
    let overview = Overview::look(root, show.name)?;
    let mut out = std::io::stdout().lock();
    if show.json {
        overview.json(&mut out)?;
    } else {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        out.write_all(overview.text(colour)?.as_bytes())?;
    }
    match show.name {
        Some(name) if overview.namespaces.iter().all(|s| s.state != "up") => bail!("{name} is not up"),
        _ => Ok(()),
    }
}

/// All that is shown.
struct Overview {
    namespaces: Vec<Status>,
    routers: Vec<router::status::Status>,
    /// Those that have files and are not up, where all are shown.
    idle: Vec<NetnsName>,
}

impl Overview {
    fn look(root: &Path, name: Option<&NetnsName>) -> Result<Self> {
        let manager = services::manager();
        let names = match name {
            Some(name) => BTreeSet::from([name.clone()]),
            None => Record::list().into_iter().chain(services::failed(manager.as_ref())).collect(),
        };
        let namespaces = names.iter().map(|name| examine(root, name, manager.as_ref())).collect::<Result<Vec<_>>>()?;
        let is_idle = |idle: &NetnsName| name.is_none() && !names.contains(idle);
        let idle = config::list(root).into_iter().filter(is_idle).collect();
        let routers = if name.is_none() { router::status::all(root) } else { Vec::new() };
        Ok(Self { namespaces, routers, idle })
    }

    fn json(&self, out: &mut impl Write) -> Result<()> {
        // A router has `router` in the place of `name`.
        let values = self.namespaces.iter().map(serde_json::to_value);
        let values = values.chain(self.routers.iter().map(serde_json::to_value)).collect::<Result<Vec<_>, _>>()?;
        serde_json::to_writer_pretty(&mut *out, &values)?;
        writeln!(out)?;
        Ok(())
    }

    /// Lines for people.
    fn text(&self, colour: bool) -> Result<String> {
        let mut out = Vec::new();
        for status in &self.namespaces {
            print::print(&mut out, status, colour)?;
        }
        for status in &self.routers {
            router::status::print(&mut out, status)?;
        }
        if self.namespaces.is_empty() && self.routers.is_empty() {
            writeln!(out, "no namespace of systemd-netns is up")?;
        }
        print::summary(&mut out, &self.namespaces, &self.idle)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
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
    /// Services that systemd binds to it, whether they run or not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    services: Vec<services::Service>,
    /// What is not where it should be: one sentence each, with what to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    leaks: Vec<String>,
    /// Why the unit of the namespace, or a service of it, failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<services::Failure>,
    /// Other services whose links are in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    users: Vec<NetnsName>,
    /// IPsec's links, wherever they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tunnels: Vec<Tunnel>,
    /// What is translated on the host for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nat: Vec<nat::InForce>,
    /// What systemd listens for on the host, for services inside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sockets: Vec<nat::Socket>,
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

fn examine(root: &Path, name: &NetnsName, manager: Option<&Manager>) -> Result<Status> {
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
        services: Vec::new(),
        leaks: Vec::new(),
        failures: Vec::new(),
        users: record.iter().flat_map(|r| r.users.iter().filter(|user| *user != name).cloned()).collect(),
        tunnels: Vec::new(),
        nat: Vec::new(),
        sockets: Vec::new(),
        xfrm_errors: BTreeMap::new(),
        drift: Vec::new(),
        mistakes: Vec::new(),
    };
    if let Some(manager) = manager {
        let bound = services::look(manager, name);
        (status.services, status.leaks, status.failures) = (bound.services, bound.leaks, bound.failures);
    }
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
        status.nat = nat::in_force(owned, &compared.current);
        if !status.tunnels.is_empty() {
            status.xfrm_errors = xfrm_errors(name);
        }
    }
    status.sockets = manager.map(|manager| nat::sockets(manager, compared.sockets)).unwrap_or_default();
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

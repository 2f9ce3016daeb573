//! A fleet of routers: what this one holds is written into a register, and what others hold is read there, and reached by an uplink to
//! each of them.
//!
//! Theory. No packet waits for any of it. What others hold becomes routes ([`tables`](super::tables)), which the packets' thread gets
//! whole, as it gets those of any source. What this router holds is looked at every second, and written when it is something
//! else, or when its time is half over. When the register is away, what was read last stays until its own time is over, and connections
//! that are there stay as they are. Routers speak to one another straight: what came from one of the fleet never goes on to another.

mod conversation;

use super::report::{FleetRouter, Report};
use super::tables::Tables;
use super::uplink::{self, Role};
use crate::model::{HostName, ServerAddress};
use crate::router::daemon::data::{Command, Handle};
use crate::router::settings::Settings;
use crate::router::switch::PeerStatus;
use crate::router::tunnel::name::TableName;
use crate::router::tunnel::registry::{Entry, Item, View, What};
use crate::router::tunnel::settings::{Registry, Tunnels, Uplink};
use crate::router::tunnel::table::Gateway;
use anyhow::Result;
use conversation::{Conversation, Entries};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle as Runtime;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

/// How often it is looked what this router holds.
const LOOK: Duration = Duration::from_secs(1);
/// How long it may take to say that this router is going.
const FAREWELL: Duration = Duration::from_secs(1);
/// How many uplinks to other routers there are.
const UPLINKS: usize = 1024;

/// What a fleet needs of the router.
#[derive(Clone)]
pub(super) struct Around {
    pub data: Handle,
    pub tables: Arc<Tables>,
    pub report: Arc<Report>,
}

/// A place in a fleet that is kept; the connections to others end with this.
pub(super) struct Kept {
    settings: Arc<Settings>,
    conversation: Arc<Mutex<Conversation>>,
    runtime: Runtime,
    task: JoinHandle<()>,
}

impl Kept {
    /// Whether it is as the settings say.
    pub fn is(&self, settings: &Settings) -> bool {
        let names = |tunnels: &Tunnels| -> Vec<_> {
            tunnels.tables.iter().map(|table| (table.name.clone(), table.local)).collect()
        };
        self.settings.tunnels.registry == settings.tunnels.registry
            && self.settings.addresses == settings.addresses
            && names(&self.settings.tunnels) == names(&settings.tunnels)
    }

    /// Takes this router's entry away, so that nobody waits for its end.
    pub async fn leave(self) {
        self.task.abort();
        let conversation = Arc::clone(&self.conversation);
        let withdrawn = self.runtime.spawn_blocking(move || locked(&conversation).withdraw());
        match timeout(FAREWELL, withdrawn).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(why))) => log::warn!("registry: leave: {why}"),
            _ => log::warn!("registry: leave: no answer"),
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads what connections to other routers need, to see that it is there.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn check(tunnels: &Tunnels) -> Result<()> {
    let Some(registry) = &tunnels.registry else { return Ok(()) };
    let client = registry.client_at(&ServerAddress { host: "localhost".into(), port: 1 }, None);
    let uplink = Uplink { name: client.host.clone(), client, routes: Vec::new(), announce: false };
    let role = Role { gateway: Gateway::Router(uplink.name.clone()), table: None };
    uplink::read(&uplink, &role).map(drop)
}

/// Keeps this router in its fleet; none where the settings name no register.
pub(super) fn keep(settings: &Arc<Settings>, around: Around, runtime: &Runtime) -> Option<Kept> {
    let registry = settings.tunnels.registry.clone()?;
    let conversation = Arc::new(Mutex::new(Conversation::new(registry.clone())));
    let membership = Membership {
        settings: Arc::clone(settings),
        registry,
        around,
        conversation: Arc::clone(&conversation),
        runtime: runtime.clone(),
        entries: BTreeMap::new(),
        view: Arc::default(),
        uplinks: BTreeMap::new(),
        told: None,
        damaged: Vec::new(),
        changed: true,
        recovering: None,
    };
    let task = runtime.spawn(membership.for_ever());
    Some(Kept { settings: Arc::clone(settings), conversation, runtime: runtime.clone(), task })
}

fn locked(conversation: &Mutex<Conversation>) -> std::sync::MutexGuard<'_, Conversation> {
    conversation.lock().unwrap_or_else(PoisonError::into_inner)
}

/// To which router an uplink leads, and in which table; none is that of local peers.
type Way = (HostName, Option<TableName>);

/// A router in its fleet.
struct Membership {
    settings: Arc<Settings>,
    registry: Registry,
    around: Around,
    conversation: Arc<Mutex<Conversation>>,
    runtime: Runtime,
    /// What others hold, and until when that is so.
    entries: BTreeMap<HostName, (Entry, Instant)>,
    view: Arc<View>,
    uplinks: BTreeMap<Way, (ServerAddress, uplink::Kept)>,
    /// Why the register is not reached, so that it is said once.
    told: Option<String>,
    /// What is wrong with entries, for the same reason.
    damaged: Vec<String>,
    /// Something was read, or has gone, or is held here, since it was acted on.
    changed: bool,
    /// Until when the register may lack what it had: it was away, and others have yet to write it anew.
    recovering: Option<Instant>,
}

impl Membership {
    async fn for_ever(mut self) {
        let period = Duration::from_secs(self.registry.period.into());
        let mut tick = tokio::time::interval(LOOK);
        let (mut written, mut read, mut seen) = (None::<Instant>, None, BTreeSet::new());
        loop {
            tick.tick().await;
            let Some(held) = self.held().await else { continue };
            let is_due = |at: Instant| at.elapsed() + LOOK / 2 >= period;
            let writes = held != seen || written.is_none_or(is_due);
            let reads = read.is_none_or(is_due);
            if writes || reads {
                match self.speak(held.clone(), writes, reads).await {
                    Ok(found) => {
                        self.reached();
                        let now = Some(Instant::now());
                        written = if writes { now } else { written };
                        if let Some((entries, damaged)) = found {
                            read = now;
                            self.take(entries, damaged);
                        }
                    }
                    Err(why) => {
                        // It may have forgotten everything when it is back.
                        written = None;
                        self.missed(why);
                    }
                }
            }
            self.changed |= held != seen;
            self.apply(&held);
            seen = held;
        }
    }

    /// What this router holds; none where nobody answers.
    async fn held(&self) -> Option<BTreeSet<Item>> {
        let (reply, answer) = oneshot::channel();
        self.around.data.send(Command::Status(reply));
        let status = answer.await.ok()?;
        let own = self.settings.addresses.iter().map(|own| Item { table: None, what: What::Address(own.addr()) });
        let is_router = |name: &str| name.parse::<HostName>().is_ok_and(|name| self.entries.contains_key(&name));
        let of_peers = status.peers.iter().flat_map(|peer| self.held_by(peer, &is_router));
        Some(own.chain(of_peers).collect())
    }

    /// What this router holds by a peer.
    fn held_by(&self, peer: &PeerStatus, is_router: &dyn Fn(&str) -> bool) -> Vec<Item> {
        let remote = peer.identity.remote.as_deref();
        if remote.is_some_and(|remote| remote.uplink || is_router(&remote.host)) {
            return Vec::new();
        }
        let table = remote.and_then(|remote| remote.table.as_ref()?.parse::<TableName>().ok());
        let is_local = |name: &TableName| self.settings.tunnels.tables.iter().any(|t| t.local && t.name == *name);
        let table = table.filter(|name| !is_local(name));
        let host = remote.and_then(|remote| remote.host.parse().ok()).map(What::Host);
        let addresses = peer.addresses.iter().map(|address| What::Address(*address));
        host.into_iter().chain(addresses).map(|what| Item { table: table.clone(), what }).collect()
    }

    /// Writes to and reads from the register.
    async fn speak(
        &self,
        held: BTreeSet<Item>,
        writes: bool,
        reads: bool,
    ) -> Result<Option<(Entries, Vec<String>)>, String> {
        let conversation = Arc::clone(&self.conversation);
        let said = spawn_blocking(move || {
            let mut conversation = locked(&conversation);
            if writes {
                conversation.publish(&held)?;
            }
            reads.then(|| conversation.load()).transpose()
        });
        said.await.unwrap_or_else(|e| Err(e.to_string()))
    }

    fn reached(&mut self) {
        if self.told.take().is_some() {
            log::info!("registry: it is reached again");
        }
        self.around.report.registry(None);
    }

    fn missed(&mut self, why: String) {
        self.around.report.registry(Some(&why));
        self.recovering = Some(Instant::now() + Duration::from_secs(self.registry.expiry.into()));
        if self.told.as_ref() != Some(&why) {
            log::error!("registry: {why}; what {} routers hold stays until its time is over", self.entries.len());
            self.told = Some(why);
        }
    }

    /// Takes what was read.
    fn take(&mut self, entries: Entries, damaged: Vec<String>) {
        let now = Instant::now();
        if self.recovering.is_none_or(|until| until <= now) {
            (self.recovering, self.entries) = (None, BTreeMap::new());
        }
        self.changed = true;
        self.entries.extend(entries.into_iter().map(|(name, (entry, left))| (name, (entry, now + left))));
        damaged.iter().filter(|what| !self.damaged.contains(what)).for_each(|what| log::error!("registry: {what}"));
        self.damaged = damaged;
    }

    /// Acts on what is known.
    fn apply(&mut self, held: &BTreeSet<Item>) {
        let (now, before) = (Instant::now(), self.entries.len());
        self.entries.retain(|_, (_, until)| *until > now);
        if std::mem::take(&mut self.changed) || self.entries.len() != before {
            let entries = self.entries.iter().map(|(name, (entry, _))| (name, entry));
            let view = View::new(&self.registry.client.host, held, entries);
            self.tell(&view);
            self.view = Arc::new(view);
            self.around.tables.set_fleet(Arc::clone(&self.view));
        }
        self.connect();
    }

    fn tell(&self, view: &View) {
        for (name, at) in view.routers.iter().filter(|(name, _)| !self.view.routers.contains_key(*name)) {
            log::info!("registry: router {name} is at {at}");
        }
        for name in self.view.routers.keys().filter(|name| !view.routers.contains_key(*name)) {
            log::info!("registry: router {name} is gone");
        }
        let one = |(name, at): (&HostName, &ServerAddress)| {
            (name.to_string(), FleetRouter { at: at.to_string(), holds: view.count(name) })
        };
        self.around.report.routers(view.routers.iter().map(one).collect());
    }

    /// Connects to who is to be connected to: every other router in the table of local peers, and in other tables those that hold
    /// something there.
    fn connect(&mut self) {
        let known = |table: &TableName| self.settings.tunnels.tables.iter().any(|t| !t.local && t.name == *table);
        let mut wanted: BTreeSet<Way> = self.view.routers.keys().map(|name| (name.clone(), None)).collect();
        for (table, elsewhere) in &self.view.tables {
            let Some(table) = table.as_ref().filter(|table| known(table)) else { continue };
            let holders = elsewhere.hosts.values().chain(elsewhere.addresses.values());
            wanted.extend(holders.map(|name| (name.clone(), Some(table.clone()))));
        }
        let routers = &self.view.routers;
        let report = &self.around.report;
        self.uplinks.retain(|way, (at, _)| {
            let stays = wanted.contains(way) && routers.get(&way.0) == Some(at);
            if !stays {
                report.forget(&name_of(way));
            }
            stays
        });
        for way in wanted.into_iter().take(UPLINKS) {
            let Some(at) = self.view.routers.get(&way.0).filter(|_| !self.uplinks.contains_key(&way)) else { continue };
            match self.uplink(&way, at) {
                Ok(kept) => drop(self.uplinks.insert(way.clone(), (at.clone(), kept))),
                Err(e) => log::debug!("registry: router {}: {e:#}; trying again", way.0),
            }
        }
    }

    fn uplink(&self, way: &Way, at: &ServerAddress) -> Result<uplink::Kept> {
        let local = || self.settings.tunnels.tables.iter().find(|table| table.local).map(|table| &table.name);
        let id =
            way.1.as_ref().or_else(local).and_then(|name| if let TableName::Id(id) = name { Some(*id) } else { None });
        let client = self.registry.client_at(at, id);
        let uplink = Uplink { name: name_of(way).parse()?, client, routes: Vec::new(), announce: false };
        let role = Role { gateway: Gateway::Router(way.0.clone()), table: way.1.clone() };
        let around = uplink::Around {
            data: self.around.data.clone(),
            joined: Arc::default(),
            report: Arc::clone(&self.around.report),
        };
        Ok(uplink::keep(uplink::read(&uplink, &role)?, around, &self.runtime))
    }
}

/// What an uplink of the fleet is called here.
fn name_of((router, table): &Way) -> String {
    match table {
        Some(table) => format!("fleet:{router}@{table}"),
        None => format!("fleet:{router}"),
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.uplinks.keys().for_each(|way| self.around.report.forget(&name_of(way)));
    }
}

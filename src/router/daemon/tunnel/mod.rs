//! Routing tunnels as they are carried out: hosts that connect ([`server`]), routers that this one connects to ([`uplink`]), and the
//! routing tables ([`tables`]).
//!
//! Theory. Everything up to the response is said on threads beside the packets', with a time limit. Then the stream goes to the packets'
//! thread, which reads and writes it as it does a local peer's: what a host does not read is dropped there when its queue is full, and
//! nobody waits. With TLS the packets' thread has one end of a pair of unix sockets, and a task has the other and ciphers
//! ([`relay`]): that costs a copy, and no packet of anybody else's waits for it.
//!
//! There is no keep-alive in the protocol: TCP's own tells a connection that is dead, and how far away the other end is (tcp(7)).

mod fleet;
mod plugin;
mod relay;
pub mod report;
mod round_trip;
mod server;
mod sources;
mod stream;
mod tables;
mod tls;
mod uplink;

use super::data::Handle;
use crate::router::settings::Settings;
use crate::router::tunnel::name::TableName;
use anyhow::{Context, Result};
use report::Report;
use server::Gate;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tables::Tables;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub(super) use uplink::REFUSED;

/// How long anything may take that is said before there are packets.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many threads do it, and cipher, at most.
const THREADS: usize = 4;

/// The tunnels of a router.
pub(super) struct Tunnels {
    data: Handle,
    workers: Workers,
    gate: Arc<Gate>,
    tables: Arc<Tables>,
    listeners: HashMap<SocketAddr, JoinHandle<()>>,
    uplinks: BTreeMap<String, uplink::Kept>,
    fleet: Option<fleet::Kept>,
    watch: Option<JoinHandle<()>>,
    joined: Arc<Notify>,
    report: Arc<Report>,
}

impl Tunnels {
    /// Told each time that an uplink is connected.
    pub fn joined(&self) -> Arc<Notify> {
        Arc::clone(&self.joined)
    }

    /// Begins what the settings say, if anything.
    ///
    /// # Errors
    /// When an address cannot be listened at, or a certificate or password cannot be read.
    pub fn start(settings: &Arc<Settings>, data: Handle, report: Arc<Report>) -> Result<Self> {
        let mut tunnels = Self {
            gate: Arc::new(Gate::new(data.clone(), Arc::clone(&report))),
            tables: Arc::new(Tables::new(data.clone())),
            data,
            workers: Workers::default(),
            listeners: HashMap::new(),
            uplinks: BTreeMap::new(),
            fleet: None,
            watch: None,
            joined: Arc::default(),
            report,
        };
        tunnels.reload(settings)?;
        Ok(tunnels)
    }

    /// A packet had no route in a table that has somebody to ask.
    pub fn ask(&mut self, table: TableName, address: IpAddr) {
        if let Ok(runtime) = self.workers.runtime() {
            runtime.spawn(Arc::clone(&self.tables).ask(table, address));
        }
    }

    /// Goes by other settings from now on. Connections stay that may.
    ///
    /// # Errors
    /// As [`Self::start`]; what was before goes on then, as far as it can.
    pub fn reload(&mut self, settings: &Arc<Settings>) -> Result<()> {
        if settings.tunnels.is_nothing() && self.workers.0.is_none() {
            return Ok(());
        }
        // All that can fail comes before anything is changed.
        let ready = self.gate.prepare(settings)?;
        let uplinks = uplink::prepare(&settings.tunnels)?;
        fleet::check(&settings.tunnels)?;
        let wanted = settings.tunnels.server.iter().flat_map(|server| &server.listen);
        let mut opened = Vec::new();
        for address in wanted.clone().filter(|address| !self.listeners.contains_key(address)) {
            let alone = wanted.clone().any(|other| other.is_ipv4() && other.port() == address.port());
            let listener = stream::listen(*address, alone).with_context(|| format!("listen at {address}"))?;
            opened.push((*address, listener));
        }
        let runtime = self.workers.runtime()?;
        self.tables.reload(settings);
        self.gate.open(ready);
        self.listeners.retain(|address, task| {
            let stays = wanted.clone().any(|other| other == address);
            if !stays {
                task.abort();
            }
            stays
        });
        for (address, listener) in opened {
            let task = runtime.spawn(server::accept(listener, Arc::clone(&self.gate)));
            log::info!("hosts are let in at {address}");
            self.listeners.insert(address, task);
        }
        self.uplinks.retain(|name, kept| {
            let stays = uplinks.get(name).is_some_and(|wanted| kept.is(wanted));
            if !stays {
                self.report.forget(name);
            }
            stays
        });
        for (name, wanted) in uplinks {
            let around = uplink::Around {
                data: self.data.clone(),
                joined: Arc::clone(&self.joined),
                report: Arc::clone(&self.report),
            };
            self.uplinks.entry(name).or_insert_with(|| uplink::keep(wanted, around, runtime.handle()));
        }
        self.join_fleet(settings)?;
        let runtime = self.workers.runtime()?;
        if let Some(watch) = self.watch.replace(runtime.spawn(tables::watch(Arc::clone(&self.tables)))) {
            watch.abort();
        }
        Ok(())
    }
}

impl Tunnels {
    /// Keeps this router in the register that the settings name, if any.
    fn join_fleet(&mut self, settings: &Arc<Settings>) -> Result<()> {
        if self.fleet.as_ref().is_some_and(|fleet| fleet.is(settings)) {
            return Ok(());
        }
        // Together with what it found.
        self.fleet = None;
        self.report.forget_registry();
        self.tables.set_fleet(Arc::default());
        if settings.tunnels.registry.is_some() {
            let around = fleet::Around {
                data: self.data.clone(),
                tables: Arc::clone(&self.tables),
                report: Arc::clone(&self.report),
            };
            self.fleet = fleet::keep(settings, around, self.workers.runtime()?.handle());
        }
        Ok(())
    }

    /// Says that this router is going, to who would look for it otherwise.
    pub async fn leave(&mut self) {
        if let Some(fleet) = self.fleet.take() {
            fleet.leave().await;
        }
    }
}

impl Drop for Tunnels {
    fn drop(&mut self) {
        self.listeners.values().chain(&self.watch).for_each(JoinHandle::abort);
    }
}

/// Threads that are there once there is something for them to do.
#[derive(Default)]
struct Workers(Option<Runtime>);

impl Workers {
    fn runtime(&mut self) -> Result<&Runtime> {
        if self.0.is_none() {
            let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
            let mut builder = Builder::new_multi_thread();
            let runtime = builder.worker_threads(threads).thread_name("tunnels").enable_all().build();
            self.0 = Some(runtime.context("start the threads of tunnels")?);
        }
        self.0.as_ref().context("start the threads of tunnels")
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Nothing is waited for: what the tasks hold goes with them.
            runtime.shutdown_background();
        }
    }
}

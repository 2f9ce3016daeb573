//! The routing tables: what the settings say, what sources do, and what a plugin was asked, put together away from the packets' thread
//! and given to it whole.
//!
//! A source that cannot be read, or has a line that is no route, changes nothing: the routes that were read last stay. So do those of a
//! plugin that does not answer.

use super::sources::{self, List};
use super::{PATIENCE, plugin};
use crate::model::HostName;
use crate::router::daemon::data::{Command, Handle};
use crate::router::settings::Settings;
use crate::router::switch::NamedRoutes;
use crate::router::tunnel::name::TableName;
use crate::router::tunnel::registry::View;
use crate::router::tunnel::settings::{Source, Table};
use crate::router::tunnel::table::{Gateway, Routes};
use ipnet::IpNet;
use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// How often it is looked which sources are to be looked at.
const TICK: Duration = Duration::from_secs(1);
/// How many routes of one plugin are remembered, and how many questions wait for it at once.
const LEARNED: usize = 4096;
const QUESTIONS: usize = 8;

/// All tables of a router.
pub(super) struct Tables {
    data: Handle,
    state: Mutex<State>,
    questions: Semaphore,
}

#[derive(Default)]
struct State {
    settings: Option<Arc<Settings>>,
    sources: HashMap<Source, Read>,
    learned: HashMap<TableName, HashMap<IpNet, Learned>>,
    /// What other routers hold.
    fleet: Arc<View>,
    /// What plugins said that is wrong, so that it is said once.
    told: HashMap<TableName, String>,
}

/// A source, as it was read last.
#[derive(Default)]
struct Read {
    routes: List,
    /// When a file was changed, and how long it was, when it was read.
    seen: Option<(SystemTime, u64)>,
    looked: Option<Instant>,
    busy: bool,
    told: Option<String>,
}

struct Learned {
    host: HostName,
    /// The address that was asked for, and is again.
    asked: IpAddr,
    until: Instant,
}

impl Tables {
    pub fn new(data: Handle) -> Self {
        Self { data, state: Mutex::default(), questions: Semaphore::new(QUESTIONS) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Other tables from now on. New files are read at once; what may take longer is read soon.
    pub fn reload(&self, settings: &Arc<Settings>) {
        let mut state = self.state();
        let tables = &settings.tunnels.tables;
        let wanted: Vec<&Source> = tables.iter().flat_map(|table| &table.sources).collect();
        state.sources.retain(|source, _| wanted.contains(&source));
        for source in wanted {
            let read = state.sources.entry(source.clone()).or_default();
            if let Source::File(_) = source {
                let seen = seen(source);
                read.take(source, seen, sources::read(source));
            }
        }
        state.learned.retain(|name, _| tables.iter().any(|table| table.name == *name && table.plugin.is_some()));
        state.settings = Some(Arc::clone(settings));
        let local = tables.iter().find(|table| table.local);
        let others = tables.iter().filter(|table| !table.local);
        let mut all: Vec<NamedRoutes> = vec![(local.map(|table| table.name.clone()), state.local(settings, local))];
        all.extend(others.map(|table| (Some(table.name.clone()), state.routes_of(table))));
        for (name, routes) in &all {
            let name = name.as_ref().map_or("of local peers".to_owned(), ToString::to_string);
            log::debug!("table {name}: {} routes", routes.len());
        }
        self.data.send(Command::Tables(all));
    }

    /// Other routers hold something else from now on.
    pub fn set_fleet(&self, fleet: Arc<View>) {
        let mut state = self.state();
        let before = std::mem::replace(&mut state.fleet, Arc::clone(&fleet));
        let Some(settings) = state.settings.clone() else { return };
        let tables = &settings.tunnels.tables;
        let differs =
            |table: Option<&TableName>| before.tables.get(&table.cloned()) != fleet.tables.get(&table.cloned());
        let local = tables.iter().find(|table| table.local);
        if differs(None) {
            let routes = state.local(&settings, local);
            self.data.send(Command::Routes(local.map(|table| table.name.clone()), routes));
        }
        for table in tables.iter().filter(|table| !table.local && differs(Some(&table.name))) {
            self.data.send(Command::Routes(Some(table.name.clone()), state.routes_of(table)));
        }
    }

    /// The sources whose time has come.
    fn due(&self) -> Vec<Source> {
        let mut state = self.state();
        let Some(settings) = state.settings.clone() else { return Vec::new() };
        let mut due = Vec::new();
        for table in &settings.tunnels.tables {
            let period = Duration::from_secs(table.reload.into());
            for source in &table.sources {
                let Some(read) = state.sources.get_mut(source) else { continue };
                if !read.busy && read.looked.is_none_or(|looked| looked.elapsed() >= period) {
                    read.busy = true;
                    due.push(source.clone());
                }
            }
        }
        due
    }

    /// Reads a source, and gives on what has changed.
    fn look(&self, source: &Source) {
        let seen = seen(source);
        let same = seen.is_some() && self.state().sources.get(source).is_some_and(|read| read.seen == seen);
        let found = if same { None } else { Some(sources::read(source)) };
        let mut state = self.state();
        let Some(read) = state.sources.get_mut(source) else { return };
        (read.busy, read.looked) = (false, Some(Instant::now()));
        if !found.is_some_and(|found| read.take(source, seen, found)) {
            return;
        }
        let Some(settings) = state.settings.clone() else { return };
        for table in settings.tunnels.tables.iter().filter(|table| table.sources.contains(source)) {
            let routes = state.routes(&settings, table);
            log::info!("table {}: {} routes, read again from {source}", table.name, routes.len());
            self.data.send(Command::Routes(Some(table.name.clone()), routes));
        }
    }

    /// What plugins said that is to be asked again.
    fn stale(&self) -> Vec<(TableName, IpAddr)> {
        let mut state = self.state();
        let now = Instant::now();
        let mut stale = Vec::new();
        for (name, learned) in &mut state.learned {
            for one in learned.values_mut().filter(|one| one.until <= now) {
                // Not again while it is asked.
                one.until = now + PATIENCE * 2;
                stale.push((name.clone(), one.asked));
            }
        }
        stale
    }

    /// Asks a table's plugin for the route of an address, and gives the answer on.
    pub async fn ask(self: Arc<Self>, name: TableName, address: IpAddr) {
        let Ok(_place) = self.questions.acquire().await else { return };
        let found = self.state().settings.clone().and_then(|settings| {
            let table = settings.tunnels.tables.iter().find(|table| table.name == name)?.clone();
            Some((settings, table))
        });
        let Some((settings, table)) = found else { return };
        let Some(plugin) = table.plugin.clone() else { return };
        let asked = name.clone();
        let answer = spawn_blocking(move || plugin::ask(&plugin, &asked, address)).await;
        let answer = answer.unwrap_or_else(|e| Err(e.to_string()));
        let mut state = self.state();
        if state.learn(&table, address, answer) {
            let routes = state.routes(&settings, &table);
            self.data.send(Command::Routes(Some(name.clone()), routes));
        }
        self.data.send(Command::Answered(name, address));
    }
}

/// Looks at sources for ever.
pub(super) async fn watch(tables: Arc<Tables>) {
    let mut tick = tokio::time::interval(TICK);
    loop {
        tick.tick().await;
        for source in tables.due() {
            let tables = Arc::clone(&tables);
            spawn_blocking(move || tables.look(&source));
        }
        for (name, address) in tables.stale() {
            tokio::spawn(Arc::clone(&tables).ask(name, address));
        }
    }
}

impl State {
    fn routes(&self, settings: &Settings, table: &Table) -> Arc<Routes> {
        if table.local { self.local(settings, Some(table)) } else { self.routes_of(table) }
    }

    fn hosts<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = (IpNet, Gateway)> + 'a {
        let of_sources = table.sources.iter().filter_map(|source| self.sources.get(source));
        let of_sources = of_sources.flat_map(|read| &read.routes).map(|(to, host)| (*to, host));
        let learned = self.learned.get(&table.name).into_iter().flatten().map(|(to, one)| (*to, &one.host));
        let own = table.routes.iter().map(|(to, host)| (*to, host));
        let name = (!table.local).then_some(&table.name);
        let gateway = move |host: &HostName| match self.fleet.router_of(name, host) {
            Some(router) => Gateway::Router(router.clone()),
            None => Gateway::Host(host.clone()),
        };
        own.chain(of_sources).chain(learned).map(move |(to, host)| (to, gateway(host)))
    }

    /// What other routers hold of a table; none is that of local peers.
    fn elsewhere(&self, table: Option<&TableName>) -> impl Iterator<Item = (IpNet, Gateway)> {
        self.fleet.addresses(table).map(|(address, router)| (address.into(), Gateway::Router(router.clone())))
    }

    fn routes_of(&self, table: &Table) -> Arc<Routes> {
        let mut routes = Routes::new(self.hosts(table).chain(self.elsewhere(Some(&table.name)))).0;
        routes.asks = table.plugin.is_some();
        Arc::new(routes)
    }

    /// The table that the device and local peers are in.
    fn local(&self, settings: &Settings, table: Option<&Table>) -> Arc<Routes> {
        let uplinks = &settings.tunnels.uplinks;
        let up = uplinks
            .iter()
            .flat_map(|uplink| uplink.routes.iter().map(|to| (*to, Gateway::Uplink(uplink.name.clone()))));
        let hosts = table.into_iter().flat_map(|table| self.hosts(table));
        // The router's own networks are not elsewhere, unless a route says so.
        let own = settings.addresses.iter().map(|own| (own.trunc(), Gateway::Device));
        let all: Vec<_> = up.chain(hosts).chain(self.elsewhere(None)).collect();
        let own = own.filter(|_| !all.is_empty());
        Arc::new(Routes::new(all.iter().cloned().chain(own)).0)
    }

    /// Remembers what a plugin said. Whether that is new.
    fn learn(&mut self, table: &Table, asked: IpAddr, answer: Result<Option<(IpNet, HostName)>, String>) -> bool {
        let learned = self.learned.entry(table.name.clone()).or_default();
        match answer {
            Ok(Some((to, host))) => {
                self.told.remove(&table.name);
                if learned.len() >= LEARNED && !learned.contains_key(&to) {
                    let oldest = learned.iter().min_by_key(|(_, one)| one.until).map(|(to, _)| *to);
                    oldest.and_then(|oldest| learned.remove(&oldest));
                }
                let until = Instant::now() + Duration::from_secs(table.reload.into());
                let before = learned.insert(to, Learned { host: host.clone(), asked, until });
                before.is_none_or(|before| before.host != host)
            }
            Ok(None) => {
                self.told.remove(&table.name);
                let before = learned.len();
                learned.retain(|_, one| one.asked != asked);
                learned.len() != before
            }
            Err(why) => {
                if self.told.get(&table.name) != Some(&why) {
                    log::error!("table {}: ask for {asked}: {why}; what was learned before stays", table.name);
                    self.told.insert(table.name.clone(), why);
                }
                false
            }
        }
    }
}

/// By what it is told that a file has changed.
fn seen(source: &Source) -> Option<(SystemTime, u64)> {
    let Source::File(path) = source else { return None };
    fs::metadata(path).and_then(|file| Ok((file.modified()?, file.len()))).ok()
}

impl Read {
    /// Takes what was read. Whether there is something new.
    fn take(&mut self, source: &Source, seen: Option<(SystemTime, u64)>, found: Result<List, String>) -> bool {
        self.looked = Some(Instant::now());
        match found {
            Ok(routes) => {
                (self.seen, self.told) = (seen, None);
                let is_new = self.routes != routes;
                self.routes = routes;
                is_new
            }
            Err(why) => {
                if self.told.as_ref() != Some(&why) {
                    let kept = self.routes.len();
                    log::error!("{source}: {why}; the {kept} routes that were read last stay");
                    self.told = Some(why);
                }
                false
            }
        }
    }
}

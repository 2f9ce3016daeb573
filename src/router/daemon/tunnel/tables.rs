//! The routing tables: what the settings say, and what files do, put together away from the packets' thread and given to it whole.
//!
//! A file that cannot be read, or has a line that is no route, changes nothing: the routes that were read last stay.

use crate::model::HostName;
use crate::router::daemon::data::{Command, Handle};
use crate::router::settings::Settings;
use crate::router::switch::NamedRoutes;
use crate::router::tunnel::settings::{Table, Tunnels};
use crate::router::tunnel::table::{Gateway, LONGEST, Routes, parse_line};
use ipnet::IpNet;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How many bytes a file of routes may have.
const MAX_FILE: u64 = 128 << 20;
/// How often it is looked which files are to be looked at.
const TICK: Duration = Duration::from_secs(1);

/// All tables of a router.
pub(super) struct Tables {
    data: Handle,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    settings: Option<Arc<Settings>>,
    files: HashMap<PathBuf, Source>,
}

/// A file of routes, as it was read last.
#[derive(Default)]
struct Source {
    routes: Vec<(IpNet, HostName)>,
    /// When it was changed, and how long it was, when it was read.
    seen: Option<(SystemTime, u64)>,
    looked: Option<Instant>,
    /// What was wrong with it, so that it is said once.
    told: Option<String>,
}

impl Tables {
    pub fn new(data: Handle) -> Self {
        Self { data, state: Mutex::default() }
    }

    /// Other tables from now on.
    pub fn reload(&self, settings: &Arc<Settings>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted: Vec<&PathBuf> = settings.tunnels.tables.iter().filter_map(|table| table.file.as_ref()).collect();
        state.files.retain(|path, _| wanted.contains(&path));
        for path in wanted {
            state.files.entry(path.clone()).or_default().look(path);
        }
        state.settings = Some(Arc::clone(settings));
        let tables = &settings.tunnels.tables;
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

    /// Looks at the files whose time has come, and gives on what has changed.
    fn look(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(settings) = state.settings.clone() else { return };
        for table in &settings.tunnels.tables {
            let Some(path) = &table.file else { continue };
            let Some(source) = state.files.get_mut(path) else { continue };
            let period = Duration::from_secs(table.reload.into());
            if source.looked.is_some_and(|looked| looked.elapsed() < period) || !source.look(path) {
                continue;
            }
            let routes = match table.local {
                true => state.local(&settings, Some(table)),
                false => state.routes_of(table),
            };
            log::info!("table {}: {} routes, read again from {}", table.name, routes.len(), path.display());
            self.data.send(Command::Routes(Some(table.name.clone()), routes));
        }
    }
}

/// Looks at files for ever.
pub(super) async fn watch(tables: Arc<Tables>) {
    let mut tick = tokio::time::interval(TICK);
    loop {
        tick.tick().await;
        let tables = Arc::clone(&tables);
        let _ = tokio::task::spawn_blocking(move || tables.look()).await;
    }
}

impl State {
    fn hosts<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = (IpNet, Gateway)> + 'a {
        let file = table.file.as_ref().and_then(|path| self.files.get(path));
        let of_file = file.into_iter().flat_map(|source| &source.routes);
        table.routes.iter().chain(of_file).map(|(to, host)| (*to, Gateway::Host(host.clone())))
    }

    fn routes_of(&self, table: &Table) -> Arc<Routes> {
        Arc::new(Routes::new(self.hosts(table)).0)
    }

    /// The table that the device and local peers are in.
    fn local(&self, settings: &Settings, table: Option<&Table>) -> Arc<Routes> {
        let Tunnels { uplinks, .. } = &settings.tunnels;
        let up = uplinks
            .iter()
            .flat_map(|uplink| uplink.routes.iter().map(|to| (*to, Gateway::Uplink(uplink.name.clone()))));
        let hosts = table.into_iter().flat_map(|table| self.hosts(table));
        // The router's own networks are not elsewhere, unless a route says so.
        let own = settings.addresses.iter().map(|own| (own.trunc(), Gateway::Device));
        let all: Vec<_> = up.chain(hosts).collect();
        let own = own.filter(|_| !all.is_empty());
        Arc::new(Routes::new(all.iter().cloned().chain(own)).0)
    }
}

impl Source {
    /// Reads the file if it has changed. Whether there is something new.
    fn look(&mut self, path: &Path) -> bool {
        self.looked = Some(Instant::now());
        let seen = fs::metadata(path).and_then(|file| Ok((file.modified()?, file.len())));
        if seen.as_ref().is_ok_and(|seen| self.seen == Some(*seen)) {
            return false;
        }
        let read = seen.map_err(|e| e.to_string()).and_then(|seen| read(path, seen.1).map(|routes| (seen, routes)));
        match read {
            Ok((seen, routes)) => {
                (self.seen, self.told) = (Some(seen), None);
                let is_new = self.routes != routes;
                self.routes = routes;
                is_new
            }
            Err(why) => {
                if self.told.as_ref() != Some(&why) {
                    let kept = self.routes.len();
                    log::error!("{}: {why}; the {kept} routes that were read last stay", path.display());
                    self.told = Some(why);
                }
                false
            }
        }
    }
}

/// The routes of a file; with one mistake, none.
fn read(path: &Path, len: u64) -> Result<Vec<(IpNet, HostName)>, String> {
    if len > MAX_FILE {
        return Err(format!("it is longer than {} MiB", MAX_FILE >> 20));
    }
    let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
    let mut routes = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        match parse_line(line) {
            Ok(route) => routes.extend(route),
            Err(bad) => return Err(format!("line {number}: {}", bad.message)),
        }
        if routes.len() > LONGEST {
            return Err(format!("it has more than {LONGEST} routes"));
        }
    }
    Ok(routes)
}

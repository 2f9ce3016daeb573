//! Takes the figures of namespaces, and looks how they do.
//!
//! Figures are taken every time. How far a namespace is from its files takes a hundred times as long, so who asks often is told
//! what was last seen, with its time: each is looked at once a minute, and no more of them at a time than fit into a few
//! milliseconds.

use crate::commands::compare::compare;
use crate::commands::look::is_ours;
use crate::config;
use crate::kernel::figures::Collector;
use crate::metrics::{self, Looked, Namespace};
use crate::model::NetnsName;
use crate::system::record::{Progress, Record};
use crate::system::systemd::{self, Manager};
use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How old a look may be before another is taken.
const STALE: u64 = 60;
/// How much of the processor's time looks may take at a time.
const BUDGET: Duration = Duration::from_millis(15);

/// Whether every namespace is looked at, or as many as may be without burden.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Thoroughness {
    Full,
    Sparing,
}

/// What is kept between two times.
#[derive(Default)]
pub(super) struct Gather {
    collector: Collector,
    looks: BTreeMap<NetnsName, Looked>,
    manager: Option<Manager>,
}

impl Gather {
    /// The text about some namespaces; about all that are up or have files when none are named.
    pub fn text(&mut self, root: &Path, names: Option<&[NetnsName]>, often: Thoroughness) -> Result<String> {
        let names: Vec<NetnsName> = match names {
            Some(names) => names.to_vec(),
            None => Record::list().into_iter().chain(config::list(root)).collect::<BTreeSet<_>>().into_iter().collect(),
        };
        let records: Vec<Option<Record>> = names.iter().map(read).collect();
        let is_up = |record: &Option<Record>| record.as_ref().is_some_and(|r| r.progress == Progress::Complete);
        let up: Vec<(&NetnsName, &Record)> =
            names.iter().zip(&records).filter(|(_, r)| is_up(r)).filter_map(|(n, r)| Some((n, r.as_ref()?))).collect();
        self.look(root, &up, often);
        let visited: Vec<NetnsName> = up.iter().map(|(name, _)| (*name).clone()).collect();
        let mut figures = visited.iter().zip(self.collector.take(&visited)?).collect::<BTreeMap<_, _>>();
        let namespaces: Vec<Namespace> = names
            .iter()
            .zip(&records)
            .map(|(name, record)| Namespace {
                name: name.clone(),
                up: is_up(record),
                created: record.as_ref().and_then(|r| r.since),
                figures: figures
                    .remove(name)
                    .and_then(|figures| figures.inspect_err(|e| log::debug!("{name}: {e}, ignoring")).ok()),
                looked: self.looks.get(name).cloned(),
            })
            .collect();
        Ok(metrics::text(&namespaces, Collector::conntrack_limit()))
    }

    /// Looks at those that were not looked at for longest.
    fn look(&mut self, root: &Path, up: &[(&NetnsName, &Record)], often: Thoroughness) {
        let now = seconds();
        let due = |name: &NetnsName| self.looks.get(name).map_or(0, |look| look.at);
        let mut order: Vec<(u64, &NetnsName, &Record)> = up.iter().map(|(name, r)| (due(name), *name, *r)).collect();
        order.sort_by_key(|(at, ..)| *at);
        self.looks.retain(|name, _| up.iter().any(|(n, _)| *n == name));
        let start = spent();
        for (at, name, record) in order {
            let late = spent().saturating_sub(start) > BUDGET || now < at + STALE;
            if often == Thoroughness::Sparing && late {
                break;
            }
            match compare(root, name, record) {
                Ok(compared) => {
                    let restarts = self.restarts(name);
                    let (drift, mistakes) = (compared.drift.map(|ops| ops.len()), compared.mistakes.len());
                    self.looks.insert(name.clone(), Looked { at: now, drift, mistakes, restarts });
                }
                // It went meanwhile, or is being changed.
                Err(e) => log::debug!("{name}: {e:#}, ignoring"),
            }
        }
    }

    /// How often services that are bound to a namespace were restarted; nothing where systemd cannot be asked.
    fn restarts(&mut self, name: &NetnsName) -> Vec<(String, u64)> {
        if self.manager.is_none() && systemd::is_booted() {
            self.manager = Manager::connect().inspect_err(|e| log::debug!("{e:#}, ignoring")).ok();
        }
        let Some(manager) = &self.manager else { return Vec::new() };
        let ask = || -> Result<Vec<(String, u64)>> {
            let units = manager.bound_by(&format!("systemd-netns@{name}.service"))?;
            let services = units.into_iter().filter(|unit| unit.ends_with(".service"));
            services.map(|unit| manager.restarts(&unit).map(|n| (unit, u64::from(n)))).collect()
        };
        ask().unwrap_or_else(|e| {
            log::debug!("{e:#}, ignoring");
            // The next time by a new connection.
            self.manager = None;
            Vec::new()
        })
    }
}

/// The record of a namespace that is there.
fn read(name: &NetnsName) -> Option<Record> {
    Record::read(name).ok().flatten().filter(|record| is_ours(name, record))
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The processor's time that this program has used.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
}

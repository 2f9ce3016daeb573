//! What is counted inside of namespaces: of each link, of the address families, of sockets, conntrack and IPsec.
//!
//! Theory: all namespaces are visited on one thread, which enters each in turn (`setns(2)`). There a dump of the links with their
//! statistics (`rtnetlink(7)`) and one of the addresses are read, and the tables of `/proc/thread-self/net`. Nothing stays open
//! behind, as an open socket would keep a namespace alive that is to go. A few properties of links are in sysfs alone; they
//! hardly ever change and are dear, so they are remembered for a minute.
//!
//! Invariants: what cannot be read is absent, and never a wrong number. No table is larger than the namespace's own.
//!
//! Must not know: what figures are called where they are shown.

mod links;
mod sysfs;
mod tables;

pub use links::{AddressFigure, Flow, LinkFigures, PerLink};
pub use sysfs::Properties;
pub use tables::Tables;

use super::error::Error;
use super::netns::{self, Identity};
use super::session::Session;
use crate::model::NetnsName;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long properties that are in sysfs alone are remembered.
const LASTING: Duration = Duration::from_secs(60);

/// The figures of one namespace.
#[derive(Debug, Default)]
pub struct Figures {
    /// By link, in the order of their indexes.
    pub links: Vec<LinkFigures>,
    /// The addresses of links, also those that come and go by themselves.
    pub addresses: Vec<AddressFigure>,
    /// What `/proc` tells.
    pub tables: Tables,
}

/// Takes figures, and remembers what hardly changes.
#[derive(Debug, Default)]
pub struct Collector {
    remembered: HashMap<(Identity, u32), (Instant, Properties)>,
}

impl Collector {
    /// How many connections a namespace may track, the same in each; none where the kernel does not track any.
    pub fn conntrack_limit() -> Option<u64> {
        tables::conntrack_limit()
    }

    /// Visits namespaces and gives back their figures in the same order.
    ///
    /// # Errors
    /// When no thread can be started. A namespace that cannot be entered or read has an error of its own.
    pub fn take(&mut self, names: &[NetnsName]) -> Result<Vec<Result<Figures, Error>>, Error> {
        let now = Instant::now();
        self.remembered.retain(|_, (since, _)| now.duration_since(*since) < LASTING);
        let remembered = &mut self.remembered;
        let visited = netns::visit(names, |_, identity| figures(identity, now, remembered))?;
        Ok(visited.into_iter().map(|figures| figures.and_then(|figures| figures)).collect())
    }
}

/// Those of the namespace that the calling thread is in.
fn figures(
    identity: Identity,
    now: Instant,
    remembered: &mut HashMap<(Identity, u32), (Instant, Properties)>,
) -> Result<Figures, Error> {
    let mut session = Session::here()?;
    let mut links = links::read(&mut session)?;
    let addresses = links::addresses(&mut session, &links)?;
    if links.iter().any(|link| !remembered.contains_key(&(identity, link.index))) {
        // Without it, as in a container that may not mount, these properties are absent.
        match sysfs::read(&links) {
            Ok(all) => remembered.extend(all.into_iter().map(|(index, found)| ((identity, index), (now, found)))),
            Err(e) => log::debug!("{e}, ignoring"),
        }
    }
    for link in &mut links {
        link.properties = remembered.get(&(identity, link.index)).map(|(_, found)| found.clone()).unwrap_or_default();
    }
    Ok(Figures { links, addresses, tables: Tables::here() })
}

//! What there is to tell of tunnels that are not there: uplinks that are being tried, and who was refused lately.

use super::round_trip;
use crate::router::daemon::data::Member;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many refusals are remembered.
const REFUSED: usize = 16;
/// How long what is said of one may be, in bytes.
const LONGEST: usize = 200;

/// What there is to tell, as it changes.
#[derive(Debug, Default)]
pub struct Report(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    uplinks: BTreeMap<String, (Instant, Option<String>)>,
    refused: VecDeque<(Instant, SocketAddr, String)>,
    count: u64,
    /// The sockets of those that are in, by port, with their numbers.
    sockets: HashMap<u32, (u64, OwnedFd)>,
    registry: Option<(Instant, Option<String>, BTreeMap<String, FleetRouter>)>,
}

/// What there is to tell.
#[derive(Debug, Default, Serialize)]
pub struct Told {
    /// By name.
    pub uplinks: BTreeMap<String, Uplink>,
    /// How many were refused.
    pub refusals: u64,
    /// The last of them, the latest first.
    pub refused: Vec<Refused>,
    /// How long it takes to those that are in and back, by port.
    #[serde(skip)]
    pub round_trips: HashMap<u32, Duration>,
    /// The register of the fleet, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<Registry>,
}

/// How the register of the fleet is.
#[derive(Debug, Serialize)]
pub struct Registry {
    /// Whether it could be written and read the last time.
    pub reached: bool,
    /// For how many seconds it has been so.
    pub since: u64,
    /// Why it is not reached.
    pub why: Option<String>,
    /// The other routers, by name.
    pub routers: BTreeMap<String, FleetRouter>,
}

/// Another router of the fleet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FleetRouter {
    /// Where it is reached.
    pub at: String,
    /// How many hosts and addresses it holds.
    pub holds: usize,
}

/// How an uplink is.
#[derive(Debug, Serialize)]
pub struct Uplink {
    /// Whether it is connected.
    pub connected: bool,
    /// For how many seconds it has been so, or for how many since the last try it has not.
    pub since: u64,
    /// Why it is not connected.
    pub why: Option<String>,
}

/// Who was refused.
#[derive(Debug, Serialize)]
pub struct Refused {
    /// From where it came.
    pub at: SocketAddr,
    /// How many seconds ago.
    pub ago: u64,
    /// Why.
    pub why: String,
}

impl Report {
    /// An uplink is connected, or is not and why.
    pub fn uplink(&self, name: &str, why: Option<&str>) {
        self.change(|state| state.uplinks.insert(name.to_owned(), (Instant::now(), why.map(shortened))));
    }

    /// There is no such uplink any more.
    pub fn forget(&self, name: &str) {
        self.change(|state| state.uplinks.remove(name));
    }

    /// Somebody was refused.
    pub fn refused(&self, at: SocketAddr, why: &str) {
        self.change(|state| {
            state.count += 1;
            state.refused.truncate(REFUSED - 1);
            state.refused.push_front((Instant::now(), at, shortened(why)));
        });
    }

    /// Somebody is in, by a socket that is looked at until this is dropped.
    pub(super) fn connected(self: &Arc<Self>, member: Member, socket: Option<OwnedFd>) -> Connected {
        if let Some(socket) = socket {
            self.change(|state| state.sockets.insert(member.port.0, (member.number, socket)));
        }
        Connected { report: Arc::clone(self), member }
    }

    /// The register is reached, or is not and why.
    pub fn registry(&self, why: Option<&str>) {
        self.change(|state| {
            let before = state.registry.take();
            let is_same = before.as_ref().is_some_and(|(_, before, _)| before.is_none() == why.is_none());
            let (since, routers) = before.map_or_else(|| (Instant::now(), BTreeMap::new()), |(at, _, all)| (at, all));
            let since = if is_same { since } else { Instant::now() };
            state.registry = Some((since, why.map(shortened), routers));
        });
    }

    /// The other routers of the fleet.
    pub fn routers(&self, routers: BTreeMap<String, FleetRouter>) {
        self.change(|state| {
            if let Some((_, _, before)) = &mut state.registry {
                *before = routers;
            }
        });
    }

    /// There is no register any more.
    pub fn forget_registry(&self) {
        self.change(|state| state.registry = None);
    }

    /// All of it.
    pub fn told(&self) -> Told {
        self.change(|state| {
            let uplinks = state.uplinks.iter().map(|(name, (since, why))| {
                let uplink = Uplink { connected: why.is_none(), since: since.elapsed().as_secs(), why: why.clone() };
                (name.clone(), uplink)
            });
            let refused = state.refused.iter().map(|(when, at, why)| Refused {
                at: *at,
                ago: when.elapsed().as_secs(),
                why: why.clone(),
            });
            let registry = state.registry.as_ref().map(|(since, why, routers)| Registry {
                reached: why.is_none(),
                since: since.elapsed().as_secs(),
                why: why.clone(),
                routers: routers.clone(),
            });
            let sockets = state.sockets.iter();
            let round_trips =
                sockets.filter_map(|(port, (_, socket))| Some((*port, round_trip::of(socket)?))).collect();
            let (uplinks, refused) = (uplinks.collect(), refused.collect());
            Told { uplinks, refusals: state.count, refused, round_trips, registry }
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Somebody who is in.
pub(super) struct Connected {
    report: Arc<Report>,
    member: Member,
}

impl Drop for Connected {
    fn drop(&mut self) {
        let Member { port, number } = self.member;
        self.report.change(|state| {
            if state.sockets.get(&port.0).is_some_and(|(other, _)| *other == number) {
                state.sockets.remove(&port.0);
            }
        });
    }
}

fn shortened(why: &str) -> String {
    why.chars().take(LONGEST).collect()
}

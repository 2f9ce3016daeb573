//! What there is to tell of tunnels that are not there: uplinks that are being tried, and who was refused lately.

use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

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
            Told { uplinks: uplinks.collect(), refusals: state.count, refused: refused.collect() }
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn shortened(why: &str) -> String {
    why.chars().take(LONGEST).collect()
}

//! Figures of namespaces in the text format of Prometheus, version 0.0.4 (`exposition_formats.md` of its documentation).
//!
//! Theory: all samples of a family stand together, after its `HELP` and `TYPE`. The families `node_network_*` are those of
//! node_exporter's collectors netclass and netdev, with its words and units and one more label, `netns`: beside its own they
//! make one family. All others begin with `netns_`.
//!
//! Invariants: label values are escaped; a family without a sample is left out; counters end in `_total`, and units are base
//! units.
//!
//! Must not know: where the text goes, and how figures are taken.

mod links;
mod namespaces;
mod text;

pub use text::escaped;

use crate::kernel::figures::Figures;
use crate::model::NetnsName;
use text::Text;

/// A namespace and what is known of it.
#[derive(Debug)]
pub struct Namespace {
    /// Its name.
    pub name: NetnsName,
    /// Whether it is up.
    pub up: bool,
    /// When it was made, in seconds since 1970.
    pub created: Option<u64>,
    /// What is counted inside; none when it is not up or could not be looked at.
    pub figures: Option<Figures>,
    /// What is looked at less often.
    pub looked: Option<Looked>,
}

/// What is looked at less often, as it takes longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// When, in seconds since 1970.
    pub at: u64,
    /// How many operations a reload would amount to; none when the files have mistakes.
    pub drift: Option<usize>,
    /// How many mistakes the files have.
    pub mistakes: usize,
    /// How often systemd has restarted services that are bound to it, by unit.
    pub restarts: Vec<(String, u64)>,
}

/// All families of all namespaces, with how many connections each may track, where the kernel tracks any.
pub fn text(namespaces: &[Namespace], conntrack_limit: Option<u64>) -> String {
    let mut text = Text::default();
    namespaces::write(&mut text, namespaces, conntrack_limit);
    links::write(&mut text, namespaces);
    text.finish()
}

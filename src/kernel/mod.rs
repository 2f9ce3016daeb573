//! The kernel: the only place that speaks netlink and `setns(2)`, and writes `/proc/sys`.
//!
//! [`Kernel::observe`] is its eyes: dumps of namespaces become a [`State`](crate::model::State). [`Kernel::apply`] is
//! its hands: each [`Op`](crate::plan::Op) becomes the request that the `ip` command printed for it would send.
//! [`netns`] makes and enters namespaces.
//!
//! In reading order: [`netns`] (what a namespace is), `session` (a conversation inside one), `batch` (many requests
//! at once), `attribute`, `options` (words of ip-link(8) as attributes), `request` (operations as messages), [`observe`](Observed) (messages
//! as the model), `apply` and `links`, `wait`; what goes other ways than rtnetlink's: `sysctl`, `tun`, `wireguard`,
//! and what is only looked at: [`proc`], [`xfrm`].
//!
//! Invariants: no thread but those made for it ever changes its namespace. Nothing here waits without a limit. What the
//! kernel says never makes this panic: it is read by checked views. Nothing is decided here: what shall be done comes
//! as operations, which leave nothing to decide.
//!
//! Must not know: files of users, units, what is desired and why. It names `model` and `plan` only.

mod apply;
mod attribute;
mod batch;
mod delete;
mod error;
mod links;
pub mod mounts;
pub mod netns;
mod observe;
mod options;
pub mod proc;
mod request;
mod session;
mod sysctl;
pub mod tun;
mod view;
mod wait;
mod wireguard;
pub mod xfrm;

pub use error::{Error, Failure};
pub use netns::Namespace;
pub use observe::{Observed, Wanted};

use crate::model::{LinkName, Netns};
use session::Session;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// Conversations with the kernel about namespaces, each opened when it is first needed.
///
/// Between two calls everything may change: commands of the user's run, and other programs do what they do. So each
/// call begins by forgetting indexes, and namespaces whose names stand for others now.
#[derive(Debug, Default)]
pub struct Kernel {
    opened: BTreeMap<Netns, Opened>,
}

/// A namespace that is spoken with.
#[derive(Debug)]
struct Opened {
    namespace: Namespace,
    session: Session,
    wireguard: Option<wireguard::Conversation>,
    /// Indexes of links that were looked up, until any link changes.
    indexes: HashMap<LinkName, u32>,
}

impl Kernel {
    /// No conversation yet. The host is whatever namespace the calling thread is in when it is first spoken of.
    pub fn new() -> Self {
        Self::default()
    }

    /// A namespace, held open.
    pub fn namespace(&mut self, netns: &Netns) -> Result<&Namespace, Error> {
        Ok(&self.opened(netns)?.namespace)
    }

    fn opened(&mut self, netns: &Netns) -> Result<&mut Opened, Error> {
        match self.opened.entry(netns.clone()) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let namespace = Namespace::open(netns)?;
                let session = Session::open(&namespace)?;
                Ok(entry.insert(Opened { namespace, session, wireguard: None, indexes: HashMap::new() }))
            }
        }
    }

    /// Forgets what may not be so any more.
    fn refresh(&mut self) {
        self.opened.retain(|netns, opened| {
            opened.indexes.clear();
            let Netns::Named(name) = netns else { return true };
            Namespace::named(name).is_ok_and(|now| now.identity() == opened.namespace.identity())
        });
    }
}

impl Opened {
    /// The conversation about WireGuard.
    fn wireguard(&mut self) -> Result<&mut wireguard::Conversation, Error> {
        if self.wireguard.is_none() {
            self.wireguard = Some(wireguard::Conversation::open(&self.namespace)?);
        }
        self.wireguard.as_mut().ok_or_else(|| Error::NoKind("wireguard".into()))
    }

    /// The index of a link.
    fn index(&mut self, name: LinkName) -> Result<u32, Error> {
        if let Some(index) = self.indexes.get(&name) {
            return Ok(*index);
        }
        let seen = wait::look_up(&mut self.session, name)?.ok_or(Error::NoLink(name))?;
        self.indexes.insert(name, seen.index);
        Ok(seen.index)
    }
}

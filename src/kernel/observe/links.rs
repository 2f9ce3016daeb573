//! Reading the table of links, and single ones.
//!
//! Each datagram of a table is read under the lock that all changes of links wait for (`rtnl_lock()`), and the table of two hundred
//! links is ten of them. Links that are asked for by their names take it once, and less of it.
//!
//! Theory: the kernel says of a table whether it changed while it was read (`NLM_F_DUMP_INTR`). The host's changes all the
//! time where many namespaces start at once. It is not read again as long as the links that are spoken of are certain: they
//! are asked about one by one, and of the others only their names matter, for what a link stands on and belongs to.

use super::super::error::Error;
use super::super::request::{self, Request};
use super::super::session::Session;
use super::super::{Kernel, batch, wait};
use super::link::{self, Seen};
use crate::model::{LinkName, Netns};
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// How many links may stand on one another that are asked about one by one: a VLAN in a VLAN on a pair is four.
const STOREYS: usize = 8;
/// How often a table is read that leaves the links in doubt that are spoken of, before nothing but a steady one will do.
const ATTEMPTS: usize = 3;

impl Kernel {
    /// The link of a namespace that has a name, or has it for an alternative one.
    ///
    /// # Errors
    /// Those of asking. A namespace that does not exist has no links.
    pub fn link_called(&mut self, netns: &Netns, name: &str) -> Result<Option<LinkName>, Error> {
        if name.is_empty() || name.len() > request::link::ALTNAME_MAX {
            return Ok(None);
        }
        let session = match self.opened(netns) {
            Err(Error::NoNetns(_)) => return Ok(None),
            other => &mut other?.session,
        };
        match session.ask(&request::link::get_by_altname(name), link::read) {
            Err(Error::Refused { errno: Errno::ENODEV, .. }) => Ok(None),
            answer => Ok(answer?.flatten().map(|seen| seen.name)),
        }
    }
}

/// The links of a session's namespace; all of them for certain, or those that are `spoken_of`, if any are.
pub(super) fn read(session: &mut Session, spoken_of: Option<&BTreeSet<LinkName>>) -> Result<Vec<Seen>, Error> {
    let dump = request::link::dump();
    let Some(names) = spoken_of.filter(|names| !names.is_empty()) else {
        return session.dump(&dump, link::read);
    };
    for _ in 0..ATTEMPTS {
        let (mut all, steady) = session.dump_hastily(&dump, link::read)?;
        if steady {
            return Ok(all);
        }
        all.retain(|seen| !names.contains(&seen.name));
        for name in names {
            if let Some(seen) = wait::look_up(session, *name)? {
                all.retain(|other| other.index != seen.index && other.name != seen.name);
                all.push(seen);
            }
        }
        if is_certain(&all, names) {
            all.sort_unstable_by_key(|seen| seen.index);
            return Ok(all);
        }
    }
    session.dump(&dump, link::read)
}

/// The links of those names, and what they stand on; none where that does not tell enough: of a link that has a master or ports, or
/// of a kind that may speak of others in ways of its own.
pub(super) fn called(session: &mut Session, names: &BTreeSet<LinkName>) -> Result<Option<Vec<Seen>>, Error> {
    let mut all: BTreeMap<u32, Seen> = BTreeMap::new();
    let mut questions: Vec<Request> = names.iter().map(|name| request::link::get(*name)).collect();
    for _ in 0..STOREYS {
        for seen in batch::ask_all(session, &questions, link::read)? {
            let is_steady = all.get(&seen.index).is_none_or(|before| before.name == seen.name);
            if !is_steady || !seen.is_plain() {
                return Ok(None);
            }
            all.insert(seen.index, seen);
        }
        let unknown = all.values().flat_map(Seen::refers_to).filter(|index| !all.contains_key(index));
        let unknown: BTreeSet<u32> = unknown.collect();
        if unknown.is_empty() {
            return Ok(Some(all.into_values().collect()));
        }
        questions = unknown.into_iter().map(request::link::get_by_index).collect();
    }
    Ok(None)
}

/// Whether nothing that was missed, or read twice, can matter to the links of those names.
fn is_certain(all: &[Seen], names: &BTreeSet<LinkName>) -> bool {
    let indexes: HashSet<u32> = all.iter().map(|seen| seen.index).collect();
    let spoken_of = all.iter().filter(|seen| names.contains(&seen.name));
    let known = spoken_of.clone().flat_map(Seen::refers_to).all(|index| indexes.contains(&index));
    indexes.len() == all.len() && known && spoken_of.clone().all(|seen| !seen.has_ports())
}

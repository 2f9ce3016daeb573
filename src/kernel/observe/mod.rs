//! [`Kernel::observe`]: what namespaces hold, as a [`State`].
//!
//! Theory: for each namespace a dump of the links, the addresses, the routes of both families and the rules; each row is
//! read by a checked view straight into the model, because a host may have very many routes. Of the host, which may have very many
//! links too, only those may be asked for that are named; all of them where that turns out not to be enough, which shows in what
//! was read: a link that is a port or has ports, something inside or a route that refers to a link that was not named.
//!
//! What the kernel makes by itself is left out (see the modules of each table), as a [`State`] has only what somebody decided. At
//! last the places of links that links stand on are worked out across the namespaces that were looked at, by the numbers that
//! namespaces have for each other (`RTM_GETNSID`).
//!
//! Must not know: what is desired, what will be done about it.

pub(super) mod address;
pub(super) mod link;
mod links;
mod route;
mod rule;
mod stamp;

use super::error::Error;
use super::request;
use super::sysctl;
use super::{Kernel, Opened};
use crate::model::{LinkName, Netns, NetnsState, Place, State, Sysctl};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::os::fd::AsFd;

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Wanted {
    /// The namespaces.
    pub netns: BTreeSet<Netns>,
    /// Settings whose values are wanted. Those of a link that does not exist have none.
    pub sysctls: BTreeMap<Netns, BTreeSet<Sysctl>>,
    /// The links of the host that are spoken of. Only their routes are looked at, as a host may have a million; of other links
    /// something may be missed while they change. `None`: all of them.
    pub host_links: Option<BTreeSet<LinkName>>,
    /// The links of the host that are looked at besides those. Where they, what they stand on and what they are tied to are all
    /// that matters, no other link is seen: a host may have thousands. `None`: all of them.
    #[serde(default)]
    pub host_names: Option<BTreeSet<LinkName>>,
}

impl Wanted {
    /// How many links are asked about by name. From about here on, one look at a whole table costs less.
    const FEW: usize = 32;

    /// What links of the host are to be asked about by name; none where a look at all of them is wanted.
    fn names(&self) -> Option<BTreeSet<LinkName>> {
        let names = self.host_links.as_ref()? | self.host_names.as_ref()?;
        Some(names).filter(|names| names.len() <= Self::FEW)
    }
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// What the namespaces hold. One that does not exist is not in it.
    pub state: State,
    /// The indexes of all links.
    pub indexes: BTreeMap<Place, u32>,
    /// How many routes and rules there are that the model has no words for. They are in nobody's plan.
    pub unmodelled: usize,
}

/// One namespace, when its own tables are read.
struct Look {
    seen: Vec<link::Seen>,
    names: HashMap<u32, LinkName>,
    state: NetnsState,
    unmodelled: usize,
    /// Whether routes go by links that were not seen, too.
    strange_hops: bool,
}

impl Kernel {
    /// Looks at namespaces.
    pub fn observe(&mut self, wanted: &Wanted) -> Result<Observed, Error> {
        self.refresh();
        if let Some(names) = wanted.names()
            && let (observed, true) = self.look(wanted, Some(&names))?
        {
            return Ok(observed);
        }
        Ok(self.look(wanted, None)?.0)
    }

    /// Looks at the host's links of these names, or at all, and says whether that was enough.
    fn look(&mut self, wanted: &Wanted, names: Option<&BTreeSet<LinkName>>) -> Result<(Observed, bool), Error> {
        let mut looks = BTreeMap::new();
        for netns in &wanted.netns {
            let opened = match self.opened(netns) {
                Err(Error::NoNetns(_)) => continue,
                other => other?,
            };
            let is_host = *netns == Netns::Host;
            let spoken_of = wanted.host_links.as_ref().filter(|_| is_host);
            let seen = match names.filter(|_| is_host) {
                Some(names) => links::called(&mut opened.session, names)?,
                None => Some(links::read(&mut opened.session, spoken_of)?),
            };
            let Some(seen) = seen else { return Ok((Observed::default(), false)) };
            let mut look = Look::at(opened, seen, spoken_of)?;
            if let Some(keys) = wanted.sysctls.get(netns) {
                look.state.sysctls = sysctl::read(&opened.namespace, keys)?;
            }
            looks.insert(netns.clone(), look);
        }
        self.join(looks)
    }

    /// Puts the namespaces together: kinds with the places that links are tied to. Says whether all of these are known that are in
    /// a namespace that was looked at.
    fn join(&mut self, mut looks: BTreeMap<Netns, Look>) -> Result<(Observed, bool), Error> {
        let names: BTreeMap<Netns, HashMap<u32, LinkName>> =
            looks.iter_mut().map(|(netns, look)| (netns.clone(), std::mem::take(&mut look.names))).collect();
        let mut observed = Observed::default();
        let known = Cell::new(true);
        for (netns, mut look) in looks {
            let reaches_out = look.seen.iter().any(link::Seen::reaches_out);
            let numbers = if reaches_out { self.numbers(&netns, names.keys())? } else { HashMap::new() };
            for seen in look.seen {
                let kind = seen.kind(|nsid, index| {
                    let at = nsid.map_or(Some(&netns), |nsid| numbers.get(&nsid))?;
                    let name = names.get(at)?.get(&index);
                    known.set(known.get() && (name.is_some() || index == 0));
                    Some(Place::new(at.clone(), *name?))
                });
                observed.indexes.insert(Place::new(netns.clone(), seen.name), seen.index);
                if let Some(link) = look.state.links.get_mut(&seen.name) {
                    link.kind = Some(kind);
                }
            }
            known.set(known.get() && !look.strange_hops);
            observed.unmodelled += look.unmodelled;
            observed.state.netns.insert(netns, look.state);
        }
        Ok((observed, known.get()))
    }

    /// The numbers that `netns` has for others.
    fn numbers<'a>(
        &mut self,
        netns: &Netns,
        others: impl Iterator<Item = &'a Netns>,
    ) -> Result<HashMap<i32, Netns>, Error> {
        let mut numbers = HashMap::new();
        for other in others.filter(|other| *other != netns) {
            let other_file = self.opened(other)?.namespace.as_fd().try_clone_to_owned();
            let other_file = other_file.map_err(|e| Error::io("duplicate a namespace", &e))?;
            let question = request::link::get_nsid(other_file.as_fd());
            let answer = self.opened(netns)?.session.ask(&question, link::read_nsid)?;
            if let Some(number) = answer.flatten() {
                numbers.insert(number, other.clone());
            }
        }
        Ok(numbers)
    }
}

impl Look {
    /// Reads what belongs to the links that were `seen`; only routes of those that are `spoken_of`, if any are named.
    fn at(opened: &mut Opened, seen: Vec<link::Seen>, spoken_of: Option<&BTreeSet<LinkName>>) -> Result<Self, Error> {
        let names: HashMap<u32, LinkName> = seen.iter().map(|seen| (seen.index, seen.name)).collect();
        let mut look = Look { seen, names, state: NetnsState::default(), unmodelled: 0, strange_hops: false };
        for seen in &look.seen {
            let mut link = seen.link.clone();
            link.master = seen.master(&look.names);
            look.state.links.insert(seen.name, link);
        }
        look.vlans(opened)?;
        look.wireguard(opened)?;
        look.addresses(opened)?;
        look.routes(opened, spoken_of)?;
        look.rules(opened)?;
        Ok(look)
    }

    /// Membership in VLANs of bridges and their ports.
    fn vlans(&mut self, opened: &mut Opened) -> Result<(), Error> {
        if !self.seen.iter().any(link::Seen::may_have_vlans) {
            return Ok(());
        }
        let dump = opened.session.dump(&request::bridge::dump(), link::read_vlans);
        let rows: HashMap<u32, _> = absent_family(dump)?.into_iter().collect();
        for seen in self.seen.iter().filter(|seen| seen.may_have_vlans()) {
            if let Some(link) = self.state.links.get_mut(&seen.name) {
                link.vlans = Some(rows.get(&seen.index).cloned().unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Keys and peers. One that is gone meanwhile has none.
    fn wireguard(&mut self, opened: &mut Opened) -> Result<(), Error> {
        for seen in self.seen.iter().filter(|seen| seen.is_wireguard()) {
            let found = match opened.wireguard()?.get(seen.name) {
                Err(error) if error.is_absent() => continue,
                other => other?,
            };
            if let Some(link) = self.state.links.get_mut(&seen.name) {
                link.wireguard = Some(Box::new(found));
            }
        }
        Ok(())
    }

    fn addresses(&mut self, opened: &mut Opened) -> Result<(), Error> {
        let (names, links) = (&self.names, &self.state.links);
        // Both families at once would be asked for under the lock that everybody who changes something waits for.
        for (number, family) in route::FAMILIES {
            let dump = opened.session.dump(&request::address::dump(family), |payload| {
                let seen = address::read(payload).filter(|seen| seen.is_of(number))?;
                let name = *names.get(&seen.index)?;
                let mac = links.get(&name).and_then(|link| link.mac.as_ref());
                Some((name, seen.model(name.as_str(), mac)?))
            });
            for (name, address) in absent_family(dump)? {
                self.state.addresses.entry(name).or_default().push(address);
            }
        }
        Ok(())
    }

    fn routes(&mut self, opened: &mut Opened, spoken_of: Option<&BTreeSet<LinkName>>) -> Result<(), Error> {
        let filters: Vec<Option<u32>> = match spoken_of {
            None => vec![None],
            Some(links) => {
                let index = |link: &LinkName| self.seen.iter().find(|seen| seen.name == *link).map(|seen| seen.index);
                links.iter().filter_map(index).map(Some).collect()
            }
        };
        for filter in filters {
            for (number, family) in route::FAMILIES {
                let (names, request) = (&self.names, request::route::dump(family, filter));
                let dump = opened.session.dump(&request, |payload| route::read(payload, number, names, filter));
                for row in absent_family(dump)? {
                    match row {
                        route::Seen::Route(route) => self.state.routes.push(route),
                        route::Seen::Routes(routes) => self.state.routes.extend(routes),
                        route::Seen::Unmodelled => self.unmodelled += 1,
                        route::Seen::Strange => {
                            self.unmodelled += 1;
                            self.strange_hops = true;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn rules(&mut self, opened: &mut Opened) -> Result<(), Error> {
        for (number, family) in route::FAMILIES {
            let dump = opened.session.dump(&request::rule::dump(family), |payload| rule::read(payload, number));
            for row in absent_family(dump)? {
                match row {
                    rule::Seen::Rule(rule) => self.state.rules.push(rule),
                    rule::Seen::Unmodelled => self.unmodelled += 1,
                }
            }
        }
        Ok(())
    }
}

/// A kernel without IPv6 or without policy rules has no such table.
fn absent_family<T>(dump: Result<Vec<T>, Error>) -> Result<Vec<T>, Error> {
    match dump {
        Err(Error::Refused { errno: Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT, .. }) => Ok(Vec::new()),
        other => other,
    }
}

//! [`Kernel::apply`]: operations become requests.
//!
//! Theory: neighbouring operations that only touch tables (addresses, routes, rules) of one namespace go to the kernel
//! together, and so do neighbouring settings; they are what there may be thousands of, and neighbouring deletions of links.
//! Everything else about links goes one by one, as each may change what the next one means.
//!
//! The kernel goes on in a batch after a request that fails. So when a table operation fails, some of those after it in
//! the same run may have been carried out. Their tables are the same that the failed one is about, and who undoes the
//! plan undoes them with it.
//!
//! Must not know: why; what the user's commands do (what [`Op::is_beside_the_kernel`] is refused here).

use super::batch::Batch;
use super::error::{Error, Failure};
use super::request::{self, Request};
use super::sysctl::Setting;
use super::{Kernel, Opened, netns, sysctl, wait};
use crate::model::{Address, LinkName, Netns, NetnsName, Place, Route};
use crate::plan::Op;
use std::borrow::Borrow;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// How long a link that a command makes is waited for.
const LINK_LIMIT: Duration = Duration::from_secs(10);

impl Kernel {
    /// Carries operations out in order, up to the first that fails. Of table operations that directly follow a failed
    /// one some may have been carried out, too.
    pub fn apply<O: Borrow<Op>>(&mut self, ops: &[O]) -> Result<(), Failure> {
        self.run(ops, false).into_iter().next().map_or(Ok(()), Err)
    }

    /// Carries out what can be carried out, and says what could not.
    pub fn apply_all<O: Borrow<Op>>(&mut self, ops: &[O]) -> Vec<Failure> {
        self.run(ops, true)
    }

    /// Gives a link an address for a time, or one that it has another time.
    pub fn lease(&mut self, place: &Place, address: &Address, valid: u32) -> Result<(), Error> {
        let opened = self.opened(&place.netns)?;
        let index = opened.index(place.link)?;
        opened.session.request(&request::address::lease(index, address, valid))
    }

    fn run<O: Borrow<Op>>(&mut self, ops: &[O], go_on: bool) -> Vec<Failure> {
        self.refresh();
        let (mut failures, mut start) = (Vec::new(), 0);
        while let Some(first) = ops.get(start).map(Borrow::borrow) {
            let alike = |op: &&O| same_run(first, (*op).borrow());
            let run: Vec<(usize, &Op)> =
                ops[start..].iter().take_while(alike).map(Borrow::borrow).enumerate().collect();
            let length = run.len().max(1);
            let mut failed = match first {
                op if is_table(op) => self.tables(&run, go_on),
                Op::SetSysctl { netns, .. } => self.settings(netns, &run, go_on),
                Op::DeleteLink(place) => self.delete_links(&place.netns, &run, go_on),
                op => self.one(op).err().map(|error| Failure { index: 0, error }).into_iter().collect(),
            };
            failed.iter_mut().for_each(|failure| failure.index += start);
            failures.append(&mut failed);
            if !failures.is_empty() && !go_on {
                break;
            }
            start += length;
        }
        failures
    }

    /// Addresses, routes and rules of one namespace.
    fn tables(&mut self, run: &[(usize, &Op)], go_on: bool) -> Vec<Failure> {
        let Some(netns) = run.first().and_then(|(_, op)| op.netns()) else { return Vec::new() };
        let opened = match self.opened(netns) {
            Ok(opened) => opened,
            Err(error) => {
                return run.iter().map(|(index, _)| Failure { index: *index, error: error.clone() }).collect();
            }
        };
        let (mut resolved, mut unresolved) = (Vec::with_capacity(run.len()), Vec::new());
        for (index, op) in run {
            match table_link(op).map(|link| opened.index(link)).transpose() {
                Ok(link) => resolved.push((*index, *op, link)),
                Err(error) => {
                    unresolved.push(Failure { index: *index, error });
                    if !go_on {
                        break;
                    }
                }
            }
        }
        let mut batch = Batch::new(&mut opened.session);
        for (index, op, link) in resolved {
            match table_request(op, link) {
                Some(request) => batch.push(index, &request),
                None => batch.fail(index, Error::Unspeakable("it is no operation on a table")),
            }
            if batch.has_failed() && !go_on {
                break;
            }
        }
        let mut failures = batch.finish();
        failures.append(&mut unresolved);
        failures.sort_by_key(|failure| failure.index);
        failures
    }

    fn settings(&mut self, netns: &Netns, run: &[(usize, &Op)], go_on: bool) -> Vec<Failure> {
        let settings = run.iter().filter_map(|(index, op)| match op {
            Op::SetSysctl { key, value, optional, .. } => {
                Some(Setting { index: *index, key, value, optional: *optional })
            }
            _ => None,
        });
        let settings: Vec<_> = settings.collect();
        match self.namespace(netns) {
            Ok(namespace) => sysctl::write(namespace, &settings, go_on),
            Err(error) => run.iter().map(|(index, _)| Failure { index: *index, error: error.clone() }).collect(),
        }
    }

    /// Any other operation.
    fn one(&mut self, op: &Op) -> Result<(), Error> {
        match op {
            Op::AddNetns(name) => netns::create(name).map(drop),
            Op::DeleteNetns(name) => self.delete_netns(name),
            Op::AddLink { place, kind } => self.add_link(place, kind),
            Op::EnsureLink { place, own } => self.ensure_link(place, own),
            Op::MoveLink { from, to } => self.move_link(from, to),
            Op::SetLink { place, set } => self.set_link(place, set),
            Op::AwaitLink(place) => {
                let Opened { namespace, session, .. } = self.opened(&place.netns)?;
                wait::for_link(namespace, session, place.link, LINK_LIMIT)
            }
            Op::AwaitDad { place, limit } => {
                let Opened { namespace, session, .. } = self.opened(&place.netns)?;
                wait::for_dad(namespace, session, place.link, *limit)
            }
            Op::AwaitForwarding { place, limit } => {
                let Opened { namespace, session, .. } = self.opened(&place.netns)?;
                wait::for_forwarding(namespace, session, place.link, *limit)
            }
            Op::AwaitLinkLocal { place, limit } => {
                let Opened { namespace, session, .. } = self.opened(&place.netns)?;
                wait::for_link_local(namespace, session, place.link, *limit)
            }
            op if op.is_beside_the_kernel() => Err(Error::Unspeakable("it is nothing that the kernel does")),
            _ => Err(Error::Unspeakable("it belongs to a run of operations")),
        }
    }

    /// A conversation holds its namespace open, and would keep it alive.
    fn delete_netns(&mut self, name: &NetnsName) -> Result<(), Error> {
        self.opened.remove(&Netns::Named(name.clone()));
        netns::delete(name)
    }

    /// A namespace's file, to be named in a request to another one.
    pub(super) fn file(&mut self, netns: &Netns) -> Result<OwnedFd, Error> {
        let namespace = self.namespace(netns)?;
        namespace.as_fd().try_clone_to_owned().map_err(|e| Error::io("duplicate a namespace", &e))
    }
}

/// Whether `next` may go together with `first`.
fn same_run(first: &Op, next: &Op) -> bool {
    let alike = match first {
        Op::SetSysctl { .. } => matches!(next, Op::SetSysctl { .. }),
        Op::DeleteLink(_) => matches!(next, Op::DeleteLink(_)),
        _ => is_table(first) && is_table(next),
    };
    alike && first.netns() == next.netns()
}

fn is_table(op: &Op) -> bool {
    matches!(
        op,
        Op::AddAddress { .. }
            | Op::ChangeAddress { .. }
            | Op::DeleteAddress { .. }
            | Op::AddRoute { .. }
            | Op::ReplaceRoute { .. }
            | Op::DeleteRoute { .. }
            | Op::AddRule { .. }
            | Op::DeleteRule { .. }
    )
}

/// The link whose index a table operation needs.
fn table_link(op: &Op) -> Option<LinkName> {
    match op {
        Op::AddAddress { place, .. } | Op::ChangeAddress { place, .. } | Op::DeleteAddress { place, .. } => {
            Some(place.link)
        }
        Op::AddRoute { route: Route { link, .. }, .. }
        | Op::ReplaceRoute { route: Route { link, .. }, .. }
        | Op::DeleteRoute { route: Route { link, .. }, .. } => *link,
        _ => None,
    }
}

fn table_request(op: &Op, link: Option<u32>) -> Option<Request> {
    Some(match op {
        Op::AddAddress { address, .. } => request::address::add(link?, address),
        Op::ChangeAddress { address, .. } => request::address::change(link?, address),
        Op::DeleteAddress { address, .. } => request::address::delete(link?, address),
        Op::AddRoute { route, .. } => request::route::add(route, link),
        Op::ReplaceRoute { route, .. } => request::route::replace(route, link),
        Op::DeleteRoute { route, .. } => request::route::delete(route, link),
        Op::AddRule { rule, .. } => request::rule::add(rule),
        Op::DeleteRule { rule, .. } => request::rule::delete(rule),
        _ => return None,
    })
}

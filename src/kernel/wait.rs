//! Waiting for the kernel: for a link to appear, for duplicate address detection to end, for a bridge's ports to forward.
//!
//! Theory: subscribe first, then look, then sleep until something is said, look again. What is said is not even read:
//! that something changed is enough, and looking again costs less than getting the order of events right. Nothing that
//! happens between looking and sleeping is lost, as it waits in the queue. Groups: `rtnetlink(7)`.
//!
//! Must not know: plans, who waits.

use super::Kernel;
use super::error::Error;
use super::netns::Namespace;
use super::observe::{address, link};
use super::request;
use super::session::Session;
use super::view::INET6;
use crate::model::{LinkName, Netns};
use netlink_packet_route::AddressFamily;
use nix::errno::Errno;
use nix::net::if_::if_indextoname;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

const RTNLGRP_LINK: u32 = 1;
const RTNLGRP_IPV6_IFADDR: u32 = 9;
const BR_STATE_LISTENING: u8 = 1;
const BR_STATE_LEARNING: u8 = 2;

impl Kernel {
    /// Waits until the host has no link of these indexes any more, and gives back those that it has nevertheless.
    pub fn await_absence(&mut self, indexes: &[u32], limit: Duration) -> Vec<u32> {
        let what = || "links that go with their namespace are still there".to_owned();
        // Not by netlink: the lock that it takes is what those who are waited for need. Of a link that is gone nix says an empty name.
        let is_there = |index: &u32| if_indextoname(*index).is_ok_and(|name| !name.is_empty());
        let gone = || Ok(!indexes.iter().any(is_there));
        let hear = |host: &Namespace| Session::open_for(host, &[RTNLGRP_LINK]);
        let waited = self.namespace(&Netns::Host).and_then(hear).and_then(|mut h| until(&mut h, limit, what, gone));
        waited.unwrap_or_else(|error| log::debug!("{error}"));
        indexes.iter().copied().filter(is_there).collect()
    }
}

/// Waits until there is a link of that name.
pub(super) fn for_link(
    namespace: &Namespace,
    asking: &mut Session,
    name: LinkName,
    limit: Duration,
) -> Result<(), Error> {
    let mut hearing = Session::open_for(namespace, &[RTNLGRP_LINK])?;
    let what = || format!("no link {name} appeared");
    until(&mut hearing, limit, what, || Ok(look_up(asking, name)?.is_some()))
}

/// Waits until no IPv6 address of the link is tentative, or the link has no carrier to ask others over.
pub(super) fn for_dad(
    namespace: &Namespace,
    asking: &mut Session,
    name: LinkName,
    limit: Duration,
) -> Result<(), Error> {
    let mut hearing = Session::open_for(namespace, &[RTNLGRP_LINK, RTNLGRP_IPV6_IFADDR])?;
    let what = || format!("duplicate address detection on {name} was not done");
    until(&mut hearing, limit, what, || {
        let seen = look_up(asking, name)?.ok_or(Error::NoLink(name))?;
        let rows = asking.dump(&request::address::dump(AddressFamily::Inet6), |payload| {
            let address = address::read(payload).filter(|a| a.index == seen.index && a.is_of(INET6))?;
            Some((address.address(), address.is_tentative(), address.is_duplicate()))
        })?;
        if let Some((address, ..)) = rows.iter().find(|(.., duplicate)| *duplicate) {
            return Err(Error::Duplicate { address: *address, link: name });
        }
        let tentative = rows.iter().any(|(_, tentative, _)| *tentative);
        if tentative && !seen.carrier {
            log::info!("{name} has no carrier, not waiting for duplicate address detection");
        }
        Ok(!tentative || !seen.carrier)
    })
}

/// Waits until no port of a bridge listens or learns (`BR_STATE_*`, `linux/if_bridge.h`); when that takes too long, goes on.
pub(super) fn for_forwarding(
    namespace: &Namespace,
    asking: &mut Session,
    bridge: LinkName,
    limit: Duration,
) -> Result<(), Error> {
    let mut hearing = Session::open_for(namespace, &[RTNLGRP_LINK])?;
    let what = || format!("the ports of {bridge} did not all forward");
    let waited = until(&mut hearing, limit, what, || {
        let index = look_up(asking, bridge)?.ok_or(Error::NoLink(bridge))?.index;
        let ports = asking.dump(&request::link::dump(), |payload| link::read(payload)?.bridge_port_state(index))?;
        Ok(!ports.iter().any(|state| [BR_STATE_LISTENING, BR_STATE_LEARNING].contains(state)))
    });
    match waited {
        Err(late @ Error::Timeout { .. }) => {
            log::info!("{late}, ignoring: traffic begins later");
            Ok(())
        }
        other => other,
    }
}

/// Waits until the link has an IPv6 link-local address that may be used.
pub(super) fn for_link_local(
    namespace: &Namespace,
    asking: &mut Session,
    name: LinkName,
    limit: Duration,
) -> Result<(), Error> {
    let mut hearing = Session::open_for(namespace, &[RTNLGRP_LINK, RTNLGRP_IPV6_IFADDR])?;
    let what = || format!("{name} had no IPv6 link-local address (is there a carrier?)");
    until(&mut hearing, limit, what, || {
        let seen = look_up(asking, name)?.ok_or(Error::NoLink(name))?;
        let rows = asking.dump(&request::address::dump(AddressFamily::Inet6), |payload| {
            let address = address::read(payload).filter(|a| a.index == seen.index && a.is_of(INET6))?;
            let link_local = matches!(address.address(), IpAddr::V6(ip) if ip.is_unicast_link_local());
            Some(link_local && !address.is_tentative() && !address.is_duplicate())
        })?;
        Ok(rows.contains(&true))
    })
}

/// The link of that name, if there is one.
pub(super) fn look_up(asking: &mut Session, name: LinkName) -> Result<Option<link::Seen>, Error> {
    match asking.ask(&request::link::get(name), link::read) {
        Err(Error::Refused { errno: Errno::ENODEV, .. }) => Ok(None),
        answer => answer.map(Option::flatten),
    }
}

fn until(
    hearing: &mut Session,
    limit: Duration,
    what: impl Fn() -> String,
    mut look: impl FnMut() -> Result<bool, Error>,
) -> Result<(), Error> {
    let start = Instant::now();
    while !look()? {
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(Error::Timeout { what: what(), limit });
        }
        // Rounded up, so as not to spin through the last millisecond.
        let timeout = PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(hearing.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(_) | Err(Errno::EINTR) => hearing.drain()?,
            Err(e) => return Err(Error::system("wait for the kernel", e)),
        }
    }
    Ok(())
}

//! IPsec's links as `status` shows them: states of both directions, traffic, errors.

use crate::kernel::proc::{self, Traffic};
use crate::kernel::{Namespace, xfrm};
use crate::model::{LinkName, LinkValue, Netns, NetnsName, Owned, Place, State, VirtualKind};
use crate::system::record::Record;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;

/// One link.
#[derive(Debug, Serialize)]
pub(super) struct Tunnel {
    name: LinkName,
    netns: Netns,
    if_id: u32,
    up: bool,
    /// IPsec's states that carry its ID, in and out together: two for each established connection.
    states: usize,
    rx_packets: u64,
    rx_bytes: u64,
    rx_errors: u64,
    tx_packets: u64,
    tx_bytes: u64,
    tx_errors: u64,
}

/// The links that `owned` has, wherever they are. What cannot be looked at counts nothing.
pub(super) fn tunnels(owned: &Owned, current: &State) -> Vec<Tunnel> {
    let home = Netns::Named(owned.desired.netns.clone());
    let wanted = owned.desired.links.iter().filter_map(|link| {
        let own = link.link.kind.as_ref()?.as_virtual().filter(|v| v.kind == VirtualKind::Xfrm)?;
        match own.options.get("if_id") {
            Some(LinkValue::Number(id)) => Some((&link.place, u32::try_from(*id).ok()?)),
            _ => None,
        }
    });
    let wanted: Vec<(&Place, u32)> = wanted.collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let states = look_into(&home, xfrm::states);
    let mut traffic: BTreeMap<&Netns, BTreeMap<LinkName, Traffic>> = BTreeMap::new();
    let one = |(place, if_id): (&Place, u32)| Tunnel {
        name: place.link,
        netns: place.netns.clone(),
        if_id,
        up: current.link(place).is_some_and(|link| link.up == Some(true)),
        states: states.get(&if_id).copied().unwrap_or_default(),
        rx_packets: 0,
        rx_bytes: 0,
        rx_errors: 0,
        tx_packets: 0,
        tx_bytes: 0,
        tx_errors: 0,
    };
    let mut tunnels: Vec<Tunnel> = wanted.iter().copied().map(one).collect();
    for (tunnel, (place, _)) in tunnels.iter_mut().zip(wanted) {
        let all = traffic.entry(&place.netns).or_insert_with(|| look_into(&place.netns, proc::traffic));
        let Some(t) = all.get(&place.link) else { continue };
        (tunnel.rx_packets, tunnel.rx_bytes, tunnel.rx_errors) = (t.rx_packets, t.rx_bytes, t.rx_errors);
        (tunnel.tx_packets, tunnel.tx_bytes, tunnel.tx_errors) = (t.tx_packets, t.tx_bytes, t.tx_errors);
    }
    tunnels
}

/// IPsec's error counters in a namespace, those that are not 0.
pub(super) fn xfrm_errors(name: &NetnsName) -> BTreeMap<String, u64> {
    let mut all = look_into(&Netns::Named(name.clone()), proc::xfrm_errors);
    all.retain(|_, n| *n > 0);
    all
}

/// The links that others have put into a namespace, and who.
pub(super) fn foreign_links(name: &NetnsName, users: &[NetnsName]) -> BTreeMap<LinkName, NetnsName> {
    let mut all = BTreeMap::new();
    for user in users {
        let owned = Record::read(user).ok().flatten().and_then(|r| r.owned(user, None).ok().flatten());
        let inside = owned.into_iter().flat_map(|o| o.made).filter(|place| place.netns.name() == Some(name));
        all.extend(inside.map(|place| (place.link, user.clone())));
    }
    all
}

fn look_into<T: Default>(netns: &Netns, look: impl Fn(&Namespace) -> Result<T, crate::kernel::Error>) -> T {
    Namespace::open(netns).and_then(|namespace| look(&namespace)).unwrap_or_else(|e| {
        log::debug!("{netns}: {e}, ignoring");
        T::default()
    })
}

/// Lines for people.
pub(super) fn print(out: &mut impl Write, tunnels: &[Tunnel], errors: &BTreeMap<String, u64>) -> std::io::Result<()> {
    let width = tunnels.iter().map(|t| t.name.as_str().len()).max().unwrap_or(0);
    for t in tunnels {
        let up = if t.up { "up  " } else { "down" };
        let states = format!("{} {}", t.states, if t.states == 1 { "SA" } else { "SAs" });
        writeln!(
            out,
            "    {:width$}  {up}  in {}, if_id {:#x}, {states}, received {} packets ({} wrong), sent {} ({} wrong)",
            t.name.as_str(),
            t.netns,
            t.if_id,
            t.rx_packets,
            t.rx_errors,
            t.tx_packets,
            t.tx_errors,
        )?;
    }
    if !errors.is_empty() {
        let all: Vec<String> = errors.iter().map(|(name, n)| format!("{name} {n}")).collect();
        writeln!(out, "    IPsec errors: {}", all.join(", "))?;
    }
    Ok(())
}

//! Reading routes: `struct rtmsg` and `RTA_*` (`linux/rtnetlink.h`).
//!
//! Left out is what the kernel makes by itself (`proto kernel`, `ra`, `redirect`, cloned routes, all but somebody's own
//! `local` routes in the local table) and what expires. What the model has no words for is counted, so that nobody plans anything about it: several next hops
//! in IPv4, encapsulations, type of service, source-specific routes. An IPv6 route with several next hops is several
//! routes to the kernel, and so it is here.

use super::super::view::{self, INET, INET6};
use crate::model::{LinkName, Route, RouteKind, Scope};
use ipnet::IpNet;
use std::collections::HashMap;
use std::net::IpAddr;

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_MULTIPATH: u16 = 9;
const RTA_CACHEINFO: u16 = 12;
const RTA_TABLE: u16 = 15;
const RTA_VIA: u16 = 18;
const RTA_ENCAP: u16 = 22;
const RTPROT_REDIRECT: u8 = 1;
const RTPROT_KERNEL: u8 = 2;
const RTPROT_RA: u8 = 9;
const RT_TABLE_LOCAL: u32 = 255;
const RTN_LOCAL: u8 = 2;
const RTM_F_CLONED: u32 = 0x200;
const RTNH_F_ONLINK: u32 = 4;
/// The size of `struct rtmsg`, of `struct rtnexthop`.
const HEADER: usize = 12;
const HOP_HEADER: usize = 8;

/// What one message makes.
#[derive(Debug)]
pub(super) enum Seen {
    /// A route.
    Route(Route),
    /// Several, one for each next hop.
    Routes(Vec<Route>),
    /// One that the model has no words for.
    Unmodelled,
    /// One that goes by a link whose name is not known.
    Strange,
}

/// A next hop.
#[derive(Default)]
struct Hop {
    index: u32,
    via: Option<IpAddr>,
    onlink: bool,
    encapsulated: bool,
}

/// Reads one route of a family, with the names of links by index; none for those that are left out.
///
/// With `only` a route is left out unless it goes by the link of that index.
pub(super) fn read(payload: &[u8], family: u8, names: &HashMap<u32, LinkName>, only: Option<u32>) -> Option<Seen> {
    let header: &[u8; HEADER] = payload.first_chunk()?;
    let [its_family, prefix, source, tos, table, protocol, scope, kind, ..] = *header;
    let flags = view::u32_at(header, 8);
    let ours = !matches!(protocol, RTPROT_REDIRECT | RTPROT_KERNEL | RTPROT_RA) && flags & RTM_F_CLONED == 0;
    if its_family != family || !ours {
        return None;
    }
    let mut hop = Hop { onlink: flags & RTNH_F_ONLINK != 0, ..Hop::default() };
    let (mut table, mut hops) = (u32::from(table), None);
    let (mut destination, mut src, mut metric) = (view::unspecified(family)?, None, 0);
    for (attribute, value) in view::attributes_after(payload, HEADER) {
        match attribute {
            RTA_DST => destination = view::ip(value)?,
            RTA_PRIORITY => metric = view::u32(value),
            RTA_PREFSRC => src = view::ip(value),
            RTA_TABLE => table = view::u32(value),
            RTA_MULTIPATH => hops = Some(value),
            // `rta_expires` of `struct rta_cacheinfo`.
            RTA_CACHEINFO if view::u32_at(value, 8) != 0 => return None,
            other => hop.take(other, value),
        }
    }
    let in_local = table == RT_TABLE_LOCAL && kind != RTN_LOCAL;
    if in_local || hops.is_none() && only.is_some_and(|index| index != hop.index) {
        return None;
    }
    let route = |hop: &Hop| {
        let kind = kind_of(kind).filter(|_| tos == 0 && source == 0 && !hop.encapsulated)?;
        // IPv6 says `dev lo` of routes that go nowhere.
        let link = if hop.index == 0 || goes_nowhere(kind) { None } else { Some(*names.get(&hop.index)?) };
        let to = IpNet::new(destination, prefix).ok()?;
        let (via, onlink, scope) = (hop.via, hop.onlink, Scope(scope));
        Some(Route { to, via, link, src, metric, table, kind, scope, onlink, protocol })
    };
    let is_strange = |hop: &Hop| hop.index != 0 && !names.contains_key(&hop.index);
    match hops {
        None if is_strange(&hop) => Some(Seen::Strange),
        None => Some(route(&hop).map_or(Seen::Unmodelled, Seen::Route)),
        Some(hops) => {
            let hops = read_hops(hops);
            if only.is_some_and(|index| hops.iter().all(|hop| hop.index != index)) {
                return None;
            }
            if hops.iter().any(is_strange) {
                return Some(Seen::Strange);
            }
            let routes = if family == INET6 { hops.iter().map(route).collect() } else { None };
            Some(routes.map_or(Seen::Unmodelled, Seen::Routes))
        }
    }
}

impl Hop {
    fn take(&mut self, attribute: u16, value: &[u8]) {
        match attribute {
            RTA_OIF => self.index = view::u32(value),
            RTA_GATEWAY => self.via = view::ip(value),
            // `struct rtvia`: a family and an address.
            RTA_VIA => self.via = view::ip(value.get(2..).unwrap_or_default()),
            RTA_ENCAP => self.encapsulated = true,
            _ => {}
        }
    }
}

/// The hops of an `RTA_MULTIPATH`: each a `struct rtnexthop` with attributes after it.
fn read_hops(mut bytes: &[u8]) -> Vec<Hop> {
    let mut hops = Vec::new();
    while bytes.len() >= HOP_HEADER {
        let length = usize::from(view::u16(bytes));
        let Some(one) = bytes.get(..length).filter(|one| one.len() >= HOP_HEADER) else { break };
        let onlink = u32::from(view::u8_at(one, 2)) & RTNH_F_ONLINK != 0;
        let mut hop = Hop { index: view::u32_at(one, 4), onlink, ..Hop::default() };
        view::attributes_after(one, HOP_HEADER).for_each(|(attribute, value)| hop.take(attribute, value));
        hops.push(hop);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    hops
}

/// The kind of an `rtm_type` (`RTN_…`).
fn kind_of(number: u8) -> Option<RouteKind> {
    Some(match number {
        1 => RouteKind::Unicast,
        RTN_LOCAL => RouteKind::Local,
        6 => RouteKind::Blackhole,
        7 => RouteKind::Unreachable,
        8 => RouteKind::Prohibit,
        9 => RouteKind::Throw,
        _ => return None,
    })
}

fn goes_nowhere(kind: RouteKind) -> bool {
    !matches!(kind, RouteKind::Unicast | RouteKind::Local)
}

/// Both families, with their numbers.
pub(super) const FAMILIES: [(u8, netlink_packet_route::AddressFamily); 2] =
    [(INET, netlink_packet_route::AddressFamily::Inet), (INET6, netlink_packet_route::AddressFamily::Inet6)];

//! Routes: `struct rtmsg` and `RTA_*` (`linux/rtnetlink.h`), as `ip route` (`ip-route(8)`) sends them.

use super::Request;
use super::address::family;
use crate::model::{Route, RouteKind};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::route::{RouteAttribute, RouteFlags, RouteMessage, RouteType, RouteVia};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::net::IpAddr;

/// Adds a route by the link `index`; one with its key must not be there.
pub(in crate::kernel) fn add(route: &Route, index: Option<u32>) -> Request {
    Request::new(RouteNetlinkMessage::NewRoute(message(route, index)), NLM_F_CREATE | NLM_F_EXCL)
}

/// Puts a route in the place of the one with its key.
pub(in crate::kernel) fn replace(route: &Route, index: Option<u32>) -> Request {
    Request::new(RouteNetlinkMessage::NewRoute(message(route, index)), NLM_F_CREATE | NLM_F_REPLACE)
}

/// Deletes the route that agrees in everything.
pub(in crate::kernel) fn delete(route: &Route, index: Option<u32>) -> Request {
    Request::new(RouteNetlinkMessage::DelRoute(message(route, index)), 0)
}

/// Asks for the routes of a family, in all tables; with an index only for those by that link, if the kernel filters.
pub(in crate::kernel) fn dump(family: AddressFamily, index: Option<u32>) -> Request {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message.attributes.extend(index.map(RouteAttribute::Oif));
    Request::new(RouteNetlinkMessage::GetRoute(message), 0)
}

fn message(route: &Route, index: Option<u32>) -> RouteMessage {
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family = family(route.to.addr());
    header.destination_prefix_length = route.to.prefix_len();
    header.protocol = route.protocol.into();
    header.scope = route.scope.0.into();
    header.kind = kind(route.kind);
    if route.onlink {
        header.flags |= RouteFlags::Onlink;
    }
    message.attributes.reserve_exact(6);
    let attributes = &mut message.attributes;
    // A default route is one without a destination.
    if route.to.prefix_len() > 0 {
        attributes.push(RouteAttribute::Destination(route.to.network().into()));
    }
    attributes.extend(route.via.map(|via| match via {
        IpAddr::V6(via) if route.to.addr().is_ipv4() => RouteAttribute::Via(RouteVia::Inet6(via)),
        via => RouteAttribute::Gateway(via.into()),
    }));
    attributes.extend(index.map(RouteAttribute::Oif));
    attributes.extend(route.src.map(|src| RouteAttribute::PrefSource(src.into())));
    if route.metric > 0 {
        attributes.push(RouteAttribute::Priority(route.metric));
    }
    match u8::try_from(route.table) {
        Ok(table) => header.table = table,
        Err(_) => attributes.push(RouteAttribute::Table(route.table)),
    }
    message
}

fn kind(kind: RouteKind) -> RouteType {
    match kind {
        RouteKind::Unicast => RouteType::Unicast,
        RouteKind::Local => RouteType::Local,
        RouteKind::Blackhole => RouteType::BlackHole,
        RouteKind::Unreachable => RouteType::Unreachable,
        RouteKind::Prohibit => RouteType::Prohibit,
        RouteKind::Throw => RouteType::Throw,
    }
}

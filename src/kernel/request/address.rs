//! Addresses: `struct ifaddrmsg` and `IFA_*` (`linux/if_addr.h`), as `ip address` (`ip-address(8)`) sends them.

use super::Request;
use crate::model::Address;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, CacheInfo};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::net::IpAddr;

/// `INFINITY_LIFE_TIME` (`net/addrconf.h`).
pub(in crate::kernel) const FOR_EVER: u32 = u32::MAX;

/// Adds an address to the link `index`.
pub(in crate::kernel) fn add(index: u32, address: &Address) -> Request {
    Request::new(RouteNetlinkMessage::NewAddress(whole(index, address)), NLM_F_CREATE | NLM_F_EXCL)
}

/// Gives an address that is there the lifetime and flags of `address`.
pub(in crate::kernel) fn change(index: u32, address: &Address) -> Request {
    Request::new(RouteNetlinkMessage::NewAddress(whole(index, address)), NLM_F_REPLACE)
}

/// Gives the link an address for `valid` seconds, or one that it has another time.
pub(in crate::kernel) fn lease(index: u32, address: &Address, valid: u32) -> Request {
    let mut message = whole(index, address);
    for attribute in &mut message.attributes {
        if let AddressAttribute::CacheInfo(info) = attribute {
            info.ifa_valid = valid;
        }
    }
    Request::new(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE)
}

/// Deletes an address; only what tells it from others is said.
pub(in crate::kernel) fn delete(index: u32, address: &Address) -> Request {
    Request::new(RouteNetlinkMessage::DelAddress(key(index, address)), 0)
}

/// Asks for all addresses of a family.
pub(in crate::kernel) fn dump(family: AddressFamily) -> Request {
    let mut message = AddressMessage::default();
    message.header.family = family;
    Request::new(RouteNetlinkMessage::GetAddress(message), 0)
}

fn key(index: u32, address: &Address) -> AddressMessage {
    let mut message = AddressMessage::default();
    let local = address.local.addr();
    message.header.family = family(local);
    message.header.prefix_len = address.local.prefix_len();
    message.header.index = index;
    message.attributes.reserve(6);
    message.attributes.push(AddressAttribute::Local(local));
    message.attributes.push(AddressAttribute::Address(address.peer.unwrap_or(local)));
    message
}

fn whole(index: u32, address: &Address) -> AddressMessage {
    let mut message = key(index, address);
    message.header.scope = address.scope.0.into();
    if address.nodad {
        message.header.flags |= AddressHeaderFlags::Nodad;
    }
    message.attributes.extend(address.broadcast.map(AddressAttribute::Broadcast));
    message.attributes.extend(address.label.clone().map(AddressAttribute::Label));
    message.attributes.extend(address.preferred_lifetime.map(|seconds| {
        let mut info = CacheInfo::default();
        (info.ifa_preferred, info.ifa_valid) = (seconds, FOR_EVER);
        AddressAttribute::CacheInfo(info)
    }));
    message
}

/// The family that an address is of.
pub(in crate::kernel) fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

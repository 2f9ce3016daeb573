//! Membership in VLANs: `struct ifinfomsg` of the family `AF_BRIDGE` (`linux/if_bridge.h`), as `bridge vlan` (`bridge(8)`) sends it.
//!
//! A run of VLANs that are alike is said by its two ends.

use super::super::attribute::{IFLA_AF_SPEC, IFLA_BRIDGE_FLAGS, IFLA_BRIDGE_VLAN_INFO};
use super::super::options::put;
use super::Request;
use crate::plan::VlanRange;
use netlink_packet_core::DefaultNla;
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage as Message};

/// The link is the bridge itself rather than a port.
const BRIDGE_FLAGS_SELF: u16 = 2;
/// `BRIDGE_VLAN_INFO_*`.
pub(in crate::kernel) const PVID: u16 = 2;
pub(in crate::kernel) const UNTAGGED: u16 = 4;
pub(in crate::kernel) const RANGE_BEGIN: u16 = 8;
pub(in crate::kernel) const RANGE_END: u16 = 16;

/// Makes the link `index` a member.
pub(in crate::kernel) fn add_vlans(index: u32, range: &VlanRange) -> Request {
    Request::new(Message::SetLink(message(index, range)), 0)
}

/// Ends a membership.
pub(in crate::kernel) fn delete_vlans(index: u32, range: &VlanRange) -> Request {
    Request::new(Message::DelLink(message(index, range)), 0)
}

/// Asks for the memberships of all ports and bridges, alike ones as ranges.
pub(in crate::kernel) fn dump() -> Request {
    let mut message = LinkMessage::default();
    message.header.interface_family = AddressFamily::Bridge;
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::BrvlanCompressed]));
    Request::new(Message::GetLink(message), 0)
}

fn message(index: u32, range: &VlanRange) -> LinkMessage {
    let mut spec = Vec::new();
    if range.of_the_bridge {
        put(&mut spec, IFLA_BRIDGE_FLAGS, &BRIDGE_FLAGS_SELF.to_ne_bytes());
    }
    let flags = if range.pvid { PVID } else { 0 } | if range.untagged { UNTAGGED } else { 0 };
    let mut info = |flags: u16, id: u16| {
        put(&mut spec, IFLA_BRIDGE_VLAN_INFO, &[flags.to_ne_bytes(), id.to_ne_bytes()].concat());
    };
    if range.first == range.last {
        info(flags, range.first);
    } else {
        info(flags | RANGE_BEGIN, range.first);
        info(flags | RANGE_END, range.last);
    }
    let mut message = LinkMessage::default();
    message.header.interface_family = AddressFamily::Bridge;
    message.header.index = index;
    message.attributes.push(LinkAttribute::Other(DefaultNla::new(IFLA_AF_SPEC, spec)));
    message
}

//! Links: `struct ifinfomsg` and `IFLA_*` (`linux/if_link.h`), as `ip link` (`ip-link(8)`) sends them.
//!
//! A link is named by `IFLA_IFNAME` with index 0, which spares a look-up; only where a request carries a *new* name, or
//! speaks of two links, is an index needed.

use super::super::options::put;
use super::Request;
use crate::model::{LinkName, MacAddr, VlanProtocol};
use netlink_packet_core::{DefaultNla, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::link::{
    self, InfoData, InfoKind, InfoVeth, InfoVlan, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage, Prop,
};
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use std::os::fd::{AsRawFd, BorrowedFd};

const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_IFALIAS: u16 = 20;
const IFLA_AF_SPEC: u16 = 26;
const AF_INET6: u16 = 10;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
/// `IFALIASZ` less its NUL (`linux/if.h`).
pub(in crate::kernel) const ALIAS_MAX: usize = 255;
/// `ALTIFNAMSIZ` less its NUL (`linux/if.h`).
pub(in crate::kernel) const ALTNAME_MAX: usize = 127;

/// Makes a link of options that are attributes already, on the link `parent` of the namespace that is asked, in the one that is
/// open as `inside`, or here too.
pub(in crate::kernel) fn add_virtual(
    name: LinkName,
    parent: Option<u32>,
    inside: Option<BorrowedFd<'_>>,
    kind: &str,
    data: &[u8],
) -> Request {
    let mut message = named(name);
    message.attributes.extend(parent.map(LinkAttribute::Link));
    message.attributes.extend(inside.map(|fd| LinkAttribute::NetNsFd(fd.as_raw_fd())));
    message.attributes.push(info(IFLA_INFO_KIND, kind, IFLA_INFO_DATA, data));
    create(message)
}

/// Changes options of a link.
pub(in crate::kernel) fn set_options(name: LinkName, kind: &str, data: &[u8]) -> Request {
    change(name, info(IFLA_INFO_KIND, kind, IFLA_INFO_DATA, data))
}

/// Changes options of a link as a port; `kind` is that of its master.
pub(in crate::kernel) fn set_port(name: LinkName, kind: &str, data: &[u8]) -> Request {
    change(name, info(IFLA_INFO_SLAVE_KIND, kind, IFLA_INFO_SLAVE_DATA, data))
}

/// Says how IPv6 link-local addresses are made.
pub(in crate::kernel) fn set_addrgenmode(name: LinkName, mode: u8) -> Request {
    let (mut inet6, mut families) = (Vec::new(), Vec::new());
    put(&mut inet6, IFLA_INET6_ADDR_GEN_MODE, &[mode]);
    put(&mut families, AF_INET6, &inet6);
    set(name, LinkAttribute::Other(DefaultNla::new(IFLA_AF_SPEC, families)))
}

fn info(kind: u16, name: &str, data: u16, attributes: &[u8]) -> LinkAttribute {
    let mut info = Vec::new();
    put(&mut info, kind, name.as_bytes());
    if !attributes.is_empty() {
        put(&mut info, data, attributes);
    }
    LinkAttribute::Other(DefaultNla::new(IFLA_LINKINFO, info))
}

/// Options are changed by `RTM_NEWLINK` alone: `RTM_SETLINK` passes over them.
fn change(name: LinkName, attribute: LinkAttribute) -> Request {
    let mut message = named(name);
    message.attributes.push(attribute);
    Request::new(Message::NewLink(message), 0)
}

/// Makes a pair: `here` in the namespace that is asked, `there` in the one that is open as `inside`, or here too.
pub(in crate::kernel) fn add_veth(here: LinkName, there: LinkName, inside: Option<BorrowedFd<'_>>) -> Request {
    let mut peer = named(there);
    peer.attributes.extend(inside.map(|fd| LinkAttribute::NetNsFd(fd.as_raw_fd())));
    let data = LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer)));
    let mut message = named(here);
    message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), data]));
    create(message)
}

/// Makes a VLAN on the link `parent` of the namespace that is asked, in the one that is open as `inside`, or here too.
pub(in crate::kernel) fn add_vlan(
    parent: u32,
    name: LinkName,
    inside: Option<BorrowedFd<'_>>,
    id: u16,
    protocol: VlanProtocol,
) -> Request {
    let protocol = match protocol {
        VlanProtocol::Ieee8021Q => link::VlanProtocol::Ieee8021Q,
        VlanProtocol::Ieee8021Ad => link::VlanProtocol::Ieee8021Ad,
    };
    let data = LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Id(id), InfoVlan::Protocol(protocol)]));
    let mut message = named(name);
    message.attributes.push(LinkAttribute::Link(parent));
    message.attributes.extend(inside.map(|fd| LinkAttribute::NetNsFd(fd.as_raw_fd())));
    message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Vlan), data]));
    create(message)
}

/// Deletes a link.
pub(in crate::kernel) fn delete(name: LinkName) -> Request {
    Request::new(Message::DelLink(named(name)), 0)
}

/// Moves the link `index` to the namespace that is open as `to`, and gives it a new name there.
pub(in crate::kernel) fn move_to(index: u32, to: BorrowedFd<'_>, name: Option<LinkName>) -> Request {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.push(LinkAttribute::NetNsFd(to.as_raw_fd()));
    message.attributes.extend(name.map(|name| LinkAttribute::IfName(name.to_string())));
    Request::new(Message::SetLink(message), 0)
}

/// Takes a link up or down.
pub(in crate::kernel) fn set_up(name: LinkName, up: bool) -> Request {
    let mut message = named(name);
    message.header.change_mask = LinkFlags::Up;
    message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
    Request::new(Message::SetLink(message), 0)
}

/// Sets the MTU.
pub(in crate::kernel) fn set_mtu(name: LinkName, mtu: u32) -> Request {
    set(name, LinkAttribute::Mtu(mtu))
}

/// Sets the hardware address.
pub(in crate::kernel) fn set_mac(name: LinkName, mac: &MacAddr) -> Request {
    set(name, LinkAttribute::Address(mac.as_bytes().to_vec()))
}

/// Sets the free text; an empty one removes it.
pub(in crate::kernel) fn set_alias(name: LinkName, text: &str) -> Request {
    set(name, LinkAttribute::Other(DefaultNla::new(IFLA_IFALIAS, text.as_bytes().to_vec())))
}

/// Makes a link a port of the link with an index; 0 frees it.
pub(in crate::kernel) fn set_master(name: LinkName, master: u32) -> Request {
    set(name, LinkAttribute::Controller(master))
}

/// Gives a link one name more (`RTM_NEWLINKPROP`).
pub(in crate::kernel) fn add_altname(name: LinkName, altname: &str) -> Request {
    let flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND;
    Request::new(Message::NewLinkProp(with_altname(name, altname)), flags)
}

/// Takes one of its names from a link (`RTM_DELLINKPROP`).
pub(in crate::kernel) fn delete_altname(name: LinkName, altname: &str) -> Request {
    Request::new(Message::DelLinkProp(with_altname(name, altname)), 0)
}

/// Asks for one link.
pub(in crate::kernel) fn get(name: LinkName) -> Request {
    let mut message = named(name);
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    Request::new(Message::GetLink(message), 0)
}

/// Asks for all links.
pub(in crate::kernel) fn dump() -> Request {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    Request::new(Message::GetLink(message), 0)
}

/// Asks which number the namespace that is asked has for the one that is open (`RTM_GETNSID`, `linux/net_namespace.h`).
pub(in crate::kernel) fn get_nsid(of: BorrowedFd<'_>) -> Request {
    let mut message = NsidMessage::default();
    message.attributes.push(NsidAttribute::Fd(of.as_raw_fd().unsigned_abs()));
    Request::new(Message::GetNsId(message), 0)
}

fn named(name: LinkName) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_string()));
    message
}

fn create(message: LinkMessage) -> Request {
    Request::new(Message::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
}

fn set(name: LinkName, attribute: LinkAttribute) -> Request {
    let mut message = named(name);
    message.attributes.push(attribute);
    Request::new(Message::SetLink(message), 0)
}

fn with_altname(name: LinkName, altname: &str) -> LinkMessage {
    let mut message = named(name);
    message.attributes.push(LinkAttribute::PropList(vec![Prop::AltIfName(altname.to_owned())]));
    message
}

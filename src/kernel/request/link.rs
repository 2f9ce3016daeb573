//! Links: `struct ifinfomsg` and `IFLA_*` (`linux/if_link.h`), as `ip link` (`ip-link(8)`) sends them.
//!
//! A link is named by `IFLA_IFNAME` with index 0, which spares a look-up; only where a request carries a *new* name, or
//! speaks of two links, is an index needed.

use super::super::attribute::{
    AF_INET6, IFLA_AF_SPEC, IFLA_ALT_IFNAME, IFLA_IFALIAS, IFLA_INET6_ADDR_GEN_MODE, IFLA_INFO_DATA, IFLA_INFO_KIND,
    IFLA_INFO_SLAVE_DATA, IFLA_INFO_SLAVE_KIND, IFLA_LINKINFO,
};
use super::super::options::put;
use super::Request;
use crate::model::{LinkName, MacAddr, VlanProtocol};
use netlink_packet_core::{DefaultNla, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::link::{
    self, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkExtentMask, LinkMessage, Prop,
};
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use rtnetlink::{LinkMessageBuilder, LinkUnspec, LinkVeth, LinkVlan};
use std::os::fd::{AsRawFd, BorrowedFd};

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
    let mut message = into(inside, LinkUnspec::new_with_name(name.as_str()));
    if let Some(parent) = parent {
        message = message.link(parent);
    }
    create(message.append_extra_attribute(info(IFLA_INFO_KIND, kind, IFLA_INFO_DATA, data)))
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
    set(named(name).append_extra_attribute(LinkAttribute::Other(DefaultNla::new(IFLA_AF_SPEC, families))))
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
    Request::new(Message::NewLink(named(name).append_extra_attribute(attribute).build()), 0)
}

/// Makes a pair: `here` in the namespace that is asked, `there` in the one that is open as `inside`, or here too.
pub(in crate::kernel) fn add_veth(here: LinkName, there: LinkName, inside: Option<BorrowedFd<'_>>) -> Request {
    let peer = into(inside, named(there)).build();
    let pair = LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth).name(here.as_str());
    create(pair.set_info_data(InfoData::Veth(InfoVeth::Peer(peer))))
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
    create(into(inside, LinkVlan::new(name.as_str(), parent, id).protocol(protocol)))
}

/// Deletes a link.
pub(in crate::kernel) fn delete(name: LinkName) -> Request {
    Request::new(Message::DelLink(named(name).build()), 0)
}

/// Deletes all links of a group.
pub(in crate::kernel) fn delete_group(group: u32) -> Request {
    Request::new(Message::DelLink(LinkMessageBuilder::<LinkUnspec>::new().link_group(group).build()), 0)
}

/// Puts a link into a group.
pub(in crate::kernel) fn set_group(name: LinkName, group: u32) -> Request {
    set(named(name).link_group(group))
}

/// Moves a link to the namespace that is open as `to`.
pub(in crate::kernel) fn move_to(name: LinkName, to: BorrowedFd<'_>) -> Request {
    Request::new(Message::SetLink(named(name).setns_by_fd(to.as_raw_fd()).build()), 0)
}

/// Moves the link `index` to the namespace that is open as `to`, and gives it a new name there.
pub(in crate::kernel) fn move_as(index: u32, to: BorrowedFd<'_>, name: LinkName) -> Request {
    let message = LinkUnspec::new_with_index(index).setns_by_fd(to.as_raw_fd());
    Request::new(Message::SetLink(message.name(name.as_str()).build()), 0)
}

/// Takes a link up or down.
pub(in crate::kernel) fn set_up(name: LinkName, up: bool) -> Request {
    let message = if up { named(name).up() } else { named(name).down() };
    Request::new(Message::SetLink(message.build()), 0)
}

/// Sets the MTU.
pub(in crate::kernel) fn set_mtu(name: LinkName, mtu: u32) -> Request {
    set(named(name).mtu(mtu))
}

/// Sets the hardware address.
pub(in crate::kernel) fn set_mac(name: LinkName, mac: &MacAddr) -> Request {
    set(named(name).address(mac.as_bytes().to_vec()))
}

/// Sets the free text; an empty one removes it.
pub(in crate::kernel) fn set_alias(name: LinkName, text: &str) -> Request {
    set(named(name)
        .append_extra_attribute(LinkAttribute::Other(DefaultNla::new(IFLA_IFALIAS, text.as_bytes().to_vec()))))
}

/// Makes a link a port of the link with an index; 0 frees it.
pub(in crate::kernel) fn set_master(name: LinkName, master: u32) -> Request {
    set(named(name).controller(master))
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
    Request::new(Message::GetLink(named(name).append_extra_attribute(without_statistics()).build()), 0)
}

/// Asks for the link of an index.
pub(in crate::kernel) fn get_by_index(index: u32) -> Request {
    let message = LinkUnspec::new_with_index(index).append_extra_attribute(without_statistics());
    Request::new(Message::GetLink(message.build()), 0)
}

/// Asks for the link that has a name, be it an alternative one.
pub(in crate::kernel) fn get_by_altname(name: &str) -> Request {
    let message = LinkMessageBuilder::<LinkUnspec>::new().append_extra_attribute(without_statistics());
    let mut name = name.as_bytes().to_vec();
    name.push(0);
    let name = LinkAttribute::Other(DefaultNla::new(IFLA_ALT_IFNAME, name));
    Request::new(Message::GetLink(message.append_extra_attribute(name).build()), 0)
}

/// Asks for all links.
pub(in crate::kernel) fn dump() -> Request {
    let message = LinkMessageBuilder::<LinkUnspec>::new().append_extra_attribute(without_statistics());
    Request::new(Message::GetLink(message.build()), 0)
}

/// Asks which number the namespace that is asked has for the one that is open (`RTM_GETNSID`, `linux/net_namespace.h`).
pub(in crate::kernel) fn get_nsid(of: BorrowedFd<'_>) -> Request {
    let mut message = NsidMessage::default();
    message.attributes.push(NsidAttribute::Fd(of.as_raw_fd().unsigned_abs()));
    Request::new(Message::GetNsId(message), 0)
}

fn named(name: LinkName) -> LinkMessageBuilder<LinkUnspec> {
    LinkUnspec::new_with_name(name.as_str())
}

fn without_statistics() -> LinkAttribute {
    LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats])
}

/// Makes a link in the namespace that is open as `inside` rather than in the one that is asked.
fn into<T>(inside: Option<BorrowedFd<'_>>, message: LinkMessageBuilder<T>) -> LinkMessageBuilder<T> {
    match inside {
        Some(fd) => message.setns_by_fd(fd.as_raw_fd()),
        None => message,
    }
}

fn create<T>(message: LinkMessageBuilder<T>) -> Request {
    Request::new(Message::NewLink(message.build()), NLM_F_CREATE | NLM_F_EXCL)
}

fn set(message: LinkMessageBuilder<LinkUnspec>) -> Request {
    Request::new(Message::SetLink(message.build()), 0)
}

fn with_altname(name: LinkName, altname: &str) -> LinkMessage {
    named(name).append_extra_attribute(LinkAttribute::PropList(vec![Prop::AltIfName(altname.to_owned())])).build()
}

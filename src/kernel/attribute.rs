//! Numbers of the attributes of links, which requests write and observation reads.
//!
//! Of what options there are for each kind of link, `options` knows.

// `linux/if_link.h`: of a link.
pub(super) const IFLA_ADDRESS: u16 = 1;
pub(super) const IFLA_IFNAME: u16 = 3;
pub(super) const IFLA_MTU: u16 = 4;
pub(super) const IFLA_LINK: u16 = 5;
pub(super) const IFLA_MASTER: u16 = 10;
pub(super) const IFLA_LINKINFO: u16 = 18;
pub(super) const IFLA_IFALIAS: u16 = 20;
pub(super) const IFLA_AF_SPEC: u16 = 26;
pub(super) const IFLA_GROUP: u16 = 27;
pub(super) const IFLA_LINK_NETNSID: u16 = 37;
pub(super) const IFLA_PROP_LIST: u16 = 52;
pub(super) const IFLA_ALT_IFNAME: u16 = 53;

// In `IFLA_LINKINFO`.
pub(super) const IFLA_INFO_KIND: u16 = 1;
pub(super) const IFLA_INFO_DATA: u16 = 2;
pub(super) const IFLA_INFO_SLAVE_KIND: u16 = 4;
pub(super) const IFLA_INFO_SLAVE_DATA: u16 = 5;

// In `IFLA_INFO_DATA` of a VLAN and of a tun/tap device, in `IFLA_INFO_SLAVE_DATA` of a bridge's port.
pub(super) const IFLA_VLAN_ID: u16 = 1;
pub(super) const IFLA_VLAN_PROTOCOL: u16 = 5;
pub(super) const IFLA_TUN_TYPE: u16 = 3;
pub(super) const IFLA_BRPORT_STATE: u16 = 1;

// In `IFLA_AF_SPEC` of the family `AF_BRIDGE` (`linux/if_bridge.h`).
pub(super) const IFLA_BRIDGE_FLAGS: u16 = 0;
pub(super) const IFLA_BRIDGE_VLAN_INFO: u16 = 2;

// In `IFLA_AF_SPEC`: the family, and what it holds.
pub(super) const AF_INET6: u16 = 10;
pub(super) const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;

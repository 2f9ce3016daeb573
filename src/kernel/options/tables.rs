//! Which attribute each word is: `linux/if_link.h`, `linux/if_tunnel.h`, `linux/if_bridge.h`.

use super::Row;
use super::wire::{Family, Wire};
use crate::model::{PortOf, VirtualKind};

/// `IFLA_VXLAN_LINK`.
pub(super) const IFLA_VXLAN_LINK: u16 = 3;
/// `IFLA_GRE_LINK` and `IFLA_IPTUN_LINK`.
pub(super) const IFLA_TUNNEL_LINK: u16 = 1;
/// `IFLA_XFRM_LINK`.
pub(super) const IFLA_XFRM_LINK: u16 = 1;

const V4: Wire = Wire::Ip(Family::V4, None);
const V6: Wire = Wire::Ip(Family::V6, None);

const fn row(word: &'static str, attribute: u16, wire: Wire) -> Row {
    Row { word, attribute, wire }
}

/// `IFLA_BR_*`; `BR_BOOLOPT_*`.
const BRIDGE: &[Row] = &[
    row("forward_delay", 1, Wire::U32),
    row("hello_time", 2, Wire::U32),
    row("max_age", 3, Wire::U32),
    row("ageing_time", 4, Wire::U32),
    row("stp_state", 5, Wire::U32),
    row("priority", 6, Wire::U16),
    row("vlan_filtering", 7, Wire::U8),
    row("vlan_protocol", 8, Wire::Be16),
    row("group_fwd_mask", 9, Wire::U16),
    row("group_address", 20, Wire::Mac),
    row("mcast_router", 22, Wire::U8),
    row("mcast_snooping", 23, Wire::U8),
    row("mcast_query_use_ifaddr", 24, Wire::U8),
    row("mcast_querier", 25, Wire::U8),
    row("mcast_hash_max", 27, Wire::U32),
    row("mcast_last_member_count", 28, Wire::U32),
    row("mcast_startup_query_count", 29, Wire::U32),
    row("mcast_last_member_interval", 30, Wire::U64),
    row("mcast_membership_interval", 31, Wire::U64),
    row("mcast_querier_interval", 32, Wire::U64),
    row("mcast_query_interval", 33, Wire::U64),
    row("mcast_query_response_interval", 34, Wire::U64),
    row("mcast_startup_query_interval", 35, Wire::U64),
    row("nf_call_iptables", 36, Wire::U8),
    row("nf_call_ip6tables", 37, Wire::U8),
    row("nf_call_arptables", 38, Wire::U8),
    row("vlan_default_pvid", 39, Wire::U16),
    row("vlan_stats_enabled", 41, Wire::U8),
    row("mcast_stats_enabled", 42, Wire::U8),
    row("mcast_igmp_version", 43, Wire::U8),
    row("mcast_mld_version", 44, Wire::U8),
    row("vlan_stats_per_port", 45, Wire::U8),
    row("no_linklocal_learn", 46, Wire::BoolOpt(1)),
    row("mcast_vlan_snooping", 46, Wire::BoolOpt(1 << 1)),
];

/// `IFLA_BRPORT_*`.
const BRIDGE_PORT: &[Row] = &[
    row("priority", 2, Wire::U16),
    row("cost", 3, Wire::U32),
    row("hairpin", 4, Wire::U8),
    row("guard", 5, Wire::U8),
    row("root_block", 6, Wire::U8),
    row("fastleave", 7, Wire::U8),
    row("learning", 8, Wire::U8),
    row("flood", 9, Wire::U8),
    row("proxy_arp", 10, Wire::U8),
    row("proxy_arp_wifi", 12, Wire::U8),
    row("mcast_router", 25, Wire::U8),
    row("mcast_flood", 27, Wire::U8),
    row("mcast_to_unicast", 28, Wire::U8),
    row("vlan_tunnel", 29, Wire::U8),
    row("bcast_flood", 30, Wire::U8),
    row("group_fwd_mask", 31, Wire::U16),
    row("neigh_suppress", 32, Wire::U8),
    row("isolated", 33, Wire::U8),
    row("locked", 39, Wire::U8),
];

/// `IFLA_BOND_*`.
const BOND: &[Row] = &[
    row("mode", 1, Wire::U8),
    row("active_slave", 2, Wire::Index),
    row("miimon", 3, Wire::U32),
    row("updelay", 4, Wire::U32),
    row("downdelay", 5, Wire::U32),
    row("use_carrier", 6, Wire::U8),
    row("arp_interval", 7, Wire::U32),
    row("arp_ip_target", 8, Wire::List(Family::V4)),
    row("arp_validate", 9, Wire::U32),
    row("arp_all_targets", 10, Wire::U32),
    row("primary", 11, Wire::Index),
    row("primary_reselect", 12, Wire::U8),
    row("fail_over_mac", 13, Wire::U8),
    row("xmit_hash_policy", 14, Wire::U8),
    row("resend_igmp", 15, Wire::U32),
    row("num_grat_arp", 16, Wire::U8),
    row("all_slaves_active", 17, Wire::U8),
    row("min_links", 18, Wire::U32),
    row("lp_interval", 19, Wire::U32),
    row("packets_per_slave", 20, Wire::U32),
    row("lacp_rate", 21, Wire::U8),
    row("ad_select", 22, Wire::U8),
    row("ad_actor_sys_prio", 24, Wire::U16),
    row("ad_user_port_key", 25, Wire::U16),
    row("ad_actor_system", 26, Wire::Mac),
    row("tlb_dynamic_lb", 27, Wire::U8),
    row("peer_notify_delay", 28, Wire::U32),
    row("lacp_active", 29, Wire::U8),
    row("arp_missed_max", 30, Wire::U8),
    row("ns_ip6_target", 31, Wire::List(Family::V6)),
];

/// `IFLA_BOND_SLAVE_*`.
const BOND_PORT: &[Row] = &[row("queue_id", 5, Wire::U16), row("prio", 9, Wire::U32)];

/// `IFLA_MACVLAN_*`.
const MACVLAN: &[Row] = &[row("mode", 1, Wire::U32)];

/// `IFLA_IPVLAN_*`.
const IPVLAN: &[Row] = &[row("mode", 1, Wire::U16), row("flags", 2, Wire::U16)];

/// `IFLA_VRF_*`.
const VRF: &[Row] = &[row("table", 1, Wire::U32)];

/// `IFLA_VXLAN_*`.
const VXLAN: &[Row] = &[
    row("id", 1, Wire::U32),
    row("group", 2, Wire::Ip(Family::V4, Some(true))),
    row("group", 16, Wire::Ip(Family::V6, Some(true))),
    row("remote", 2, Wire::Ip(Family::V4, Some(false))),
    row("remote", 16, Wire::Ip(Family::V6, Some(false))),
    row("local", 4, V4),
    row("local", 17, V6),
    row("ttl", 5, Wire::U8),
    row("tos", 6, Wire::U8),
    row("learning", 7, Wire::U8),
    row("ageing", 8, Wire::U32),
    row("maxaddress", 9, Wire::U32),
    row("srcport", 10, Wire::Ports),
    row("proxy", 11, Wire::U8),
    row("rsc", 12, Wire::U8),
    row("l2miss", 13, Wire::U8),
    row("l3miss", 14, Wire::U8),
    row("dstport", 15, Wire::Be16),
    row("udpcsum", 18, Wire::U8),
    row("udp6zerocsumtx", 19, Wire::U8),
    row("udp6zerocsumrx", 20, Wire::U8),
    row("gbp", 23, Wire::Presence),
    row("external", 25, Wire::U8),
    row("df", 29, Wire::U8),
];

/// `IFLA_GRE_IFLAGS` and `IFLA_GRE_OFLAGS`, and what of them is a word of its own (`GRE_CSUM`, `GRE_SEQ`).
const IFLAGS: u16 = 2;
const OFLAGS: u16 = 3;
const GRE_CSUM: Wire = Wire::BitBe16(0x8000);
const GRE_SEQ: Wire = Wire::BitBe16(0x1000);

/// `IFLA_GRE_*` over IPv4.
const GRE: &[Row] = &[
    row("iseq", IFLAGS, GRE_SEQ),
    row("oseq", OFLAGS, GRE_SEQ),
    row("icsum", IFLAGS, GRE_CSUM),
    row("ocsum", OFLAGS, GRE_CSUM),
    row("ikey", 4, Wire::Key(IFLAGS)),
    row("okey", 5, Wire::Key(OFLAGS)),
    row("local", 6, V4),
    row("remote", 7, V4),
    row("ttl", 8, Wire::U8),
    row("tos", 9, Wire::U8),
    row("pmtudisc", 10, Wire::U8),
    row("ignore-df", 19, Wire::U8),
    row("fwmark", 20, Wire::U32),
];

/// `IFLA_GRE_*` over IPv6.
const GRE6: &[Row] = &[
    row("iseq", IFLAGS, GRE_SEQ),
    row("oseq", OFLAGS, GRE_SEQ),
    row("icsum", IFLAGS, GRE_CSUM),
    row("ocsum", OFLAGS, GRE_CSUM),
    row("ikey", 4, Wire::Key(IFLAGS)),
    row("okey", 5, Wire::Key(OFLAGS)),
    row("local", 6, V6),
    row("remote", 7, V6),
    row("hoplimit", 8, Wire::U8),
    row("encaplimit", 11, Wire::Limit(13)),
    row("fwmark", 20, Wire::U32),
];

/// `IFLA_IPTUN_*` over IPv4.
const IPIP: &[Row] = &[
    row("local", 2, V4),
    row("remote", 3, V4),
    row("ttl", 4, Wire::U8),
    row("tos", 5, Wire::U8),
    row("mode", 9, Wire::U8),
    row("pmtudisc", 10, Wire::U8),
    row("fwmark", 20, Wire::U32),
];

/// The same, with `SIT_ISATAP`.
const SIT: &[Row] = &[
    row("local", 2, V4),
    row("remote", 3, V4),
    row("ttl", 4, Wire::U8),
    row("tos", 5, Wire::U8),
    row("isatap", 8, Wire::Bit16(1)),
    row("mode", 9, Wire::U8),
    row("pmtudisc", 10, Wire::U8),
    row("fwmark", 20, Wire::U32),
];

/// `IFLA_IPTUN_*` over IPv6.
const IP6TNL: &[Row] = &[
    row("local", 2, V6),
    row("remote", 3, V6),
    row("hoplimit", 4, Wire::U8),
    row("encaplimit", 6, Wire::Limit(8)),
    row("mode", 9, Wire::U8),
    row("fwmark", 20, Wire::U32),
];

/// `IFLA_XFRM_*`.
const XFRM: &[Row] = &[row("if_id", 2, Wire::U32)];

/// `IFLA_TUN_*`. Only read: the kernel makes none by netlink (see [`tun`](super::super::tun)).
const TUN: &[Row] = &[
    row("user", 1, Wire::U32),
    row("group", 2, Wire::U32),
    row("pi", 4, Wire::U8),
    row("vnet_hdr", 5, Wire::U8),
    row("multi_queue", 7, Wire::U8),
];

pub(super) fn of(kind: VirtualKind) -> &'static [Row] {
    match kind {
        VirtualKind::Bridge => BRIDGE,
        VirtualKind::Bond => BOND,
        VirtualKind::Dummy | VirtualKind::Wireguard => &[],
        VirtualKind::Macvlan | VirtualKind::Macvtap => MACVLAN,
        VirtualKind::Ipvlan => IPVLAN,
        VirtualKind::Vrf => VRF,
        VirtualKind::Vxlan => VXLAN,
        VirtualKind::Gre | VirtualKind::Gretap => GRE,
        VirtualKind::Ip6gre | VirtualKind::Ip6gretap => GRE6,
        VirtualKind::Ipip => IPIP,
        VirtualKind::Sit => SIT,
        VirtualKind::Ip6tnl => IP6TNL,
        VirtualKind::Xfrm => XFRM,
        VirtualKind::Tun | VirtualKind::Tap => TUN,
    }
}

pub(super) fn of_port(port: PortOf) -> &'static [Row] {
    match port {
        PortOf::Bridge => BRIDGE_PORT,
        PortOf::Bond => BOND_PORT,
    }
}

//! The options of each kind, in the order in which they are written.

use super::{Change, LinkOption, Shape, VirtualKind};

const U8: u64 = 0xff;
const U16: u64 = 0xffff;
const U32: u64 = 0xffff_ffff;
/// Times in 1/100 s that the kernel holds as `unsigned long` jiffies.
const TIME: u64 = 0x7fff_ffff;

const VLAN_PROTOCOL: Shape = Shape::Choice(&[("802.1Q", 0x8100), ("802.1ad", 0x88a8)]);

/// `IFLA_BR_*`.
const BRIDGE: &[LinkOption] = &[
    any("forward_delay", Shape::Number(TIME)),
    any("hello_time", Shape::Number(TIME)),
    any("max_age", Shape::Number(TIME)),
    any("ageing_time", Shape::Number(TIME)),
    any("stp_state", Shape::Digit),
    any("priority", Shape::Number(U16)),
    any("group_fwd_mask", Shape::Number(U16)),
    any("group_address", Shape::Mac),
    any("no_linklocal_learn", Shape::Digit),
    any("vlan_filtering", Shape::Digit),
    any("vlan_protocol", VLAN_PROTOCOL),
    any("vlan_default_pvid", Shape::Number(4094)),
    any("vlan_stats_enabled", Shape::Digit),
    any("vlan_stats_per_port", Shape::Digit),
    any("mcast_snooping", Shape::Digit),
    any("mcast_vlan_snooping", Shape::Digit),
    any("mcast_router", Shape::Number(2)),
    any("mcast_query_use_ifaddr", Shape::Digit),
    any("mcast_querier", Shape::Digit),
    any("mcast_hash_max", Shape::Number(U32)),
    any("mcast_last_member_count", Shape::Number(U32)),
    any("mcast_startup_query_count", Shape::Number(U32)),
    any("mcast_last_member_interval", Shape::Number(TIME)),
    any("mcast_membership_interval", Shape::Number(TIME)),
    any("mcast_querier_interval", Shape::Number(TIME)),
    any("mcast_query_interval", Shape::Number(TIME)),
    any("mcast_query_response_interval", Shape::Number(TIME)),
    any("mcast_startup_query_interval", Shape::Number(TIME)),
    any("mcast_stats_enabled", Shape::Digit),
    any("mcast_igmp_version", Shape::Number(3)),
    any("mcast_mld_version", Shape::Number(2)),
    any("nf_call_iptables", Shape::Digit),
    any("nf_call_ip6tables", Shape::Digit),
    any("nf_call_arptables", Shape::Digit),
];

/// `IFLA_BRPORT_*`.
pub const BRIDGE_PORT: &[LinkOption] = &[
    any("priority", Shape::Number(63)),
    any("cost", Shape::Number(U16)),
    any("guard", Shape::OnOff),
    any("hairpin", Shape::OnOff),
    any("fastleave", Shape::OnOff),
    any("root_block", Shape::OnOff),
    any("learning", Shape::OnOff),
    any("flood", Shape::OnOff),
    any("proxy_arp", Shape::OnOff),
    any("proxy_arp_wifi", Shape::OnOff),
    any("mcast_router", Shape::Number(2)),
    any("mcast_flood", Shape::OnOff),
    any("bcast_flood", Shape::OnOff),
    any("mcast_to_unicast", Shape::OnOff),
    any("group_fwd_mask", Shape::Number(U16)),
    any("neigh_suppress", Shape::OnOff),
    any("vlan_tunnel", Shape::OnOff),
    any("isolated", Shape::OnOff),
    any("locked", Shape::OnOff),
];

/// `IFLA_BOND_*`, in the order in which the kernel takes them.
const BOND: &[LinkOption] = &[
    never(
        "mode",
        Shape::Choice(&[
            ("balance-rr", 0),
            ("active-backup", 1),
            ("balance-xor", 2),
            ("broadcast", 3),
            ("802.3ad", 4),
            ("balance-tlb", 5),
            ("balance-alb", 6),
        ]),
    ),
    with_ports("active_slave", Shape::Link),
    any("miimon", Shape::Number(0x7fff_ffff)),
    any("updelay", Shape::Number(0x7fff_ffff)),
    any("downdelay", Shape::Number(0x7fff_ffff)),
    any("peer_notify_delay", Shape::Number(300_000)),
    any("use_carrier", Shape::Digit),
    any("arp_interval", Shape::Number(0x7fff_ffff)),
    any("arp_ip_target", Shape::Ip4List),
    any("ns_ip6_target", Shape::Ip6List),
    any(
        "arp_validate",
        Shape::Choice(&[
            ("none", 0),
            ("active", 1),
            ("backup", 2),
            ("all", 3),
            ("filter", 4),
            ("filter_active", 5),
            ("filter_backup", 6),
        ]),
    ),
    any("arp_all_targets", Shape::Choice(&[("any", 0), ("all", 1)])),
    any("arp_missed_max", Shape::Number(U8)),
    with_ports("primary", Shape::Link),
    any("primary_reselect", Shape::Choice(&[("always", 0), ("better", 1), ("failure", 2)])),
    never("fail_over_mac", Shape::Choice(&[("none", 0), ("active", 1), ("follow", 2)])),
    any(
        "xmit_hash_policy",
        Shape::Choice(&[
            ("layer2", 0),
            ("layer3+4", 1),
            ("layer2+3", 2),
            ("encap2+3", 3),
            ("encap3+4", 4),
            ("vlan+srcmac", 5),
        ]),
    ),
    any("resend_igmp", Shape::Number(U8)),
    any("num_grat_arp", Shape::Number(U8)),
    any("all_slaves_active", Shape::Digit),
    any("min_links", Shape::Number(0x7fff_ffff)),
    any("lp_interval", Shape::Number(0x7fff_ffff)),
    any("packets_per_slave", Shape::Number(U16)),
    down("tlb_dynamic_lb", Shape::Digit),
    down("lacp_rate", Shape::Choice(&[("slow", 0), ("fast", 1)])),
    down("lacp_active", Shape::Choice(&[("off", 0), ("on", 1)])),
    down("ad_select", Shape::Choice(&[("stable", 0), ("bandwidth", 1), ("count", 2)])),
    down("ad_user_port_key", Shape::Number(1023)),
    down("ad_actor_sys_prio", Shape::Number(U16)),
    down("ad_actor_system", Shape::Mac),
];

/// `IFLA_BOND_SLAVE_*`.
pub const BOND_PORT: &[LinkOption] = &[any("queue_id", Shape::Number(U16)), any("prio", Shape::Number(0x7fff_ffff))];

/// `IFLA_MACVLAN_*`.
const MACVLAN: &[LinkOption] =
    &[never("mode", Shape::Choice(&[("private", 1), ("vepa", 2), ("bridge", 4), ("passthru", 8), ("source", 16)]))];

/// `IFLA_IPVLAN_*`.
const IPVLAN: &[LinkOption] = &[
    any("mode", Shape::Choice(&[("l2", 0), ("l3", 1), ("l3s", 2)])),
    any("flags", Shape::BareChoice(&[("bridge", 0), ("private", 1), ("vepa", 2)])),
];

/// `IFLA_VRF_TABLE`.
const VRF: &[LinkOption] = &[never("table", Shape::Number(U32))];

/// `IFLA_VXLAN_*`.
const VXLAN: &[LinkOption] = &[
    never("id", Shape::Number(0xff_ffff)),
    never("group", Shape::Ip),
    never("remote", Shape::Ip),
    never("local", Shape::Ip),
    any("ttl", Shape::Number(U8)),
    any("tos", Shape::Tos),
    never("df", Shape::Choice(&[("unset", 0), ("set", 1), ("inherit", 2)])),
    never("dstport", Shape::Number(U16)),
    never("srcport", Shape::Ports),
    any("learning", Shape::OrNo),
    never("proxy", Shape::OrNo),
    never("rsc", Shape::OrNo),
    never("l2miss", Shape::OrNo),
    never("l3miss", Shape::OrNo),
    any("ageing", Shape::Number(U32)),
    any("maxaddress", Shape::Number(U32)),
    never("udpcsum", Shape::OrNo),
    never("udp6zerocsumtx", Shape::OrNo),
    never("udp6zerocsumrx", Shape::OrNo),
    never("external", Shape::Bare),
    never("gbp", Shape::Bare),
];

/// `IFLA_GRE_*` over IPv4. The kernel forgets what a change does not name, so tunnels are made anew.
const GRE: &[LinkOption] = &[
    never("remote", Shape::Ip4),
    never("local", Shape::Ip4),
    never("ttl", Shape::Number(U8)),
    never("tos", Shape::Tos),
    never("ikey", Shape::Number(U32)),
    never("okey", Shape::Number(U32)),
    never("iseq", Shape::Bare),
    never("oseq", Shape::Bare),
    never("icsum", Shape::Bare),
    never("ocsum", Shape::Bare),
    never("pmtudisc", Shape::OrNo),
    never("ignore-df", Shape::OrNo),
    never("fwmark", Shape::Number(U32)),
];

/// `IFLA_GRE_*` over IPv6.
const GRE6: &[LinkOption] = &[
    never("remote", Shape::Ip6),
    never("local", Shape::Ip6),
    never("hoplimit", Shape::Number(U8)),
    never("encaplimit", Shape::NumberOrNone(U8)),
    never("ikey", Shape::Number(U32)),
    never("okey", Shape::Number(U32)),
    never("iseq", Shape::Bare),
    never("oseq", Shape::Bare),
    never("icsum", Shape::Bare),
    never("ocsum", Shape::Bare),
    never("fwmark", Shape::Number(U32)),
];

/// `IFLA_IPTUN_*`, IPv4 in IPv4.
const IPIP: &[LinkOption] = &[
    never("remote", Shape::Ip4),
    never("local", Shape::Ip4),
    never("mode", Shape::Choice(&[("any", 0), ("ipip", 4), ("mplsip", 137)])),
    never("ttl", Shape::Number(U8)),
    never("tos", Shape::Tos),
    never("pmtudisc", Shape::OrNo),
    never("fwmark", Shape::Number(U32)),
];

/// `IFLA_IPTUN_*`, IPv6 in IPv4.
const SIT: &[LinkOption] = &[
    never("remote", Shape::Ip4),
    never("local", Shape::Ip4),
    never("mode", Shape::Choice(&[("any", 0), ("ipip", 4), ("ip6ip", 41), ("mplsip", 137)])),
    never("ttl", Shape::Number(U8)),
    never("tos", Shape::Tos),
    never("pmtudisc", Shape::OrNo),
    never("isatap", Shape::Bare),
    never("fwmark", Shape::Number(U32)),
];

/// `IFLA_IPTUN_*` over IPv6.
const IP6TNL: &[LinkOption] = &[
    never("remote", Shape::Ip6),
    never("local", Shape::Ip6),
    never("mode", Shape::Choice(&[("any", 0), ("ipip6", 4), ("ip6ip6", 41)])),
    never("hoplimit", Shape::Number(U8)),
    never("encaplimit", Shape::NumberOrNone(U8)),
    never("fwmark", Shape::Number(U32)),
];

/// `IFLA_XFRM_*`.
const XFRM: &[LinkOption] = &[never("if_id", Shape::Number(U32))];

/// `ip tuntap` (`linux/if_tun.h`).
const TUN: &[LinkOption] = &[
    never("user", Shape::Number(U32 - 1)),
    never("group", Shape::Number(U32 - 1)),
    never("multi_queue", Shape::Bare),
    never("pi", Shape::Bare),
    never("vnet_hdr", Shape::Bare),
];

pub(super) fn of(kind: VirtualKind) -> &'static [LinkOption] {
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

const fn any(word: &'static str, shape: Shape) -> LinkOption {
    LinkOption { word, shape, change: Change::Anytime }
}

const fn with_ports(word: &'static str, shape: Shape) -> LinkOption {
    LinkOption { word, shape, change: Change::WithPorts }
}

const fn down(word: &'static str, shape: Shape) -> LinkOption {
    LinkOption { word, shape, change: Change::WhenDown }
}

const fn never(word: &'static str, shape: Shape) -> LinkOption {
    LinkOption { word, shape, change: Change::Never }
}

//! Links that are made of options: bridges, bonds, tunnels and their like.
//!
//! Options go by the words of ip-link(8) and hold the kernel's own values in the kernel's own units, so that what is asked for
//! compares with what is seen. [`VirtualKind::option`] finds a word, [`LinkOption::parse`] turns text into its value and
//! [`LinkOption::show`] back, so nobody else need know any of this. A kind's attributes and their numbers are `kernel`'s business.
//!
//! # Words
//!
//! `n..m` is a [`LinkValue::Number`], `0|1` one that [`LinkOption::parse`] reads from `on`, `yes` and their like too, names are
//! counted from 0 unless their number stands behind them. Marked † are those that cannot be changed: the link is made anew.
//! Marked ‡ are those that are changed while the link is down for a moment. The rest is changed in place.
//!
//! | kind | words |
//! |---|---|
//! | bridge | `forward_delay` `hello_time` `max_age` `ageing_time` (all in 1/100 s), `stp_state` 0\|1, `priority` 0..65535, `vlan_filtering` 0\|1, `vlan_protocol` 802.1Q (0x8100) 802.1ad (0x88a8), `vlan_default_pvid` 0..4094, `vlan_stats_enabled` `vlan_stats_per_port` 0\|1, `group_fwd_mask` 0..65535, `group_address` MAC, `no_linklocal_learn` 0\|1, `mcast_snooping` `mcast_vlan_snooping` `mcast_querier` `mcast_query_use_ifaddr` `mcast_stats_enabled` 0\|1, `mcast_router` 0..2, `mcast_hash_max` `mcast_last_member_count` `mcast_startup_query_count`, `mcast_last_member_interval` `mcast_membership_interval` `mcast_querier_interval` `mcast_query_interval` `mcast_query_response_interval` `mcast_startup_query_interval` (1/100 s), `mcast_igmp_version` 2..3, `mcast_mld_version` 1..2, `nf_call_iptables` `nf_call_ip6tables` `nf_call_arptables` 0\|1 |
//! | bond | `mode`† balance-rr active-backup balance-xor broadcast 802.3ad balance-tlb balance-alb, `miimon` `updelay` `downdelay` `peer_notify_delay` `arp_interval` (ms), `use_carrier` 0\|1, `arp_ip_target` list of IPv4, `ns_ip6_target` list of IPv6, `arp_validate` none active backup all filter filter_active filter_backup, `arp_all_targets` any all, `arp_missed_max` 1..255, `primary` `active_slave` link (set when all ports are in), `primary_reselect` always better failure, `fail_over_mac`† none active follow, `xmit_hash_policy` layer2 layer3+4 layer2+3 encap2+3 encap3+4 vlan+srcmac, `resend_igmp` 0..255, `num_grat_arp` 0..255 (also as num_unsol_na, num_peer_notif), `all_slaves_active` 0\|1, `min_links`, `lp_interval`, `packets_per_slave` 0..65535, `lacp_rate`‡ slow fast (also as ad_lacp_rate), `lacp_active`‡ off on, `ad_select`‡ stable bandwidth count, `ad_actor_sys_prio`‡ 1..65535, `ad_user_port_key`‡ 0..1023, `ad_actor_system`‡ MAC, `tlb_dynamic_lb`‡ 0\|1 |
//! | dummy, wireguard | none; WireGuard's keys and peers are [`Link::wireguard`](super::Link::wireguard) |
//! | macvlan, macvtap | parent; `mode`† private (1) vepa (2) bridge (4) passthru (8) source (16) |
//! | ipvlan | parent; `mode` l2 l3 l3s, `flags` bridge (0) private (1) vepa (2) |
//! | vrf | `table`† |
//! | vxlan | parent (`dev`) or none; `id`† 0..16777215, `local`† `remote`† `group`† address, `dstport`† `srcport`† (list of two), `ttl` 0..255, `tos` (1 inherits), `learning` 0\|1, `ageing` s, `maxaddress`, `df`† unset set inherit, `proxy`† `rsc`† `l2miss`† `l3miss`† `udpcsum`† `udp6zerocsumtx`† `udp6zerocsumrx`† 0\|1, `gbp`† `external`† 1 |
//! | gre, gretap | parent (`dev`) or none; all†: `local` `remote` IPv4, `ttl` (0 inherits), `tos` (1 inherits), `ikey` `okey` u32 (`key K` is both), `icsum` `ocsum` `iseq` `oseq` 1, `pmtudisc` `ignore-df` 0\|1, `fwmark` |
//! | ip6gre, ip6gretap | parent (`dev`) or none; all†: `local` `remote` IPv6, `hoplimit` (also as ttl; 64 if not given), `encaplimit` 0..255 none (256) (4 if not given), `ikey` `okey` `icsum` `ocsum` `iseq` `oseq` `fwmark` |
//! | ipip | parent (`dev`) or none; all†: `local` `remote` IPv4, `ttl` `tos` `pmtudisc` `fwmark`, `mode` any (0) ipip (4) mplsip (137) (ipip if not given) |
//! | sit | the same with `mode` any (0) ipip (4) ip6ip (41) mplsip (137) (ip6ip if not given), `ttl` 0 if not given, `isatap` 1 |
//! | ip6tnl | parent (`dev`) or none; all†: `local` `remote` IPv6, `hoplimit` (also as ttl; 64 if not given), `encaplimit` (4 if not given), `mode` any (0) ipip6 (4) ip6ip6 (41), `fwmark` |
//! | xfrm | parent (`dev`), the device that may take over IPsec, or none; `if_id`† 1..4294967295, by which IPsec's states and policies know it |
//! | tun, tap | all†: `user` uid, `group` gid, `multi_queue` `pi` `vnet_hdr` 1 |
//! | port of a bridge | `cost` 1..65535, `priority` 0..63, `hairpin` `guard` `root_block` `fastleave` `learning` `flood` `mcast_flood` `bcast_flood` `mcast_to_unicast` `proxy_arp` `proxy_arp_wifi` `neigh_suppress` `vlan_tunnel` `isolated` `locked` 0\|1, `mcast_router` 0..2, `group_fwd_mask` |
//! | port of a bond | `queue_id` 0..65535, `prio` |
//!
//! An address that stands for any is said by leaving the word out. [`Virtual::normalize`] turns what the kernel would round or
//! bound into what it will show.

use super::{LinkName, LinkOption, MacAddr, Netns, Place};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Options by the words of ip-link(8).
pub type LinkOptions = BTreeMap<String, LinkValue>;

/// A link that this program can make from options alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Virtual {
    /// What it is.
    pub kind: VirtualKind,
    /// The link that it stands on (`ip link add link PARENT …`, `… dev PARENT`), where its kind has one; it may be in another
    /// namespace, and is then where a tunnel's outer packets travel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Place>,
    /// For WireGuard, XFRM interfaces and tunnels without a parent: where the outer packets travel, if not in the namespace that the link is in.
    /// The link is made there and put into its own. Not known of a link that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth: Option<Netns>,
    /// Its options. In a desired state those that are not named are left as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: LinkOptions,
}

/// The kinds of [`Virtual`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "ip-link(8) has a chapter on each")]
pub enum VirtualKind {
    Bridge,
    Bond,
    Dummy,
    Macvlan,
    Macvtap,
    Ipvlan,
    Vrf,
    Vxlan,
    Gre,
    Gretap,
    Ip6gre,
    Ip6gretap,
    Ipip,
    Sit,
    Ip6tnl,
    Wireguard,
    Xfrm,
    Tun,
    Tap,
}

impl VirtualKind {
    /// Every kind.
    pub const ALL: [VirtualKind; 19] = [
        Self::Bridge,
        Self::Bond,
        Self::Dummy,
        Self::Macvlan,
        Self::Macvtap,
        Self::Ipvlan,
        Self::Vrf,
        Self::Vxlan,
        Self::Gre,
        Self::Gretap,
        Self::Ip6gre,
        Self::Ip6gretap,
        Self::Ipip,
        Self::Sit,
        Self::Ip6tnl,
        Self::Wireguard,
        Self::Xfrm,
        Self::Tun,
        Self::Tap,
    ];

    /// The word of `ip link add … type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Bond => "bond",
            Self::Dummy => "dummy",
            Self::Macvlan => "macvlan",
            Self::Macvtap => "macvtap",
            Self::Ipvlan => "ipvlan",
            Self::Vrf => "vrf",
            Self::Vxlan => "vxlan",
            Self::Gre => "gre",
            Self::Gretap => "gretap",
            Self::Ip6gre => "ip6gre",
            Self::Ip6gretap => "ip6gretap",
            Self::Ipip => "ipip",
            Self::Sit => "sit",
            Self::Ip6tnl => "ip6tnl",
            Self::Wireguard => "wireguard",
            Self::Xfrm => "xfrm",
            Self::Tun => "tun",
            Self::Tap => "tap",
        }
    }

    /// Whether links of this kind must have a parent.
    pub fn needs_parent(self) -> bool {
        matches!(self, Self::Macvlan | Self::Macvtap | Self::Ipvlan)
    }

    /// Whether its parent is an option of its own (`dev`) rather than what it is made on (`link`).
    pub fn names_parent_as_dev(self) -> bool {
        self == Self::Vxlan || self == Self::Xfrm || self.is_ip_tunnel()
    }

    /// Whether it is one of the tunnels of the kernel's `ip_tunnel` and `ip6_tunnel`. Outer packets of these travel in the namespace
    /// that the link was first in, so one that shall live elsewhere is made there and moved.
    pub fn is_ip_tunnel(self) -> bool {
        matches!(
            self,
            Self::Gre | Self::Gretap | Self::Ip6gre | Self::Ip6gretap | Self::Ipip | Self::Sit | Self::Ip6tnl
        )
    }

    /// Whether one that shall live elsewhere is made where its outer packets travel, and moved then. An XFRM interface is bound to
    /// the namespace that it was first in for good: that is where IPsec's states and policies are looked up
    /// (`net/xfrm/xfrm_interface_core.c`).
    pub fn is_moved_after_birth(self) -> bool {
        self == Self::Xfrm || self.is_ip_tunnel()
    }

    /// Whether it goes when its parent goes.
    pub fn dies_with_parent(self) -> bool {
        self.needs_parent() || self == Self::Vxlan
    }

    /// Whether links of this kind have ports that are nothing by themselves, so that these come first.
    pub fn is_made_of_ports(self) -> bool {
        matches!(self, Self::Bridge | Self::Bond)
    }
}

/// The value of a link's option.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkValue {
    /// A number, a flag (0 or 1) or a choice, as the kernel counts it.
    Number(u64),
    /// An address.
    Ip(IpAddr),
    /// A hardware address.
    Mac(MacAddr),
    /// A link of the same namespace.
    Link(LinkName),
    /// Several.
    List(Vec<LinkValue>),
}

impl Virtual {
    /// One without options.
    pub fn plain(kind: VirtualKind) -> Self {
        Self { kind, parent: None, birth: None, options: BTreeMap::new() }
    }

    /// One with options.
    pub fn new(kind: VirtualKind, parent: Option<Place>, options: LinkOptions) -> Self {
        Self { kind, parent, birth: None, options }
    }

    /// The namespace that it is made in, when it shall live in `home`.
    pub fn made_in<'a>(&'a self, home: &'a Netns) -> &'a Netns {
        self.parent.as_ref().map(|p| &p.netns).or(self.birth.as_ref()).unwrap_or(home)
    }

    /// Whether an existing link is of the same kind on the same parent, and so may be of different options only.
    pub fn is_the_same_link(&self, desired: &Virtual) -> bool {
        self.kind == desired.kind
            && (self.parent.is_none() || desired.parent.is_none() || self.parent == desired.parent)
    }

    /// Whether an existing link can be made into what `desired` asks for without making it anew.
    pub fn can_become(&self, desired: &Virtual) -> bool {
        self.is_the_same_link(desired) && self.differing(desired).all(|(option, _)| option.is_changeable())
    }

    /// Whether all options that `desired` names are so.
    pub fn satisfies(&self, desired: &Virtual) -> bool {
        self.is_the_same_link(desired) && desired.options.iter().all(|(k, v)| self.options.get(k) == Some(v))
    }

    /// The options that `desired` names and that are otherwise here.
    pub fn differing<'a>(&'a self, desired: &'a Virtual) -> impl Iterator<Item = (&'static LinkOption, &'a LinkValue)> {
        let other = |(word, value): &(&String, &LinkValue)| self.options.get(*word) != Some(value);
        desired.options.iter().filter(other).filter_map(|(word, value)| Some((desired.kind.option(word)?, value)))
    }

    /// Makes options be what the kernel will show: a bond's delays are whole multiples of `miimon`, and a bridge that speaks STP has
    /// a forward delay between 2 and 30 s.
    pub fn normalize(&mut self) {
        let number = |options: &LinkOptions, word: &str| match options.get(word) {
            Some(LinkValue::Number(n)) => Some(*n),
            _ => None,
        };
        match self.kind {
            VirtualKind::Bond => {
                let interval = number(&self.options, "miimon").filter(|n| *n > 0);
                for word in ["updelay", "downdelay", "peer_notify_delay"] {
                    if let Some((delay, interval)) = number(&self.options, word).zip(interval) {
                        self.options.insert(word.into(), LinkValue::Number(delay - delay % interval));
                    }
                }
            }
            VirtualKind::Bridge if number(&self.options, "stp_state") == Some(1) => {
                if let Some(delay) = number(&self.options, "forward_delay") {
                    self.options.insert("forward_delay".into(), LinkValue::Number(delay.clamp(200, 3000)));
                }
            }
            _ => {}
        }
    }

    /// Adds the options for which ip-link(8) and the kernel have different values where none are given.
    pub fn complete(&mut self) {
        use VirtualKind::{Ip6gre, Ip6gretap, Ip6tnl, Ipip, Sit, Vxlan};
        let external = self.options.get("external") == Some(&LinkValue::Number(1));
        let given: &[(&str, u64)] = match self.kind {
            Ip6gre | Ip6gretap | Ip6tnl => &[("hoplimit", 64), ("encaplimit", 4)],
            // `ipip` and `ip6ip`, as ip-tunnel(8) has it.
            Ipip => &[("mode", 4)],
            Sit => &[("mode", 41), ("ttl", 0)],
            Vxlan if external => &[("learning", 0)],
            _ => &[],
        };
        for (word, value) in given {
            self.options.entry((*word).to_owned()).or_insert(LinkValue::Number(*value));
        }
    }
}

//! The rows of the option table that are about what a link is: bridges and bonds as bridge-utils and ifenslave have them,
//! the other kinds by the names of ifupdown2 and ifupdown-ng.
//!
//! The modules below `kind` read them by name. Sources: bridge-utils-interfaces(5), ifenslave's README.Debian,
//! interfaces-bridge(5), -bond(5), -tunnel(5), -vrf(5), -vxlan(5) and -wireguard(5) of ifupdown-ng, and ifupdown2's
//! `ifupdown-addons-interfaces`(5). Those marked as "of this program" nobody else has.

use super::method::Methods;
use super::options::{Arity, Def, Key, Status};

/// An option of a kind, once in a stanza.
const fn one(name: &'static str, note: &'static str) -> Def {
    Def {
        key: Key::Kind,
        name,
        aliases: &[],
        arity: Arity::One,
        methods: Methods::ALL,
        status: Status::Supported,
        note,
    }
}

/// One that a stanza may have several times.
const fn many(name: &'static str, note: &'static str) -> Def {
    Def { arity: Arity::Many, ..one(name, note) }
}

const fn with(aliases: &'static [&'static str], def: Def) -> Def {
    Def { aliases, ..def }
}

const fn ignored(name: &'static str, why: &'static str) -> Def {
    Def { key: Key::Foreign, arity: Arity::Many, status: Status::Ignored(why), ..one(name, "") }
}

const fn refused(name: &'static str, why: &'static str) -> Def {
    Def { status: Status::Refused(why), ..ignored(name, "") }
}

/// Every known one.
#[rustfmt::skip]
pub(super) static LINK_OPTIONS: &[Def] = &[
    // bridge-utils
    many("bridge-ports", "the ports; `none`, `all`, `regex RE… noregex`, `glob NAME1-9… noglob`"),
    one("bridge-hw", "the bridge's hardware address, or the link that it is taken from"),
    one("bridge-vlan-aware", "`yes` filters by VLAN"),
    one("bridge-waitport", "seconds to wait for ports to appear, and which"),
    one("bridge-ageing", "seconds"),
    one("bridge-bridgeprio", "0 to 65535"),
    one("bridge-hello", "seconds, 1 to 10"),
    one("bridge-maxage", "seconds, 6 to 40"),
    one("bridge-fd", "seconds, 2 to 30 with STP"),
    one("bridge-stp", "`on` or `off`"),
    one("bridge-maxwait", "seconds to wait until ports forward; 0 waits for nothing"),
    many("bridge-pathcost", "`PORT COST`; in a port's own stanza `COST`"),
    many("bridge-portprio", "`PORT PRIORITY`, 0 to 63; in a port's own stanza `PRIORITY`"),
    ignored("bridge-gcint", "the kernel has no such setting any more"),
    ignored("bridge-token", "use an `up ip token set` command"),
    // ifupdown2, ifupdown-ng
    many("bridge-vids", "VLANs and ranges; on the bridge for all ports that say nothing else"),
    one("bridge-pvid", "the VLAN of frames without a tag; on the bridge for all ports that say nothing else"),
    one("bridge-access", "the only VLAN, without a tag"),
    one("bridge-allow-untagged", "`no`: frames without a tag are dropped"),
    with(&["bridge-pathcosts"], many("bridge-port-costs", "`PORT=COST`…")),
    with(&["bridge-portprios"], many("bridge-port-priorities", "`PORT=PRIORITY`…")),
    one("bridge-vlan-protocol", "`802.1q` or `802.1ad`"),
    one("bridge-mcsnoop", "`yes` or `no`"),
    one("bridge-mcquerier", "`yes` or `no`"),
    one("bridge-learning", "`on` or `off`, in a port's own stanza"),
    one("bridge-unicast-flood", "`on` or `off`, in a port's own stanza"),
    one("bridge-multicast-flood", "`on` or `off`, in a port's own stanza"),
    one("bridge-broadcast-flood", "`on` or `off`, in a port's own stanza"),
    one("bridge-arp-nd-suppress", "`on` or `off`, in a port's own stanza"),
    // ifenslave
    with(&["slaves", "bond-ports", "bond-members"], many("bond-slaves", "the slaves; `none`, `all`")),
    one("bond-mode", "by name or number"),
    one("bond-master", "the bond that this link is a slave of"),
    one("bond-primary", "the slave that is preferred; of several the first that is one"),
    one("bond-primary-reselect", "`always`, `better` or `failure`"),
    one("bond-fail-over-mac", "`none`, `active` or `follow`"),
    one("bond-use-carrier", "0 or 1"),
    one("bond-num-grat-arp", "0 to 255"),
    one("bond-num-unsol-na", "0 to 255; the same number"),
    many("bond-arp-ip-target", "up to 16 IPv4 addresses"),
    one("bond-arp-interval", "milliseconds"),
    one("bond-arp-validate", "`none`, `active`, `backup`, `all`, `filter`, `filter_active` or `filter_backup`"),
    one("bond-miimon", "milliseconds"),
    one("bond-downdelay", "milliseconds, a multiple of `bond-miimon`"),
    one("bond-updelay", "milliseconds, a multiple of `bond-miimon`"),
    one("bond-ad-select", "`stable`, `bandwidth` or `count`"),
    one("bond-xmit-hash-policy", "by name or number"),
    one("bond-tlb-dynamic-lb", "0 or 1"),
    one("bond-packets-per-slave", "0 to 65535"),
    one("bond-lacp-rate", "`slow` or `fast`"),
    many("bond-queue-id", "`SLAVE:QUEUE`…; in a slave's own stanza `QUEUE`"),
    ignored("bond-active-slave", "it changes by itself; `bond-primary` says which slave is preferred"),
    ignored("bond-give-a-chance", "nothing here waits for wireless hardware"),
    // ifupdown2, ifupdown-ng
    one("bond-arp-all-targets", "`any` or `all`"),
    one("bond-min-links", "a number"),
    one("bond-all-slaves-active", "0 or 1"),
    one("bond-resend-igmp", "0 to 255"),
    one("bond-lp-interval", "seconds"),
    with(&["bond-ad-sys-priority"], one("bond-ad-actor-sys-prio", "1 to 65535")),
    with(&["bond-ad-sys-mac-addr"], one("bond-ad-actor-system", "a hardware address")),
    one("bond-ad-user-port-key", "0 to 1023"),
    ignored("bond-lacp-bypass-allow", "the kernel has no such setting"),
    // links that are made
    one("link-type", "the kind of link to make"),
    many("use", "`dhcp`, `wireguard`, `bridge`, `bond`, `vxlan`, `tunnel` or another executor of ifupdown-ng"),
    one("veth-peer-name", "the other end of a pair inside of the namespace"),
    with(&["macvlan-parent", "macvtap-parent", "ipvlan-parent"], one("raw-device", "the link that it stands on; of this program")),
    with(&["macvtap-mode"], one("macvlan-mode", "`private`, `vepa`, `bridge`, `passthru` or `source`; of this program")),
    one("ipvlan-mode", "`l2`, `l3` or `l3s`; of this program"),
    with(&["tunctl-user"], one("tuntap-owner", "a user's name or number; of this program")),
    one("tuntap-group", "a group's name or number; of this program"),
    // vrf
    one("vrf-table", "a table, or `auto`"),
    with(&["vrf-member"], one("vrf", "the VRF that this link is in")),
    one("vrf-default-route", "`no`: what the table does not know is looked up in the main table"),
    // vxlan
    one("vxlan-id", "0 to 16777215"),
    with(&["vxlan-local-tunnelip"], one("vxlan-local-ip", "an address")),
    with(&["vxlan-remoteip", "vxlan-remote-ip"], many("vxlan-peer-ips", "one address")),
    with(&["vxlan-svcnodeip", "vxlan-mcastgrp", "vxlan-remote-group"], one("vxlan-peer-group", "a multicast group")),
    one("vxlan-physdev", "the link that it stands on"),
    with(&["vxlan-port"], one("vxlan-dstport", "a port; 4789")),
    one("vxlan-learning", "`on` or `off`"),
    one("vxlan-ageing", "seconds"),
    one("vxlan-ttl", "0 to 255"),
    one("vxlan-tos", "0 to 255"),
    // tunnels; `mode`, `endpoint`, `local` and `ttl` are those of the methods
    with(&["gre-mode"], one("tunnel-mode", "`gre`, `gretap`, `ip6gre`, `ip6gretap`, `ipip`, `sit`, `ipip6` or `ip6ip6`")),
    with(&["gre-local"], one("tunnel-local", "an address")),
    with(&["gre-remote", "tunnel-endpoint"], one("tunnel-remote", "an address, or `any`")),
    with(&["gre-ttl", "tunnel-hoplimit"], one("tunnel-ttl", "0 to 255, or `inherit`")),
    with(&["tunnel-dev", "gre-dev"], one("tunnel-physdev", "the link that it stands on")),
    one("tunnel-tos", "0 to 255, or `inherit`"),
    one("tunnel-pmtudisc", "`yes` or `no`"),
    one("tunnel-key", "a number or four, for both directions"),
    one("tunnel-ikey", "a number or four"),
    one("tunnel-okey", "a number or four"),
    refused("tunnel-local-dev", "an address that comes later cannot be known; use `tunnel-local`"),
    refused("tunnel-encap", "foo-over-udp is not supported; make the link with a `pre-up` command"),
    ignored("tunnel-ignore-df", "use an `up` command"),
    ignored("gre-flags", "use an `up` command"),
    // wireguard
    one("wireguard-config-path", "a file for wg(8), an absolute path; `/etc/wireguard/NAME.conf`"),
    one("wireguard-netns", "`host`: its UDP socket is in the host's namespace; of this program"),
    // forwarding
    with(&["forward-ipv4"], one("ip-forward", "`yes` or `no`")),
    with(&["forward-ipv6"], one("ip6-forward", "`yes` or `no`")),
    many("requires", "links that are brought up before"),
];

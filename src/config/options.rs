//! The one table of options: every word that interfaces(5) and the packages around ifupdown give a meaning, with its
//! other spellings, the methods that it belongs to, what twice means, and what becomes of it here.
//!
//! To support an option, give its row a [`Key`] and read that key where it acts. Sources: interfaces(5),
//! bridge-utils-interfaces(5), vlan-interfaces(5), ifenslave's and resolvconf's README, ethtool's if-up.d scripts.

use super::method::Methods;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

/// An option that means something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Key {
    Address,
    Netmask,
    Broadcast,
    Metric,
    Gateway,
    Pointopoint,
    Hwaddress,
    Mtu,
    Scope,
    PreferredLifetime,
    AcceptRa,
    Autoconf,
    Privext,
    DadAttempts,
    DadInterval,
    Description,
    Route,
    Rule,
    PreUp,
    Up,
    Down,
    PostDown,
    VlanRawDevice,
    VlanId,
    VlanProtocol,
    ProxyArp,
    RpFilter,
    Dns(Names),
    Hostname,
    Leasetime,
    Vendor,
    ClientId,
    DhcpClient,
    DhcpTimeout,
    Dhcp,
    RequestPrefix,
    LlAttempts,
    LlInterval,
    /// Known, and without effect.
    Foreign,
}

/// What a line of a resolv.conf(5) says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Names {
    Servers,
    Search,
    Domain,
    Sortlist,
    Options,
}

/// What it means to write an option twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arity {
    /// A mistake. A heir's own replaces the inherited one.
    One,
    /// Each counts. A heir's own replace the inherited ones.
    Many,
    /// Each counts. A heir's own follow the inherited ones.
    Grows,
}

/// What becomes of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// It does what its documentation says.
    Supported,
    /// It is left aside with a warning that says why; commands see it.
    Ignored(&'static str),
    /// It would make or change a link in a way that is not there yet: an error.
    NotYet,
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Def {
    pub key: Key,
    /// The name to show, with `-`.
    pub name: &'static str,
    /// Other names for the same.
    pub aliases: &'static [&'static str],
    pub arity: Arity,
    /// Where it has an effect.
    pub methods: Methods,
    pub status: Status,
}

const fn one(key: Key, name: &'static str, methods: Methods) -> Def {
    Def { key, name, aliases: &[], arity: Arity::One, methods, status: Status::Supported }
}

const fn many(key: Key, name: &'static str, methods: Methods) -> Def {
    Def { arity: Arity::Many, ..one(key, name, methods) }
}

const fn grows(key: Key, name: &'static str, aliases: &'static [&'static str], methods: Methods) -> Def {
    Def { arity: Arity::Grows, aliases, ..one(key, name, methods) }
}

/// An option of a method that is not supported yet, or one without effect in Linux.
const fn of(name: &'static str, methods: Methods) -> Def {
    Def { arity: Arity::Many, ..one(Key::Foreign, name, methods) }
}

const fn ignored(name: &'static str, why: &'static str) -> Def {
    Def { status: Status::Ignored(why), ..of(name, Methods::ALL) }
}

const fn not_yet(name: &'static str) -> Def {
    Def { status: Status::NotYet, ..of(name, Methods::ALL) }
}

const fn dns(names: Names, name: &'static str, aliases: &'static [&'static str]) -> Def {
    Def { aliases, ..many(Key::Dns(names), name, Methods::ALL) }
}

const DHCP: Methods = Methods::INET_DHCP.or(Methods::INET6_DHCP);
const TUNNEL: Methods = Methods::INET_TUNNEL.or(Methods::INET6_TUNNEL);
const AUTO: Methods = Methods::INET6_AUTO.or(Methods::INET6_DHCP);
const ASK: Methods = Methods::ASK.or(Methods::INET6_AUTO);
const BOOTP: &str = "only bootpc had it; any server's reply is taken";
const ETHTOOL: &str = "ethtool is not run; use an `up` command";
const WIRELESS: &str = "nothing here speaks to wireless hardware; use an `up` command";
const OTHERS: &str = "only ifupdown2 and ifupdown-ng give it a meaning";

/// Every known option.
#[rustfmt::skip]
static OPTIONS: &[Def] = &[
    // ifupdown
    many(Key::Address, "address", Methods::STATIC.or(TUNNEL)),
    one(Key::Netmask, "netmask", Methods::STATIC.or(TUNNEL)),
    one(Key::Broadcast, "broadcast", Methods::INET_STATIC),
    one(Key::Metric, "metric", Methods::STATIC.or(Methods::INET_DHCP).or(TUNNEL)),
    one(Key::Gateway, "gateway", Methods::STATIC.or(TUNNEL)),
    Def { aliases: &["pointtopoint"], ..one(Key::Pointopoint, "pointopoint", Methods::INET_STATIC) },
    Def { aliases: &["hw-mac-address"], ..one(Key::Hwaddress, "hwaddress", Methods::LINK.or(Methods::ASK)) },
    one(Key::Mtu, "mtu", Methods::LINK.or(TUNNEL).or(Methods::ASK)),
    one(Key::Scope, "scope", Methods::STATIC),
    one(Key::PreferredLifetime, "preferred-lifetime", Methods::INET6_STATIC.or(Methods::INET6_TUNNEL)),
    one(Key::AcceptRa, "accept-ra", Methods::INET6_STATIC.or(AUTO)),
    one(Key::Autoconf, "autoconf", Methods::INET6_STATIC.or(Methods::INET6_DHCP)),
    one(Key::Privext, "privext", Methods::INET6_STATIC.or(Methods::INET6_AUTO)),
    one(Key::DadAttempts, "dad-attempts", Methods::INET6_STATIC),
    one(Key::DadInterval, "dad-interval", Methods::INET6_STATIC),
    Def { status: Status::Ignored("no driver of Linux has it any more"), ..of("media", Methods::STATIC) },
    one(Key::Description, "description", Methods::ALL),
    grows(Key::PreUp, "pre-up", &[], Methods::ALL),
    grows(Key::Up, "up", &["post-up"], Methods::ALL),
    grows(Key::Down, "down", &["pre-down"], Methods::ALL),
    grows(Key::PostDown, "post-down", &[], Methods::ALL),
    // this program
    grows(Key::Route, "route", &[], Methods::LINK.or(ASK)),
    grows(Key::Rule, "rule", &[], Methods::LINK.or(ASK)),
    // addresses from the network
    one(Key::Hostname, "hostname", DHCP), one(Key::Leasetime, "leasetime", Methods::INET_DHCP),
    one(Key::Vendor, "vendor", Methods::INET_DHCP), one(Key::ClientId, "client", Methods::INET_DHCP),
    Def { aliases: &["dhcp-program"], ..one(Key::DhcpClient, "dhcp-client", ASK) },
    one(Key::DhcpTimeout, "dhcp-timeout", ASK), one(Key::Dhcp, "dhcp", Methods::INET6_AUTO),
    one(Key::RequestPrefix, "request-prefix", AUTO), one(Key::LlAttempts, "ll-attempts", AUTO),
    one(Key::LlInterval, "ll-interval", AUTO), ignored("leasehours", "only pump had it; write `leasetime`, in seconds"),
    ignored("bootfile", BOOTP), ignored("server", BOOTP), ignored("hwaddr", BOOTP),
    // methods that are not there yet
    of("provider", Methods::INET_PPP), of("unit", Methods::INET_PPP), of("options", Methods::INET_PPP),
    of("mode", TUNNEL), of("endpoint", TUNNEL), of("dstaddr", TUNNEL), of("local", TUNNEL), of("ttl", TUNNEL),
    of("encaplimit", TUNNEL), of("bitrate", Methods::CAN), of("samplepoint", Methods::CAN), of("loopback", Methods::CAN),
    of("listenonly", Methods::CAN), of("triple", Methods::CAN), of("oneshot", Methods::CAN), of("berr", Methods::CAN),
    of("restart-ms", Methods::CAN),
    // vlan
    one(Key::VlanRawDevice, "vlan-raw-device", Methods::ALL),
    one(Key::VlanId, "vlan-id", Methods::ALL),
    one(Key::VlanProtocol, "vlan-protocol", Methods::ALL),
    one(Key::ProxyArp, "ip-proxy-arp", Methods::ALL),
    one(Key::RpFilter, "ip-rp-filter", Methods::ALL),
    // bridge-utils
    not_yet("bridge-ports"), not_yet("bridge-hw"), not_yet("bridge-vlan-aware"), not_yet("bridge-waitport"),
    not_yet("bridge-ageing"), not_yet("bridge-bridgeprio"), not_yet("bridge-gcint"), not_yet("bridge-hello"),
    not_yet("bridge-maxage"), not_yet("bridge-maxwait"), not_yet("bridge-pathcost"), not_yet("bridge-portprio"),
    not_yet("bridge-stp"), not_yet("bridge-fd"), not_yet("bridge-token"),
    ignored("bridge-vids", OTHERS), ignored("bridge-pvid", OTHERS), ignored("bridge-access", OTHERS),
    // ifenslave
    Def { aliases: &["slaves"], ..not_yet("bond-slaves") },
    not_yet("bond-mode"), not_yet("bond-master"), not_yet("bond-give-a-chance"), not_yet("bond-primary"),
    not_yet("bond-primary-reselect"), not_yet("bond-fail-over-mac"), not_yet("bond-use-carrier"),
    not_yet("bond-num-grat-arp"), not_yet("bond-num-unsol-na"), not_yet("bond-arp-ip-target"),
    not_yet("bond-arp-interval"), not_yet("bond-miimon"), not_yet("bond-downdelay"), not_yet("bond-updelay"),
    not_yet("bond-ad-select"), not_yet("bond-xmit-hash-policy"), not_yet("bond-tlb-dynamic-lb"),
    not_yet("bond-packets-per-slave"), not_yet("bond-arp-validate"), not_yet("bond-lacp-rate"),
    not_yet("bond-queue-id"), not_yet("bond-active-slave"),
    // resolvconf
    dns(Names::Servers, "dns-nameservers", &["dns-nameserver", "nameserver", "nameservers"]),
    dns(Names::Search, "dns-search", &[]), dns(Names::Domain, "dns-domain", &[]),
    dns(Names::Sortlist, "dns-sortlist", &[]), dns(Names::Options, "dns-options", &[]),
    // ethtool
    ignored("link-speed", ETHTOOL), ignored("link-duplex", ETHTOOL), ignored("link-autoneg", ETHTOOL),
    ignored("hardware-dma-ring-rx", ETHTOOL), ignored("hardware-dma-ring-tx", ETHTOOL),
    ignored("hardware-irq-coalesce-rx-usecs", ETHTOOL), ignored("driver-message-level", ETHTOOL),
    // ifupdown-ng, ifupdown2
    ignored("link-type", OTHERS), ignored("vrf", OTHERS), ignored("vxlan-id", OTHERS), ignored("requires", OTHERS),
    ignored("use", OTHERS),
];

/// Families of options with too many names to list: the beginning of the name, and what becomes of all of them.
static PREFIXES: &[Def] = &[
    ignored("wpa-", WIRELESS),
    ignored("wireless-", WIRELESS),
    ignored("ethernet-", ETHTOOL),
    ignored("offload-", ETHTOOL),
    ignored("ethtool-", ETHTOOL),
    ignored("vxlan-", OTHERS),
];

/// The longest name in the table, and more.
const LONGEST: usize = 64;

/// The row of an option as it is written, if it is a known one.
pub(super) fn find(name: &str) -> Option<&'static Def> {
    static INDEX: OnceLock<HashMap<&'static str, &'static Def>> = OnceLock::new();
    let index = INDEX.get_or_init(|| names().collect());
    if name.len() > LONGEST {
        return None;
    }
    let name = plain(name);
    let by_prefix = || PREFIXES.iter().find(|def| name.len() > def.name.len() && name.starts_with(def.name));
    index.get(&*name).copied().or_else(by_prefix)
}

/// Every name in the table, for guesses.
pub(super) fn names() -> impl Iterator<Item = (&'static str, &'static Def)> {
    OPTIONS.iter().flat_map(|def| std::iter::once(&def.name).chain(def.aliases).map(move |name| (*name, def)))
}

/// The name with `-` for `_`: bridge-utils has both, and so has everything that reads the environment.
pub(super) fn plain(name: &str) -> Cow<'_, str> {
    if name.contains('_') { Cow::Owned(name.replace('_', "-")) } else { Cow::Borrowed(name) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_stands_in_the_table_once() {
        let mut seen = BTreeSet::new();
        for (name, _) in names() {
            assert!(seen.insert(name), "{name} twice");
            assert!(!name.contains('_') && name.len() <= LONGEST, "{name}");
        }
    }

    #[test]
    fn spellings_lead_to_the_same_row() {
        assert_eq!(find("accept_ra").map(|def| def.key), Some(Key::AcceptRa));
        assert_eq!(find("post-up").map(|def| def.name), Some("up"));
        assert_eq!(find("bridge_ports").map(|def| def.status), Some(Status::NotYet));
        assert_eq!(find("wpa-ssid").map(|def| def.name), Some("wpa-"));
        assert!(find("wpa-").is_none());
        assert!(find("Address").is_none());
    }
}

//! The one table of options: every word that interfaces(5) and the packages around ifupdown give a meaning, with its
//! other spellings, the methods that it belongs to, what twice means, and what becomes of it here.
//!
//! To support an option, give its row a [`Key`] and read that key where it acts. Sources: interfaces(5),
//! bridge-utils-interfaces(5), vlan-interfaces(5), ifenslave's and resolvconf's README, ethtool's if-up.d scripts.

use super::link_rows::LINK_OPTIONS;
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
    /// Of what a link is; those who read it know it by its name.
    Kind,
    /// Known, and without effect.
    Foreign,
    /// A word of the command that the method runs.
    OfCommand,
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
    /// Without it the link would not be what the file asks for: an error that says why.
    Refused(&'static str),
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
    /// Its values, in few words.
    pub note: &'static str,
}

const fn one(key: Key, name: &'static str, methods: Methods) -> Def {
    Def { key, name, aliases: &[], arity: Arity::One, methods, status: Status::Supported, note: "" }
}

const fn many(key: Key, name: &'static str, methods: Methods) -> Def {
    Def { arity: Arity::Many, ..one(key, name, methods) }
}

const fn grows(key: Key, name: &'static str, aliases: &'static [&'static str], methods: Methods) -> Def {
    Def { arity: Arity::Grows, aliases, ..one(key, name, methods) }
}

const fn noted(note: &'static str, def: Def) -> Def {
    Def { note, ..def }
}

/// An option of a method that is not supported yet, or one without effect in Linux.
const fn of(name: &'static str, methods: Methods) -> Def {
    Def { arity: Arity::Many, ..one(Key::Foreign, name, methods) }
}

const fn of_command(name: &'static str, methods: Methods) -> Def {
    one(Key::OfCommand, name, methods)
}

const fn ignored(name: &'static str, why: &'static str) -> Def {
    Def { status: Status::Ignored(why), ..of(name, Methods::ALL) }
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

/// Every known option.
#[rustfmt::skip]
static OPTIONS: &[Def] = &[
    // ifupdown
    noted("`ADDRESS[/PREFIX]`; each is one more address", many(Key::Address, "address", Methods::STATIC.or(TUNNEL))),
    noted("bits, or four numbers", one(Key::Netmask, "netmask", Methods::STATIC.or(TUNNEL))),
    noted("an address, `+` or `-`", one(Key::Broadcast, "broadcast", Methods::INET_STATIC)),
    noted("of the default route", one(Key::Metric, "metric", Methods::STATIC.or(Methods::INET_DHCP).or(TUNNEL))),
    noted("the next hop of the default route", many(Key::Gateway, "gateway", Methods::STATIC.or(TUNNEL))),
    noted("the far end's address", Def { aliases: &["pointtopoint", "point-to-point"], ..one(Key::Pointopoint, "pointopoint", Methods::INET_STATIC) }),
    noted("`[ether] MAC` or `random`", Def { aliases: &["hw-mac-address"], ..one(Key::Hwaddress, "hwaddress", Methods::LINK.or(Methods::ASK)) }),
    noted("bytes; in `inet6` it only raises", one(Key::Mtu, "mtu", Methods::LINK.or(TUNNEL).or(Methods::ASK))),
    noted("`global`, `site`, `link` or `host`", one(Key::Scope, "scope", Methods::STATIC)),
    noted("seconds or `forever`", one(Key::PreferredLifetime, "preferred-lifetime", Methods::INET6_STATIC.or(Methods::INET6_TUNNEL))),
    noted("0 to 2", one(Key::AcceptRa, "accept-ra", Methods::INET6_STATIC.or(AUTO))),
    noted("0 or 1", one(Key::Autoconf, "autoconf", Methods::INET6_STATIC.or(Methods::INET6_DHCP))),
    noted("0 to 2", one(Key::Privext, "privext", Methods::INET6_STATIC.or(Methods::INET6_AUTO))),
    noted("0 does not look for duplicates", one(Key::DadAttempts, "dad-attempts", Methods::INET6_STATIC)),
    noted("seconds", one(Key::DadInterval, "dad-interval", Methods::INET6_STATIC)),
    Def { status: Status::Ignored("no driver of Linux has it any more"), ..of("media", Methods::STATIC) },
    noted("text", Def { aliases: &["alias"], ..one(Key::Description, "description", Methods::ALL) }),
    noted("a command", grows(Key::PreUp, "pre-up", &[], Methods::ALL)),
    noted("a command", grows(Key::Up, "up", &["post-up"], Methods::ALL)),
    noted("a command", grows(Key::Down, "down", &["pre-down"], Methods::ALL)),
    noted("a command", grows(Key::PostDown, "post-down", &[], Methods::ALL)),
    // this program
    noted("in the words of ip-route(8); of this program", grows(Key::Route, "route", &[], Methods::LINK.or(ASK).or(TUNNEL))),
    noted("in the words of ip-rule(8); of this program", grows(Key::Rule, "rule", &[], Methods::LINK.or(ASK).or(TUNNEL))),
    // tunnels, by the methods' names
    Def { note: "as `tunnel-mode`", ..one(Key::Kind, "mode", Methods::ALL) },
    Def { note: "as `tunnel-remote`", ..one(Key::Kind, "endpoint", Methods::ALL) },
    Def { note: "as `tunnel-local`", ..one(Key::Kind, "local", Methods::ALL) },
    Def { note: "as `tunnel-ttl`", ..one(Key::Kind, "ttl", Methods::ALL) },
    Def { note: "0 to 255, or `none`", ..one(Key::Kind, "encaplimit", Methods::ALL) },
    Def { note: "the far end's address", ..one(Key::Pointopoint, "dstaddr", TUNNEL) },
    // addresses from the network
    one(Key::Hostname, "hostname", DHCP), one(Key::Leasetime, "leasetime", Methods::INET_DHCP),
    one(Key::Vendor, "vendor", Methods::INET_DHCP), one(Key::ClientId, "client", Methods::INET_DHCP),
    Def { aliases: &["dhcp-program"], ..one(Key::DhcpClient, "dhcp-client", ASK) },
    one(Key::DhcpTimeout, "dhcp-timeout", ASK), one(Key::Dhcp, "dhcp", Methods::INET6_AUTO),
    one(Key::RequestPrefix, "request-prefix", AUTO), one(Key::LlAttempts, "ll-attempts", AUTO),
    one(Key::LlInterval, "ll-interval", AUTO), ignored("leasehours", "only pump had it; write `leasetime`, in seconds"),
    ignored("bootfile", BOOTP), ignored("server", BOOTP), ignored("hwaddr", BOOTP),
    // methods that are commands
    of_command("provider", Methods::INET_PPP), of_command("unit", Methods::INET_PPP),
    of_command("options", Methods::INET_PPP), of_command("bitrate", Methods::CAN),
    of_command("samplepoint", Methods::CAN), of_command("loopback", Methods::CAN),
    of_command("listenonly", Methods::CAN), of_command("triple", Methods::CAN), of_command("oneshot", Methods::CAN),
    of_command("berr", Methods::CAN), of_command("restart-ms", Methods::CAN),
    // vlan
    noted("the link that carries the VLAN", one(Key::VlanRawDevice, "vlan-raw-device", Methods::ALL)),
    noted("0 to 4094", one(Key::VlanId, "vlan-id", Methods::ALL)),
    noted("`802.1q` or `802.1ad`", one(Key::VlanProtocol, "vlan-protocol", Methods::ALL)),
    noted("0 or 1", one(Key::ProxyArp, "ip-proxy-arp", Methods::ALL)),
    noted("0 to 2", one(Key::RpFilter, "ip-rp-filter", Methods::ALL)),
    // resolvconf
    dns(Names::Servers, "dns-nameservers", &["dns-nameserver", "nameserver", "nameservers"]),
    dns(Names::Search, "dns-search", &[]), dns(Names::Domain, "dns-domain", &[]),
    dns(Names::Sortlist, "dns-sortlist", &[]), dns(Names::Options, "dns-options", &[]),
    // ethtool
    ignored("link-speed", ETHTOOL), ignored("link-duplex", ETHTOOL), ignored("link-autoneg", ETHTOOL),
    ignored("hardware-dma-ring-rx", ETHTOOL), ignored("hardware-dma-ring-tx", ETHTOOL),
    ignored("hardware-irq-coalesce-rx-usecs", ETHTOOL), ignored("driver-message-level", ETHTOOL),
];

/// Families of options with too many names to list: the beginning of the name, and what becomes of all of them.
static PREFIXES: &[Def] = &[
    ignored("wpa-", WIRELESS),
    ignored("wireless-", WIRELESS),
    ignored("ethernet-", ETHTOOL),
    ignored("offload-", ETHTOOL),
    ignored("ethtool-", ETHTOOL),
    ignored("mstpctl-", "mstpd is not run; the kernel's own STP is `bridge-stp`"),
    ignored("batman-", "B.A.T.M.A.N. is not supported; use an `up` command"),
    ignored("mpls-", "MPLS is not supported; use an `up` command"),
    ignored("ovs-", "Open vSwitch is not supported"),
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

/// Every row.
pub(super) fn defs() -> impl Iterator<Item = &'static Def> {
    OPTIONS.iter().chain(LINK_OPTIONS)
}

/// The beginnings of names.
pub(super) fn prefixes() -> impl Iterator<Item = &'static Def> {
    PREFIXES.iter()
}

/// Every name in the table, for guesses.
pub(super) fn names() -> impl Iterator<Item = (&'static str, &'static Def)> {
    defs().flat_map(|def| std::iter::once(&def.name).chain(def.aliases).map(move |name| (*name, def)))
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
        assert_eq!(find("bridge_ports").map(|def| def.status), Some(Status::Supported));
        assert_eq!(find("wpa-ssid").map(|def| def.name), Some("wpa-"));
        assert!(find("wpa-").is_none());
        assert!(find("Address").is_none());
    }
}

//! The families and methods of interfaces(5), and which of them mean something here.
//!
//! Sources: interfaces(5), sections "INET ADDRESS FAMILY" and following; names only, what each does is in [`super::inet`],
//! [`super::inet6`] and [`super::dhcp`]. A method that is not there yet has no [`Means`]; giving it one is how it is added.

use super::guess;
use super::value::shown;
use crate::interfaces::diagnostic::{Diagnostic, Word};
use crate::model::Protocol;

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
}

/// What a method does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// `lo` and nothing else: the kernel gives it its addresses when it goes up.
    Loopback,
    /// Addresses and routes from the file.
    Static,
    /// The link only.
    Manual,
    /// Addresses from the network, by a client.
    Ask(Protocol),
    /// IPv6 addresses that routers advertise; what goes with them by a client, if that is asked for.
    Auto,
    /// A tunnel that the method makes, with addresses and routes from the file.
    Tunnel,
    /// A connection that a command dials. The stanza's name is no link's.
    Dial,
    /// The link, whose bus a command sets up.
    Can,
}

/// A set of methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Methods(u32);

impl Methods {
    pub const INET_LOOPBACK: Methods = Methods(1);
    pub const INET_STATIC: Methods = Methods(1 << 1);
    pub const INET_MANUAL: Methods = Methods(1 << 2);
    pub const INET_DHCP: Methods = Methods(1 << 3);
    pub const INET_BOOTP: Methods = Methods(1 << 4);
    pub const INET_TUNNEL: Methods = Methods(1 << 5);
    pub const INET_PPP: Methods = Methods(1 << 6);
    pub const INET6_LOOPBACK: Methods = Methods(1 << 7);
    pub const INET6_STATIC: Methods = Methods(1 << 8);
    pub const INET6_MANUAL: Methods = Methods(1 << 9);
    pub const INET6_AUTO: Methods = Methods(1 << 10);
    pub const INET6_DHCP: Methods = Methods(1 << 11);
    pub const INET6_TUNNEL: Methods = Methods(1 << 12);
    pub const CAN: Methods = Methods(1 << 13);
    const OTHER: Methods = Methods(1 << 14);
    pub const INET_LL: Methods = Methods(1 << 15);
    /// Those with a client.
    pub const ASK: Methods = Self::INET_DHCP.or(Self::INET_BOOTP).or(Self::INET_LL).or(Self::INET6_DHCP);
    /// `static` of either family.
    pub const STATIC: Methods = Self::INET_STATIC.or(Self::INET6_STATIC);
    /// `static` and `manual` of either family.
    pub const LINK: Methods = Self::STATIC.or(Self::INET_MANUAL).or(Self::INET6_MANUAL);
    /// Every method.
    pub const ALL: Methods = Methods(u32::MAX);

    /// The methods of both sets.
    pub const fn or(self, other: Methods) -> Methods {
        Methods(self.0 | other.0)
    }

    /// Whether one is in both.
    pub const fn meets(self, other: Methods) -> bool {
        self.0 & other.0 != 0
    }
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Method {
    /// The family's word.
    pub family: &'static str,
    /// The method's word.
    pub name: &'static str,
    /// Itself, for the sets of the option table.
    pub bit: Methods,
    /// What it does; `None` when it is not supported yet.
    pub means: Option<(Family, Means)>,
}

const fn row(family: &'static str, name: &'static str, bit: Methods, means: Option<(Family, Means)>) -> Method {
    Method { family, name, bit, means }
}

/// Every family and method that ifupdown knows.
static METHODS: [Method; 22] = [
    row("inet", "loopback", Methods::INET_LOOPBACK, Some((Family::Inet, Means::Loopback))),
    row("inet", "static", Methods::INET_STATIC, Some((Family::Inet, Means::Static))),
    row("inet", "manual", Methods::INET_MANUAL, Some((Family::Inet, Means::Manual))),
    row("inet", "dhcp", Methods::INET_DHCP, Some((Family::Inet, Means::Ask(Protocol::Dhcp)))),
    row("inet", "bootp", Methods::INET_BOOTP, Some((Family::Inet, Means::Ask(Protocol::Bootp)))),
    row("inet", "tunnel", Methods::INET_TUNNEL, Some((Family::Inet, Means::Tunnel))),
    row("inet", "ppp", Methods::INET_PPP, Some((Family::Inet, Means::Dial))),
    row("inet", "wvdial", Methods::OTHER, None),
    row("inet", "ipv4ll", Methods::INET_LL, Some((Family::Inet, Means::Ask(Protocol::Ipv4ll)))),
    row("inet6", "loopback", Methods::INET6_LOOPBACK, Some((Family::Inet6, Means::Loopback))),
    row("inet6", "static", Methods::INET6_STATIC, Some((Family::Inet6, Means::Static))),
    row("inet6", "manual", Methods::INET6_MANUAL, Some((Family::Inet6, Means::Manual))),
    row("inet6", "auto", Methods::INET6_AUTO, Some((Family::Inet6, Means::Auto))),
    row("inet6", "dhcp", Methods::INET6_DHCP, Some((Family::Inet6, Means::Ask(Protocol::Dhcp6)))),
    row("inet6", "tunnel", Methods::INET6_TUNNEL, Some((Family::Inet6, Means::Tunnel))),
    row("inet6", "v4tunnel", Methods::INET6_TUNNEL, Some((Family::Inet6, Means::Tunnel))),
    row("inet6", "6to4", Methods::INET6_TUNNEL, Some((Family::Inet6, Means::Tunnel))),
    row("can", "static", Methods::CAN, Some((Family::Inet, Means::Can))),
    row("ipx", "static", Methods::OTHER, None),
    row("ipx", "dynamic", Methods::OTHER, None),
    row("meta", "none", Methods::OTHER, None),
    row("meta", "loopback", Methods::OTHER, None),
];

/// The row of a family and method, or what is wrong with the words.
pub(super) fn find(family: &Word, method: &Word) -> Result<&'static Method, Diagnostic> {
    let mut of_family = METHODS.iter().filter(|row| row.family == family.value).peekable();
    if of_family.peek().is_none() {
        let error = Diagnostic::error(&family.span, format!("unknown family `{}`", shown(&family.value)));
        let guess = guess::nearest(&family.value, METHODS.iter().map(|row| row.family));
        return Err(error.help(guess.map_or("families are `inet` and `inet6`".to_owned(), guess::did_you_mean)));
    }
    let names: Vec<&str> = of_family.clone().map(|row| row.name).collect();
    of_family.find(|row| row.name == method.value).ok_or_else(|| {
        let message = format!("unknown method `{}` of family `{}`", shown(&method.value), family.value);
        let guess = guess::nearest(&method.value, names.iter().copied());
        let help = guess.map_or_else(|| format!("its methods are {}", names.join(", ")), guess::did_you_mean);
        Diagnostic::error(&method.span, message).help(help)
    })
}

/// The methods of a set, as the file says them.
pub(super) fn names(methods: Methods) -> Vec<String> {
    let of_set = METHODS.iter().filter(|row| methods.meets(row.bit));
    of_set.map(|row| format!("{} {}", row.family, row.name)).collect()
}

/// Whether any method of a set is supported.
pub(super) fn any_supported(methods: Methods) -> bool {
    METHODS.iter().any(|row| methods.meets(row.bit) && row.means.is_some())
}

/// What to do in the place of a method that is not supported.
pub(super) fn instead(method: &Method) -> Option<&'static str> {
    match (method.family, method.name) {
        ("inet", "wvdial") => Some("use `inet ppp`"),
        ("ipx", _) => Some("Linux has no IPX any more"),
        _ => None,
    }
}

/// The row of a family's method that is known to be there.
pub(super) fn of(family: Family, means: Means) -> &'static Method {
    METHODS.iter().find(|row| row.means == Some((family, means))).unwrap_or(&METHODS[0])
}

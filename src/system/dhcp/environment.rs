//! What a client tells its script: variables and arguments become a [`Lease`].
//!
//! Everything in it comes from whoever answered on the wire. It is read value by value, each into a type that can hold
//! nothing else; what does not fit is left out with a message, and an address that does not fit is no lease. How many
//! there are of each is bounded. Nothing of it is ever given to a shell.
//!
//! Sources: dhclient-script(8), dhcpcd-run-hooks(8), busybox' `examples/udhcp`, avahi-autoipd.action(8); RFC 2132, 3442, 3927.

use super::lease::{Lease, Leased};
use crate::model::{Address, Client, Dhcp, Domain, LinkName, NameServer, Resolv, Route, Scope};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// `RTPROT_DHCP` (`linux/rtnetlink.h`).
const FROM_DHCP: u8 = 16;
/// For ever, in a way that still shows that it comes from elsewhere: an address without end would be somebody's decision.
const FOR_EVER: u32 = i32::MAX as u32;
/// The least MTU that is taken from a server; every host can do it (RFC 791).
const LEAST_MTU: u32 = 576;
/// How much of a variable is looked at.
const LONGEST: usize = 8192;
/// How many routes, name servers and search domains of a lease are taken.
const MOST_ROUTES: usize = 64;
const MOST_SERVERS: usize = 8;
const MOST_DOMAINS: usize = 32;

/// What a client calls its script for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Nothing that matters here.
    Nothing,
    /// The link has this from now on, or nothing.
    Now(Option<Lease>),
}

/// What a client says.
pub struct Said<'a> {
    /// The link that it was started for.
    pub link: LinkName,
    /// What it was started for.
    pub dhcp: &'a Dhcp,
    /// Its arguments.
    pub arguments: &'a [String],
    /// Its variables.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// Reads what a client says, given what the link had before. None when that is no lease that can be used.
pub fn read(said: &Said<'_>, before: Option<&Lease>) -> Option<Event> {
    match said.dhcp.client {
        Client::Udhcpc => said.udhcpc(),
        Client::AvahiAutoipd => said.avahi(),
        Client::Dhclient => said.dhclient(before),
        Client::Dhcpcd => Some(said.dhcpcd()),
    }
}

/// What a server of IPv4 addresses says.
struct Offer {
    ip: Ipv4Addr,
    prefix: Option<u8>,
    time: Option<u32>,
    classless: Vec<(Ipv4Net, Ipv4Addr)>,
    routers: Vec<Ipv4Addr>,
    mtu: Option<u32>,
    resolv: Resolv,
}

impl Said<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty() && value.len() <= LONGEST)
    }

    fn value<T: FromStr>(&self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        let value = text.trim().parse().ok();
        if value.is_none() {
            log::warn!("{}: the server's {name} is none, ignoring", self.link);
        }
        value
    }

    /// The words of a variable, as many as are good for something.
    fn values<T: FromStr>(&self, name: &str, most: usize) -> Vec<T> {
        let text = self.text(name).unwrap_or_default();
        let words = text.split_ascii_whitespace();
        let (good, bad): (Vec<_>, Vec<_>) = words.map(str::parse).partition(Result::is_ok);
        if !bad.is_empty() || good.len() > most {
            log::warn!("{}: some of the server's {name} are left out", self.link);
        }
        good.into_iter().filter_map(Result::ok).take(most).collect()
    }

    fn udhcpc(&self) -> Option<Event> {
        match self.arguments.first().map(String::as_str) {
            Some("bound" | "renew") => {}
            Some("deconfig" | "nak") => return Some(Event::Now(None)),
            _ => return Some(Event::Nothing),
        }
        let prefix = match self.text("mask") {
            Some(_) => self.value("mask"),
            None => self.prefix("subnet"),
        };
        let classless = self.values::<String>("staticroutes", 2 * MOST_ROUTES);
        let classless = classless.as_chunks::<2>().0.iter();
        self.ipv4(Offer {
            ip: self.value("ip")?,
            prefix,
            time: self.value("lease"),
            classless: classless.filter_map(|[to, via]| Some((to.parse().ok()?, via.parse().ok()?))).collect(),
            routers: self.values("router", 1),
            mtu: self.mtu("mtu"),
            resolv: self.resolv("dns", "domain", "search"),
        })
    }

    fn dhclient(&self, before: Option<&Lease>) -> Option<Event> {
        match self.text("reason").as_deref() {
            Some("BOUND" | "RENEW" | "REBIND" | "REBOOT" | "TIMEOUT") => {
                let bytes: Vec<u8> = self.values("new_rfc3442_classless_static_routes", 9 * MOST_ROUTES);
                self.ipv4(Offer {
                    ip: self.value("new_ip_address")?,
                    prefix: self.prefix("new_subnet_mask"),
                    time: self.value("new_dhcp_lease_time"),
                    classless: classless(&bytes),
                    routers: self.values("new_routers", 1),
                    mtu: self.mtu("new_interface_mtu"),
                    resolv: self.resolv("new_domain_name_servers", "new_domain_name", "new_domain_search"),
                })
            }
            Some("EXPIRE" | "FAIL" | "RELEASE" | "STOP") => Some(Event::Now(None)),
            Some("BOUND6" | "RENEW6" | "REBIND6") => Some(self.ipv6(before)),
            Some("DEPREF6") => Some(self.deprecated(before)),
            Some("EXPIRE6" | "RELEASE6" | "STOP6") => Some(Event::Now(None)),
            _ => Some(Event::Nothing),
        }
    }

    /// dhcpcd gives the link its addresses and routes by itself.
    fn dhcpcd(&self) -> Event {
        match self.text("reason").as_deref() {
            Some("BOUND" | "RENEW" | "REBIND" | "REBOOT" | "INFORM" | "STATIC" | "TIMEOUT" | "IPV4LL") => {
                let resolv = self.resolv("new_domain_name_servers", "new_domain_name", "new_domain_search");
                Event::Now(Some(Lease { shown: self.value("new_ip_address"), resolv, ..Lease::default() }))
            }
            Some("BOUND6" | "RENEW6" | "REBIND6" | "REBOOT6" | "INFORM6" | "DELEGATED6") => {
                let resolv = self.resolv("new_dhcp6_name_servers", "", "new_dhcp6_domain_search");
                let shown = self.value("new_dhcp6_ia_na1_ia_addr1");
                Event::Now(Some(Lease { shown, resolv, ..Lease::default() }))
            }
            Some("EXPIRE" | "NAK" | "NOCARRIER" | "FAIL" | "STOP" | "STOPPED" | "RELEASE" | "DEPARTED") => {
                Event::Now(None)
            }
            Some("EXPIRE6" | "STOP6" | "RELEASE6") => Event::Now(None),
            _ => Event::Nothing,
        }
    }

    fn avahi(&self) -> Option<Event> {
        let action = self.arguments.first().map(String::as_str);
        match action {
            Some("BIND") => {}
            Some("CONFLICT" | "UNBIND" | "STOP") => return Some(Event::Now(None)),
            _ => return Some(Event::Nothing),
        }
        let ip: Ipv4Addr = self.arguments.get(2)?.parse().ok().filter(Ipv4Addr::is_link_local)?;
        let net = Ipv4Net::new(ip, 16).ok()?;
        let address = Address {
            scope: Scope::LINK,
            broadcast: Some(net.broadcast()),
            preferred_lifetime: Some(FOR_EVER),
            ..Address::plain(net.into())
        };
        let addresses = vec![Leased { address, valid: FOR_EVER }];
        Some(Event::Now(Some(Lease { shown: Some(ip.into()), addresses, ..Lease::default() })))
    }

    fn resolv(&self, servers: &str, domain: &str, search: &str) -> Resolv {
        // Servers put lists where one name belongs.
        let mut domains: Vec<Domain> = self.values(domain, MOST_DOMAINS);
        let mut search: Vec<Domain> = self.values(search, MOST_DOMAINS);
        let first = if domains.is_empty() { None } else { Some(domains.remove(0)) };
        domains.append(&mut search);
        let servers: Vec<NameServer> = self.values(servers, MOST_SERVERS);
        let own = |server: &NameServer| server.link.is_none_or(|link| link == self.link);
        let servers = servers.into_iter().filter(own).map(|server| match server.address {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => NameServer { link: Some(self.link), ..server },
            _ => server,
        });
        Resolv { domain: first, search: domains, servers: servers.collect(), ..Resolv::default() }
    }

    fn mtu(&self, name: &str) -> Option<u32> {
        self.text(name)?;
        self.value(name).filter(|mtu| (LEAST_MTU..=65535).contains(mtu))
    }

    fn prefix(&self, name: &str) -> Option<u8> {
        let mask = u32::from(self.value::<Ipv4Addr>(name)?);
        (mask.count_ones() == mask.leading_ones()).then(|| mask.leading_ones() as u8)
    }

    fn ipv4(&self, offer: Offer) -> Option<Event> {
        let Offer { ip, prefix, time, classless, routers, mtu, resolv } = offer;
        if !is_host(ip) {
            log::warn!("{}: {ip} is no host's address: the lease is refused", self.link);
            return None;
        }
        let net = Ipv4Net::new(ip, prefix.filter(|len| (1..=32).contains(len)).unwrap_or(32)).ok()?;
        let valid = time.map_or(FOR_EVER, |seconds| seconds.clamp(1, FOR_EVER));
        let address = Address {
            broadcast: (net.prefix_len() <= 30).then(|| net.broadcast()),
            preferred_lifetime: Some(valid),
            ..Address::plain(net.into())
        };
        // With classless routes the router's option is none (RFC 3442).
        let routes = if classless.is_empty() {
            routers.into_iter().map(|router| (Ipv4Net::default(), router)).collect()
        } else {
            classless
        };
        let mut all: Vec<Route> = Vec::new();
        for route in routes.into_iter().take(MOST_ROUTES).filter_map(|(to, via)| self.route(net, to, via)) {
            if !all.iter().any(|other| other.key() == route.key()) {
                all.push(route);
            }
        }
        // Those on the link first: the others' next hops may be behind them.
        all.sort_by_key(|route| route.via.is_some());
        let addresses = vec![Leased { address, valid }];
        Some(Event::Now(Some(Lease { shown: Some(ip.into()), addresses, routes: all, mtu, resolv })))
    }

    /// A route of a lease, unless it leads where no server has a say.
    fn route(&self, own: Ipv4Net, to: Ipv4Net, via: Ipv4Addr) -> Option<Route> {
        let to = to.trunc();
        if to.prefix_len() > 0 && (to.addr().is_loopback() || to.addr().is_multicast() || to.addr().is_broadcast()) {
            return None;
        }
        let next = if via.is_unspecified() { None } else { Some(IpAddr::V4(via)) };
        if next.is_some() && !is_host(via) {
            return None;
        }
        let onlink = next.is_some() && !own.contains(&via);
        let metric = self.dhcp.metric.unwrap_or(0);
        let route = Route::new(IpNet::V4(to), next, Some(self.link));
        Some(Route { metric, onlink, protocol: FROM_DHCP, ..route })
    }

    /// One of a lease's addresses; the client calls for each.
    fn ipv6(&self, before: Option<&Lease>) -> Event {
        let mut lease = before.cloned().unwrap_or_default();
        let old: Option<Ipv6Addr> = self.value("old_ip6_address");
        let new: Option<Ipv6Addr> = self.value("new_ip6_address").filter(|ip| is_host6(*ip));
        let known = [old, new].map(|ip| ip.map(IpAddr::V6));
        lease.addresses.retain(|leased| !known.contains(&Some(leased.address.local.addr())));
        if let Some(ip) = new {
            let prefix = self.value("new_ip6_prefixlen").filter(|len| *len <= 128).unwrap_or(128);
            let valid = self.value("new_max_life").unwrap_or(FOR_EVER).clamp(1, FOR_EVER);
            let preferred = self.value("new_preferred_life").unwrap_or(valid).min(valid);
            if let Ok(net) = Ipv6Net::new(ip, prefix) {
                let address = Address { preferred_lifetime: Some(preferred), ..Address::plain(net.into()) };
                lease.addresses.push(Leased { address, valid });
            }
            lease.addresses.truncate(MOST_SERVERS);
            lease.shown = Some(ip.into());
        }
        let resolv = self.resolv("new_dhcp6_name_servers", "", "new_dhcp6_domain_search");
        if !resolv.is_empty() || before.is_none() {
            lease.resolv = resolv;
        }
        Event::Now(Some(lease))
    }

    fn deprecated(&self, before: Option<&Lease>) -> Event {
        let (Some(before), Some(ip)) = (before, self.value::<Ipv6Addr>("cur_ip6_address")) else {
            return Event::Nothing;
        };
        let mut lease = before.clone();
        for leased in lease.addresses.iter_mut().filter(|leased| leased.address.local.addr() == ip) {
            leased.address.preferred_lifetime = Some(0);
        }
        Event::Now(Some(lease))
    }
}

/// dhclient's form of option 121: for each route the prefix length, the bytes of the destination that it covers, four
/// bytes of the router. Nothing when it does not come out even.
fn classless(bytes: &[u8]) -> Vec<(Ipv4Net, Ipv4Addr)> {
    let (mut routes, mut rest) = (Vec::new(), bytes);
    while let Some((&len, after)) = rest.split_first() {
        let significant = usize::from(len).div_ceil(8);
        if len > 32 || after.len() < significant + 4 {
            return Vec::new();
        }
        let (mut to, mut via) = ([0; 4], [0; 4]);
        to[..significant].copy_from_slice(&after[..significant]);
        via.copy_from_slice(&after[significant..significant + 4]);
        routes.extend(Ipv4Net::new(to.into(), len).ok().map(|to| (to, via.into())));
        rest = &after[significant + 4..];
    }
    routes
}

/// Whether a host may have the address.
fn is_host(ip: Ipv4Addr) -> bool {
    !(ip.is_loopback() || ip.octets()[0] == 0 || ip.octets()[0] >= 224)
}

fn is_host6(ip: Ipv6Addr) -> bool {
    !(ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local())
}

//! Addresses and routes of the tunnels' methods (interfaces(5), "The tunnel Method", "The v4tunnel Method", "The 6to4
//! Method"). What the tunnel itself is, `kind` says.
//!
//! Beside `static` they have no broadcast address, nothing to wait for, and leave the kernel's settings alone.

use super::inherit::Settled;
use super::kind::tunnel::carries_ipv4;
use super::method::Family;
use super::options::Key;
use super::report::Report;
use super::route::RouteLine;
use super::value::only_word;
use super::{inet, inet6};
use crate::interfaces::diagnostic::Diagnostic;
use crate::model::{Address, LinkName, Route};
use ipnet::{IpNet, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What one stanza says.
#[derive(Default)]
pub(super) struct Tunnel<'a> {
    pub addresses: Vec<Address>,
    pub routes: Vec<RouteLine<'a>>,
}

/// The anycast address of 6to4 relays (RFC 3068), as an IPv6 address.
const RELAY: Ipv6Addr = Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0xc058, 0x6301);

/// Reads a stanza.
pub(super) fn evaluate<'a>(settled: &Settled<'a>, link: LinkName, report: &mut Report) -> Tunnel<'a> {
    let required = matches!((settled.family, settled.method.name), (Family::Inet, _) | (_, "v4tunnel"));
    if required && settled.get(Key::Address).is_none() {
        let message = format!("`{}` has no `address`", settled.iface.name.value);
        let help = format!("method `{}` needs one", settled.method.name);
        report.push(Diagnostic::error(&settled.iface.name.span, message).help(help));
    }
    match settled.method.name {
        "6to4" => six_to_four(settled, link, report),
        "v4tunnel" => v4tunnel(settled, link, report),
        _ if settled.family == Family::Inet || carries_ipv4(settled) => {
            let inet = inet::evaluate(settled, link, None, report);
            let plain = inet.addresses.into_iter().map(|address| Address { broadcast: None, ..address });
            Tunnel { addresses: plain.collect(), routes: inet.gateways }
        }
        _ => {
            let mut tunnel = inet6(settled, link, report);
            with_peer(settled, &mut tunnel, report);
            tunnel
        }
    }
}

fn inet6<'a>(settled: &Settled<'a>, link: LinkName, report: &mut Report) -> Tunnel<'a> {
    let inet6 = inet6::evaluate(settled, link, false, report);
    Tunnel { addresses: inet6.addresses, routes: inet6.gateways }
}

/// `dstaddr` of an IPv6 address, whose prefix is the peer's.
fn with_peer(settled: &Settled<'_>, tunnel: &mut Tunnel<'_>, report: &mut Report) {
    let Some(opt) = settled.get(Key::Pointopoint) else { return };
    let Some(peer) = report.take(only_word(opt).and_then(|word| word.ipv6())) else { return };
    for address in &mut tunnel.addresses {
        address.peer = Some(IpAddr::V6(peer));
        address.local = IpNet::from(address.local.addr());
    }
}

/// The gateway gets a route of its own before the default one.
fn v4tunnel<'a>(settled: &Settled<'a>, link: LinkName, report: &mut Report) -> Tunnel<'a> {
    let mut tunnel = inet6(settled, link, report);
    let host = |line: &RouteLine<'a>| {
        let route = Route::new(IpNet::from(line.route.via?), None, Some(link));
        Some(RouteLine { route, opt: line.opt, replaces: false })
    };
    let hosts: Vec<RouteLine<'a>> = tunnel.routes.iter().filter_map(host).collect();
    tunnel.routes.splice(0..0, hosts);
    tunnel
}

/// The address that belongs to the IPv4 address `local`, and a route to the relays.
fn six_to_four<'a>(settled: &Settled<'a>, link: LinkName, report: &mut Report) -> Tunnel<'a> {
    let mut tunnel = Tunnel::default();
    // That it is missing, or no address, was told where the tunnel's own options were read.
    let Some(opt) = settled.named("local").or(settled.named("tunnel-local")) else { return tunnel };
    let Some(local) = only_word(opt).ok().and_then(|word| word.ipv4().ok()) else { return tunnel };
    let metric = settled.get(Key::Metric).map(|opt| only_word(opt).and_then(|word| word.number(0, u32::MAX)));
    let metric = metric.and_then(|metric| report.take(metric)).filter(|metric| *metric > 0);
    let address = Ipv6Net::new(of_ipv4(local), 16).unwrap_or_default();
    let preferred_lifetime = inet6::preferred_lifetime(settled, report);
    tunnel.addresses.push(Address { preferred_lifetime, ..Address::plain(IpNet::V6(address)) });
    let to = Ipv6Net::new(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3).unwrap_or_default();
    let route = Route::new(IpNet::V6(to), Some(IpAddr::V6(RELAY)), Some(link));
    let route = Route { metric: metric.unwrap_or(Route::IPV6_METRIC), ..route };
    tunnel.routes.push(RouteLine { route, opt, replaces: false });
    tunnel
}

/// `2002:AABB:CCDD::1`
fn of_ipv4(ip: Ipv4Addr) -> Ipv6Addr {
    let [a, b, c, d] = ip.octets();
    Ipv6Addr::new(0x2002, u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]), 0, 0, 0, 0, 1)
}

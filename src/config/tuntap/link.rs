//! One device of a tuntap file: its keys, read and held against those of its router.

use super::super::ini::{self, Section};
use super::super::report::Report;
use super::super::router::tunnel::client;
use super::super::router::{self, Accounts, value};
use super::super::section::Keys;
use super::super::value::shown;
use super::{Around, NAMES};
use crate::interfaces::Files;
use crate::interfaces::diagnostic::{Diagnostic, Spanned, Word};
use crate::model::{
    Address, ClientSettings, DesiredLink, Device, DeviceMode, DeviceProtocol, Kind, Link, LinkName, LinkOptions,
    LinkValue, Listen, Netns, Place, Presence, Route, RouterName, ServerAddress, Stanza, Virtual, VirtualKind,
};
use crate::router::rule::{Action, Chain, Rule};
use crate::router::settings::Settings;
use crate::router::tunnel::settings::MTU as TUNNEL_MTU;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const MTU: u32 = 1500;

/// What a device's router is: a socket, or one of this host.
struct Target {
    socket: Listen,
    named: Option<RouterName>,
    settings: Option<Settings>,
}

/// `tls://HOST:PORT`, or `tcp://HOST:PORT`: a router on another host, and whether it is spoken to in the clear.
fn far(word: &Word) -> Option<Result<(ServerAddress, bool), Diagnostic>> {
    let (scheme, _) = word.value.split_once("://")?;
    let plain = match scheme.to_ascii_lowercase().as_str() {
        "tls" => false,
        "tcp" => true,
        _ => {
            let message = format!("`{}` is no way to a router", shown(scheme));
            return Some(Err(
                Diagnostic::error(&word.span, message).help("tls://HOST:PORT, or tcp://HOST:PORT in the clear")
            ));
        }
    };
    let at = scheme.len() + "://".len();
    let server = client::server_address(&ini::word(&word.span, at, &word.value[at..]));
    Some(server.map(|server| (server, plain)))
}

fn target_of(word: &Word, host: &dyn Files, report: &mut Report) -> Option<Target> {
    if let Ok(socket) = value::listen(word) {
        return Some(Target { socket, named: None, settings: None });
    }
    let help = "a router's name, the path of its socket, or an address with a port";
    let name: RouterName = report.take(value::parsed(word).map_err(|mistake| mistake.help(help)))?;
    // Its own mistakes are told where it is checked.
    let mut theirs = Report::default();
    let settings = router::read(host, &name, &Anybody, &mut theirs);
    if settings.is_none() && !theirs.has_errors() {
        let path = host.place(&router::router_path(&name));
        let message = format!("there is no router `{name}`: {} is missing", path.display());
        report.push(Diagnostic::error(&word.span, message).help("write it, or name the router's socket here"));
    } else if theirs.has_errors() {
        let message = format!("the file of router `{name}` has mistakes");
        report.push(Diagnostic::warning(&word.span, message).help(format!("systemd-netns check --router {name}")));
    }
    let settings = settings.filter(|_| !theirs.has_errors());
    let sockets = || settings.iter().flat_map(|settings| &settings.listen);
    let socket = sockets().find(|socket| matches!(socket, Listen::Unix(_))).or_else(|| sockets().next()).cloned();
    let socket = socket.unwrap_or_else(|| router::default_socket(&name));
    Some(Target { socket, named: Some(name), settings })
}

/// Accounts do not matter for what a device need know.
struct Anybody;

impl Accounts for Anybody {
    fn user(&self, _: &str) -> Option<u32> {
        Some(0)
    }

    fn group(&self, _: &str) -> Option<u32> {
        Some(0)
    }
}

/// Reads a section. What is missing or wrong is reported; then there may be none.
pub(super) fn read(
    section: &Section,
    device: LinkName,
    around: &Around<'_>,
    (chain_out, chain_in): &(Chain, Chain),
    report: &mut Report,
) -> Option<DesiredLink> {
    // Unknown keys are told already.
    let keys = Keys::new(Some(section), &NAMES, &mut Report::default());
    let Some(router) = keys.get("Router") else {
        let message = format!("`{}` has no `Router`", shown(&section.name.value));
        let help = "such as `Router = emperor0`, whose file is /etc/systemd-netns/router/emperor0.conf";
        report.push(Diagnostic::error(&section.name.span, message).help(help));
        return None;
    };
    let (target, tunnel, is_far) = where_to(section, keys, around, report);
    let settings = target.as_ref().and_then(|target| target.settings.as_ref());
    let of_router = settings.map_or(DeviceMode::Tun, |settings| settings.mode);
    let mode = keys.read("Mode", value::mode, report).unwrap_or(of_router);
    if let (Some(settings), Some(span)) = (settings.filter(|s| s.mode != mode), keys.span("Mode")) {
        let word = if settings.mode == DeviceMode::Tun { "tun" } else { "tap" };
        report.push(Diagnostic::error(span, format!("the router's mode is `{word}`")));
    }
    let addresses = keys.list("Address", value::address, report);
    check_addresses(section, keys, &addresses, settings, mode, report);
    let mtu = keys.read("MTU", value::mtu, report);
    let of_router = settings.map(|settings| settings.mtu).or(is_far.then_some(TUNNEL_MTU));
    let mtu = mtu.or(of_router).unwrap_or(MTU);
    router::too_small(mtu, keys.span("MTU"), addresses.iter().map(|address| address.value), report);
    let routes = routes(keys, device, &addresses, mode, report);
    let target = target?;
    let is_tcp = matches!(target.socket, Listen::Tcp(_));
    let protocol = keys.read("Protocol", value::protocol, report);
    if is_tcp && protocol == Some(DeviceProtocol::Descriptor) {
        let message = format!("a descriptor cannot be passed to {}", target.socket);
        let span = keys.span("Protocol").unwrap_or(router.span());
        report.push(Diagnostic::error(span, message).help("by TCP it is `Protocol = uwsgi`"));
    }
    let fallback = if is_tcp { DeviceProtocol::Uwsgi } else { DeviceProtocol::Descriptor };
    let tunnel = tunnel.map(|tunnel| {
        Box::new(ClientSettings {
            addresses: addresses.iter().map(|address| address.value.addr()).collect(),
            mtu,
            ..tunnel
        })
    });
    let fallback = if tunnel.is_some() { DeviceProtocol::Tunnel } else { fallback };
    let device_of = Device {
        tunnel,
        router: target.socket,
        named: target.named,
        mode,
        protocol: protocol.unwrap_or(fallback),
        addresses: addresses.iter().map(|address| address.value).collect(),
        mtu,
        rules_out: texts(chain_out),
        rules_in: texts(chain_in),
        credentials: keys.read("Credentials", value::switch, report).unwrap_or(false),
    };
    Some(desired_link(device, device_of, routes))
}

/// Which router it is, what is said to it where it is on another host, and whether it is.
fn where_to(
    section: &Section,
    keys: Keys<'_>,
    around: &Around<'_>,
    report: &mut Report,
) -> (Option<Target>, Option<ClientSettings>, bool) {
    let target = keys.read("Router", |word| Ok(word.clone()), report);
    let far = target.as_ref().and_then(far).map(|far| report.take(far));
    let tunnel = match &far {
        Some(far) => read_tunnel(section, keys, far.clone(), report),
        None => {
            refuse_tunnel_keys(keys, report);
            None
        }
    };
    let target = match &far {
        Some(_) => tunnel.as_ref().map(|tunnel| Target {
            socket: Listen::Tunnel(tunnel.server.clone()),
            named: None,
            settings: None,
        }),
        None => target.and_then(|word| target_of(&word, around.host, report)),
    };
    (target, tunnel, far.is_some())
}

/// What is said to a router on another host.
fn read_tunnel(
    section: &Section,
    keys: Keys<'_>,
    far: Option<(ServerAddress, bool)>,
    report: &mut Report,
) -> Option<ClientSettings> {
    for name in ["Protocol", "Credentials", "Gateway"] {
        if let Some(key) = keys.get(name) {
            let message = format!("`{name}` has no effect with a router on another host");
            report.push(Diagnostic::error(&key.name.span, message));
        }
    }
    if keys.read("Mode", value::mode, &mut Report::default()) == Some(DeviceMode::Tap)
        && let Some(span) = keys.span("Mode")
    {
        report.push(Diagnostic::error(span, "a tunnel carries IP packets: its device is `tun`"));
    }
    let plain = far.as_ref().is_some_and(|(_, plain)| *plain);
    client::with_server(section, keys, far.map(|(server, _)| server), plain, report)
}

/// Keys that are only said to a router on another host.
fn refuse_tunnel_keys(keys: Keys<'_>, report: &mut Report) {
    for name in client::NAMES {
        if let Some(key) = keys.get(name) {
            let message = format!("`{name}` is for a router on another host");
            report.push(Diagnostic::error(&key.name.span, message).help("whose place is `Router = tls://HOST:PORT`"));
        }
    }
}

/// A chain as rules alone, the policy as the last.
fn texts(chain: &Chain) -> Vec<String> {
    let last = (chain.policy == Action::Deny).then(|| Rule::all(Action::Deny));
    chain.rules.iter().chain(&last).map(ToString::to_string).collect()
}

fn desired_link(name: LinkName, device: Device, routes: Vec<Route>) -> DesiredLink {
    let kind = if device.mode == DeviceMode::Tap { VirtualKind::Tap } else { VirtualKind::Tun };
    // Root's: one that is nobody's may be attached to by anybody. What else may be told when it is opened is its holder's.
    let options = LinkOptions::from([("user".to_owned(), LinkValue::Number(0))]);
    let kind = Some(Kind::Virtual(Virtual::new(kind, None, options)));
    let link = Link { kind, up: Some(true), mtu: Some(device.mtu), ..Link::default() };
    // The router refuses an address that somebody has; there is no neighbour to ask.
    let address = |local: &IpNet| Address { nodad: local.addr().is_ipv6(), ..Address::plain(*local) };
    let stanza = Stanza { addresses: device.addresses.iter().map(address).collect(), routes, ..Stanza::default() };
    DesiredLink {
        place: Place::new(Netns::Host, name),
        link,
        from: None,
        presence: Presence::Required,
        sysctls: Vec::new(),
        wait: None,
        device: Some(device),
        stanzas: vec![stanza],
    }
}

/// Addresses that the router would refuse.
fn check_addresses(
    section: &Section,
    keys: Keys<'_>,
    addresses: &[Spanned<IpNet>],
    settings: Option<&Settings>,
    mode: DeviceMode,
    report: &mut Report,
) {
    if keys.get("Address").is_none() && mode == DeviceMode::Tun {
        let message = format!("`{}` has no `Address`", shown(&section.name.value));
        report.push(Diagnostic::error(&section.name.span, message).help("such as `Address = 192.168.0.2/24`"));
    }
    for (i, address) in addresses.iter().enumerate() {
        if addresses[..i].iter().any(|other| other.value.addr() == address.value.addr()) {
            report.push(Diagnostic::error(&address.span, format!("`{}` is named twice", address.value.addr())));
        }
        let Some(settings) = settings else { continue };
        let own = settings.addresses.iter().find(|own| own.addr() == address.value.addr());
        let inside = |net: &IpNet| net.contains(&address.value.addr());
        if own.is_some() {
            report.push(Diagnostic::error(&address.span, format!("`{}` is the router's own", address.value.addr())));
        } else if settings.admit.is_empty() {
            if !settings.addresses.is_empty() && !settings.addresses.iter().any(inside) {
                let message = format!("`{}` is in no network of the router's, which refuses it", address.value.addr());
                report.push(Diagnostic::error(&address.span, message));
            }
        } else if !settings.admit.iter().flat_map(|admit| &admit.addresses).any(inside) {
            let message = format!("the router admits nobody with `{}`", address.value.addr());
            report.push(Diagnostic::error(&address.span, message).help("see its sections `[Admit …]`"));
        }
    }
}

/// The routes by a device: by a gateway, or where there is none straight to the router.
fn routes(
    keys: Keys<'_>,
    device: LinkName,
    addresses: &[Spanned<IpNet>],
    mode: DeviceMode,
    report: &mut Report,
) -> Vec<Route> {
    let gateways = keys.list("Gateway", value::parsed::<IpAddr>, report);
    let some = keys.list("Route", value::prefix, report);
    let wanted = keys.read("Default", value::switch, report).unwrap_or(some.is_empty());
    if let Some(key) = keys.get("Gateway").filter(|_| !wanted && some.is_empty()) {
        report.push(Diagnostic::error(&key.name.span, "`Gateway` has no effect with `Default = no`"));
    }
    let mut own: Vec<Route> = Vec::new();
    for route in &some {
        if !addresses.iter().any(|address| address.value.addr().is_ipv6() == route.value.addr().is_ipv6()) {
            let message = format!("`{}` is of no use without an address of its family", route.value);
            report.push(Diagnostic::error(&route.span, message));
        }
        let near = gateways.iter().find(|gateway| gateway.value.is_ipv6() == route.value.addr().is_ipv6());
        own.push(Route::new(route.value, near.map(|gateway| gateway.value), Some(device)));
    }
    let mut routes = Vec::new();
    for ipv6 in [false, true] {
        let mut own = gateways.iter().filter(|gateway| gateway.value.is_ipv6() == ipv6);
        let first = own.next();
        if let Some(second) = own.next() {
            report.push(Diagnostic::error(&second.span, "there is one gateway for each address family"));
        }
        let has = addresses.iter().any(|address| address.value.addr().is_ipv6() == ipv6);
        let to: IpNet = match ipv6 {
            false => Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0).into(),
            true => Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        match first {
            Some(gateway) if !has => {
                let family = if ipv6 { "IPv6" } else { "IPv4" };
                let message = format!("`{}` is of no use without an {family} address", gateway.value);
                report.push(Diagnostic::error(&gateway.span, message));
            }
            Some(gateway) if addresses.iter().any(|address| address.value.addr() == gateway.value) => {
                let message = format!("`{}` is this device's own address", gateway.value);
                report.push(Diagnostic::error(&gateway.span, message));
            }
            Some(gateway) => {
                let near = addresses.iter().any(|address| address.value.contains(&gateway.value));
                routes.push(Route { onlink: !near, ..Route::new(to, Some(gateway.value), Some(device)) });
            }
            // Whom to ask for on a layer 2 without a gateway nobody knows.
            None if has && mode == DeviceMode::Tun => routes.push(Route::new(to, None, Some(device))),
            None => {}
        }
    }
    if wanted { routes.into_iter().chain(own).collect() } else { own }
}

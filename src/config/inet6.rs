//! `inet6 static`: addresses, duplicate address detection, the default route and the kernel settings that go with them
//! (interfaces(5), "INET6 ADDRESS FAMILY"; the kernel's ip-sysctl).

use super::inet::{has_ipv4, scope};
use super::inherit::Settled;
use super::options::Key;
use super::report::Report;
use super::route::RouteLine;
use super::value::{Part, only_word};
use crate::interfaces::diagnostic::Diagnostic;
use crate::model::{Address, LinkName, Route, Scope, Sysctl};
use ipnet::{IpNet, Ipv6Net};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// What one `inet6 static` stanza says.
#[derive(Default)]
pub(super) struct Inet6<'a> {
    pub addresses: Vec<Address>,
    pub gateways: Vec<RouteLine<'a>>,
    pub dad: Option<Duration>,
    pub sysctls: Vec<(Sysctl, String)>,
    /// What commands see in the place of, or in addition to, what is written.
    pub computed: Vec<(&'static str, String)>,
}

/// ifupdown's default for `dad-attempts`.
const DAD_ATTEMPTS: u32 = 60;

/// ifupdown's default for `dad-interval`.
const DAD_INTERVAL: Duration = Duration::from_millis(100);

/// The longest `dad-interval`, in seconds.
const MAX_INTERVAL: f64 = 3600.0;

/// Reads a stanza's IPv6 part. An alias is no link of its own: only the settings that are written are taken from it.
pub(super) fn evaluate<'a>(settled: &Settled<'a>, link: LinkName, alias: bool, report: &mut Report) -> Inet6<'a> {
    let mut inet6 = Inet6::default();
    let mut word = |key| settled.get(key).and_then(|opt| report.take(only_word(opt)));
    let (attempts, interval) = (word(Key::DadAttempts), word(Key::DadInterval));
    let (netmask, scope) = (word(Key::Netmask), word(Key::Scope));
    let attempts = attempts.and_then(|word| report.take(word.number(0, 1_000_000))).unwrap_or(DAD_ATTEMPTS);
    let interval = interval.and_then(|word| report.take(seconds(word))).unwrap_or(DAD_INTERVAL);
    let netmask = netmask.filter(|_| !settled.both || !has_ipv4(settled)).and_then(|word| report.take(prefix(word)));
    let preferred_lifetime = preferred_lifetime(settled, report);
    if let Some(word) = scope {
        ignored_scope(word, report);
    }
    for opt in settled.all(Key::Address).filter(|opt| !settled.both || opt.value.value.contains(':')) {
        let Some(net) = report.take(only_word(opt).and_then(|word| address(word, netmask))) else { continue };
        if inet6.addresses.is_empty() {
            inet6.computed = computed(settled, net);
        }
        inet6.addresses.push(Address {
            scope: kernel_scope(net.addr()),
            nodad: attempts == 0,
            preferred_lifetime,
            ..Address::plain(IpNet::V6(net))
        });
    }
    if attempts > 0 && !inet6.addresses.is_empty() {
        inet6.dad = Some(interval.saturating_mul(attempts));
    }
    let gateways = settled.all(Key::Gateway).filter(|opt| !settled.both || opt.value.value.contains(':'));
    let mut has_gateway = false;
    for opt in gateways {
        has_gateway = true;
        let route = default_route(settled, only_word(opt), link);
        inet6.gateways.extend(report.take(route).map(|route| RouteLine { route, opt, replaces: true }));
    }
    inet6.sysctls = sysctls(settled, link, alias, has_gateway, report);
    inet6
}

fn default_route(
    settled: &Settled<'_>,
    gateway: Result<Part<'_>, Diagnostic>,
    link: LinkName,
) -> Result<Route, Diagnostic> {
    let via = gateway?.ipv6()?;
    let metric = settled.get(Key::Metric).map_or(Ok(0), |opt| only_word(opt)?.number(0, u32::MAX))?;
    let default = Route::new(IpNet::V6(Ipv6Net::default()), Some(IpAddr::V6(via)), Some(link));
    Ok(Route { metric: if metric == 0 { Route::IPV6_METRIC } else { metric }, onlink: true, ..default })
}

/// `ADDRESS[/PREFIX]`
fn address(word: Part<'_>, netmask: Option<u8>) -> Result<Ipv6Net, Diagnostic> {
    let (ip, own) = word.split('/');
    let ip = ip.ipv6()?;
    let own = own.map(prefix).transpose()?;
    Ipv6Net::new(ip, netmask.or(own).unwrap_or(128)).map_err(|_| word.is_not("an IPv6 address"))
}

fn prefix(word: Part<'_>) -> Result<u8, Diagnostic> {
    word.number(0, 128).map_err(|_| word.is_not("a prefix length from 0 to 128"))
}

/// `preferred-lifetime`
pub(super) fn preferred_lifetime(settled: &Settled<'_>, report: &mut Report) -> Option<u32> {
    let word = report.take(only_word(settled.get(Key::PreferredLifetime)?))?;
    report.take(lifetime(word)).flatten()
}

/// A lifetime in seconds; none for one that never ends.
fn lifetime(word: Part<'_>) -> Result<Option<u32>, Diagnostic> {
    if word.text == "forever" {
        return Ok(None);
    }
    let seconds = word.number(0, u32::MAX).map_err(|_| word.is_not("a number of seconds, or `forever`"))?;
    Ok(Some(seconds).filter(|seconds| *seconds != u32::MAX))
}

/// Seconds with a fraction.
pub(super) fn seconds(word: Part<'_>) -> Result<Duration, Diagnostic> {
    let seconds: Option<f64> = word.text.parse().ok().filter(|seconds| (0.0..=MAX_INTERVAL).contains(seconds));
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| word.is_not(&format!("a number of seconds up to {MAX_INTERVAL}")))
}

/// The scope that the kernel gives an address; nobody can choose another.
fn kernel_scope(ip: Ipv6Addr) -> Scope {
    match ip.segments()[0] & 0xffc0 {
        _ if ip.is_loopback() => Scope::HOST,
        0xfe80 => Scope::LINK,
        0xfec0 => Scope::SITE,
        _ => Scope::GLOBAL,
    }
}

fn ignored_scope(word: Part<'_>, report: &mut Report) {
    match scope(word) {
        Ok(_) => report.push(word.warning("`scope` has no effect in IPv6: the address says it")),
        Err(error) => report.push(error),
    }
}

/// `privext`, `accept_ra` and `autoconf`, in the order in which ifupdown writes them. A router that the file names is
/// not looked for on the network, and addresses that the file names are not chosen by it.
fn sysctls(
    settled: &Settled<'_>,
    link: LinkName,
    alias: bool,
    gateway: bool,
    report: &mut Report,
) -> Vec<(Sysctl, String)> {
    let mut set = |key, name, high: u8, default: Option<u8>| {
        let value = match settled.get(key) {
            Some(opt) => report.take(only_word(opt).and_then(|word| word.number(0, high))),
            None => default.filter(|_| !alias),
        };
        value.map(|value| (Sysctl::ipv6(link, name), value.to_string()))
    };
    let privext = set(Key::Privext, "use_tempaddr", 2, None);
    let accept_ra = set(Key::AcceptRa, "accept_ra", 2, gateway.then_some(0));
    let autoconf = set(Key::Autoconf, "autoconf", 1, Some(0));
    [privext, accept_ra, autoconf].into_iter().flatten().collect()
}

/// What commands see of the first address, and ifupdown's defaults.
fn computed(settled: &Settled<'_>, net: Ipv6Net) -> Vec<(&'static str, String)> {
    let mut computed = vec![("IF_ADDRESS", net.addr().to_string()), ("IF_NETMASK", net.prefix_len().to_string())];
    let mut default = |key, name, value: &str| {
        if settled.get(key).is_none() {
            computed.push((name, value.to_owned()));
        }
    };
    if settled.get(Key::Gateway).is_some() {
        default(Key::AcceptRa, "IF_ACCEPT_RA", "0");
    }
    default(Key::Autoconf, "IF_AUTOCONF", "0");
    default(Key::DadAttempts, "IF_DAD_ATTEMPTS", "60");
    default(Key::DadInterval, "IF_DAD_INTERVAL", "0.1");
    default(Key::PreferredLifetime, "IF_PREFERRED_LIFETIME", "");
    computed
}

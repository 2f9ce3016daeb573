//! Addresses from the network: `inet dhcp`, `bootp` and `ipv4ll`, `inet6 dhcp` and `auto` (interfaces(5)).
//!
//! Deviations from ifupdown: dhcpcd is looked for before dhclient, as the latter has no maintainer any more; the options
//! of a client are given to each client that can take them; `dhcp-client` says which one, and `dhcp-timeout` how long a
//! start waits. No host name is told to a server unless the file has one.

use super::draft::Draft;
use super::inherit::Settled;
use super::method::Means;
use super::options::Key;
use super::report::Report;
use super::surroundings::Surroundings;
use super::value::{Part, only_word, shown};
use crate::interfaces::diagnostic::Diagnostic;
use crate::interfaces::syntax::Opt;
use crate::model::{Client, Dhcp, LinkName, Netns, Place, Protocol, Sysctl, TABLE_MAIN};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a start waits for an answer unless the file says, in seconds.
const LIMIT: u32 = 60;

/// dhcpcd's own default, to which it would add the link's index (dhcpcd.conf(5)).
const DHCPCD_METRIC: u32 = 1000;

/// The longest wait that the file may ask for, in seconds; the unit's own limit comes earlier unless it is raised.
const MAX_LIMIT: u32 = 86_400;

/// ifupdown's defaults for `ll-attempts` and `ll-interval`.
const LL_ATTEMPTS: u32 = 60;
const LL_INTERVAL: Duration = Duration::from_millis(100);

/// What a stanza says that asks the network.
#[derive(Default)]
pub(super) struct Asked {
    pub dhcp: Option<Dhcp>,
    pub sysctls: Vec<(Sysctl, String)>,
    /// What commands see in addition to what is written.
    pub computed: Vec<(&'static str, String)>,
}

/// Reads a stanza of one of these methods; any other says nothing.
pub(super) fn evaluate(
    settled: &Settled<'_>,
    place: &Place,
    surroundings: &dyn Surroundings,
    report: &mut Report,
) -> Asked {
    let protocol = match settled.means {
        Means::Ask(protocol) => Some(protocol),
        Means::Auto => flag(settled, Key::Dhcp, report).filter(|yes| *yes).map(|_| Protocol::Stateless6),
        _ => return Asked::default(),
    };
    let mut asked = Asked::default();
    if settled.means == Means::Auto || protocol == Some(Protocol::Dhcp6) {
        asked = ipv6(settled, place.link, report);
    }
    let Some(protocol) = protocol else { return asked };
    if place.netns == Netns::Host {
        let message = format!("the host's end `{}` cannot ask the namespace for an address", place.link);
        let error = Diagnostic::error(&settled.iface.name.span, message);
        report.push(error.help("give it one with method `static`"));
        return asked;
    }
    let client = client(settled, protocol, surroundings, report);
    // Without a client, for the mistakes that there may be.
    let dhcp = dhcp(settled, protocol, client.unwrap_or(Client::Dhcpcd), report);
    asked.dhcp = client.map(|_| dhcp);
    asked
}

fn dhcp(settled: &Settled<'_>, protocol: Protocol, client: Client, report: &mut Report) -> Dhcp {
    let mut number = |key, low, high| {
        let opt = settled.get(key)?;
        report.take(only_word(opt).and_then(|word| word.number(low, high)))
    };
    let lease_time = number(Key::Leasetime, 1, u32::MAX);
    let metric = number(Key::Metric, 0, u32::MAX).filter(|metric| *metric > 0);
    let limit = number(Key::DhcpTimeout, 0, MAX_LIMIT).unwrap_or(LIMIT);
    let mut text = |key, check: fn(&Opt) -> Result<String, Diagnostic>| report.take(settled.get(key).map(check)?);
    let hostname = text(Key::Hostname, hostname);
    let vendor = text(Key::Vendor, printable);
    // `no` is Debian's word for none of dhclient's own making, and there is none here.
    let client_id = text(Key::ClientId, printable).filter(|id| id != "no");
    let link_local = protocol.is_ipv6().then(|| link_local(settled, report));
    let request_prefix = protocol.is_ipv6() && flag(settled, Key::RequestPrefix, report) == Some(true);
    Dhcp {
        protocol,
        client,
        hostname,
        vendor,
        client_id,
        lease_time,
        metric: metric.filter(|_| protocol == Protocol::Dhcp),
        request_prefix,
        link_local,
        limit,
    }
}

/// A link has one client for each family.
pub(super) fn check_single(drafts: &[Draft<'_>], report: &mut Report) {
    for draft in drafts {
        let of = |ipv6: bool| {
            let all = draft.stanzas.iter().filter_map(|stanza| stanza.stanza.dhcp.as_ref());
            all.filter(|dhcp| dhcp.protocol.is_ipv6() == ipv6).count()
        };
        let (Some(span), true) = (&draft.span, of(false) > 1 || of(true) > 1) else { continue };
        let message = format!("`{}` has two stanzas that ask for addresses of one family", draft.place.link);
        report.push(Diagnostic::error(span, message).help("a link has one client for each family"));
    }
}

/// Tells routes of leases apart by their metrics, so that the first link of the file has the default route whoever is answered
/// first. A metric depends on what stands before it and on static default routes alone: a link more leaves the others' clients as
/// they are.
pub(super) fn rank(drafts: &mut [Draft<'_>]) {
    let inside = || drafts.iter().filter(|draft| draft.place.netns != Netns::Host);
    let lines = inside().flat_map(|draft| &draft.stanzas).flat_map(|stanza| &stanza.routes);
    let fixed = lines.map(|line| &line.route).filter(|route| route.to.addr().is_ipv4() && route.to.prefix_len() == 0);
    let mut taken: BTreeSet<u32> = fixed.filter(|route| route.table == TABLE_MAIN).map(|route| route.metric).collect();
    let mut least = 0;
    let stanzas = drafts.iter_mut().flat_map(|draft| &mut draft.stanzas);
    for dhcp in stanzas.filter_map(|stanza| stanza.stanza.dhcp.as_mut()) {
        if !matches!(dhcp.protocol, Protocol::Dhcp | Protocol::Bootp) {
            continue;
        }
        let base = if dhcp.client == Client::Dhcpcd { DHCPCD_METRIC } else { 0 };
        let mut metric = dhcp.metric.unwrap_or(base.max(least));
        while !taken.insert(metric) && metric < u32::MAX {
            metric += 1;
        }
        if dhcp.metric.is_none() {
            least = metric.saturating_add(1);
        }
        dhcp.metric = Some(metric).filter(|metric| *metric > 0);
    }
}

/// The client that the file names, or the first that is installed.
fn client(
    settled: &Settled<'_>,
    protocol: Protocol,
    surroundings: &dyn Surroundings,
    report: &mut Report,
) -> Option<Client> {
    let able = protocol.clients();
    let names = able.iter().map(|client| format!("`{client}`")).collect::<Vec<_>>().join(" or ");
    if let Some(opt) = settled.get(Key::DhcpClient) {
        let named = only_word(opt).and_then(|word| match Client::named(word.text) {
            Some(client) if !able.contains(&client) => {
                Err(word.error(format!("`{client}` cannot ask for {protocol}")).help(format!("{names} can")))
            }
            Some(client) if !surroundings.installed(client.program()) => {
                Err(word.error(format!("`{client}` is not installed")).help(install(client)))
            }
            Some(client) => Ok(client),
            None => Err(word.is_not("a client that is known here").help(format!("{names} can ask for {protocol}"))),
        });
        return report.take(named);
    }
    let found = able.iter().copied().find(|client| surroundings.installed(client.program()));
    if found.is_none() {
        let span = settled.iface.method.as_ref().map_or(&settled.iface.keyword, |method| &method.span);
        let message = format!("no client is installed that asks for {protocol}");
        let help = able.first().map_or_else(String::new, |client| install(*client));
        report.push(Diagnostic::error(span, message).help(help));
    }
    found
}

fn install(client: Client) -> String {
    format!("apt install {}", client.package())
}

/// The settings of the kernel's own autoconfiguration, as ifupdown writes them.
fn ipv6(settled: &Settled<'_>, link: LinkName, report: &mut Report) -> Asked {
    let auto = settled.means == Means::Auto;
    let mut set = |key, name, high: u8, default: Option<u8>| {
        let value = match settled.get(key) {
            Some(opt) => report.take(only_word(opt).and_then(|word| word.number(0, high))),
            None => default,
        };
        value.map(|value| (Sysctl::ipv6(link, name), value.to_string()))
    };
    let privext = if auto { set(Key::Privext, "use_tempaddr", 2, None) } else { None };
    let accept_ra = set(Key::AcceptRa, "accept_ra", 2, Some(if auto { 2 } else { 1 }));
    let autoconf = match auto {
        true => Some((Sysctl::ipv6(link, "autoconf"), "1".to_owned())),
        false => set(Key::Autoconf, "autoconf", 1, None),
    };
    let mut computed = Vec::new();
    let defaults = [
        (Key::AcceptRa, "IF_ACCEPT_RA", if auto { "2" } else { "1" }),
        (Key::RequestPrefix, "IF_REQUEST_PREFIX", "0"),
        (Key::LlAttempts, "IF_LL_ATTEMPTS", "60"),
        (Key::LlInterval, "IF_LL_INTERVAL", "0.1"),
    ];
    for (key, name, value) in defaults {
        if settled.get(key).is_none() {
            computed.push((name, value.to_owned()));
        }
    }
    Asked { dhcp: None, sysctls: [privext, accept_ra, autoconf].into_iter().flatten().collect(), computed }
}

fn link_local(settled: &Settled<'_>, report: &mut Report) -> Duration {
    let mut word = |key| settled.get(key).and_then(|opt| report.take(only_word(opt)));
    let (attempts, interval) = (word(Key::LlAttempts), word(Key::LlInterval));
    let attempts = attempts.and_then(|word| report.take(word.number(1, 1_000_000))).unwrap_or(LL_ATTEMPTS);
    let interval = interval.and_then(|word| report.take(super::inet6::seconds(word))).unwrap_or(LL_INTERVAL);
    interval.saturating_mul(attempts).clamp(LL_INTERVAL, Duration::from_secs(MAX_LIMIT.into()))
}

/// 0 or 1.
fn flag(settled: &Settled<'_>, key: Key, report: &mut Report) -> Option<bool> {
    let opt = settled.get(key)?;
    report.take(only_word(opt).and_then(|word| word.number(0, 1))).map(|n: u8| n == 1)
}

/// A host's name, as it goes into the clients' own files and on the wire.
fn hostname(opt: &Opt) -> Result<String, Diagnostic> {
    let word = only_word(opt)?;
    let fits = |label: &str| {
        (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if word.text.len() > 253 || !word.text.split('.').all(fits) || word.text.starts_with('-') {
        return Err(word.is_not("a host's name"));
    }
    Ok(word.text.to_owned())
}

/// Text that means itself in every client's file.
fn printable(opt: &Opt) -> Result<String, Diagnostic> {
    let text = opt.value.value.as_str();
    let fits = |b: u8| (b == b' ' || b.is_ascii_graphic()) && !b"\"'\\`$#".contains(&b);
    if text.is_empty() || text.len() > 128 || !text.bytes().all(fits) || text.starts_with('-') {
        let name = shown(&opt.name.value);
        let message = format!("`{name}` is up to 128 letters, digits and signs without quotes and backslashes");
        return Err(Part::whole(opt).error(message));
    }
    Ok(text.to_owned())
}

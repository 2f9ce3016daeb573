//! `inet static`: addresses with mask and broadcast, and the default route, as ifupdown's inet methods and the `ip`
//! that they run compute them (interfaces(5), "INET ADDRESS FAMILY"; ip-address(8)).

use super::inherit::Settled;
use super::options::Key;
use super::report::Report;
use super::route::RouteLine;
use super::value::{Part, only_word};
use crate::interfaces::diagnostic::Diagnostic;
use crate::model::{Address, LinkName, Route, Scope};
use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv4Addr};

/// What one `inet static` stanza says.
#[derive(Default)]
pub(super) struct Inet<'a> {
    pub addresses: Vec<Address>,
    pub gateways: Vec<RouteLine<'a>>,
    /// What commands see in the place of, or in addition to, what is written.
    pub computed: Vec<(&'static str, String)>,
}

/// A mask, and where it comes from: ifupdown leaves the broadcast address of `netmask 24` to `ip`.
#[derive(Clone, Copy)]
struct Mask {
    len: u8,
    bits: bool,
}

/// What `broadcast` asks for.
#[derive(Clone, Copy)]
enum Broadcast {
    /// `+`, all ones.
    Ones,
    /// `-`, all zeros.
    Zeros,
    Given(Ipv4Addr),
}

/// The options that all addresses of a stanza share.
struct Shared<'a> {
    netmask: Option<Mask>,
    broadcast: Broadcast,
    peer: Option<(Ipv4Addr, u8)>,
    scope: Option<Scope>,
    label: Option<&'a str>,
}

/// Reads a stanza's IPv4 part. `label` is the alias' name, if it is one.
pub(super) fn evaluate<'a>(
    settled: &Settled<'a>,
    link: LinkName,
    label: Option<&str>,
    report: &mut Report,
) -> Inet<'a> {
    let mut inet = Inet::default();
    let shared = shared(settled, label, report);
    for opt in settled.all(Key::Address) {
        if settled.both && opt.value.value.contains(':') {
            continue;
        }
        let Some((ip, mask)) = report.take(only_word(opt).and_then(|word| address(word, shared.netmask))) else {
            continue;
        };
        let address = shared.address(ip, mask);
        if inet.addresses.is_empty() {
            inet.computed = computed(settled, &shared, ip, mask);
        }
        inet.addresses.push(address);
    }
    let metric = settled.get(Key::Metric);
    for opt in settled.all(Key::Gateway).filter(|opt| !(settled.both && opt.value.value.contains(':'))) {
        let route = only_word(opt).and_then(|word| word.ipv4()).and_then(|via| {
            let metric = metric.map_or(Ok(0), |opt| only_word(opt)?.number(0, u32::MAX))?;
            let default = IpNet::V4(Ipv4Net::default());
            Ok(Route { metric, onlink: true, ..Route::new(default, Some(IpAddr::V4(via)), Some(link)) })
        });
        inet.gateways.extend(report.take(route).map(|route| RouteLine { route, opt, replaces: false }));
    }
    inet
}

fn shared<'a>(settled: &Settled<'_>, label: Option<&'a str>, report: &mut Report) -> Shared<'a> {
    let mut word = |key| settled.get(key).and_then(|opt| report.take(only_word(opt)));
    let (mask, cast, peer, scope) =
        (word(Key::Netmask), word(Key::Broadcast), word(Key::Pointopoint), word(Key::Scope));
    Shared {
        // In a stanza of both families the mask is that of its IPv4 addresses, if it has any.
        netmask: mask.filter(|_| !settled.both || has_ipv4(settled)).and_then(|word| report.take(netmask(word))),
        broadcast: cast.and_then(|word| report.take(broadcast(word))).unwrap_or(Broadcast::Ones),
        peer: peer.and_then(|word| report.take(pointopoint(word))),
        scope: scope.and_then(|word| report.take(self::scope(word))),
        label,
    }
}

/// Whether a stanza of both families has an IPv4 address.
pub(super) fn has_ipv4(settled: &Settled<'_>) -> bool {
    settled.all(Key::Address).any(|opt| !opt.value.value.contains(':'))
}

/// `ADDRESS[/PREFIX]`; the classful mask if none is given at all.
fn address(word: Part<'_>, netmask: Option<Mask>) -> Result<(Ipv4Addr, Mask), Diagnostic> {
    let (ip, prefix) = word.split('/');
    let ip = ip.ipv4()?;
    let own = prefix.map(prefix_or_mask).transpose()?.map(|mask| Mask { bits: false, ..mask });
    Ok((ip, netmask.or(own).unwrap_or(Mask { len: classful(ip), bits: false })))
}

fn netmask(word: Part<'_>) -> Result<Mask, Diagnostic> {
    prefix_or_mask(word)
}

/// A number of bits, or a mask of four numbers.
fn prefix_or_mask(word: Part<'_>) -> Result<Mask, Diagnostic> {
    if !word.text.contains('.') {
        let error = |_| word.is_not("a prefix length from 0 to 32 or a mask such as 255.255.255.0");
        return word.number(0, 32).map_err(error).map(|len| Mask { len, bits: true });
    }
    let mask = u32::from(word.ipv4()?);
    if mask.count_ones() != mask.leading_ones() {
        return Err(word.error(format!("the mask `{}` has ones after zeros", word.shown())));
    }
    Ok(Mask { len: mask.leading_ones() as u8, bits: false })
}

/// The prefix length of an address without one, as it was before 1993.
fn classful(ip: Ipv4Addr) -> u8 {
    match ip.octets()[0] {
        0..=127 => 8,
        128..=191 => 16,
        192..=223 => 24,
        224..=255 => 32,
    }
}

fn broadcast(word: Part<'_>) -> Result<Broadcast, Diagnostic> {
    match word.text {
        "+" => Ok(Broadcast::Ones),
        "-" => Ok(Broadcast::Zeros),
        _ => word.ipv4().map(Broadcast::Given).map_err(|error| error.help("or `+` for all ones, `-` for all zeros")),
    }
}

fn pointopoint(word: Part<'_>) -> Result<(Ipv4Addr, u8), Diagnostic> {
    let (ip, prefix) = word.split('/');
    Ok((ip.ipv4()?, prefix.map_or(Ok(32), |prefix| prefix.number(0, 32))?))
}

/// `scope`, for either family.
pub(super) fn scope(word: Part<'_>) -> Result<Scope, Diagnostic> {
    Scope::parse(word.text).ok_or_else(|| word.is_not("`global`, `site`, `link` or `host`"))
}

/// The bits of the network part.
fn network_bits(len: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0)
}

impl Shared<'_> {
    fn address(&self, ip: Ipv4Addr, mask: Mask) -> Address {
        let prefix = self.peer.map_or(mask.len, |(_, prefix)| prefix);
        // Both prefixes are at most 32, so the network is never refused.
        let net = Ipv4Net::new(ip, prefix).unwrap_or_default();
        let peer = self.peer.map(|(peer, _)| peer);
        Address {
            peer: peer.map(IpAddr::V4),
            // The kernel keeps none if it is all zeros.
            broadcast: self.broadcast(ip, mask, prefix).filter(|broadcast| !broadcast.is_unspecified()),
            label: self.label.map(str::to_owned),
            // ip-address(8) takes addresses of the loopback network for those of the host.
            scope: self.scope.unwrap_or(if ip.octets()[0] == 127 { Scope::HOST } else { Scope::GLOBAL }),
            ..Address::plain(IpNet::V4(net))
        }
    }

    /// The broadcast address. With a mask in bits it is `ip` that fills in `+` and `-`: from the peer, if there is one,
    /// and only up to /30. Otherwise it is ifupdown, for which /31 is special.
    fn broadcast(&self, ip: Ipv4Addr, mask: Mask, prefix: u8) -> Option<Ipv4Addr> {
        let ones = match self.broadcast {
            Broadcast::Given(given) => return Some(given),
            Broadcast::Ones => true,
            Broadcast::Zeros => false,
        };
        let fill = |ip: Ipv4Addr, len| {
            let (ip, bits) = (u32::from(ip), network_bits(len));
            Ipv4Addr::from(if ones { ip | !bits } else { ip & bits })
        };
        match mask {
            Mask { bits: true, .. } => {
                let base = self.peer.map_or(ip, |(peer, _)| peer);
                (prefix <= 30).then(|| fill(base, prefix))
            }
            Mask { len: 31, .. } => Some(if ones { Ipv4Addr::BROADCAST } else { Ipv4Addr::UNSPECIFIED }),
            Mask { len, .. } => Some(fill(ip, len)),
        }
    }
}

/// What commands see of the first address: the parts that ifupdown computes.
fn computed(settled: &Settled<'_>, shared: &Shared<'_>, ip: Ipv4Addr, mask: Mask) -> Vec<(&'static str, String)> {
    let mut computed = vec![("IF_ADDRESS", ip.to_string())];
    if settled.get(Key::Netmask).is_none() {
        computed.push(("IF_NETMASK", Ipv4Addr::from(network_bits(mask.len)).to_string()));
    }
    let broadcast = match shared.broadcast {
        Broadcast::Ones if mask.bits => "+".to_owned(),
        Broadcast::Zeros if mask.bits => "-".to_owned(),
        _ => shared.broadcast(ip, mask, mask.len).map_or(String::new(), |broadcast| broadcast.to_string()),
    };
    computed.push(("IF_BROADCAST", broadcast));
    computed
}

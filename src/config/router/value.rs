//! Values of router and tuntap files: addresses, sockets, sizes and rates.

use super::super::guess;
use super::super::value::shown;
use crate::interfaces::diagnostic::{Diagnostic, Word};
use crate::model::LinkName;
use crate::router::rule::Action;
use crate::router::settings::{Listen, Mode, Protocol};
use ipnet::IpNet;
use std::fmt::Display;
use std::net::IpAddr;
use std::path::{Component, Path};
use std::str::FromStr;

/// The smallest MTU with IPv6 (RFC 8200, section 5), and with IPv4 (RFC 791).
pub(in crate::config) const IPV6_MIN_MTU: u32 = 1280;
const IPV4_MIN_MTU: u32 = 68;
const MAX_MTU: u32 = 65535;
/// The longest path of a socket (unix(7)).
const MAX_PATH: usize = 107;

/// What it is not.
pub(in crate::config) fn is_not(word: &Word, what: &str) -> Diagnostic {
    Diagnostic::error(&word.span, format!("`{}` is not {what}", shown(&word.value)))
}

/// A value that says itself why it is wrong.
pub(in crate::config) fn parsed<T: FromStr<Err: Display>>(word: &Word) -> Result<T, Diagnostic> {
    word.value.parse().map_err(|why| Diagnostic::error(&word.span, format!("{why}")))
}

/// systemd's words.
pub(in crate::config) fn switch(word: &Word) -> Result<bool, Diagnostic> {
    match word.value.to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" | "on" => Ok(true),
        "0" | "no" | "false" | "off" => Ok(false),
        _ => Err(is_not(word, "`yes` or `no`")),
    }
}

/// A link whose name nft(8) takes as it stands: without quotes, and without a `*`, which would stand for any other letters.
pub(in crate::config) fn link(word: &Word) -> Result<LinkName, Diagnostic> {
    let link = parsed::<LinkName>(word)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.-@".contains(&b);
    let help = "letters, digits, `_`, `.`, `-` and `@`";
    if word.value.bytes().all(plain) { Ok(link) } else { Err(is_not(word, "a link's name that nft takes").help(help)) }
}

fn one_of<T: Copy>(word: &Word, known: &[(&str, T)]) -> Result<T, Diagnostic> {
    let found = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(&word.value)).map(|(_, value)| *value);
    let names = || known.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
    found.ok_or_else(|| is_not(word, &names()))
}

/// `tun` or `tap`.
pub(in crate::config) fn mode(word: &Word) -> Result<Mode, Diagnostic> {
    one_of(word, &[("tun", Mode::Tun), ("tap", Mode::Tap)])
}

/// How a device speaks.
pub(in crate::config) fn protocol(word: &Word) -> Result<Protocol, Diagnostic> {
    one_of(word, &[("descriptor", Protocol::Descriptor), ("uwsgi", Protocol::Uwsgi)])
}

/// What becomes of a packet that no rule means.
pub(in crate::config) fn policy(word: &Word) -> Result<Action, Diagnostic> {
    one_of(word, &[("allow", Action::Allow), ("deny", Action::Deny)])
}

/// An MTU; whether it suits IPv6 is asked once the addresses are known.
pub(in crate::config) fn mtu(word: &Word) -> Result<u32, Diagnostic> {
    number(word, IPV4_MIN_MTU, MAX_MTU, "an MTU")
}

/// A number in a range.
pub(in crate::config) fn number(word: &Word, low: u32, high: u32, what: &str) -> Result<u32, Diagnostic> {
    let plain = !word.value.is_empty() && word.value.bytes().all(|b| b.is_ascii_digit());
    let number = plain.then(|| word.value.parse().ok()).flatten().filter(|n| (low..=high).contains(n));
    number.ok_or_else(|| is_not(word, what).help(format!("a number from {low} to {high}")))
}

/// An address with its prefix length; alone it is all of its bits.
pub(in crate::config) fn address(word: &Word) -> Result<IpNet, Diagnostic> {
    let net = net(word)?;
    let special = net.addr().is_unspecified() || net.addr().is_multicast() || net.addr().is_loopback();
    if special {
        return Err(is_not(word, "an address that a link can have"));
    }
    if net.prefix_len() < net.max_prefix_len() - 1 && net.addr() == net.network() && net.addr().is_ipv4() {
        return Err(Diagnostic::error(&word.span, format!("`{net}` is a network, not an address in it")));
    }
    Ok(net)
}

/// An address, or a prefix without bits beyond its length.
pub(in crate::config) fn prefix(word: &Word) -> Result<IpNet, Diagnostic> {
    let net = net(word)?;
    if net.trunc() != net {
        let message = format!("`{net}` has bits beyond its prefix length");
        return Err(Diagnostic::error(&word.span, message).help(guess::did_you_mean(&net.trunc().to_string())));
    }
    Ok(net)
}

fn net(word: &Word) -> Result<IpNet, Diagnostic> {
    let net = match word.value.contains('/') {
        true => word.value.parse::<IpNet>().ok(),
        false => word.value.parse::<IpAddr>().ok().map(IpNet::from),
    };
    net.ok_or_else(|| is_not(word, "an address such as 192.0.2.1/24 or 2001:db8::1/64"))
}

/// A socket: an absolute path, `@NAME`, or `ADDRESS:PORT`.
pub(in crate::config) fn listen(word: &Word) -> Result<Listen, Diagnostic> {
    let text = word.value.as_str();
    let too_long = || Diagnostic::error(&word.span, format!("a socket's path has at most {MAX_PATH} bytes (unix(7))"));
    match text.as_bytes().first() {
        Some(b'/') if text.len() > MAX_PATH => Err(too_long()),
        Some(b'/') if text.ends_with('/') || Path::new(text).components().any(|c| c == Component::ParentDir) => {
            Err(is_not(word, "the path of a socket"))
        }
        Some(b'/') => Ok(Listen::Unix(text.into())),
        Some(b'@') if text.len() > MAX_PATH => Err(too_long()),
        Some(b'@') if text.len() > 1 => Ok(Listen::Unix(text.into())),
        _ => match text.parse() {
            Ok(address) => Ok(Listen::Tcp(address)),
            Err(_) => {
                let help = "an absolute path, `@NAME`, or an address with a port such as 192.0.2.1:3000 or [::1]:3000";
                Err(is_not(word, "a socket").help(help))
            }
        },
    }
}

/// Bytes, with K, M or G for 1024 of them and so on.
pub(in crate::config) fn size(word: &Word, low: u64, high: u64) -> Result<u64, Diagnostic> {
    let text = word.value.as_str();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let factor = match text[digits..].to_ascii_uppercase().as_str() {
        "" | "B" => Some(1),
        "K" | "KB" | "KIB" => Some(1 << 10),
        "M" | "MB" | "MIB" => Some(1 << 20),
        "G" | "GB" | "GIB" => Some(1 << 30),
        _ => None,
    };
    let number = text[..digits].parse::<u64>().ok().zip(factor).and_then(|(n, factor)| n.checked_mul(factor));
    let number = number.filter(|n| (low..=high).contains(n));
    number.ok_or_else(|| is_not(word, "a size").help(format!("bytes from {low} to {high}, with K, M or G")))
}

/// Bytes per second, in the units of tc(8): `bit` counts bits, `bps` and `B` count bytes, and a number alone counts bits.
pub(in crate::config) fn rate(word: &Word) -> Result<u64, Diagnostic> {
    const LOWEST: u64 = 1000;
    let text = word.value.to_ascii_lowercase();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let unit = unit.strip_suffix("/s").unwrap_or(unit);
    let (prefix, per_byte) = match unit {
        "" => ("", 8.0),
        unit => match [("bit", 8.0), ("bps", 1.0), ("b", 1.0)]
            .iter()
            .find_map(|(end, n)| Some((unit.strip_suffix(end)?, *n)))
        {
            Some(found) => found,
            None => return Err(no_rate(word)),
        },
    };
    let factor = match prefix {
        "" => 1.0,
        "k" => 1e3,
        "m" => 1e6,
        "g" => 1e9,
        "t" => 1e12,
        "ki" => 1024.0,
        "mi" => 1024.0 * 1024.0,
        "gi" => 1024.0 * 1024.0 * 1024.0,
        "ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(no_rate(word)),
    };
    let bytes = number.parse::<f64>().map_err(|_| no_rate(word))? * factor / per_byte;
    if !(LOWEST as f64..=1e15).contains(&bytes) {
        let help = "the lowest is 8kbit, which is 1000 bytes per second";
        return Err(is_not(word, "a rate that can be kept").help(help));
    }
    Ok(bytes as u64)
}

fn no_rate(word: &Word) -> Diagnostic {
    is_not(word, "a rate").help("such as 10Mbit, or 1MB for bytes per second, in the units of tc(8)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interfaces::diagnostic::{Source, Span};

    fn word(text: &str) -> Word {
        let span = Span { source: Source::new("/f", text), line: 1, start: 0, len: text.len() as u32 };
        Word { value: text.to_owned(), span }
    }

    #[test]
    fn rates_are_those_of_tc() {
        let good =
            [("8000", 1000), ("10Mbit", 1_250_000), ("1MB", 1_000_000), ("1mbps", 1_000_000), ("1Mibit", 131_072)];
        for (text, bytes) in good.into_iter().chain([("1.5gbit/s", 187_500_000), ("1kB/s", 1000)]) {
            assert_eq!(rate(&word(text)), Ok(bytes), "{text}");
        }
        for bad in ["", "fast", "10", "-1mbit", "1.1.1mbit", "1xbit", "1m", "999999999tbit", "mbit", "inf", "nan"] {
            assert!(rate(&word(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_have_suffixes() {
        for (text, bytes) in [("1", 1), ("64K", 65536), ("1m", 1 << 20), ("2GiB", 2 << 30)] {
            assert_eq!(size(&word(text), 0, u64::MAX), Ok(bytes), "{text}");
        }
        for bad in ["", "K", "-1", "1T", "99999999999999999999", "18446744073709551615K", "1.5M"] {
            assert!(size(&word(bad), 0, u64::MAX).is_err(), "{bad}");
        }
    }

    #[test]
    fn sockets_are_paths_names_and_ports() {
        for text in ["/run/x.sock", "@x", "127.0.0.1:3000", "[::1]:3000"] {
            assert_eq!(listen(&word(text)).unwrap().to_string(), text);
        }
        for bad in ["", "@", "x.sock", "127.0.0.1", "/run/", "/run/../x", ":3000", "127.0.0.1:99999"] {
            assert!(listen(&word(bad)).is_err(), "{bad}");
        }
        assert!(listen(&word(&format!("/{}", "x".repeat(107)))).is_err());
    }
}

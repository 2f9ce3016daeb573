//! Tunnels: the methods `inet tunnel`, `inet6 tunnel`, `v4tunnel` and `6to4` of interfaces(5), and `tunnel-mode` with the
//! options of interfaces-tunnel(5) of ifupdown-ng and ifupdown2.

use super::super::inherit::Settled;
use super::super::method::Family;
use super::super::value::{Part, only_word};
use super::Reader;
use super::simple::name;
use crate::interfaces::diagnostic::Diagnostic;
use crate::model::{LinkName, VirtualKind};
use std::net::Ipv4Addr;

/// What a [`VirtualKind::Ip6tnl`] carries (`IFLA_IPTUN_PROTO`): IPv6 or IPv4.
const IPPROTO_IPV6: u64 = 41;
const IPPROTO_IPIP: u64 = 4;

/// The kind that a method makes.
pub(super) fn of_method(settled: &Settled<'_>) -> Result<VirtualKind, Diagnostic> {
    if settled.method.name != "tunnel" {
        return Ok(VirtualKind::Sit);
    }
    let Some(opt) = settled.named("mode").or(settled.named("tunnel-mode")) else {
        let message = format!("`{}` has no `mode`", settled.iface.name.value);
        return Err(Diagnostic::error(&settled.iface.name.span, message).help("method `tunnel` needs one"));
    };
    let word = only_word(opt)?;
    let kind = by_mode(word)?;
    let ipv6 = matches!(kind, VirtualKind::Ip6gre | VirtualKind::Ip6tnl);
    let fits = matches!(kind, VirtualKind::Gre | VirtualKind::Ipip) || ipv6;
    if !fits || ipv6 != (settled.family == Family::Inet6) {
        return Err(word.is_not(match settled.family {
            Family::Inet => "`gre` or `ipip`",
            Family::Inet6 => "`ip6gre`, `ip6ip6` or `ipip6`",
        }));
    }
    Ok(kind)
}

/// The kind of a `tunnel-mode`.
pub(super) fn by_mode(word: Part<'_>) -> Result<VirtualKind, Diagnostic> {
    Ok(match word.text.to_ascii_lowercase().as_str() {
        "gre" => VirtualKind::Gre,
        "gretap" => VirtualKind::Gretap,
        "ip6gre" | "gre6" => VirtualKind::Ip6gre,
        "ip6gretap" => VirtualKind::Ip6gretap,
        "ipip" => VirtualKind::Ipip,
        "sit" => VirtualKind::Sit,
        "ip6ip6" | "ipip6" | "ip4ip6" => VirtualKind::Ip6tnl,
        _ => return Err(word.is_not("a kind of tunnel such as `gre`, `ipip`, `sit` or `ip6gre`")),
    })
}

/// Whether the tunnel of a stanza of method `tunnel` carries IPv4 in IPv6, and so has IPv4 addresses.
pub(in crate::config) fn carries_ipv4(settled: &Settled<'_>) -> bool {
    let mode = settled.named("mode").or(settled.named("tunnel-mode"));
    mode.is_some_and(|opt| only_word(opt).is_ok_and(|word| word.text.eq_ignore_ascii_case("ipip6")))
}

/// Reads the options of a tunnel; the link that it stands on.
pub(super) fn read<'a>(reader: &mut Reader<'_, 'a>) -> Option<Option<(LinkName, Part<'a>)>> {
    endpoints(reader);
    if let Some(word) = reader.word_of(&["ttl", "tunnel-ttl"]) {
        match word.text {
            "inherit" => reader.set_number(reader.kind.option("ttl").map_or("ttl", |option| option.word), 0),
            _ => reader.take_part(word, "ttl"),
        }
    }
    if reader.kind == VirtualKind::Sit && reader.number_of("ttl").is_none() {
        // ip-tunnel(8) says so of every tunnel; it is only here that the kernel would choose otherwise.
        reader.set_number("ttl", 0);
    }
    reader.take("tunnel-tos", "tos");
    reader.take("tunnel-pmtudisc", "pmtudisc");
    reader.take("encaplimit", "encaplimit");
    if reader.kind == VirtualKind::Ip6tnl {
        let mode = reader.word_of(&["mode", "tunnel-mode"]).map_or("", |word| word.text);
        reader.set_number("mode", if mode.eq_ignore_ascii_case("ip6ip6") { IPPROTO_IPV6 } else { IPPROTO_IPIP });
    }
    keys(reader);
    let Some(word) = reader.word("tunnel-physdev") else { return Some(None) };
    Some(Some((reader.report.take(name(word))?, word)))
}

fn endpoints(reader: &mut Reader<'_, '_>) {
    let methods: Vec<&str> = reader.settled.iter().map(|settled| settled.method.name).collect();
    let (local, remote) = (&["local", "tunnel-local"], &["endpoint", "tunnel-remote"]);
    let given = |reader: &Reader<'_, '_>, names: &[&str]| names.iter().any(|name| reader.opt(name).is_some());
    if methods.contains(&"6to4") {
        if !given(reader, local) {
            reader.missing("method `6to4` needs a `local` address", "add `local`");
        }
    } else if !given(reader, remote) && methods.iter().any(|method| ["tunnel", "v4tunnel"].contains(method)) {
        reader.missing("a tunnel needs an `endpoint`", "`endpoint any` takes packets from everywhere");
    }
    for (names, word) in [(local, "local"), (remote, "remote")] {
        // ip-tunnel(8): any is the same as none.
        let part = reader.word_of(names).filter(|part| !matches!(part.text, "any" | "0.0.0.0" | "::"));
        if let Some(part) = part {
            reader.take_part(part, word);
        }
    }
}

/// Keys are numbers, or written like an IPv4 address.
fn keys(reader: &mut Reader<'_, '_>) {
    let words = [("tunnel-key", &["ikey", "okey"][..]), ("tunnel-ikey", &["ikey"]), ("tunnel-okey", &["okey"])];
    for (option, words) in words {
        let Some(part) = reader.word(option) else { continue };
        let key = match part.text.parse::<Ipv4Addr>() {
            Ok(ip) => Some(u64::from(u32::from(ip))),
            Err(_) => reader.report.take(part.number(0, u64::from(u32::MAX))),
        };
        let words = words.iter().filter(|word| reader.kind.option(word).is_some());
        for word in words.collect::<Vec<_>>() {
            if let Some(key) = key {
                reader.set_number(word, key);
            }
        }
    }
}

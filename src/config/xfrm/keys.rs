//! One section of an `xfrm` file: its keys, read and checked.
//!
//! | key | |
//! |---|---|
//! | `IfId` | 1 to 4294967295, decimal or `0x…`: `if_id_in` and `if_id_out` of swanctl.conf(5) |
//! | `Prefixes` | what is routed into the link, IPv4 and IPv6, between commas or on lines of their own |
//! | `DestNetNS` | the namespace where the link ends up; `xfrm_SERVICE` if not given |
//! | `UnderlayDev` | a link of the service's namespace whose hardware takes over |
//! | `MTU` | that of the link; if not given what the underlay's leaves |
//! | `BlockP2P` | whether only packets from the uplink are routed into the link |
//! | `Table` | with `BlockP2P`, the table of its routes; 117 if not given |
//!
//! `[DEFAULT]` gives keys to all sections, as Python's configparser has it.

use super::super::guess;
use super::super::ini::{Key, Section};
use super::super::report::Report;
use super::super::value::shown;
use crate::interfaces::diagnostic::{Diagnostic, Span, Word};
use crate::model::{LinkName, NetnsName};
use ipnet::IpNet;
use std::collections::HashMap;
use std::net::IpAddr;
use std::str::FromStr;

/// Whose keys are everybody's.
pub(super) const DEFAULT: &str = "DEFAULT";
/// The table of `BlockP2P`.
const TABLE: u32 = 117;
/// The kernel's own tables: `default`, `main` and `local` (`linux/rtnetlink.h`).
const KERNELS_TABLES: [u32; 3] = [253, 254, 255];
/// The smallest MTU of a link with IPv6 (RFC 8200, section 5), and of one with IPv4 (RFC 791).
const IPV6_MIN_MTU: u32 = 1280;
const IPV4_MIN_MTU: u32 = 68;
const MAX_MTU: u32 = 65535;

const NAMES: [&str; 7] = ["IfId", "Prefixes", "DestNetNS", "UnderlayDev", "MTU", "BlockP2P", "Table"];

/// A section that has everything it needs.
pub(super) struct Tunnel {
    pub link: LinkName,
    /// Where the section is named.
    pub span: Span,
    pub if_id: u32,
    /// Where it is given.
    pub if_id_span: Span,
    pub prefixes: Vec<(IpNet, Span)>,
    pub dest: NetnsName,
    pub underlay: Option<(LinkName, Span)>,
    pub mtu: Option<u32>,
    /// The table that keeps packets of other tunnels out, and where it was asked for.
    pub block: Option<(u32, Span)>,
}

/// The keys of a section and of `[DEFAULT]`, each looked up by any spelling.
struct Keys<'a> {
    section: &'a Section,
    defaults: Option<&'a Section>,
}

impl<'a> Keys<'a> {
    fn get(&self, name: &str) -> Option<&'a Key> {
        let of = |section: &'a Section| section.keys.iter().find(|key| key.name.value.eq_ignore_ascii_case(name));
        of(self.section).or_else(|| of(self.defaults?))
    }

    /// The value of a key as one word that is read; a mistake in it is reported.
    fn read<T>(&self, name: &str, read: impl Fn(&Word) -> Result<T, Diagnostic>, report: &mut Report) -> Option<T> {
        let key = self.get(name)?;
        let word = key.word();
        if word.value.is_empty() {
            report.push(Diagnostic::error(&key.name.span, format!("`{}` has no value", shown(&key.name.value))));
            return None;
        }
        let value = read(&word).map_err(|mistake| match key.goes_on() {
            true => mistake.help("the next line is indented deeper, and so continues this one"),
            false => mistake,
        });
        report.take(value)
    }
}

/// Reads a section. What is missing or wrong is reported; then there is none.
pub(super) fn read(
    service: &NetnsName,
    section: &Section,
    defaults: Option<&Section>,
    report: &mut Report,
) -> Option<Tunnel> {
    warn_of_unknown(section, report);
    let keys = Keys { section, defaults };
    let name = &section.name;
    let link = name.value.parse().map_err(|why| Diagnostic::error(&name.span, format!("{why}")));
    let link = report.take(link);
    let missing = |what: &str, help: &str| {
        Diagnostic::error(&name.span, format!("`{}` has no `{what}`", shown(&name.value))).help(help)
    };
    if keys.get("IfId").is_none() {
        report.push(missing("IfId", "the number that `if_id_in` and `if_id_out` have in swanctl.conf"));
    }
    if keys.get("Prefixes").is_none() {
        report.push(missing("Prefixes", "the networks on the other side, such as `Prefixes = 10.1.0.0/16, fd01::/48`"));
    }
    let if_id = keys.read("IfId", if_id, report);
    let prefixes = prefixes(&keys, report);
    let dest = dest(&keys, service, &name.span, report);
    let underlay = keys.read("UnderlayDev", |word| Ok((parsed(word)?, word.span.clone())), report);
    let has_ipv6 = prefixes.iter().flatten().any(|(net, _)| net.addr().is_ipv6());
    let mtu = keys.read("MTU", |word| mtu(word, has_ipv6), report);
    let wants_block = keys.read("BlockP2P", |word| Ok((switch(word)?, word.span.clone())), report);
    let table = keys.read("Table", table, report);
    let block = wants_block.filter(|(wanted, _)| *wanted).map(|(_, span)| (table.unwrap_or(TABLE), span));
    let own = Keys { section, defaults: None };
    if let Some(key) = own.get("Table").filter(|_| block.is_none()) {
        let message = "`Table` has no effect without `BlockP2P = yes`";
        report.push(Diagnostic::warning(&key.name.span, message));
    }
    Some(Tunnel {
        link: link?,
        span: name.span.clone(),
        if_id: if_id?,
        if_id_span: keys.get("IfId")?.span().clone(),
        prefixes: prefixes?,
        dest: dest?,
        underlay,
        mtu,
        block,
    })
}

/// Warns of keys that mean nothing.
pub(super) fn warn_of_unknown(section: &Section, report: &mut Report) {
    for key in &section.keys {
        let name = &key.name.value;
        if NAMES.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            continue;
        }
        let warning = Diagnostic::warning(&key.name.span, format!("unknown key `{}`", shown(name)));
        report.push(match guess::nearest(name, NAMES) {
            Some(guess) => warning.help(guess::did_you_mean(guess)),
            None => warning.help(format!("keys are {}", NAMES.join(", "))),
        });
    }
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(word: &Word) -> Result<T, Diagnostic> {
    word.value.parse().map_err(|why| Diagnostic::error(&word.span, format!("{why}")))
}

fn is_not(word: &Word, what: &str) -> Diagnostic {
    Diagnostic::error(&word.span, format!("`{}` is not {what}", shown(&word.value)))
}

/// Decimal, or `0x` and hexadecimal; no sign.
fn number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None => (text, 10),
    };
    let plain = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    plain.then(|| u64::from_str_radix(digits, radix).ok()).flatten()
}

fn if_id(word: &Word) -> Result<u32, Diagnostic> {
    let wrong =
        || is_not(word, "an interface ID").help("a number from 1 to 4294967295, or the same as 0x1 to 0xffffffff");
    match number(&word.value) {
        Some(0) => Err(Diagnostic::error(&word.span, "an interface ID is not 0: that is what has none")),
        Some(n) => u32::try_from(n).map_err(|_| wrong()),
        None => Err(wrong()),
    }
}

fn mtu(word: &Word, has_ipv6: bool) -> Result<u32, Diagnostic> {
    let (min, why) = if has_ipv6 { (IPV6_MIN_MTU, " with IPv6 prefixes") } else { (IPV4_MIN_MTU, "") };
    let fits = |n: &u64| (u64::from(min)..=u64::from(MAX_MTU)).contains(n);
    let number = number(&word.value).filter(fits).and_then(|n| u32::try_from(n).ok());
    number.ok_or_else(|| is_not(word, "an MTU").help(format!("a number from {min} to {MAX_MTU}{why}")))
}

fn table(word: &Word) -> Result<u32, Diagnostic> {
    let number = number(&word.value).filter(|n| *n > 0).and_then(|n| u32::try_from(n).ok());
    let number = number.filter(|n| !KERNELS_TABLES.contains(n));
    let help = "a number from 1 to 4294967295, other than 253, 254 and 255, which everybody looks at";
    number.ok_or_else(|| is_not(word, "a table of its own").help(help))
}

/// The words of Python's configparser.
fn switch(word: &Word) -> Result<bool, Diagnostic> {
    match word.value.to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" | "on" => Ok(true),
        "0" | "no" | "false" | "off" => Ok(false),
        _ => Err(is_not(word, "`yes` or `no`")),
    }
}

fn dest(keys: &Keys<'_>, service: &NetnsName, span: &Span, report: &mut Report) -> Option<NetnsName> {
    if keys.get("DestNetNS").is_some() {
        return keys.read("DestNetNS", parsed, report);
    }
    let name = format!("xfrm_{service}");
    let help = "give it a `DestNetNS`";
    report.take(name.parse().map_err(|why| Diagnostic::error(span, format!("{why}")).help(help)))
}

fn prefixes(keys: &Keys<'_>, report: &mut Report) -> Option<Vec<(IpNet, Span)>> {
    let key = keys.get("Prefixes")?;
    let items = key.items();
    if items.is_empty() {
        report.push(Diagnostic::error(&key.name.span, "`Prefixes` names no network"));
        return None;
    }
    let mut all: Vec<(IpNet, Span)> = Vec::new();
    let (mut seen, mut good): (HashMap<IpNet, Span>, bool) = (HashMap::new(), true);
    for item in &items {
        let Some(net) = report.take(prefix(item)) else {
            good = false;
            continue;
        };
        if let Some(first) = seen.insert(net, item.span.clone()) {
            let message = format!("`{net}` is named twice");
            report.push(Diagnostic::warning(&item.span, message).help(format!("first at {first}")));
        } else {
            all.push((net, item.span.clone()));
        }
    }
    good.then_some(all)
}

/// A prefix without host bits; an address alone is all of its bits.
fn prefix(item: &Word) -> Result<IpNet, Diagnostic> {
    let net = match item.value.contains('/') {
        true => item.value.parse::<IpNet>().ok(),
        false => item.value.parse::<IpAddr>().ok().map(IpNet::from),
    };
    let net = net.ok_or_else(|| {
        let mistake = is_not(item, "a prefix such as 192.0.2.0/24 or 2001:db8::/32");
        let blank = item.value.contains(char::is_whitespace);
        if blank { mistake.help("prefixes stand between commas") } else { mistake }
    })?;
    if net.trunc() != net {
        let message = format!("`{net}` has bits beyond its prefix length");
        return Err(Diagnostic::error(&item.span, message).help(guess::did_you_mean(&net.trunc().to_string())));
    }
    Ok(net)
}

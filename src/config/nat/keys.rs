//! The keys of a section of a `nat` file.

use super::super::ini::Section;
use super::super::report::Report;
use super::super::router::value::{self, is_not};
use super::super::section::Keys;
use super::super::value::shown;
use super::{Ports, Published, Source, Target};
use crate::interfaces::diagnostic::{Diagnostic, Spanned, Word};
use ipnet::IpNet;
use std::net::IpAddr;

const PUBLISH: [&str; 7] = ["Address", "Port", "Protocol", "To", "From", "Link", "Masquerade"];
/// The longest range of ports that goes to others: each is an element of a map.
const MAX_MAPPED: u32 = 1024;

/// More words than any of these lists has.
const MAX_WORDS: usize = 256;

/// The values of a list.
fn list<T>(
    keys: Keys<'_>,
    name: &str,
    read: impl Fn(&Word) -> Result<T, Diagnostic>,
    report: &mut Report,
) -> Vec<Spanned<T>> {
    let mut values = keys.list(name, read, report);
    if let Some(more) = values.get(MAX_WORDS) {
        report.push(Diagnostic::error(&more.span, format!("more than {MAX_WORDS} values")));
        values.truncate(MAX_WORDS);
    }
    values
}

/// `[masquerade]`
pub(super) fn masquerade(section: &Section, report: &mut Report) -> Option<Source> {
    let keys = Keys::new(Some(section), &["From", "Link"], report);
    let link = keys.read("Link", value::link, report);
    Some(Source { name: name(section), from: from(section, keys, report)?, link, to: None })
}

/// `[snat]`
pub(super) fn snat(section: &Section, report: &mut Report) -> Option<Source> {
    let keys = Keys::new(Some(section), &["From", "To", "Link"], report);
    let from = from(section, keys, report);
    let link = keys.read("Link", value::link, report);
    if keys.get("To").is_none() {
        report.push(missing(section, "To", "the address that the packets leave with; `[masquerade]` takes the link's"));
    }
    let to = list(keys, "To", address, report);
    one_for_each_family(&to, |to| to, report);
    let from = from?;
    for to in &to {
        if !from.iter().any(|net| net.addr().is_ipv6() == to.value.is_ipv6()) {
            let message = format!("there is nothing `From` of the family of `{}`", to.value);
            report.push(Diagnostic::error(&to.span, message));
        }
    }
    let has = |net: &IpNet| to.iter().any(|to| to.value.is_ipv6() == net.addr().is_ipv6());
    if let Some(net) = from.iter().find(|net| !to.is_empty() && !has(net)) {
        let span = keys.span("From").unwrap_or(&section.name.span);
        report.push(Diagnostic::error(span, format!("there is no `To` of the family of `{net}`")));
    }
    let to: Vec<IpAddr> = to.into_iter().map(|to| to.value).collect();
    (!to.is_empty()).then(|| Source { name: name(section), from, link, to: Some(to) })
}

/// The words after the first of a section's name.
fn name(section: &Section) -> String {
    section.name.value.split_once(char::is_whitespace).map_or("", |(_, name)| name.trim()).to_owned()
}

fn from(section: &Section, keys: Keys<'_>, report: &mut Report) -> Option<Vec<IpNet>> {
    if keys.get("From").is_none() {
        report.push(missing(section, "From", "the networks whose packets are meant, such as `From = 10.1.1.0/24`"));
    }
    let from: Vec<IpNet> = list(keys, "From", value::prefix, report).into_iter().map(|net| net.value).collect();
    (!from.is_empty()).then_some(from)
}

/// `[publish]`
pub(super) fn publish(section: &Section, report: &mut Report) -> Option<Published> {
    let keys = Keys::new(Some(section), &PUBLISH, report);
    let addresses = list(keys, "Address", host_address, report);
    let ports: Vec<Spanned<Ports>> = list(keys, "Port", ports, report);
    let protocols = list(keys, "Protocol", protocol, report);
    let to = list(keys, "To", target, report);
    let from = list(keys, "From", value::prefix, report);
    if keys.get("To").is_none() {
        report.push(missing(section, "To", "where it goes, such as `To = 10.1.1.6:22`"));
    }
    if keys.get("Port").is_none() && keys.get("Address").is_none() {
        report.push(missing(
            section,
            "Port",
            "the port of the host; without one, `Address` is published with all of its ports",
        ));
    }
    if let Some(key) = keys.get("Protocol").filter(|_| keys.get("Port").is_none()) {
        let help = "without a port, all protocols are published";
        report.push(Diagnostic::error(&key.name.span, "`Protocol` needs a `Port`").help(help));
    }
    if let Some(own) = addresses.iter().find(|address| address.value.is_loopback()).filter(|_| ports.is_empty()) {
        let help = "everything that the host says to itself goes there";
        report.push(Diagnostic::error(&own.span, format!("`{}` needs a `Port`", own.value)).help(help));
    }
    one_for_each_family(&to, |to| &to.address, report);
    for to in &to {
        mapped(&to.value, &ports, report);
        suits(&to.value, &addresses, &from, report);
    }
    for address in &addresses {
        if !to.is_empty() && !to.iter().any(|to| to.value.address.is_ipv6() == address.value.is_ipv6()) {
            let message = format!("there is no `To` of the family of `{}`", address.value);
            report.push(Diagnostic::error(&address.span, message));
        }
    }
    Some(Published {
        name: name(section),
        addresses: addresses.into_iter().map(|address| address.value).collect(),
        tcp: protocols.is_empty() || protocols.iter().any(|protocol| protocol.value == "tcp"),
        udp: protocols.iter().any(|protocol| protocol.value == "udp"),
        ports: ports.into_iter().map(|ports| ports.value).collect(),
        to: to.into_iter().map(|to| to.value).collect(),
        from: from.into_iter().map(|net| net.value).collect(),
        link: keys.read("Link", value::link, report),
        masquerade: keys.read("Masquerade", value::switch, report).unwrap_or(false),
        span: section.name.span.clone(),
    })
}

/// Reports ports of a target that are not as many as those that are published.
fn mapped(to: &Target, ports: &[Spanned<Ports>], report: &mut Report) {
    let Some(there) = to.ports else { return };
    let error = |message: String| Diagnostic::error(&to.span, message);
    match ports {
        [] => report.push(error("there is no `Port` for this port".to_owned())),
        [one] if one.value.count() != there.count() => {
            report.push(error(format!("{} are published, and {} are here", one.value.count(), there.count())));
        }
        [one] if one.value.count() > MAX_MAPPED && one.value != there => {
            let help = format!("at most {MAX_MAPPED} ports may go to others");
            report.push(error("these are too many ports".to_owned()).help(help));
        }
        [_] => {}
        [_, more, ..] => {
            let help = "write a section for each, or leave out the port here: then each goes to the same one";
            report.push(Diagnostic::error(&more.span, "several ports cannot go to one").help(help));
        }
    }
}

/// Reports what keeps a target from being reached at all.
fn suits(to: &Target, addresses: &[Spanned<IpAddr>], from: &[Spanned<IpNet>], report: &mut Report) {
    let ipv6 = to.address.is_ipv6();
    if !addresses.is_empty() && !addresses.iter().any(|address| address.value.is_ipv6() == ipv6) {
        let message = format!("there is no `Address` of the family of `{}`", to.address);
        report.push(Diagnostic::error(&to.span, message));
    }
    if !from.is_empty() && !from.iter().any(|net| net.value.addr().is_ipv6() == ipv6) {
        let message = format!("there is nothing `From` of the family of `{}`", to.address);
        report.push(Diagnostic::error(&to.span, message));
    }
}

fn missing(section: &Section, key: &str, help: &str) -> Diagnostic {
    let message = format!("`[{}]` has no `{key}`", shown(&section.name.value));
    Diagnostic::error(&section.name.span, message).help(help)
}

fn one_for_each_family<T>(all: &[Spanned<T>], address: impl Fn(&T) -> &IpAddr, report: &mut Report) {
    for (i, one) in all.iter().enumerate() {
        let ipv6 = address(&one.value).is_ipv6();
        if let Some(first) = all[..i].iter().find(|other| address(&other.value).is_ipv6() == ipv6) {
            let message = "this is the second one of its family";
            report.push(Diagnostic::error(&one.span, message).help(format!("the first is at {}", first.span)));
        }
    }
}

/// An address of a link of the host's, or one of 127.0.0.0/8.
fn host_address(word: &Word) -> Result<IpAddr, Diagnostic> {
    match word.value.parse() {
        Ok(IpAddr::V4(own)) if own.is_loopback() => Ok(own.into()),
        Ok(IpAddr::V6(own)) if own.is_loopback() => {
            let help = "a `[socket]` may listen there";
            Err(Diagnostic::error(&word.span, "the kernel lets nothing from ::1 leave `lo`").help(help))
        }
        _ => address(word),
    }
}

/// An address of a link, without a length.
fn address(word: &Word) -> Result<IpAddr, Diagnostic> {
    let address: IpAddr = word.value.parse().map_err(|_| is_not(word, "an address"))?;
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() {
        return Err(is_not(word, "an address that a link can have"));
    }
    Ok(address)
}

fn port(text: &str) -> Option<u16> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten().filter(|port| *port > 0)
}

/// A port, or `FIRST-LAST`.
fn ports(word: &Word) -> Result<Ports, Diagnostic> {
    let read = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let ports = Ports { first: port(first)?, last: port(last)? };
        (ports.first <= ports.last).then_some(ports)
    };
    let help = "a number from 1 to 65535, or two of them such as 8000-8010";
    read(&word.value).ok_or_else(|| is_not(word, "a port").help(help))
}

fn protocol(word: &Word) -> Result<&'static str, Diagnostic> {
    match word.value.to_ascii_lowercase().as_str() {
        "tcp" => Ok("tcp"),
        "udp" => Ok("udp"),
        _ => Err(is_not(word, "`tcp` or `udp`")),
    }
}

/// `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`; a range in the place of the port.
fn target(word: &Word) -> Result<Target, Diagnostic> {
    let text = word.value.as_str();
    let wrong = || is_not(word, "an address").help("such as 10.1.1.6, 10.1.1.6:22 or [fd00::6]:22");
    let (host, rest) = match text.strip_prefix('[') {
        Some(inside) => inside.split_once("]:").map(|(host, port)| (host, Some(port))).ok_or_else(wrong)?,
        None if text.matches(':').count() > 1 => (text, None),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let at = |part: &str| super::super::ini::word(&word.span, part.as_ptr() as usize - text.as_ptr() as usize, part);
    let address = match host.parse::<IpAddr>() {
        Ok(_) => address(&at(host))?,
        Err(_) => return Err(wrong()),
    };
    let ports = rest.map(|rest| ports(&at(rest))).transpose()?;
    Ok(Target { address, ports, span: word.span.clone() })
}

impl Ports {
    /// How many.
    pub fn count(self) -> u32 {
        u32::from(self.last - self.first) + 1
    }
}

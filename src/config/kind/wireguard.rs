//! WireGuard: the file of `wireguard-config-path`, as wg(8) has it ("CONFIGURATION FILE FORMAT").
//!
//! What wg-quick(8) has beside is left aside with a warning: the stanza says addresses, routes and commands. The lines are
//! read here and not by an INI library, for which several `[Peer]` sections are one and no line has a place. Keys are never
//! part of a message: they are starred out of the text that diagnostics show.

use super::super::report::Report;
use super::super::value::shown;
use super::Reader;
use crate::interfaces::Files;
use crate::interfaces::diagnostic::{Diagnostic, Source, Span};
use crate::interfaces::syntax::Opt;
use crate::model::{LinkName, Netns, Secret, Wireguard, WireguardKey, WireguardPeer};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest file that is read, in bytes.
const MAX_FILE: usize = 4 << 20;

/// No option has a longer name.
const LONGEST_NAME: usize = 24;

/// `[Interface]` lines of wg-quick(8).
const QUICK: [&str; 10] =
    ["address", "dns", "mtu", "table", "preup", "postup", "predown", "postdown", "saveconfig", "fwmarkroute"];

/// `wireguard-netns`: where the outer packets travel.
pub(super) fn birth(reader: &mut Reader<'_, '_>) -> Option<Netns> {
    let word = reader.word("wireguard-netns")?;
    match word.text {
        "host" => Some(Netns::Host),
        "own" => None,
        _ => {
            reader.report.push(word.is_not("`host` or `own`"));
            None
        }
    }
}

/// Reads the file of a link.
pub(super) fn read(link: LinkName, reader: &mut Reader<'_, '_>, files: &dyn Files) -> Option<Wireguard> {
    let opt = reader.opt("wireguard-config-path");
    let path = match opt {
        Some(opt) => absolute(link, opt, reader.report)?,
        None => Path::new("/etc/wireguard").join(format!("{link}.conf")),
    };
    let span = opt.map(|opt| opt.value.span.clone()).or(reader.settled.first().map(|s| s.iface.name.span.clone()))?;
    let place = files.place(&path);
    let text = match files.read(&path, MAX_FILE + 1) {
        Ok(bytes) if bytes.len() > MAX_FILE => Err("it is too long".to_owned()),
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()),
        Err(why) => Err(why.to_string()),
    };
    let text = match text {
        Ok(text) => text,
        Err(why) => {
            let message = format!("the keys of `{link}` cannot be read from {}: {why}", place.display());
            reader.report.push(Diagnostic::error(&span, message).help("`wireguard-config-path` says where they are"));
            return None;
        }
    };
    let source = Source::new(&place, hidden(&text));
    let wireguard = Wireguard::default();
    let mut file = File { source, report: reader.report, wireguard, section: Section::None };
    file.wireguard.path = place.display().to_string();
    file.read(&text);
    Some(file.wireguard)
}

/// The path as it is written. ifupdown-ng says that it is absolute (interfaces-wireguard(5)), and looks a relative one up wherever
/// it was started.
fn absolute(link: LinkName, opt: &Opt, report: &mut Report) -> Option<PathBuf> {
    let path = Path::new(opt.value.value.trim());
    if path.is_absolute() {
        return Some(path.to_owned());
    }
    let message = format!("`{}` is not an absolute path", shown(&opt.value.value));
    let help = format!("such as /etc/wireguard/{link}.conf");
    report.push(Diagnostic::error(&opt.value.span, message).help(help));
    None
}

/// The text with its keys starred out, each line as long as it was.
fn hidden(text: &str) -> String {
    let line = |line: &str| match line.split_once('=') {
        Some((key, value)) if key.trim().to_ascii_lowercase().ends_with("key") && !is(key, "publickey") => {
            format!("{key}={}", value.chars().map(|c| "*".repeat(c.len_utf8())).collect::<String>())
        }
        // A key that stands alone was meant to be one.
        _ if line.len() > 40 && !line.contains([' ', '[']) => "*".repeat(line.len()),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn is(key: &str, name: &str) -> bool {
    key.trim().eq_ignore_ascii_case(name)
}

/// The file while it is read.
struct File<'r> {
    source: Arc<Source>,
    report: &'r mut Report,
    wireguard: Wireguard,
    section: Section,
}

/// The section that a line is in.
enum Section {
    None,
    /// What was begun by a mistake is passed over.
    Unknown,
    Interface,
    Peer(Box<Peer>),
}

/// A peer, and where it begins.
struct Peer {
    start: Span,
    key: Option<WireguardKey>,
    peer: WireguardPeer,
}

/// A line's place and the parts of it.
struct Line<'t> {
    number: u32,
    whole: &'t str,
}

impl Line<'_> {
    fn span(&self, source: &Arc<Source>, part: &str) -> Span {
        let start = part.as_ptr() as usize - self.whole.as_ptr() as usize;
        Span { source: Arc::clone(source), line: self.number, start: start as u32, len: part.len() as u32 }
    }
}

impl File<'_> {
    fn read(&mut self, text: &str) {
        for (number, whole) in (1..).zip(text.lines()) {
            let line = Line { number, whole };
            let content = whole.split('#').next().unwrap_or_default().trim();
            match &self.section {
                _ if content.is_empty() => {}
                _ if content.starts_with('[') => self.begin(&line, content),
                Section::None => {
                    self.error(&line, content, "this line is in no section: the first is `[Interface]`");
                    self.section = Section::Unknown;
                }
                Section::Unknown => {}
                Section::Interface | Section::Peer(_) => self.line(&line, content),
            }
        }
        self.end();
    }

    fn error(&mut self, line: &Line<'_>, part: &str, message: impl Into<String>) {
        self.report.push(Diagnostic::error(&line.span(&self.source, part), message));
    }

    /// `[Interface]` or `[Peer]`.
    fn begin(&mut self, line: &Line<'_>, content: &str) {
        self.end();
        self.section = if is(content, "[interface]") {
            Section::Interface
        } else if is(content, "[peer]") {
            let start = line.span(&self.source, content);
            Section::Peer(Box::new(Peer { start, key: None, peer: WireguardPeer::default() }))
        } else {
            self.error(line, content, "this is neither `[Interface]` nor `[Peer]`");
            Section::Unknown
        };
    }

    /// Ends a section.
    fn end(&mut self) {
        let Section::Peer(peer) = std::mem::replace(&mut self.section, Section::Unknown) else { return };
        let Peer { start, key, peer } = *peer;
        let Some(key) = key else {
            return self.report.push(Diagnostic::error(&start, "this peer has no `PublicKey`"));
        };
        // wg(8): sections of one key are one peer.
        let known = self.wireguard.peers.entry(key).or_default();
        known.preshared_key = peer.preshared_key.or(known.preshared_key);
        known.endpoint = peer.endpoint.or(known.endpoint.take());
        known.keepalive = if peer.keepalive > 0 { peer.keepalive } else { known.keepalive };
        known.allowed_ips.extend(peer.allowed_ips);
    }

    fn line(&mut self, line: &Line<'_>, content: &str) {
        let Some((name, value)) = content.split_once('=') else {
            self.error(line, content, "here should be `NAME = VALUE`");
            return;
        };
        let (name, value) = (name.trim(), value.trim());
        let lower = name.to_ascii_lowercase();
        let read = match &mut self.section {
            Section::Peer(peer) => peer_line(peer, &lower, value),
            _ => interface_line(&mut self.wireguard, &lower, value),
        };
        match read {
            Ok(()) => {}
            Err(Wrong::Value(part, what)) => self.error(line, part, what),
            Err(Wrong::Name) if matches!(self.section, Section::Interface) && QUICK.contains(&lower.as_str()) => {
                let span = line.span(&self.source, name);
                let message = format!("`{name}` is for wg-quick(8) and has no effect");
                let warning = Diagnostic::warning(&span, message);
                self.report.push(warning.help("the stanza says addresses, routes and commands"));
            }
            // A long word may be a key in the wrong place.
            Err(Wrong::Name) if name.len() > LONGEST_NAME => self.error(line, name, "this is no option"),
            Err(Wrong::Name) => self.error(line, name, format!("unknown option `{}`", shown(name))),
        }
    }
}

fn interface_line<'t>(wireguard: &mut Wireguard, name: &str, value: &'t str) -> Result<(), Wrong<'t>> {
    match name {
        "privatekey" => wireguard.private_key = Some(secret(value)?),
        "listenport" => wireguard.listen_port = Some(number(value, "a port from 0 to 65535")?),
        "fwmark" if is(value, "off") => wireguard.fwmark = 0,
        "fwmark" => {
            let number = match value.strip_prefix("0x") {
                Some(hex) if !hex.starts_with('+') => u32::from_str_radix(hex, 16).ok(),
                _ => value.parse().ok().filter(|_| !value.starts_with('+')),
            };
            wireguard.fwmark = number.ok_or(Wrong::Value(value, "this is not a firewall mark".into()))?;
        }
        _ => return Err(Wrong::Name),
    }
    Ok(())
}

fn peer_line<'t>(section: &mut Peer, name: &str, value: &'t str) -> Result<(), Wrong<'t>> {
    let Peer { key, peer, .. } = section;
    match name {
        "publickey" => {
            let wrong = |why| Wrong::Value(value, format!("this is not a key: {why}"));
            *key = Some(value.parse().map_err(wrong)?);
        }
        "presharedkey" => peer.preshared_key = Some(secret(value)?),
        "endpoint" => peer.endpoint = Some(endpoint(value)?),
        "persistentkeepalive" if is(value, "off") => peer.keepalive = 0,
        "persistentkeepalive" => peer.keepalive = number(value, "`off` or seconds up to 65535")?,
        "allowedips" => {
            for part in value.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                let net = part.parse::<IpNet>().ok().or_else(|| part.parse::<IpAddr>().ok().map(IpNet::from));
                let net = net.ok_or_else(|| Wrong::Value(part, format!("`{}` is not a prefix", shown(part))))?;
                peer.allowed_ips.insert(net.trunc());
            }
        }
        _ => return Err(Wrong::Name),
    }
    Ok(())
}

/// What is wrong with a line.
enum Wrong<'t> {
    Value(&'t str, String),
    Name,
}

fn secret(value: &str) -> Result<Secret, Wrong<'_>> {
    value.parse().map_err(|why| Wrong::Value(value, format!("this is not a key: {why}")))
}

fn number<'t>(value: &'t str, what: &str) -> Result<u16, Wrong<'t>> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|_| digits);
    number.ok_or_else(|| Wrong::Value(value, format!("`{}` is not {what}", shown(value))))
}

/// Names are not looked up: a start must not wait for a name server that may be behind this very link.
fn endpoint(value: &str) -> Result<String, Wrong<'_>> {
    value.parse::<SocketAddr>().map(|endpoint| endpoint.to_string()).map_err(|_| {
        let message = format!("`{}` is not an address and port", shown(value));
        Wrong::Value(
            value,
            format!("{message} such as 192.0.2.1:51820 or [2001:db8::1]:51820; names are not looked up"),
        )
    })
}

//! uWSGI's spelling of routers and devices: its options, from the command line and from its files.
//!
//! Its files (uWSGI's own kind of INI) have keys several times, in an order that counts; a line that begins with `;` or `#` is a comment, and
//! nothing else is. Only the section `[uwsgi]` counts. What is none of the options of its tuntap plugin or `exec-as-root` is ignored,
//! and named.

use super::ini;
use super::report::Report;
use super::router::{firewall, value};
use super::section::words;
use super::value::shown;
use crate::interfaces::diagnostic::{Diagnostic, Source, Span, Word};
use crate::interfaces::{Files, MAX_FILE};
use crate::model::LinkName;
use crate::router::rule::{Action, Chain};
use crate::router::settings::{DeviceSettings, Limits, Listen, Mode, Protocol, Settings};
use std::path::Path;
use std::sync::Arc;

/// uWSGI's devices have the MTU that the kernel gives them.
const MTU: u32 = 1500;

const ROUTER: &str = "tuntap-router";
const FIREWALL_IN: &str = "tuntap-router-firewall-in";
const FIREWALL_OUT: &str = "tuntap-router-firewall-out";
const ROUTE: &str = "tuntap-router-route";
const STATS: &str = "tuntap-router-stats";
const CREDENTIALS: &str = "tuntap-use-credentials";
const DEVICE: &str = "tuntap-device";
const DEVICE_RULE: &str = "tuntap-device-rule";
const EXEC: &str = "exec-as-root";

/// Options in order, each with its place.
#[derive(Debug, Clone, Default)]
pub struct UwsgiOptions {
    options: Vec<(String, Word)>,
    diagnostics: Vec<Diagnostic>,
    /// Options that mean nothing here, once each.
    pub ignored: Vec<String>,
}

impl UwsgiOptions {
    /// Adds an option of the command line, without its `--`.
    pub fn add(&mut self, name: &str, value: &str) {
        // A value is one line here, whatever the shell was given.
        let value = value.replace(['\n', '\r'], " ");
        let span = Span {
            source: Source::new(format!("--{name}"), value.clone()),
            line: 1,
            start: 0,
            len: value.len() as u32,
        };
        self.options.push((name.to_owned(), Word { value, span }));
    }

    /// Adds those of a file.
    pub fn add_file(&mut self, files: &dyn Files, path: &Path) {
        let read = files.read(path, MAX_FILE + 1).map_err(|e| e.to_string());
        let text = read.and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()));
        match text {
            Ok(text) if text.len() <= MAX_FILE => self.add_text(&Source::new(files.place(path), text)),
            Ok(_) => self.cannot_read(path, "it is too long"),
            Err(why) => self.cannot_read(path, &why),
        }
    }

    fn cannot_read(&mut self, path: &Path, why: &str) {
        self.diagnostics.push(Diagnostic::error_without_place(format!("cannot read {}: {why}", path.display())));
    }

    fn add_text(&mut self, source: &Arc<Source>) {
        let mut section = String::new();
        for (number, line) in (1..).zip(source.text().lines()) {
            let all = Span { source: Arc::clone(source), line: number, start: 0, len: line.len() as u32 };
            let text = line.trim();
            let at = |part: &str| ini::word(&all, part.as_ptr() as usize - line.as_ptr() as usize, part);
            if text.is_empty() || text.starts_with([';', '#']) {
                continue;
            }
            if let Some(name) = text.strip_prefix('[') {
                name.trim_end_matches(']').trim().clone_into(&mut section);
                continue;
            }
            if section != "uwsgi" {
                continue;
            }
            let (name, value) =
                text.split_once('=').map_or((text, &text[text.len()..]), |(name, value)| (name.trim(), value.trim()));
            if [ROUTER, FIREWALL_IN, FIREWALL_OUT, ROUTE, STATS, CREDENTIALS, DEVICE, DEVICE_RULE, EXEC].contains(&name)
            {
                self.options.push((name.to_owned(), at(value)));
            } else if !self.ignored.iter().any(|ignored| ignored == name) {
                self.ignored.push(shown(name));
            }
        }
    }

    fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Word> {
        self.options.iter().filter(move |(option, _)| option == name).map(|(_, value)| value)
    }

    /// The commands of `exec-as-root`, in order.
    pub fn commands(&self) -> Vec<String> {
        self.of(EXEC).map(|word| word.value.clone()).collect()
    }

    /// The router that they ask for; none if there is an error among what there is to say.
    pub fn router(&self) -> (Option<Settings>, Vec<Diagnostic>) {
        let mut report = self.report();
        let parts = self.only(ROUTER, "such as `emperor0 /run/tuntap.socket`", &mut report).map(words);
        let parts = parts.as_deref().unwrap_or_default();
        let device = parts.first().and_then(|word| report.take(value::link(word)));
        let listen = parts.get(1).and_then(|word| report.take(socket(word)));
        if let Some(device) = parts.first().filter(|_| parts.len() == 1) {
            report
                .push(Diagnostic::error(&device.span, "here should be a socket, too").help("`DEVICE SOCKET [STATS]`"));
        }
        for gateway in parts.get(3).into_iter().chain(self.of(ROUTE)) {
            let help = "join routers by a routing tunnel, or by the host's own routes";
            let message = "gateways between routers by UDP are not supported: anybody may send to them";
            report.push(Diagnostic::error(&gateway.span, message).help(help));
        }
        if let Some(more) = parts.get(4) {
            report.push(value::is_not(more, "a part of this option"));
        }
        let stats = parts.get(2).into_iter().chain(self.of(STATS));
        let statistics = stats.filter_map(|word| report.take(socket(word))).collect();
        let (chain_in, chain_out) = (self.chain(FIREWALL_IN, &mut report), self.chain(FIREWALL_OUT, &mut report));
        let settings = device.zip(listen).map(|(device, listen)| Settings {
            device,
            mode: Mode::Tun,
            mtu: MTU,
            addresses: Vec::new(),
            listen: vec![listen],
            statistics,
            nat: None,
            forwarding: false,
            chain_out,
            chain_in,
            admit: Vec::new(),
            limits: Limits::default(),
            credentials: self.credentials(&mut report),
        });
        (settings.filter(|_| !report.has_errors()), report.finish(&[]))
    }

    /// The device that they ask for; none if there is an error among what there is to say. Its addresses are not told here.
    pub fn device(&self) -> (Option<DeviceSettings>, Vec<Diagnostic>) {
        let mut report = self.report();
        let parts = self.only(DEVICE, "such as `uwsgi0 /run/tuntap.socket`", &mut report).map(words);
        let parts = parts.as_deref().unwrap_or_default();
        let device: Option<LinkName> = parts.first().and_then(|word| report.take(value::link(word)));
        let router = parts.get(1).and_then(|word| report.take(socket(word)));
        if let Some(device) = parts.first().filter(|_| parts.len() == 1) {
            report.push(Diagnostic::error(&device.span, "here should be the router's socket, too"));
        }
        let (mut chain_in, mut chain_out) = (Chain::default(), Chain::default());
        for (direction, rule) in self.of(DEVICE_RULE).filter_map(|word| report.take(device_rule(word))) {
            if direction { chain_out.rules.push(rule) } else { chain_in.rules.push(rule) }
        }
        let settings = device.zip(router).map(|(device, router)| DeviceSettings {
            device,
            mode: Mode::Tun,
            router,
            // The router may be uWSGI's own.
            protocol: Protocol::Uwsgi,
            addresses: Vec::new(),
            mtu: MTU,
            chain_out,
            chain_in,
            credentials: self.credentials(&mut report),
        });
        (settings.filter(|_| !report.has_errors()), report.finish(&[]))
    }

    fn report(&self) -> Report {
        let mut report = Report::default();
        self.diagnostics.iter().for_each(|diagnostic| report.push(diagnostic.clone()));
        report
    }

    /// An option that is there once.
    fn only<'a>(&'a self, name: &'a str, help: &str, report: &mut Report) -> Option<&'a Word> {
        let mut all = self.of(name);
        let first = all.next();
        if first.is_none() {
            report.push(Diagnostic::error_without_place(format!("`{name}` is missing")).help(help));
        }
        for more in all {
            let message = format!("`{name}` is there twice");
            report.push(Diagnostic::error(&more.span, message).help("one process has one; run another beside it"));
        }
        first.filter(|word| !word.value.is_empty()).or_else(|| {
            report.push(Diagnostic::error(&first?.span, format!("`{name}` has no value")).help(help));
            None
        })
    }

    /// First match, and what no rule means passes.
    fn chain(&self, name: &str, report: &mut Report) -> Chain {
        let rules = self.of(name).filter_map(|line| report.take(firewall::rule(line))).collect();
        Chain { rules, policy: Action::Allow }
    }

    fn credentials(&self, report: &mut Report) -> bool {
        let mut given = false;
        for word in self.of(CREDENTIALS) {
            given = !["false", "no", "off", "0"].contains(&word.value.as_str());
            if given && !["", "true", "yes", "on", "1"].contains(&word.value.as_str()) {
                let message = format!("`{}` would be a function of a plugin of uWSGI's", shown(&word.value));
                let help = "which user has which address is said by sections `[Admit …]` of systemd-netns-router(5)";
                report.push(Diagnostic::error(&word.span, message).help(help));
            }
        }
        given
    }
}

/// uWSGI's socket: a path, which may begin where the program was started, `@NAME`, or `[ADDRESS]:PORT`.
fn socket(word: &Word) -> Result<Listen, Diagnostic> {
    match word.value.strip_prefix(':') {
        Some(port) => value::listen(&Word { value: format!("0.0.0.0:{port}"), span: word.span.clone() }),
        None => value::listen(word),
    }
}

/// `DIRECTION SRC DST ACTION`: whether it is for what leaves, and the rule.
fn device_rule(line: &Word) -> Result<(bool, crate::router::rule::Rule), Diagnostic> {
    let help = "`in|out SRC DST allow|deny`";
    let parts = words(line);
    let [direction, source, destination, action, rest @ ..] = parts.as_slice() else {
        return Err(Diagnostic::error(&line.span, "this is no whole rule").help(help));
    };
    let out = match direction.as_str() {
        "out" => true,
        "in" => false,
        _ => return Err(value::is_not(direction, "`in` or `out`").help(help)),
    };
    if let ("gateway" | "route", _) | (_, Some(_)) = (action.as_str(), rest.first()) {
        return Err(Diagnostic::error(&action.span, "gateways between routers by UDP are not supported"));
    }
    for part in [source, destination, action] {
        let is_action = std::ptr::eq(part, action);
        let text = if is_action { part.value.clone() } else { format!("allow {0} {0}", part.value) };
        if text.parse::<crate::router::rule::Rule>().is_err() {
            let what = if is_action { "`allow` or `deny`" } else { "an address, or one with a prefix length" };
            return Err(value::is_not(part, what).help(help));
        }
    }
    let text = format!("{} {} {}", action.value, source.value, destination.value);
    let rule = text.parse().map_err(|mistake| Diagnostic::error(&line.span, format!("{mistake}")))?;
    Ok((out, rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interfaces::files::MemoryFiles;

    const FIREWALL: &str = "\
[uwsgi]
; create the tun device
tuntap-router = emperor0 /tmp/tuntap.socket
tuntap-router-firewall-out = allow 192.168.0.0/24 192.168.0.1
tuntap-router-firewall-out = deny 192.168.0.0/24 192.168.0.0/24
tuntap-router-firewall-out = allow 192.168.0.0/24 0.0.0.0
tuntap-router-firewall-out = deny
tuntap-router-firewall-in = allow 192.168.0.1 192.168.0.0/24
tuntap-router-firewall-in = deny
exec-as-root = ifconfig emperor0 192.168.0.1 netmask 255.255.255.0 up
exec-as-root = echo 1 >/proc/sys/net/ipv4/ip_forward
emperor-use-clone = net
emperor = /etc/vassals
[other]
tuntap-router = nothing
";

    fn file(text: &str) -> UwsgiOptions {
        let files = MemoryFiles::new().with("/u.ini", text);
        let mut options = UwsgiOptions::default();
        options.add_file(&files, Path::new("/u.ini"));
        options
    }

    fn said(diagnostics: &[Diagnostic]) -> Vec<String> {
        diagnostics.iter().map(|d| d.to_string().lines().next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn a_file_of_the_documentation_is_read() {
        let options = file(FIREWALL);
        let (settings, diagnostics) = options.router();
        assert_eq!(said(&diagnostics), [""; 0]);
        let settings = settings.unwrap();
        assert_eq!(
            (settings.device.as_str(), &*settings.listen),
            ("emperor0", &[Listen::Unix("/tmp/tuntap.socket".into())][..])
        );
        assert_eq!((settings.chain_out.rules.len(), settings.chain_in.rules.len()), (4, 2));
        assert_eq!(options.commands()[1], "echo 1 >/proc/sys/net/ipv4/ip_forward");
        assert_eq!(options.ignored, ["emperor-use-clone", "emperor"]);
    }

    #[test]
    fn a_device_is_read() {
        let mut options = UwsgiOptions::default();
        options.add("tuntap-device", "uwsgi0 /tmp/tuntap.socket");
        options.add("tuntap-device-rule", "out 192.168.0.2/32 192.168.0.0/24 deny");
        options.add("tuntap-use-credentials", "");
        let (settings, diagnostics) = options.device();
        assert_eq!(said(&diagnostics), [""; 0]);
        let settings = settings.unwrap();
        assert_eq!(settings.chain_out.rules[0].to_string(), "deny 192.168.0.2 192.168.0.0/24");
        assert!(settings.credentials && settings.protocol == Protocol::Uwsgi);
    }

    #[test]
    fn mistakes_are_told_where_they_are() {
        let mut options = file("[uwsgi]\ntuntap-router = e0\ntuntap-router-firewall-in = allwo 1.2.3.4 5.6.7.8\n");
        options.add("tuntap-router-route", "10.0.0.0/8 0.0.0.0 127.0.0.1:1");
        options.add("tuntap-use-credentials", "lookup");
        let (settings, diagnostics) = options.router();
        assert!(settings.is_none());
        let said = said(&diagnostics).join("\n");
        assert!(said.contains("/u.ini:2:17: error: here should be a socket, too"), "{said}");
        assert!(said.contains("/u.ini:3:29: error: unknown action `allwo`"), "{said}");
        assert!(said.contains("--tuntap-router-route:1:1: error: gateways between routers"), "{said}");
        for rule in [
            "out 1.2.3.4 5.6.7.8",
            "to 1.2.3.4 5.6.7.8 deny",
            "in 1.2.3.4/33 5.6.7.8 deny",
            "in 1.2.3.4 ::1 deny",
            "in 0.0.0.0 0.0.0.0 allwo",
            "in 1.2.3.4 5.6.7.8 route 1.1.1.1:1",
        ] {
            let mut options = UwsgiOptions::default();
            options.add("tuntap-device", "u0 /x");
            options.add("tuntap-device-rule", rule);
            assert!(options.device().0.is_none(), "{rule}");
        }
        assert!(UwsgiOptions::default().router().0.is_none());
        assert!(file("[uwsgi]\ntuntap-router\n").router().0.is_none());
    }
}

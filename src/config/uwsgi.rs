//! uWSGI's spelling of routers and devices: its options, from the command line and from its files.
//!
//! Its files (uWSGI's own kind of INI) have keys several times, in an order that counts; a line that begins with `;` or `#` is a comment, and
//! nothing else is. Only the section `[uwsgi]` counts. What is none of the options of its tuntap plugin or `exec-as-root` is ignored,
//! and named.

use super::ini;
use super::report::Report;
use super::router::firewall;
use super::value::shown;
use crate::interfaces::diagnostic::{Diagnostic, Source, Span, Word};
use crate::interfaces::{Files, MAX_FILE};
use crate::router;
use crate::router::rule::{Action, Chain, Mistake};
use crate::router::settings::{DeviceSettings, Limits, Listen, Mode, Protocol, Settings};
use crate::router::tunnel::settings::Tunnels;
use crate::router::uwsgi::{DeviceOption, PeerAction, PeerChains, PeerRule, RouterOption, credentials, listen};
use std::path::Path;
use std::str::FromStr;
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
        let option = self.only::<RouterOption>(ROUTER, "such as `emperor0 /run/tuntap.socket`", &mut report);
        let gateway = option.iter().filter(|(_, option)| option.gateway.is_some()).map(|(word, _)| *word);
        for word in gateway.chain(self.of(ROUTE)) {
            report.push(no_gateways(word));
        }
        let stats: Vec<Listen> = self.of(STATS).filter_map(|word| report.take(socket(word))).collect();
        let (chain_in, chain_out) = (self.chain(FIREWALL_IN, &mut report), self.chain(FIREWALL_OUT, &mut report));
        let settings = option.map(|(_, option)| Settings {
            device: option.device,
            mode: Mode::Tun,
            mtu: MTU,
            addresses: Vec::new(),
            listen: vec![option.socket],
            statistics: option.statistics.into_iter().chain(stats).collect(),
            nat: None,
            forwarding: false,
            chain_out,
            chain_in,
            admit: Vec::new(),
            limits: Limits::default(),
            credentials: self.credentials(&mut report),
            tunnels: Tunnels::default(),
        });
        (settings.filter(|_| !report.has_errors()), report.finish(&[]))
    }

    /// The device that they ask for; none if there is an error among what there is to say. Its addresses are not told here.
    pub fn device(&self) -> (Option<DeviceSettings>, Vec<Diagnostic>) {
        let mut report = self.report();
        let option = self.only::<DeviceOption>(DEVICE, "such as `uwsgi0 /run/tuntap.socket`", &mut report);
        if let Some((word, _)) = option.as_ref().filter(|(_, option)| option.socket.is_none()) {
            let help = "a device without a router is made by `ip tuntap add`";
            report.push(Diagnostic::error(&word.span, "the router's socket is missing").help(help));
        }
        let mut rules = Vec::new();
        for word in self.of(DEVICE_RULE) {
            match report.take(firewall::parsed::<PeerRule>(word)) {
                Some(rule) if matches!(rule.action, PeerAction::Gateway(_)) => report.push(no_gateways(word)),
                rule => rules.extend(rule),
            }
        }
        let PeerChains { into, out, .. } = PeerChains::new(&rules);
        let credentials = self.credentials(&mut report);
        let settings = option.and_then(|(_, option)| Some((option.device, option.socket?)));
        let settings = settings.map(|(device, router)| DeviceSettings {
            device,
            mode: Mode::Tun,
            router,
            // The router may be uWSGI's own.
            tunnel: None,
            protocol: Protocol::Uwsgi,
            addresses: Vec::new(),
            mtu: MTU,
            chain_out: out,
            chain_in: into,
            credentials,
        });
        (settings.filter(|_| !report.has_errors()), report.finish(&[]))
    }

    fn report(&self) -> Report {
        let mut report = Report::default();
        self.diagnostics.iter().for_each(|diagnostic| report.push(diagnostic.clone()));
        report
    }

    /// An option that is there once, with its place.
    fn only<'a, T: FromStr<Err = Mistake>>(
        &'a self,
        name: &'a str,
        help: &str,
        report: &mut Report,
    ) -> Option<(&'a Word, T)> {
        let mut all = self.of(name);
        let Some(first) = all.next() else {
            report.push(Diagnostic::error_without_place(format!("`{name}` is missing")).help(help));
            return None;
        };
        for more in all {
            let message = format!("`{name}` is there twice");
            report.push(Diagnostic::error(&more.span, message).help("one process has one; run another beside it"));
        }
        Some((first, report.take(firewall::parsed(first))?))
    }

    /// First match, and what no rule means passes.
    fn chain(&self, name: &str, report: &mut Report) -> Chain {
        let rules = self.of(name).filter_map(|line| report.take(firewall::parsed(line))).collect();
        Chain { rules, policy: Action::Allow }
    }

    fn credentials(&self, report: &mut Report) -> bool {
        let read = |word: &Word| credentials(&word.value).map_err(|mistake| firewall::marked(word, mistake));
        self.of(CREDENTIALS).filter_map(|word| report.take(read(word))).last().unwrap_or(false)
    }
}

fn socket(word: &Word) -> Result<Listen, Diagnostic> {
    let part = router::rule::Word { at: 0, text: &word.value };
    listen(part).map_err(|mistake| firewall::marked(word, mistake))
}

fn no_gateways(word: &Word) -> Diagnostic {
    let message = "gateways between routers by UDP are not supported: anybody may send to them";
    Diagnostic::error(&word.span, message).help("join the hosts by a routing tunnel, or by routes of their own")
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
        assert!(said.contains("/u.ini:2:19: error: the socket is missing"), "{said}");
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

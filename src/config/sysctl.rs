//! `/etc/netns/NAME/network/sysctl.d/*.conf` and, after them, `/etc/netns/NAME/network/sysctl`: settings of the namespace, in the
//! syntax of sysctl.d(5).
//!
//! The last one of a setting wins. One with wildcards stands for all that there are, but for those that are named somewhere. With `-`
//! before it a setting may be missing or refused; `-` and a setting alone takes it out of what wildcards stand for.
//!
//! Settings of links are made once their link is there, before it is up; the others before any link is. A wildcard in a link's place
//! stands for `all`, `default` and the links of the namespace's files.
//!
//! Must not know: the kernel, but for the names that are asked for.

use super::ini;
use super::report::Report;
use super::select::Machine;
use super::value::shown;
use crate::interfaces::Files;
use crate::interfaces::diagnostic::{Diagnostic, Source, Span};
use crate::interfaces::pattern::Glob;
use crate::model::{Desired, LinkName, Netns, NetnsName, Presence, Sysctl};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A wildcard stands for no more than this many settings.
const MAX: usize = 4096;

/// The lines of the files.
#[derive(Default)]
pub(super) struct Settings {
    /// The files.
    pub paths: Vec<PathBuf>,
    /// By setting, the last one.
    named: BTreeMap<Sysctl, Line>,
    /// With wildcards, in order.
    patterns: Vec<(Sysctl, Line)>,
    /// What wildcards do not stand for.
    without: Vec<Sysctl>,
}

#[derive(Clone)]
struct Line {
    value: String,
    optional: bool,
    span: Span,
}

/// Reads the files, where there are any.
pub(super) fn read(access: &dyn Files, netns: &NetnsName, report: &mut Report) -> Settings {
    let folder = Path::new("/etc/netns").join(netns.as_str()).join("network");
    let mut paths = access.matching(&folder.join("sysctl.d"), &Glob::new("*.conf"), false);
    paths.push(folder.join("sysctl"));
    let mut settings = Settings::default();
    for path in paths {
        let Some(source) = ini::source(access, &path, report) else { continue };
        settings.paths.push(access.place(&path));
        for (number, line) in source.iter().flat_map(|source| (1..).zip(source.text().lines())) {
            if let Some(source) = &source {
                report.take(settings.line(source, number, line));
            }
        }
    }
    settings
}

impl Settings {
    fn line(&mut self, source: &Arc<Source>, line: u32, text: &str) -> Result<(), Diagnostic> {
        let whole = text.trim();
        if whole.is_empty() || whole.starts_with(['#', ';']) {
            return Ok(());
        }
        let place = |part: &str| {
            let start = part.as_ptr() as usize - text.as_ptr() as usize;
            Span { source: Arc::clone(source), line, start: start as u32, len: part.len().max(1) as u32 }
        };
        let optional = whole.starts_with('-');
        let rest = whole.strip_prefix('-').unwrap_or(whole);
        let (name, value) = match rest.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (rest.trim(), None),
        };
        let key = Sysctl::parse(name).ok_or_else(|| {
            let error = Diagnostic::error(&place(name), format!("`{}` is not a setting", shown(name)));
            error.help("such as net.ipv4.conf.eth0.rp_filter, see sysctl.d(5)")
        })?;
        if !key.path().starts_with("net/") {
            let message = format!("`{}` is not a setting of a network namespace", shown(name));
            let help = "only those below `net.` are; the others are the host's, see sysctl.d(5)";
            return Err(Diagnostic::error(&place(name), message).help(help));
        }
        match value {
            None if optional => self.without.push(key),
            None => {
                let error = Diagnostic::error(&place(whole), format!("`{}` has no value", shown(name)));
                return Err(error.help(format!("write `{} = VALUE`", shown(name))));
            }
            Some("") => return Err(Diagnostic::error(&place(name), format!("`{}` has no value", shown(name)))),
            Some(value) if value.contains(char::is_control) && !value.contains('\t') => {
                return Err(Diagnostic::error(&place(value), "no value has control characters in it"));
            }
            Some(value) => {
                let words: Vec<&str> = value.split_whitespace().collect();
                let line = Line { value: words.join(" "), optional, span: place(name) };
                match is_pattern(key.path()) {
                    true => self.patterns.push((key, line)),
                    false => _ = self.named.insert(key, line),
                }
            }
        }
        Ok(())
    }

    /// Adds the settings to what the other files ask for.
    pub fn add_to(self, desired: &mut Desired, machine: &Machine<'_>, report: &mut Report) {
        let own = Netns::Named(desired.netns.clone());
        let mut all = self.expanded(desired, machine, report);
        all.extend(self.named);
        let (mut first, mut others) = (Vec::new(), Vec::new());
        for (key, line) in all {
            if desired
                .sysctls
                .iter()
                .any(|(netns, other, value)| *netns == own && *other == key && *value != line.value)
            {
                let message = "the `xfrm` file sets this otherwise, which counts";
                report.push(Diagnostic::warning(&line.span, message));
                continue;
            }
            let optional = line.optional;
            match key.link().map(str::to_owned) {
                Some(link) => {
                    if !of_link(desired, &own, &link, &key, line, report) {
                        continue;
                    }
                }
                // Changes others along.
                None if key.forwards_all().is_some() => first.push((own.clone(), key.clone(), line.value)),
                None => others.push((own.clone(), key.clone(), line.value)),
            }
            if optional {
                desired.optional.insert(key);
            }
        }
        for setting in first.into_iter().chain(others) {
            if !desired.sysctls.contains(&setting) {
                desired.sysctls.push(setting);
            }
        }
    }

    /// What wildcards stand for. Of these none must be there.
    fn expanded(&self, desired: &Desired, machine: &Machine<'_>, report: &mut Report) -> BTreeMap<Sysctl, Line> {
        let own = |netns: &Netns| desired.is_own(netns);
        let there = desired.links.iter().filter(|l| own(&l.place.netns) && l.presence != Presence::OnlyAName);
        let mut links: BTreeSet<String> = there.map(|link| link.place.link.to_string()).collect();
        links.extend(["all".to_owned(), "default".to_owned()]);
        let mut found = BTreeMap::new();
        for (pattern, line) in &self.patterns {
            let keys = expand(pattern, &links, machine);
            if keys.len() > MAX {
                let message = format!("`{}` stands for more than {MAX} settings", shown(pattern.path()));
                report.push(Diagnostic::error(&line.span, message));
                continue;
            }
            if keys.is_empty() && !line.optional {
                report.push(Diagnostic::warning(&line.span, "this stands for no setting that there is"));
            }
            let kept = keys.into_iter().filter(|key| !self.named.contains_key(key) && !self.is_without(key));
            found.extend(kept.map(|key| (key, Line { optional: true, ..line.clone() })));
        }
        found
    }

    fn is_without(&self, key: &Sysctl) -> bool {
        self.without.iter().any(|without| {
            let (a, b): (Vec<&str>, Vec<&str>) = (without.path().split('/').collect(), key.path().split('/').collect());
            a.len() == b.len() && a.iter().zip(b).all(|(pattern, name)| Glob::new(pattern).matches(name))
        })
    }
}

fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// The settings that a pattern stands for, part by part.
fn expand(pattern: &Sysctl, links: &BTreeSet<String>, machine: &Machine<'_>) -> Vec<Sysctl> {
    // What a path is, and where its like is on the host: a link's may not be there.
    let mut paths = vec![(String::new(), String::new())];
    for part in pattern.path().split('/') {
        let glob = Glob::new(part);
        let of_links = |path: &str| {
            ["ipv4/conf", "ipv4/neigh", "ipv6/conf", "ipv6/neigh"].iter().any(|t| path == format!("net/{t}"))
        };
        let mut next = Vec::new();
        for (path, like) in &paths {
            let join =
                |base: &str, name: &str| if base.is_empty() { name.to_owned() } else { format!("{base}/{name}") };
            let is_link = of_links(path);
            let names: Vec<String> = match is_pattern(part) {
                false => vec![part.to_owned()],
                true if is_link => links.iter().filter(|link| glob.matches(link)).cloned().collect(),
                true => machine.surroundings.settings(like).into_iter().filter(|name| glob.matches(name)).collect(),
            };
            let shown_as = |name: &str| if is_link { "default".to_owned() } else { name.to_owned() };
            next.extend(names.iter().map(|name| (join(path, name), join(like, &shown_as(name)))));
        }
        paths = next;
        if paths.len() > MAX {
            break;
        }
    }
    // Written with slashes, a name with a dot in it stays one.
    paths.iter().filter_map(|(path, _)| Sysctl::parse(path)).collect()
}

/// Gives a setting to its link; tells whether there is such a link.
fn of_link(desired: &mut Desired, own: &Netns, name: &str, key: &Sysctl, line: Line, report: &mut Report) -> bool {
    let link = name.parse::<LinkName>().ok().and_then(|name| {
        let is_it = |l: &&mut crate::model::DesiredLink| l.place.netns == *own && l.place.link == name;
        desired.links.iter_mut().find(is_it).filter(|l| l.presence != Presence::OnlyAName)
    });
    let Some(link) = link else {
        if !line.optional {
            let message = format!("there is no link `{}` in the files of {own}: this has no effect", shown(name));
            report.push(Diagnostic::warning(&line.span, message));
        }
        return false;
    };
    match link.sysctls.iter_mut().find(|(other, _)| other == key) {
        Some((_, value)) => {
            if *value != line.value {
                let message = format!("`interfaces` asks for {value} here; this one counts");
                report.push(Diagnostic::warning(&line.span, message));
            }
            *value = line.value;
        }
        None => link.sysctls.push((key.clone(), line.value)),
    }
    true
}

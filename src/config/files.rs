//! The files of a namespace, and which of their mistakes are its own.
//!
//! | file | |
//! |---|---|
//! | `/etc/netns/NAME/network/interfaces` | must be there, unless there is a `tuntap` or a `links` file, or others put links into the namespace |
//! | `/etc/netns/NAME/network/links` | `link-netns` lines, the `iface` stanzas of the host's ends, and of links that are made there: see `on_host` |
//! | `/etc/netns/NAME/network/tuntap` | devices of routers: see [`tuntap`](super::tuntap) |
//! | `/etc/netns/NAME/network/xfrm` | IPsec's links: see [`xfrm`](super::xfrm) |
//! | `/etc/netns/NAME/network/nat` | addresses that the host translates: see [`nat`](super::nat) |
//! | `/etc/netns/NAME/network/nftables` | the rules inside: see [`ruleset`](super::ruleset) |
//! | `/etc/netns/NAME/network/sysctl.d/*.conf`, `sysctl` | settings inside: see [`sysctl`](super::sysctl) |
//! | `/etc/network/interfaces` | the host's: the same lines; the rest is not our business, nor are its mistakes |

use super::inherit::Ifaces;
use super::report::Report;
use crate::interfaces::diagnostic::{Diagnostic, Severity, Span};
use crate::interfaces::files::Files;
use crate::interfaces::syntax::Stanza;
use crate::interfaces::{Parsed, parse};
use crate::model::NetnsName;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// The host's own file.
const HOST_FILE: &str = "/etc/network/interfaces";

/// The three files with what they source.
pub(super) struct Sources {
    /// `/etc/netns/NAME/network/interfaces`
    pub inner: Parsed,
    /// `/etc/netns/NAME/network/links`
    pub links: Parsed,
    /// `/etc/network/interfaces`
    pub host: Parsed,
}

impl Sources {
    /// Reads them, and reports the mistakes of the first two.
    /// `optional` says whether the first may be missing.
    pub fn read(
        inner: &dyn Files,
        host: &dyn Files,
        netns: &NetnsName,
        optional: impl Fn() -> bool,
        report: &mut Report,
    ) -> Self {
        let folder = Path::new("/etc/netns").join(netns.as_str()).join("network");
        let main = folder.join("interfaces");
        let sources = Self {
            inner: parse(&main, inner),
            links: parse(&folder.join("links"), inner),
            host: parse(Path::new(HOST_FILE), host),
        };
        if sources.inner.missing && optional() {
            log::debug!("there is no {}: nothing but lo is in {netns} of its own", inner.place(&main).display());
        } else if sources.inner.missing {
            let message = format!("there is no {}", inner.place(&main).display());
            let help =
                format!("write what `{netns}` shall have into it, such as `auto eth0` and `iface eth0 inet static`");
            report.push(Diagnostic::error_without_place(message).help(help));
        } else {
            sources.inner.diagnostics.iter().for_each(|d| report.push(d.clone()));
        }
        if !sources.links.missing {
            sources.links.diagnostics.iter().for_each(|d| report.push(d.clone()));
        }
        sources
    }

    /// All files that were read, in the order of the table above.
    pub fn paths(&self) -> Vec<PathBuf> {
        [&self.inner, &self.links, &self.host].into_iter().flat_map(|parsed| parsed.files.iter().cloned()).collect()
    }

    /// Reports those mistakes of the host's file that concern this namespace: in its `link-netns` lines, and in the
    /// stanzas of `ifaces` with an index in `needed`.
    pub fn report_host(&self, netns: &NetnsName, ifaces: &Ifaces<'_>, needed: &BTreeSet<usize>, report: &mut Report) {
        if self.host.missing {
            return;
        }
        let starts = starts(&self.host.stanzas, ifaces, needed);
        for diagnostic in &self.host.diagnostics {
            match &diagnostic.span {
                Some(span) if concerns(span, netns, &starts) => report.push(diagnostic.clone()),
                Some(_) => {}
                // An unreadable file hides our lines, if it has any.
                None if self.host.files.is_empty() => {
                    let message = format!("{}, ignoring", diagnostic.message);
                    report.push(Diagnostic { severity: Severity::Warning, message, ..diagnostic.clone() });
                }
                None => {}
            }
        }
    }
}

/// The namespaces that have an `interfaces`, a `tuntap` or a `links` file, sorted. What cannot be a namespace's name is left out.
pub fn list(root: &Path) -> Vec<NetnsName> {
    let directory = root.join("etc/netns");
    let entries = std::fs::read_dir(&directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<NetnsName>().ok());
    let has = |name: &NetnsName, file: &str| directory.join(name.as_str()).join("network").join(file).is_file();
    let is_one = |name: &NetnsName| ["interfaces", "tuntap", "links"].iter().any(|file| has(name, file));
    let sorted: BTreeSet<NetnsName> = names.filter(is_one).collect();
    sorted.into_iter().collect()
}

/// Whether a place is in a `link-netns` line of the namespace, or in a stanza that is needed.
fn concerns(span: &Span, netns: &NetnsName, starts: &Starts<'_>) -> bool {
    let mut words = span.source.line(span.line).split_whitespace();
    match words.next() {
        Some("link-netns") => words.next() == Some(netns.as_str()),
        _ => is_in(span, starts),
    }
}

/// Where stanzas begin, by file and line, and whether each is needed.
type Starts<'a> = HashMap<&'a Path, Vec<(u32, bool)>>;

fn starts<'a>(stanzas: &'a [Stanza], ifaces: &Ifaces<'_>, needed: &BTreeSet<usize>) -> Starts<'a> {
    let needed: BTreeSet<(&Path, u32)> = needed.iter().map(|index| place(ifaces.keyword(*index))).collect();
    let mut starts: Starts<'a> = HashMap::new();
    for span in stanzas.iter().filter_map(start) {
        let (path, line) = place(span);
        starts.entry(path).or_default().push((line, needed.contains(&(path, line))));
    }
    starts.values_mut().for_each(|lines| lines.sort_unstable());
    starts
}

fn place(span: &Span) -> (&Path, u32) {
    (span.source.path(), span.line)
}

/// The place of a stanza that ends the one before it.
fn start(stanza: &Stanza) -> Option<&Span> {
    match stanza {
        Stanza::Allow(allow) => allow.names.first().map(|name| &name.span),
        Stanza::NoAutoDown(words) | Stanza::NoScripts(words) | Stanza::Rename(words) => words.first().map(|w| &w.span),
        Stanza::Iface(iface) => Some(&iface.keyword),
        Stanza::Mapping(mapping) => Some(&mapping.keyword),
        Stanza::LinkNetns(_) => None,
    }
}

/// Whether the stanza that a place is in is needed.
fn is_in(span: &Span, starts: &Starts<'_>) -> bool {
    let lines = starts.get(span.source.path()).map_or(&[][..], Vec::as_slice);
    let last = lines.partition_point(|(line, _)| *line <= span.line).checked_sub(1);
    last.is_some_and(|last| lines[last].1)
}

//! What patterns and mappings ask of this machine. Looked up only when something asks.
//!
//! A namespace that is up has changed the machine: links left the host, others came. Patterns have to mean then what they meant
//! at the start, or a reload would give links back. So links that were taken count under their names on the host and with the
//! hardware address and MTU that they had there, and links that were made do not count.
//!
//! Must not know: what is asked for, and why.

use super::{host, look};
use crate::config::{self, Surroundings};
use crate::kernel::{self, Kernel, Namespace};
use crate::model::{LinkName, Netns, NetnsName, Place, Taken};
use crate::system::record::Record;
use crate::system::{hook, programs};
use std::cell::{OnceCell, RefCell};
use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// This machine, as the files of a namespace see it.
pub(super) struct Machine<'a> {
    root: &'a Path,
    netns: &'a NetnsName,
    /// Whether others put links into it.
    used: bool,
    kernel: RefCell<Kernel>,
    record: OnceCell<Option<Record>>,
    links: OnceCell<Known>,
}

/// The links that there are.
struct Known {
    host: HashSet<LinkName>,
    /// Those of the host and the namespace, under their names on the host.
    all: Vec<LinkName>,
}

impl<'a> Machine<'a> {
    /// For the files under a root, of a namespace that others use or not.
    pub fn new(root: &'a Path, netns: &'a NetnsName, used: bool) -> Self {
        let kernel = RefCell::new(Kernel::new());
        Self { root, netns, used, kernel, record: OnceCell::new(), links: OnceCell::new() }
    }

    /// What was done for the namespace. Without a record, or with a damaged one, nothing is known of that.
    fn record(&self) -> Option<&Record> {
        let read = || Record::read(self.netns).ok().flatten().filter(|record| look::is_ours(self.netns, record));
        self.record.get_or_init(read).as_ref()
    }

    fn inside(&self) -> Netns {
        Netns::Named(self.netns.clone())
    }

    fn known(&self) -> &Known {
        self.links.get_or_init(|| {
            let made = self.record().map(Record::made).unwrap_or_default();
            let links = |netns: Netns| {
                let mut links = look::links(&netns);
                links.retain(|link| !made.contains(&Place::new(netns.clone(), *link)));
                links
            };
            let host = links(Netns::Host);
            let known: HashSet<LinkName> = host.iter().copied().collect();
            let inside = links(self.inside()).into_iter().map(|link| self.home_name(link));
            let all = host.into_iter().chain(inside.filter(|name| !known.contains(name))).collect();
            Known { host: known, all }
        })
    }

    /// The links of the host that are inside now.
    fn taken(&self) -> impl Iterator<Item = &Taken> {
        let taken = self.record().map(Record::taken).unwrap_or_default();
        taken.iter().filter(|taken| taken.place.netns.name() == Some(self.netns))
    }

    /// The name on the host of a link that is inside.
    fn home_name(&self, inside: LinkName) -> LinkName {
        self.taken().find(|taken| taken.place.link == inside).map_or(inside, |taken| taken.name)
    }

    /// The same of a link that is inside: as it was when it was taken, or as it is.
    fn attribute_inside(&self, link: LinkName, file: &str) -> Option<String> {
        let taken = self.taken().find(|taken| taken.name == link);
        let before = taken.and_then(|_| self.record()?.before()?.links.get(&link));
        match (before, file) {
            (Some(before), "address") => return before.mac.map(|mac| mac.to_string()),
            (Some(before), "mtu") => return before.mtu.map(|mtu| mtu.to_string()),
            _ => {}
        }
        let (link, netns) = (taken.map_or(link, |taken| taken.place.link), self.netns);
        let namespace = Namespace::named(netns).ok()?;
        let read = || {
            hook::enter_view(netns).ok()?;
            read_attribute(link, file)
        };
        // A thread of its own in any case: it gets another view of the files.
        let read = || namespace.within(read).ok().flatten();
        std::thread::scope(|scope| scope.spawn(read).join().ok().flatten())
    }
}

fn read_attribute(link: LinkName, file: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/sys/class/net/{link}/{file}")).ok()?;
    Some(text.trim_end().to_owned())
}

impl Surroundings for Machine<'_> {
    fn links(&self) -> Vec<LinkName> {
        self.known().all.clone()
    }

    fn by_altname(&self, name: &str) -> Option<LinkName> {
        let called = |netns| self.kernel.borrow_mut().link_called(&netns, name).ok().flatten();
        let inside = || self.record().and_then(|_| called(self.inside())).map(|link| self.home_name(link));
        let link = called(Netns::Host).or_else(inside)?;
        Some(link).filter(|link| link.as_str() != name)
    }

    fn attribute(&self, link: &LinkName, variable: &str) -> Option<String> {
        if variable.contains('/') || variable.starts_with('.') {
            return None;
        }
        let file = if variable == "mac" { "address" } else { variable };
        if self.known().host.contains(link) { read_attribute(*link, file) } else { self.attribute_inside(*link, file) }
    }

    fn installed(&self, program: &str) -> bool {
        // Another machine's files are not held against this one.
        self.root != Path::new("/") || programs::find(program).is_some()
    }

    fn uplink(&self, netns: &NetnsName, ipv6: bool) -> Option<LinkName> {
        if self.root == Path::new("/")
            && let Some(namespace) = look::ours(netns)
        {
            return kernel::proc::default_link(&namespace, ipv6).ok().flatten();
        }
        // It is going to be as its files say. Those of its own that ask for others' uplinks do not matter here.
        let machine = Machine::new(self.root, netns, true);
        config::uplink(&config::load(self.root, netns, &WithoutUplinks(&machine)).desired?, ipv6)
    }

    fn advertised(&self) -> Vec<LinkName> {
        host::advertised().unwrap_or_default()
    }

    fn settings(&self, below: &str) -> Vec<String> {
        let entries = fs::read_dir(Path::new("/proc/sys").join(below)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    fn is_used_by_others(&self) -> bool {
        self.used
    }

    fn map(&self, script: &str, argument: &str, lines: &[String]) -> Result<String, String> {
        let mut child = Command::new(script)
            .arg(argument)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| e.to_string())?;
        if let Some(mut stdin) = child.stdin.take() {
            // A script need not read what it is given.
            let _ = stdin.write_all(lines.iter().map(|l| format!("{l}\n")).collect::<String>().as_bytes());
        }
        let output = child.wait_with_output().map_err(|e| e.to_string())?;
        if !output.status.success() {
            return Err(format!("ended with {}", output.status));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().next().unwrap_or("").trim().to_owned())
    }
}

/// A machine that is not asked for uplinks: two namespaces' files may name one another.
struct WithoutUplinks<'a>(&'a Machine<'a>);

impl Surroundings for WithoutUplinks<'_> {
    fn links(&self) -> Vec<LinkName> {
        self.0.links()
    }

    fn by_altname(&self, name: &str) -> Option<LinkName> {
        self.0.by_altname(name)
    }

    fn attribute(&self, link: &LinkName, variable: &str) -> Option<String> {
        self.0.attribute(link, variable)
    }

    fn installed(&self, program: &str) -> bool {
        self.0.installed(program)
    }

    fn advertised(&self) -> Vec<LinkName> {
        self.0.advertised()
    }

    fn settings(&self, below: &str) -> Vec<String> {
        self.0.settings(below)
    }

    fn is_used_by_others(&self) -> bool {
        self.0.used
    }

    fn map(&self, script: &str, argument: &str, lines: &[String]) -> Result<String, String> {
        self.0.map(script, argument, lines)
    }
}

//! Messages on standard error; under systemd with the priority that sd-daemon(3) gives them, so that `journalctl -p` works.
//!
//! What is done is told to the journal with fields beside (systemd.journal-fields(7)): `NETNS=` or
//! `ROUTER=`, `LINK=`, `OP=`, and a `MESSAGE_ID=` that `share/catalog` explains. That goes by the journal's own protocol, and only
//! where standard error is the journal's.

use super::programs;
use crate::model::{NetnsName, RouterName};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::fmt;
use std::io::Write;
use std::sync::OnceLock;
use systemd_journal_logger::JournalLog;

/// The target of messages that say themselves how bad they are, such as diagnostics.
pub const PLAIN: &str = "systemd_netns::plain";

/// The journal's own protocol, where it is spoken.
static NATIVE: OnceLock<JournalLog> = OnceLock::new();

struct Journal {
    priorities: bool,
}

/// Whom a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About<'a> {
    /// A namespace.
    Netns(&'a NetnsName),
    /// A router.
    Router(&'a RouterName),
}

/// What a message says, by the number that it has in the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A namespace or router is up.
    Up,
    /// It is in line with its files again.
    Reloaded,
    /// It is down.
    Down,
    /// What was begun could not be done.
    Failed,
    /// One change was made.
    Change,
    /// One change could not be made.
    ChangeFailed,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Up, Self::Reloaded, Self::Down, Self::Failed, Self::Change, Self::ChangeFailed];

    /// Its `MESSAGE_ID=`.
    pub fn id(self) -> &'static str {
        match self {
            Self::Up => "99a8adc480c24f23b2c579b58913214b",
            Self::Reloaded => "463d30dc81604bb8a3fe4e3239721cec",
            Self::Down => "f6c9dab0f459419aa9def5535e4a3c56",
            Self::Failed => "2a204e92b88d45888136a8f1613b6b3c",
            Self::Change => "e5b8c56dcd694dcf884c95778e1aeafb",
            Self::ChangeFailed => "2b75bb3550c548369d90e366b8b3a9a0",
        }
    }

    fn level(self) -> Level {
        match self {
            Self::Failed | Self::ChangeFailed => Level::Error,
            _ => Level::Info,
        }
    }
}

/// Says what has happened: to the journal with its fields, else as any message.
pub fn tell(about: About<'_>, event: Event, op: &str, text: fmt::Arguments<'_>) {
    if !note(about, event, &[("OP", op)], text) {
        log::log!(event.level(), "{text}");
    }
}

/// Says something to the journal alone, with fields; tells whether there is one.
pub fn note(about: About<'_>, event: Event, fields: &[(&str, &str)], text: fmt::Arguments<'_>) -> bool {
    let Some(journal) = NATIVE.get() else { return false };
    let (field, name, words) = match about {
        About::Netns(name) => ("NETNS", name.as_str(), "network namespace"),
        About::Router(name) => ("ROUTER", name.as_str(), "router"),
    };
    let words = format!("{words} {name}");
    // The catalog's texts may only speak of fields that are always there.
    let mut all = vec![("MESSAGE_ID", event.id()), (field, name), ("ABOUT", words.as_str())];
    all.extend(fields);
    let level = event.level();
    let all: &dyn log::kv::Source = &all;
    let record = Record::builder().args(text).level(level).target(module_path!()).key_values(all).build();
    // A journal that does not listen is told by the other way, where there is something to read.
    level <= log::max_level() && journal.journal_send(&record).is_ok()
}

/// Sends `log` messages from `level` upwards to standard error.
pub fn start(level: LevelFilter) {
    let journal = Journal { priorities: is_the_journals() };
    if journal.priorities
        && let Ok(native) = JournalLog::empty()
    {
        let _ = NATIVE.set(native.with_syslog_identifier("systemd-netns".to_owned()));
    }
    if log::set_boxed_logger(Box::new(journal)).is_ok() {
        log::set_max_level(level);
    }
}

/// Whether standard error is the journal's socket (`JOURNAL_STREAM`, systemd.exec(5)), and not a pipe of a child of it.
fn is_the_journals() -> bool {
    let Some((device, inode)) = std::env::var("JOURNAL_STREAM").ok().and_then(|v| {
        let (device, inode) = v.split_once(':')?;
        Some((device.parse::<u64>().ok()?, inode.parse::<u64>().ok()?))
    }) else {
        return false;
    };
    nix::sys::stat::fstat(std::io::stderr()).is_ok_and(|s| (s.st_dev, s.st_ino) == (device, inode))
}

impl Log for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Libraries speak only when they fail.
        metadata.target().starts_with("systemd_netns") || metadata.level() <= Level::Error
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (priority, word) = match record.level() {
            Level::Error => (3, "error: "),
            Level::Warn => (4, "warning: "),
            Level::Info => (6, ""),
            Level::Debug | Level::Trace => (7, ""),
        };
        let text = record.args().to_string();
        let mut stderr = std::io::stderr().lock();
        for line in text.lines() {
            // A message that cannot be written cannot be complained about either.
            let _ =
                if self.priorities { writeln!(stderr, "<{priority}>{line}") } else { writeln!(stderr, "{word}{line}") };
        }
    }

    fn flush(&self) {}
}

/// The last errors that a run of a unit told the journal, by its `InvocationID`, or what else it said last; nothing where the journal
/// cannot be read.
pub fn last_errors(invocation: &str, lines: usize) -> Vec<String> {
    let Some(program) = programs::find("journalctl").filter(|_| !invocation.is_empty()) else { return Vec::new() };
    let ask = |priority: &str| {
        let mut command = std::process::Command::new(&program);
        command.args(["--quiet", "--no-pager", "--output=cat", priority, &format!("--lines={lines}")]);
        command.arg(format!("_SYSTEMD_INVOCATION_ID={invocation}")).stdin(std::process::Stdio::null());
        let said = command.output().map(|output| output.stdout).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let said: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        said[said.len().saturating_sub(lines)..].iter().map(|line| (*line).to_owned()).collect::<Vec<_>>()
    };
    let errors = ask("--priority=err");
    if errors.is_empty() { ask("--priority=debug") } else { errors }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_catalog_explains_every_event_and_nothing_else() {
        let catalog = include_str!("../../share/catalog/systemd-netns.catalog");
        let explained: BTreeSet<&str> = catalog.lines().filter_map(|line| line.strip_prefix("-- ")).collect();
        assert_eq!(explained, Event::ALL.into_iter().map(Event::id).collect());
        for entry in catalog.split("\n-- ").skip(1) {
            for field in ["\nSubject: ", "\nDefined-By: systemd-netns\n", "\nDocumentation: man:"] {
                assert!(entry.contains(field), "{field} is missing: {entry}");
            }
        }
    }
}

//! Messages on standard error; under systemd with the priority that sd-daemon(3) gives them, so that `journalctl -p` works.

use log::{Level, LevelFilter, Metadata, Record};
use std::io::Write;

/// The target of messages that say themselves how bad they are, such as diagnostics.
pub const PLAIN: &str = "systemd_netns::plain";

struct Journal {
    priorities: bool,
}

/// Sends `log` messages from `level` upwards to standard error.
pub fn start(level: LevelFilter) {
    let journal = Journal { priorities: is_the_journals() };
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

impl log::Log for Journal {
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

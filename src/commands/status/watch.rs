//! `status --watch`: the same again when it has changed.
//!
//! It is looked at every two seconds, and at once when records, names of namespaces or their files change (inotify(7)). On a
//! terminal the screen is painted anew, until `q` or an interrupt; elsewhere what has changed is printed below.

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::io::{IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

/// How long a change may go unseen, in milliseconds.
const PERIOD: u16 = 2000;
/// What ends it when typed: `q`, and what Ctrl-C and Ctrl-D send.
const ENDS: [u8; 4] = [b'q', b'Q', 3, 4];

/// Shows what `look` says, given whether there may be colours, until told to end.
pub(super) fn watch(look: impl Fn(bool) -> Result<String>) -> Result<()> {
    let screen = std::io::stdout().is_terminal();
    let colour = screen && std::env::var_os("NO_COLOR").is_none();
    let mut signals = SigSet::empty();
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().for_each(|signal| signals.add(signal));
    signals.thread_block().context("block signals")?;
    let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC).context("watch for signals")?;
    let keys = Keys::take(screen)?;
    let mut shown = String::new();
    loop {
        // The watches before the look: nothing that happens between the two is lost.
        let changes = changes()?;
        let text = look(colour)?;
        if text != shown {
            show(&text, screen)?;
            shown = text;
        }
        if wait(&signals, &keys, &changes)? {
            return Ok(());
        }
    }
}

fn show(text: &str, screen: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    // Home, and what is below each line's end and the last line goes.
    let painted = format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n"));
    out.write_all(if screen { painted.as_bytes() } else { text.as_bytes() })?;
    if !screen {
        writeln!(out)?;
    }
    out.flush().context("print")
}

/// Waits for a change, or awhile; tells whether it is the end.
fn wait(signals: &SignalFd, keys: &Keys, changes: &Inotify) -> Result<bool> {
    let stdin = std::io::stdin();
    let mut sources =
        vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN), PollFd::new(changes.as_fd(), PollFlags::POLLIN)];
    if keys.0.is_some() {
        sources.push(PollFd::new(stdin.as_fd(), PollFlags::POLLIN));
    }
    poll(&mut sources, PollTimeout::from(PERIOD)).context("wait")?;
    let is_ready = |at: usize| sources.get(at).and_then(PollFd::any).unwrap_or_default();
    if is_ready(0) {
        return Ok(true);
    }
    if is_ready(2) {
        let mut typed = [0; 16];
        let length = stdin.lock().read(&mut typed).unwrap_or_default();
        return Ok(length == 0 || typed[..length].iter().any(|key| ENDS.contains(key)));
    }
    Ok(false)
}

/// Folders where something is made, replaced or deleted when a namespace changes.
fn changes() -> Result<Inotify> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).context("start watching")?;
    let flags = AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_ONLYDIR;
    let roots = ["/run/netns", "/run/systemd-netns", "/etc/netns"].map(PathBuf::from);
    let below = |root: &Path| std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = below(Path::new("/etc/netns")).map(|folder| folder.join("network"));
    let records = below(Path::new("/run/systemd-netns"));
    for folder in roots.iter().cloned().chain(files).chain(records) {
        // There may be none yet, or no more.
        let _ = inotify.add_watch(&folder, flags);
    }
    Ok(inotify)
}

/// The terminal's settings as they were, while keys are read one by one and not shown.
struct Keys(Option<Termios>);

impl Keys {
    fn take(screen: bool) -> Result<Self> {
        let stdin = std::io::stdin();
        if !screen || !stdin.is_terminal() {
            return Ok(Self(None));
        }
        let before = tcgetattr(&stdin).context("look at the terminal")?;
        let mut keys = before.clone();
        keys.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG);
        tcsetattr(&stdin, SetArg::TCSANOW, &keys).context("set the terminal")?;
        // The other screen, and no cursor on it.
        print!("\x1b[?1049h\x1b[?25l");
        Ok(Self(Some(before)))
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            print!("\x1b[?25h\x1b[?1049l");
            let _ = std::io::stdout().flush();
            let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, before);
        }
    }
}

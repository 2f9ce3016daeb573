//! One program at a time works on a namespace.

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Whose turn it is.
const TURN: &str = "/run/systemd-netns.lock";
/// Who works on settings of the host.
const SETTINGS: &str = "/run/systemd-netns.settings.lock";

/// Holds `DIR/lock` until it is dropped.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "held, never read")] Flock<File>);

/// Waits for the turn of those that work on more than one namespace: they come one after another, so that none waits for one
/// that waits for it.
///
/// # Errors
/// When the lock cannot be taken.
pub fn turn() -> Result<Lock> {
    take(Path::new(TURN)).with_context(|| format!("take the lock {TURN}"))
}

/// Waits for those that work on settings of the host which others may need, too: from a look at what these answer for until it is
/// written down, or undone, what one answers for itself. The last lock that anybody takes.
///
/// # Errors
/// When the lock cannot be taken.
pub fn settings() -> Result<Lock> {
    take(Path::new(SETTINGS)).with_context(|| format!("take the lock {SETTINGS}"))
}

/// Makes `dir` and waits for its lock.
///
/// The directory may be deleted by the one who holds the lock before us; then it is made again.
///
/// # Errors
/// When the directory cannot be made or the lock not be taken.
pub fn acquire(dir: &Path) -> Result<Lock> {
    let path = dir.join("lock");
    loop {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(dir)
            .with_context(|| format!("make {}", dir.display()))?;
        let lock = match take(&path) {
            Err(e) if e.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::NotFound) => continue,
            lock => lock?,
        };
        let held = lock.0.metadata().context("stat the lock")?.ino();
        if std::fs::metadata(&path).is_ok_and(|m| m.ino() == held) {
            return Ok(lock);
        }
    }
}

/// Whether somebody holds the lock of `dir` now.
pub fn is_held(dir: &Path) -> bool {
    let Ok(file) = File::open(dir.join("lock")) else { return false };
    matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, nix::errno::Errno::EWOULDBLOCK)))
}

fn take(path: &Path) -> Result<Lock> {
    let file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(path);
    let file = file.with_context(|| format!("open {}", path.display()))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Lock(lock)),
        Err((file, nix::errno::Errno::EWOULDBLOCK)) => {
            log::info!("waiting for another systemd-netns that holds {}", path.display());
            Flock::lock(file, FlockArg::LockExclusive).map(Lock).map_err(|(_, e)| e).context("take the lock")
        }
        Err((_, e)) => Err(e).with_context(|| format!("lock {}", path.display())),
    }
}

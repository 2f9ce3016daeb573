//! One program at a time works on a namespace.

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Holds `DIR/lock` until it is dropped.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "held, never read")] Flock<File>);

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
        let file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&path);
        let file = match file {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            file => file.with_context(|| format!("open {}", path.display()))?,
        };
        let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((file, nix::errno::Errno::EWOULDBLOCK)) => {
                log::info!("waiting for another systemd-netns that holds {}", path.display());
                Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, e)| e).context("take the lock")?
            }
            Err((_, e)) => return Err(e).with_context(|| format!("lock {}", path.display())),
        };
        let held = lock.metadata().context("stat the lock")?.ino();
        if std::fs::metadata(&path).is_ok_and(|m| m.ino() == held) {
            return Ok(Lock(lock));
        }
    }
}

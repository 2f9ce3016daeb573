//! Other processes' views of the file system: mounting a file over another in a mount namespace that is not one's own.
//!
//! Theory. A mount lies on a directory entry. When that entry is replaced by rename(2), the kernel undoes what is mounted on it
//! in every mount namespace (`__detach_mounts()`), and who had a file of his own there sees the new file of all. It is
//! mounted again from within: a thread that shares its root with nobody enters the mount namespace (`setns(2)`) and ends
//! there.
//!
//! Must not know: what the files are for.

use super::error::Error;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file that shall lie over another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    /// What shall be seen.
    pub own: PathBuf,
    /// Where.
    pub over: PathBuf,
    /// Device and inode of the file that must not be seen there.
    pub hidden: (u64, u64),
}

/// What a file is told from others by.
pub fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|m| (m.dev(), m.ino()))
}

/// The mount namespace of a process, told from others; none when it has ended.
pub fn of_process(pid: u32) -> Option<(u64, u64)> {
    identity(Path::new(&format!("/proc/{pid}/ns/mnt")))
}

/// Whether something is mounted at exactly that place in the view of a process.
pub fn has_mount(pid: u32, place: &Path) -> bool {
    let Ok(table) = fs::read(format!("/proc/{pid}/mountinfo")) else { return false };
    let place = escaped(place);
    table.split(|byte| *byte == b'\n').any(|line| line.split(|byte| *byte == b' ').nth(4) == Some(&place))
}

/// Whether what is mounted at a place in this process's view is passed on to those of others (`shared:` in mountinfo); none when nothing is
/// mounted there.
pub fn is_shared(place: &Path) -> Option<bool> {
    let table = fs::read("/proc/self/mountinfo").ok()?;
    let place = escaped(place);
    let mut lines = table.split(|byte| *byte == b'\n');
    let line = lines.rfind(|line| line.split(|byte| *byte == b' ').nth(4) == Some(&place))?;
    let optional = line.split(|byte| *byte == b' ').skip(6).take_while(|word| *word != b"-");
    Some(optional.into_iter().any(|word| word.starts_with(b"shared:")))
}

/// A path as mountinfo has it (proc_pid_mountinfo(5)): blanks and backslashes in octal.
fn escaped(path: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => out.extend(format!("\\{byte:03o}").bytes()),
            byte => out.push(*byte),
        }
    }
    out
}

/// Mounts files, read-only, in the view of a process where that process sees what it must not, or what nobody can change
/// any more because it was deleted. Tells where it did.
pub fn cover(pid: u32, covers: &[Cover]) -> Result<Vec<PathBuf>, Error> {
    let path = format!("/proc/{pid}/ns/mnt");
    let namespace = File::open(&path).map_err(|e| Error::io(format!("open {path}"), &e))?;
    let inside = || -> Result<Vec<PathBuf>, Error> {
        unshare(CloneFlags::CLONE_FS).map_err(|e| Error::system("have a root of one's own", e))?;
        setns(&namespace, CloneFlags::CLONE_NEWNS).map_err(|e| Error::system("enter the mount namespace", e))?;
        let mut covered = Vec::new();
        for cover in covers.iter().filter(|cover| cover.own.is_file()) {
            let Ok(seen) = fs::metadata(&cover.over) else { continue };
            if seen.nlink() == 0 {
                // Nothing can be mounted on what was deleted.
                umount2(&cover.over, MntFlags::MNT_DETACH)
                    .map_err(|e| Error::system(format!("unmount {}", cover.over.display()), e))?;
            } else if (seen.dev(), seen.ino()) != cover.hidden {
                continue;
            }
            lay(cover)?;
            covered.push(cover.over.clone());
        }
        Ok(covered)
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("mounts".to_owned()).spawn_scoped(scope, inside);
        let thread = thread.map_err(|e| Error::io("start a thread", &e))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn lay(cover: &Cover) -> Result<(), Error> {
    let none = None::<&str>;
    let failed = |e| Error::system(format!("mount {} on {}", cover.own.display(), cover.over.display()), e);
    mount(Some(&cover.own), &cover.over, none, MsFlags::MS_BIND, none).map_err(failed)?;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    // A file system that is mounted with more restrictions refuses to have fewer; the file is then left writable to root.
    mount(none, &cover.over, none, flags, none)
        .or_else(|_| mount(none, &cover.over, none, flags | MsFlags::MS_NOEXEC, none))
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_as_the_kernel_does() {
        assert_eq!(escaped(Path::new(r"/run/a\x2db c")), br"/run/a\134x2db\040c");
        assert!(has_mount(std::process::id(), Path::new("/proc")));
        assert!(!has_mount(std::process::id(), Path::new("/proc/self")));
    }
}

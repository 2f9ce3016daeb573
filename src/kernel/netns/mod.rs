//! Network namespaces: open, enter, make, delete, list, who is inside.
//!
//! Theory: a namespace is an open file of nsfs, and is told from others by that file's device and inode. It has a name
//! while it is bind-mounted on `/run/netns/NAME`; that directory is shared with `ip netns` and follows its manners
//! (`ip-netns(8)`): it is a mount of its own with shared propagation, made under a lock on the directory, so that a
//! name that goes here goes in every mount namespace.
//!
//! No thread ever changes its own namespace: what must happen inside happens on a thread that is made for it and ends
//! there. Whoever holds a [`Namespace`] open keeps it alive, name or no name.
//!
//! Must not know: netlink, what namespaces are for.

mod processes;

pub use processes::{Process, is_inhabited, of_process, pids};

use super::error::Error;
use crate::model::{Netns, NetnsName};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs, statfs};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where names are (`ip-netns(8)`).
pub const DIRECTORY: &str = "/run/netns";
/// The namespace of the thread that looks.
const OWN: &str = "/proc/thread-self/ns/net";
/// How many mounts may lie on one name before it is given up.
const LAYERS: usize = 16;

/// A network namespace, held open.
#[derive(Debug)]
pub struct Namespace {
    file: File,
    identity: Identity,
}

/// What one namespace is told from another by: device and inode of its file in nsfs (`namespaces(7)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The device, the same for all namespaces of a kernel.
    pub device: u64,
    /// The inode; a new namespace may get that of one that is gone.
    pub inode: u64,
}

impl From<&fs::Metadata> for Identity {
    fn from(metadata: &fs::Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

impl Namespace {
    /// The one that the calling thread is in.
    pub fn own() -> Result<Self, Error> {
        Self::open_file(Path::new(OWN))
    }

    /// `/run/netns/NAME`. A file there that is no namespace counts as none.
    pub fn named(name: &NetnsName) -> Result<Self, Error> {
        let path = path(name);
        match Self::open_file(&path) {
            Ok(namespace) if on_nsfs(&namespace.file) => Ok(namespace),
            Ok(_) => Err(Error::NoNetns(name.clone())),
            Err(error) if error.errno() == Some(Errno::ENOENT) => Err(Error::NoNetns(name.clone())),
            Err(error) => Err(error),
        }
    }

    /// As the model speaks of it: the calling thread's, or a named one.
    pub fn open(netns: &Netns) -> Result<Self, Error> {
        netns.name().map_or_else(Self::own, Self::named)
    }

    fn open_file(path: &Path) -> Result<Self, Error> {
        let failed = |e: io::Error| Error::io(format!("open {}", path.display()), &e);
        let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path).map_err(failed)?;
        let identity = Identity::from(&file.metadata().map_err(failed)?);
        Ok(Self { file, identity })
    }

    /// What it is told from others by.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// Puts the calling thread inside, for good.
    pub fn enter(&self) -> Result<(), Error> {
        setns(&self.file, CloneFlags::CLONE_NEWNET).map_err(|e| Error::system("enter the namespace", e))
    }

    /// Runs a function inside, on a thread of its own unless the caller's is there already, and gives back what it returns.
    /// A panic in it goes on in the caller.
    pub fn within<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> Result<T, Error> {
        // Whoever is inside needs no privilege.
        if fs::metadata(OWN).is_ok_and(|own| Identity::from(&own) == self.identity) {
            return Ok(inside());
        }
        on_a_thread(|| {
            self.enter()?;
            Ok(inside())
        })?
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Runs something on a thread of its own.
pub(super) fn on_a_thread<T: Send>(act: impl FnOnce() -> T + Send) -> Result<T, Error> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("netns".to_owned())
            .spawn_scoped(scope, act)
            .map_err(|e| Error::io("start a thread", &e))?;
        thread.join().map_or_else(|panic| std::panic::resume_unwind(panic), Ok)
    })
}

/// Runs a function in a namespace of its own, which ends with it: a place to try things out.
pub fn apart<T: Send>(inside: impl FnOnce() -> T + Send) -> Result<T, Error> {
    on_a_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|e| Error::system("make a network namespace", e))?;
        Ok(inside())
    })?
}

/// Enters each of some namespaces in turn, on one thread that ends afterwards, and gives back what `inside` returned there.
/// None is held open: one that ends meanwhile ends.
pub fn visit<T: Send>(
    names: &[NetnsName],
    mut inside: impl FnMut(&NetnsName, Identity) -> T + Send,
) -> Result<Vec<Result<T, Error>>, Error> {
    let mut one = |name| {
        let namespace = Namespace::named(name)?;
        namespace.enter()?;
        Ok(inside(name, namespace.identity))
    };
    on_a_thread(|| names.iter().map(&mut one).collect())
}

/// The file that bears a name.
pub fn path(name: &NetnsName) -> PathBuf {
    Path::new(DIRECTORY).join(name.as_str())
}

/// Makes a namespace with a name, as `ip netns add` does: `lo` is down in it.
pub fn create(name: &NetnsName) -> Result<Namespace, Error> {
    prepare_directory()?;
    let path = path(name);
    let exclusive = OpenOptions::new().read(true).write(true).create_new(true).mode(0o444).open(&path);
    exclusive.map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => Error::NetnsExists(name.clone()),
        _ => Error::io(format!("create {}", path.display()), &e),
    })?;
    let made = on_a_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|e| Error::system("make a network namespace", e))?;
        mount(Some(OWN), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .map_err(|e| Error::system(format!("mount {}", path.display()), e))?;
        Namespace::own()
    });
    made.and_then(|made| made).inspect_err(|_| {
        let _ = umount2(&path, MntFlags::MNT_DETACH);
        fs::remove_file(&path).unwrap_or_else(|e| log::debug!("remove {}: {e}, ignoring", path.display()));
    })
}

/// Makes `/run/netns` a mount with shared propagation, once, however many processes try at the same time.
fn prepare_directory() -> Result<(), Error> {
    let directory = Path::new(DIRECTORY);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(directory)
        .map_err(|e| Error::io(format!("create {DIRECTORY}"), &e))?;
    let handle = File::open(directory).map_err(|e| Error::io(format!("open {DIRECTORY}"), &e))?;
    let _lock =
        Flock::lock(handle, FlockArg::LockExclusive).map_err(|(_, e)| Error::system(format!("lock {DIRECTORY}"), e))?;
    let share = || mount(None::<&str>, directory, None::<&str>, MsFlags::MS_SHARED | MsFlags::MS_REC, None::<&str>);
    match share() {
        // It is no mount yet.
        Err(Errno::EINVAL) => {
            mount(Some(directory), directory, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)
                .map_err(|e| Error::system(format!("mount {DIRECTORY}"), e))?;
            share()
        }
        outcome => outcome,
    }
    .map_err(|e| Error::system(format!("share the mount {DIRECTORY}"), e))
}

/// Takes a name away; the kernel ends the namespace when nobody uses it any more. A file without a mount goes too.
pub fn delete(name: &NetnsName) -> Result<(), Error> {
    let path = path(name);
    for _ in 0..LAYERS {
        match umount2(&path, MntFlags::MNT_DETACH) {
            Ok(()) => {}
            // Nothing is mounted there (any more), or the file is not even there.
            Err(Errno::EINVAL | Errno::ENOENT) => break,
            Err(e) => return Err(Error::system(format!("unmount {}", path.display()), e)),
        }
    }
    fs::remove_file(&path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => Error::NoNetns(name.clone()),
        _ => Error::io(format!("remove {}", path.display()), &e),
    })
}

/// Whether a name stands for a namespace, rather than for nothing or for an empty file.
pub fn is_mounted(name: &NetnsName) -> bool {
    statfs(&path(name)).is_ok_and(|s| s.filesystem_type() == NSFS_MAGIC)
}

fn on_nsfs(file: &File) -> bool {
    fstatfs(file).is_ok_and(|s| s.filesystem_type() == NSFS_MAGIC)
}

/// The names in `/run/netns` that stand for namespaces, sorted. What this program could not name is left out.
pub fn list() -> Result<Vec<NetnsName>, Error> {
    let entries = match fs::read_dir(DIRECTORY) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|e| Error::io(format!("read {DIRECTORY}"), &e))?,
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut names: Vec<NetnsName> = names.filter(is_mounted).collect();
    names.sort();
    Ok(names)
}

//! How the language reaches files: a trait of a few questions, its answer by the machine's files, and one from memory.
//!
//! Paths in a configuration are not always the paths to open. `--root DIR` looks absolute paths up below DIR, and in a
//! namespace's file `/etc/network/` means `/etc/netns/NAME/network/`, as it does for everything that runs under
//! `ip netns exec`: the host's own configuration must never be read as the namespace's. [`Files::place`] is where both
//! happen, and every other question goes through it.
//!
//! This module knows no syntax.

use super::MAX_FILES;
use super::pattern::Glob;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::ops::Bound;
use std::path::{Component, Path, PathBuf};

/// Access to files by the paths that a configuration gives them.
pub trait Files {
    /// Where a path really is: what to show, so that it can be opened, and what tells files apart.
    fn place(&self, path: &Path) -> PathBuf;

    /// The content of a file, no more than `limit` bytes of it.
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>>;

    /// The names in a directory, in any order, without `.` and `..`.
    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>>;

    /// Whether the path is a directory.
    fn is_directory(&self, path: &Path) -> bool;

    /// The paths that a glob stands for, sorted by bytes, as glob(7) has it: wildcards match neither `/` nor a leading
    /// dot. A part without wildcards need not exist. Relative globs are looked up in `base`.
    fn glob(&self, base: &Path, glob: &str) -> Result<Vec<PathBuf>, TooManyDirectories> {
        let mut searched = 0;
        let mut paths = vec![if glob.starts_with('/') { PathBuf::from("/") } else { base.to_owned() }];
        for part in glob.split('/').filter(|part| !part.is_empty()) {
            let pattern = Glob::new(part);
            if let Some(name) = pattern.literal() {
                paths.iter_mut().for_each(|path| path.push(&name));
                continue;
            }
            searched += paths.len();
            if searched > MAX_FILES {
                return Err(TooManyDirectories);
            }
            paths = paths.iter().flat_map(|path| self.matching(path, &pattern, part.starts_with('.'))).collect();
        }
        Ok(paths)
    }

    /// The paths in `directory` whose names match, sorted by bytes; none if it cannot be listed.
    fn matching(&self, directory: &Path, pattern: &Glob, hidden: bool) -> Vec<PathBuf> {
        let mut names = self.list(directory).unwrap_or_default();
        names.retain(|name| {
            name.to_str().is_some_and(|name| (hidden || !name.starts_with('.')) && pattern.matches(name))
        });
        names.sort();
        names.into_iter().map(|name| directory.join(name)).collect()
    }
}

/// A glob would search more directories than [`MAX_FILES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyDirectories;

/// The machine's files.
#[derive(Debug, Clone, Default)]
pub struct OsFiles {
    root: Option<PathBuf>,
    netns: Option<OsString>,
}

impl OsFiles {
    /// Every path as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// Absolute paths are looked up below `root`. This is a prefix, no chroot: absolute symlinks leave it.
    #[must_use]
    pub fn below(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = Some(root.into());
        self
    }

    /// `/etc/network/` means `/etc/netns/NAME/network/`.
    #[must_use]
    pub fn in_netns(mut self, name: impl AsRef<OsStr>) -> Self {
        self.netns = Some(name.as_ref().to_owned());
        self
    }
}

impl Files for OsFiles {
    fn place(&self, path: &Path) -> PathBuf {
        let moved = self.netns.as_ref().and_then(|netns| in_netns(path, netns));
        let path = moved.unwrap_or_else(|| path.components().collect());
        let path = match (&self.root, path.strip_prefix("/")) {
            (Some(root), Ok(below)) => root.join(below),
            _ => path,
        };
        resolve_parents(path)
    }

    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        fs::File::open(self.place(path))?.take(limit as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let place = self.place(directory);
        let place = if place.as_os_str().is_empty() { Path::new(".") } else { &place };
        fs::read_dir(place)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn is_directory(&self, path: &Path) -> bool {
        self.place(path).is_dir()
    }
}

/// Where a path under `/etc/network` is for a namespace, and none for every other path.
///
/// `..` is taken by name here, so that no symlink hides where a path leads.
fn in_netns(path: &Path, netns: &OsStr) -> Option<PathBuf> {
    let plain = by_name(path);
    let rest = plain.strip_prefix("/etc/network").ok()?;
    // Joined to nothing, a path would end in a slash.
    Some(Path::new("/etc/netns").join(netns).join("network").components().chain(rest.components()).collect())
}

/// The path without `..`, so that a file has one path however it is reached. Only the kernel knows what `..` means
/// after a symlink, hence the part up to it is looked up.
fn resolve_parents(path: PathBuf) -> PathBuf {
    let Some(last) = path.components().rev().position(|component| component == Component::ParentDir) else {
        return path;
    };
    let split = path.components().count() - last;
    let head: PathBuf = path.components().take(split).collect();
    match fs::canonicalize(head) {
        Ok(head) => head.join(path.components().skip(split).collect::<PathBuf>()),
        Err(_) => path,
    }
}

/// The path with `..` taken as the opposite of a name.
fn by_name(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, component| {
        match component {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            component => plain.push(component),
        }
        plain
    })
}

/// Files in memory, by path: a whole tree for a test.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles(BTreeMap<PathBuf, Vec<u8>>);

impl MemoryFiles {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// One file more.
    #[must_use]
    pub fn with(mut self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        self.0.insert(path.into(), content.into());
        self
    }
}

impl Files for MemoryFiles {
    fn place(&self, path: &Path) -> PathBuf {
        by_name(path)
    }

    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        match self.0.get(&self.place(path)) {
            Some(content) => Ok(content.iter().copied().take(limit).collect()),
            None if self.is_directory(path) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let directory = self.place(directory);
        let below = self.0.keys().filter_map(|path| path.strip_prefix(&directory).ok());
        let mut names: Vec<OsString> = below.filter_map(|path| Some(path.iter().next()?.to_owned())).collect();
        names.dedup();
        if names.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(names) }
    }

    fn is_directory(&self, path: &Path) -> bool {
        let path = self.place(path);
        // Paths are ordered by their parts: what is below a path follows it.
        let mut after = self.0.range::<Path, _>((Bound::Excluded(path.as_path()), Bound::Unbounded));
        after.next().is_some_and(|(file, _)| file.starts_with(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(files: &OsFiles, path: &str) -> String {
        files.place(Path::new(path)).display().to_string()
    }

    #[test]
    fn a_namespace_never_sees_the_network_folder_of_the_host() {
        let files = OsFiles::new().in_netns("web");
        assert_eq!(place(&files, "/etc/network/interfaces.d/a"), "/etc/netns/web/network/interfaces.d/a");
        assert_eq!(place(&files, "/etc/network/"), "/etc/netns/web/network");
        assert_eq!(place(&files, "/etc/netns/web/network/a"), "/etc/netns/web/network/a");
        assert_eq!(place(&files, "/etc/netns/web/../../network/a"), "/etc/netns/web/network/a");
        assert_eq!(place(&files, "/etc//./network/a"), "/etc/netns/web/network/a");
        assert_eq!(place(&files, "/etc/networks"), "/etc/networks");
        assert_eq!(place(&files, "/nowhere/a/../b"), "/nowhere/a/../b");
        assert_eq!(place(&files, "/proc/../proc/x"), "/proc/x");
    }

    #[test]
    fn a_root_is_put_before_absolute_paths() {
        let files = OsFiles::new().below("/tmp/root");
        assert_eq!(place(&files, "/etc/network/a"), "/tmp/root/etc/network/a");
        assert_eq!(place(&files, "a"), "a");
        assert_eq!(place(&files.in_netns("web"), "/etc/network/a"), "/tmp/root/etc/netns/web/network/a");
    }

    #[test]
    fn globs_are_sorted_and_hide_dot_files() {
        let files = MemoryFiles::new().with("/d/b/x", "").with("/d/a/x", "").with("/d/.c/x", "").with("/d/a/y", "");
        let glob = |glob: &str| files.glob(Path::new("/d"), glob).unwrap_or_default();
        assert_eq!(glob("*/x"), [Path::new("/d/a/x"), Path::new("/d/b/x")]);
        assert_eq!(glob(".*/x"), [Path::new("/d/.c/x")]);
        assert_eq!(glob("/d/a/[xyz]"), [Path::new("/d/a/x"), Path::new("/d/a/y")]);
        assert_eq!(glob("missing"), [Path::new("/d/missing")]);
        assert_eq!(glob("miss*"), [] as [&Path; 0]);
    }
}

//! Files that only root may read, for a daemon that is not root: what runs before it as root copies them to a folder that is the
//! daemon's alone, and that systemd takes away with it (`RuntimeDirectory=`, systemd.exec(5)).

use crate::model::escape;
use anyhow::{Context, Result};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

/// The folder, where systemd made one.
fn folder() -> Option<PathBuf> {
    let all = std::env::var_os("RUNTIME_DIRECTORY")?;
    // The first, where there are several.
    let first = all.to_str()?.split(':').next().filter(|first| first.starts_with('/'))?;
    Some(Path::new(first).join("secrets"))
}

fn copy_of(folder: &Path, path: &Path) -> Option<PathBuf> {
    Some(folder.join(escape(path.to_str()?)))
}

/// Where to read a file: its copy, if there is one.
pub fn place(path: &Path) -> PathBuf {
    let copy = folder().and_then(|folder| copy_of(&folder, path));
    copy.filter(|copy| copy.exists()).unwrap_or_else(|| path.to_owned())
}

/// Copies files for the daemon, in the place of those that were copied before. Does nothing where there is no folder for them.
///
/// # Errors
/// When a file cannot be read or a copy not be written.
pub fn keep(paths: &[&Path]) -> Result<()> {
    let Some(folder) = folder() else { return Ok(()) };
    keep_in(&folder, paths)
}

fn keep_in(folder: &Path, paths: &[&Path]) -> Result<()> {
    let above = folder.parent().unwrap_or(folder);
    let owner = fs::metadata(above).with_context(|| format!("look at {}", above.display()))?;
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("clear {}", folder.display()))?;
    }
    if paths.is_empty() {
        return Ok(());
    }
    let context = || format!("make {}", folder.display());
    fs::DirBuilder::new().mode(0o700).create(folder).with_context(context)?;
    for path in paths {
        let Some(copy) = copy_of(folder, path) else { continue };
        let text = fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o400).open(&copy);
        let written = file.and_then(|mut file| file.write_all(&text));
        written
            .and_then(|()| chown(&copy, Some(owner.uid()), Some(owner.gid())))
            .with_context(|| format!("write {}", copy.display()))?;
    }
    chown(folder, Some(owner.uid()), Some(owner.gid())).with_context(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_the_folders_owners_alone() {
        let root = std::env::temp_dir().join(format!("netns-secrets-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let (key, folder) = (root.join("a key"), root.join("secrets"));
        fs::write(&key, "1").unwrap();
        for text in ["1", "2"] {
            fs::write(&key, text).unwrap();
            keep_in(&folder, &[&key]).unwrap();
            let copy = copy_of(&folder, &key).unwrap();
            assert_eq!(fs::read_to_string(&copy).unwrap(), text);
            assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o777, 0o400);
            assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        }
        keep_in(&folder, &[]).unwrap();
        assert!(!folder.exists());
        assert!(keep_in(&folder, &[&root.join("none")]).is_err());
        fs::remove_dir_all(&root).unwrap();
    }
}

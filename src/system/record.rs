//! What was done, written down in `/run/systemd-netns/NAME/` before it is done.
//!
//! `stop` works from here and never from the configuration. The directory holds `lock` ([`super::lock`]) and `record.json`,
//! which is replaced by rename(2), so that a reader sees the old or the new one.

use crate::model::{NetnsName, Owned};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Where records are kept.
pub const DIRECTORY: &str = "/run/systemd-netns";

/// The directory of a namespace's record.
pub fn directory(netns: &NetnsName) -> PathBuf {
    Path::new(DIRECTORY).join(netns.as_str())
}

/// What this program did, or is doing, for one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Of this layout.
    pub version: u32,
    /// How far it came.
    pub progress: Progress,
    /// Device and inode of the namespace (`stat(2)` of its file, see namespaces(7)), by which it is known again.
    pub identity: Option<(u64, u64)>,
    /// What it answers for; none before anything but the namespace was made.
    pub owned: Option<Owned>,
}

/// How far a start came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    /// There is a namespace and nothing in it.
    Created,
    /// A start or stop was begun and not finished.
    Unfinished,
    /// The start was finished.
    Complete,
}

impl Record {
    /// The version of the layout.
    pub const VERSION: u32 = 1;

    /// A record of a namespace with nothing in it.
    pub fn created(identity: Option<(u64, u64)>) -> Self {
        Self { version: Self::VERSION, progress: Progress::Created, identity, owned: None }
    }

    /// Reads the record of a namespace; none when there is none.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or was written by a version with another layout.
    pub fn read(netns: &NetnsName) -> Result<Option<Self>> {
        let path = directory(netns).join("record.json");
        let text = match std::fs::read(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("read {}", path.display()))?,
        };
        let record: Self = serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
        if record.version != Self::VERSION {
            bail!("{} has version {}, this program knows {}", path.display(), record.version, Self::VERSION);
        }
        Ok(Some(record))
    }

    /// Writes the record of a namespace.
    ///
    /// # Errors
    /// When it cannot be written; the old one is then still there.
    pub fn write(&self, netns: &NetnsName) -> Result<()> {
        let (path, new) = (directory(netns).join("record.json"), directory(netns).join("record.new"));
        let write = || -> std::io::Result<()> {
            let mut out = BufWriter::new(std::fs::File::create(&new)?);
            serde_json::to_writer(&mut out, self)?;
            out.flush()?;
            std::fs::rename(&new, &path)
        };
        write().with_context(|| format!("write {}", path.display()))
    }

    /// Removes a namespace's record and its directory.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn remove(netns: &NetnsName) -> Result<()> {
        let dir = directory(netns);
        match std::fs::remove_dir_all(&dir) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            done => done.with_context(|| format!("remove {}", dir.display()))?,
        }
        // The last one out; while there are others this fails, as it should.
        let _ = std::fs::remove_dir(DIRECTORY);
        Ok(())
    }

    /// The names of all namespaces that have a record, in order.
    pub fn list() -> Vec<NetnsName> {
        let Ok(entries) = std::fs::read_dir(DIRECTORY) else { return Vec::new() };
        let mut names: Vec<NetnsName> = entries
            .filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok())
            .filter(|name| directory(name).join("record.json").exists())
            .collect();
        names.sort();
        names
    }
}

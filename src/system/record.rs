//! What was done, written down in `/run/systemd-netns/NAME/` before it is done.
//!
//! `stop` works from here and never from the configuration. The directory holds
//!
//! - `lock` ([`super::lock`]),
//! - `record.json`, which is replaced by rename(2), so that a reader sees the old or the new one,
//! - `host/LINK`, a mark of each link of the host's that is made, which udev's rule of the package looks for, and
//! - `desired-DIGEST.json`, what was applied, and while a reload is under way what was applied before. It may hold many
//!   thousands of routes, so it is only read by who needs it: a reload that finds the digest of its files there knows what was
//!   applied without reading it.

use super::gate;
use crate::model::{Desired, Netns, NetnsName, NetnsState, Owned, Place, RouterName, Sysctl, Taken};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where records are kept.
pub const DIRECTORY: &str = "/run/systemd-netns";

/// The folder of routers' records and sockets, which the namespace of a service of that name shares.
const ROUTERS: &str = "router";

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
    /// Whose links are in it or are to be; its own name is among them while it is up for its own sake.
    #[serde(default)]
    pub users: BTreeSet<NetnsName>,
    /// The namespaces whose records name this one among their users.
    #[serde(default)]
    pub uses: BTreeSet<NetnsName>,
    /// When the namespace was made, in seconds since 1970; none in records of older versions.
    #[serde(default)]
    pub since: Option<u64>,
    /// Nobody needs it any more; only its name is left, for whoever can take it away.
    #[serde(default)]
    pub abandoned: bool,
    /// What it answers for; none before anything but the namespace was made.
    answers: Option<Answers>,
}

/// An [`Owned`] with the digests of its desired states in the place of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Answers {
    digest: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    former: Vec<String>,
    taken: Vec<Taken>,
    before: NetnsState,
    made: Vec<Place>,
    #[serde(default)]
    elsewhere: BTreeMap<Netns, BTreeMap<Sysctl, String>>,
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
        Self {
            version: Self::VERSION,
            progress: Progress::Created,
            identity,
            users: BTreeSet::new(),
            uses: BTreeSet::new(),
            since: SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs()),
            abandoned: false,
            answers: None,
        }
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

    /// Writes the record of a namespace, answering for what it answered for before.
    ///
    /// # Errors
    /// When it cannot be written; the old one is then still there.
    pub fn write(&self, netns: &NetnsName) -> Result<()> {
        write(netns, "record.json", self)
    }

    /// Writes the record of a namespace, answering for `owned` from now on.
    ///
    /// # Errors
    /// When it cannot be written; the old one is then still there.
    pub fn write_owned(&mut self, netns: &NetnsName, owned: &Owned) -> Result<()> {
        let before = self.answers.take().map(Answers::digests).unwrap_or_default();
        let states = std::iter::once(&owned.desired).chain(&owned.former);
        let mut digests = Vec::with_capacity(1 + owned.former.len());
        for state in states {
            let digest = digest(state);
            if !before.contains(&digest) {
                write(netns, &file_of(&digest), &**state)?;
            }
            digests.push(digest);
        }
        let old: Vec<String> = before.into_iter().filter(|old| !digests.contains(old)).collect();
        let former = digests.split_off(1);
        let Owned { taken, before, made, elsewhere, .. } = owned.clone();
        mark(netns, &made)?;
        self.answers = digests.pop().map(|digest| Answers { digest, former, taken, before, made, elsewhere });
        self.write(netns)?;
        for old in old {
            // The record no longer names it.
            let _ = std::fs::remove_file(directory(netns).join(file_of(&old)));
        }
        Ok(())
    }

    /// What it answers for, given that `desired` may be what was applied: then nothing need be read.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn owned(&self, netns: &NetnsName, desired: Option<&Arc<Desired>>) -> Result<Option<Owned>> {
        let Some(answers) = &self.answers else { return Ok(None) };
        let desired = match desired.filter(|d| digest(d) == answers.digest) {
            Some(desired) => Arc::clone(desired),
            None => read_desired(netns, &answers.digest)?,
        };
        let former = answers.former.iter().map(|digest| read_desired(netns, digest)).collect::<Result<_>>()?;
        let Answers { taken, before, made, elsewhere, .. } = answers.clone();
        Ok(Some(Owned { desired, former, taken, before, made, elsewhere }))
    }

    /// The host's links that were taken.
    pub fn taken(&self) -> &[Taken] {
        self.answers.as_ref().map_or(&[], |answers| &answers.taken)
    }

    /// The links that were made.
    pub fn made(&self) -> &[Place] {
        self.answers.as_ref().map_or(&[], |answers| &answers.made)
    }

    /// The host's side as it was before.
    pub fn before(&self) -> Option<&NetnsState> {
        Some(&self.answers.as_ref()?.before)
    }

    /// Removes a namespace's record and its directory.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn remove(netns: &NetnsName) -> Result<()> {
        let dir = directory(netns);
        // First: one that is left alone would name files that are gone.
        let _ = std::fs::remove_file(dir.join("record.json"));
        let removed =
            if netns.as_str() == ROUTERS { remove_beside_routers(&dir) } else { std::fs::remove_dir_all(&dir) };
        match removed {
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

/// Removes the namespace's part of that folder: all but the routers' `NAME.json` and `NAME.sock`, and the marks of their devices. No
/// router has the name of one of the namespace's own files ([`RouterName`]).
fn remove_beside_routers(dir: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)?.flatten() {
        let name = entry.file_name();
        let router = name.to_str().and_then(|n| n.strip_suffix(".json").or(n.strip_suffix(".sock")));
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else if entry.path().extension().is_none_or(|of| of != gate::MARK)
            && router.is_none_or(|name| name.parse::<RouterName>().is_err())
        {
            std::fs::remove_file(entry.path())?;
        }
    }
    let _ = std::fs::remove_dir(dir);
    Ok(())
}

impl Answers {
    fn digests(self) -> Vec<String> {
        std::iter::once(self.digest).chain(self.former).collect()
    }
}

/// Marks the host's links that are made, for udev's rule, by empty files `host/LINK`: other network managers are to leave them alone.
fn mark(netns: &NetnsName, made: &[Place]) -> Result<()> {
    let folder = directory(netns).join("host");
    let wanted: BTreeSet<&str> =
        made.iter().filter(|place| place.netns == Netns::Host).map(|place| place.link.as_str()).collect();
    let write = || -> std::io::Result<()> {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_none_or(|name| !wanted.contains(name)) {
                std::fs::remove_file(entry.path())?;
            }
        }
        if !wanted.is_empty() {
            std::fs::create_dir_all(&folder)?;
        }
        wanted.iter().try_for_each(|name| std::fs::File::create(folder.join(name)).map(drop))
    };
    write().with_context(|| format!("write {}", folder.display()))
}

fn read_desired(netns: &NetnsName, digest: &str) -> Result<Arc<Desired>> {
    let path = directory(netns).join(file_of(digest));
    let text = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    let desired = serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
    Ok(Arc::new(desired))
}

fn file_of(digest: &str) -> String {
    format!("desired-{digest}.json")
}

/// Tells one desired state from another. Not against forgery: who can write here is root.
fn digest(desired: &Desired) -> String {
    let mut hasher = Digest { a: 0xcbf2_9ce4_8422_2325, b: 0x9e37_79b9_7f4a_7c15 };
    desired.hash(&mut hasher);
    format!("{:016x}{:016x}", hasher.a, hasher.b)
}

/// Two multiplicative hashes with different constants over words of eight bytes: fast, and the same in every build.
struct Digest {
    a: u64,
    b: u64,
}

impl Digest {
    fn word(&mut self, word: u64) {
        self.a = (self.a.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        self.b = (self.b.rotate_left(23) ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
    }
}

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
        self.word(bytes.len() as u64);
    }

    fn finish(&self) -> u64 {
        self.a
    }
}

fn write(netns: &NetnsName, name: &str, value: &impl Serialize) -> Result<()> {
    let (path, new) = (directory(netns).join(name), directory(netns).join(format!("{name}.new")));
    let write = || -> std::io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 16, std::fs::File::create(&new)?);
        serde_json::to_writer(&mut out, value)?;
        out.flush()?;
        std::fs::rename(&new, &path)
    };
    write().with_context(|| format!("write {}", path.display()))
}

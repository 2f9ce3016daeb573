//! Kernel settings below `/proc/sys` (`proc_sys(5)`).
//!
//! What `/proc/sys/net` shows is decided by the namespace of the thread that opens a file, not by the mount; so many
//! settings are read or written in one visit. Several names reach this module from records on disk, hence the check
//! that none of them climbs out.
//!
//! Must not know: what a setting means.

use super::error::{Error, Failure};
use super::netns::Namespace;
use crate::model::Sysctl;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

/// Reads settings; one that does not exist is left out.
pub(super) fn read(namespace: &Namespace, keys: &BTreeSet<Sysctl>) -> Result<BTreeMap<Sysctl, String>, Error> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    namespace.within(|| {
        let mut values = BTreeMap::new();
        for key in keys {
            match path(key).and_then(|path| fs::read_to_string(path).map_err(|e| failed("read", key, &e))) {
                Ok(value) => {
                    // Numbers are between tabs, and may be written between blanks.
                    values.insert(key.clone(), value.split_whitespace().collect::<Vec<_>>().join(" "));
                }
                Err(Error::NoSetting(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(values)
    })?
}

/// A setting that is written for an operation.
pub(super) struct Setting<'a> {
    /// The operation's number.
    pub index: usize,
    pub key: &'a Sysctl,
    pub value: &'a str,
    /// Whether a failure is none.
    pub optional: bool,
}

/// Writes settings in order, each for an operation, and stops at the first failure unless it shall go on.
pub(super) fn write(namespace: &Namespace, settings: &[Setting<'_>], go_on: bool) -> Vec<Failure> {
    let visit = namespace.within(|| {
        let mut failures = Vec::new();
        for Setting { index, key, value, optional } in settings {
            let written = path(key).and_then(|path| {
                let file = fs::OpenOptions::new().write(true).open(path);
                file.and_then(|mut file| std::io::Write::write_all(&mut file, format!("{value}\n").as_bytes()))
                    .map_err(|e| failed("write", key, &e))
            });
            if let Err(error) = written {
                if *optional {
                    log::warn!("{error}, ignoring");
                    continue;
                }
                failures.push(Failure { index: *index, error });
                if !go_on {
                    break;
                }
            }
        }
        failures
    });
    visit.unwrap_or_else(|error| {
        settings.iter().map(|setting| Failure { index: setting.index, error: error.clone() }).collect()
    })
}

fn path(key: &Sysctl) -> Result<PathBuf, Error> {
    let below = Path::new(key.path());
    if below.components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(Path::new("/proc/sys").join(below));
    }
    Err(Error::NoSetting(key.clone()))
}

fn failed(verb: &str, key: &Sysctl, error: &std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::NoSetting(key.clone()),
        _ => Error::io(format!("{verb} /proc/sys/{key}"), error),
    }
}

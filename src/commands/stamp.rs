//! A shortcut for a reload that has nothing to do: what everything was worked out from is as it was then.
//!
//! A stamp holds what was asked of the file system with digests of the answers, and one number for all tables that were looked
//! at. When both are as they were after the last start or reload, the files need not be parsed nor the tables compared. It is a
//! shortcut only: without a stamp, or with one that does not fit, the long way is taken.

use crate::config::{Input, Loaded};
use crate::kernel::{Kernel, Wanted};
use crate::model::{Desired, NetnsName};
use crate::system::record;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

#[derive(Serialize, Deserialize)]
struct Stamp {
    root: PathBuf,
    inputs: Vec<Input>,
    wanted: Wanted,
    tables: u64,
}

fn file(name: &NetnsName) -> PathBuf {
    record::directory(name).join("stamp.json")
}

/// Whether files and tables are as they were when the stamp was made.
pub(super) fn holds(root: &Path, name: &NetnsName) -> bool {
    let Some(stamp) = std::fs::read(file(name)).ok().and_then(|text| serde_json::from_slice::<Stamp>(&text).ok())
    else {
        return false;
    };
    stamp.root == root
        && stamp.inputs.iter().all(Input::holds)
        && Kernel::new().stamp(&stamp.wanted).is_ok_and(|tables| tables == stamp.tables)
}

/// How many routes and addresses make a stamp worth its while; with fewer the long way is as short.
const WORTHWHILE: usize = 500;

/// Makes the stamp of what is now. The caller knows that it is as the files say. Rules of nft(8) are no tables that it knows.
pub(super) fn make(root: &Path, name: &NetnsName, loaded: &Loaded, desired: &Desired, wanted: Wanted) {
    let size: usize = desired.links.iter().map(|l| l.addresses().count() + l.routes().count()).sum();
    let has_rules = desired.ruleset.is_some() || desired.table.is_some();
    if size < WORTHWHILE || has_rules {
        return remove(name);
    }
    let Some(inputs) = loaded.inputs.clone() else { return remove(name) };
    let Ok(tables) = Kernel::new().stamp(&wanted) else { return remove(name) };
    let stamp = Stamp { root: root.to_owned(), inputs, wanted, tables };
    let written = serde_json::to_vec(&stamp).ok().and_then(|text| std::fs::write(file(name), text).ok());
    if written.is_none() {
        remove(name);
    }
}

/// Removes the stamp; must be done before anything is changed.
pub(super) fn remove(name: &NetnsName) {
    // There may be none.
    let _ = std::fs::remove_file(file(name));
}

//! Files that mistakes are in, or that anybody could write to; records of what is there no more, tables on the host among it.

use super::Finding;
use crate::commands::load::read;
use crate::commands::look::is_ours;
use crate::interfaces::diagnostic::Severity;
use crate::kernel::netns;
use crate::model::{Netns, NetnsName};
use crate::system::record::{Progress, Record, directory};
use crate::system::{lock, nft};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// `S_IWOTH` and `S_IWGRP` (inode(7)).
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The files of namespaces.
pub(super) fn files(root: &Path, names: &BTreeSet<NetnsName>) -> Vec<Finding> {
    let mut found = Vec::new();
    for name in names {
        let folder = root.join("etc/netns").join(name.as_str());
        if !folder.exists() {
            continue;
        }
        let errors = read(root, name).diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
        if errors > 0 {
            let what = format!("{name} has {errors} {} in its files", if errors == 1 { "mistake" } else { "mistakes" });
            found.push(Finding::wrong(what, &[format!("systemd-netns check {name}")]));
        }
        let network = folder.join("network");
        let inside = std::fs::read_dir(&network).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in [folder.clone(), network.clone()].into_iter().chain(inside) {
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            // What is in there is run by root.
            if metadata.uid() != 0 || metadata.mode() & WRITABLE_BY_OTHERS != 0 {
                let path = path.display();
                let what = format!("{path} can be changed by others than root, who runs its commands");
                found.push(Finding::wrong(what, &[format!("chown root:root {path} && chmod go-w {path}")]));
            }
        }
    }
    found
}

/// The records of namespaces. Those that somebody is working on are in whatever state they are.
pub(super) fn records(names: &BTreeSet<NetnsName>) -> Vec<Finding> {
    let is_quiet = |name: &&NetnsName| record(name).is_some() && !lock::is_held(&directory(name));
    // Once more: what was found may have been work that was finished meanwhile.
    names.iter().filter(is_quiet).filter_map(record).collect()
}

fn record(name: &NetnsName) -> Option<Finding> {
    let again = [format!("systemd-netns stop {name}"), format!("systemctl restart systemd-netns@{name}")];
    match Record::read(name) {
        Err(e) => Some(Finding::wrong(format!("{e:#}"), &again)),
        Ok(None) if netns::is_mounted(name) => {
            let what = format!("/run/netns/{name} exists and was not made by systemd-netns: a start would refuse");
            Some(Finding::wrong(what, &[format!("ip netns delete {name}")]))
        }
        Ok(Some(record)) if !is_ours(name, &record) => {
            let what = format!("somebody else deleted the namespace {name}, which is still recorded");
            Some(Finding::wrong(what, &again))
        }
        Ok(Some(record)) if record.progress == Progress::Unfinished => {
            Some(Finding::wrong(format!("a start or stop of {name} was begun and not finished"), &again))
        }
        Ok(Some(record)) => flushed(name, &record),
        Ok(None) => None,
    }
}

/// A table on the host that is not there as it was loaded, as after a restart of `nftables.service`.
fn flushed(name: &NetnsName, record: &Record) -> Option<Finding> {
    let owned = record.owned(name, None).ok().flatten()?;
    let table = owned.desired.table.as_ref().filter(|table| nft::mark(&table.name) != Some(table.mark()))?;
    let open = owned.desired.sysctls.iter().any(|(netns, key, _)| *netns == Netns::Host && key.opens_loopback());
    let guard = if open { ", and nothing guards 127.0.0.1 from those on its links" } else { "" };
    let what = format!("somebody removed the host's table {}: nothing is translated for {name}{guard}", table.name);
    Some(Finding::wrong(what, &[format!("systemctl reload systemd-netns@{name}")]))
}

//! Other network managers that hold links which are made by this program, or are to move into a namespace.

use super::Finding;
use crate::commands::load::read;
use crate::config;
use crate::model::{LinkName, Netns, NetnsName};
use crate::system::gate;
use crate::system::managers::Managers;
use crate::system::record::Record;
use crate::system::systemd;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

/// Checks them.
pub(super) fn check(root: &Path, names: &BTreeSet<NetnsName>) -> Vec<Finding> {
    if !systemd::is_booted() {
        return Vec::new();
    }
    let managers = match Managers::connect() {
        Ok(managers) if managers.running().is_empty() => return Vec::new(),
        Ok(managers) => managers,
        Err(e) => return vec![Finding::wrong(format!("{e:#}"), &["systemctl start dbus"])],
    };
    let mut found = Vec::new();
    for (link, why) in links(root, names) {
        for holder in managers.holders(link) {
            let by = holder.file.map_or_else(String::new, |file| format!(" by {file}"));
            let what = format!("{} configures {link}{by}, {why}; to stop it:", holder.manager);
            found.push(Finding::wrong(what, &holder.remedy));
        }
    }
    found
}

/// The host's links that are to be left alone, and why.
fn links(root: &Path, names: &BTreeSet<NetnsName>) -> BTreeMap<LinkName, String> {
    let mut links = BTreeMap::new();
    for name in names {
        let desired = read(root, name).desired;
        let nics = desired.iter().flat_map(config::host_links);
        links.extend(
            nics.map(|link| (link, format!("which is to move into the namespace {name}, or carries what does"))),
        );
        let record = Record::read(name).ok().flatten();
        let made = record.iter().flat_map(|record| record.made()).filter(|place| place.netns == Netns::Host);
        links.extend(made.map(|place| (place.link, format!("which systemd-netns made for {name}"))));
    }
    for router in gate::list() {
        if let Some(owned) = gate::read(&router).ok().flatten() {
            links.insert(owned.gate.device, format!("which is the router {router}'s"));
        }
    }
    links.retain(|link, _| Path::new("/sys/class/net").join(link.as_str()).exists());
    links
}

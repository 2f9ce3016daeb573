//! What the kernel can do, and how its file systems are mounted.

use super::Finding;
use crate::commands::load::read;
use crate::config;
use crate::kernel::{mounts as kernel_mounts, netns, probe};
use crate::model::{Desired, Kind, NetnsName, VirtualKind};
use crate::system::{gate, programs};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The modules of kinds whose name is another (`Kconfig` of the kernel's drivers).
const MODULES: [(&str, &str); 5] = [
    ("vlan", "8021q"),
    ("bond", "bonding"),
    ("xfrm", "xfrm_interface"),
    ("ip6gretap", "ip6_gre"),
    ("gretap", "ip_gre"),
];

/// Whether the kernel can do what the files ask for.
pub(super) fn kernel(root: &Path, names: &BTreeSet<NetnsName>) -> Vec<Finding> {
    let mut found = Vec::new();
    if !Path::new("/proc/self/ns/net").exists() {
        found.push(Finding::wrong("the kernel has no network namespaces (CONFIG_NET_NS)", &["use Debian's kernel"]));
        return found;
    }
    let loaded: Vec<(&NetnsName, Desired)> =
        names.iter().filter_map(|name| Some((name, read(root, name).desired?))).collect();
    found.extend(kinds(&loaded));
    let wants_tun = loaded.iter().any(|(_, desired)| desired.links.iter().any(|link| link.device.is_some()))
        || !config::list_routers(root).is_empty();
    if wants_tun && !Path::new("/dev/net/tun").exists() {
        found.push(Finding::wrong("there is no /dev/net/tun, which routers and their devices need", &["modprobe tun"]));
    }
    let has_ipv6 = Path::new("/proc/sys/net/ipv6").exists();
    for (name, desired) in &loaded {
        let mut addresses = desired.links.iter().flat_map(|link| link.addresses());
        if !has_ipv6 && addresses.any(|address| address.local.addr().is_ipv6()) {
            let what = format!("{name} has IPv6 addresses, and the kernel has no IPv6");
            found.push(Finding::wrong(what, &["boot without ipv6.disable=1"]));
        }
    }
    let has_table = gate::list()
        .iter()
        .any(|router| gate::read(router).ok().flatten().is_some_and(|owned| owned.gate.table.is_some()));
    if has_table && programs::find("nft").is_none() {
        let what = "a router masquerades or filters, and there is no nft(8)";
        found.push(Finding::wrong(what, &["apt install nftables"]));
    }
    found
}

fn kinds(loaded: &[(&NetnsName, Desired)]) -> Vec<Finding> {
    let mut users: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    users.entry("veth".to_owned()).or_default();
    for (name, desired) in loaded {
        for kind in desired.links.iter().filter_map(|link| link.link.kind.as_ref()) {
            let is_device = kind.as_virtual().is_some_and(|v| matches!(v.kind, VirtualKind::Tun | VirtualKind::Tap));
            if !kind.is_physical() && !is_device && !matches!(kind, Kind::Other(_)) {
                users.entry(kind.name().to_owned()).or_default().push(name.as_str());
            }
        }
    }
    let kinds: BTreeSet<String> = users.keys().cloned().collect();
    match probe::unknown_kinds(&kinds) {
        Ok(unknown) => unknown.iter().map(|kind| unknown_kind(kind, &users[kind])).collect(),
        Err(e) => {
            vec![Finding::hint(format!("the kernel could not be asked for kinds of links: {e}"), &["do it as root"])]
        }
    }
}

fn unknown_kind(kind: &str, users: &[&str]) -> Finding {
    let module = MODULES.iter().find(|(of, _)| *of == kind).map_or(kind, |(_, module)| module);
    let mut users = users.to_vec();
    users.dedup();
    let whom = if users.is_empty() { String::new() } else { format!(", which {} needs", users.join(" and ")) };
    Finding::wrong(format!("the kernel knows no links of kind {kind}{whom}"), &[format!("modprobe {module}")])
}

/// Whether mounts of namespaces reach everybody who is to see them.
pub(super) fn mounts() -> Vec<Finding> {
    let mut found = Vec::new();
    let directory = Path::new(netns::DIRECTORY);
    if kernel_mounts::is_shared(directory) == Some(false) {
        let what = format!(
            "{} is mounted and not shared: services would not see namespaces that come later",
            netns::DIRECTORY
        );
        found.push(Finding::wrong(what, &[format!("mount --make-shared {}", netns::DIRECTORY)]));
    }
    if kernel_mounts::is_shared(Path::new("/")) == Some(false) {
        let what = "/ is not shared: services that have mounts of their own would not see namespaces that come later";
        found.push(Finding::wrong(what, &["mount --make-rshared /"]));
    }
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let Some(name) = entry.file_name().to_str().and_then(|name| name.parse::<NetnsName>().ok()) else { continue };
        if !netns::is_mounted(&name) {
            let what = format!("{} is an empty file, and no namespace", netns::path(&name).display());
            found.push(Finding::wrong(what, &[format!("ip netns delete {name}")]));
        }
    }
    found
}

//! Settings of the host that several may need at once, routers and namespaces: what each of them found is on record, and the last one
//! to need a setting puts back what the first one found.

use super::look;
use crate::kernel::{Kernel, Wanted};
use crate::model::{Desired, LinkName, Netns, NetnsName, Owned, RouterName, Sysctl};
use crate::plan::{Before, changes_host, forwards_all};
use crate::system::lock::{self, Lock};
use crate::system::{gate, record::Record};
use anyhow::Result;
use std::collections::BTreeSet;

/// What others have found, but for a namespace or a router itself.
pub(super) fn befores(netns: Option<&NetnsName>, router: Option<&RouterName>) -> Vec<Before> {
    let namespaces = Record::list().into_iter().filter(|other| Some(other) != netns);
    let of_namespaces = namespaces.filter_map(|name| Some(Record::read(&name).ok()??.before()?.sysctls.clone()));
    let routers = gate::list().into_iter().filter(|other| Some(other) != router);
    let of_routers = routers.filter_map(|name| Some(gate::read(&name).ok()??.before));
    of_namespaces.chain(of_routers).filter(|before| !before.is_empty()).collect()
}

/// The lock of those that change such settings, for a namespace that does.
pub(super) fn lock(desired: Option<&Desired>, owned: Option<&Owned>) -> Result<Option<Lock>> {
    let changes = desired.is_some_and(changes_host) || owned.is_some_and(|owned| !owned.before.sysctls.is_empty());
    changes.then(lock::settings).transpose()
}

/// The settings that change along with those that `desired` asks for.
pub(super) fn along(desired: &Desired) -> BTreeSet<Sysctl> {
    let families: BTreeSet<&str> = forwards_all(desired).collect();
    if families.is_empty() {
        return BTreeSet::new();
    }
    let links = look::links(&Netns::Host);
    let names = || links.iter().map(|link| link.as_str()).chain(["all", "default"]);
    let of = |family: &&str| names().map(|name| format!("net/{family}/conf/{name}/forwarding")).collect::<Vec<_>>();
    let redirects = families.contains("ipv4").then(|| "net/ipv4/conf/all/accept_redirects".to_owned());
    families.iter().flat_map(of).chain(redirects).filter_map(|path| Sysctl::parse(&path)).collect()
}

/// The links of the host that take router advertisements for as long as nothing is forwarded. What somebody has changed on record was
/// something else before.
pub(super) fn advertised() -> Result<Vec<LinkName>> {
    let links = look::links(&Netns::Host);
    let key = |link: &LinkName| Sysctl::ipv6(*link, "accept_ra");
    let keys: BTreeSet<Sysctl> = links.iter().map(key).collect();
    let wanted = Wanted {
        netns: [Netns::Host].into(),
        sysctls: [(Netns::Host, keys)].into(),
        host_links: Some(BTreeSet::new()),
        ..Wanted::default()
    };
    let seen = Kernel::new().observe(&wanted)?.state.netns.remove(&Netns::Host).unwrap_or_default();
    let changed = befores(None, None);
    let before = |key: &Sysctl| changed.iter().find_map(|before| before.get(key)).or_else(|| seen.sysctls.get(key));
    // Ports of a bridge take none, and nobody advertises routers on links that lead to namespaces of ours.
    let records = Record::list().into_iter().filter_map(|name| Record::read(&name).ok().flatten());
    let made: BTreeSet<LinkName> =
        records.flat_map(|r| r.made().iter().filter_map(look::on_host).collect::<Vec<_>>()).collect();
    let may = |link: &LinkName| seen.links.get(link).is_some_and(|l| l.master.is_none()) && !made.contains(link);
    let takes = |link: &LinkName| before(&key(link)).is_some_and(|value| value == "1");
    Ok(links.iter().copied().filter(|link| may(link) && takes(link)).collect())
}

//! A look at the kernel: only at what a namespace's files and record speak of.

use super::host;
use crate::kernel::{Kernel, Namespace, Observed, Wanted, netns};
use crate::model::{Desired, Kind, Link, LinkName, MARK_TABLE, Netns, NetnsName, Owned, Place, State, Sysctl};
use crate::system::nft;
use crate::system::record::{Progress, Record};
use anyhow::{Result, bail};
use std::collections::{BTreeMap, BTreeSet};

/// The host and, where it is ours, the namespace. Of the host's routes only those by links that are spoken of: it may
/// have a full table of the Internet's.
pub(super) fn look(
    kernel: &mut Kernel,
    name: &NetnsName,
    record: Option<&Record>,
    owned: Option<&Owned>,
    desired: Option<&Desired>,
) -> Result<Observed> {
    let mut wanted = wanted(name, record, owned, desired);
    let mut observed = kernel.observe(&wanted)?;
    if owned.is_some_and(|owned| needs_another_name(&observed.state, owned)) {
        wanted.host_names = None;
        observed = kernel.observe(&wanted)?;
    }
    let versions = || desired.into_iter().chain(owned.into_iter().flat_map(Owned::versions));
    let inside = Netns::Named(name.clone());
    if versions().any(|version| version.ruleset.is_some())
        && let Some(state) = observed.state.netns.get_mut(&inside)
        && let Some(mark) = kernel.namespace(&inside)?.within(|| nft::mark(MARK_TABLE))?
    {
        state.tables.insert(MARK_TABLE.to_owned(), mark);
    }
    let tables: BTreeSet<&str> = versions().filter_map(|version| Some(version.table.as_ref()?.name.as_str())).collect();
    let marks = tables.into_iter().filter_map(|name| Some((name.to_owned(), nft::mark(name)?)));
    if let Some(host) = observed.state.netns.get_mut(&Netns::Host) {
        host.tables.extend(marks);
    }
    Ok(observed)
}

/// A namespace that is up and ours.
pub(super) fn ours(name: &NetnsName) -> Option<Namespace> {
    let record = Record::read(name).ok().flatten().filter(|r| r.progress == Progress::Complete)?;
    Namespace::named(name).ok().filter(|_| is_ours(name, &record))
}

/// Whether `/run/netns/NAME` is the namespace of the record. Before the record has one, it was written to make it.
pub(super) fn is_ours(name: &NetnsName, record: &Record) -> bool {
    let now = netns::is_mounted(name).then(|| Namespace::named(name).ok().map(|n| identity(&n))).flatten();
    now.is_some() && (record.identity.is_none() || now == record.identity)
}

/// What a namespace is known by in a record.
pub(super) fn identity(namespace: &Namespace) -> (u64, u64) {
    let identity = namespace.identity();
    (identity.device, identity.inode)
}

/// Refuses a namespace that this program did not make.
pub(super) fn refuse_foreign(name: &NetnsName, record: Option<&Record>) -> Result<()> {
    if !netns::is_mounted(name) || record.is_some_and(|r| is_ours(name, r)) {
        return Ok(());
    }
    let path = netns::path(name);
    match record {
        Some(_) => bail!(
            "{} is not the namespace that systemd-netns made: somebody deleted that one and made another; \
             remove it (ip netns delete {name}) and try again",
            path.display()
        ),
        None => bail!(
            "{} exists and was not made by systemd-netns; remove it (ip netns delete {name}) or name yours otherwise",
            path.display()
        ),
    }
}

/// Whether there is a start that did not finish, or a stop.
pub(super) fn is_left_over(record: &Record) -> bool {
    record.progress == Progress::Unfinished
}

/// The links of a namespace in the order of their indexes; none when it cannot be looked at.
pub(super) fn links(netns: &Netns) -> Vec<LinkName> {
    let wanted = Wanted { netns: [netns.clone()].into(), host_links: Some(BTreeSet::new()), ..Wanted::default() };
    let Ok(observed) = Kernel::new().observe(&wanted) else { return Vec::new() };
    let mut links: Vec<(u32, LinkName)> = observed.indexes.iter().map(|(place, index)| (*index, place.link)).collect();
    links.sort_unstable();
    links.into_iter().map(|(_, name)| name).collect()
}

/// Whether something inside may come to the host under another name than it had: to choose one, all have to be known.
fn needs_another_name(state: &State, owned: &Owned) -> bool {
    let is_taken = |place: &Place| owned.taken.iter().any(|taken| taken.place == *place);
    let mut inside = state.places().filter(|(place, _)| place.netns != Netns::Host);
    inside.any(|(place, link)| link.kind == Some(Kind::Physical) && !is_taken(&place))
        || state.netns.get(&Netns::Host).is_some_and(|host| owned.taken.iter().any(|taken| host.has_name(taken.name)))
}

/// What must be looked at for a namespace: what its files and its record speak of.
pub(super) fn wanted(
    name: &NetnsName,
    record: Option<&Record>,
    owned: Option<&Owned>,
    desired: Option<&Desired>,
) -> Wanted {
    let mut netns = BTreeSet::from([Netns::Host]);
    if record.is_some_and(|r| is_ours(name, r)) {
        netns.insert(Netns::Named(name.clone()));
    }
    let versions = || desired.into_iter().chain(owned.into_iter().flat_map(Owned::versions));
    let uses = versions().flat_map(|d| &d.uses);
    for used in uses.chain(owned.iter().flat_map(|o| o.elsewhere.keys()).filter_map(Netns::name)) {
        if Record::read(used).ok().flatten().is_some_and(|r| is_ours(used, &r)) {
            netns.insert(Netns::Named(used.clone()));
        }
    }
    let mut sysctls: BTreeMap<Netns, BTreeSet<Sysctl>> = BTreeMap::new();
    let mut links: BTreeSet<LinkName> = owned.iter().flat_map(|o| o.before.links.keys().copied()).collect();
    for all in versions() {
        for (netns, key, _) in &all.sysctls {
            sysctls.entry(netns.clone()).or_default().insert(key.clone());
        }
        for link in &all.links {
            let of_netns = sysctls.entry(link.place.netns.clone()).or_default();
            of_netns.extend(link.sysctls.iter().map(|(key, _)| key.clone()));
            of_netns.extend(link.sysctls.iter().filter_map(|(key, _)| key.of_default()));
            if link.addresses().any(|a| a.local.addr().is_ipv4()) {
                of_netns.insert(Sysctl::ipv4(link.place.link, "promote_secondaries"));
            }
            if !link.place.link.is_loopback() || link.place.netns == Netns::Host {
                links.extend([link.host_name(), link.place.link]);
            }
        }
    }
    for all in versions() {
        sysctls.entry(Netns::Host).or_default().extend(host::along(all));
    }
    for key in owned.iter().flat_map(|o| o.before.sysctls.keys()) {
        sysctls.entry(Netns::Host).or_default().insert(key.clone());
    }
    for (netns, settings) in owned.iter().flat_map(|o| &o.elsewhere) {
        sysctls.entry(netns.clone()).or_default().extend(settings.keys().cloned());
    }
    // What becomes a port of a bridge of the host's, or is made on a NIC that stays there.
    let of = |link: &Link| [link.master, link.kind.as_ref().and_then(Kind::tied_to).and_then(on_host)];
    let described = versions().flat_map(|all| &all.links).map(|link| &link.link);
    let before = owned.iter().flat_map(|o| o.before.links.values());
    let taken = owned.iter().flat_map(|o| &o.taken).map(|taken| taken.name);
    let made = owned.iter().flat_map(|o| &o.made).filter_map(on_host);
    let host_names = Some(described.chain(before).flat_map(of).flatten().chain(taken).chain(made).collect());
    Wanted { netns, sysctls, host_links: Some(links), host_names }
}

/// The link of a place on the host.
pub(super) fn on_host(place: &Place) -> Option<LinkName> {
    Some(place.link).filter(|_| place.netns == Netns::Host)
}

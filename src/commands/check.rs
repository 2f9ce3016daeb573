//! `check [NAME…] [--router NAME]…`: every mistake of all files, and what would be dangerous on this machine.

use super::load::{diagnostic, read};
use super::{Mistakes, Refused, firewall, look, router, shared};
use crate::config::{self, Loaded};
use crate::interfaces::diagnostic::{Diagnostic, Severity};
use crate::kernel::{Kernel, netns};
use crate::model::{Desired, LinkName, Netns, NetnsName, NetnsState, Place, RouterName};
use crate::system::record::Record;
use crate::system::{journal, nft};
use anyhow::Result;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

/// Checks the named namespaces and routers, or all.
pub fn check(root: &Path, names: &[NetnsName], routers: &[RouterName]) -> Result<()> {
    let all = names.is_empty() && routers.is_empty();
    let (names, routers) = match all {
        true => (config::list(root), config::list_routers(root)),
        false => (names.to_vec(), routers.to_vec()),
    };
    if names.is_empty() && routers.is_empty() {
        log::info!("no namespace has a file in {}", root.join("etc/netns").display());
    }
    let mut mistaken = Vec::new();
    for name in &names {
        let mut loaded = read(root, name);
        let mut diagnostics = std::mem::take(&mut loaded.diagnostics);
        let desired = loaded.desired.take();
        diagnostics.extend(desired.iter().flat_map(rules));
        if desired.as_ref().is_some_and(|desired| desired.table.is_some()) {
            diagnostics.extend(around_nat(root, name));
        }
        if let Some(desired) = desired.filter(|_| root == Path::new("/")) {
            diagnostics.extend(against_the_machine(root, name, &Arc::new(desired), &loaded));
        }
        mistaken.extend((!tell(name.as_str(), &diagnostics)).then(|| name.to_string()));
    }
    for name in &routers {
        let loaded = router::read(root, name);
        let mut diagnostics = loaded.diagnostics;
        if let Some(settings) = loaded.settings.filter(|_| root == Path::new("/")) {
            diagnostics.extend(router::problems(name, &settings));
        }
        let name = format!("router {name}");
        mistaken.extend((!tell(&name, &diagnostics)).then_some(name));
    }
    if mistaken.is_empty() { Ok(()) } else { Err(Mistakes::one(format!("mistakes in {}", mistaken.join(", "))).into()) }
}

/// What keeps a `nat` file from doing what it says, or makes it do more.
fn around_nat(root: &Path, name: &NetnsName) -> Vec<Diagnostic> {
    let here = root == Path::new("/");
    let session = if here { session() } else { None };
    let mut found = config::nat_warnings(root, name, session);
    for chain in if here { nft::forward_drops() } else { Vec::new() } {
        let message = format!("the host's chain {chain} drops what is forwarded, unless it is told to let it pass");
        let help =
            format!("allow there what the nat file of {name} is about; docker has its chain DOCKER-USER for that");
        found.push(Diagnostic::warning_without_place(message).help(help));
    }
    found
}

/// What nft(8) says of the rules.
fn rules(desired: &Desired) -> Vec<Diagnostic> {
    let unknown = |e| vec![Diagnostic::warning_without_place(format!("the rules of nftables were not checked: {e:#}"))];
    firewall::mistakes(desired).unwrap_or_else(unknown)
}

/// Says all that there is to say; tells whether it is good.
fn tell(name: &str, diagnostics: &[Diagnostic]) -> bool {
    for d in diagnostics {
        match d.severity {
            Severity::Error => log::error!(target: journal::PLAIN, "{d}"),
            Severity::Warning => log::warn!(target: journal::PLAIN, "{d}"),
        }
    }
    let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    match (errors, warnings) {
        (0, 0) => println!("{name}: good"),
        (0, n) => println!("{name}: good, with {n} {}", plural(n, "warning")),
        (n, _) => println!("{name}: {n} {}", plural(n, "mistake")),
    }
    errors == 0
}

fn plural(n: usize, word: &str) -> String {
    if n == 1 { word.to_owned() } else { format!("{word}s") }
}

/// What the files ask for against what there is: warnings, for a NIC may yet be plugged in.
fn against_the_machine(root: &Path, name: &NetnsName, desired: &Arc<Desired>, loaded: &Loaded) -> Vec<Diagnostic> {
    let record = Record::read(name).ok().flatten();
    let mut found = Vec::new();
    if netns::is_mounted(name) && !record.as_ref().is_some_and(|r| look::is_ours(name, r)) {
        let path = netns::path(name);
        found.push(Diagnostic::warning_without_place(format!(
            "{} exists and was not made by systemd-netns: a start will refuse it",
            path.display()
        )));
    }
    let seen = record.as_ref().map_or(Ok(None), |r| r.owned(name, Some(desired))).and_then(|owned| {
        let mut kernel = Kernel::new();
        let mut current = look::look(&mut kernel, name, record.as_ref(), owned.as_ref(), Some(desired))?.state;
        shared::imagine(root, &mut current, desired).map_err(|e| in_what_is_used(desired, e))?;
        Ok((current, owned))
    });
    let (current, owned) = match seen {
        Ok(seen) => seen,
        Err(e) => {
            found.push(Diagnostic::warning_without_place(format!("{e:#}")));
            return found;
        }
    };
    if let Some(host) = current.netns.get(&Netns::Host) {
        found.extend(dangers(host, desired, loaded));
    }
    let others = shared::others(name, record.as_ref(), Some(desired));
    if let Err(problems) = shared::converge(current, desired, owned.as_ref(), &others) {
        found.extend(problems.iter().map(|p| diagnostic(loaded, p, Severity::Warning)));
    }
    found
}

/// Mistakes in other files are told where these are checked.
fn in_what_is_used(desired: &Desired, error: anyhow::Error) -> anyhow::Error {
    if error.is::<Mistakes>() || error.is::<Refused>() {
        let used: Vec<&str> = desired.uses.iter().map(NetnsName::as_str).collect();
        return anyhow::anyhow!("what it puts links into cannot be started: systemd-netns check {}", used.join(" "));
    }
    error
}

/// NICs whose move would cut somebody off.
fn dangers(host: &NetnsState, desired: &Desired, loaded: &Loaded) -> Vec<Diagnostic> {
    let session = session_address();
    let mut found = Vec::new();
    for link in desired.links.iter().filter(|l| l.place.netns != Netns::Host && l.link.kind.is_none()) {
        let nic = link.host_name();
        if nic.is_loopback() || !host.links.contains_key(&nic) {
            continue;
        }
        let mut warn = |message: String, help: &str| {
            let d = match loaded.spans.get(&link.place) {
                Some(span) => Diagnostic::warning(span, message),
                None => Diagnostic::warning_without_place(message),
            };
            found.push(d.help(help));
        };
        if carries_default_route(host, nic) {
            warn(
                format!("{nic} carries the host's default route, which goes when it moves"),
                "give the host another way out first",
            );
        }
        if let Some(ip) = session.filter(|ip| host.addresses_of(nic).iter().any(|a| a.local.addr() == *ip)) {
            warn(
                format!("your own session comes in by {nic} ({ip}): it will be cut off"),
                "use the console or another NIC",
            );
        }
        if let Some(master) = host.links.get(&nic).and_then(|l| l.master) {
            let place = Place::new(Netns::Host, master);
            warn(
                format!("{nic} is a port of {place}, which loses it"),
                "it becomes a port again when the namespace stops",
            );
        }
    }
    found
}

fn carries_default_route(host: &NetnsState, nic: LinkName) -> bool {
    host.routes.iter().any(|r| r.to.prefix_len() == 0 && r.link == Some(nic))
}

/// This host's address in the caller's ssh session (`SSH_CONNECTION`, ssh(1)).
fn session_address() -> Option<IpAddr> {
    session().map(|(address, _)| address)
}

fn session() -> Option<(IpAddr, u16)> {
    let connection = std::env::var("SSH_CONNECTION").ok()?;
    let mut words = connection.split(' ').skip(2);
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

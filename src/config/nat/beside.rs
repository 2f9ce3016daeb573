//! What a `nat` file has in common with those of other namespaces, and with whoever is logged in: for `check`.

use super::{Nat, Published, read};
use crate::config::files;
use crate::config::report::Report;
use crate::interfaces::diagnostic::Diagnostic;
use crate::interfaces::files::OsFiles;
use crate::model::NetnsName;
use std::net::IpAddr;
use std::path::Path;

/// Warnings of what others publish too, and of a session's own port: the address and the port of the host that somebody is logged in by.
pub fn nat_warnings(root: &Path, netns: &NetnsName, session: Option<(IpAddr, u16)>) -> Vec<Diagnostic> {
    let load = |netns: &NetnsName| -> Nat {
        let access = OsFiles::new().below(root).in_netns(netns.as_str());
        read(&access, netns, &mut Report::default())
    };
    let own = load(netns).published;
    let mut found: Vec<Diagnostic> =
        session.iter().flat_map(|session| own.iter().filter_map(|one| cut_off(one, *session))).collect();
    if own.is_empty() {
        return found;
    }
    for other in files::list(root).into_iter().filter(|other| other != netns) {
        for theirs in load(&other).published {
            let same = own.iter().filter(|one| one.clashes(&theirs));
            found.extend(same.map(|one| {
                Diagnostic::warning(&one.span, format!("{other} publishes this, too"))
                    .help(format!("only one of them is reached; see {}", theirs.span))
            }));
        }
    }
    found
}

fn cut_off(one: &Published, (address, port): (IpAddr, u16)) -> Option<Diagnostic> {
    let family = one.to.iter().find(|to| to.address.is_ipv6() == address.is_ipv6())?;
    let ports =
        one.ports.is_empty() || one.tcp && one.ports.iter().any(|ports| (ports.first..=ports.last).contains(&port));
    let is_meant = ports && (one.addresses.is_empty() || one.addresses.contains(&address));
    let message = format!("your own session came in by {address} port {port}: the next one goes to {}", family.address);
    is_meant.then(|| Diagnostic::warning(&one.span, message).help("publish another port, or name the `Address`"))
}

//! Which kinds of links the kernel can make. Tried in a namespace that nobody else sees and that ends at once; the kernel loads
//! modules for it, as it would for the links themselves.

use super::error::Error;
use super::netns;
use super::request;
use super::session::Session;
use crate::model::LinkName;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use std::collections::BTreeSet;

/// Those of some kinds (`IFLA_INFO_KIND`) that the kernel does not know.
///
/// # Errors
/// When no namespace can be made or asked.
pub fn unknown_kinds(kinds: &BTreeSet<String>) -> Result<BTreeSet<String>, Error> {
    netns::on_a_thread(|| {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|e| Error::system("make a network namespace", e))?;
        let mut session = Session::here()?;
        let name: LinkName = "probe".parse().unwrap_or(LinkName::LO);
        let mut is_unknown = |kind: &&String| {
            let made = session.request(&request::link::add_virtual(name, None, None, kind, &[]));
            let _ = session.request(&request::link::delete(name));
            // Anything else is said by the kind itself, such as that it needs options.
            made.is_err_and(|e| e.errno() == Some(Errno::EOPNOTSUPP))
        };
        Ok(kinds.iter().filter(|kind| is_unknown(kind)).cloned().collect())
    })?
}

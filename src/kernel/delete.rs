//! Deleting links: one, or many at once.
//!
//! Theory: the kernel waits at each deletion for whoever still looks at the link (`synchronize_net()`), a hundredth of a second or
//! more; for the links of a group it waits once (`rtnl_group_dellink()`). So the links of a run are put into a group that has no
//! links, and the group is deleted, as `ip link delete group N` does. Whenever that is not sure to be the same as one after the
//! other, it is one after the other.
//!
//! Must not know: whose the links are.

use super::attribute::IFLA_GROUP;
use super::batch::Batch;
use super::error::{Error, Failure};
use super::observe::link;
use super::request;
use super::view;
use super::{Kernel, Opened};
use crate::model::{LinkName, Netns, Place};
use crate::plan::Op;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};

impl Kernel {
    /// Deletes the links of a run of [`Op::DeleteLink`], all in one namespace.
    pub(super) fn delete_links(&mut self, netns: &Netns, run: &[(usize, &Op)], go_on: bool) -> Vec<Failure> {
        let names: Vec<LinkName> = run.iter().filter_map(|(_, op)| deleted(op)).map(|place| place.link).collect();
        if names.len() > 1 && self.opened(netns).is_ok_and(|opened| delete_together(opened, &names)) {
            return Vec::new();
        }
        let mut failures = Vec::new();
        for (index, place) in run.iter().filter_map(|(index, op)| Some((*index, deleted(op)?))) {
            if let Err(error) = self.ask_about_links(&place.netns, &request::link::delete(place.link)) {
                failures.push(Failure { index, error });
                if !go_on {
                    break;
                }
            }
        }
        failures
    }
}

fn deleted(op: &Op) -> Option<&Place> {
    match op {
        Op::DeleteLink(place) => Some(place),
        _ => None,
    }
}

/// Whether they were deleted as a group. If not, they are all there.
fn delete_together(opened: &mut Opened, names: &[LinkName]) -> bool {
    let Ok(Some(group)) = free_group(opened, names) else { return false };
    opened.indexes.clear();
    let mut batch = Batch::new(&mut opened.session);
    for (index, name) in names.iter().enumerate() {
        batch.push(index, &request::link::set_group(*name, group));
    }
    batch.finish().is_empty() && opened.session.request(&request::link::delete_group(group)).is_ok()
}

/// A group without links; none if one of the links is not there.
fn free_group(opened: &mut Opened, names: &[LinkName]) -> Result<Option<u32>, Error> {
    let group = |payload: &[u8]| {
        let attributes = payload.get(link::HEADER..).unwrap_or_default();
        view::attributes(attributes).find(|(kind, _)| *kind == IFLA_GROUP).map_or(0, |(_, value)| view::u32(value))
    };
    let rows = opened.session.dump(&request::link::dump(), |row| Some((link::read(row)?.name, group(row))))?;
    let there: BTreeSet<LinkName> = rows.iter().map(|(name, _)| *name).collect();
    // 0 is the group of links that nobody put into one.
    let free = u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or(1) | 1;
    let is_free = rows.iter().all(|(_, used)| *used != free);
    Ok(Some(free).filter(|_| is_free && names.iter().all(|name| there.contains(name))))
}

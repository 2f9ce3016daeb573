//! Pairs that end in a namespace which is about to go: they go with it.
//!
//! Theory: whoever deletes a link waits until nobody in the kernel can look at it any more (`rcu_barrier()`), some hundredths of a
//! second, and keeps others waiting. When a namespace ends, the kernel deletes what is left in it, and waits once for all the
//! namespaces that end at that time. So the deletion of pairs is left to it, and seen to: when a stop is done, the host has nothing of
//! ours any more. A namespace that somebody holds does not end with its name; then the host's ends are deleted as ever.
//!
//! Must not know: what a plan is made of otherwise.

use crate::apply::{self, Failed};
use crate::kernel::{Kernel, Observed, netns};
use crate::model::{Kind, Netns, NetnsName, Place};
use crate::plan::{Op, Plan};
use crate::system::journal::About;
use std::time::Duration;

/// How long the kernel may take to end a namespace. It takes some milliseconds for one, and longer where many end at once.
const LIMIT: Duration = Duration::from_secs(1);

/// Deletions that are left to the kernel, with the indexes of the pairs' ends on the host.
#[derive(Default)]
pub(super) struct Pairs(Vec<(Op, u32)>);

impl Pairs {
    /// Takes the last deletions out of a plan that the end of a namespace brings about.
    pub fn take_from(plan: &mut Plan, kernel: &mut Kernel, name: &NetnsName, seen: &Observed) -> Self {
        let index = |op: &Op| index_on_host(op, name, seen);
        // A setting is not about links: it may as well come before.
        let is_last = |op: &Op| matches!(op, Op::SetSysctl { .. }) || index(op).is_some();
        let tail = plan.ops.iter().rposition(|op| !is_last(op)).map_or(0, |other| other + 1);
        let mut pairs = Self::default();
        if plan.ops[tail..].iter().all(|op| index(op).is_none()) || is_held(kernel, name) {
            return pairs;
        }
        for op in plan.ops.split_off(tail) {
            match index(&op) {
                Some(index) => pairs.0.push((op, index)),
                None => plan.ops.push(op),
            }
        }
        pairs
    }

    /// Sees to it that they are gone: waits, if the namespace's name is, and deletes what is there then.
    pub fn finish(self, name: &NetnsName, ended: bool) -> Vec<Failed> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut kernel = Kernel::new();
        let indexes: Vec<u32> = self.0.iter().map(|(_, index)| *index).collect();
        let there = kernel.await_absence(&indexes, if ended { LIMIT } else { Duration::ZERO });
        let (there, gone): (Vec<_>, Vec<_>) = self.0.into_iter().partition(|(_, index)| there.contains(index));
        let ops = |pairs: Vec<(Op, u32)>| pairs.into_iter().map(|(op, _)| op).collect();
        let gone: Vec<Op> = ops(gone);
        apply::tell(About::Netns(name), &gone);
        apply::apply_all(&mut kernel, About::Netns(name), &Plan { ops: ops(there), ..Plan::default() })
    }
}

/// The index of the host's end, if an operation deletes a pair between the host and that namespace, which was looked at: it is ours.
fn index_on_host(op: &Op, name: &NetnsName, seen: &Observed) -> Option<u32> {
    let Op::DeleteLink(place) = op else { return None };
    let Some(Kind::Veth { peer: Some(peer) }) = &seen.state.link(place)?.kind else { return None };
    let is_inside = |place: &Place| place.netns.name() == Some(name);
    let on_host = [place, peer].into_iter().find(|place| place.netns == Netns::Host)?;
    (is_inside(place) || is_inside(peer)).then(|| seen.indexes.get(on_host).copied())?
}

/// Whether processes are inside. Who else may hold it shows only when it does not end.
fn is_held(kernel: &mut Kernel, name: &NetnsName) -> bool {
    let inside = kernel.namespace(&Netns::Named(name.clone())).and_then(netns::pids);
    inside.map_or(true, |inside| !inside.is_empty())
}

//! Pairs that end in a namespace which is about to go: a stop sees to it that they go, without standing in anybody's way.
//!
//! Theory: whoever deletes a link, moves one, or ends a namespace, waits in the kernel until nobody can look at it any more
//! (`rcu_barrier()`), some hundredths of a second. A barrier that has begun is of no use to who comes later; but all who wait for it
//! to end are served by the next one. So there are two ways to delete a pair that cost a stop less than asking for it and waiting:
//!
//! - beside links that go back to the host: it is asked for first, on a thread, and the others move once the pair is out of sight. Both
//!   wait at the same time then.
//! - with the namespace: when that ends, the kernel deletes what is left in it, and waits once for all that end at that time. Not
//!   quicker for one, but where many stop at once nobody gets in the others' way, who all need `rtnl_lock`.
//!
//! When a stop is done, the host has nothing of ours any more, either way. A namespace that somebody holds does not end with its
//! name; then the host's ends are deleted as ever. Who is inside is looked at after the name is gone: a machine may have thousands of
//! processes, and the kernel needs that time anyway.
//!
//! Must not know: what a plan is made of otherwise.

use crate::apply::{self, Failed};
use crate::kernel::netns::{self, Identity};
use crate::kernel::{Kernel, Observed};
use crate::model::{Kind, LinkName, Netns, NetnsName, Place};
use crate::plan::{Op, Plan};
use crate::system::journal::About;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long the kernel may take to end a namespace. It takes some milliseconds for one, and longer where many end at once.
const END: Duration = Duration::from_secs(1);
/// How long links that go back wait for a pair to be out of sight. It takes less than a millisecond; if not, they need not wait for it.
const HEAD_START: Duration = Duration::from_millis(10);
/// A look that takes longer shows that others hold `rtnl_lock`, or that there is much to see.
const AT_ONCE: Duration = Duration::from_millis(5);

/// Deletions of pairs that were the last in a plan.
#[derive(Default)]
pub(super) struct Pairs {
    /// With the indexes of the pairs' ends on the host.
    ops: Vec<(Op, u32)>,
    /// What their ends are called.
    names: BTreeSet<LinkName>,
    /// The namespace that they end with.
    netns: Option<Identity>,
}

impl Pairs {
    /// Takes the last deletions out of a plan that the end of a namespace brings about.
    pub fn take_from(plan: &mut Plan, kernel: &mut Kernel, name: &NetnsName, seen: &Observed) -> Self {
        let pair = |op: &Op| pair_of(op, name, seen);
        // A setting is not about links: it may as well come before.
        let is_last = |op: &Op| matches!(op, Op::SetSysctl { .. }) || pair(op).is_some();
        let tail = plan.ops.iter().rposition(|op| !is_last(op)).map_or(0, |other| other + 1);
        let mut pairs = Self::default();
        if plan.ops[tail..].iter().all(|op| pair(op).is_none()) {
            return pairs;
        }
        pairs.netns = kernel.namespace(&Netns::Named(name.clone())).ok().map(|netns| netns.identity());
        for op in plan.ops.split_off(tail) {
            match pair(&op) {
                Some((names, index)) => {
                    pairs.names.extend(names);
                    pairs.ops.push((op, index));
                }
                None => plan.ops.push(op),
            }
        }
        pairs
    }

    /// Carries out the rest of the plan, whatever fails; and the deletions meanwhile, if links go back to the host and nobody else
    /// seems to wait for the kernel: `looked` is how long a look at it took.
    pub fn apply_beside(
        &mut self,
        kernel: &mut Kernel,
        name: &NetnsName,
        mut plan: Plan,
        looked: Duration,
    ) -> Vec<Failed> {
        let after = plan.ops.iter().rposition(|op| self.concerns(op)).map_or(0, |last| last + 1);
        let moves = plan.ops[after..].iter().any(|op| matches!(op, Op::MoveLink { .. }));
        if self.ops.is_empty() || !moves || looked >= AT_ONCE {
            return apply::apply_all(kernel, About::Netns(name), &plan);
        }
        let rest = Plan { ops: plan.ops.split_off(after), ..Plan::default() };
        let mut failures = apply::apply_all(kernel, About::Netns(name), &plan);
        let indexes = self.indexes();
        let deletions = Plan { ops: self.ops.iter().map(|(op, _)| op.clone()).collect(), ..Plan::default() };
        std::thread::scope(|scope| {
            let delete = || apply::apply_all(&mut Kernel::new(), About::Netns(name), &deletions);
            let deleting = std::thread::Builder::new().name("delete".to_owned()).spawn_scoped(scope, delete);
            if deleting.is_ok() {
                self.ops.clear();
                kernel.await_absence(&indexes, HEAD_START);
            }
            failures.extend(apply::apply_all(kernel, About::Netns(name), &rest));
            let deleted = deleting.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            failures.extend(deleted.unwrap_or_default());
        });
        failures
    }

    /// Sees to it that they are gone: waits, if the namespace's name is, and deletes what is there then.
    pub fn finish(self, name: &NetnsName, ended: bool) -> Vec<Failed> {
        if self.ops.is_empty() {
            return Vec::new();
        }
        let mut kernel = Kernel::new();
        // Whoever else holds it shows only when it does not end.
        let ends = ended && self.netns.is_some_and(|netns| netns::is_inhabited(netns).is_ok_and(|is_held| !is_held));
        let there = kernel.await_absence(&self.indexes(), if ends { END } else { Duration::ZERO });
        let (there, gone): (Vec<_>, Vec<_>) = self.ops.into_iter().partition(|(_, index)| there.contains(index));
        let ops = |pairs: Vec<(Op, u32)>| pairs.into_iter().map(|(op, _)| op).collect();
        let gone: Vec<Op> = ops(gone);
        apply::tell(About::Netns(name), &gone);
        apply::apply_all(&mut kernel, About::Netns(name), &Plan { ops: ops(there), ..Plan::default() })
    }

    fn indexes(&self) -> Vec<u32> {
        self.ops.iter().map(|(_, index)| *index).collect()
    }

    /// Whether an operation may need the pairs: commands may, and what speaks of their ends, or of no link.
    fn concerns(&self, op: &Op) -> bool {
        let is_end = |name: &str| self.names.iter().any(|end| end.as_str() == name);
        match op {
            Op::SetSysctl { key, .. } => key.path().split('/').any(is_end),
            op => op.is_beside_the_kernel() || op.link().is_none_or(|link| self.names.contains(&link)),
        }
    }
}

/// The names of both ends and the index of the host's, if an operation deletes a pair between the host and that namespace, which was
/// looked at: it is ours.
fn pair_of(op: &Op, name: &NetnsName, seen: &Observed) -> Option<([LinkName; 2], u32)> {
    let Op::DeleteLink(place) = op else { return None };
    let Some(Kind::Veth { peer: Some(peer) }) = &seen.state.link(place)?.kind else { return None };
    let is_inside = |place: &Place| place.netns.name() == Some(name);
    let on_host = [place, peer].into_iter().find(|place| place.netns == Netns::Host)?;
    let index = (is_inside(place) || is_inside(peer)).then(|| seen.indexes.get(on_host).copied())??;
    Some(([place.link, peer.link], index))
}

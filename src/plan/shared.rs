//! Namespaces that a service uses beside its own: what it does there, others may do too.

use super::Problem;
use super::mend::Draft;
use super::op::{Op, Plan};
use crate::model::{Desired, Netns, Owned, Rule, Sysctl};
use std::sync::Arc;

impl Plan {
    /// Leaves what `others` still ask for of namespaces that they use: a rule or a setting is there once, for all.
    pub fn spare(&mut self, others: &[Arc<Desired>]) {
        let wanted = |op: &Op| {
            others.iter().any(|other| match op {
                Op::DeleteRule { netns, rule } => other.rules.iter().any(|(n, r)| n == netns && r == rule),
                Op::SetSysctl { netns, key, .. } => other.sysctls.iter().any(|(n, k, _)| n == netns && k == key),
                _ => false,
            })
        };
        self.ops.retain(|op| !wanted(op));
    }
}

/// Namespaces that are used and not there; whoever makes them comes first.
pub(super) fn missing(draft: &Draft, desired: &Desired) -> Vec<Problem> {
    let gone = desired.uses.iter().map(|name| Netns::Named(name.clone()));
    let gone = gone.filter(|netns| !draft.now.netns.contains_key(netns));
    let problem = |netns: Netns| {
        let link = desired.links.iter().find(|link| link.place.netns == netns)?;
        Some(Problem::new(&link.place, format!("there is no namespace {netns} for {}", link.place.link)))
    };
    gone.filter_map(problem).collect()
}

/// Settings of those namespaces that this kernel has not: one without IPv6 forwards none.
pub(super) fn missing_settings<'a>(draft: &mut Draft, desired: &'a Desired) -> Vec<(&'a Netns, &'a Sysctl)> {
    let wanted = desired.sysctls.iter().filter(|(netns, ..)| desired.uses(netns));
    let has = |netns: &Netns, key: &Sysctl| draft.now.netns.get(netns).is_some_and(|n| n.sysctls.contains_key(key));
    let missing: Vec<_> = wanted.filter(|(netns, key, _)| !has(netns, key)).map(|(n, key, _)| (n, key)).collect();
    for (netns, key) in &missing {
        draft.note(format!("there is no setting {key} in {netns}, ignoring: that is not forwarded"));
    }
    missing
}

/// The settings of those namespaces, and of its own, that `still` does not ask for, as they were. Its own goes with all of them
/// when nothing is asked for any more.
pub(super) fn restore_settings(draft: &mut Draft, owned: &Owned, still: Option<&Desired>) {
    let goes = |netns: &Netns| still.is_none() && owned.desired.is_own(netns);
    for (netns, settings) in owned.elsewhere.iter().filter(|(netns, _)| !goes(netns)) {
        let Some(now) = draft.now.netns.get(netns).map(|netns| netns.sysctls.clone()) else { continue };
        for (key, value) in settings {
            let kept = still.is_some_and(|still| still.sysctls.iter().any(|(n, k, _)| n == netns && k == key));
            if !kept && now.get(key).is_some_and(|v| v != value) {
                draft.push(Op::SetSysctl {
                    netns: netns.clone(),
                    key: key.clone(),
                    value: value.clone(),
                    optional: false,
                });
            }
        }
    }
}

/// Policy rules: those that are missing, then those that are asked for no more.
pub(super) fn rules(draft: &mut Draft, desired: &Desired, owned: Option<&Owned>) {
    let have =
        |draft: &Draft, netns: &Netns, rule: &Rule| draft.now.netns.get(netns).is_some_and(|n| n.rules.contains(rule));
    for (netns, rule) in &desired.rules {
        if !have(draft, netns, rule) {
            draft.push(Op::AddRule { netns: netns.clone(), rule: rule.clone() });
        }
    }
    for (netns, rule) in owned.into_iter().flat_map(Owned::versions).flat_map(|version| &version.rules) {
        let wanted = desired.rules.iter().any(|(n, r)| n == netns && r == rule);
        if !wanted && have(draft, netns, rule) {
            draft.push(Op::DeleteRule { netns: netns.clone(), rule: rule.clone() });
        }
    }
}

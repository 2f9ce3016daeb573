//! Carries out a plan: requests to the kernel in runs as long as can be, and between them what is done beside it, such as
//! commands of the user's.
//!
//! Nothing is decided here. A start stops at the first failure; a stop goes on and collects. The journal is told of each change.

use crate::kernel::{Kernel, Namespace};
use crate::plan::{Op, Plan};
use crate::system::journal::{self, About, Event};
use crate::system::{device, dhcp, hook, nft, resolv};
use anyhow::{Context, Error, Result};

/// An operation that failed, and why.
#[derive(Debug)]
pub struct Failed {
    /// The operation.
    pub op: Box<Op>,
    /// Why.
    pub error: Error,
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match *failed.op {
            // Says by itself what it was.
            Op::Run(_) | Op::AwaitLease(_) | Op::SetRuleset { .. } => failed.error,
            op => failed.error.context(op.to_string()),
        }
    }
}

/// Carries out `plan` up to the first failure.
///
/// # Errors
/// The operation that failed. Those before it were carried out, and some after it in the same batch may have been.
pub fn apply(kernel: &mut Kernel, about: About<'_>, plan: &Plan) -> Result<(), Failed> {
    match walk(kernel, about, plan, true).pop() {
        Some(failed) => Err(failed),
        None => Ok(()),
    }
}

/// Carries out all of `plan`, whatever fails.
pub fn apply_all(kernel: &mut Kernel, about: About<'_>, plan: &Plan) -> Vec<Failed> {
    walk(kernel, about, plan, false)
}

/// Tells the journal of operations whose work was done by others.
pub fn tell(about: About<'_>, ops: &[Op]) {
    let mut diary = Diary { about, changes: 0 };
    diary.tell(ops, &[]);
    diary.end();
}

/// Of how many changes the journal is told one by one; of the others only how many they are. A plan may have many thousands.
const TOLD: usize = 500;

fn walk(kernel: &mut Kernel, about: About<'_>, plan: &Plan, stop: bool) -> Vec<Failed> {
    let mut failures = Vec::new();
    let mut diary = Diary { about, changes: 0 };
    let mut rest = plan.ops.as_slice();
    while let Some(first) = rest.first() {
        let failed = match first {
            op if op.is_beside_the_kernel() => {
                rest = &rest[1..];
                let failed = effect(op).err().map(|error| Failed { op: Box::new(first.clone()), error });
                diary.tell(std::slice::from_ref(op), failed.as_slice());
                failed.into_iter().collect::<Vec<_>>()
            }
            _ => {
                let end = rest.iter().position(Op::is_beside_the_kernel).unwrap_or(rest.len());
                let (run, after) = rest.split_at(end);
                rest = after;
                let failed = requests(kernel, run, stop);
                let done = if stop && !failed.is_empty() { &run[..failed[0].0] } else { run };
                let failed: Vec<Failed> = failed.into_iter().map(|(_, failed)| failed).collect();
                diary.tell(done, &failed);
                failed
            }
        };
        failures.extend(failed);
        if stop && !failures.is_empty() {
            failures.truncate(1);
            break;
        }
    }
    diary.end();
    failures
}

/// What the journal is told of a plan.
struct Diary<'a> {
    about: About<'a>,
    changes: usize,
}

impl Diary<'_> {
    /// Some operations were carried out, but for those that failed.
    fn tell(&mut self, ops: &[Op], failed: &[Failed]) {
        for op in ops.iter().filter(|op| op.is_change() && !failed.iter().any(|failed| *failed.op == **op)) {
            self.changes += 1;
            if self.changes <= TOLD {
                self.line(Event::Change, op, format_args!("{op}"));
            }
        }
        for failed in failed {
            self.line(Event::ChangeFailed, &failed.op, format_args!("{}: {:#}", failed.op, failed.error));
        }
    }

    fn line(&self, event: Event, op: &Op, text: std::fmt::Arguments<'_>) {
        let link = op.link();
        let mut fields = vec![("OP", op.word())];
        fields.extend(op.place().map(|place| ("PLACE", place)));
        fields.extend(link.as_ref().map(|link| ("LINK", link.as_str())));
        journal::note(self.about, event, &fields, text);
    }

    fn end(&self) {
        if self.changes > TOLD {
            let more = self.changes - TOLD;
            journal::note(self.about, Event::Change, &[("OP", "more")], format_args!("and {more} more changes"));
        }
    }
}

/// What the kernel is asked for; what failed with its place.
fn requests(kernel: &mut Kernel, ops: &[Op], stop: bool) -> Vec<(usize, Failed)> {
    let failures = if stop { kernel.apply(ops).err().into_iter().collect() } else { kernel.apply_all(ops) };
    let named = |f: crate::kernel::Failure| {
        Some((f.index, Failed { op: Box::new(ops.get(f.index)?.clone()), error: f.error.into() }))
    };
    failures.into_iter().filter_map(named).collect()
}

/// What is done beside the kernel.
fn effect(op: &Op) -> Result<()> {
    match op {
        Op::Run(command) => run(command),
        Op::StartDhcp(asking) => dhcp::start(asking),
        Op::AwaitLease(asking) => dhcp::await_lease(asking),
        Op::StopDhcp(asking) => dhcp::stop(asking),
        Op::AttachDevice { place, device } => device::attach(place, device),
        Op::DetachDevice(place) => device::detach(place),
        Op::SetTable { name, content } => nft::set(name, content.as_deref()),
        Op::SetRuleset { netns, ruleset } => {
            let namespace = Namespace::named(netns)?;
            namespace.within(|| nft::load(ruleset.as_ref())).context("enter the namespace")?
        }
        Op::SetResolv { netns, resolv } => resolv::set(netns, resolv.as_ref()),
        _ => Ok(()),
    }
}

fn run(command: &crate::plan::Command) -> Result<()> {
    log::debug!("{}: {}", command.phase.as_str(), command.line);
    let namespace = Namespace::open(&command.netns)?;
    namespace.within(|| hook::run(command)).context("enter the namespace")?
}

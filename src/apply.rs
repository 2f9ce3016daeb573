//! Carries out a plan: requests to the kernel in runs as long as can be, and between them what is done beside it, such as
//! commands of the user's.
//!
//! Nothing is decided here. A start stops at the first failure; a stop goes on and collects.

use crate::kernel::{Kernel, Namespace};
use crate::plan::{Op, Plan};
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
pub fn apply(kernel: &mut Kernel, plan: &Plan) -> Result<(), Failed> {
    match walk(kernel, plan, true).pop() {
        Some(failed) => Err(failed),
        None => Ok(()),
    }
}

/// Carries out all of `plan`, whatever fails.
pub fn apply_all(kernel: &mut Kernel, plan: &Plan) -> Vec<Failed> {
    walk(kernel, plan, false)
}

fn walk(kernel: &mut Kernel, plan: &Plan, stop: bool) -> Vec<Failed> {
    let mut failures = Vec::new();
    let mut rest = plan.ops.as_slice();
    while let Some(first) = rest.first() {
        let failed = match first {
            op if op.is_beside_the_kernel() => {
                rest = &rest[1..];
                effect(op).err().map(|error| Failed { op: Box::new(first.clone()), error }).into_iter().collect()
            }
            _ => {
                let end = rest.iter().position(Op::is_beside_the_kernel).unwrap_or(rest.len());
                let (run, after) = rest.split_at(end);
                rest = after;
                requests(kernel, run, stop)
            }
        };
        failures.extend(failed);
        if stop && !failures.is_empty() {
            failures.truncate(1);
            break;
        }
    }
    failures
}

fn requests(kernel: &mut Kernel, ops: &[Op], stop: bool) -> Vec<Failed> {
    let failures = if stop { kernel.apply(ops).err().into_iter().collect() } else { kernel.apply_all(ops) };
    let named =
        |f: crate::kernel::Failure| Some(Failed { op: Box::new(ops.get(f.index)?.clone()), error: f.error.into() });
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

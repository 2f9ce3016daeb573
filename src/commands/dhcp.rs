//! `dhcp run INSTANCE` and `dhcp release INSTANCE`: what the unit of a client runs ([`crate::system::dhcp`]).

use crate::cli::DhcpAct;
use crate::kernel::Namespace;
use crate::model::{Dhcp, Instance};
use crate::system::dhcp::{self, child, client, view};
use crate::system::hook;
use anyhow::{Context, Result, bail};
use nix::unistd::Pid;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Does it.
pub fn dhcp(act: &DhcpAct) -> Result<()> {
    match act {
        DhcpAct::Run(whose) => become_client(&whose.instance, client::command),
        DhcpAct::Release(whose) => release(&whose.instance),
        DhcpAct::ReleaseInside(whose) => become_client(&whose.instance, client::release_command),
    }
}

/// Replaces this process by a client inside the namespace and its view. Returns only when that fails.
fn become_client(instance: &Instance, command: fn(&Instance, &Dhcp) -> Result<Command>) -> Result<()> {
    let dhcp = dhcp::parameters(instance)?;
    let netns = &instance.netns;
    let namespace = Namespace::named(netns).with_context(|| format!("there is no namespace {netns}"))?;
    // The program that is executed inherits the namespaces of the thread that executes it.
    let failed = namespace.within(|| -> Result<()> {
        view::prepare(instance)?;
        hook::enter_view(netns)?;
        let mut command = command(instance, &dhcp)?;
        view::enter(instance, dhcp.client)?;
        Err(command.exec()).with_context(|| format!("run {}", dhcp.client))
    });
    failed.context("enter the namespace")?
}

/// systemd says in `MAINPID` which process the client is (systemd.exec(5)).
fn release(instance: &Instance) -> Result<()> {
    let dhcp = dhcp::parameters(instance)?;
    let pid = match std::env::var("MAINPID") {
        Ok(pid) => match pid.parse() {
            Ok(pid) if pid > 1 => Some(Pid::from_raw(pid)),
            _ => bail!("MAINPID is {pid:?}"),
        },
        Err(_) => child::pid(instance),
    };
    client::release(instance, &dhcp, pid)
}

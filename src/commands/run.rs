//! `run NAME -- COMMAND…`: what `ip netns exec` does.

use crate::kernel::Namespace;
use crate::model::NetnsName;
use crate::system::hook;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::os::unix::process::CommandExt;

/// Replaces this process by the command, inside. Returns only when that fails.
pub fn run(name: &NetnsName, command: &[OsString]) -> Result<()> {
    let (program, arguments) = command.split_first().context("no command")?;
    let namespace = Namespace::named(name).with_context(|| format!("there is no namespace {name}"))?;
    // The program that is executed inherits the namespaces of the thread that executes it.
    let failed = namespace.within(|| -> Result<()> {
        hook::enter_view(name)?;
        let error = std::process::Command::new(program).args(arguments).exec();
        Err(error).with_context(|| format!("run {}", program.to_string_lossy()))
    });
    failed.context("enter the namespace")?
}

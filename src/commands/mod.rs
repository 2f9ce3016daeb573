//! One file per subcommand; each reads as the flow of the crate's documentation.

mod check;
mod collect;
mod compare;
mod device;
mod dhcp;
mod doctor;
mod enable;
mod firewall;
mod generate;
pub mod generator;
mod host;
pub mod lease;
mod load;
mod look;
mod machine;
mod names;
mod pairs;
mod plan;
mod publish;
mod router;
mod run;
mod shared;
mod stamp;
mod start;
mod status;
mod stop;
mod tunnels;

use crate::cli::{Cli, Command};
use anyhow::Result;
use std::fmt;

/// Mistakes in the configuration or in what was typed; they end the program with status 78 (`EX_CONFIG`, sysexits.h).
#[derive(Debug)]
pub struct Mistakes(String);

impl Mistakes {
    fn one(text: impl fmt::Display) -> Self {
        Self(format!("error: {text}"))
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mistakes {}

/// What the machine has not got, as diagnostics: each says itself how bad it is and where the files name it.
#[derive(Debug)]
pub struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// Does what was typed.
///
/// # Errors
/// What kept it from being done; [`Mistakes`] when that was the configuration.
pub fn run(cli: &Cli, definition: clap::Command) -> Result<()> {
    let root = cli.root.as_path();
    match &cli.command {
        Command::Start(name) => start::start(root, &name.name),
        Command::Stop(name) => stop::stop(root, &name.name),
        Command::Reload(name) => start::reload(root, &name.name),
        Command::Create(name) => start::create(root, &name.name),
        Command::Delete(name) => stop::delete(root, &name.name),
        Command::Check { names, routers } => check::check(root, names, routers),
        Command::Plan { name: Some(name), stop, .. } => plan::plan(root, name, *stop),
        Command::Plan { router: Some(router), stop, .. } => plan::router(root, router, *stop),
        Command::Plan { .. } => Ok(()),
        Command::Publish { name } => publish::publish(root, name.as_ref()),
        Command::Status { name, json, watch } => {
            status::status(root, &status::Show { name: name.as_ref(), json: *json, watch: *watch })
        }
        Command::Collect(what) => collect::collect(root, what),
        Command::Doctor { json } => doctor::doctor(root, *json),
        Command::Enable { service, netns } => enable::enable(root, service, netns.as_ref()),
        Command::Disable { service } => enable::disable(root, service),
        Command::Run(run) => run::run(&run.name, &run.command),
        Command::Router(router) => router::router(root, router),
        Command::Device(device) => device::device(device),
        Command::Dhcp { act } => dhcp::dhcp(act),
        Command::WatchNames => names::watch(),
        Command::Completions { shell } => {
            generate::completions(*shell, definition);
            Ok(())
        }
        Command::Man { directory } => generate::man(directory, definition),
    }
}

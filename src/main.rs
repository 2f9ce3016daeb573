//! argv in, exit code out. The only place where an error is printed.

use clap::{CommandFactory, Parser};
use std::path::Path;
use std::process::ExitCode;
use systemd_netns::cli::Cli;
use systemd_netns::{commands, system};

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_default();
    if Path::new(&program).file_name().is_some_and(|n| n == "systemd-netns-generator") {
        system::journal::start(log::LevelFilter::Info);
        return finish(commands::generator::run(args.next().as_deref()));
    }
    if system::dhcp::view::is_script(Path::new(&program)) {
        system::journal::start(log::LevelFilter::Info);
        return finish(commands::lease::run(args));
    }
    let cli = Cli::parse();
    system::journal::start(match cli.verbose {
        0 => log::LevelFilter::Info,
        1 => log::LevelFilter::Debug,
        _ => log::LevelFilter::Trace,
    });
    finish(commands::run(&cli, Cli::command()))
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if error.is::<commands::Mistakes>() {
        log::error!(target: system::journal::PLAIN, "{error}");
        return ExitCode::from(78);
    }
    if error.is::<commands::Refused>() {
        log::error!(target: system::journal::PLAIN, "{error}");
    } else {
        log::error!("{error:#}");
    }
    ExitCode::FAILURE
}

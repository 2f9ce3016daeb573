//! The command line: what can be typed, and the help texts. No behaviour.
//!
//! Man page and shell completions are generated from here.

use crate::model::{Instance, NetnsName};
use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;

/// Puts systemd services into network namespaces of their own
#[derive(Debug, Parser)]
#[command(name = "systemd-netns", version, max_term_width = 100, after_help = EXIT_STATUS)]
pub struct Cli {
    /// Read the configuration below DIR instead of /
    #[arg(long, global = true, value_name = "DIR", default_value = "/", hide_default_value = true,
          value_hint = ValueHint::DirPath)]
    pub root: PathBuf,

    /// Say what is done, step by step; twice for every detail
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_STATUS: &str = "\
Exit status:
  0   done
  1   the kernel or the system refused; everything is back where it was
  2   wrong usage
  78  a mistake in the configuration; nothing was done";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a namespace and configure it from /etc/netns/NAME/network/
    ///
    /// All or nothing: after a failure every link, route and file is back where it was. A namespace that is up already is
    /// brought in line with the files, as by reload. Those that its `xfrm` file puts links into are started first.
    Start(Name),
    /// Give everything back and delete the namespace
    ///
    /// Works from what was recorded when it was done, never from the configuration. Twice is as good as once. A namespace that
    /// others have put links into stays until the last of them stops.
    Stop(Name),
    /// Apply the difference between the files and the kernel; services keep running
    ///
    /// Where others have rules for the uplink of this namespace (`BlockP2P`), they are reloaded too.
    Reload(Name),
    /// Only make the namespace, with nothing in it
    ///
    /// The unit runs this outside of its sandbox, where the mount of /run/netns/NAME can be seen by others; start does it
    /// by itself otherwise.
    Create(Name),
    /// Only delete the namespace, after stop
    Delete(Name),
    /// Show every mistake in the files, and what would be dangerous
    Check {
        /// The namespaces; all of /etc/netns when there is none
        #[arg(value_name = "NAME")]
        names: Vec<NetnsName>,
    },
    /// Print the commands that a start, or a reload, would amount to from here
    Plan {
        /// The namespace
        name: NetnsName,
        /// The commands of a stop instead
        #[arg(long)]
        stop: bool,
    },
    /// Show namespaces, their links, addresses and services, and how far they are from the files
    Status {
        /// The namespace; all when there is none
        name: Option<NetnsName>,
        /// Machine-readable
        #[arg(long)]
        json: bool,
    },
    /// Put a service into a namespace: install the drop-in and let systemd read it
    Enable {
        /// The service, with or without .service
        service: String,
        /// The namespace of another service that it shall share
        #[arg(long, value_name = "NAME")]
        netns: Option<NetnsName>,
    },
    /// Take a service out of its namespace: remove the drop-in and let systemd know
    Disable {
        /// The service, with or without .service
        service: String,
    },
    /// Run a command in a namespace, as ip netns exec does
    Run(Run),
    /// What a client's unit runs
    #[command(hide = true)]
    Dhcp {
        /// What to do
        #[command(subcommand)]
        act: DhcpAct,
    },
    /// Lay services' own files over those of /etc again, whenever the host replaces them
    #[command(hide = true)]
    WatchNames,
    /// Print the completions of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the man pages into a directory
    #[command(hide = true)]
    Man {
        /// The directory
        #[arg(value_hint = ValueHint::DirPath)]
        directory: PathBuf,
    },
}

/// What is done with a client.
#[derive(Debug, Subcommand)]
pub enum DhcpAct {
    /// Become the client
    Run(Whose),
    /// Give the lease back and end the client
    Release(Whose),
    /// Become the dhclient that gives the lease back
    ReleaseInside(Whose),
}

/// Whose client.
#[derive(Debug, Args)]
pub struct Whose {
    /// NAMESPACE:LINK:FAMILY
    pub instance: Instance,
}

/// A namespace.
#[derive(Debug, Args)]
pub struct Name {
    /// The namespace: the service's unit without .service
    pub name: NetnsName,
}

/// What `run` runs.
#[derive(Debug, Args)]
pub struct Run {
    /// The namespace
    pub name: NetnsName,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

//! The command line: what can be typed, and the help texts. No behaviour.
//!
//! Man page and shell completions are generated from here.

use crate::model::{DeviceInstance, Instance, NetnsName, RouterName};
use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;
use std::ffi::OsString;
use std::net::SocketAddr;
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
        /// The namespaces; all of /etc/netns, and all routers, when there is none
        #[arg(value_name = "NAME")]
        names: Vec<NetnsName>,
        /// A router; several when given several times
        #[arg(long = "router", value_name = "ROUTER")]
        routers: Vec<RouterName>,
    },
    /// Print the commands that a start, or a reload, would amount to from here
    Plan {
        /// The namespace
        #[arg(required_unless_present = "router")]
        name: Option<NetnsName>,
        /// The host's side of a router instead
        #[arg(long, value_name = "ROUTER", conflicts_with = "name")]
        router: Option<RouterName>,
        /// The commands of a stop instead
        #[arg(long)]
        stop: bool,
    },
    /// Show namespaces, their links, addresses and services, routers, and how far they are from the files
    ///
    /// Says also what is translated for them (how many connections, since the rules were loaded last), what leaks (a service's processes that are outside of its namespace, or ask the host's name servers), why a unit failed, and
    /// what to do.
    Status {
        /// The namespace; all when there is none
        name: Option<NetnsName>,
        /// Machine-readable
        #[arg(long)]
        json: bool,
        /// Show it again whenever it has changed, until `q` or an interrupt
        #[arg(long, conflicts_with = "json")]
        watch: bool,
    },
    /// Let systemd listen on the host for services inside, as the `[socket]` sections of their nat files say
    ///
    /// Reads these anew and starts the sockets, as a boot does. Those that are in no file any more are stopped.
    Publish {
        /// The namespace; all when there is none
        name: Option<NetnsName>,
    },
    /// Tell Prometheus the figures of namespaces: links, sockets, protocols, IPsec, age, drift
    ///
    /// Writes netns_NAME.prom for each, which node_exporter's textfile collector reads, or serves them all by HTTP. See
    /// systemd-netns-metrics(7) for what is told.
    Collect(Collect),
    /// Check this machine: kernel, mounts, units, drop-ins, other network managers
    ///
    /// Says of everything that is wrong what to do. Ends with status 1 when something is.
    Doctor {
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
    /// Run a router, which gives connectivity to namespaces without a NIC
    ///
    /// In the foreground, as its unit does (systemd-netns-router@NAME.service). Its file is /etc/systemd-netns/router/NAME.conf, see
    /// systemd-netns-router(5). With uWSGI's options, as they stand there, it is the router that uWSGI would be.
    Router(Router),
    /// Hold a device of a namespace for its router
    ///
    /// By an instance, NAMESPACE:LINK, it is what a unit runs (systemd-netns-device@INSTANCE.service). With uWSGI's options it makes the
    /// device in the namespace that it is run in, and runs a command with it.
    Device(Device),
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

/// What is collected, and where to.
#[derive(Debug, Args)]
pub struct Collect {
    /// The namespaces
    #[arg(value_name = "NAME", required_unless_present_any = ["print", "listen"])]
    pub names: Vec<NetnsName>,
    /// Where to write netns_NAME.prom
    #[arg(long, value_name = "DIR", default_value = "/var/lib/prometheus/node-exporter", value_hint = ValueHint::DirPath)]
    pub directory: PathBuf,
    /// Write again and again until told to end, then remove the files
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86400), conflicts_with = "print")]
    pub every: Option<u64>,
    /// Print instead, all namespaces where none is named
    #[arg(long)]
    pub print: bool,
    /// Serve all namespaces by HTTP at ADDRESS:PORT, or at the sockets that systemd passes
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, conflicts_with_all = ["names", "print", "every", "directory"])]
    #[allow(clippy::option_option, reason = "whether it is given, and what")]
    pub listen: Option<Option<SocketAddr>>,
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

/// A router, and what is done with it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Router {
    /// What to do; `run` if nothing else
    #[command(subcommand)]
    pub act: Option<RouterAct>,
    /// The router: the name of its file without .conf
    #[arg(conflicts_with = "UwsgiRouter", required_unless_present_any = ["tuntap_router", "uwsgi"])]
    pub name: Option<RouterName>,
    /// uWSGI's options
    #[command(flatten)]
    pub uwsgi: UwsgiRouter,
}

/// What is done with a router.
#[derive(Debug, Subcommand)]
pub enum RouterAct {
    /// Run it in the foreground
    Run(RouterArgument),
    /// Make its device, and let the host forward and masquerade as its file says
    Prepare {
        /// The router: the name of its file without .conf
        name: RouterName,
        /// `run` follows and tells mistakes: where there are any, do nothing
        #[arg(long)]
        before_run: bool,
    },
    /// Bring the host in line with its file, and tell the running router to read it again
    Reload(RouterArgument),
    /// Give everything back that `prepare` did
    ///
    /// While systemd runs the router, after a failure and before a start again it does nothing: the device stays, and with it what goes
    /// through it.
    Clean {
        /// The router: the name of its file without .conf
        name: RouterName,
        /// Also then
        #[arg(long = "final")]
        last: bool,
    },
}

/// A router.
#[derive(Debug, Args)]
pub struct RouterArgument {
    /// The router: the name of its file without .conf
    pub name: RouterName,
}

/// uWSGI's options of a router, each as often as there.
#[derive(Debug, Args)]
#[group(id = "UwsgiRouter", multiple = true)]
pub struct UwsgiRouter {
    /// Device, socket, and statistics socket if any
    #[arg(long, value_name = "DEVICE SOCKET [STATS] [GATEWAY]", help_heading = "uWSGI's options")]
    pub tuntap_router: Vec<String>,
    /// A rule for what goes to peers
    #[arg(long, value_name = "ACTION [SRC DST]", help_heading = "uWSGI's options")]
    pub tuntap_router_firewall_in: Vec<String>,
    /// A rule for what comes from peers
    #[arg(long, value_name = "ACTION [SRC DST]", help_heading = "uWSGI's options")]
    pub tuntap_router_firewall_out: Vec<String>,
    /// A way to another router's gateway
    #[arg(long, value_name = "SRC DST GATEWAY", help_heading = "uWSGI's options")]
    pub tuntap_router_route: Vec<String>,
    /// A socket that statistics are told at
    #[arg(long, value_name = "SOCKET", help_heading = "uWSGI's options")]
    pub tuntap_router_stats: Vec<String>,
    /// Peers begin with their credentials
    #[arg(long, value_name = "FUNCTION", num_args = 0..=1, default_missing_value = "", help_heading = "uWSGI's options")]
    pub tuntap_use_credentials: Option<String>,
    /// Read these options out of uWSGI's file, and run its exec-as-root lines
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "uWSGI's options")]
    pub uwsgi: Vec<PathBuf>,
}

/// A device.
#[derive(Debug, Args)]
pub struct Device {
    /// NAMESPACE:LINK
    #[arg(conflicts_with_all = ["UwsgiDevice", "command"], required_unless_present_any = ["tuntap_device", "uwsgi"])]
    pub instance: Option<DeviceInstance>,
    /// uWSGI's options
    #[command(flatten)]
    pub uwsgi: UwsgiDevice,
    /// A command that is run once the router has the device; the device goes with it
    #[arg(last = true, value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

/// uWSGI's options of a device, each as often as there.
#[derive(Debug, Args)]
#[group(id = "UwsgiDevice", multiple = true)]
pub struct UwsgiDevice {
    /// Device and the router's socket
    #[arg(long, value_name = "DEVICE SOCKET", help_heading = "uWSGI's options")]
    pub tuntap_device: Vec<String>,
    /// Pass the device to the router, which is one of this program, rather than frame packets as uWSGI does
    #[arg(long)]
    pub pass: bool,
    /// A rule that the router is sent
    #[arg(long, value_name = "DIRECTION SRC DST ACTION", help_heading = "uWSGI's options")]
    pub tuntap_device_rule: Vec<String>,
    /// Begin with the credentials
    #[arg(long, value_name = "FUNCTION", num_args = 0..=1, default_missing_value = "", help_heading = "uWSGI's options")]
    pub tuntap_use_credentials: Option<String>,
    /// Read these options out of uWSGI's file, and run its exec-as-root lines
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "uWSGI's options")]
    pub uwsgi: Vec<PathBuf>,
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

//! The clients' command lines and configuration files, and how each gives a lease back.
//!
//! A client's own file of the namespace, `/etc/netns/NETNS/dhcpcd.conf` or `…/dhcp/dhclient.conf`, takes the place of the one
//! written here. Values of the user's were checked when they were read: letters, digits and signs without quotes,
//! backslashes and line ends.
//!
//! Each is known to the server by the link's hardware address, so that a start after a stop is given the same address.

use super::{child, directory, view};
use crate::model::{Client, Dhcp, Instance, NetnsName, Protocol};
use crate::system::programs;
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What dhcpcd asks servers for.
const DHCPCD_OPTIONS: &str =
    "option domain_name_servers, domain_name, domain_search, classless_static_routes, interface_mtu";
const DHCPCD_OPTIONS6: &str = "option dhcp6_name_servers, dhcp6_domain_search";

/// Writes the client's file, and says how it is run in the foreground.
///
/// # Errors
/// When it is not installed, or its file cannot be written.
pub fn command(instance: &Instance, dhcp: &Dhcp) -> Result<Command> {
    let program = programs::find(dhcp.client.program())
        .with_context(|| format!("{} is not installed (apt install {})", dhcp.client, dhcp.client.package()))?;
    let mut command = Command::new(program);
    command.env_clear().env("PATH", programs::PATH).stdin(Stdio::null());
    match dhcp.client {
        Client::Dhcpcd => {
            command.args(["--nobackground", "--config"]).arg(configuration(instance, dhcp)?);
        }
        Client::Dhclient => {
            command.arg("-d").args(dhclient(instance, dhcp)?);
        }
        Client::Udhcpc => {
            command.args(udhcpc(instance, dhcp));
        }
        Client::AvahiAutoipd => {}
    }
    if dhcp.client != Client::Udhcpc {
        command.arg(instance.link.as_str());
    }
    Ok(command)
}

/// Gives the lease back and ends the client, by the client's own means.
///
/// # Errors
/// When that cannot be asked of it.
pub fn release(instance: &Instance, dhcp: &Dhcp, pid: Option<Pid>) -> Result<()> {
    let signals: &[Signal] = match dhcp.client {
        Client::Dhclient => {
            // It is asked by another dhclient, in the same view.
            let program = std::env::current_exe().context("find this program")?;
            let asked = Command::new(program).args(["dhcp", "release-inside", &instance.to_string()]).status();
            let status = asked.context("ask dhclient")?;
            if !status.success() {
                bail!("dhclient -r ended with {status}");
            }
            &[]
        }
        Client::Dhcpcd => &[Signal::SIGALRM],
        // udhcpc was told to release before it ends (-R).
        Client::Udhcpc | Client::AvahiAutoipd => &[Signal::SIGTERM],
    };
    let Some(pid) = pid else { return Ok(()) };
    for signal in signals {
        match kill(pid, *signal) {
            Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
            Err(e) => return Err(e).with_context(|| format!("tell {} to release", dhcp.client)),
        }
    }
    child::wait(pid);
    Ok(())
}

/// The dhclient that asks the running one to give its lease back.
///
/// # Errors
/// When it is not installed, or its file cannot be written.
pub fn release_command(instance: &Instance, dhcp: &Dhcp) -> Result<Command> {
    let program = programs::find(dhcp.client.program()).context("dhclient is not installed any more")?;
    let mut command = Command::new(program);
    command.env_clear().env("PATH", programs::PATH).stdin(Stdio::null()).arg("-r");
    command.args(dhclient(instance, dhcp)?).arg(instance.link.as_str());
    Ok(command)
}

/// The client's file: the administrator's for this namespace, or what is written now.
fn configuration(instance: &Instance, dhcp: &Dhcp) -> Result<PathBuf> {
    let own = |netns: &NetnsName, name: &str| Path::new("/etc/netns").join(netns.as_str()).join(name);
    let (own, seen, text) = match dhcp.client {
        Client::Dhclient => {
            (own(&instance.netns, "dhcp/dhclient.conf"), view::DHCLIENT_CONFIGURATION, dhclient_configuration(dhcp))
        }
        _ => (own(&instance.netns, "dhcpcd.conf"), view::DHCPCD_CONFIGURATION, dhcpcd_configuration(dhcp)),
    };
    if own.is_file() {
        // The view has it at the place where the client, and AppArmor's profile of it, expect it.
        let laid = Path::new("/etc/dhcp/dhclient.conf");
        let is_laid = dhcp.client == Client::Dhclient && laid.is_file();
        return Ok(if is_laid { laid.to_owned() } else { own });
    }
    let path = directory(instance).join(view::written(seen));
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    Ok(PathBuf::from(seen))
}

fn dhclient(instance: &Instance, dhcp: &Dhcp) -> Result<Vec<OsString>> {
    let mut words: Vec<OsString> = vec![if dhcp.protocol.is_ipv6() { "-6" } else { "-4" }.into()];
    match dhcp.protocol {
        Protocol::Dhcp6 if dhcp.request_prefix => words.extend(["-P".into(), "-N".into()]),
        Protocol::Stateless6 if dhcp.request_prefix => words.push("-P".into()),
        Protocol::Stateless6 => words.push("-S".into()),
        _ => {}
    }
    if dhcp.protocol.is_ipv6() {
        words.extend(["-D".into(), "LL".into()]);
    }
    // The names that AppArmor's profile of dhclient expects, and the script that it lets run.
    for (option, value) in [("-pf", view::DHCLIENT_PID), ("-lf", view::DHCLIENT_LEASES), ("-sf", view::DHCLIENT_SCRIPT)]
    {
        words.extend([option.into(), value.into()]);
    }
    words.extend(["-cf".into(), configuration(instance, dhcp)?.into()]);
    Ok(words)
}

fn udhcpc(instance: &Instance, dhcp: &Dhcp) -> Vec<OsString> {
    let mut words: Vec<String> =
        ["-f", "-R", "-t", "4", "-T", "2", "-A", "4", "-p", view::UDHCPC_PID, "-s", view::SCRIPT]
            .map(str::to_owned)
            .to_vec();
    words.extend(["-i".to_owned(), instance.link.to_string()]);
    // By number: not every busybox knows every name.
    words.extend(["26", "119", "121"].iter().flat_map(|option| ["-O".to_owned(), (*option).to_owned()]));
    if let Some(hostname) = &dhcp.hostname {
        words.extend(["-x".to_owned(), format!("hostname:{hostname}")]);
    }
    if let Some(vendor) = &dhcp.vendor {
        words.extend(["-V".to_owned(), vendor.clone()]);
    }
    if let Some(id) = &dhcp.client_id {
        let hex: String = id.bytes().fold("00".to_owned(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        words.extend(["-C".to_owned(), "-x".to_owned(), format!("0x3d:{hex}")]);
    }
    if let Some(seconds) = dhcp.lease_time {
        words.extend(["-x".to_owned(), format!("lease:{seconds}")]);
    }
    words.into_iter().map(OsString::from).collect()
}

fn dhcpcd_configuration(dhcp: &Dhcp) -> String {
    let by_protocol: &[&str] = match dhcp.protocol {
        Protocol::Dhcp => &["ipv4only", "noipv4ll", DHCPCD_OPTIONS, "require dhcp_server_identifier"],
        Protocol::Bootp => &["ipv4only", "noipv4ll", DHCPCD_OPTIONS, "bootp"],
        Protocol::Ipv4ll => &["ipv4only", "nodhcp"],
        // Router advertisements are the kernel's business, as ifupdown has it.
        Protocol::Dhcp6 => &["ipv6only", "noipv6rs", "duid ll", DHCPCD_OPTIONS6, "ia_na"],
        Protocol::Stateless6 => &["ipv6only", "noipv6rs", "duid ll", DHCPCD_OPTIONS6, "inform6"],
    };
    let mut lines = vec!["# Written by systemd-netns".to_owned(), format!("script {}", view::SCRIPT)];
    lines.push("nodelay".to_owned());
    lines.extend(by_protocol.iter().map(|line| (*line).to_owned()));
    if dhcp.request_prefix {
        lines.push("ia_pd".to_owned());
    }
    if !dhcp.protocol.is_ipv6() {
        lines.push(dhcp.client_id.as_ref().map_or_else(|| "clientid".to_owned(), |id| format!("clientid {id}")));
    }
    lines.extend(dhcp.hostname.as_ref().map(|name| format!("hostname {name}")));
    lines.extend(dhcp.vendor.as_ref().map(|vendor| format!("vendorclassid {vendor}")));
    lines.extend(dhcp.lease_time.map(|seconds| format!("leasetime {seconds}")));
    lines.extend(dhcp.metric.map(|metric| format!("metric {metric}")));
    lines.join("\n") + "\n"
}

fn dhclient_configuration(dhcp: &Dhcp) -> String {
    let mut lines = vec![
        "# Written by systemd-netns".to_owned(),
        "option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;".to_owned(),
        "request subnet-mask, broadcast-address, routers, rfc3442-classless-static-routes, domain-name, \
         domain-name-servers, domain-search, interface-mtu, dhcp6.name-servers, dhcp6.domain-search;"
            .to_owned(),
        // Until the start that waits gives up, and on: somebody may plug the cable in.
        "timeout 300;".to_owned(),
        "retry 10;".to_owned(),
    ];
    lines.extend(dhcp.hostname.as_ref().map(|name| format!("send host-name \"{name}\";")));
    lines.extend(dhcp.vendor.as_ref().map(|vendor| format!("send vendor-class-identifier \"{vendor}\";")));
    lines.extend(dhcp.client_id.as_ref().map(|id| format!("send dhcp-client-identifier \"{id}\";")));
    lines.extend(dhcp.lease_time.map(|seconds| format!("send dhcp-lease-time {seconds};")));
    lines.join("\n") + "\n"
}

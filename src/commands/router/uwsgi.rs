//! What uWSGI's options, typed or in its files, amount to.

use super::judge;
use crate::cli::{UwsgiDevice, UwsgiRouter};
use crate::commands::Mistakes;
use crate::config::UwsgiOptions;
use crate::interfaces::files::OsFiles;
use crate::model::{Gate, Kind, LinkOptions, LinkValue, RouterName, Virtual, VirtualKind};
use crate::router::settings::{DeviceSettings, Protocol, Settings};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A router, and what is run once its device is there.
pub(super) struct Wanted {
    pub name: RouterName,
    pub settings: Settings,
    pub commands: Commands,
}

/// The lines of `exec-as-root`.
pub(in crate::commands) struct Commands(Vec<String>);

impl Commands {
    /// Runs them in order, each by a shell. As with uWSGI the first that fails is the end.
    pub fn run(&self) -> Result<()> {
        for line in &self.0 {
            log::info!("exec-as-root: {line}");
            let mut command = Command::new("/bin/sh");
            let status = command.args(["-c", line]).stdin(Stdio::null()).status().context("start /bin/sh")?;
            if !status.success() {
                bail!("exec-as-root {line}: {status}");
            }
        }
        Ok(())
    }
}

pub(super) fn router(typed: &UwsgiRouter) -> Result<Wanted> {
    let mut options = UwsgiOptions::default();
    add_files(&mut options, &typed.uwsgi)?;
    let lists = [
        ("tuntap-router", &typed.tuntap_router),
        ("tuntap-router-firewall-in", &typed.tuntap_router_firewall_in),
        ("tuntap-router-firewall-out", &typed.tuntap_router_firewall_out),
        ("tuntap-router-route", &typed.tuntap_router_route),
        ("tuntap-router-stats", &typed.tuntap_router_stats),
    ];
    add(&mut options, &lists, typed.tuntap_use_credentials.as_deref());
    let (settings, diagnostics) = options.router();
    let settings = judge(settings, &diagnostics)?;
    let name = settings.device.as_str().parse().map_err(Mistakes::one)?;
    say_ignored(&options);
    Ok(Wanted { name, settings, commands: Commands(options.commands()) })
}

/// A device of uWSGI's options.
pub(in crate::commands) fn device(typed: &UwsgiDevice) -> Result<(DeviceSettings, Commands)> {
    let mut options = UwsgiOptions::default();
    add_files(&mut options, &typed.uwsgi)?;
    let lists = [("tuntap-device", &typed.tuntap_device), ("tuntap-device-rule", &typed.tuntap_device_rule)];
    add(&mut options, &lists, typed.tuntap_use_credentials.as_deref());
    let (settings, diagnostics) = options.device();
    let mut settings = judge(settings, &diagnostics)?;
    if typed.pass {
        settings.protocol = Protocol::Descriptor;
    }
    say_ignored(&options);
    Ok((settings, Commands(options.commands())))
}

fn add(options: &mut UwsgiOptions, lists: &[(&str, &Vec<String>)], credentials: Option<&str>) {
    for (name, values) in lists {
        values.iter().for_each(|value| options.add(name, value));
    }
    credentials.iter().for_each(|function| options.add("tuntap-use-credentials", function));
}

fn add_files(options: &mut UwsgiOptions, files: &[PathBuf]) -> Result<()> {
    for path in files {
        let path = std::path::absolute(path).with_context(|| format!("find {}", path.display()))?;
        options.add_file(&OsFiles::new(), Path::new(&path));
    }
    Ok(())
}

fn say_ignored(options: &UwsgiOptions) {
    if !options.ignored.is_empty() {
        log::warn!("these options of uWSGI's mean nothing here, ignoring: {}", options.ignored.join(", "));
    }
}

/// The device alone: what else there shall be of it, the commands do.
pub(super) fn gate(name: &RouterName, settings: &Settings) -> Gate {
    Gate {
        router: name.clone(),
        device: settings.device,
        kind: tun(),
        up: None,
        mtu: None,
        addresses: Vec::new(),
        sysctls: Vec::new(),
        along: Vec::new(),
        table: None,
    }
}

/// A tun device of root's.
fn tun() -> Kind {
    let options = LinkOptions::from([("user".to_owned(), LinkValue::Number(0))]);
    Kind::Virtual(Virtual::new(VirtualKind::Tun, None, options))
}

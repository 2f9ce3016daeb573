//! Units, and drop-ins of services that bypass the namespace.
//!
//! A service is looked at when systemd has it bound to a namespace, or when one of its drop-ins speaks of one, whether systemd has
//! read that or not.

use super::Finding;
use crate::commands::status::services as bound;
use crate::model::NetnsName;
use crate::system::dropin;
use crate::system::systemd::{self, Manager, Setup};
use std::collections::BTreeSet;
use std::path::Path;

/// Where drop-ins are (systemd.unit(5)).
const FOLDERS: [&str; 3] = ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"];
/// Where the package's units are.
const PACKAGED: [&str; 2] = ["/usr/lib/systemd/system/", "/lib/systemd/system/"];

/// Checks them.
pub(super) fn check(names: &BTreeSet<NetnsName>) -> Vec<Finding> {
    if !systemd::is_booted() {
        return vec![Finding::hint("systemd does not run here: units were not looked at", &[] as &[&str])];
    }
    let manager = match Manager::connect() {
        Ok(manager) => manager,
        Err(e) => return vec![Finding::wrong(format!("{e:#}"), &["systemctl start dbus"])],
    };
    let mut found = Vec::new();
    let mut services = with_drop_ins();
    let failed = bound::failed(Some(&manager));
    for name in names.iter().chain(failed.iter().filter(|name| !names.contains(*name))) {
        let unit = format!("systemd-netns@{name}.service");
        services.extend(manager.bound_by(&unit).unwrap_or_default().into_iter().filter(|u| u.ends_with(".service")));
        if let Ok(setup) = manager.setup(&unit) {
            found.extend(own_unit(&unit, &setup));
        }
        let looked = bound::look(&manager, name);
        for failure in looked.failures {
            let what = format!("{} failed ({}) {}", failure.unit, failure.result, failure.said.join("; "));
            found.push(Finding::wrong(what.trim_end(), &[failure.remedy]));
        }
        found.extend(looked.leaks.into_iter().map(|leak| Finding::wrong(leak, &[] as &[&str])));
    }
    for service in services {
        if let Ok(setup) = manager.setup(&service) {
            found.extend(service_of(&manager, &service, &setup, names));
        }
    }
    found
}

/// The packaged unit, unless it is hidden by another.
fn own_unit(unit: &str, setup: &Setup) -> Option<Finding> {
    if setup.loaded != "loaded" {
        let what = format!("systemd does not have {unit} ({})", setup.loaded);
        return Some(Finding::wrong(what, &["apt install --reinstall systemd-netns-helper"]));
    }
    let is_packaged = PACKAGED.iter().any(|folder| setup.fragment.starts_with(folder));
    (!is_packaged).then(|| {
        let what = format!("{unit} is not the packaged one, but {}", setup.fragment);
        Finding::hint(what, &[format!("remove that file, and change what you need by: systemctl edit {unit}")])
    })
}

/// The services that have a drop-in which speaks of a namespace.
fn with_drop_ins() -> BTreeSet<String> {
    let mut services = BTreeSet::new();
    for folder in FOLDERS {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(service) = name.to_str().and_then(|name| name.strip_suffix(".d")) else { continue };
            let is_ours = service.starts_with("systemd-netns") || service.starts_with("prometheus-netns-collector@");
            if !service.ends_with(".service") || is_ours {
                continue;
            }
            let files = std::fs::read_dir(entry.path()).into_iter().flatten().flatten().map(|file| file.path());
            if files.into_iter().any(|file| speaks_of_us(&file)) {
                services.insert(service.to_owned());
            }
        }
    }
    services
}

fn speaks_of_us(file: &Path) -> bool {
    std::fs::read_link(file).is_ok_and(|target| target == Path::new(dropin::PACKAGED))
        || std::fs::read_to_string(file).is_ok_and(|text| text.contains("systemd-netns@"))
}

/// One service.
fn service_of(manager: &Manager, service: &str, setup: &Setup, names: &BTreeSet<NetnsName>) -> Vec<Finding> {
    if setup.loaded != "loaded" {
        let what = format!("{service} has a drop-in for a namespace, and systemd has no such service");
        return vec![Finding::hint(what, &[format!("systemd-netns disable {service}")])];
    }
    let mut found = Vec::new();
    if setup.is_stale {
        let what = format!("the files of {service} are newer than what systemd has read");
        found.push(Finding::wrong(what, &["systemctl daemon-reload"]));
    }
    let netns = setup.binds_to.iter().find_map(|unit| bound::name_of(unit));
    let path = |name: &NetnsName| format!("/run/netns/{name}");
    match &netns {
        Some(name) if setup.netns != path(name) => {
            let instead = if setup.netns.is_empty() { "the host's network" } else { &setup.netns };
            let what = format!("{service} bypasses its namespace {name}: it is bound to it and runs in {instead}");
            found.push(Finding::wrong(what, &drop_in(service, name)));
        }
        Some(name) if !names.contains(name) => {
            let what = format!("{service} is to be in the namespace {name}, which has no files");
            found.push(Finding::wrong(what, &[format!("write /etc/netns/{name}/network/interfaces")]));
        }
        Some(name) => found.extend(sockets(manager, service, setup, name)),
        None => {
            let used = names.iter().find(|name| setup.netns == path(name));
            if let Some(name) = used {
                let what = format!(
                    "{service} runs in the namespace {name} and is not bound to it: it may start without, or lose it"
                );
                found.push(Finding::wrong(what, &drop_in(service, name)));
            }
        }
    }
    found
}

fn drop_in(service: &str, name: &NetnsName) -> [String; 2] {
    let bare = service.strip_suffix(".service").unwrap_or(service);
    let netns = if bare == name.as_str() { String::new() } else { format!(" --netns {name}") };
    [format!("systemd-netns enable {bare}{netns}"), format!("systemctl restart {service}")]
}

/// Sockets that start the service: they listen where they are, and not where it is.
fn sockets(manager: &Manager, service: &str, setup: &Setup, name: &NetnsName) -> Vec<Finding> {
    let sockets = setup.triggered_by.iter().filter(|unit| unit.ends_with(".socket"));
    let outside = sockets.filter(|socket| {
        manager.setup(socket).is_ok_and(|setup| setup.loaded == "loaded" && setup.netns != format!("/run/netns/{name}"))
    });
    let hint = |socket: &String| {
        let what =
            format!("{socket}, which starts {service}, listens in the host's network; to have it listen in {name}:");
        let lines = [
            format!("mkdir -p /etc/systemd/system/{socket}.d"),
            format!("printf '[Unit]\\nBindsTo=systemd-netns@{name}.service\\nAfter=systemd-netns@{name}.service\\n\\"),
            format!("[Socket]\\nNetworkNamespacePath=/run/netns/{name}\\n' >/etc/systemd/system/{socket}.d/netns.conf"),
            format!("systemctl daemon-reload && systemctl restart {socket}"),
        ];
        Finding::hint(what, &lines)
    };
    outside.map(hint).collect()
}

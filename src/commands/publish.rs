//! `publish [NAME]`: the units of what systemd listens for on the host in the name of services inside.
//!
//! A socket belongs to the namespace that it was made in, whoever accepts from it. So systemd's sockets are the host's, and the
//! descriptor is handed to a service in another namespace: nothing is translated, and the service sees who connects. One that takes no
//! descriptors has systemd-socket-proxyd(8) before it, which runs inside.

use super::{Mistakes, load};
use crate::config::{self, PublishedSocket};
use crate::model::{NetnsName, escape};
use crate::system::systemd::{self, Active, Manager};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Where systemd keeps what generators write (systemd.generator(7)).
const GENERATED: &str = "/run/systemd/generator";
const PREFIX: &str = "systemd-netns-publish-";

/// Lets systemd listen as the files say.
pub fn publish(root: &Path, name: Option<&NetnsName>) -> Result<()> {
    let names = name.map_or_else(|| config::list(root), |name| vec![name.clone()]);
    let mut wanted = Vec::new();
    for name in &names {
        // With a mistake in a file there is no unit.
        wanted.extend(load::load(root, name)?.1.sockets);
    }
    if !systemd::is_booted() {
        bail!("systemd does not run this machine: there is nobody to listen");
    }
    let of_names = |unit: &str| {
        let is = |name: &NetnsName| unit.starts_with(&format!("{PREFIX}{}-", escape(name.as_str())));
        name.is_none() || names.iter().any(is)
    };
    let before = units();
    systemd::daemon_reload()?;
    let (now, manager) = (units(), Manager::connect()?);
    for (unit, text) in before.iter().filter(|(unit, text)| now.get(*unit) != Some(*text) && of_names(unit)) {
        log::debug!("{unit} is {} bytes no more", text.len());
        manager.stop(unit)?;
        manager.stop(&unit.replace(".socket", ".service"))?;
    }
    let mut refused = Vec::new();
    for socket in &wanted {
        let unit = format!("{}.socket", socket.unit);
        let service = format!("{}.service", socket.service);
        if manager.active(&unit)? == Active::Yes {
            log::debug!("{unit} is there already");
        } else if socket.to.is_none() && manager.active(&service)? != Active::No {
            refused.push(format!("{service} runs without {}", socket.name));
        } else {
            manager.start(&unit)?;
            log::info!("{}: listening at {}", socket.name, socket.listen.join(", "));
        }
    }
    match refused.is_empty() {
        true => Ok(()),
        false => {
            let help = "a descriptor is handed over when a service starts: stop it, publish, and start it again";
            Err(Mistakes::one(format!("{}\n    help: {help}", refused.join("\nerror: "))).into())
        }
    }
}

/// The socket units that the generator wrote, with their texts.
fn units() -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(GENERATED).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let ours = names.filter(|name| name.starts_with(PREFIX) && name.ends_with(".socket"));
    ours.filter_map(|name| Some((name.clone(), std::fs::read_to_string(Path::new(GENERATED).join(&name)).ok()?)))
        .collect()
}

/// Writes a socket's units into the generator's directory.
pub(super) fn write(directory: &Path, netns: &NetnsName, socket: &PublishedSocket) -> Result<()> {
    let put = |name: &str, text: String| {
        let file = directory.join(name);
        std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))
    };
    let unit = format!("{}.socket", socket.unit);
    put(&unit, socket_unit(netns, socket))?;
    if let Some(to) = &socket.to {
        put(&format!("{}.service", socket.unit), proxy_unit(netns, socket, to))?;
    }
    let wants = directory.join("sockets.target.wants");
    std::fs::create_dir_all(&wants).with_context(|| format!("make {}", wants.display()))?;
    let link = wants.join(&unit);
    std::os::unix::fs::symlink(format!("../{unit}"), &link).with_context(|| format!("link {}", link.display()))
}

/// A value as a unit has it.
fn literal(text: &str) -> String {
    text.replace('%', "%%")
}

fn socket_unit(netns: &NetnsName, socket: &PublishedSocket) -> String {
    let file = format!("/etc/netns/{netns}/network/nat");
    let mut text = format!(
        "# The section [socket {}] of {file}\n[Unit]\nDescription=Socket {} of namespace {}\nDocumentation=man:systemd-netns-nat(5)\n\
         \n[Socket]\n",
        socket.name,
        socket.name,
        literal(netns.as_str())
    );
    let verb = if socket.datagrams { "ListenDatagram" } else { "ListenStream" };
    for place in &socket.listen {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{verb}={}", literal(place));
    }
    let _ = writeln!(text, "FileDescriptorName={}\n# The host's address may come later.\nFreeBind=yes", socket.name);
    if socket.to.is_none() {
        let _ = writeln!(text, "Service={}.service", literal(&socket.service));
    }
    text
}

/// The proxy runs inside, where the service is; who it is there does not matter.
fn proxy_unit(netns: &NetnsName, socket: &PublishedSocket, to: &str) -> String {
    let (name, service) = (literal(netns.as_str()), literal(&socket.service));
    let unit = literal(&socket.unit);
    format!(
        "# The section [socket {}] of /etc/netns/{name}/network/nat\n[Unit]\nDescription=Socket {} of namespace {name}, passed on\n\
         Documentation=man:systemd-netns-nat(5) man:systemd-socket-proxyd(8)\n\
         BindsTo=systemd-netns@{name}.service\nRequires={unit}.socket\nWants={service}.service\n\
         After=systemd-netns@{name}.service {unit}.socket {service}.service\n\
         \n[Service]\nType=notify\nExecStart=/usr/lib/systemd/systemd-socket-proxyd --connections-max=4096 {}\n\
         NetworkNamespacePath=/run/netns/{name}\nLimitNOFILE=16384\n\
         DynamicUser=yes\nProtectSystem=strict\nProtectHome=yes\nPrivateDevices=yes\nProtectClock=yes\nProtectKernelLogs=yes\n\
         ProtectKernelModules=yes\nProtectKernelTunables=yes\nProtectControlGroups=yes\nProtectHostname=yes\n\
         ProtectProc=invisible\nNoNewPrivileges=yes\nRestrictNamespaces=yes\nRestrictRealtime=yes\nLockPersonality=yes\n\
         MemoryDenyWriteExecute=yes\nRestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\nCapabilityBoundingSet=\n\
         SystemCallArchitectures=native\nSystemCallFilter=@system-service\n",
        socket.name,
        socket.name,
        literal(to)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(to: Option<&str>) -> PublishedSocket {
        PublishedSocket {
            name: "web".into(),
            unit: "systemd-netns-publish-nginx-web".into(),
            listen: vec!["80".into(), "/run/a%b".into()],
            datagrams: false,
            service: "nginx".into(),
            to: to.map(str::to_owned),
        }
    }

    #[test]
    fn a_descriptor_is_handed_to_the_service() {
        let text = socket_unit(&"nginx".parse().unwrap(), &socket(None));
        assert!(text.contains("[Socket]\nListenStream=80\nListenStream=/run/a%%b\nFileDescriptorName=web\n"), "{text}");
        assert!(text.ends_with("FreeBind=yes\nService=nginx.service\n"), "{text}");
    }

    #[test]
    fn a_proxy_is_inside() {
        let (netns, socket) = ("nginx".parse().unwrap(), socket(Some("127.0.0.1:8080")));
        assert!(!socket_unit(&netns, &socket).contains("Service="));
        let text = proxy_unit(&netns, &socket, "127.0.0.1:8080");
        for line in ["BindsTo=systemd-netns@nginx.service", "NetworkNamespacePath=/run/netns/nginx"] {
            assert!(text.lines().any(|l| l == line), "{text}");
        }
        assert!(text.contains("systemd-socket-proxyd --connections-max=4096 127.0.0.1:8080\n"), "{text}");
    }
}

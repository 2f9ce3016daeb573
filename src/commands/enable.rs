//! `enable SERVICE [--netns NAME]` and `disable SERVICE`.

use super::Mistakes;
use crate::config;
use crate::model::NetnsName;
use crate::system::{dropin, systemd};
use anyhow::Result;
use std::path::Path;

/// Puts a service into a namespace.
pub fn enable(root: &Path, service: &str, netns: Option<&NetnsName>) -> Result<()> {
    let service = bare(service)?;
    let netns = match netns {
        Some(netns) => netns.clone(),
        None => service.parse().map_err(|e: crate::model::NameError| Mistakes::one(e.to_string()))?,
    };
    if !config::list(root).contains(&netns) {
        let file = root.join("etc/netns").join(netns.as_str()).join("network/interfaces");
        log::warn!("{} does not exist yet: write it before the service starts", file.display());
    }
    let news = dropin::enable(root, service, &netns)?;
    tell_systemd(root, news)?;
    let what = if news { "is put" } else { "was put already" };
    log::info!("{service}.service {what} into the namespace {netns} by {}", dropin::path(root, service).display());
    if news {
        log::info!("it takes effect when the service is restarted: systemctl restart {service}");
    }
    Ok(())
}

/// Takes a service out of its namespace.
pub fn disable(root: &Path, service: &str) -> Result<()> {
    let service = bare(service)?;
    let news = dropin::disable(root, service)?;
    tell_systemd(root, news)?;
    if news {
        log::info!(
            "{service}.service goes back to the host's network when it is restarted: systemctl restart {service}"
        );
    } else {
        log::info!("{service}.service was in no namespace");
    }
    Ok(())
}

/// The unit's name without `.service`.
fn bare(service: &str) -> Result<&str> {
    let name = service.strip_suffix(".service").unwrap_or(service);
    if name.is_empty() || name.contains('/') || name.starts_with(['-', '.']) || name.contains(char::is_whitespace) {
        return Err(Mistakes::one(format!("\"{service}\" is not the name of a service")).into());
    }
    for kind in [".socket", ".target", ".timer", ".mount", ".slice", ".scope", ".path", ".device", ".swap"] {
        if name.ends_with(kind) {
            return Err(
                Mistakes::one(format!("{service} is not a service: only services have a network namespace")).into()
            );
        }
    }
    Ok(name)
}

fn tell_systemd(root: &Path, news: bool) -> Result<()> {
    if !news || root != Path::new("/") {
        return Ok(());
    }
    if systemd::is_booted() {
        return systemd::daemon_reload();
    }
    log::info!("systemd does not run here: it will see the change when it does");
    Ok(())
}

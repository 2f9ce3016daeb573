//! systemd's manager over D-Bus (org.freedesktop.systemd1(5)).

use anyhow::{Context, Result};

/// Lets systemd read its units again, as `systemctl daemon-reload` does.
///
/// # Errors
/// When the bus or the manager cannot be reached, or refuses.
pub fn daemon_reload() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(async {
        let bus = zbus::Connection::system().await.context("reach the system bus")?;
        bus.call_method(
            Some("org.freedesktop.systemd1"),
            "/org/freedesktop/systemd1",
            Some("org.freedesktop.systemd1.Manager"),
            "Reload",
            &(),
        )
        .await
        .context("let systemd reload its units")?;
        Ok(())
    })
}

/// Whether systemd runs this machine (sd_booted(3)).
pub fn is_booted() -> bool {
    std::path::Path::new("/run/systemd/system").is_dir()
}

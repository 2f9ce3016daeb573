//! What a client sees of the file system: its own `/run` and state, and this program in the place of its script.
//!
//! Theory. The clients' names of files hold the link's name at most, and there may be an `eth0` in every namespace. So each
//! client has a `/run` and a folder in `/var/lib` that nobody else sees: they are mounted over the real ones in its mount
//! namespace. With `/run` go the sockets by which a client's hooks or the C library would speak with the host. Names stay
//! those that each client has in Debian, as AppArmor's profiles know them; nothing is confined less for it.
//!
//! Where the client has a script whose path is compiled in, this program is mounted over that.

use super::directory;
use crate::model::{Client, Instance};
use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// This program, as clients call it.
pub const SCRIPT: &str = "/run/systemd-netns-lease";
/// Says whose view it is.
const MARK: &str = "/run/systemd-netns-instance";

pub(super) const DHCPCD_CONFIGURATION: &str = "/run/dhcpcd.conf";
pub(super) const DHCLIENT_CONFIGURATION: &str = "/var/lib/dhcp/dhclient.conf";
pub(super) const DHCLIENT_LEASES: &str = "/var/lib/dhcp/dhclient.leases";
pub(super) const DHCLIENT_PID: &str = "/run/dhclient.pid";
pub(super) const DHCLIENT_SCRIPT: &str = "/sbin/dhclient-script";
pub(super) const UDHCPC_PID: &str = "/run/udhcpc.pid";
const AVAHI_SCRIPT: &str = "/etc/avahi/avahi-autoipd.action";

/// Folders in which clients keep their state.
const STATE: [&str; 2] = ["/var/lib/dhcp", "/var/lib/dhcpcd"];

/// The names under which a client may call this program.
const NAMES: [&str; 3] = ["systemd-netns-lease", "dhclient-script", "avahi-autoipd.action"];

/// Whether this program was called by a client, going by its own name.
pub fn is_script(program: &Path) -> bool {
    program.file_name().is_some_and(|name| NAMES.iter().any(|script| name == *script))
}

/// Whose view the caller is in.
///
/// # Errors
/// When it is in nobody's.
pub fn instance() -> Result<Instance> {
    let text = fs::read_to_string(MARK).with_context(|| format!("read {MARK}"))?;
    text.trim_end().parse().with_context(|| format!("read {MARK}"))
}

/// Where a file of the view is in the client's folder.
pub(super) fn written(seen: &str) -> PathBuf {
    let name = Path::new(seen).file_name().unwrap_or_default();
    if seen.starts_with("/run/") { Path::new("run").join(name) } else { Path::new("lib").join(name) }
}

/// Makes the folders that the view is made of.
///
/// # Errors
/// When they cannot be made.
pub fn prepare(instance: &Instance) -> Result<()> {
    for folder in ["run/systemd-netns", "lib"] {
        let path = directory(instance).join(folder);
        let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(&path);
        made.with_context(|| format!("make {}", path.display()))?;
    }
    let path = directory(instance).join("run/systemd-netns-instance");
    fs::write(&path, format!("{instance}\n")).with_context(|| format!("write {}", path.display()))?;
    let path = directory(instance).join("run/systemd-netns-lease");
    fs::write(&path, "").with_context(|| format!("write {}", path.display()))
}

/// Enters it. The calling thread must have a mount namespace of its own already ([`crate::system::hook::enter_view`]).
///
/// # Errors
/// When a mount is refused.
pub fn enter(instance: &Instance, client: Client) -> Result<()> {
    let program = std::env::current_exe().context("find this program")?;
    let own = directory(instance);
    let bind = |from: &Path, to: &Path, flags: MsFlags| {
        let none = None::<&str>;
        mount(Some(from), to, none, MsFlags::MS_BIND | flags, none)
            .with_context(|| format!("mount {} on {}", from.display(), to.display()))
    };
    bind(&program, &own.join("run/systemd-netns-lease"), MsFlags::empty())?;
    bind(Path::new(crate::system::record::DIRECTORY), &own.join("run/systemd-netns"), MsFlags::empty())?;
    for state in STATE.iter().map(Path::new).filter(|path| path.is_dir()) {
        bind(&own.join("lib"), state, MsFlags::empty())?;
    }
    let script = match client {
        Client::Dhclient => Some(DHCLIENT_SCRIPT),
        Client::AvahiAutoipd => Some(AVAHI_SCRIPT),
        Client::Dhcpcd | Client::Udhcpc => None,
    };
    if let Some(script) = script {
        bind(&program, Path::new(script), MsFlags::empty())?;
    }
    bind(&own.join("run"), Path::new("/run"), MsFlags::MS_REC)
}

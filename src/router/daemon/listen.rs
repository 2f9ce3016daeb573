//! Sockets that are listened at: those that the service manager passed (`sd_listen_fds(3)`), and those that this opens.

use crate::router::settings::{Listen, Settings};
use anyhow::{Context, Result, bail};
use listenfd::ListenFd;
use std::fs;
use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener as StdUnixListener, UnixStream};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener};

/// A socket that is listened at.
pub(super) enum Listener {
    /// unix(7).
    Unix(UnixListener, #[allow(dead_code, reason = "dropped with it")] Option<Remove>),
    /// tcp(7).
    Tcp(TcpListener),
}

/// A socket's file, which goes when nobody listens any more.
pub(super) struct Remove(PathBuf);

impl Drop for Remove {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// All of a router's.
pub(super) struct Listeners {
    pub peers: Vec<Listener>,
    pub statistics: Vec<Listener>,
    pub files: Files,
}

/// The files of sockets that were passed, by which peers find them. Who opened them goes on to listen when such a file was deleted, and
/// does not notice.
pub(super) struct Files(Vec<(PathBuf, bool)>);

impl Files {
    /// One that is gone. What was never seen may be where this process cannot look, as another `/tmp` is, but for the usual place.
    pub fn gone(&mut self) -> Option<&Path> {
        for (path, seen) in &mut self.0 {
            match fs::symlink_metadata(&*path) {
                Ok(_) => *seen = true,
                Err(e) if e.kind() == ErrorKind::NotFound && *seen => return Some(path),
                Err(_) => {}
            }
        }
        None
    }
}

/// Where sockets are of files without `Listen`.
const USUAL: &str = "/run/systemd-netns/router";
/// Who may connect to a socket that this opens: identity is by credentials and rules, not by the file's mode.
const PEERS: u32 = 0o666;
/// Statistics tell who speaks how much.
const STATISTICS: u32 = 0o660;

/// Opens a router's sockets, but for those that were passed.
pub(super) fn listeners(settings: &Settings) -> Result<Listeners> {
    let mut passed = passed()?;
    let path = |listen: &Listen| match listen {
        Listen::Unix(path) if path.is_absolute() => Some((path.clone(), path.starts_with(USUAL))),
        _ => None,
    };
    let files = Files(passed.iter().filter_map(|(name, _)| path(name)).collect());
    let mut open = |wanted: &[Listen], mode| {
        let open = |wanted: &Listen| match passed.iter().position(|(name, _)| name == wanted) {
            Some(at) => Ok(passed.swap_remove(at).1),
            None => listen(wanted, mode),
        };
        wanted.iter().map(open).collect::<Result<Vec<_>>>()
    };
    Ok(Listeners { peers: open(&settings.listen, PEERS)?, statistics: open(&settings.statistics, STATISTICS)?, files })
}

/// The sockets that the service manager passed, by their addresses.
fn passed() -> Result<Vec<(Listen, Listener)>> {
    let mut given = ListenFd::from_env();
    let mut found = Vec::new();
    for index in 0..given.len() {
        if let Ok(Some(unix)) = given.take_unix_listener(index) {
            let Some(listen) = unix.local_addr().ok().as_ref().and_then(named) else { continue };
            unix.set_nonblocking(true).context("make a passed socket not block")?;
            found.push((listen, Listener::Unix(UnixListener::from_std(unix)?, None)));
        } else if let Ok(Some(tcp)) = given.take_tcp_listener(index) {
            let address = tcp.local_addr().context("look at a passed socket")?;
            tcp.set_nonblocking(true).context("make a passed socket not block")?;
            found.push((Listen::Tcp(address), Listener::Tcp(TcpListener::from_std(tcp)?)));
        }
    }
    Ok(found)
}

fn named(address: &SocketAddr) -> Option<Listen> {
    if let Some(path) = address.as_pathname() {
        return Some(Listen::Unix(path.into()));
    }
    let name = std::str::from_utf8(address.as_abstract_name()?).ok()?;
    Some(Listen::Unix(format!("@{name}").into()))
}

fn listen(wanted: &Listen, mode: u32) -> Result<Listener> {
    match wanted {
        Listen::Tcp(address) => {
            let listener = std::net::TcpListener::bind(address).with_context(|| format!("listen at {address}"))?;
            listener.set_nonblocking(true)?;
            Ok(Listener::Tcp(TcpListener::from_std(listener)?))
        }
        Listen::Tunnel(server) => bail!("{server} is on another host"),
        Listen::Unix(path) => {
            let listener = listen_unix(path, mode).with_context(|| format!("listen at {}", path.display()))?;
            listener.set_nonblocking(true)?;
            let file = (!path.to_string_lossy().starts_with('@')).then(|| Remove(path.clone()));
            Ok(Listener::Unix(UnixListener::from_std(listener)?, file))
        }
    }
}

fn listen_unix(path: &Path, mode: u32) -> std::io::Result<StdUnixListener> {
    if let Some(name) = path.to_str().and_then(|path| path.strip_prefix('@')) {
        return StdUnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?);
    }
    let listener = match StdUnixListener::bind(path) {
        Err(e) if e.kind() == ErrorKind::AddrInUse && is_deserted(path) => {
            fs::remove_file(path)?;
            StdUnixListener::bind(path)?
        }
        listener => listener?,
    };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Whether a file is a socket at which nobody listens any more.
fn is_deserted(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
        && UnixStream::connect(path).is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_gone_that_was_there() {
        let directory = std::env::temp_dir().join(format!("listen-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (there, hidden) = (directory.join("there"), directory.join("hidden"));
        let mut files = Files(vec![(hidden.clone(), false), (there.clone(), false)]);
        assert_eq!(files.gone(), None, "none was seen yet");
        fs::write(&there, "").unwrap();
        assert_eq!(files.gone(), None);
        fs::remove_file(&there).unwrap();
        assert_eq!(files.gone(), Some(&*there));
        let mut usual = Files(vec![(hidden.clone(), true)]);
        assert_eq!(usual.gone(), Some(&*hidden), "one of the usual place needs not be seen");
        fs::remove_dir(&directory).unwrap();
    }
}

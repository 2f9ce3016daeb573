//! `collect --listen`: the figures of all namespaces by HTTP.
//!
//! Each connection has its own task and little time. There is a limit to how many there are; who comes beyond it takes the place of
//! the one that has been silent for longest, so that nobody is kept away by clients that say nothing. Figures are taken by
//! one at a time, and who asks within a second of another is told the same.

use super::gather::{Gather, Thoroughness};
use super::http::{self, Asked};
use anyhow::{Context, Result, bail};
use listenfd::ListenFd;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// How many connections there may be.
const CONNECTIONS: usize = 64;
/// How long a request may take to come.
const REQUEST: Duration = Duration::from_secs(5);
/// How long an answer may take to go.
const ANSWER: Duration = Duration::from_secs(30);
/// How long the same is told.
const FRESH: Duration = Duration::from_secs(1);
/// Between two attempts where a connection cannot be taken.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until it is told to end, at the sockets that the service manager passed, or else at `address`.
pub(super) fn serve(root: &Path, address: Option<SocketAddr>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(async {
        let exporter = Exporter::new(root);
        let mut listening = false;
        for listener in listeners(address)? {
            listening = true;
            tokio::spawn(accept(listener, exporter.clone()));
        }
        if !listening {
            bail!("no socket was passed: start systemd-netns-exporter.socket, or say --listen ADDRESS:PORT");
        }
        let mut end = signal(SignalKind::terminate()).context("watch for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("watch for SIGINT")?;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        tokio::select! {
            _ = end.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    })
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

fn listeners(address: Option<SocketAddr>) -> Result<Vec<Listener>> {
    let mut given = ListenFd::from_env();
    let mut found = Vec::new();
    for index in 0..given.len() {
        if let Ok(Some(unix)) = given.take_unix_listener(index) {
            unix.set_nonblocking(true).context("make a passed socket not block")?;
            found.push(Listener::Unix(UnixListener::from_std(unix)?));
        } else if let Ok(Some(tcp)) = given.take_tcp_listener(index) {
            tcp.set_nonblocking(true).context("make a passed socket not block")?;
            found.push(Listener::Tcp(TcpListener::from_std(tcp)?));
        }
    }
    if let Some(address) = address {
        let tcp = std::net::TcpListener::bind(address).with_context(|| format!("listen at {address}"))?;
        tcp.set_nonblocking(true)?;
        found.push(Listener::Tcp(TcpListener::from_std(tcp)?));
    }
    Ok(found)
}

async fn accept(listener: Listener, exporter: Exporter) {
    loop {
        let accepted = match &listener {
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| exporter.admit(stream)),
            Listener::Unix(listener) => listener.accept().await.map(|(stream, _)| exporter.admit(stream)),
        };
        if let Err(e) = accepted {
            log::warn!("accept a connection: {e}");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[derive(Clone)]
struct Exporter {
    connections: Arc<Mutex<Connections>>,
    source: Arc<Mutex<Source>>,
}

/// All connections by number, which grows; the handle of one that has not asked yet.
#[derive(Default)]
struct Connections {
    last: u64,
    open: BTreeMap<u64, Option<AbortHandle>>,
}

/// Where figures come from.
struct Source {
    root: PathBuf,
    gather: Gather,
    told: Option<(Instant, Arc<str>)>,
}

impl Exporter {
    fn new(root: &Path) -> Self {
        let source = Source { root: root.to_owned(), gather: Gather::default(), told: None };
        Self { connections: Arc::default(), source: Arc::new(Mutex::new(source)) }
    }

    /// Lets a connection in, if need be for another.
    fn admit(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if connections.open.len() >= CONNECTIONS {
            let silent = connections.open.iter().find_map(|(number, handle)| Some((*number, handle.clone()?)));
            // All are being answered: this one is closed.
            let Some((number, handle)) = silent else { return };
            handle.abort();
            connections.open.remove(&number);
        }
        connections.last += 1;
        let number = connections.last;
        let exporter = self.clone();
        let task = tokio::spawn(async move {
            let _ = exporter.answer(stream, number).await;
            exporter.connections.lock().unwrap_or_else(PoisonError::into_inner).open.remove(&number);
        });
        connections.open.insert(number, Some(task.abort_handle()));
    }

    async fn answer(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, number: u64) -> Option<()> {
        let asked = timeout(REQUEST, http::read(&mut stream)).await.ok()??;
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).open.insert(number, None);
        let answer = async {
            match asked {
                Asked::Metrics { body } => match self.text().await {
                    Ok(text) => http::tell(&mut stream, &text, body).await,
                    Err(e) => {
                        log::error!("{e:#}");
                        http::say(&mut stream, 500, "figures cannot be taken: see the journal\n").await
                    }
                },
                Asked::Start { body } => {
                    let text = if body { "figures of network namespaces are at /metrics\n" } else { "" };
                    http::say(&mut stream, 200, text).await
                }
                Asked::Wrong(status) => http::say(&mut stream, status, "").await,
            }
        };
        timeout(ANSWER, answer).await.ok()?.ok()
    }

    /// The text, not older than a second.
    async fn text(&self) -> Result<Arc<str>> {
        let source = Arc::clone(&self.source);
        let take = move || {
            let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
            let Source { root, gather, told } = &mut *source;
            if let Some((_, text)) = told.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
                return Ok(Arc::clone(text));
            }
            let text: Arc<str> = gather.text(root, None, Thoroughness::Sparing)?.into();
            *told = Some((Instant::now(), Arc::clone(&text)));
            Ok(text)
        };
        tokio::task::spawn_blocking(take).await.context("take figures")?
    }
}

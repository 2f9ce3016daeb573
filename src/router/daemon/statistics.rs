//! Who connects to a statistics socket is told how things are, and the connection ends: uWSGI's JSON, or by HTTP that (`/`) or the text
//! that Prometheus reads (`/metrics`).

use super::data::{Command, Handle, Status};
use super::listen::Listener;
use super::report::Report;
use crate::model::LinkName;
use crate::router::statistics::{json, prometheus};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

/// How many are told at once; the others wait at the socket.
const READERS: usize = 16;
/// How long it is waited for a request: who reads uWSGI's JSON sends none.
const REQUEST: Duration = Duration::from_millis(100);
/// How long one may take to read.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tells statistics for ever.
pub(super) async fn serve(listener: Listener, data: Handle, report: Arc<Report>, device: LinkName) {
    let readers = Arc::new(Semaphore::new(READERS));
    loop {
        let Ok(reader) = Arc::clone(&readers).acquire_owned().await else { return };
        let (data, report) = (data.clone(), Arc::clone(&report));
        let accepted = match &listener {
            Listener::Unix(listener, _) => listener.accept().await.map(|(stream, _)| {
                tokio::spawn(async move {
                    let _ = timeout(PATIENCE, tell(stream, &data, &report, device)).await;
                    drop(reader);
                });
            }),
            Listener::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                tokio::spawn(async move {
                    let _ = timeout(PATIENCE, tell(stream, &data, &report, device)).await;
                    drop(reader);
                });
            }),
        };
        if let Err(e) = accepted {
            log::warn!("accept a reader of statistics: {e}");
            tokio::time::sleep(REQUEST).await;
        }
    }
}

async fn tell<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    data: &Handle,
    report: &Report,
    device: LinkName,
) -> Option<()> {
    let mut request = [0; 2048];
    let length = timeout(REQUEST, stream.read(&mut request)).await.ok().and_then(Result::ok).unwrap_or(0);
    let (reply, answer) = oneshot::channel();
    data.send(Command::Status(reply));
    let status: Status = answer.await.ok()?;
    let request = &request[..length];
    let answer = if request.starts_with(b"GET /metrics") {
        http("text/plain; version=0.0.4; charset=utf-8", &prometheus(device, &status, &report.told()))
    } else if request.starts_with(b"GET ") {
        http("application/json", &json(device, &status, &report.told()))
    } else {
        json(device, &status, &report.told())
    };
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

fn http(kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.0 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

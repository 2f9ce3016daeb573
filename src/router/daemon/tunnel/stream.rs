//! TCP as tunnels want it, and what is said over it first.

use super::PATIENCE;
use crate::model::ServerAddress;
use crate::router::tunnel::handshake::{HEADER, Request, Response, rest};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt,
};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::time::timeout;

/// After how many seconds without a sign of life it is asked for one, how often after that, and how many may be missing.
const IDLE: u32 = 5;
const INTERVAL: u32 = 3;
const COUNT: u32 = 3;
/// How long what was sent may stay unanswered, in milliseconds.
const UNANSWERED: u32 = 15_000;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Listens at an address; with `alone` one of IPv6 is for that family alone (ipv6(7)), so that the other can have the same port.
pub(super) fn listen(address: SocketAddr, alone: bool) -> io::Result<std::net::TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(family, SockType::Stream, flags, None)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    if address.is_ipv6() {
        setsockopt(&socket, sockopt::Ipv6V6Only, &alone)?;
    }
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    nix::sys::socket::listen(&socket, Backlog::new(BACKLOG)?)?;
    Ok(socket.into())
}

/// A listener of this runtime's.
pub(super) fn adopt(listener: std::net::TcpListener) -> io::Result<TcpListener> {
    TcpListener::from_std(listener)
}

/// Nothing waits to be sent, and the dead are told.
pub(super) fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    setsockopt(stream, sockopt::TcpKeepIdle, &IDLE)?;
    setsockopt(stream, sockopt::TcpKeepInterval, &INTERVAL)?;
    setsockopt(stream, sockopt::TcpKeepCount, &COUNT)?;
    setsockopt(stream, sockopt::TcpUserTimeout, &UNANSWERED)?;
    Ok(())
}

/// Connects to a router, by whichever of its addresses answers first.
pub(super) async fn connect(server: &ServerAddress) -> Result<TcpStream, String> {
    let found = timeout(PATIENCE, lookup_host((server.host.as_str(), server.port))).await;
    let found = found.map_err(|_| format!("looking up {} takes too long", server.host))?;
    let mut last = format!("{} has no address", server.host);
    for address in found.map_err(|e| format!("look up {}: {e}", server.host))? {
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return tune(&stream).map(|()| stream).map_err(|e| e.to_string()),
            Ok(Err(e)) => last = format!("connect to {address}: {e}"),
            Err(_) => last = format!("connect to {address}: it does not answer"),
        }
    }
    Err(last)
}

/// Reads a request, and not a byte of what follows it.
pub(super) async fn request<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Request, String> {
    let (header, features) = message(stream).await?;
    Request::decode(header, &features).map_err(|e| e.to_string())
}

/// Says a request and hears the response.
pub(super) async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    request: &Request,
) -> Result<Response, String> {
    let lost = |e: io::Error| format!("the router has ended the connection: {e}");
    stream.write_all(&request.encode()).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;
    let (header, features) = message(stream).await?;
    Response::decode(header, &features).map_err(|e| e.to_string())
}

async fn message<S: AsyncRead + Unpin>(stream: &mut S) -> Result<([u8; HEADER], Vec<u8>), String> {
    let mut header = [0; HEADER];
    let lost = |e: io::Error| format!("it has ended the connection: {e}");
    stream.read_exact(&mut header).await.map_err(lost)?;
    let mut features = vec![0; rest(header).map_err(|e| e.to_string())?];
    stream.read_exact(&mut features).await.map_err(lost)?;
    Ok((header, features))
}

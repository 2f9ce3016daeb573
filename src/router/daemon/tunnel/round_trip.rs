//! How long it takes to the other end of a connection and back, as TCP knows it (`TCP_INFO`, tcp(7)) from what was sent last. So it is
//! known of every host and router, whatever it is, and nothing is sent for it.

use nix::sys::socket::getsockopt;
use nix::{getsockopt_impl, libc, sockopt_impl};
use std::os::fd::AsFd;
use std::time::Duration;

sockopt_impl!(
    /// What the kernel knows of a connection.
    TcpInfo,
    GetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    libc::tcp_info
);

/// That of a socket; none where it is not known.
pub(super) fn of(socket: &impl AsFd) -> Option<Duration> {
    let known = getsockopt(socket, TcpInfo).ok()?;
    Some(Duration::from_micros(known.tcpi_rtt.into())).filter(|time| !time.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    #[test]
    fn tcp_knows_it_and_nothing_else_does() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(of(&stream).is_some_and(|time| time < Duration::from_secs(1)), "{:?}", of(&stream));
        assert_eq!(of(&UnixStream::pair().unwrap().0), None);
    }
}

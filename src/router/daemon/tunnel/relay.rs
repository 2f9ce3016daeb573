//! What is between a ciphered stream and the packets' thread: a pair of unix sockets, and a task that copies both ways.
//!
//! The sockets' buffers are the only ones that grow, and the kernel bounds them; a host that does not read fills them, then its queue at the
//! packets' thread, which drops what comes after that.

use super::PATIENCE;
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, copy_buf, split};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How much is copied at a time, in bytes.
const PIECE: usize = 128 << 10;

/// The packets' end, and this one.
pub(super) fn pair() -> io::Result<(OwnedFd, UnixStream)> {
    let (theirs, ours) = std::os::unix::net::UnixStream::pair()?;
    theirs.set_nonblocking(true)?;
    ours.set_nonblocking(true)?;
    Ok((theirs.into(), UnixStream::from_std(ours)?))
}

/// Copies until either side ends, and then ends the other. Says why, where there is more to say than that.
pub(super) async fn relay<S: AsyncRead + AsyncWrite>(ciphered: S, packets: UnixStream) -> Option<String> {
    let (from_far, mut to_far) = split(ciphered);
    let (from_near, mut to_near) = packets.into_split();
    let mut from_far = BufReader::with_capacity(PIECE, from_far);
    let mut from_near = BufReader::with_capacity(PIECE, from_near);
    let ended = tokio::select! {
        inwards = copy_buf(&mut from_far, &mut to_near) => inwards.err(),
        outwards = copy_buf(&mut from_near, &mut to_far) => outwards.err(),
    };
    let _ = timeout(PATIENCE, to_far.shutdown()).await;
    // What ends a stream without saying so is the usual end.
    ended
        .filter(|e| !matches!(e.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof))
        .map(|e| e.to_string())
}

//! Super-packets into packets: what the kernel does where a device takes virtio-net headers, done here where none does.
//!
//! [`segment`] completes checksums, cuts super-packets of TCP and UDP (as the kernel's generic segmentation offload does) and fragments
//! what IPv4 lets be fragmented; [`answer`] is what to tell the sender where nothing can be done. [`Merge`] is the way back. [`count_down`] and [`clamp`] do to a
//! packet in its place what a router does that another link follows. Nothing is allocated for a packet: it is put together
//! in the caller's buffer and lent to the caller's function.

mod checksum;
mod cut;
mod hop;
mod icmp;
mod merge;

pub use checksum::Sum;
pub use hop::{clamp, count_down};
pub use icmp::{Trouble, answer, too_big};
pub use merge::Merge;

use super::packet::{Frame, Malformed, Packet, VnetHeader};
use cut::Sink;

/// How long a buffer must be so that everything fits: an Ethernet header and the longest IP packet.
pub const BUFFER: usize = 18 + 40 + 65535;

/// Why nothing, or no more, was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// The header does not fit the packet.
    Malformed(Malformed),
    /// It is longer than the receiver's MTU, and may not be fragmented: the sender is to be [told](too_big).
    TooBig,
    /// The buffer is too short; see [`BUFFER`].
    Buffer,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::TooBig => f.write_str("too_big"),
            Self::Buffer => f.write_str("buffer"),
        }
    }
}

impl std::error::Error for Refused {}

/// Gives `emit` the packets that the kernel would make of `packet` for a device without virtio-net headers, and says how many; each
/// has at most `mtu` bytes and all its checksums. What needs nothing is passed on as it is, uncopied.
///
/// # Errors
/// As [`Refused`] says; then `emit` was not called.
pub fn segment(
    header: &VnetHeader,
    packet: &Packet<'_>,
    mtu: usize,
    buffer: &mut [u8],
    emit: impl FnMut(&[u8]),
) -> Result<usize, Refused> {
    header.check(packet).map_err(Refused::Malformed)?;
    cut::cut(header, packet, &[], Sink::new(mtu, buffer, emit))
}

/// The same for a frame and the packet that the caller has taken out of it, if there is one. The MTU is that of the packet, and each
/// frame gets the header of the one that came, without padding.
///
/// # Errors
/// As [`segment`].
pub fn segment_frame(
    header: &VnetHeader,
    frame: &Frame<'_>,
    packet: Option<&Packet<'_>>,
    mtu: usize,
    buffer: &mut [u8],
    mut emit: impl FnMut(&[u8]),
) -> Result<usize, Refused> {
    header.check_frame(frame, packet).map_err(Refused::Malformed)?;
    let ahead = frame.bytes().get(..frame.header_len()).unwrap_or_default();
    match packet {
        Some(packet) => cut::cut(header, packet, ahead, Sink::new(mtu, buffer, emit)),
        None if frame.payload().len() > mtu => Err(Refused::TooBig),
        None => {
            emit(frame.bytes());
            Ok(1)
        }
    }
}

#[cfg(test)]
mod tests;

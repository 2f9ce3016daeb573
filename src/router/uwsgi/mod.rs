//! What uWSGI's tuntap plugin speaks, reads and tells: frames, rule blocks, option texts and statistics, as its 2.0 releases have them
//! (`plugins/tuntap`).
//!
//! A stream of frames: four bytes `00 | length u16 little-endian | kind`, then as many bytes as the length says. Kind 0 is a raw IP
//! packet, kind 1 a block of [rules](PeerRule) that takes the place of the peer's earlier ones. A peer that tells its credentials
//! begins with the twelve bytes of [`GREETING`], which carry an `SCM_CREDENTIALS` message (`unix(7)`).
//!
//! The original believes what it reads. Here a length beyond the bound, an unknown kind and a rule that cannot be meant are errors: the
//! stream cannot be trusted any further, and the peer is to be dropped.

mod decode;
mod options;
mod peer_rule;
mod statistics;

pub use decode::{Decoder, FrameError, Greeting, Kind, Message};
pub use options::{DeviceOption, RouteOption, RouterOption, credentials, listen};
pub use peer_rule::{BadRule, Direction, Inexpressible, PeerAction, PeerChains, PeerRule, decode_rules, encode_rules};
pub use statistics::{PeerStatistics, Statistics};

/// The bytes before each frame.
pub const HEADER: usize = 4;

/// The longest payload that the original takes unless told otherwise: its buffer holds 8192 bytes, and what it sends has the header in
/// the same.
pub const DEFAULT_MAX: usize = 8192;

/// What a peer that tells its credentials begins with.
pub const GREETING: [u8; 12] = *b"uwsgi-tuntap";

/// The four bytes before a payload of `len` bytes; none where that is more than they can say.
#[inline]
pub fn encode_header(kind: Kind, len: usize) -> Option<[u8; HEADER]> {
    let [low, high] = u16::try_from(len).ok()?.to_le_bytes();
    let number = match kind {
        Kind::Packet => 0,
        Kind::Rules => 1,
        Kind::Greeting => return None,
    };
    Some([0, low, high, number])
}

#[cfg(test)]
mod tests;

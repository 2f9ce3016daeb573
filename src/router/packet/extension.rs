//! IPv6's extension headers (RFC 8200, section 4): where they end, and what they say about fragments.

use super::{Fragment, Malformed, bytes_at};

/// The number of the hop-by-hop options header.
pub(super) const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

/// More than this are refused. RFC 8200 knows no order in which more than seven come up.
const MAX_HEADERS: usize = 8;

/// What stands behind the extension headers.
pub(super) struct End {
    /// Where, from the packet's beginning.
    pub at: u16,
    /// What.
    pub protocol: u8,
    /// Which part of it.
    pub fragment: Fragment,
}

/// Walks the headers of the packet, the first of which is a `next`.
#[inline]
pub(super) fn walk(packet: &[u8], next: u8) -> Result<End, Malformed> {
    let mut end = End { at: 40, protocol: next, fragment: Fragment::Whole };
    let is_extension = |number| matches!(number, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION);
    for _ in 0..MAX_HEADERS {
        // What follows the fragment header of a later fragment is the middle of something.
        if !is_extension(end.protocol) || end.fragment == Fragment::Later {
            return Ok(end);
        }
        step(packet, &mut end)?;
    }
    if is_extension(end.protocol) && end.fragment != Fragment::Later { Err(Malformed::Extension) } else { Ok(end) }
}

fn step(packet: &[u8], end: &mut End) -> Result<(), Malformed> {
    // All of them have at least 8 bytes.
    let [next, units, third, fourth, ..] =
        bytes_at::<8>(packet, usize::from(end.at)).map_err(|_| Malformed::Extension)?;
    let len = match end.protocol {
        FRAGMENT => 8,
        // In units of 4 bytes, less two (RFC 4302).
        AUTHENTICATION => (u16::from(units) + 2) * 4,
        _ => (u16::from(units) + 1) * 8,
    };
    match end.protocol {
        // Type 0, and there are addresses left to go to.
        ROUTING if third == 0 && fourth > 0 => return Err(Malformed::SourceRoute),
        FRAGMENT => {
            // A second one within the first could say anything.
            if end.fragment != Fragment::Whole {
                return Err(Malformed::Extension);
            }
            let word = u16::from_be_bytes([third, fourth]);
            end.fragment = Fragment::new(word >> 3, word & 1 != 0);
        }
        _ => {}
    }
    // Eight headers of at most 2048 bytes: no overflow.
    end.at += len;
    end.protocol = next;
    if usize::from(end.at) > packet.len() { Err(Malformed::Extension) } else { Ok(()) }
}

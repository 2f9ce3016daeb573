//! Checked views on what the kernel sends: messages in a datagram, attributes in a message, numbers in an attribute.
//!
//! Nothing is copied and nothing fails: what is cut short ends the iteration, what is not understood is passed over.
//! That is what lets a dump of a newer kernel be read by an older program, and ten thousand routes without as many
//! allocations. Encodings: `linux/netlink.h`, `linux/rtnetlink.h`; integers are in host order unless said otherwise.
//!
//! Must not know: what any message means.

use netlink_packet_core::NLA_TYPE_MASK;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The size of `struct nlmsghdr`.
const HEADER: usize = 16;
/// `AF_INET`.
pub(super) const INET: u8 = 2;
/// `AF_INET6`.
pub(super) const INET6: u8 = 10;

/// One netlink message (`struct nlmsghdr` and what follows it).
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    /// `nlmsg_type`.
    pub kind: u16,
    /// `nlmsg_flags`.
    pub flags: u16,
    /// `nlmsg_seq`.
    pub sequence: u32,
    /// What follows the header.
    pub payload: &'a [u8],
}

/// The messages of a datagram.
pub(super) fn messages(datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = u32(rest) as usize;
        let header: &[u8; HEADER] = rest.first_chunk()?;
        let message = Message {
            kind: u16(&header[4..]),
            flags: u16(&header[6..]),
            sequence: u32_at(header, 8),
            payload: rest.get(HEADER..length)?,
        };
        rest = after(rest, length);
        Some(message)
    })
}

/// The attributes (`struct nlattr`) in `bytes`: kind without the flag bits, and value.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let [a, b, c, d] = *rest.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let value = rest.get(4..length)?;
        rest = after(rest, length);
        Some((u16::from_ne_bytes([c, d]) & NLA_TYPE_MASK, value))
    })
}

/// What follows the first `length` bytes and their padding.
fn after(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(length.next_multiple_of(4)..).unwrap_or_default()
}

/// The attributes after a fixed header of `header` bytes.
pub(super) fn attributes_after(payload: &[u8], header: usize) -> impl Iterator<Item = (u16, &[u8])> {
    attributes(payload.get(header..).unwrap_or_default())
}

/// A byte at an offset; 0 when the bytes end before it.
pub(super) fn u8_at(bytes: &[u8], offset: usize) -> u8 {
    bytes.get(offset).copied().unwrap_or_default()
}

/// A number at an offset; 0 when the bytes end before it.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |four| u32::from_ne_bytes(*four))
}

/// A long number at an offset; 0 when the bytes end before it.
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    bytes.get(offset..).and_then(|rest| rest.first_chunk()).map_or(0, |eight| u64::from_ne_bytes(*eight))
}

/// A number.
pub(super) fn u32(value: &[u8]) -> u32 {
    u32_at(value, 0)
}

/// A signed number; 0 when it is cut short.
pub(super) fn i32(value: &[u8]) -> i32 {
    value.first_chunk().map_or(0, |four| i32::from_ne_bytes(*four))
}

/// A 16-bit number.
pub(super) fn u16(value: &[u8]) -> u16 {
    value.first_chunk().map_or(0, |two| u16::from_ne_bytes(*two))
}

/// A 16-bit number in network order.
pub(super) fn u16_be(value: &[u8]) -> u16 {
    value.first_chunk().map_or(0, |two| u16::from_be_bytes(*two))
}

/// Text up to its NUL; none when it is not UTF-8.
pub(super) fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value.split(|b| *b == 0).next()?).ok()
}

/// An IPv4 or IPv6 address, told by its length.
pub(super) fn ip(value: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(value) {
        return Some(IpAddr::V4(Ipv4Addr::from(four)));
    }
    <[u8; 16]>::try_from(value).ok().map(|sixteen| IpAddr::V6(Ipv6Addr::from(sixteen)))
}

/// The address that stands for everything in a family; none in other families.
pub(super) fn unspecified(family: u8) -> Option<IpAddr> {
    match family {
        INET => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        INET6 => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn attributes_are_read_up_to_where_they_are_cut() {
        let mut bytes = vec![8, 0, 4, 0];
        bytes.extend(1500u32.to_ne_bytes());
        bytes.extend([7, 0, 3, 0x80, b'l', b'o', 0, 0]);
        bytes.extend([200, 0, 1, 0, 1]);
        let read: Vec<_> = attributes(&bytes).collect();
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].0, u32(read[0].1)), (4, 1500));
        assert_eq!((read[1].0, text(read[1].1)), (3, Some("lo")));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_view_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for message in messages(&bytes) {
                for (_, value) in attributes_after(message.payload, 12) {
                    let _ = (u32(value), i32(value), u16(value), u16_be(value), text(value), ip(value));
                    let _ = attributes(value).count();
                }
            }
            let _ = attributes(&bytes).count();
        }
    }
}

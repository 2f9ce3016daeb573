//! Checked views of bytes that nobody vouches for: IP packets, Ethernet frames, virtio-net headers.
//!
//! What is read is read once, when a view is made; after that nothing can fail. Nothing is copied and nothing allocated: this runs
//! for each packet.
//!
//! | view | of |
//! |---|---|
//! | [`Packet`] | one IP packet, IPv4 or IPv6, as a tun device gives it |
//! | [`Frame`] | one Ethernet frame, as a tap device gives it |
//! | [`VnetHeader`] | what stands before either on a device with `IFF_VNET_HDR` |

mod extension;
mod frame;
mod ip;
mod vnet;

pub use frame::{Arp, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Frame, is_group};
pub use ip::{Family, Fragment, Packet, protocol};
pub use vnet::{Gso, VnetHeader};

/// Why bytes are no packet, frame or virtio-net header. Each has a [name](Self::name) that stays, for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Malformed {
    /// There are fewer bytes than the header has.
    Short,
    /// The version is neither 4 nor 6.
    Version,
    /// IPv4: the header length is below 20 bytes or beyond the packet (RFC 791).
    HeaderLength,
    /// The packet says that it is longer, or on a tun device shorter, than the bytes there are.
    TotalLength,
    /// IPv6: a jumbogram (RFC 2675). No tun device carries one.
    Jumbogram,
    /// IPv6: the chain of extension headers ends beyond the packet, is too long, or goes on in a later fragment (RFC 7112).
    Extension,
    /// The packet would be sent on to an address that no firewall sees: IPv4's source route options (RFC 7126), IPv6's routing
    /// header of type 0 (RFC 5095).
    SourceRoute,
    /// A transport header is cut off, or says it is longer than the packet.
    Transport,
    /// Ethernet: the type names another IP version than the packet does.
    Ethertype,
    /// virtio-net: unknown flags.
    VnetFlags,
    /// virtio-net: an unknown kind of super-packet, or one that the packet is not.
    VnetGsoType,
    /// virtio-net: the size of segments is none, or too small for what the packet holds.
    VnetGsoSize,
    /// virtio-net: the headers end beyond the packet.
    VnetHeaderLength,
    /// virtio-net: the checksum is not where the packet's protocol has it.
    VnetChecksum,
}

impl Malformed {
    /// All of them, in the order of their numbers (`as usize`).
    pub const ALL: [Self; 14] = [
        Self::Short,
        Self::Version,
        Self::HeaderLength,
        Self::TotalLength,
        Self::Jumbogram,
        Self::Extension,
        Self::SourceRoute,
        Self::Transport,
        Self::Ethertype,
        Self::VnetFlags,
        Self::VnetGsoType,
        Self::VnetGsoSize,
        Self::VnetHeaderLength,
        Self::VnetChecksum,
    ];

    /// A short name that never changes: letters and `_`, as Prometheus wants labels.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Version => "version",
            Self::HeaderLength => "header_length",
            Self::TotalLength => "total_length",
            Self::Jumbogram => "jumbogram",
            Self::Extension => "extension",
            Self::SourceRoute => "source_route",
            Self::Transport => "transport",
            Self::Ethertype => "ethertype",
            Self::VnetFlags => "vnet_flags",
            Self::VnetGsoType => "vnet_gso_type",
            Self::VnetGsoSize => "vnet_gso_size",
            Self::VnetHeaderLength => "vnet_header_length",
            Self::VnetChecksum => "vnet_checksum",
        }
    }
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for Malformed {}

/// The `N` bytes at `at`.
#[inline]
fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Malformed> {
    let part = bytes.get(at..).and_then(|rest| rest.first_chunk::<N>());
    part.copied().ok_or(Malformed::Short)
}

/// The big-endian number of two bytes at `at`.
#[inline]
fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    bytes_at(bytes, at).map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests;

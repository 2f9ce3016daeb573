//! What a rule is made of.

use ipnet::IpNet;
use std::net::IpAddr;

/// The addresses that a rule means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// Every one, of either family.
    Any,
    /// Those of a network, and of its family alone.
    Of(IpNet),
}

impl Network {
    /// Whether it has this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Of(net) => net.contains(&address),
        }
    }

    /// Those of a network; bits beyond its prefix are dropped.
    pub fn of(net: IpNet) -> Self {
        Self::Of(net.trunc())
    }

    /// The network, where there is one.
    pub const fn net(&self) -> Option<IpNet> {
        match self {
            Self::Any => None,
            Self::Of(net) => Some(*net),
        }
    }
}

/// Ports from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortRange {
    /// The first.
    pub first: u16,
    /// The last; not below the first.
    pub last: u16,
}

/// A set of ports.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ports(Vec<PortRange>);

impl Ports {
    /// All of them, or a protocol's without any.
    pub const ANY: Self = Self(Vec::new());

    /// The union of these ranges; [`Self::ANY`] of none. Those that touch become one.
    pub fn new(ranges: impl IntoIterator<Item = PortRange>) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().collect();
        ranges.sort_unstable();
        let mut merged: Vec<PortRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(before) if u32::from(range.first) <= u32::from(before.last) + 1 => {
                    before.last = before.last.max(range.last);
                }
                _ => merged.push(range),
            }
        }
        Self(merged)
    }

    /// The ranges in order, apart from each other; none for any port.
    pub fn ranges(&self) -> &[PortRange] {
        &self.0
    }

    /// Whether it asks nothing.
    pub const fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it has this port.
    #[inline]
    pub fn contain(&self, port: u16) -> bool {
        self.is_any() || self.0.iter().any(|range| (range.first..=range.last).contains(&port))
    }
}

/// How often a rule matches: a token bucket, as `limit rate` of `nft(8)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Packets per [`Self::unit`] on average; 1..=1,000,000,000.
    pub packets: u32,
    /// The time that is counted by.
    pub unit: Unit,
    /// Packets at once; 1..=100,000,000.
    pub burst: u32,
}

impl Rate {
    /// The largest [`Self::packets`].
    pub const MAX_PACKETS: u32 = 1_000_000_000;
    /// The largest [`Self::burst`]. In sixtieths of nanoseconds it still fits 64 bits.
    pub const MAX_BURST: u32 = 100_000_000;
    /// The burst where none is said, as that of `nft(8)`.
    pub const BURST: u32 = 5;
}

/// What a rate is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// `/s`
    Second,
    /// `/min`
    Minute,
}

impl Unit {
    /// How long it is, in nanoseconds.
    pub const fn nanos(self) -> u64 {
        match self {
            Self::Second => 1_000_000_000,
            Self::Minute => 60_000_000_000,
        }
    }
}

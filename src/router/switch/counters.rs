//! What is counted. One thread writes, any may read at any time and costs the writer nothing.

use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a packet went nowhere. Each has a counter for every port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It is no packet, or its virtio-net header lies.
    Malformed,
    /// Its source is no address of a host: unspecified, multicast, loopback, or link-local where nothing is on a link.
    Source,
    /// Its source is not one of the peer's.
    Spoofed,
    /// Its source, which the peer may have, is another peer's.
    Taken,
    /// Its source is out of the range that the peer may claim, or the router's own.
    Forbidden,
    /// A rule of the chain *out* denied it.
    DeniedOut,
    /// A rule of the chain *in* denied it.
    DeniedIn,
    /// A rule of the peer's own denied it.
    DeniedPeer,
    /// Nobody has its destination.
    NoPeer,
    /// It is for many, and this is no link.
    Multicast,
    /// It would go back to where it came from.
    Returned,
    /// It is larger than what it would leave by.
    TooBig,
    /// What waits for the peer is at its bound.
    QueueFull,
    /// All buffers are in use.
    NoBuffer,
    /// The device that it would leave by is down.
    Down,
    /// The device that it would leave by refused it.
    Refused,
    /// No route of the sender's table has its destination.
    NoRoute,
    /// The host that has its destination is not connected.
    Away,
    /// It went through as many routers as it may.
    Expired,
    /// Its route is being asked for.
    Asked,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 20] = [
        Self::Malformed,
        Self::Source,
        Self::Spoofed,
        Self::Taken,
        Self::Forbidden,
        Self::DeniedOut,
        Self::DeniedIn,
        Self::DeniedPeer,
        Self::NoPeer,
        Self::Multicast,
        Self::Returned,
        Self::TooBig,
        Self::QueueFull,
        Self::NoBuffer,
        Self::Down,
        Self::Refused,
        Self::NoRoute,
        Self::Away,
        Self::Expired,
        Self::Asked,
    ];

    /// The word for it in statistics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Source => "source",
            Self::Spoofed => "spoofed",
            Self::Taken => "taken",
            Self::Forbidden => "forbidden",
            Self::DeniedOut => "denied-out",
            Self::DeniedIn => "denied-in",
            Self::DeniedPeer => "denied-peer",
            Self::NoPeer => "no-peer",
            Self::Multicast => "multicast",
            Self::Returned => "returned",
            Self::TooBig => "too-big",
            Self::QueueFull => "queue-full",
            Self::NoBuffer => "no-buffer",
            Self::Down => "down",
            Self::Refused => "refused",
            Self::NoRoute => "no-route",
            Self::Away => "away",
            Self::Expired => "expired",
            Self::Asked => "asked",
        }
    }
}

/// A number that one thread counts up.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Counts; by the one thread only.
    pub fn add(&self, number: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(number), Ordering::Relaxed);
    }

    /// What it is.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one port counts. *Out* is what came from it, *in* what went to it.
#[derive(Debug, Default)]
pub struct Counters {
    /// Packets that came from it, as they are on a wire: a super-packet counts as what it will be cut into.
    pub out_packets: Count,
    /// Bytes of IP or Ethernet that came from it.
    pub out_bytes: Count,
    /// Packets that went to it.
    pub in_packets: Count,
    /// Bytes that went to it.
    pub in_bytes: Count,
    dropped: [Count; Reason::ALL.len()],
}

impl Counters {
    /// Counts packets that went nowhere, at the port that they came from, or were to go to for what is wrong there.
    pub fn lose(&self, reason: Reason, packets: u64) {
        self.dropped[reason as usize].add(packets);
    }

    /// How many went nowhere for a reason.
    pub fn dropped(&self, reason: Reason) -> u64 {
        self.dropped[reason as usize].get()
    }

    /// How many went nowhere.
    pub fn dropped_in_all(&self) -> u64 {
        self.dropped.iter().map(Count::get).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_place_and_its_word() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}

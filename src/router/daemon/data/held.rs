//! Packets whose route is being asked for wait for the answer, so that the first packet of a connection is not lost: a few for each address,
//! so many bytes in all, and so long.

use super::Data;
use super::messages::Member;
use crate::kernel::tun::Event;
use crate::router::Nanos;
use crate::router::packet::Packet;
use crate::router::switch::{PortId, Reason};
use crate::router::tunnel::name::TableName;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::net::IpAddr;

/// How many packets wait for one address.
const PACKETS: usize = 16;
/// How many bytes wait in all, with what a packet costs beside its own.
const BYTES: usize = 1 << 20;
const OVERHEAD: usize = 64;
/// How many of the times are remembered.
const TIMES: usize = 1 << 16;
/// How long.
const TIME: Nanos = 5_000_000_000;

/// A table's number, and an address in it.
type Key = (u32, IpAddr);

/// A packet, and whose it is.
type Packets = Vec<(Member, Box<[u8]>)>;

/// What waits.
#[derive(Default)]
pub(super) struct Held {
    /// By address, with when the first of them began to wait.
    packets: FxHashMap<Key, (Nanos, Packets)>,
    /// The same times, the oldest first. Those of what was answered stay until then.
    times: VecDeque<(Nanos, Key)>,
    bytes: usize,
}

impl Held {
    /// Whether there was room for a packet.
    fn push(&mut self, key: Key, from: Member, packet: &[u8], now: Nanos) -> bool {
        let cost = packet.len() + OVERHEAD;
        let waiting = self.packets.get(&key).map_or(0, |(_, packets)| packets.len());
        if self.bytes + cost > BYTES || waiting >= PACKETS || self.times.len() >= TIMES {
            return false;
        }
        if waiting == 0 {
            self.times.push_back((now, key));
        }
        self.bytes += cost;
        self.packets.entry(key).or_insert((now, Vec::new())).1.push((from, packet.into()));
        true
    }

    /// What waited for an address.
    fn take(&mut self, key: Key) -> Packets {
        let (_, taken) = self.packets.remove(&key).unwrap_or_default();
        self.bytes -= taken.iter().map(|(_, packet)| packet.len() + OVERHEAD).sum::<usize>();
        taken
    }

    /// When the first has waited long enough.
    pub fn due(&self) -> Option<Nanos> {
        self.times.front().map(|(since, _)| since + TIME)
    }

    /// What has waited long enough.
    fn expired(&mut self, now: Nanos) -> Packets {
        let mut all = Vec::new();
        while let Some((since, key)) = self.times.front().copied().filter(|(since, _)| since + TIME <= now) {
            self.times.pop_front();
            if self.packets.get(&key).is_some_and(|(first, _)| *first == since) {
                all.extend(self.take(key));
            }
        }
        all
    }
}

impl Data {
    /// Keeps a packet until there is an answer, or loses it.
    pub(super) fn hold(&mut self, from: PortId, packet: &[u8], now: Nanos) {
        let destination = Packet::parse(packet).map(|packet| packet.destination());
        let number = self.way(from).map(|way| way.number);
        let held = destination.ok().zip(number).is_some_and(|(destination, number)| {
            let key = (self.switch.table_of(from), destination);
            self.held.push(key, Member { port: from, number }, packet, now)
        });
        if !held {
            self.switch.failed(from, Reason::Asked, 1);
        }
    }

    /// There was an answer: what waited for it goes on, or nowhere.
    pub(super) fn answered(&mut self, table: &TableName, address: IpAddr, now: Nanos, later: &mut Vec<Event>) {
        let Some(domain) = self.switch.answered(table, address) else { return };
        for (from, mut packet) in self.held.take((domain, address)) {
            if self.is(from) {
                self.pass(from.port, &mut packet, now, later);
            }
        }
        self.send_gathered(now, later);
    }

    /// Loses what nobody has answered.
    pub(super) fn lose_held(&mut self, now: Nanos) {
        for (from, _) in self.held.expired(now) {
            if self.is(from) {
                self.switch.failed(from.port, Reason::Asked, 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_packets_wait_for_a_while() {
        let mut held = Held::default();
        let from = Member { port: PortId(1), number: 1 };
        let key = |n: u8| (1, IpAddr::from([192, 0, 2, n]));
        for n in 0..2 * PACKETS {
            assert_eq!(held.push(key(1), from, &[1; 1000], 5), n < PACKETS);
        }
        assert!(held.push(key(2), from, &[2; 1000], 6));
        assert_eq!(held.due(), Some(5 + TIME));
        assert_eq!(held.expired(4 + TIME).len(), 0);
        assert_eq!(held.take(key(1)).len(), PACKETS);
        // What was answered, and is asked for again, has a time of its own.
        assert!(held.push(key(1), from, &[3], 7));
        assert_eq!(held.expired(6 + TIME).len(), 1);
        assert_eq!(held.due(), Some(7 + TIME));
        assert_eq!(held.expired(7 + TIME).len(), 1);
        assert_eq!((held.bytes, held.due(), held.packets.len()), (0, None, 0));
        let pushed = (0..200).filter(|n| held.push(key(*n), from, &[0; 60_000], 8)).count();
        assert_eq!(pushed, BYTES / (60_000 + OVERHEAD));
    }
}

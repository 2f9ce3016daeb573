//! When it pays to wait for several packets at a time, as a network card does that moderates its interrupts.
//!
//! Theory: short packets that come fast cost less by the dozen: each wake-up of the packets' thread interrupts who sends them. Then
//! the kernel is asked to wake the thread for several at once, or after some microseconds for what there is. Where that
//! gathers next to nothing (a request that waits for its answer) it would only add to the time of each, so it is left alone for a while. Long
//! packets, which segmentation offload has gathered already, are never waited for.
//!
//! Must not know: sockets and devices.

use super::super::Event;
use std::time::{Duration, Instant};

/// Waits with packets closer together than this follow each other.
const CLOSE: Duration = Duration::from_micros(100);
/// What is called short, in bytes on the average of a wait.
const SHORT: usize = 2048;
/// After how many such waits packets are gathered.
const RUN: u32 = 8;
/// What a gathering must bring to be repeated.
const PAYS: usize = 3;
/// How many waits are left alone after one that did not pay.
const PAUSE: u32 = 512;

/// What the kernel is asked to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gather {
    /// So many packets,
    pub packets: usize,
    /// or those that there are after so many microseconds; then for one.
    pub micros: u32,
}

/// What is known of the waits before.
#[derive(Debug, Default)]
pub(super) struct Moderation {
    last: Option<Instant>,
    /// Waits that brought short packets, one close after the other.
    run: u32,
    /// Waits to be left alone.
    pause: u32,
}

impl Moderation {
    /// Whether the next wait gathers.
    pub fn gather(&self) -> Option<Gather> {
        (self.run >= RUN).then_some(Gather { packets: 16, micros: 40 })
    }

    /// What a wait brought.
    pub fn learn(&mut self, now: Instant, events: &[Event]) {
        let lengths = events.iter().filter_map(|event| match event {
            Event::Packet(_, buffer) => Some(buffer.length as usize),
            _ => None,
        });
        let (packets, bytes) = lengths.fold((0, 0), |(packets, bytes), length| (packets + 1, bytes + length));
        if packets == 0 {
            return;
        }
        let close = self.last.replace(now).is_some_and(|last| now.saturating_duration_since(last) < CLOSE);
        let paid = self.gather().is_none() || packets >= PAYS;
        self.pause = if paid { self.pause.saturating_sub(1) } else { PAUSE };
        self.run = if close && bytes < SHORT * packets && self.pause == 0 { self.run.saturating_add(1) } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::tun::engine::Buffer;

    /// Waits that bring so many packets of a length, so far apart; how many of the waits gathered.
    fn waits(moderation: &mut Moderation, count: u32, packets: usize, length: u32, apart: Duration) -> u32 {
        let mut now = moderation.last.unwrap_or_else(Instant::now);
        let mut gathered = 0;
        for _ in 0..count {
            now += apart;
            gathered += u32::from(moderation.gather().is_some());
            let events: Vec<Event> = (0..packets).map(|_| Event::Packet(0, Buffer { index: 0, length })).collect();
            moderation.learn(now, &events);
        }
        gathered
    }

    const SOON: Duration = Duration::from_micros(20);

    #[test]
    fn a_flood_of_short_packets_is_gathered() {
        assert!(waits(&mut Moderation::default(), 1000, 5, 100, SOON) > 980);
    }

    #[test]
    fn a_flood_of_long_packets_is_not() {
        assert_eq!(waits(&mut Moderation::default(), 1000, 5, 60000, SOON), 0);
    }

    #[test]
    fn requests_that_wait_for_answers_are_hardly_ever() {
        let gathered = waits(&mut Moderation::default(), 10_000, 1, 100, SOON);
        assert!((1..30).contains(&gathered), "{gathered} of 10,000");
    }

    #[test]
    fn what_comes_now_and_then_is_not() {
        assert_eq!(waits(&mut Moderation::default(), 1000, 5, 100, Duration::from_millis(1)), 0);
    }

    #[test]
    fn a_flood_after_a_pause_is_gathered_again() {
        let mut moderation = Moderation::default();
        waits(&mut moderation, 100, 1, 100, SOON);
        assert!(waits(&mut moderation, 10_000, 5, 100, SOON) > 9000);
    }
}

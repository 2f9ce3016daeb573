//! The token bucket (`tc-tbf(8)`): so many bytes per second, so many at once.

use crate::router::Nanos;
use crate::router::settings::Rate;

const SECOND: u128 = 1_000_000_000;

/// A bucket. It may go into debt by one packet, so that packets larger than the burst pass at the right rate, too.
#[derive(Debug, Clone)]
pub struct Bucket {
    rate: Rate,
    /// Bytes times [`SECOND`], so that nothing is lost by rounding.
    tokens: i128,
    at: Nanos,
}

impl Bucket {
    /// A full one.
    pub fn new(rate: Rate, now: Nanos) -> Self {
        Self { rate, tokens: i128::from(rate.burst) * SECOND as i128, at: now }
    }

    /// When the next packet may pass; none when that is now.
    pub fn wait(&mut self, now: Nanos) -> Option<Nanos> {
        self.refill(now);
        (self.tokens < 0).then(|| {
            let missing = self.tokens.unsigned_abs().div_ceil(u128::from(self.rate.bytes.max(1)));
            now.saturating_add(missing.min(u128::from(u64::MAX)) as u64)
        })
    }

    /// Takes what a packet costs.
    pub fn take(&mut self, now: Nanos, bytes: usize) {
        self.refill(now);
        self.tokens -= (bytes as u128 * SECOND) as i128;
    }

    /// Another rate from now on; what is in it stays, as far as there is room.
    pub fn change(&mut self, rate: Rate, now: Nanos) {
        self.refill(now);
        self.rate = rate;
        self.refill(now);
    }

    fn refill(&mut self, now: Nanos) {
        let elapsed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        let full = i128::from(self.rate.burst) * SECOND as i128;
        let gained = i128::from(elapsed).saturating_mul(i128::from(self.rate.bytes));
        self.tokens = self.tokens.saturating_add(gained).min(full);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// In any stretch of time no more passes than the rate, a burst and one packet.
        #[test]
        fn no_more_than_the_rate_passes(
            bytes in 1000..10_000_000_u64, burst in 0..100_000_u64,
            packets in prop::collection::vec((0..10_000_000_u64, 1..65_536_usize), 1..200),
        ) {
            let mut bucket = Bucket::new(Rate { bytes, burst }, 0);
            let (mut now, mut passed, mut largest) = (0, 0_u128, 0);
            for (pause, size) in packets {
                now += pause;
                if bucket.wait(now).is_none() {
                    bucket.take(now, size);
                    passed += size as u128;
                    largest = largest.max(size as u128);
                }
                let allowed = u128::from(burst) + u128::from(now) * u128::from(bytes) / SECOND + largest + 1;
                prop_assert!(passed <= allowed, "{passed} > {allowed}");
            }
        }

        /// Who waits as long as is said passes then, and not before.
        #[test]
        fn what_is_said_is_when(bytes in 1000..10_000_000_u64, size in 2..65_536_usize) {
            let mut bucket = Bucket::new(Rate { bytes, burst: 0 }, 0);
            bucket.take(0, size);
            let at = bucket.wait(0).expect("in debt");
            prop_assert!(bucket.wait(at - 1).is_some());
            prop_assert!(bucket.wait(at).is_none());
        }
    }
}

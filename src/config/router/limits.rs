//! What one peer may have: `[Limits]`, and what a section `[Admit …]` says otherwise.

use super::super::report::Report;
use super::super::section::Keys;
use super::value;
use crate::interfaces::diagnostic::Diagnostic;
use crate::router::settings::{Limits, Rate};

/// Keys of `[Limits]`.
pub(super) const NAMES: [&str; 7] = ["Peers", "Addresses", "Queue", "RateOut", "RateIn", "BurstOut", "BurstIn"];
/// Those of them that one peer may have otherwise.
pub(super) const OF_ONE: [&str; 6] = ["Addresses", "Queue", "RateOut", "RateIn", "BurstOut", "BurstIn"];

const MAX_PEERS: u32 = 65_536;
const MAX_ADDRESSES: u32 = 1024;
/// A queue holds at least two packets of the largest size.
const MIN_QUEUE: u64 = 128 << 10;
const MAX_QUEUE: u64 = 64 << 20;
/// A burst holds at least one packet of the largest size.
const MIN_BURST: u64 = 64 << 10;
const MAX_BURST: u64 = 1 << 30;
/// What may be sent at once where nothing is said: what the rate lets through in this part of a second, and two large packets.
const BURST: u64 = 50;
const LEAST_BURST: u64 = 128 << 10;

/// Reads limits; what is not said is as in `base`.
pub(super) fn read(keys: Keys<'_>, base: Limits, report: &mut Report) -> Limits {
    let peers = keys.read("Peers", |word| value::number(word, 1, MAX_PEERS, "a number of peers"), report);
    let what = "a number of addresses";
    let addresses = keys.read("Addresses", |word| value::number(word, 1, MAX_ADDRESSES, what), report);
    let queue = keys.read("Queue", |word| value::size(word, MIN_QUEUE, MAX_QUEUE), report);
    Limits {
        peers: peers.unwrap_or(base.peers),
        addresses: addresses.unwrap_or(base.addresses),
        queue: queue.and_then(|n| u32::try_from(n).ok()).unwrap_or(base.queue),
        rate_out: rate(keys, ("RateOut", "BurstOut"), base.rate_out, report),
        rate_in: rate(keys, ("RateIn", "BurstIn"), base.rate_in, report),
    }
}

fn rate(keys: Keys<'_>, names: (&str, &str), base: Option<Rate>, report: &mut Report) -> Option<Rate> {
    let bytes = keys.read(names.0, value::rate, report);
    let burst = keys.read(names.1, |word| value::size(word, MIN_BURST, MAX_BURST), report);
    if let Some(key) = keys.get(names.1).filter(|_| keys.get(names.0).is_none() && base.is_none()) {
        let message = format!("`{}` has no effect without `{}`", names.1, names.0);
        report.push(Diagnostic::warning(&key.name.span, message));
    }
    warn_of_bps(keys, names.0, report);
    let of_base = || base.map(|base| Rate { burst: burst.unwrap_or(base.burst), ..base });
    let own = bytes.map(|bytes| Rate { bytes, burst: burst.unwrap_or_else(|| default_burst(bytes)) });
    own.or_else(of_base)
}

fn default_burst(bytes: u64) -> u64 {
    (bytes / (1000 / BURST)).clamp(LEAST_BURST, MAX_BURST)
}

/// `10mbps` is what many write for ten megabits.
fn warn_of_bps(keys: Keys<'_>, name: &str, report: &mut Report) {
    let Some(key) = keys.get(name) else { return };
    let word = key.word();
    if let Some(number) = word.value.to_ascii_lowercase().strip_suffix("bps").filter(|number| !number.is_empty()) {
        let message = "`bps` is bytes per second, as in tc(8)";
        let help = format!("write {number}B for bytes, or {number}bit for bits");
        report.push(Diagnostic::warning(&word.span, message).help(help));
    }
}

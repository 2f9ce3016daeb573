//! Bridges, as bridge-utils' hook makes them (bridge-utils-interfaces(5)). Their ports are found in `ports`, what they say of
//! ports in `members`.
//!
//! The hook writes one setting after the other and goes on when the kernel refuses one: such a setting is left out here, with
//! a warning.

use super::super::inherit::Settled;
use super::super::report::Report;
use super::super::value::{Part, only_word, words};
use super::Reader;
use std::time::Duration;

/// The kernel's forward delay when nothing is said, in seconds.
const FORWARD_DELAY: u64 = 15;

/// The longest time that is waited for ports.
const MAX_WAIT: f64 = 86400.0;

/// Seconds within which the kernel takes these (`BR_MIN_…`, `BR_MAX_…`); the forward delay only with STP.
const HELLO: (f64, f64) = (1.0, 10.0);
const MAX_AGE: (f64, f64) = (6.0, 40.0);
const DELAY: (f64, f64) = (2.0, 30.0);
const AGEING: (f64, f64) = (0.0, 10_000_000.0);

/// Reads the options of the bridge itself.
pub(super) fn read(reader: &mut Reader<'_, '_>) {
    // A bridge that is made does not filter, and not every kernel can be told so.
    reader.take("bridge-vlan-aware", "vlan_filtering");
    reader.take("bridge-stp", "stp_state");
    let stp = reader.number_of("stp_state") == Some(1);
    seconds("bridge-ageing", "ageing_time", AGEING, reader);
    seconds("bridge-hello", "hello_time", HELLO, reader);
    seconds("bridge-maxage", "max_age", MAX_AGE, reader);
    seconds("bridge-fd", "forward_delay", if stp { DELAY } else { AGEING }, reader);
    reader.take("bridge-bridgeprio", "priority");
    reader.take("bridge-vlan-protocol", "vlan_protocol");
    reader.take("bridge-mcsnoop", "mcast_snooping");
    reader.take("bridge-mcquerier", "mcast_querier");
}

/// Seconds with a fraction as hundredths. Two of them are the least that every kernel can tell apart: Debian's counts in
/// 1/250 s.
fn seconds(name: &str, word: &str, (low, high): (f64, f64), reader: &mut Reader<'_, '_>) {
    let Some(part) = reader.word(name) else { return };
    let Some(seconds) = part.text.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds >= 0.0) else {
        reader.report.push(part.is_not("a number of seconds"));
        return;
    };
    if seconds < low || seconds > high {
        let message = format!("the kernel takes {low} to {high} seconds here, ignoring");
        reader.report.push(part.warning(message));
        return;
    }
    // Within the bounds, so that nothing is lost but what is beyond the hundredths.
    let hundredths = (seconds * 100.0 + 1e-6).floor() as u64;
    reader.set_number(word, hundredths & !1);
}

/// How long to wait until the ports forward: `bridge_maxwait`, or with STP twice the forward delay and a second.
pub(in crate::config) fn wait(reader: &mut Reader<'_, '_>) -> Option<Duration> {
    if reader.opt("bridge-maxwait").is_none() {
        let delay = reader.number_of("forward_delay").map_or(FORWARD_DELAY, |hundredths| hundredths / 100);
        return (reader.number_of("stp_state") == Some(1)).then(|| Duration::from_secs(2 * (delay + 1)));
    }
    let word = reader.word("bridge-maxwait")?;
    reader.report.take(duration(word)).filter(|wait| !wait.is_zero())
}

fn duration(word: Part<'_>) -> Result<Duration, crate::interfaces::diagnostic::Diagnostic> {
    let seconds = word.text.parse::<f64>().ok().filter(|seconds| (0.0..=MAX_WAIT).contains(seconds));
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| word.is_not("a number of seconds up to a day"))
}

/// `bridge_waitport SECONDS [PORT…]`: how long to wait for links to appear; all ports if it names none.
pub(in crate::config) fn wait_for_ports<'a>(
    settled: &Settled<'a>,
    report: &mut Report,
) -> Option<(Duration, Vec<Part<'a>>)> {
    let mut parts = words(settled.named("bridge-waitport")?);
    let wait = report.take(duration(parts.next()?)).filter(|wait| !wait.is_zero())?;
    let named: Vec<Part<'a>> = parts.collect();
    let all = || settled.all_named("bridge-ports").flat_map(words).collect();
    Some((wait, if named.is_empty() { all() } else { named }))
}

/// The MTU of the bridge's own stanza, which its ports get too.
pub(in crate::config) fn mtu(settled: &[Settled<'_>]) -> Option<u32> {
    let with_ports = settled.iter().filter(|settled| settled.named("bridge-ports").is_some());
    let mtu = with_ports.filter_map(|settled| settled.get(super::super::options::Key::Mtu)).next()?;
    only_word(mtu).ok()?.number(68, i32::MAX as u32).ok()
}

//! Methods that are commands and nothing else: `inet ppp`, and `can static` (interfaces(5)).
//!
//! A stanza of ppp has the name of a connection rather than that of a link: pppd(8) makes the link, under a name of its own.

use super::inherit::Settled;
use super::method::Means;
use super::report::Report;
use super::scripts::quoted;
use super::value::{only_word, words};
use crate::interfaces::diagnostic::Diagnostic;
use crate::interfaces::syntax::Opt;
use crate::model::{LinkName, Stanza};

/// The file in `/etc/ppp/peers` where a stanza names none, as pon(1) has it.
const PROVIDER: &str = "provider";

/// Options of `can static` with the words of ip-link(8), in its order.
const CAN: [(&str, &str); 8] = [
    ("bitrate", "bitrate"),
    ("samplepoint", "sample-point"),
    ("loopback", "loopback"),
    ("listenonly", "listen-only"),
    ("triple", "triple-sampling"),
    ("oneshot", "one-shot"),
    ("berr", "berr-reporting"),
    ("restart-ms", "restart-ms"),
];

/// Adds the method's commands to those of the stanza, whose scripts are among them already.
pub(super) fn commands(settled: &Settled<'_>, link: LinkName, stanza: &mut Stanza, report: &mut Report) {
    match settled.means {
        Means::Dial => {
            let provider = word(settled.named("provider"), report).unwrap_or_else(|| PROVIDER.to_owned());
            let mut pon = format!("pon {provider}");
            if let Some(unit) = word(settled.named("unit"), report) {
                pon += &format!(" unit {unit}");
            }
            for option in settled.named("options").into_iter().flat_map(words) {
                pon += &format!(" {}", quoted(option.text));
            }
            stanza.up.insert(0, pon);
            stanza.down.push(format!("poff {provider}"));
        }
        Means::Can => {
            if settled.named("bitrate").is_none() {
                let message = format!("`{}` has no `bitrate`", settled.iface.name.value);
                report.push(Diagnostic::error(&settled.iface.name.span, message));
            }
            let mut set = format!("ip link set dev {} type can", quoted(link.as_str()));
            for (name, is) in CAN {
                if let Some(value) = word(settled.named(name), report) {
                    set += &format!(" {is} {value}");
                }
            }
            stanza.pre_up.push(set);
        }
        _ => {}
    }
}

/// The only word of an option, for sh(1).
fn word(opt: Option<&Opt>, report: &mut Report) -> Option<String> {
    let part = report.take(only_word(opt?))?;
    Some(quoted(part.text))
}

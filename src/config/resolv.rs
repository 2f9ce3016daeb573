//! `dns-*` lines (resolvconf's and systemd-resolved's hooks), kept for whoever writes `resolv.conf`.

use super::inherit::Settled;
use super::method::Family;
use super::options::Key;
use crate::model::Place;

/// One `dns-*` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// The link whose stanza it is in.
    pub place: Place,
    /// Whether that is an `inet6` stanza.
    pub ipv6: bool,
    /// The option, such as `dns-nameservers`.
    pub option: String,
    /// Its value.
    pub value: String,
}

/// Those of a stanza, in order.
pub(super) fn lines(settled: &Settled<'_>, place: &Place) -> Vec<Dns> {
    let line = |opt: &crate::interfaces::syntax::Opt| Dns {
        place: place.clone(),
        ipv6: settled.family == Family::Inet6,
        option: super::options::plain(&opt.name.value).into_owned(),
        value: opt.value.value.clone(),
    };
    settled.all(Key::Dns).map(line).collect()
}

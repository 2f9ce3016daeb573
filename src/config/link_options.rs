//! Options of the link itself, the same for both families: `mtu`, `hwaddress`, `description` and the settings of the
//! `vlan` package.

use super::inherit::Settled;
use super::kind::yes_or_no;
use super::method::{Family, Means};
use super::options::Key;
use super::report::Report;
use super::stable;
use super::value::{Part, only_word, words};
use crate::interfaces::Files;
use crate::interfaces::diagnostic::Diagnostic;
use crate::interfaces::syntax::Opt;
use crate::model::{MacAddr, Place, Sysctl};

/// What a stanza asks of its link.
#[derive(Default)]
pub(super) struct Wishes<'a> {
    pub mtu: Option<Mtu<'a>>,
    pub mac: Option<(MacAddr, &'a Opt)>,
    pub alias: Option<String>,
    pub sysctls: Vec<(Sysctl, String)>,
}

/// An MTU. In an `inet6` stanza it only ever raises the link's.
#[derive(Clone, Copy)]
pub(super) struct Mtu<'a> {
    pub bytes: u32,
    pub raises_only: bool,
    pub opt: &'a Opt,
}

/// The least MTU that IPv4 works with (RFC 791).
const LEAST_MTU: u32 = 68;

/// The kernel's `IFALIASZ` less its NUL.
const LONGEST_ALIAS: usize = 255;

/// Reads them.
pub(super) fn evaluate<'a>(settled: &Settled<'a>, place: &Place, files: &dyn Files, report: &mut Report) -> Wishes<'a> {
    let mut wishes = Wishes::default();
    let loopback = settled.means == Means::Loopback;
    if let Some(opt) = settled.get(Key::Mtu).filter(|_| !loopback) {
        let raises_only = settled.family == Family::Inet6;
        wishes.mtu = mtu(opt, report).map(|bytes| Mtu { bytes, raises_only, opt });
    }
    if let Some(opt) = settled.get(Key::Hwaddress).filter(|_| !loopback) {
        wishes.mac = report.take(hwaddress(opt, place, files)).map(|mac| (mac, opt));
    }
    if let Some(opt) = settled.get(Key::Description) {
        wishes.alias = report.take(description(opt));
    }
    for (key, name, high) in [(Key::ProxyArp, "proxy_arp", 1), (Key::RpFilter, "rp_filter", 2)] {
        let Some(opt) = settled.get(key) else { continue };
        if let Some(value) = report.take(only_word(opt).and_then(|word| word.number(0, high))) {
            wishes.sysctls.push((Sysctl::ipv4(place.link, name), value.to_string()));
        }
    }
    forwarding(settled, place, &mut wishes, report);
    wishes
}

/// `ip-forward` and `ip6-forward`, for this link alone.
fn forwarding(settled: &Settled<'_>, place: &Place, wishes: &mut Wishes<'_>, report: &mut Report) {
    let settings = [
        ("ip-forward", Sysctl::ipv4(place.link, "forwarding")),
        ("ip6-forward", Sysctl::ipv6(place.link, "forwarding")),
    ];
    for (name, sysctl) in settings {
        let Some(opt) = settled.named(name) else { continue };
        if let Some(yes) = report.take(only_word(opt).and_then(yes_or_no)) {
            wishes.sysctls.push((sysctl, u8::from(yes).to_string()));
        }
    }
}

fn mtu(opt: &Opt, report: &mut Report) -> Option<u32> {
    let word = report.take(only_word(opt))?;
    let bytes: u32 = report.take(word.number(LEAST_MTU, i32::MAX as u32))?;
    if bytes > 65536 {
        report.push(word.warning(format!("hardly any link has an mtu of {bytes}")));
    }
    Some(bytes)
}

/// `[ether] MAC` or `random`.
fn hwaddress(opt: &Opt, place: &Place, files: &dyn Files) -> Result<MacAddr, Diagnostic> {
    let mut all: Vec<Part<'_>> = words(opt).collect();
    if all.len() == 2
        && ["ether", "ax25", "arcnet", "netrom"].iter().any(|class| all[0].text.eq_ignore_ascii_case(class))
    {
        all.remove(0);
    }
    let [word] = all[..] else { return Err(Part::whole(opt).is_not("a hardware address")) };
    if word.text == "random" {
        return stable::random_mac(files, place).ok_or_else(|| {
            word.error("a random address cannot be made: /etc/machine-id says nothing").help(
                "it is derived from that file, so that it stays the same; write one with systemd-machine-id-setup(1)",
            )
        });
    }
    let mac: MacAddr = word.text.parse().map_err(|_| word.is_not("a hardware address"))?;
    if mac.is_multicast() {
        return Err(word.error(format!("`{}` is a multicast address, which no link can have", word.shown())));
    }
    if mac.as_bytes().iter().all(|byte| *byte == 0) {
        return Err(word.error("no link can have the hardware address of zeros"));
    }
    Ok(mac)
}

fn description(opt: &Opt) -> Result<String, Diagnostic> {
    let text = &opt.value.value;
    if text.len() > LONGEST_ALIAS {
        let message = format!("a description has up to {LONGEST_ALIAS} bytes, this one {}", text.len());
        return Err(Part::whole(opt).error(message));
    }
    Ok(text.clone())
}

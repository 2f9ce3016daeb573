//! Links as ip-link(8), ip-tuntap(8), bridge(8) and wg(8) have them.
//!
//! A new link's name always has the word `name` before it: `ip` reads some names, such as `l`, as words.

use super::super::op::{LinkSetting, VlanRange};
use super::{Exec, Ip, Quoted, Target, dev};
use crate::model::{Kind, LinkOption, LinkOptions, Netns, Place, Virtual, VirtualKind, VlanProtocol};
use std::fmt;

pub(super) fn write_add_link(f: &mut fmt::Formatter<'_>, place: &Place, kind: &Kind) -> fmt::Result {
    // The request goes to the namespace that holds what the link stands on, as with iproute2 a link's parent is
    // looked up where the command runs.
    let at = kind.made_in(&place.netns);
    let (ip, name, inside) = (Ip(at), dev(&place.link), Inside { at, to: &place.netns });
    match kind {
        Kind::Veth { peer: Some(peer) } => {
            write!(f, "{ip} link add name {} type veth peer name {name}{inside}", dev(&peer.link))
        }
        Kind::Vlan { parent: Some(parent), id, protocol } => {
            write!(f, "{ip} link add link {} name {name}{inside} type vlan", dev(&parent.link))?;
            if *protocol == VlanProtocol::Ieee8021Ad {
                write!(f, " protocol 802.1ad")?;
            }
            write!(f, " id {id}")
        }
        Kind::Virtual(v) if matches!(v.kind, VirtualKind::Tun | VirtualKind::Tap) => {
            write!(f, "{} tuntap add dev {name} mode {}", Ip(&place.netns), v.kind.as_str())?;
            write_options(f, v.kind.options(), &v.options)
        }
        Kind::Virtual(v) if v.kind.is_moved_after_birth() && *at != place.netns => {
            write_virtual(f, place, at, &Inside { at, to: at }, v)?;
            write!(f, " && {ip} link set dev {name}{inside}")
        }
        Kind::Virtual(v) => write_virtual(f, place, at, &inside, v),
        kind => write!(f, "{ip} link add name {name} type {}", kind.name()),
    }
}

pub(super) fn write_ensure_link(f: &mut fmt::Formatter<'_>, place: &Place, own: &Virtual) -> fmt::Result {
    write!(f, "if {} link show dev {} >/dev/null 2>&1; then ", Ip(&place.netns), dev(&place.link))?;
    let set = LinkSetting::Options { kind: own.kind, options: own.options.clone() };
    write_set_link(f, place, &set)?;
    write!(f, "; else ")?;
    write_add_link(f, place, &Kind::Virtual(own.clone()))?;
    write!(f, "; fi")
}

/// ` netns NAME` where a link is not made in the namespace that it shall be in.
struct Inside<'a> {
    at: &'a Netns,
    to: &'a Netns,
}

impl fmt::Display for Inside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at == self.to { Ok(()) } else { write!(f, " netns {}", Target(self.to)) }
    }
}

fn write_virtual(
    f: &mut fmt::Formatter<'_>,
    place: &Place,
    at: &Netns,
    inside: &Inside<'_>,
    v: &Virtual,
) -> fmt::Result {
    write!(f, "{} link add", Ip(at))?;
    if let Some(parent) = v.parent.as_ref().filter(|_| !v.kind.names_parent_as_dev()) {
        write!(f, " link {}", dev(&parent.link))?;
    }
    write!(f, " name {}{inside} type {}", dev(&place.link), v.kind.as_str())?;
    write_options(f, v.kind.options(), &v.options)?;
    match &v.parent {
        Some(parent) if v.kind.names_parent_as_dev() => write!(f, " dev {}", dev(&parent.link)),
        _ => Ok(()),
    }
}

/// Options in the order of the table.
fn write_options(f: &mut fmt::Formatter<'_>, known: &[LinkOption], options: &LinkOptions) -> fmt::Result {
    let named = known.iter().filter_map(|option| Some(option.show(options.get(option.word)?)));
    for words in named.filter(|words| !words.is_empty()) {
        words.split(' ').try_for_each(|word| write!(f, " {}", Quoted(word)))?;
    }
    Ok(())
}

pub(super) fn write_set_link(f: &mut fmt::Formatter<'_>, place: &Place, set: &LinkSetting) -> fmt::Result {
    let (ip, name) = (Ip(&place.netns), dev(&place.link));
    match set {
        LinkSetting::Up(true) => write!(f, "{ip} link set dev {name} up"),
        LinkSetting::Up(false) => write!(f, "{ip} link set dev {name} down"),
        LinkSetting::Mtu(mtu) => write!(f, "{ip} link set dev {name} mtu {mtu}"),
        LinkSetting::Mac(mac) => write!(f, "{ip} link set dev {name} address {mac}"),
        LinkSetting::Alias(text) => write!(f, "{ip} link set dev {name} alias {}", Quoted(text)),
        LinkSetting::Master(Some(master)) => write!(f, "{ip} link set dev {name} master {}", dev(master)),
        LinkSetting::Master(None) => write!(f, "{ip} link set dev {name} nomaster"),
        LinkSetting::AddAltname(alt) => write!(f, "{ip} link property add dev {name} altname {}", Quoted(alt)),
        LinkSetting::DeleteAltname(alt) => {
            write!(f, "{ip} link property del dev {name} altname {}", Quoted(alt))
        }
        LinkSetting::Options { kind, options } => {
            write!(f, "{ip} link set dev {name} type {}", kind.as_str())?;
            write_options(f, kind.options(), options)
        }
        LinkSetting::Port { of, options } => {
            write!(f, "{ip} link set dev {name} type {}", of.as_str())?;
            write_options(f, of.options(), options)
        }
        LinkSetting::AddVlans(range) => write_vlans(f, "add", place, range),
        LinkSetting::DeleteVlans(range) => write_vlans(f, "del", place, range),
        LinkSetting::AddrGenMode(mode) => {
            let modes = ["eui64", "none", "stable_secret", "random"];
            let mode = modes.get(usize::from(*mode)).copied().unwrap_or("eui64");
            write!(f, "{ip} link set dev {name} addrgenmode {mode}")
        }
        LinkSetting::Wireguard(wg) => {
            write!(f, "{}wg setconf {name} {}", Exec(&place.netns), Quoted(&wg.path))
        }
    }
}

fn write_vlans(f: &mut fmt::Formatter<'_>, verb: &str, place: &Place, range: &VlanRange) -> fmt::Result {
    f.write_str("bridge")?;
    if let Some(name) = place.netns.name() {
        write!(f, " -n {}", Quoted(name.as_str()))?;
    }
    write!(f, " vlan {verb} vid {}", range.first)?;
    if range.last > range.first {
        write!(f, "-{}", range.last)?;
    }
    write!(f, " dev {}", dev(&place.link))?;
    for (word, set) in [("pvid", range.pvid), ("untagged", range.untagged), ("self", range.of_the_bridge)] {
        if set {
            write!(f, " {word}")?;
        }
    }
    Ok(())
}

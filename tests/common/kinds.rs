//! Which kinds of links this machine's kernel has; and options in short.
#![allow(dead_code, reason = "each test file uses a part of it")]

use super::{in_world, try_sh};
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};
use systemd_netns::model::{Kind, LinkOptions, Place, Virtual, VirtualKind};
use systemd_netns::plan::{LinkSetting, Op};

/// Two links that others may stand on, with an address each, and a namespace. In one call: it is made hundreds of times.
pub const SETUP: &str = r"ip netns add a; printf '%s\n' 'link set lo up' \
    'link add name p0 type veth peer name p1' 'link set p0 up address 02:00:00:00:00:01' \
    'link set p1 up address 02:00:00:00:00:02' 'address add 192.0.2.1/24 dev p0' \
    'address add 2001:db8::1/64 dev p0 nodad' | ip -batch -";

/// What was tried already.
static TRIED: LazyLock<Mutex<BTreeMap<String, bool>>> = LazyLock::new(Mutex::default);

/// Whether the kernel can do what a script does in a world of its own; if not, that is said aloud, once.
pub fn can(what: &str, script: &str) -> bool {
    let mut tried = TRIED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    *tried.entry(what.to_owned()).or_insert_with(|| {
        let output = in_world(|| try_sh(script));
        let able = output.as_ref().is_some_and(|output| output.status.success());
        if let Some(output) = output.filter(|_| !able) {
            eprintln!("SKIPPED: this kernel has no {what}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        able
    })
}

/// Whether the kernel has links of a kind.
pub fn has(kind: VirtualKind) -> bool {
    let name = kind.as_str();
    let parent = "ip link add name p type veth peer name q && ip link add link p name x type";
    let script = match kind {
        VirtualKind::Tun | VirtualKind::Tap => format!("ip tuntap add dev x mode {name}"),
        VirtualKind::Vxlan => format!("ip link add name x type {name} id 1 dstport 4789"),
        VirtualKind::Vrf => format!("ip link add name x type {name} table 5"),
        kind if kind.needs_parent() => format!("{parent} {name}"),
        kind if kind.is_ip_tunnel() && name.contains('6') => {
            format!("ip link add name x type {name} local 2001:db8::1 remote 2001:db8::2")
        }
        kind if kind.is_ip_tunnel() => format!("ip link add name x type {name} local 192.0.2.1 remote 192.0.2.2"),
        _ => format!("ip link add name x type {name}"),
    };
    can(&format!("{name} links"), &script)
}

/// Whether the kernel has 802.1Q links.
pub fn has_vlans() -> bool {
    can("VLAN links", "ip link add name p type veth peer name q && ip link add link p name x type vlan id 5")
}

/// Whether its bridges know VLANs.
pub fn has_vlan_filtering() -> bool {
    can("VLAN-aware bridges", "ip link add name x type bridge vlan_filtering 1")
}

/// `WORD VALUE, WORD VALUE…` as options of a kind. A value may have blanks in it.
#[track_caller]
pub fn options(kind: VirtualKind, text: &str) -> LinkOptions {
    let one = |part: &str| {
        let (word, value) = part.trim().split_once(' ').unwrap_or((part.trim(), "1"));
        let option = kind.option(word).unwrap_or_else(|| panic!("{} has no {word}", kind.as_str()));
        (option.word.to_owned(), option.parse(value).unwrap_or_else(|e| panic!("{e}")))
    };
    text.split(", ").filter(|part| !part.trim().is_empty()).map(one).collect()
}

/// A kind with options, on a parent or not.
#[track_caller]
pub fn made_of(kind: VirtualKind, parent: Option<Place>, text: &str) -> Kind {
    let mut v = Virtual::new(kind, parent, options(kind, text));
    v.complete();
    Kind::Virtual(v)
}

/// Changes options of a link.
#[track_caller]
pub fn change(kind: VirtualKind, place: &Place, text: &str) -> Op {
    let set = LinkSetting::Options { kind, options: options(kind, text) };
    Op::SetLink { place: place.clone(), set }
}

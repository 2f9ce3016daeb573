//! What a link is, by its name and options: the namespace's `lo`, an end of a pair, a VLAN, one that is made of options,
//! or one that exists.
//!
//! Which option makes which kind: `link-type` any, `bridge-ports` a bridge, `bond-slaves` or `bond-mode` a bond, `vxlan-id`,
//! `vrf-table`, `tunnel-mode` or the tunnels' methods, `wireguard-config-path` or `use wireguard`, `tunctl-user`. The
//! modules below read the options of theirs.

pub(super) mod bond;
pub(super) mod bridge;
mod reader;
pub(super) mod simple;
pub(super) mod tunnel;
pub(super) mod vlan;
mod vxlan;
mod wireguard;

use super::inherit::Settled;
use super::method::Means;
use super::options::Key;
use super::report::Report;
use super::value::{Part, only_word, words};
use crate::interfaces::Files;
use crate::interfaces::diagnostic::{Diagnostic, Span};
use crate::model::{LinkName, LinkOptions, Netns, VirtualKind, VlanProtocol, Wireguard};
pub(super) use reader::{Reader, value, yes_or_no};
use std::time::Duration;

/// A link's kind before it is known where the links that it depends on are.
pub(super) enum Shape<'a> {
    /// `lo`.
    Loopback,
    /// A link that exists, on the host or in the namespace.
    Existing,
    /// One end of a pair whose other end is a port of the host's bridge.
    Port {
        /// The bridge.
        bridge: LinkName,
    },
    /// One end of a pair within the namespace.
    Pair {
        /// The other end.
        peer: LinkName,
        span: Span,
    },
    /// A VLAN.
    Vlan {
        /// The link that carries it.
        parent: LinkName,
        id: u16,
        protocol: VlanProtocol,
        /// `vlan-raw-device` names the parent, whose MTU is then raised to the VLAN's.
        raw: bool,
    },
    /// One that is made of options.
    Made(Made<'a>),
}

/// A link that is made of options.
pub(super) struct Made<'a> {
    pub kind: VirtualKind,
    pub options: LinkOptions,
    /// The link that it stands on.
    pub parent: Option<(LinkName, Part<'a>)>,
    /// Where its outer packets travel, if not where it is.
    pub birth: Option<Netns>,
    /// How long to wait for its ports.
    pub wait: Option<Duration>,
    pub wireguard: Option<Box<Wireguard>>,
}

/// What makes a link a kind.
struct Maker {
    kind: Making,
    span: Span,
    word: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Making {
    Pair,
    Vlan,
    Virtual(VirtualKind),
}

/// The kind of a link that is no end of a `link-netns` pair, from its name and stanzas.
pub(super) fn shape<'a>(
    link: LinkName,
    span: &Span,
    settled: &[Settled<'a>],
    files: &dyn Files,
    report: &mut Report,
) -> Option<Shape<'a>> {
    let name = link.as_str();
    if link.is_loopback() {
        return Some(Shape::Loopback);
    }
    let maker = report.take(maker(settled))?;
    match maker.as_ref().map(|maker| maker.kind) {
        Some(Making::Virtual(kind)) => made(kind, link, settled, files, report).map(Shape::Made),
        Some(Making::Pair) => report.take(simple::pair(link, settled, &maker?.span)),
        Some(Making::Vlan) => report.take(by_vlan_options(name, settled, &maker?.span)),
        None => match name.split_once("..") {
            Some((bridge, port)) => report.take(bridge_port(bridge, port, span)),
            None => report.take(vlan::by_name(name, span)).map(|vlan| vlan.unwrap_or(Shape::Existing)),
        },
    }
}

fn by_vlan_options<'a>(name: &str, settled: &[Settled<'a>], span: &Span) -> Result<Shape<'a>, Diagnostic> {
    let options = [Key::VlanRawDevice, Key::VlanId, Key::VlanProtocol];
    let of_vlan = |s: &&Settled<'_>| options.into_iter().any(|key| s.get(key).is_some());
    match settled.iter().find(of_vlan).or(settled.first()) {
        Some(settled) => vlan::by_options(name, settled),
        None => Err(Diagnostic::error(span, "this VLAN has no stanza")),
    }
}

fn made<'a>(
    kind: VirtualKind,
    link: LinkName,
    settled: &[Settled<'a>],
    files: &dyn Files,
    report: &mut Report,
) -> Option<Made<'a>> {
    let mut reader = Reader::new(kind, settled, report);
    let mut made = Made { kind, options: LinkOptions::new(), parent: None, birth: None, wait: None, wireguard: None };
    match kind {
        VirtualKind::Bridge => {
            bridge::read(&mut reader);
            made.wait = bridge::wait(&mut reader);
        }
        VirtualKind::Bond => bond::read(&mut reader),
        VirtualKind::Dummy | VirtualKind::Vrf => {}
        VirtualKind::Macvlan | VirtualKind::Macvtap | VirtualKind::Ipvlan => {
            made.parent = Some(simple::on_parent(&mut reader)?);
        }
        VirtualKind::Tun | VirtualKind::Tap => simple::tuntap(&mut reader, files),
        VirtualKind::Vxlan => made.parent = vxlan::read(&mut reader)?,
        VirtualKind::Wireguard => {
            made.birth = wireguard::birth(&mut reader);
            made.wireguard = wireguard::read(link, &mut reader, files).map(Box::new);
        }
        // Its file says what it is.
        VirtualKind::Xfrm => {}
        VirtualKind::Gre
        | VirtualKind::Gretap
        | VirtualKind::Ip6gre
        | VirtualKind::Ip6gretap
        | VirtualKind::Ipip
        | VirtualKind::Sit
        | VirtualKind::Ip6tnl => made.parent = tunnel::read(&mut reader)?,
    }
    made.options = reader.options;
    Some(made)
}

/// The option or method that makes the link, if there is one; two that contradict each other are a mistake.
fn maker(settled: &[Settled<'_>]) -> Result<Option<Maker>, Diagnostic> {
    let mut found: Option<Maker> = None;
    for (index, settled) in settled.iter().enumerate() {
        for maker in makers(settled)? {
            match &found {
                None if index > 0 && maker.kind == Making::Virtual(VirtualKind::Bridge) => {
                    let message = "a bridge is made by the first stanza of its name";
                    return Err(Diagnostic::error(&maker.span, message).help("move the `bridge_*` options there"));
                }
                None => found = Some(maker),
                Some(first) if first.kind != maker.kind => {
                    let message = format!("`{}` and `{}` make different links", first.word, maker.word);
                    return Err(Diagnostic::error(&maker.span, message).help(format!("the first is at {}", first.span)));
                }
                Some(_) => {}
            }
        }
    }
    Ok(found)
}

/// What one stanza says of it, in order.
fn makers(settled: &Settled<'_>) -> Result<Vec<Maker>, Diagnostic> {
    let mut all = Vec::new();
    if settled.means == Means::Tunnel {
        let kind = tunnel::of_method(settled)?;
        let method = settled.method.name.to_owned();
        all.push(Maker { kind: Making::Virtual(kind), span: settled.iface.name.span.clone(), word: method });
    }
    let is_slave = settled.named("bond-master").is_some();
    for setting in &settled.settings {
        let (Some(def), opt) = (setting.def, setting.opt) else { continue };
        let kind = match def.name {
            "link-type" => link_type(only_word(opt)?)?,
            "bridge-ports" => Some(Making::Virtual(VirtualKind::Bridge)),
            "bond-slaves" | "bond-mode" if !is_slave => Some(Making::Virtual(VirtualKind::Bond)),
            "vxlan-id" => Some(Making::Virtual(VirtualKind::Vxlan)),
            "vrf-table" => Some(Making::Virtual(VirtualKind::Vrf)),
            "tunnel-mode" => Some(Making::Virtual(tunnel::by_mode(only_word(opt)?)?)),
            "wireguard-config-path" => Some(Making::Virtual(VirtualKind::Wireguard)),
            "use" if words(opt).any(|word| word.text == "wireguard") => Some(Making::Virtual(VirtualKind::Wireguard)),
            "tuntap-owner" if super::options::plain(&opt.name.value) == "tunctl-user" => {
                Some(Making::Virtual(VirtualKind::Tap))
            }
            "vlan-raw-device" | "vlan-id" | "vlan-protocol" => Some(Making::Vlan),
            _ => None,
        };
        all.extend(kind.map(|kind| Maker { kind, span: opt.name.span.clone(), word: opt.name.value.clone() }));
    }
    Ok(all)
}

/// The words of `link-type`: those of ip-link(8).
fn link_type(word: Part<'_>) -> Result<Option<Making>, Diagnostic> {
    let kind = VirtualKind::ALL.into_iter().find(|kind| kind.as_str() == word.text);
    match (kind, word.text) {
        (Some(VirtualKind::Xfrm), _) => {
            let help = "a section of the file `xfrm` beside this one makes it, with its IfId and Prefixes";
            Err(word.is_not("a kind of link that `interfaces` makes").help(help))
        }
        (Some(kind), _) => Ok(Some(Making::Virtual(kind))),
        (None, "veth") => Ok(Some(Making::Pair)),
        (None, "vlan") => Ok(Some(Making::Vlan)),
        // ifupdown2's word for what exists.
        (None, "ether") => Ok(None),
        (None, _) => {
            let all = VirtualKind::ALL.iter().filter(|kind| **kind != VirtualKind::Xfrm);
            let kinds: Vec<&str> = all.map(|kind| kind.as_str()).collect();
            let help = format!("kinds are veth, vlan, {}", kinds.join(", "));
            Err(word.is_not("a kind of link that can be made").help(help))
        }
    }
}

fn bridge_port<'a>(bridge: &str, port: &str, span: &Span) -> Result<Shape<'a>, Diagnostic> {
    let error = |message: String| {
        Diagnostic::error(span, message).help("`BR..X` is the end X of a pair whose other end is a port of bridge BR")
    };
    if port.is_empty() {
        return Err(error(format!("`{bridge}..` has nothing after the dots")));
    }
    let bridge = bridge.parse().map_err(|_| error(format!("`..{port}` names no bridge before the dots")))?;
    Ok(Shape::Port { bridge })
}

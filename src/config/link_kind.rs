//! What a link is, by its name and options: the namespace's `lo`, an end of a pair, a port of a host's bridge, a VLAN,
//! or a link that exists (vlan-interfaces(5); `BR..X` is of this program).

use super::inherit::Settled;
use super::options::Key;
use super::report::Report;
use super::value::{only_word, shown};
use crate::interfaces::diagnostic::{Diagnostic, Span};
use crate::model::{LinkName, VlanProtocol};

/// A link's kind before it is known where the links that it depends on are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// `lo`.
    Loopback,
    /// A link that exists, on the host or in the namespace.
    Existing,
    /// One end of a pair whose other end is a port of the host's bridge.
    Port {
        /// The bridge.
        bridge: LinkName,
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
}

/// The kind of a link that is no end of a `link-netns` pair, from its name and stanzas.
pub(super) fn shape(link: LinkName, span: &Span, settled: &[Settled<'_>], report: &mut Report) -> Option<Shape> {
    let name = link.as_str();
    if link.is_loopback() {
        return Some(Shape::Loopback);
    }
    if let Some((bridge, port)) = name.split_once("..") {
        return report.take(bridge_port(bridge, port, span));
    }
    let vlan = settled.iter().find(|s| s.get(Key::VlanRawDevice).is_some() || s.get(Key::VlanId).is_some());
    match vlan {
        Some(settled) => report.take(vlan_by_options(name, settled)),
        None => report.take(vlan_by_name(name, span)).map(|vlan| vlan.unwrap_or(Shape::Existing)),
    }
}

fn bridge_port(bridge: &str, port: &str, span: &Span) -> Result<Shape, Diagnostic> {
    let error = |message: String| {
        Diagnostic::error(span, message).help("`BR..X` is the end X of a pair whose other end is a port of bridge BR")
    };
    if port.is_empty() {
        return Err(error(format!("`{bridge}..` has nothing after the dots")));
    }
    let bridge = bridge.parse().map_err(|_| error(format!("`..{port}` names no bridge before the dots")))?;
    Ok(Shape::Port { bridge })
}

/// `X.V`.
fn vlan_by_name(name: &str, span: &Span) -> Result<Option<Shape>, Diagnostic> {
    let Some((parent, id)) = dotted(name) else { return Ok(None) };
    let Some(id) = vlan_id(id) else {
        let message = format!("`{}` is no VLAN: its number is not from 0 to 4094", shown(name));
        return Err(Diagnostic::error(span, message).help("`X.V` is VLAN V on link X"));
    };
    let parent = parent.parse().map_err(|why| Diagnostic::error(span, format!("{why}")))?;
    Ok(Some(Shape::Vlan { parent, id, protocol: VlanProtocol::Ieee8021Q, raw: false }))
}

/// The link and the number of `X.V`.
pub(super) fn dotted(name: &str) -> Option<(&str, &str)> {
    let (parent, id) = name.rsplit_once('.')?;
    let number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    (number && !parent.is_empty() && !name.contains("..")).then_some((parent, id))
}

fn vlan_id(digits: &str) -> Option<u16> {
    digits.parse().ok().filter(|id| *id <= 4094)
}

/// `vlan-raw-device`, `vlan-id` and `vlan-protocol`.
fn vlan_by_options(name: &str, settled: &Settled<'_>) -> Result<Shape, Diagnostic> {
    let place = &settled.iface.name.span;
    let number = name.strip_prefix("vlan").filter(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()));
    let by_name = dotted(name).map(|(_, id)| id).or(number);
    let id = match (settled.get(Key::VlanId), by_name) {
        (Some(opt), _) => {
            let word = only_word(opt)?;
            let id = word.number(0, 4094)?;
            if by_name.is_some_and(|digits| vlan_id(digits) != Some(id)) {
                return Err(word.error(format!("`vlan-id {id}` contradicts the name `{}`", shown(name))));
            }
            id
        }
        (None, Some(digits)) => vlan_id(digits).ok_or_else(|| {
            Diagnostic::error(place, format!("`{}` is no VLAN: its number is not from 0 to 4094", shown(name)))
        })?,
        (None, None) => {
            let message = format!("`{}` does not say which VLAN it is", shown(name));
            return Err(Diagnostic::error(place, message).help("add `vlan-id`, or name it `vlanV` or `X.V`"));
        }
    };
    let protocol = settled.get(Key::VlanProtocol).map(only_word).transpose()?;
    let protocol = match protocol {
        None => VlanProtocol::Ieee8021Q,
        Some(word) if word.text.eq_ignore_ascii_case("802.1q") => VlanProtocol::Ieee8021Q,
        Some(word) if word.text.eq_ignore_ascii_case("802.1ad") => VlanProtocol::Ieee8021Ad,
        Some(word) => return Err(word.is_not("`802.1q` or `802.1ad`")),
    };
    match (settled.get(Key::VlanRawDevice), dotted(name)) {
        (Some(opt), _) => {
            let word = only_word(opt)?;
            let parent = word.text.parse().map_err(|why| word.error(format!("{why}")))?;
            Ok(Shape::Vlan { parent, id, protocol, raw: true })
        }
        (None, Some((parent, _))) => {
            let parent = parent.parse().map_err(|why| Diagnostic::error(place, format!("{why}")))?;
            Ok(Shape::Vlan { parent, id, protocol, raw: false })
        }
        (None, None) => {
            let message = format!("`{}` does not say which link carries it", shown(name));
            Err(Diagnostic::error(place, message).help("add `vlan-raw-device`"))
        }
    }
}

//! VLANs: `X.V`, `vlanV` with `vlan-raw-device`, or any name with `vlan-id` (vlan-interfaces(5)).

use super::super::inherit::Settled;
use super::super::options::Key;
use super::super::value::{only_word, shown};
use super::Shape;
use crate::interfaces::diagnostic::{Diagnostic, Span};
use crate::model::VlanProtocol;

/// `X.V`.
pub(super) fn by_name<'a>(name: &str, span: &Span) -> Result<Option<Shape<'a>>, Diagnostic> {
    let Some((parent, id)) = dotted(name) else { return Ok(None) };
    let Some(id) = vlan_id(id) else {
        let message = format!("`{}` is no VLAN: its number is not from 0 to 4094", shown(name));
        return Err(Diagnostic::error(span, message).help("`X.V` is VLAN V on link X"));
    };
    let parent = parent.parse().map_err(|why| Diagnostic::error(span, format!("{why}")))?;
    Ok(Some(Shape::Vlan { parent, id, protocol: VlanProtocol::Ieee8021Q, raw: false }))
}

/// The link and the number of `X.V`.
pub(in crate::config) fn dotted(name: &str) -> Option<(&str, &str)> {
    let (parent, id) = name.rsplit_once('.')?;
    let number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    (number && !parent.is_empty() && !name.contains("..")).then_some((parent, id))
}

pub(in crate::config) fn vlan_id(digits: &str) -> Option<u16> {
    digits.parse().ok().filter(|id| *id <= 4094)
}

/// `vlan-raw-device`, `vlan-id` and `vlan-protocol`.
pub(super) fn by_options<'a>(name: &str, settled: &Settled<'a>) -> Result<Shape<'a>, Diagnostic> {
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

//! Options of links as attributes: `IFLA_INFO_DATA` and `IFLA_INFO_SLAVE_DATA` (`linux/if_link.h`).
//!
//! Theory: one table for each kind says for each word of ip-link(8) which attribute it is and how its value lies there. The
//! same row is read in both directions, so what is asked for and what is seen are the same value. Several words may share one
//! attribute, each a bit of it: what they say is put together by OR. A word whose value may be of either family has a row for
//! each. What is not in the table is not seen.
//!
//! Must not know: when an option can be changed, how it is written (`model`).

mod tables;
mod wire;

use super::error::Error;
use super::view;
use crate::model::{LinkName, LinkOptions, PortOf, VirtualKind};
use std::collections::BTreeMap;
use wire::Wire;

/// One word of a kind.
#[derive(Debug, Clone, Copy)]
struct Row {
    word: &'static str,
    /// `IFLA_…`.
    attribute: u16,
    wire: Wire,
}

/// Puts an attribute (`struct nlattr`) at the end of a buffer.
pub(super) fn put(buffer: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    buffer.extend(length.to_ne_bytes());
    buffer.extend(kind.to_ne_bytes());
    buffer.extend(value);
    buffer.resize(buffer.len().next_multiple_of(4), 0);
}

/// The attributes that say `options` of a link of that kind, with `index` to look up links.
pub(super) fn encode(
    kind: VirtualKind,
    options: &LinkOptions,
    index: impl FnMut(LinkName) -> Result<u32, Error>,
) -> Result<Vec<u8>, Error> {
    encode_by(tables::of(kind), kind.as_str(), options, index)
}

/// The attributes that say `options` of a port.
pub(super) fn encode_port(port: PortOf, options: &LinkOptions) -> Result<Vec<u8>, Error> {
    encode_by(tables::of_port(port), port.as_str(), options, |link| Err(Error::NoLink(link)))
}

/// The attribute in which a kind names the link that it stands on, where that is an option of its own.
pub(super) fn parent_attribute(kind: VirtualKind) -> Option<u16> {
    match kind {
        VirtualKind::Vxlan => Some(tables::IFLA_VXLAN_LINK),
        VirtualKind::Xfrm => Some(tables::IFLA_XFRM_LINK),
        kind if kind.is_ip_tunnel() => Some(tables::IFLA_TUNNEL_LINK),
        _ => None,
    }
}

/// What attributes say of a link of that kind, with `name` to look up links.
pub(super) fn decode(kind: VirtualKind, data: &[u8], name: impl Fn(u32) -> Option<LinkName>) -> LinkOptions {
    decode_by(tables::of(kind), data, name)
}

/// What attributes say of a port.
pub(super) fn decode_port(port: PortOf, data: &[u8]) -> LinkOptions {
    decode_by(tables::of_port(port), data, |_| None)
}

fn encode_by(
    rows: &[Row],
    kind: &str,
    options: &LinkOptions,
    mut index: impl FnMut(LinkName) -> Result<u32, Error>,
) -> Result<Vec<u8>, Error> {
    let mut attributes: BTreeMap<u16, Vec<u8>> = BTreeMap::new();
    for (word, value) in options {
        let mut found = rows.iter().filter(|row| row.word == word);
        let parts = found.find_map(|row| row.wire.write(row.attribute, value, &mut index).transpose());
        let parts = parts.ok_or_else(|| Error::NoOption { kind: kind.to_owned(), word: word.clone() })??;
        for (attribute, bytes) in parts {
            let whole = attributes.entry(attribute).or_default();
            whole.resize(whole.len().max(bytes.len()), 0);
            whole.iter_mut().zip(bytes).for_each(|(byte, more)| *byte |= more);
        }
    }
    let mut data = Vec::new();
    attributes.iter().for_each(|(kind, value)| put(&mut data, *kind, value));
    Ok(data)
}

fn decode_by(rows: &[Row], data: &[u8], name: impl Fn(u32) -> Option<LinkName>) -> LinkOptions {
    let attributes: BTreeMap<u16, &[u8]> = view::attributes(data).collect();
    let read = |row: &Row| Some((row.word.to_owned(), row.wire.read(row.attribute, &attributes, &name)?));
    rows.iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LinkOption, LinkValue, Shape};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_kernels_words_are_those_of_the_model() {
        let words = |rows: &[Row]| rows.iter().map(|row| row.word).collect::<BTreeSet<_>>();
        let model = |options: &[LinkOption]| options.iter().map(|option| option.word).collect::<BTreeSet<_>>();
        for kind in VirtualKind::ALL {
            assert_eq!(words(tables::of(kind)), model(kind.options()), "{}", kind.as_str());
        }
        for port in [PortOf::Bridge, PortOf::Bond] {
            assert_eq!(words(tables::of_port(port)), model(port.options()), "{}", port.as_str());
        }
    }

    /// A value of an option's shape.
    fn sample(option: &LinkOption, n: u64) -> LinkValue {
        let v6 = |n: u64| format!("2001:db8::{:x}", n % 0xffff + 1);
        let v4 = |n: u64| format!("192.0.2.{}", n % 255 + 1);
        let text = match option.shape {
            Shape::Number(max) => (n % (max + 1)).to_string(),
            Shape::NumberOrNone(_) if n.is_multiple_of(3) => "none".to_owned(),
            Shape::NumberOrNone(max) => (n % (max + 1)).to_string(),
            Shape::Tos => (n % 256).to_string(),
            Shape::Digit | Shape::OnOff | Shape::OrNo | Shape::Bare => (n % 2).to_string(),
            Shape::Choice(names) | Shape::BareChoice(names) => names[n as usize % names.len()].0.to_owned(),
            Shape::Ip if option.word == "group" => format!("ff05::{:x}", n % 0xffff),
            Shape::Ip | Shape::Ip6 => v6(n),
            Shape::Ip4 => v4(n),
            Shape::Ip4List => format!("{},{}", v4(n), v4(n + 1)),
            Shape::Ip6List => format!("{},{}", v6(n), v6(n + 1)),
            Shape::Mac => format!("02:00:00:00:00:{:02x}", n % 256),
            Shape::Link => "eth7".to_owned(),
            Shape::Ports => format!("{} {}", n % 65536, (n + 1) % 65536),
        };
        option.parse(&text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(kind in prop::sample::select(VirtualKind::ALL.to_vec()), which in any::<u64>(), n in any::<u64>()) {
            let all = kind.options().iter().enumerate().filter(|(i, _)| which >> (i % 64) & 1 == 1);
            // A VXLAN has one of the two.
            let all = all.filter(|(_, option)| !(kind == VirtualKind::Vxlan && option.word == "remote"));
            let options: LinkOptions = all.map(|(_, o)| (o.word.to_owned(), sample(o, n))).collect();
            let data = encode(kind, &options, |_| Ok(7)).unwrap();
            let read = decode(kind, &data, |index| (index == 7).then(|| "eth7".parse().unwrap()));
            for (word, value) in &options {
                prop_assert_eq!(read.get(word), Some(value), "{}", word);
            }
        }

        #[test]
        fn no_bytes_make_a_table_panic(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            for kind in VirtualKind::ALL {
                decode(kind, &data, |_| None);
            }
            decode_port(PortOf::Bridge, &data);
            decode_port(PortOf::Bond, &data);
        }
    }

    #[test]
    fn a_word_that_the_kind_does_not_have_is_an_error() {
        let options = LinkOptions::from([("mode".to_owned(), LinkValue::Number(1))]);
        let error = encode(VirtualKind::Bridge, &options, |_| Ok(1)).unwrap_err();
        assert_eq!(error.to_string(), "a bridge link has no option mode, or not with that value");
        assert!(
            encode(VirtualKind::Bond, &LinkOptions::from([("mode".into(), LinkValue::Number(256))]), |_| Ok(1))
                .is_err()
        );
    }
}

//! How one value lies in an attribute.

use super::super::error::Error;
use super::super::view;
use super::put;
use crate::model::{LinkName, LinkValue, MacAddr};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// `GRE_KEY` of the flags in `linux/if_tunnel.h`.
const GRE_KEY: u16 = 0x2000;
/// `IP6_TNL_F_IGN_ENCAP_LIMIT` (`linux/ip6_tunnel.h`).
const IP6_TNL_F_IGN_ENCAP_LIMIT: u32 = 1;
/// What stands for no limit in the model: one more than the largest.
const NO_LIMIT: u64 = 256;

/// How a value lies in an attribute. Integers are in host order unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    U8,
    U16,
    U32,
    U64,
    Be16,
    /// `__be32` that counts only with `GRE_KEY` among the flags in another attribute.
    Key(u16),
    /// `struct in_addr` or `in6_addr` of the family, of all addresses or only those that are (not) multicast.
    Ip(Family, Option<bool>),
    Mac,
    /// The index of a link of the same namespace.
    Index,
    /// Attributes that count from 0, each an address.
    List(Family),
    /// `struct ifla_vxlan_port_range`: two `__be16`.
    Ports,
    /// An attribute without a value, there or not (`NLA_FLAG`).
    Presence,
    /// A bit of a `__be16`.
    BitBe16(u16),
    /// A bit of a `__u16`.
    Bit16(u16),
    /// A bit of `struct br_boolopt_multi` (`linux/if_bridge.h`): two `__u32`, values and mask.
    BoolOpt(u32),
    /// A byte, or none by a flag in another attribute (`__u32`).
    Limit(u16),
}

/// The family of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    fn has(self, ip: &IpAddr) -> bool {
        ip.is_ipv4() == (self == Family::V4)
    }
}

/// Attributes, some of them parts of one that other words share.
type Parts = Vec<(u16, Vec<u8>)>;

impl Wire {
    /// A value as attributes; none when it is not of this sort.
    pub fn write(
        self,
        attribute: u16,
        value: &LinkValue,
        index: &mut impl FnMut(LinkName) -> Result<u32, Error>,
    ) -> Result<Option<Parts>, Error> {
        if let (Wire::Index, LinkValue::Link(link)) = (self, value) {
            return Ok(Some(vec![(attribute, index(*link)?.to_ne_bytes().to_vec())]));
        }
        let bytes = match (self, value) {
            (Wire::Presence, LinkValue::Number(0)) => return Ok(Some(Vec::new())),
            (Wire::Key(flags), LinkValue::Number(n)) => {
                let Ok(key) = u32::try_from(*n) else { return Ok(None) };
                return Ok(Some(vec![
                    (attribute, key.to_be_bytes().to_vec()),
                    (flags, GRE_KEY.to_be_bytes().to_vec()),
                ]));
            }
            (Wire::Limit(flags), LinkValue::Number(NO_LIMIT)) => {
                return Ok(Some(vec![(flags, IP6_TNL_F_IGN_ENCAP_LIMIT.to_ne_bytes().to_vec())]));
            }
            (wire, LinkValue::Number(n)) => wire.number(*n),
            (Wire::Ip(family, multicast), LinkValue::Ip(ip)) => {
                (family.has(ip) && multicast.is_none_or(|m| m == ip.is_multicast())).then(|| octets(*ip))
            }
            (Wire::Mac, LinkValue::Mac(mac)) => Some(mac.as_bytes().to_vec()),
            (Wire::List(family), LinkValue::List(list)) => addresses(family, list),
            (Wire::Ports, LinkValue::List(two)) => ports(two),
            _ => None,
        };
        Ok(bytes.map(|bytes| vec![(attribute, bytes)]))
    }

    /// A number as bytes; none when it is too large or no number is meant.
    fn number(self, n: u64) -> Option<Vec<u8>> {
        let bit = |bit: u64| match n {
            0 => Some(0),
            1 => Some(bit),
            _ => None,
        };
        Some(match self {
            Wire::U8 | Wire::Limit(_) => vec![u8::try_from(n).ok()?],
            Wire::U16 => u16::try_from(n).ok()?.to_ne_bytes().to_vec(),
            Wire::U32 => u32::try_from(n).ok()?.to_ne_bytes().to_vec(),
            Wire::U64 => n.to_ne_bytes().to_vec(),
            Wire::Be16 => u16::try_from(n).ok()?.to_be_bytes().to_vec(),
            Wire::Presence => Vec::new(),
            Wire::BitBe16(flag) => u16::try_from(bit(flag.into())?).ok()?.to_be_bytes().to_vec(),
            Wire::Bit16(flag) => u16::try_from(bit(flag.into())?).ok()?.to_ne_bytes().to_vec(),
            Wire::BoolOpt(flag) => {
                let value = u32::try_from(bit(flag.into())?).ok()?;
                [value.to_ne_bytes(), flag.to_ne_bytes()].concat()
            }
            _ => return None,
        })
    }

    /// The value that attributes have; none when it is not there, or is an address that stands for none.
    pub fn read(
        self,
        attribute: u16,
        attributes: &BTreeMap<u16, &[u8]>,
        name: &impl Fn(u32) -> Option<LinkName>,
    ) -> Option<LinkValue> {
        let value = attributes.get(&attribute).copied();
        let flag = |set: bool| Some(LinkValue::Number(set.into()));
        if self == Wire::Presence {
            return flag(value.is_some());
        }
        if let Wire::Limit(flags) = self
            && attributes.get(&flags).is_some_and(|f| view::u32(f) & IP6_TNL_F_IGN_ENCAP_LIMIT != 0)
        {
            return Some(LinkValue::Number(NO_LIMIT));
        }
        let value = value?;
        let number = |n: u64| Some(LinkValue::Number(n));
        match self {
            Wire::U8 | Wire::Limit(_) => number(view::u8_at(value, 0).into()),
            Wire::U16 => number(view::u16(value).into()),
            Wire::U32 => number(view::u32(value).into()),
            Wire::U64 => number(u64::from_ne_bytes(*value.first_chunk()?)),
            Wire::Be16 => number(view::u16_be(value).into()),
            Wire::Key(flags) => {
                let keyed = attributes.get(&flags).is_some_and(|f| view::u16_be(f) & GRE_KEY != 0);
                if keyed { number(u32::from_be_bytes(*value.first_chunk()?).into()) } else { None }
            }
            Wire::Ip(family, multicast) => {
                let fits = |ip: &IpAddr| family.has(ip) && multicast.is_none_or(|m| m == ip.is_multicast());
                view::ip(value).filter(|ip| fits(ip) && !ip.is_unspecified()).map(LinkValue::Ip)
            }
            Wire::Mac => MacAddr::from_bytes(value).map(LinkValue::Mac),
            Wire::Index => name(view::u32(value)).map(LinkValue::Link),
            Wire::List(family) => {
                let all = view::attributes(value).filter_map(|(_, ip)| view::ip(ip));
                Some(LinkValue::List(all.filter(|ip| family.has(ip)).map(LinkValue::Ip).collect()))
            }
            Wire::Ports => {
                let two = [view::u16_be(value), view::u16_be(value.get(2..)?)];
                Some(LinkValue::List(two.map(|port| LinkValue::Number(port.into())).to_vec()))
            }
            Wire::BitBe16(bit) => flag(view::u16_be(value) & bit != 0),
            Wire::Bit16(bit) => flag(view::u16(value) & bit != 0),
            Wire::BoolOpt(bit) if view::u32_at(value, 4) & bit == 0 => None,
            Wire::BoolOpt(bit) => flag(view::u32(value) & bit != 0),
            Wire::Presence => None,
        }
    }
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn addresses(family: Family, list: &[LinkValue]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for (number, value) in list.iter().enumerate() {
        let LinkValue::Ip(ip) = value else { return None };
        if !family.has(ip) {
            return None;
        }
        put(&mut bytes, u16::try_from(number).ok()?, &octets(*ip));
    }
    Some(bytes)
}

fn ports(two: &[LinkValue]) -> Option<Vec<u8>> {
    let [LinkValue::Number(low), LinkValue::Number(high)] = two else { return None };
    let be = |n: u64| u16::try_from(n).ok().map(u16::to_be_bytes);
    Some([be(*low)?, be(*high)?].concat())
}

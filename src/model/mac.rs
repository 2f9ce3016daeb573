//! Link-layer addresses.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A hardware address as `IFLA_ADDRESS` carries it: 6 bytes on Ethernet, 20 on InfiniBand, at most 32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr {
    len: u8,
    bytes: [u8; Self::MAX],
}

impl MacAddr {
    /// The kernel's `MAX_ADDR_LEN`.
    pub const MAX: usize = 32;

    /// An address from the kernel's bytes; none when there are more than [`Self::MAX`].
    pub fn from_bytes(b: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX];
        bytes.get_mut(..b.len())?.copy_from_slice(b);
        Some(MacAddr { len: b.len() as u8, bytes })
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Whether it is a multicast address, which no link may bear.
    pub fn is_multicast(&self) -> bool {
        self.len == 6 && self.bytes[0] & 1 == 1
    }
}

impl FromStr for MacAddr {
    type Err = String;

    /// Hexadecimal bytes with `:` or `-` between them; 6 or 20 of them.
    fn from_str(s: &str) -> Result<Self, String> {
        let bytes: Option<Vec<u8>> = s
            .split([':', '-'])
            .map(|b| if b.len() <= 2 && !b.starts_with('+') { u8::from_str_radix(b, 16).ok() } else { None })
            .collect();
        bytes
            .filter(|b| b.len() == 6 || b.len() == 20)
            .and_then(|b| Self::from_bytes(&b))
            .ok_or_else(|| format!("\"{s}\" is not a hardware address"))
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.as_bytes().iter().enumerate() {
            write!(f, "{}{byte:02x}", if i > 0 { ":" } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for MacAddr {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MacAddr {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        let bytes: Option<Vec<u8>> = text.split(':').map(|b| u8::from_str_radix(b, 16).ok()).collect();
        bytes.and_then(|b| Self::from_bytes(&b)).ok_or_else(|| serde::de::Error::custom("not a hardware address"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_as_they_parse() {
        let mac: MacAddr = "02:00:0A:b:cc:dd".parse().unwrap();
        assert_eq!(mac.to_string(), "02:00:0a:0b:cc:dd");
        assert!(!mac.is_multicast());
        for bad in ["", "02:00", "02:00:00:00:00:0g", "02:00:00:00:00:001", "+1:0:0:0:0:0"] {
            assert!(bad.parse::<MacAddr>().is_err(), "{bad:?}");
        }
    }
}

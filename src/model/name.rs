//! Names of namespaces and links, valid by construction.

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// Why a name is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError(String);

impl NameError {
    pub(super) fn new(why: &str) -> Self {
        Self(why.to_owned())
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NameError {}

/// A link's name: 1 to 15 bytes, as the kernel's `dev_valid_name()` has it (no white space, no `/`, no `:`, neither
/// `.` nor `..`), and here also UTF-8 without control characters.
///
/// Kept inline, because a table of ten thousand routes names a link in each.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkName {
    len: u8,
    bytes: [u8; Self::MAX],
}

impl LinkName {
    /// `IFNAMSIZ` less its NUL.
    pub const MAX: usize = 15;

    /// The loopback link, which every namespace has.
    pub const LO: LinkName = {
        let mut bytes = [0; Self::MAX];
        bytes[0] = b'l';
        bytes[1] = b'o';
        LinkName { len: 2, bytes }
    };

    /// The name as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }

    /// Whether it is `lo`.
    pub fn is_loopback(&self) -> bool {
        *self == Self::LO
    }
}

impl FromStr for LinkName {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        if s.len() > Self::MAX {
            return Err(NameError(format!(
                "link name \"{}\" has {} bytes, the kernel allows {}",
                shown(s),
                s.len(),
                Self::MAX
            )));
        }
        if s.is_empty() || s == "." || s == ".." || s.contains(['/', ':']) || has_blank(s) {
            return Err(NameError(format!("\"{}\" cannot be a link's name", shown(s))));
        }
        let mut bytes = [0; Self::MAX];
        bytes[..s.len()].copy_from_slice(s.as_bytes());
        Ok(LinkName { len: s.len() as u8, bytes })
    }
}

impl Ord for LinkName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl PartialOrd for LinkName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The name of a network namespace, as a file of that name in `/run/netns`: 1 to 200 bytes without `/`, white space
/// or control characters, not `.` or `..`, and not beginning with `-`. It is the name of the service's unit without
/// `.service`, in systemd's escaped form where it has one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetnsName(String);

impl NetnsName {
    /// Leaves room for `systemd-netns@….service` within systemd's 255 bytes.
    pub const MAX: usize = 200;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NetnsName {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        if s.len() > Self::MAX {
            return Err(NameError(format!("namespace name \"{}\" is longer than {} bytes", shown(s), Self::MAX)));
        }
        if s.is_empty() || s == "." || s == ".." || s.starts_with('-') || s.contains('/') || has_blank(s) {
            return Err(NameError(format!("\"{}\" cannot be a namespace's name", shown(s))));
        }
        Ok(NetnsName(s.to_owned()))
    }
}

/// A router's name: 1 to 64 ASCII letters, digits and `_ . -`, beginning with a letter, a digit or `_`. So it is the name of a
/// file and of a socket, an instance of a unit and a part of a table's name in nft(8), in each as it stands.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouterName(String);

impl RouterName {
    /// Leaves room for the path of its socket within 107 bytes (unix(7)).
    pub const MAX: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RouterName {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        let inside = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        let first = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        // Files of a namespace called `router`, which has the routers' folder.
        let taken = ["record", "resolv", "stamp"].contains(&s) || s.starts_with("desired-");
        if taken || s.len() > Self::MAX || !s.bytes().all(inside) || !s.as_bytes().first().is_some_and(first) {
            return Err(NameError(format!(
                "\"{}\" cannot be a router's name: up to {} letters, digits, `_`, `.` and `-`",
                shown(s),
                Self::MAX
            )));
        }
        Ok(RouterName(s.to_owned()))
    }
}

impl Borrow<str> for NetnsName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

fn has_blank(s: &str) -> bool {
    s.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn shown(s: &str) -> String {
    let mut short: String = s.chars().take(40).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if s.chars().count() > 40 {
        short.push('…');
    }
    short
}

macro_rules! text_like {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
text_like!(LinkName);
text_like!(NetnsName);
text_like!(RouterName);

/// A network namespace as this program speaks of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Netns {
    /// The one that this program runs in.
    Host,
    /// `/run/netns/NAME`.
    Named(NetnsName),
}

impl Netns {
    /// The name; none for the host.
    pub fn name(&self) -> Option<&NetnsName> {
        match self {
            Netns::Host => None,
            Netns::Named(name) => Some(name),
        }
    }
}

impl fmt::Display for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Netns::Host => f.write_str("the host"),
            Netns::Named(name) => write!(f, "{name}"),
        }
    }
}

impl Serialize for Netns {
    /// The name; empty for the host.
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name().map_or("", NetnsName::as_str))
    }
}

impl<'de> Deserialize<'de> for Netns {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        if text.is_empty() {
            return Ok(Netns::Host);
        }
        text.parse().map(Netns::Named).map_err(serde::de::Error::custom)
    }
}

/// A link in its namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The namespace.
    pub netns: Netns,
    /// The link.
    pub link: LinkName,
}

impl Place {
    /// A link in a namespace.
    pub fn new(netns: Netns, link: LinkName) -> Self {
        Self { netns, link }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.netns {
            Netns::Host => write!(f, "{}", self.link),
            Netns::Named(name) => write!(f, "{} in {name}", self.link),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_names_obey_the_kernels_rule() {
        for good in ["eth0", "br0..1", "eth1.124", "a", "fifteen_bytes__", "ß"] {
            assert_eq!(good.parse::<LinkName>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "a/b", "eth0:1", "a b", "sixteen_bytes___", "a\u{7f}", "a\0"] {
            assert!(bad.parse::<LinkName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn router_names_stand_everywhere() {
        for good in ["emperor0", "a", "_x", "a.b-c_d"] {
            assert_eq!(good.parse::<RouterName>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "-a", ".a", "a/b", "a b", "a@b", "ß", "record", &"a".repeat(65)] {
            assert!(bad.parse::<RouterName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn namespace_names_pass_systemd_escapes_through() {
        for good in ["nginx", r"foo\x2dbar", "foo@bar", "a:b"] {
            assert_eq!(good.parse::<NetnsName>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "a/b", "../x", "-v", "a b"] {
            assert!(bad.parse::<NetnsName>().is_err(), "{bad:?}");
        }
    }
}

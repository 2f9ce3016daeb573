//! The names of the units of a link: `systemd-netns-dhcp@NETNS:LINK:FAMILY.service` is a client's,
//! `systemd-netns-device@NETNS:LINK.service` a device's.
//!
//! A link's name has no `:`, and neither has a family, so the namespace's own name may have any. It stands as it is, as in
//! `systemd-netns@NETNS.service`; the link's is escaped as systemd-escape(1) has it.

use super::{LinkName, NameError, NetnsName, Place, Protocol};
use std::fmt::{self, Write};
use std::str::FromStr;

/// Whose client: a link of a namespace, and an address family.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance {
    /// The namespace.
    pub netns: NetnsName,
    /// The link.
    pub link: LinkName,
    /// Whether it is the one for IPv6.
    pub ipv6: bool,
}

impl Instance {
    /// The client's of a link that asks for something; none for a link of the host.
    pub fn of(place: &Place, protocol: Protocol) -> Option<Self> {
        let netns = place.netns.name()?.clone();
        Some(Self { netns, link: place.link, ipv6: protocol.is_ipv6() })
    }

    /// The unit.
    pub fn unit(&self) -> String {
        format!("systemd-netns-dhcp@{self}.service")
    }

    /// The part after the namespace, which is a file's name too.
    pub fn within(&self) -> String {
        format!("{}:{}", escape(self.link.as_str()), if self.ipv6 { "inet6" } else { "inet" })
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.netns, self.within())
    }
}

impl FromStr for Instance {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let mut parts = text.rsplitn(3, ':');
        let (family, link, netns) = (parts.next(), parts.next(), parts.next());
        let ipv6 = match family {
            Some("inet") => false,
            Some("inet6") => true,
            _ => return Err(NameError::new("it is no NAMESPACE:LINK:inet or NAMESPACE:LINK:inet6")),
        };
        let link =
            unescape(link.unwrap_or("")).ok_or_else(|| NameError::new("the link's name is not escaped right"))?;
        Ok(Self { netns: netns.unwrap_or("").parse()?, link: link.parse()?, ipv6 })
    }
}

/// Whose device: a link of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceInstance {
    /// The namespace.
    pub netns: NetnsName,
    /// The link.
    pub link: LinkName,
}

impl DeviceInstance {
    /// The device's of a link; none for a link of the host.
    pub fn of(place: &Place) -> Option<Self> {
        Some(Self { netns: place.netns.name()?.clone(), link: place.link })
    }

    /// The unit.
    pub fn unit(&self) -> String {
        format!("systemd-netns-device@{self}.service")
    }

    /// The part after the namespace, which is a file's name too.
    pub fn within(&self) -> String {
        escape(self.link.as_str())
    }
}

impl fmt::Display for DeviceInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.netns, self.within())
    }
}

impl FromStr for DeviceInstance {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (netns, link) = text.rsplit_once(':').ok_or_else(|| NameError::new("it is no NAMESPACE:LINK"))?;
        let link = unescape(link).ok_or_else(|| NameError::new("the link's name is not escaped right"))?;
        Ok(Self { netns: netns.parse()?, link: link.parse()? })
    }
}

/// A link's name within a unit's name, as systemd-escape(1) has it for a component of a path.
pub fn escape(name: &str) -> String {
    let mut out = String::new();
    for (i, byte) in name.bytes().enumerate() {
        match byte {
            b'.' if i == 0 => out.push_str("\\x2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => out.push(char::from(byte)),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let digits = rest.get(at + 1..at + 4)?.strip_prefix('x')?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[at + 4..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_systemd_does() {
        assert_eq!(escape("enp1s0"), "enp1s0");
        assert_eq!(escape("eth1.124"), "eth1.124");
        assert_eq!(escape("a-b"), r"a\x2db");
        assert_eq!(escape("100%"), r"100\x25");
        assert_eq!(escape(".a"), r"\x2ea");
    }

    #[test]
    fn a_devices_instance_is_read_back() {
        for (netns, link) in [("web", "tun0"), (r"foo\x2dbar", "a-b"), ("a:b@c", "ß-x")] {
            let one = DeviceInstance { netns: netns.parse().unwrap(), link: link.parse().unwrap() };
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        for bad in ["", "web", "web:", ":tun0", r"web:a\x2"] {
            assert!(bad.parse::<DeviceInstance>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_instance_is_read_back() {
        for (netns, link) in [("web", "eth0"), (r"foo\x2dbar", "br0..1"), ("a:b@c", "ß-x"), ("web", r"a\b")] {
            let one = Instance { netns: netns.parse().unwrap(), link: link.parse().unwrap(), ipv6: netns == "web" };
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        for bad in
            ["", "web", "web:eth0", "web:eth0:inet4", "web::inet", ":eth0:inet", r"web:a\x2:inet", r"web:\xff:inet"]
        {
            assert!(bad.parse::<Instance>().is_err(), "{bad:?}");
        }
    }
}

//! Name servers and what goes with them: what becomes a resolv.conf(5).
//!
//! Everything here is valid by construction, as a part of it comes from whoever answers DHCP requests: a name server is
//! an address, and a domain's name has nothing in it that could begin another line.

use super::LinkName;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// What one source, a stanza or a lease, says about names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Resolv {
    /// The domain that this machine is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// The domains in which short names are looked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<Domain>,
    /// Words of `sortlist`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sortlist: Vec<ResolvWord>,
    /// Words of `options`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<ResolvWord>,
    /// Name servers in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<NameServer>,
}

/// A name server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NameServer {
    /// Its address.
    pub address: IpAddr,
    /// The link by which a link-local one is reached.
    pub link: Option<LinkName>,
}

/// A domain's name: labels of letters, digits, `-` and `_`, or `.` alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Domain(String);

/// A word of `options` or `sortlist`: letters, digits and `-:./_`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResolvWord(String);

/// What is no name server, domain or word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotForResolv;

impl fmt::Display for NotForResolv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it does not belong into a resolv.conf")
    }
}

impl std::error::Error for NotForResolv {}

/// How many name servers the C library asks (`MAXNS`, resolv.conf(5)).
pub const MAX_SERVERS: usize = 3;

impl Resolv {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what another source says, after what is there.
    pub fn merge(&mut self, other: &Resolv) {
        self.domain = self.domain.take().or_else(|| other.domain.clone());
        let second = other.domain.iter().filter(|d| Some(*d) != self.domain.as_ref());
        add(&mut self.search, second);
        add(&mut self.search, &other.search);
        add(&mut self.sortlist, &other.sortlist);
        add(&mut self.options, &other.options);
        add(&mut self.servers, &other.servers);
    }
}

fn add<'a, T: Clone + PartialEq + 'a>(all: &mut Vec<T>, more: impl IntoIterator<Item = &'a T>) {
    for one in more {
        if !all.contains(one) {
            all.push(one.clone());
        }
    }
}

impl fmt::Display for Resolv {
    /// The lines of a resolv.conf(5). `domain` and `search` exclude one another there: with both, the domain is searched
    /// first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut search: Vec<&Domain> = self.domain.iter().collect();
        search.extend(self.search.iter().filter(|d| Some(*d) != self.domain.as_ref()));
        match (&self.domain, search.len()) {
            (_, 0) => {}
            (Some(domain), 1) => writeln!(f, "domain {domain}")?,
            _ => write_line(f, "search", search)?,
        }
        if !self.sortlist.is_empty() {
            write_line(f, "sortlist", &self.sortlist)?;
        }
        if !self.options.is_empty() {
            write_line(f, "options", &self.options)?;
        }
        self.servers.iter().try_for_each(|server| writeln!(f, "nameserver {server}"))
    }
}

fn write_line<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    keyword: &str,
    words: impl IntoIterator<Item = T>,
) -> fmt::Result {
    f.write_str(keyword)?;
    words.into_iter().try_for_each(|word| write!(f, " {word}"))?;
    writeln!(f)
}

impl FromStr for NameServer {
    type Err = NotForResolv;

    /// `ADDRESS`, or `ADDRESS%LINK` for a link-local one.
    fn from_str(text: &str) -> Result<Self, NotForResolv> {
        let (address, link) = match text.split_once('%') {
            Some((address, link)) => (address, Some(link.parse().map_err(|_| NotForResolv)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotForResolv)?;
        let link_local = matches!(address, IpAddr::V6(ip) if ip.is_unicast_link_local());
        if address.is_unspecified() || address.is_multicast() || (link.is_some() && !link_local) {
            return Err(NotForResolv);
        }
        Ok(Self { address, link })
    }
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.link {
            Some(link) => write!(f, "{}%{link}", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}

impl FromStr for Domain {
    type Err = NotForResolv;

    fn from_str(text: &str) -> Result<Self, NotForResolv> {
        let in_label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let is_label =
            |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(in_label) && !label.starts_with('-');
        let bare = text.strip_suffix('.').unwrap_or(text);
        if text.len() > 254 || !(text == "." || bare.split('.').all(is_label)) {
            return Err(NotForResolv);
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for ResolvWord {
    type Err = NotForResolv;

    fn from_str(text: &str) -> Result<Self, NotForResolv> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-:./_".contains(&byte);
        if text.is_empty() || text.len() > 64 || !text.bytes().all(fits) {
            return Err(NotForResolv);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ResolvWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
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
as_text!(NameServer);
as_text!(Domain);
as_text!(ResolvWord);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_ends_a_line_gets_in() {
        for bad in ["", "a b", "a\nnameserver 192.0.2.1", "a..b", "-a", "a;b", "ä", &"a".repeat(64), "a\0", "a/b"] {
            assert!(bad.parse::<Domain>().is_err(), "{bad:?}");
        }
        for bad in ["", "192.0.2.1\n", "192.0.2.1 x", "0.0.0.0", "224.0.0.1", "fe80::1%a b", "192.0.2.1%eth0", "x"] {
            assert!(bad.parse::<NameServer>().is_err(), "{bad:?}");
        }
        for bad in ["", "a b", "a\n", "$(x)", "`x`"] {
            assert!(bad.parse::<ResolvWord>().is_err(), "{bad:?}");
        }
        for good in ["example.org", "example.org.", "_tcp.a-b", "a", "."] {
            assert_eq!(good.parse::<Domain>().unwrap().to_string(), good);
        }
        for good in ["192.0.2.53", "2001:db8::53", "fe80::1", "fe80::1%eth0", "127.0.0.53"] {
            assert_eq!(good.parse::<NameServer>().unwrap().to_string(), good);
        }
    }

    #[test]
    fn sources_are_merged_in_order() {
        let source = |domain: Option<&str>, search: &[&str], servers: &[&str]| Resolv {
            domain: domain.map(|d| d.parse().unwrap()),
            search: search.iter().map(|d| d.parse().unwrap()).collect(),
            servers: servers.iter().map(|s| s.parse().unwrap()).collect(),
            ..Resolv::default()
        };
        let mut all = source(Some("a.org"), &[], &["192.0.2.1"]);
        assert_eq!(all.to_string(), "domain a.org\nnameserver 192.0.2.1\n");
        all.merge(&source(Some("b.org"), &["a.org", "c.org"], &["192.0.2.1", "192.0.2.2"]));
        assert_eq!(all.to_string(), "search a.org b.org c.org\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n");
        assert_eq!(Resolv::default().to_string(), "");
    }
}

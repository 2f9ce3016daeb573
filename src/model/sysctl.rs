//! Kernel settings under `/proc/sys`.

use super::LinkName;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The setting of a link by which 127.0.0.0/8 may leave by it and come in.
pub const ROUTE_LOCALNET: &str = "route_localnet";

/// A setting's path below `/proc/sys`, with slashes: link names may hold dots (`net/ipv6/conf/eth0.7/autoconf`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sysctl(String);

impl Sysctl {
    /// `net/ipv6/conf/LINK/NAME`.
    pub fn ipv6(link: LinkName, name: &str) -> Self {
        Self(format!("net/ipv6/conf/{link}/{name}"))
    }

    /// `net/ipv4/conf/LINK/NAME`.
    pub fn ipv4(link: LinkName, name: &str) -> Self {
        Self(format!("net/ipv4/conf/{link}/{name}"))
    }

    /// `net/ipv4/conf/all/NAME`, which is for all links of a namespace.
    pub fn ipv4_of_all(name: &str) -> Self {
        Self(format!("net/ipv4/conf/all/{name}"))
    }

    /// `net/ipv6/conf/all/NAME`, which is for all links of a namespace.
    pub fn ipv6_of_all(name: &str) -> Self {
        Self(format!("net/ipv6/conf/all/{name}"))
    }

    /// Any path, as an administrator writes it: with slashes, or with dots as sysctl.d(5) has it (`net.ipv4.conf.eth0/7.rp_filter`).
    /// None for one that is no path.
    pub fn parse(text: &str) -> Option<Self> {
        let dotted = text.find(['.', '/']).is_some_and(|at| text.as_bytes()[at] == b'.');
        let swap = |c| match c {
            '.' => '/',
            '/' => '.',
            c => c,
        };
        let path: String = if dotted { text.chars().map(swap).collect() } else { text.to_owned() };
        let is_name = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(char::is_control);
        path.split('/').all(is_name).then_some(Self(path))
    }

    /// The link whose setting it is: `net/ipv4/conf/LINK/…` and its like. `all` and `default` are no links.
    pub fn link(&self) -> Option<&str> {
        let mut parts = self.0.split('/');
        let [net, family, table] = [parts.next()?, parts.next()?, parts.next()?];
        let of_links = net == "net" && ["ipv4", "ipv6", "mpls"].contains(&family) && ["conf", "neigh"].contains(&table);
        let link = parts.next().filter(|_| of_links && parts.next().is_some())?;
        (!["all", "default"].contains(&link)).then_some(link)
    }

    /// The same setting of links that come later.
    pub fn of_default(&self) -> Option<Self> {
        self.link()?;
        let mut parts: Vec<&str> = self.0.split('/').collect();
        parts[3] = "default";
        Some(Self(parts.join("/")))
    }

    /// Of the forwarding of all links in one family, the family: it changes that of each, and `accept_redirects` (ip-sysctl).
    pub fn forwards_all(&self) -> Option<&str> {
        match self.path() {
            "net/ipv4/ip_forward" | "net/ipv4/conf/all/forwarding" => Some("ipv4"),
            "net/ipv6/conf/all/forwarding" => Some("ipv6"),
            _ => None,
        }
    }

    /// Whether it lets 127.0.0.0/8 leave by a link and come in: it is set only while a table guards that link.
    pub fn opens_loopback(&self) -> bool {
        self.link().is_some() && self.0.strip_suffix(ROUTE_LOCALNET).is_some_and(|before| before.ends_with('/'))
    }

    /// The path below `/proc/sys`.
    pub fn path(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_both_ways() {
        let path = |text: &str| Sysctl::parse(text).map(|key| key.path().to_owned());
        assert_eq!(path("net.ipv4.conf.eth0/7.rp_filter").as_deref(), Some("net/ipv4/conf/eth0.7/rp_filter"));
        assert_eq!(path("net/ipv4/conf/eth0.7/rp_filter").as_deref(), Some("net/ipv4/conf/eth0.7/rp_filter"));
        for bad in ["", ".", "net..ipv4", "net/../kernel", "/net", "net/", "net.a\nb"] {
            assert_eq!(path(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_opens_a_link_to_the_loopback_is_known() {
        assert!(Sysctl::ipv4("br1".parse().unwrap(), ROUTE_LOCALNET).opens_loopback());
        for other in ["net.ipv4.conf.all.route_localnet", "net.ipv4.conf.br1.forwarding"] {
            assert!(!Sysctl::parse(other).unwrap().opens_loopback(), "{other}");
        }
    }

    #[test]
    fn a_setting_of_a_link_is_known() {
        let key = Sysctl::parse("net.ipv6.conf.eth0.accept_ra").unwrap();
        assert_eq!(key.link(), Some("eth0"));
        assert_eq!(key.of_default(), Sysctl::parse("net.ipv6.conf.default.accept_ra"));
        for other in ["net.ipv6.conf.all.accept_ra", "net.ipv4.tcp_rmem", "net.netfilter.nf_conntrack_max"] {
            assert_eq!(Sysctl::parse(other).unwrap().link(), None, "{other}");
        }
    }
}

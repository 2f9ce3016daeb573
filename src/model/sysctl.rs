//! Kernel settings under `/proc/sys`.

use super::LinkName;
use serde::{Deserialize, Serialize};
use std::fmt;

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

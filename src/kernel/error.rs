//! What can go wrong between this program and the kernel.
//!
//! Every error is one line, complete in itself: callers branch on [`Error::errno`] or on the variant and put their own
//! words (the text of the `Op`) before it. No error here has a source, so nothing is ever said twice.

use crate::model::{LinkName, NetnsName, Sysctl};
use nix::errno::Errno;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// Why the kernel did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A netlink request was refused, with the text of its extended acknowledgement if there was one
    /// (`linux/netlink.h`, `NLMSGERR_ATTR_MSG`).
    Refused {
        /// The error number.
        errno: Errno,
        /// The kernel's own explanation.
        text: Option<String>,
    },
    /// A system call failed.
    System {
        /// What was tried, such as `open /run/netns/web`.
        act: String,
        /// The error number.
        errno: Errno,
    },
    /// There is no link of that name (in the namespace that was spoken of).
    NoLink(LinkName),
    /// There is no namespace of that name, or only a file that is none.
    NoNetns(NetnsName),
    /// A namespace, or a file where it should be, is there already.
    NetnsExists(NetnsName),
    /// The kernel has no such setting.
    NoSetting(Sysctl),
    /// Another host uses the address.
    Duplicate {
        /// The address.
        address: IpAddr,
        /// The link that it is on.
        link: LinkName,
    },
    /// What was waited for did not come to pass.
    Timeout {
        /// What was waited for.
        what: String,
        /// For how long.
        limit: Duration,
    },
    /// The kernel's tables changed every time that they were read.
    Unsteady,
    /// The kernel knows no links of that kind; its module is missing, or it was built without.
    NoKind(String),
    /// Links of that kind have no such option, or not with such a value.
    NoOption {
        /// The kind.
        kind: String,
        /// The word of ip-link(8).
        word: String,
    },
    /// A peer's name cannot be turned into an address.
    Unresolved {
        /// `NAME:PORT`.
        endpoint: String,
        /// What the resolver says.
        why: String,
    },
    /// An operation cannot be put in a request.
    Unspeakable(&'static str),
}

impl Error {
    /// A system call that failed.
    pub(super) fn system(act: impl Into<String>, errno: Errno) -> Self {
        Error::System { act: act.into(), errno }
    }

    /// A call of the standard library's that failed.
    pub(super) fn io(act: impl Into<String>, error: &std::io::Error) -> Self {
        Error::system(act, error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
    }

    /// The error number that the kernel gave, or would give.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Error::Refused { errno, .. } | Error::System { errno, .. } => Some(*errno),
            Error::NoLink(_) => Some(Errno::ENODEV),
            Error::NoNetns(_) | Error::NoSetting(_) => Some(Errno::ENOENT),
            Error::NetnsExists(_) => Some(Errno::EEXIST),
            Error::Timeout { .. } => Some(Errno::ETIMEDOUT),
            Error::NoKind(_) => Some(Errno::EOPNOTSUPP),
            Error::Duplicate { .. } | Error::Unsteady | Error::Unspeakable(_) => None,
            Error::NoOption { .. } | Error::Unresolved { .. } => None,
        }
    }

    /// Whether what should be made is there already, or its name is taken.
    pub fn is_exists(&self) -> bool {
        self.errno() == Some(Errno::EEXIST)
    }

    /// Whether what should be changed or deleted is not there: a link, an address, a route, a rule, a namespace.
    pub fn is_absent(&self) -> bool {
        let absent = [Errno::ENODEV, Errno::ENOENT, Errno::ESRCH, Errno::EADDRNOTAVAIL];
        self.errno().is_some_and(|errno| absent.contains(&errno))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Refused { errno, text: None } => f.write_str(errno.desc()),
            Error::Refused { errno, text: Some(text) } => write!(f, "{}: {text}", errno.desc()),
            Error::System { act, errno } => write!(f, "{act}: {}", errno.desc()),
            Error::NoLink(link) => write!(f, "there is no link {link}"),
            Error::NoNetns(name) => write!(f, "there is no namespace {name}"),
            Error::NetnsExists(name) => write!(f, "/run/netns/{name} exists"),
            Error::NoSetting(key) => write!(f, "the kernel has no setting {key}"),
            Error::Duplicate { address, link } => {
                write!(f, "address {address} on {link} is used by another host (duplicate address detection)")
            }
            Error::Timeout { what, limit } => write!(f, "{what} within {} s", limit.as_secs_f32()),
            Error::Unsteady => f.write_str("the kernel's tables changed each time that they were read"),
            Error::NoKind(kind) => write!(f, "the kernel has no {kind} links (modprobe {}?)", module(kind)),
            Error::NoOption { kind, word } => write!(f, "a {kind} link has no option {word}, or not with that value"),
            Error::Unresolved { endpoint, why } => write!(f, "{endpoint} is not found: {why}"),
            Error::Unspeakable(why) => f.write_str(why),
        }
    }
}

/// The module that a kind of link is in, where it is called otherwise.
fn module(kind: &str) -> &str {
    match kind {
        "bond" => "bonding",
        "vlan" => "8021q",
        "gre" | "gretap" => "ip_gre",
        "ip6gre" | "ip6gretap" => "ip6_gre",
        "ip6tnl" => "ip6_tunnel",
        "tap" => "tun",
        kind => kind,
    }
}

impl std::error::Error for Error {}

/// Which operation of a run failed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its index in the run.
    pub index: usize,
    /// Why.
    pub error: Error,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_and_says_its_number() {
        let refused = Error::Refused { errno: Errno::EEXIST, text: Some("name is taken".into()) };
        assert_eq!(refused.to_string(), "File exists: name is taken");
        assert!(refused.is_exists() && !refused.is_absent());
        let bare = Error::Refused { errno: Errno::ESRCH, text: None };
        assert_eq!(bare.to_string(), "No such process");
        assert!(bare.is_absent());
        let late = Error::Timeout { what: "no link eth0 appeared".into(), limit: Duration::from_secs(10) };
        assert_eq!(late.to_string(), "no link eth0 appeared within 10 s");
    }
}

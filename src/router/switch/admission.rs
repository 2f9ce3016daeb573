//! Who may come in, and what it may have then.

use super::claims::Range;
use crate::model::NetnsName;
use crate::router::rule::Chain;
use crate::router::settings::{Limits, Settings, Who};
use serde::Serialize;
use std::fmt;
use std::net::IpAddr;

/// Who a peer is, by what the kernel says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The process that connected (`SO_PEERCRED`, unix(7)); none over TCP.
    pub credentials: Option<Credentials>,
    /// The namespaces of `/run/netns` that its device, or it itself, is in: a namespace may have several names.
    pub netns: Vec<NetnsName>,
}

/// A process, when it connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "credentials(7) says what they are")]
pub struct Credentials {
    pub pid: i32,
    pub uid: u32,
    pub gid: u32,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.credentials {
            Some(Credentials { pid, uid, gid }) => write!(f, "pid {pid} uid {uid} gid {gid}")?,
            None => f.write_str("no credentials")?,
        }
        for name in &self.netns {
            write!(f, " in {name}")?;
        }
        Ok(())
    }
}

/// A peer that wants in.
#[derive(Debug, Clone, PartialEq)]
pub struct Introduction {
    /// Who it is.
    pub identity: Identity,
    /// The addresses that it says are its own.
    pub announced: Vec<IpAddr>,
    /// Its own rules for what it sends and what it is sent.
    pub chains: [Chain; 2],
    /// How it is reached, for statistics.
    pub transport: Transport,
}

/// How a peer's packets come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// It passed its device.
    Descriptor,
    /// It frames packets over a stream.
    Frames,
}

/// What a peer may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The addresses that it may claim.
    pub range: Range,
    /// Its bounds.
    pub limits: Limits,
}

/// Why a peer is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No rule admits it.
    Unknown,
    /// There are as many as there may be.
    Full(u32),
    /// It announced more addresses than it may have.
    TooMany(u32),
    /// It may not have an address that it announced.
    Forbidden(IpAddr),
    /// Another has an address that it announced.
    Taken(IpAddr, String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no rule admits it"),
            Self::Full(limit) => write!(f, "there are {limit} peers, which is the limit"),
            Self::TooMany(limit) => write!(f, "it announced more than {limit} addresses, which is the limit"),
            Self::Forbidden(address) => write!(f, "it may not have the address {address}"),
            Self::Taken(address, holder) => write!(f, "the address {address} is held by another peer ({holder})"),
        }
    }
}

/// What somebody may have; none who may not come in.
pub fn admit(settings: &Settings, who: &Identity) -> Option<Grant> {
    if settings.admit.is_empty() {
        let networks: Vec<_> = settings.addresses.iter().map(ipnet::IpNet::trunc).collect();
        let networks = Some(networks).filter(|networks| !networks.is_empty());
        return Some(Grant { range: Range { networks }, limits: settings.limits });
    }
    let fits = |rule: &&crate::router::settings::Admit| match &rule.who {
        Who::Any => true,
        Who::User(uid) => who.credentials.is_some_and(|c| c.uid == *uid),
        Who::Group(gid) => who.credentials.is_some_and(|c| c.gid == *gid),
        Who::Netns(name) => who.netns.contains(name),
    };
    let rule = settings.admit.iter().find(fits)?;
    let range = Range { networks: Some(rule.addresses.clone()) };
    Some(Grant { range, limits: rule.limits.unwrap_or(settings.limits) })
}

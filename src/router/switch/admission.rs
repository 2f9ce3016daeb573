//! Who may come in, and what it may have then.

use super::claims::Range;
use super::remote::{CONNECTORS, Remote};
use crate::model::NetnsName;
use crate::router::rule::Chain;
use crate::router::settings::{Limits, Settings, Who};
use serde::Serialize;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Who a peer is, by what the kernel says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The process that connected (`SO_PEERCRED`, unix(7)); none over TCP.
    pub credentials: Option<Credentials>,
    /// The namespaces of `/run/netns` that its device, or it itself, is in: a namespace may have several names.
    pub netns: Vec<NetnsName>,
    /// What is known of a remote host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<Box<RemoteIdentity>>,
}

/// Who a remote host is, by what it said and could prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemoteIdentity {
    /// The name that routes call it by; of an uplink, its name here.
    pub host: String,
    /// The table that it is in; none for that of local peers.
    pub table: Option<String>,
    /// Whether it is a router that this one connected to.
    pub uplink: bool,
    /// Where it is.
    pub at: SocketAddr,
    /// The names of its certificate.
    pub certificate: Vec<String>,
    /// Which client of the settings it is.
    pub client: Option<String>,
    /// Whether nobody can read what it says.
    pub encrypted: bool,
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
        if let Some(remote) = &self.remote {
            let kind = if remote.uplink { "uplink" } else { "host" };
            write!(f, "{kind} {} at {}", remote.host, remote.at)?;
            let tls = if remote.encrypted { "TLS" } else { "in the clear" };
            return match &remote.client {
                Some(client) => write!(f, " ({tls}, client {client})"),
                None => write!(f, " ({tls})"),
            };
        }
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
    /// What it is where it is not of this host.
    pub remote: Option<Remote>,
}

/// How a peer's packets come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// It passed its device.
    Descriptor,
    /// It frames packets over a stream.
    Frames,
    /// It is at the other end of a tunnel.
    Tunnel,
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
    /// The table that it asks for is gone.
    NoTable,
    /// Somebody else has the name that it wants: the name, and who.
    Claimed(String, String),
    /// It has as many connections of that name as there may be.
    Connectors(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no rule admits it"),
            Self::Full(limit) => write!(f, "there are {limit} peers, which is the limit"),
            Self::TooMany(limit) => write!(f, "it announced more than {limit} addresses, which is the limit"),
            Self::Forbidden(address) => write!(f, "it may not have the address {address}"),
            Self::Taken(address, holder) => write!(f, "the address {address} is held by another peer ({holder})"),
            Self::NoTable => f.write_str("there is no such table any more"),
            Self::Claimed(name, holder) => write!(f, "the name {name} is held by {holder}"),
            Self::Connectors(name) => write!(f, "{name} has {CONNECTORS} connections, which is the limit"),
        }
    }
}

/// What somebody may have; none who may not come in.
///
/// Remote hosts were let in by what they could prove; here it is only said what they may have.
pub fn admit(settings: &Settings, introduction: &Introduction) -> Option<Grant> {
    let who = &introduction.identity;
    if let Some(remote) = &introduction.remote {
        let local = remote.table.is_none() || is_local(settings, remote);
        let networks = remote.range.clone().or_else(|| own_networks(settings).filter(|_| local));
        return Some(Grant { range: Range { networks }, limits: remote.limits.unwrap_or(settings.limits) });
    }
    if settings.admit.is_empty() {
        return Some(Grant { range: Range { networks: own_networks(settings) }, limits: settings.limits });
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

/// Whether local peers are in a remote host's table.
fn is_local(settings: &Settings, remote: &Remote) -> bool {
    settings.tunnels.tables.iter().any(|table| table.local && Some(&table.name) == remote.table.as_ref())
}

/// The networks of the router's own addresses; none when it has none.
fn own_networks(settings: &Settings) -> Option<Vec<ipnet::IpNet>> {
    let networks: Vec<_> = settings.addresses.iter().map(ipnet::IpNet::trunc).collect();
    Some(networks).filter(|networks| !networks.is_empty())
}

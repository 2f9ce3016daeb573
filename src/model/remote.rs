//! Routers on other hosts, and what is said there to be let in.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;
use uuid::Uuid;

/// How many bytes a name may have: what the protocol's length byte can say.
const LONGEST: usize = 255;

/// The name by which a host is in routes. Letters are compared as they are written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(Box<str>);

impl HostName {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAName;

impl fmt::Display for NotAName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a name has 1 to {LONGEST} letters, digits, `.`, `_`, `-`, `:` and `@`")
    }
}

impl std::error::Error for NotAName {}

impl FromStr for HostName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-:@".contains(&b);
        let fits = (1..=LONGEST).contains(&text.len()) && text.bytes().all(plain);
        if fits { Ok(Self(text.into())) } else { Err(NotAName) }
    }
}

impl TryFrom<String> for HostName {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0.into()
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a host says to a router, and how it gets there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClientSettings {
    /// Where the router is.
    pub server: ServerAddress,
    /// By TLS; in the clear when there is none.
    pub tls: Option<ClientTls>,
    /// The name to be had there.
    pub host: HostName,
    /// The table to be in.
    pub id: Option<Uuid>,
    /// How many of the name's flows are wanted, beside others of that name; 0 to 255.
    pub weight: u8,
    /// The addresses that are announced.
    pub addresses: Vec<IpAddr>,
    /// The user to be there, and the file with its password.
    pub user: Option<(String, PathBuf)>,
    /// The size of the largest packet, in bytes.
    pub mtu: u32,
}

/// What a client trusts, and shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ClientTls {
    /// The name that the server's certificate must have.
    pub name: String,
    /// Who signs such certificates: PEM; whom this machine trusts when there is none.
    pub ca: Option<PathBuf>,
    /// Its own certificate and key: PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServerAddress {
    /// A name (DNS), or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why a text is no name or address with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAServer;

impl fmt::Display for NotAServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is no host and port")
    }
}

impl std::error::Error for NotAServer {}

impl FromStr for ServerAddress {
    type Err = NotAServer;

    /// `HOST:PORT`, an IPv6 address in brackets.
    fn from_str(text: &str) -> Result<Self, NotAServer> {
        let (host, port) = text.rsplit_once(':').ok_or(NotAServer)?;
        let port = port.parse::<u16>().ok().filter(|port| *port > 0).ok_or(NotAServer)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => {
                let address = rest.strip_suffix(']').and_then(|rest| rest.parse::<Ipv6Addr>().ok());
                address.ok_or(NotAServer)?.to_string()
            }
            None => host.to_owned(),
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let is_v6 = host.parse::<Ipv6Addr>().is_ok();
        let fits = is_v6 || (1..=253).contains(&host.len()) && host.bytes().all(plain);
        if fits { Ok(Self { host, port }) } else { Err(NotAServer) }
    }
}

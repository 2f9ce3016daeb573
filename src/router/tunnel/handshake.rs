//! What is said before there are packets: one request of the host that connects, one response.
//!
//! Both are `01 | command or status | length u16 | features`, a feature is `type u8 | length u16 | data`; all big-endian. The order of a
//! request is user and password, network, the host's own address, its name, and the table's id where one is asked for. Features that
//! nobody knows are passed over; so we tell more than gost does, and it does not mind: all addresses of the host, and a number by which
//! the same host is known when it comes again before its old connection is found to be dead.

mod response;

pub use response::{Response, Status};

use super::name::HostName;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// The bytes before the features.
pub const HEADER: usize = 4;
/// How many bytes of features are listened to.
pub const LONGEST: usize = 2048;
/// How many addresses a host may announce.
pub const ADDRESSES: usize = 64;

const VERSION: u8 = 1;
const ASSOCIATE: u8 = 3;
const NETWORK_IP: u16 = 2;

const USER: u8 = 1;
const ADDRESS: u8 = 2;
const TUNNEL: u8 = 3;
const NETWORK: u8 = 4;
/// Ours: addresses of 4 or 16 bytes, each with its length before it.
const ALL_ADDRESSES: u8 = 0xe1;
/// Ours: 16 bytes.
const INSTANCE: u8 = 0xe2;

const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// A secret, which is never shown and takes the same time to compare wherever it differs.
#[derive(Clone)]
pub struct Secret(pub Box<[u8]>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

/// A user and its password; up to 255 bytes each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: Box<[u8]>,
    /// Its password.
    pub password: Secret,
}

/// What a host says that connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who it says it is.
    pub user: Option<User>,
    /// The name that it wants to have.
    pub host: HostName,
    /// Addresses of its own, at most [`ADDRESSES`].
    pub addresses: Vec<IpAddr>,
    /// The table that it wants to be in; none for the default one.
    pub id: Option<Uuid>,
    /// How many of a name's flows it wants, beside others of that name.
    pub weight: u8,
    /// What it is known by when it comes again.
    pub instance: Option<[u8; 16]>,
}

/// Why bytes are no request or response. Nothing that follows can be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mistake {
    /// Another version of the protocol.
    Version(u8),
    /// A command other than "associate".
    Command(u8),
    /// More features than are listened to, in bytes.
    Long(usize),
    /// A feature that ends beyond the others, or is no such feature.
    Feature(u8),
    /// It carries something else than IP packets.
    Network(u16),
    /// There is no name of a host, or none that is one.
    Host(String),
    /// More addresses than a host may announce.
    Addresses,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "unknown version {version} of the tunnel's protocol"),
            Self::Command(command) => write!(f, "unknown command {command}"),
            Self::Long(len) => write!(f, "{len} bytes of features are too many, the limit is {LONGEST}"),
            Self::Feature(kind) => write!(f, "a feature of type {kind} is damaged"),
            Self::Network(number) => write!(f, "network {number} is not that of IP packets"),
            Self::Host(name) => write!(f, "`{name}` is no name of a host"),
            Self::Addresses => write!(f, "it announces more than {ADDRESSES} addresses"),
        }
    }
}

impl std::error::Error for Mistake {}

/// How many bytes of features follow the header of a request or a response.
///
/// # Errors
/// When they are too many, or it is of another version.
pub fn rest(header: [u8; HEADER]) -> Result<usize, Mistake> {
    let [version, _, high, low] = header;
    let len = usize::from(u16::from_be_bytes([high, low]));
    match (version, len) {
        (VERSION, ..=LONGEST) => Ok(len),
        (VERSION, _) => Err(Mistake::Long(len)),
        _ => Err(Mistake::Version(version)),
    }
}

impl Request {
    /// As it is sent.
    pub fn encode(&self) -> Vec<u8> {
        let mut features = Vec::new();
        if let Some(User { name, password }) = &self.user {
            feature(&mut features, USER, &[&short(name)[..], &short(&password.0)].concat());
        }
        feature(&mut features, NETWORK, &NETWORK_IP.to_be_bytes());
        let first = self.addresses.first().copied();
        feature(&mut features, ADDRESS, &address(first.unwrap_or(Ipv4Addr::UNSPECIFIED.into())));
        feature(&mut features, ADDRESS, &[&[NAME], &short(self.host.as_str().as_bytes())[..], &[0, 0]].concat());
        if self.id.is_some() || self.weight > 0 {
            let id = self.id.unwrap_or_default();
            feature(&mut features, TUNNEL, &[id.as_bytes(), &[0, 0, 0, self.weight][..]].concat());
        }
        if self.addresses.len() > 1 {
            let all = self.addresses.iter().take(ADDRESSES).map(|address| short(&octets(*address)));
            feature(&mut features, ALL_ADDRESSES, &all.collect::<Vec<_>>().concat());
        }
        if let Some(instance) = &self.instance {
            feature(&mut features, INSTANCE, instance);
        }
        message(ASSOCIATE, &features)
    }

    /// Reads a request: the header, and as many bytes as [`rest`] says.
    ///
    /// # Errors
    /// Why it is none.
    pub fn decode(header: [u8; HEADER], features: &[u8]) -> Result<Self, Mistake> {
        rest(header)?;
        if header[1] != ASSOCIATE {
            return Err(Mistake::Command(header[1]));
        }
        let mut read = Read::default();
        for feature in Features(features) {
            let (kind, data) = feature?;
            read.take(kind, data)?;
        }
        let host = read.names.pop().unwrap_or_default();
        let shown: String = String::from_utf8_lossy(&host).chars().filter(|c| !c.is_control()).take(64).collect();
        let host = std::str::from_utf8(&host).ok().and_then(|host| host.parse().ok());
        read.addresses.retain(|address| !address.is_unspecified());
        if read.addresses.len() > ADDRESSES {
            return Err(Mistake::Addresses);
        }
        Ok(Self {
            user: read.user,
            host: host.ok_or(Mistake::Host(shown))?,
            addresses: read.addresses,
            id: read.id.filter(|id| !id.is_nil()),
            weight: read.weight,
            instance: read.instance,
        })
    }
}

/// What was read of a request so far.
#[derive(Default)]
struct Read {
    user: Option<User>,
    /// How many features were addresses: the first is the host's own, the last its name.
    count: usize,
    names: Vec<Vec<u8>>,
    addresses: Vec<IpAddr>,
    id: Option<Uuid>,
    weight: u8,
    instance: Option<[u8; 16]>,
}

impl Read {
    fn take(&mut self, kind: u8, data: &[u8]) -> Result<(), Mistake> {
        let damaged = Mistake::Feature(kind);
        match kind {
            USER => {
                let (name, rest) = split_short(data).ok_or(damaged.clone())?;
                let (password, _) = split_short(rest).ok_or(damaged)?;
                self.user = Some(User { name: name.into(), password: Secret(password.into()) });
            }
            ADDRESS => {
                self.count += 1;
                match read_address(data).ok_or(damaged)? {
                    Target::Address(address) if self.count == 1 => self.addresses.push(address),
                    // A host may be called by its address.
                    Target::Address(address) => self.names = vec![address.to_string().into()],
                    Target::Name([]) => {}
                    Target::Name(name) => self.names = vec![name.to_vec()],
                }
            }
            TUNNEL => {
                let id = data.first_chunk().ok_or(damaged)?;
                self.id = Some(Uuid::from_bytes(*id));
                self.weight = data.get(19).copied().unwrap_or(0);
            }
            NETWORK => match data.first_chunk().map(|number| u16::from_be_bytes(*number)) {
                Some(NETWORK_IP) => {}
                Some(number) => return Err(Mistake::Network(number)),
                None => return Err(damaged),
            },
            ALL_ADDRESSES => {
                let mut rest = data;
                while !rest.is_empty() {
                    let (octets, after) = split_short(rest).ok_or(damaged.clone())?;
                    let address = from_octets(octets).ok_or(damaged.clone())?;
                    if !self.addresses.contains(&address) && self.addresses.len() <= ADDRESSES {
                        self.addresses.push(address);
                    }
                    rest = after;
                }
            }
            INSTANCE => self.instance = Some(*data.first_chunk().ok_or(damaged)?),
            _ => {}
        }
        Ok(())
    }
}

/// The features of a message, one by one; the first that is damaged is the last.
struct Features<'a>(&'a [u8]);

impl<'a> Iterator for Features<'a> {
    type Item = Result<(u8, &'a [u8]), Mistake>;

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, rest) = self.0.split_first()?;
        let split =
            rest.split_first_chunk().and_then(|(len, rest)| rest.split_at_checked(u16::from_be_bytes(*len).into()));
        let (data, rest) = split.unwrap_or_default();
        self.0 = rest;
        Some(if split.is_some() { Ok((*kind, data)) } else { Err(Mistake::Feature(*kind)) })
    }
}

enum Target<'a> {
    Address(IpAddr),
    Name(&'a [u8]),
}

/// `ATYP | address | port`; what stands behind the port does not matter.
fn read_address(data: &[u8]) -> Option<Target<'_>> {
    let (kind, rest) = data.split_first()?;
    let (target, port) = match *kind {
        IPV4 => (Target::Address(from_octets(rest.get(..4)?)?), rest.get(4..)?),
        IPV6 => (Target::Address(from_octets(rest.get(..16)?)?), rest.get(16..)?),
        NAME => {
            let (name, port) = split_short(rest)?;
            (Target::Name(name), port)
        }
        _ => return None,
    };
    (port.len() >= 2).then_some(target)
}

fn from_octets(octets: &[u8]) -> Option<IpAddr> {
    match octets.len() {
        4 => Some(Ipv4Addr::from(*octets.first_chunk()?).into()),
        16 => Some(Ipv6Addr::from(*octets.first_chunk::<16>()?).into()),
        _ => None,
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().into(),
        IpAddr::V6(address) => address.octets().into(),
    }
}

fn address(address: IpAddr) -> Vec<u8> {
    let kind = if address.is_ipv4() { IPV4 } else { IPV6 };
    [&[kind][..], &octets(address), &[0, 0]].concat()
}

/// Up to 255 bytes with their number before them.
fn short(bytes: &[u8]) -> Vec<u8> {
    let bytes = bytes.get(..255).unwrap_or(bytes);
    [&[bytes.len() as u8], bytes].concat()
}

fn split_short(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*len))
}

fn feature(features: &mut Vec<u8>, kind: u8, data: &[u8]) {
    features.push(kind);
    features.extend((data.len() as u16).to_be_bytes());
    features.extend(data);
}

fn message(second: u8, features: &[u8]) -> Vec<u8> {
    let [high, low] = (features.len() as u16).to_be_bytes();
    [&[VERSION, second, high, low], features].concat()
}

#[cfg(test)]
mod tests;

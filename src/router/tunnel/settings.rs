//! What a router is told about tunnels: plain values, whatever text they came from. Secrets and certificates are files, read by who uses
//! them.

use super::name::{HostName, TableName};
pub use crate::model::{ClientSettings, ClientTls, ServerAddress};
use crate::router::settings::Limits;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The size of the largest packet where nothing else is said, in bytes: that of gost's TUN devices.
pub const MTU: u32 = 1420;

/// All of it. Without any, a router has no tunnels.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tunnels {
    /// Whether and how hosts are let in.
    pub server: Option<Server>,
    /// The routing tables.
    pub tables: Vec<Table>,
    /// Who may be which host; anybody who can connect may when there is none.
    pub clients: Vec<Client>,
    /// Other routers that this one connects to.
    pub uplinks: Vec<Uplink>,
    /// Where the routers of a fleet find one another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<Registry>,
}

impl Tunnels {
    /// Whether nothing is said of tunnels.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The files with keys and passwords.
    pub fn secrets(&self) -> Vec<&Path> {
        let server = self.server.iter().filter_map(|server| Some(&server.tls.as_ref()?.key));
        let clients = self.clients.iter().filter_map(|client| Some(&client.user.as_ref()?.1));
        let to = || self.uplinks.iter().map(|uplink| &uplink.client).chain(self.registry.iter().map(|r| &r.client));
        let own = to().filter_map(|client| Some(&client.user.as_ref()?.1));
        let keys = to().filter_map(|client| Some(&client.tls.as_ref()?.identity.as_ref()?.1));
        let tokens = self.tables.iter().filter_map(|table| table.plugin.as_ref()?.token.as_ref());
        server.chain(clients).chain(own).chain(keys).chain(tokens).map(PathBuf::as_path).collect()
    }

    /// Whether there is anything to do.
    pub fn is_empty(&self) -> bool {
        self.server.is_none() && self.uplinks.is_empty() && self.registry.is_none()
    }
}

/// How hosts are let in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// Where.
    pub listen: Vec<SocketAddr>,
    /// By TLS; in the clear when there is none.
    pub tls: Option<ServerTls>,
    /// The table of who asks for none, or for one that is not there.
    pub default: Option<TableName>,
    /// Which hosts may be in which table. When there is any, those that are not listed are refused.
    pub ingress: Vec<(HostName, TableName)>,
    /// The size of the largest packet to a host, in bytes.
    pub mtu: u32,
}

/// What a server shows, and wants to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerTls {
    /// Its certificate, and those between it and one that clients trust: PEM.
    pub certificate: PathBuf,
    /// The certificate's key: PEM.
    pub key: PathBuf,
    /// Who signs the certificates that clients must have; none where they need none.
    pub clients: Option<PathBuf>,
}

/// A routing table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: TableName,
    /// Whether the router's own device and its local peers are in it; at most one table has them.
    pub local: bool,
    /// Routes of the router's file.
    pub routes: Vec<(IpNet, HostName)>,
    /// Where there are more of them.
    pub sources: Vec<Source>,
    /// Who is asked for a route where there is none.
    pub plugin: Option<Plugin>,
    /// How often what is not in the router's own file is read again, in seconds.
    pub reload: u32,
}

/// Where routes are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Lines of a file.
    File(PathBuf),
    /// Lines by HTTP.
    Http(String),
    /// A hash, set or list.
    Redis {
        /// The server.
        url: String,
        /// The key.
        key: String,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Http(url) => f.write_str(url),
            // Without what may be a password.
            Self::Redis { url, key } => {
                write!(f, "{key} of Redis at {}", url.rsplit(['@', '/']).find(|part| part.contains(':')).unwrap_or(url))
            }
        }
    }
}

/// Who is asked for routes, by HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plugin {
    /// Where.
    pub url: String,
    /// A file with what proves who asks.
    pub token: Option<PathBuf>,
}

/// Who may be which host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// For people.
    pub name: String,
    /// The user that it must be, and the file with the password.
    pub user: Option<(String, PathBuf)>,
    /// A name (DNS) that its certificate must have.
    pub certificate: Option<String>,
    /// The names that it may have; any when there is none.
    pub hosts: Vec<HostName>,
    /// The tables that it may be in; any when there is none.
    pub tables: Vec<TableName>,
    /// The addresses that it may announce, beside those that routes lead to it for; of the table's default when there is none.
    pub addresses: Vec<IpNet>,
    /// What it may have, where that differs from the router's.
    pub limits: Option<Limits>,
}

/// Another router, that this one connects to as a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Uplink {
    /// Its name here.
    pub name: HostName,
    /// What is said there.
    pub client: ClientSettings,
    /// What is behind it.
    pub routes: Vec<IpNet>,
    /// Whether the addresses of local peers are announced there, too.
    pub announce: bool,
}

/// Where the routers of a fleet find one another, and the hosts that they hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registry {
    /// The server of Redis.
    pub redis: String,
    /// What the keys there begin with.
    pub prefix: String,
    /// Where others reach this router; without it, it finds and is not found.
    pub at: Option<ServerAddress>,
    /// How often it is written and read, in seconds.
    pub period: u32,
    /// How long what was written holds, in seconds.
    pub expiry: u32,
    /// What is said to other routers, whose addresses are found out; its host is this router's name. The name that their certificates
    /// must have is that of the address where there is none.
    pub client: ClientSettings,
}

impl Registry {
    /// What is said to the router at an address, for a table by its id.
    pub fn client_at(&self, server: &ServerAddress, id: Option<Uuid>) -> ClientSettings {
        let mut client = ClientSettings { server: server.clone(), id, ..self.client.clone() };
        if let Some(tls) = client.tls.as_mut().filter(|tls| tls.name.is_empty()) {
            tls.name.clone_from(&server.host);
        }
        client
    }
}

//! Links that ask the network for their addresses, and the programs that do it for them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// What a link asks the network for, and by which client.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dhcp {
    /// What is asked for.
    pub protocol: Protocol,
    /// Who asks.
    pub client: Client,
    /// The name that the server is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The vendor class that the server is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The client identifier; that of the hardware address when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The lease time to ask for, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_time: Option<u32>,
    /// The metric of the routes that the lease brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<u32>,
    /// Whether a prefix is asked for, too (IPv6).
    #[serde(default)]
    pub request_prefix: bool,
    /// How long the link may take for an IPv6 link-local address, without which nothing can be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_local: Option<Duration>,
    /// How long a start waits for an answer, in seconds; 0 is not at all.
    pub limit: u32,
}

/// What a link asks the network for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// An IPv4 address by DHCP (RFC 2131).
    Dhcp,
    /// An IPv4 address by BOOTP (RFC 951).
    Bootp,
    /// An IPv4 link-local address, which is chosen and defended (RFC 3927).
    Ipv4ll,
    /// IPv6 addresses by DHCP (RFC 8415).
    Dhcp6,
    /// Only what goes with autoconfigured IPv6 addresses, such as name servers (stateless DHCPv6).
    Stateless6,
}

/// A program that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Client {
    /// Roy Marples' dhcpcd.
    Dhcpcd,
    /// ISC's dhclient.
    Dhclient,
    /// busybox' udhcpc.
    Udhcpc,
    /// avahi's IPv4 link-local daemon.
    #[serde(rename = "avahi-autoipd")]
    AvahiAutoipd,
}

impl Protocol {
    /// The address family's word. A link has one client for each.
    pub fn family(self) -> &'static str {
        if self.is_ipv6() { "inet6" } else { "inet" }
    }

    /// Whether it is about IPv6.
    pub fn is_ipv6(self) -> bool {
        matches!(self, Protocol::Dhcp6 | Protocol::Stateless6)
    }

    /// The clients that can do it, in the order in which they are looked for.
    pub fn clients(self) -> &'static [Client] {
        match self {
            Protocol::Dhcp => &[Client::Dhcpcd, Client::Dhclient, Client::Udhcpc],
            Protocol::Bootp | Protocol::Dhcp6 | Protocol::Stateless6 => &[Client::Dhcpcd, Client::Dhclient],
            Protocol::Ipv4ll => &[Client::Dhcpcd, Client::AvahiAutoipd],
        }
    }
}

impl fmt::Display for Protocol {
    /// What is waited for, with its article.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Dhcp => "a DHCP lease",
            Protocol::Bootp => "a BOOTP reply",
            Protocol::Ipv4ll => "an IPv4 link-local address",
            Protocol::Dhcp6 => "a DHCPv6 lease",
            Protocol::Stateless6 => "a DHCPv6 reply",
        })
    }
}

impl Client {
    /// All of them.
    pub const ALL: [Client; 4] = [Client::Dhcpcd, Client::Dhclient, Client::Udhcpc, Client::AvahiAutoipd];

    /// The program's name.
    pub fn program(self) -> &'static str {
        match self {
            Client::Dhcpcd => "dhcpcd",
            Client::Dhclient => "dhclient",
            Client::Udhcpc => "udhcpc",
            Client::AvahiAutoipd => "avahi-autoipd",
        }
    }

    /// Debian's package that has it.
    pub fn package(self) -> &'static str {
        match self {
            Client::Dhcpcd => "dhcpcd-base",
            Client::Dhclient => "isc-dhcp-client",
            Client::Udhcpc => "udhcpc",
            Client::AvahiAutoipd => "avahi-autoipd",
        }
    }

    /// The client of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|client| client.program() == name)
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.program())
    }
}

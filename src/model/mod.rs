//! The nouns: names that are valid by construction, links, addresses, routes, rules, and the [`State`] made of them.
//!
//! Plain ordered values. This module knows neither where they come from (files, the kernel) nor what is done with
//! them, and names nothing else of the crate.
//!
//! One [`State`] type serves both as *current* (every property known) and as *desired* (a property that is `None`
//! is one nobody asked for). [`State::satisfies`] is the relation between the two.

mod address;
mod desired;
mod device;
mod dhcp;
mod gate;
mod instance;
mod link;
mod link_option;
mod mac;
mod name;
mod remote;
mod resolv;
mod route;
mod rule;
mod ruleset;
mod state;
mod sysctl;
mod virtual_link;
mod wireguard;

pub use address::{Address, Scope};
pub use desired::{Desired, DesiredLink, Owned, Presence, Stanza, Taken};
pub use device::{Device, DeviceMode, DeviceProtocol, Listen};
pub use dhcp::{Client, Dhcp, Protocol};
pub use gate::{Gate, OwnedGate};
pub use instance::{DeviceInstance, Instance, escape};
pub use link::{BridgeVlan, Kind, Link, VlanProtocol};
pub use link_option::{BOND_PORT, BRIDGE_PORT, Change, LinkOption, PortOf, Shape};
pub use mac::MacAddr;
pub use name::{LinkName, NameError, Netns, NetnsName, Place, RouterName};
pub use remote::{ClientSettings, ClientTls, HostName, NotAName, NotAServer, ServerAddress};
pub use resolv::{Domain, MAX_SERVERS, NameServer, NotForResolv, Resolv, ResolvWord};
pub use route::{Route, RouteKind, TABLE_MAIN};
pub use rule::{Rule, RuleAction};
pub use ruleset::{MARK_TABLE, Ruleset, RulesetPart, Table, Translation};
pub use state::{NetnsState, State};
pub use sysctl::{ROUTE_LOCALNET, Sysctl};
pub use virtual_link::{LinkOptions, LinkValue, Virtual, VirtualKind};
pub use wireguard::{Secret, Wireguard, WireguardKey, WireguardPeer};

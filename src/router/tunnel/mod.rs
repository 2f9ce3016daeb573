//! Routing tunnels: routers on several hosts that carry each other's networks, by the protocol of gost's routing tunnel (version 3).
//!
//! A host connects to a router by TCP or TLS and says its name, and the id of the routing table that it wants to be in. From then on
//! both send packets, each with its length before it. The router has tables of routes `prefix → host`; a packet goes to the host that
//! the longest prefix of its table names, and comes from nobody but a host that the same table names for its source. Tables know
//! nothing of one another.
//!
//! # Parts, in reading order
//!
//! | module | is | knows |
//! |---|---|---|
//! | [`name`] | names of hosts, and of tables by id or word | – |
//! | [`wire`] | packets in a stream | – |
//! | [`handshake`] | what is said before there are packets | `name` |
//! | [`settings`] | what server, tables, clients and uplinks are told: values | `name` |
//! | [`table`] | routes by the longest prefix, and their text | `name` |
//! | [`authentication`] | who may be which host in which table | `handshake`, `settings` |
//! | [`registry`] | which router of a fleet holds what | `name` |
//!
//! None of them has I/O or a clock. What carries them out is in [`daemon`](super::daemon): `remote` lets hosts in, `uplink` is a host
//! itself, `tls` is what both trust. The deciding core ([`switch`](super::switch)) knows a remote host as a peer like any other, whose
//! addresses a table tells: firewall, rates, limits and counters are the same.

pub mod authentication;
pub mod handshake;
pub mod name;
pub mod registry;
pub mod settings;
pub mod table;
pub mod wire;

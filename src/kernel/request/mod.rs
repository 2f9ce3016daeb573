//! Operations as rtnetlink requests, byte for byte what the printed `ip` command would send in substance.
//!
//! Pure functions from an operation's parts, with names already turned into indexes, to a [`Request`]. Requests are of
//! few kinds and are therefore built with the typed messages of netlink-packet-route; what is read in bulk is not
//! (see [`super::observe`]).
//!
//! Must not know: sockets, namespaces other than as file descriptors, what is there already.

pub(super) mod address;
pub(super) mod bridge;
pub(super) mod link;
pub(super) mod route;
pub(super) mod rule;

pub(super) use super::session::Request;

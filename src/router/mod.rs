//! Packets between tun and tap devices: connectivity for namespaces that own no NIC.
//!
//! A router has a device of its own on the host and *peers*: a peer is a namespace's device, whose descriptor was passed over a
//! unix socket, or a program that speaks uWSGI's frames over a stream. Whatever arrives is looked at once and goes to the
//! router's device, to one peer, or nowhere, with a counter for the reason.
//!
//! # Parts, in reading order
//!
//! | module | is | knows |
//! |---|---|---|
//! | [`settings`] | what a router is told: values | `model` |
//! | [`packet`] | checked views of IP packets, Ethernet frames and virtio-net headers | – |
//! | [`rule`] | firewall rules: text, value, match | `packet` |
//! | [`segment`] | super-packets into packets: checksums and segmentation where no kernel does it | `packet` |
//! | [`uwsgi`] | uWSGI's frames, rule blocks and option texts | `rule`, `settings`, `model` |
//! | [`tunnel`] | networks on other hosts: the protocol, routing tables, who may be which host | `settings` |
//! | [`switch`] | the deciding core: events and time in, verdicts out | the above |
//! | [`hello`] | what our device says to our router | `rule` |
//! | [`daemon`] | the loop around the core: descriptors, sockets, clock, signals | everything |
//! | [`device`] | the other end: holds a namespace's device and passes it | everything |
//!
//! The core has no I/O and no clock: time is a number that grows ([`Nanos`]). It is tested by itself, under a clock of the test's.
//!
//! # Chains
//!
//! Seen from the router, as uWSGI names them: *out* is what comes from a peer, *in* is what goes to a peer. A packet from peer to
//! peer passes *out* first, then *in*.

pub mod daemon;
pub mod device;
pub mod hello;
pub mod packet;
pub mod rule;
pub mod segment;
pub mod settings;
pub mod statistics;
pub mod switch;
pub mod tunnel;
pub mod uwsgi;

#[cfg(test)]
mod samples;

/// Nanoseconds since some moment before the router began.
pub type Nanos = u64;

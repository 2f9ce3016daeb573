//! systemd-netns puts systemd services into network namespaces of their own.
//!
//! # Flow
//!
//! ```text
//! interfaces text ─parse─▶ stanzas ─resolve─▶ Desired ─┐
//!                                                      ├─converge─▶ Plan ─apply─▶ report, exit status
//! kernel dumps ────────────────────observe──▶ State ───┘             │
//!                                                                    ├─ Display  = the script a person would type
//!                                                                    ├─ simulate = a new State, in memory
//!                                                                    └─ kernel   = netlink requests
//! ```
//!
//! A [`plan::Plan`] is a value, so specific that nothing is left to decide while it is carried out. Five laws tie its three
//! readings together: a plan converges; a second one is empty; the text does what the deed does; what is observed afterwards is
//! what was simulated; and a teardown leaves no trace.
//!
//! `start` and `reload` are the same act from different current states. What is about to be answered for is written down
//! first ([`model::Owned`], [`system::record`]); `stop`, a failed start and one that was killed all work from that record, never
//! from the configuration.
//!
//! A namespace may have users beside itself, whose links end up in it (`DestNetNS` of an `xfrm` file). It is one like any other, with
//! files and a record of its own; the records of both sides name one another, and the last of all stops it.
//!
//! # Layers
//!
//! In reading order, and who may name whom (`tests/layers.rs` enforces it):
//!
//! | module | is | may name |
//! |---|---|---|
//! | [`model`] | nouns as plain ordered values | – |
//! | [`interfaces`] | the language of interfaces(5) | – |
//! | [`config`] | meaning: files to [`model::Desired`] and [`router::settings`] | `model`, `interfaces`, `router`'s settings and rules |
//! | [`plan`] | operations, converge, teardown, simulate | `model` |
//! | [`kernel`] | netlink, setns, `/proc/sys` | `model`, `plan` |
//! | [`system`] | files, commands of the user's, D-Bus, messages | `model`, `interfaces`, `plan` |
//! | [`apply`], [`report`] | walking a plan; what was done, in words | `model`, `plan`, `kernel`, `system` |
//! | [`metrics`] | figures, in the text that Prometheus reads | `model`, `kernel` |
//! | [`router`] | packets between devices, peers and uplinks | `model`; its daemon and device also `kernel`, `system` |
//! | [`cli`] | what can be typed | `model` |
//! | [`commands`] | one file per subcommand | everything |
//!
//! # Where this differs from its first design
//!
//! - What the files ask for is [`model::Desired`], not a bare state: commands have their places between changes.
//! - Requests about links are written with `rtnetlink`'s message builders, the others with `netlink-packet-route`. They go out over a
//!   plain blocking socket rather than through `rtnetlink`'s connection: ten thousand routes go out in a few hundred system calls, and
//!   only failures are answered.

pub mod apply;
pub mod cli;
pub mod commands;
pub mod config;
pub mod interfaces;
pub mod kernel;
pub mod metrics;
pub mod model;
pub mod plan;
pub mod report;
pub mod router;
pub mod system;

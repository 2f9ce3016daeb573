//! Effects beside the kernel's tables: the record, commands of the user's, clients that ask for addresses, name
//! servers, systemd over D-Bus, drop-ins, messages.
//!
//! Knows `model`, `interfaces` and `plan`, and never speaks netlink or enters a namespace: who calls [`hook::run`] is in
//! the right one already.

pub mod dhcp;
pub mod dropin;
pub mod hook;
pub mod journal;
pub mod lock;
pub mod programs;
pub mod record;
pub mod resolv;
pub mod systemd;

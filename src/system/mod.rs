//! Effects beside the kernel's tables: the record, commands of the user's, systemd over D-Bus, drop-ins, messages.
//!
//! Knows `model`, `interfaces` and `plan`, and never speaks netlink or enters a namespace: who calls [`hook::run`] is in
//! the right one already.

pub mod dropin;
pub mod hook;
pub mod journal;
pub mod lock;
pub mod record;
pub mod systemd;

//! Effects beside the kernel's tables: records, commands of the user's, clients that ask for addresses, devices of routers,
//! nft(8), name servers, systemd over D-Bus, drop-ins, messages.
//!
//! Knows `model`, `interfaces` and `plan`, and never speaks netlink or enters a namespace: who calls [`hook::run`] is in
//! the right one already.

pub mod accounts;
pub mod device;
pub mod dhcp;
pub mod dropin;
pub mod gate;
pub mod hook;
pub mod journal;
pub mod lock;
pub mod managers;
pub mod nft;
pub mod privileges;
pub mod programs;
pub mod record;
pub mod resolv;
pub mod secrets;
pub mod systemd;

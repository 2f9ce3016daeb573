//! What shall be done, as a value.
//!
//! A [`Plan`] is so specific that nothing is left to decide while it is carried out. The same [`Op`]s are read in
//! three ways: `Display` prints the shell command that a person would type, [`simulate()`] says what the kernel will make
//! of it, and `kernel` asks the kernel for it. The five laws in `tests/laws.rs` hold the three together.
//!
//! [`converge()`] goes from a current state to a desired one, [`teardown()`] back to what was there before, from the record
//! ([`own()`]) and never from the configuration. There is no scripted undo: a failed start is torn down like a finished one.
//!
//! This module is pure: it knows [`crate::model`] and neither files, nor the kernel, nor a clock.

mod converge;
mod gate;
mod join;
mod label;
mod mend;
mod op;
mod order;
mod own;
mod problem;
mod retire;
mod settings;
mod shared;
mod simulate;
mod tables;
mod teardown;
mod text;

pub use converge::converge;
pub use gate::{close_gate, gate_links, gate_settings, open_gate, own_gate, settle_gate};
pub use op::{Asking, Command, LinkSetting, Op, Phase, Plan, VlanRange};
pub use own::{own, own_elsewhere, settle};
pub use problem::Problem;
pub use settings::{Before, changes_host, forwards_all, own_settings};
pub use simulate::simulate;
pub use teardown::teardown;

//! What shall be done, as a value.
//!
//! A [`Plan`] is so specific that nothing is left to decide while it is carried out. The same [`Op`]s are read in
//! three ways: `Display` prints the shell command that a person would type, [`simulate`] says what the kernel will make
//! of it, and `kernel::apply` asks the kernel for it. The five laws in `tests/laws` hold the three together.
//!
//! This module is pure: it knows [`crate::model`] and neither files, nor the kernel, nor a clock.

mod op;

pub use op::{Command, LinkSetting, Op, Phase, Plan};

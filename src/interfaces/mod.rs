//! The language of interfaces(5): text in, stanzas with positions and diagnostics out.
//!
//! Knows nothing of networking, of the kernel or of the rest of the crate: `address` is an option like any other here.

pub mod diagnostic;
pub mod syntax;

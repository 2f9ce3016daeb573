//! The language of interfaces(5): text in, stanzas with positions and diagnostics out.
//!
//! ```text
//! files ─▶ lines ─▶ words ─▶ parse ─▶ syntax, diagnostic
//!   ▲                          │ `source`
//!   └──────── include ◀────────┘
//! ```
//!
//! Debian's ifupdown is the reference, with these deviations, each because copying it would hurt:
//!
//! - a mistake in a sourced file is as much an error as one in the main file, and every mistake is reported
//! - `$VAR` in a `source` line is refused: what is configured must not depend on who runs the program
//! - every word of a `source` line is relative to the including file's directory, not only the first
//! - words are never cut at 79 bytes
//! - `template` and `iface NAME` alone are read as ifupdown-ng and ifupdown2 do
//! - `link-netns NETNS LINK PEER` is read wherever it stands, and never ends an `iface` stanza
//!
//! This module knows nothing of networking, of the kernel or of the rest of the crate: `address` is an option like any
//! other here, families and methods are words, and names are not checked. What the words mean is for `config` to say.

pub mod diagnostic;
pub mod syntax;

pub mod files;
mod guess;
mod include;
mod lines;
mod options;
mod parse;
pub mod pattern;
mod print;
mod report;
mod words;

pub use files::Files;
pub use parse::{Parsed, parse, parse_text};
pub use print::Listing;

/// The longest file that is read, in bytes. Thousands of links fit in one; a file beyond it is no configuration.
pub const MAX_FILE: usize = 16 << 20;

/// The longest line that is read, in bytes, after its continuation lines were joined.
pub const MAX_LINE: usize = 64 << 10;

/// How deep files may include each other. Only a mistake nests deeper.
pub const MAX_DEPTH: usize = 32;

/// How many files one run reads, and how many directories one pattern searches.
pub const MAX_FILES: usize = 4096;

/// How many diagnostics are kept; the rest is counted.
pub const MAX_DIAGNOSTICS: usize = 100;

//! Any bytes as an interfaces(5) file: no panic, every diagnostic can be shown, and what was understood survives
//! being printed. `cargo +nightly fuzz run --fuzz-dir tests/fuzz interfaces` in the repository's root.
//!
//! The module is compiled by itself, without the crate around it: it names nothing else, and builds in a second.

#![no_main]

#[allow(dead_code, unused_imports)]
#[path = "../../../src/interfaces/mod.rs"]
mod interfaces;

use interfaces::files::MemoryFiles;
use interfaces::{Listing, MAX_LINE};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

/// The file sources itself if it likes, and a second one with the same content.
fn read(bytes: &[u8]) -> interfaces::Parsed {
    let files = MemoryFiles::new().with("/a", bytes).with("/b", bytes);
    interfaces::parse(Path::new("/a"), &files)
}

fuzz_target!(|bytes: &[u8]| {
    let parsed = read(bytes);
    for diagnostic in &parsed.diagnostics {
        let _ = diagnostic.to_string();
    }
    let printed = Listing(&parsed.stanzas).to_string();
    // Normalising may make a line longer, and so too long.
    if bytes.len() < MAX_LINE / 2 {
        assert_eq!(Listing(&read(printed.as_bytes()).stanzas).to_string(), printed);
    }
    for part in bytes.split(|&byte| byte == b'\n').take(2).collect::<Vec<_>>().windows(2) {
        let (pattern, text) = (String::from_utf8_lossy(part[0]), String::from_utf8_lossy(part[1]));
        // A pattern may take time in proportion to itself and the square of the text.
        if pattern.len() < 4096 && text.len() < 256 {
            let _ = interfaces::pattern::Glob::new(&pattern).matches(&text);
        }
        let _ = interfaces::pattern::Selector::parse(&pattern);
    }
});

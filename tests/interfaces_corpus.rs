//! Replays the seeds of the fuzz target, and whatever it found, without a fuzzer.

use std::fs;
use std::path::Path;
use systemd_netns::interfaces::files::MemoryFiles;
use systemd_netns::interfaces::pattern::{Glob, Selector};
use systemd_netns::interfaces::{self, Listing};

fn read(bytes: &[u8]) -> interfaces::Parsed {
    let files = MemoryFiles::new().with("/a", bytes).with("/b", bytes);
    interfaces::parse(Path::new("/a"), &files)
}

#[test]
fn every_seed_is_read_and_survives_printing() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/interfaces");
    let mut seeds = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let parsed = read(&bytes);
        parsed.diagnostics.iter().for_each(|diagnostic| assert!(!diagnostic.to_string().is_empty()));
        let printed = Listing(&parsed.stanzas).to_string();
        let again = Listing(&read(printed.as_bytes()).stanzas).to_string();
        assert_eq!(again, printed, "{}", path.display());
        let text = String::from_utf8_lossy(&bytes);
        if let [pattern, name] = text.lines().take(2).collect::<Vec<_>>()[..] {
            Glob::new(pattern).matches(name);
            // Any answer is right.
            drop(Selector::parse(pattern));
        }
        seeds += 1;
    }
    assert!(seeds >= 10, "the corpus is gone: {seeds} seeds");
}

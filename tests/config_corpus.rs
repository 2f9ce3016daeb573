//! Replays the seeds of the fuzz target `resolve`, and whatever it found, without a fuzzer.

use std::fs;
use std::path::Path;
use systemd_netns::{config, interfaces, model};

#[path = "common/resolve.rs"]
mod resolve;

#[test]
fn every_seed_means_something_or_is_a_mistake() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/resolve");
    let mut seeds = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        resolve::run(&fs::read(entry.unwrap().path()).unwrap());
        seeds += 1;
    }
    assert!(seeds >= 30, "the corpus is gone: {seeds} seeds");
}

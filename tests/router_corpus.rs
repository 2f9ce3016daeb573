//! Replays the seeds of the fuzz targets `packet`, `uwsgi`, `firewall` and `tunnel`, and whatever they found, without a fuzzer.

use std::fs;
use std::path::Path;
use systemd_netns::router;

#[path = "common/wire.rs"]
mod wire;

fn replay(target: &str, least: usize, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let seeds: Vec<_> = fs::read_dir(corpus).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    seeds.iter().for_each(|seed| run(seed));
    assert!(seeds.len() >= least, "the corpus is gone: {} seeds", seeds.len());
}

#[test]
fn packets_are_sent_on_whole_or_not_at_all() {
    replay("packet", 20, wire::packet);
}

#[test]
fn streams_are_read_the_same_however_they_are_cut() {
    replay("uwsgi", 5, wire::uwsgi);
}

#[test]
fn rules_are_printed_as_what_they_are() {
    replay("firewall", 5, wire::firewall);
}

#[test]
fn hosts_are_understood_the_same_however_they_are_cut() {
    replay("tunnel", 5, wire::tunnel);
}

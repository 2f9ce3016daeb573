//! Any bytes as a virtio-net header and a packet or frame: no panic, and whatever is sent on is a packet within the MTU.
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz packet` in the repository's root. The modules are compiled by themselves.

#![no_main]

#[allow(dead_code, unused_imports)]
#[path = "../../../src/model/mod.rs"]
mod model;
#[allow(dead_code, unused_imports)]
#[path = "../../common/router.rs"]
mod router;
#[allow(dead_code)]
#[path = "../../common/wire.rs"]
mod wire;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wire::packet(bytes));

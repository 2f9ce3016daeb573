//! Any bytes as what hosts of a routing tunnel say, and as routes: no panic, the same packets however the stream is cut, nothing beyond
//! the bound, and what is understood of a request survives being written.
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz tunnel` in the repository's root. The modules are compiled by themselves.

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

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wire::tunnel(bytes));

//! Any bytes as a stream of uWSGI's frames: the same messages however it is cut, nothing beyond the bound, and what is understood of
//! rules survives being written.
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz uwsgi` in the repository's root. The modules are compiled by themselves.

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

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wire::uwsgi(bytes));

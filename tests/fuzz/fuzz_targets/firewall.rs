//! Any lines as firewall rules: a mistake is within its line, what is understood is printed as what it is, and a chain decides as its
//! rules do.
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz firewall` in the repository's root. The modules are compiled by themselves.

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

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wire::firewall(bytes));

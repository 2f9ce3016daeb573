//! Any bytes as the files of a namespace: no panic, every diagnostic can be shown, and with an error nothing is desired.
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz resolve` in the repository's root.
//!
//! A line `%%% PATH` begins another file; what stands before the first is the namespace's `interfaces`. Links that the
//! file's words name may exist on the machine, each second one does. The modules are compiled by themselves, without the
//! rest of the crate.

#![no_main]

#[allow(dead_code, unused_imports)]
#[path = "../../../src/config/mod.rs"]
mod config;
#[allow(dead_code, unused_imports)]
#[path = "../../../src/interfaces/mod.rs"]
mod interfaces;
#[allow(dead_code, unused_imports)]
#[path = "../../../src/model/mod.rs"]
mod model;
#[allow(dead_code, unused_imports)]
#[path = "../../common/router.rs"]
mod router;

use libfuzzer_sys::fuzz_target;

#[path = "../../common/resolve.rs"]
mod resolve;

fuzz_target!(|bytes: &[u8]| resolve::run(bytes));

//! The router's pure modules by themselves, for fuzz targets.

#[path = "../../src/router/packet/mod.rs"]
pub mod packet;
#[path = "../../src/router/rule/mod.rs"]
pub mod rule;
#[path = "../../src/router/segment/mod.rs"]
pub mod segment;
#[path = "../../src/router/settings.rs"]
pub mod settings;
#[path = "../../src/router/tunnel/mod.rs"]
pub mod tunnel;
#[path = "../../src/router/uwsgi/mod.rs"]
pub mod uwsgi;

pub type Nanos = u64;

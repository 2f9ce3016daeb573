//! Routing tunnels as they are used: the real program in three namespaces that are hosts of one network.

mod common;

/// What tests of the router have that tests of tunnels need.
#[allow(dead_code)]
#[path = "router"]
mod router {
    pub mod peer;
    pub mod traffic;
    pub mod world;
}

#[path = "tunnel"]
mod tunnel {
    pub mod hosts;
    pub mod raw;
    pub mod redis;

    mod faults;
    mod federation;
    mod fleet;
    mod gost;
    mod refusals;
    mod sources;
    mod tls;
    mod tutorial;
}

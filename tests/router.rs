//! The router as it is used: the real program, with real devices in real namespaces.

mod common;

mod router {
    pub mod peer;
    pub mod traffic;
    pub mod world;

    mod limits;
    mod misbehaviour;
    mod registration;
    mod resilience;
    mod rules;
    mod statistics;
    mod tap;
    mod transfer;
    mod uwsgi;
    mod uwsgi_files;
}

//! systemd-netns puts systemd services into network namespaces of their own.

pub mod config;
pub mod interfaces;
pub mod model;
pub mod plan;

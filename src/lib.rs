//! systemd-netns puts systemd services into network namespaces of their own.

pub mod interfaces;
pub mod kernel;
pub mod model;
pub mod plan;
pub mod system;

//! Privileges that are needed no more.

use anyhow::{Context, Result};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

/// Gives up all capabilities of the calling thread (capabilities(7)), for good where nothing new can be executed with more. A process has
/// given them up once each of its threads has.
///
/// # Errors
/// When the kernel refuses.
pub fn give_up() -> Result<()> {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).context("give up capabilities")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_thread_without_capabilities_has_none() {
        let left = || {
            super::give_up().unwrap();
            rustix::thread::capabilities(None).unwrap().permitted
        };
        assert!(std::thread::spawn(left).join().unwrap().is_empty());
    }
}

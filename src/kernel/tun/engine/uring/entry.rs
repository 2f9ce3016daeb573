//! What is known of a descriptor.

use std::os::fd::OwnedFd;

/// A descriptor.
pub(super) struct Entry {
    pub fd: OwnedFd,
    pub generation: u16,
    pub is_device: bool,
    /// A request that goes on, or a poll, is with the kernel.
    pub armed: bool,
    /// It is among those that are due.
    pub is_due: bool,
    /// What it is watched for.
    pub read: bool,
    pub write: bool,
    /// There is something to read, as far as is known (batches).
    pub ready: bool,
    /// Reads that are with the kernel (batches).
    pub reading: u16,
    /// It is read step by step.
    pub stepwise: bool,
    /// Set where reads wait, because they cannot be asked not to.
    pub waiting: Option<Waiting>,
}

/// What is known of a device whose reads wait.
#[derive(Debug)]
pub(super) struct Waiting {
    /// How many are asked for when there is something to read.
    pub window: u16,
    /// The buffers of those that are with the kernel.
    pub buffers: Vec<u16>,
}

impl Waiting {
    pub fn new() -> Self {
        Self { window: 1, buffers: Vec::new() }
    }
}

impl Entry {
    /// One that is to be read, and has not been asked for anything.
    pub fn new(fd: OwnedFd, generation: u16, is_device: bool) -> Self {
        Self {
            fd,
            generation,
            is_device,
            armed: false,
            is_due: false,
            read: true,
            write: false,
            ready: false,
            reading: 0,
            stepwise: false,
            waiting: None,
        }
    }
}

//! Users and groups by their names (getpwnam(3), getgrnam(3)).

use nix::unistd::{Group, User};

/// A user's number.
pub fn user(name: &str) -> Option<u32> {
    User::from_name(name).ok().flatten().map(|user| user.uid.as_raw())
}

/// A group's number.
pub fn group(name: &str) -> Option<u32> {
    Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
}

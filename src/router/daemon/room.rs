//! Room for strangers: connections that are no peers yet, or peers that have no address yet.
//!
//! uWSGI's device connects, and says nothing before its namespace sends a packet, so that silence has no time limit. What bounds it is
//! their number; and no user, or host that connects by TCP, has more than its share, so that nobody keeps the others out.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many strangers there may be where fewer peers may be.
const LEAST: usize = 64;
/// The part of them that may be one guest's.
const SHARE: usize = 4;

/// Whose a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Guest {
    /// A user's of this host.
    User(u32),
    /// A host's that connects by TCP.
    Host(IpAddr),
}

impl Guest {
    /// Of a connection by TCP. A host may have all addresses of a network of 64 bits.
    pub fn by_tcp(from: IpAddr) -> Self {
        Self::Host(match from.to_canonical() {
            IpAddr::V6(from) => Ipv6Addr::from_bits(from.to_bits() & !u128::from(u64::MAX)).into(),
            from => from,
        })
    }
}

impl fmt::Display for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(uid) => write!(f, "uid {uid}"),
            Self::Host(address) => write!(f, "{address}"),
        }
    }
}

/// The strangers of each guest. Who has none is not in it.
#[derive(Debug, Default)]
pub(super) struct Room(Mutex<HashMap<Guest, Strangers>>);

#[derive(Debug, Default)]
struct Strangers {
    count: usize,
    /// That it has too many was told.
    told: bool,
}

/// A stranger's place, which is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    room: Arc<Room>,
    guest: Guest,
}

impl Room {
    /// A place for a stranger, where so many peers may be.
    ///
    /// # Errors
    /// When there is none: why, where that was not told already.
    pub fn enter(self: &Arc<Self>, guest: Guest, peers: u32) -> Result<Place, Option<String>> {
        let most = LEAST.max(peers as usize);
        let mut held = self.held();
        if held.values().map(|strangers| strangers.count).sum::<usize>() >= most {
            return Err(Some(format!("there are {most} connections that have no address yet, which is the limit")));
        }
        let strangers = held.entry(guest).or_default();
        if strangers.count >= most / SHARE {
            let why =
                || format!("{guest} has {} connections that have no address yet, which is the limit", most / SHARE);
            return Err((!std::mem::replace(&mut strangers.told, true)).then(why));
        }
        strangers.count += 1;
        Ok(Place { room: Arc::clone(self), guest })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Guest, Strangers>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.room.held();
        let Some(strangers) = held.get_mut(&self.guest) else { return };
        strangers.count -= 1;
        if strangers.count == 0 {
            held.remove(&self.guest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_more_than_a_share_of_it() {
        let room = Arc::<Room>::default();
        let enter = |uid| room.enter(Guest::User(uid), 100);
        let mut places: Vec<Place> = (0..25).map(|_| enter(1).unwrap()).collect();
        assert!(enter(1).unwrap_err().is_some_and(|why| why.contains("uid 1 has 25")));
        assert_eq!(enter(1).unwrap_err(), None, "it is told once");
        places.pop();
        places.push(enter(1).unwrap());
        for uid in 2..5 {
            places.extend((0..25).map(|_| enter(uid).unwrap()));
        }
        let host = Guest::by_tcp([192, 0, 2, 1].into());
        assert!(room.enter(host, 100).unwrap_err().is_some_and(|why| why.contains("there are 100")));
        drop(places);
        let of = |text: &str| Guest::by_tcp(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), host);
        assert!(room.held().is_empty());
        assert!(room.enter(host, 1).is_ok());
    }
}

//! [`Kernel::stamp`]: everything that [`Kernel::observe`] would look at, as one number.
//!
//! Two equal stamps say that nothing has changed between them, at a fraction of the price of reading the tables. Two different
//! ones say nothing: a counter, a lifetime or the carrier may have moved. Whoever asks looks properly then.

use super::super::error::Error;
use super::super::{Kernel, Opened, request, sysctl};
use super::{Wanted, absent_family, link, route};
use crate::model::Netns;
use netlink_packet_route::AddressFamily;
use rustc_hash::FxHasher;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

impl Kernel {
    /// The stamp of what is `wanted`.
    pub fn stamp(&mut self, wanted: &Wanted) -> Result<u64, Error> {
        self.refresh();
        let mut hasher = FxHasher::default();
        for netns in &wanted.netns {
            let opened = match self.opened(netns) {
                Err(Error::NoNetns(_)) => continue,
                other => other?,
            };
            netns.hash(&mut hasher);
            let routes_of = wanted.host_links.as_ref().filter(|_| *netns == Netns::Host);
            opened.stamp(routes_of, &mut hasher)?;
            if let Some(keys) = wanted.sysctls.get(netns) {
                sysctl::read(&opened.namespace, keys)?.hash(&mut hasher);
            }
        }
        Ok(hasher.finish())
    }
}

impl Opened {
    fn stamp(
        &mut self,
        routes_of: Option<&BTreeSet<crate::model::LinkName>>,
        hasher: &mut FxHasher,
    ) -> Result<(), Error> {
        let seen = self.session.dump(&request::link::dump(), |payload| {
            let seen = link::read(payload);
            match &seen {
                // Its message tells the time until it tidies up next.
                Some(bridge) if bridge.is_bridge() => bridge.hash_what_lasts(hasher),
                _ => hasher.write(payload),
            }
            seen
        })?;
        let mut tables = vec![request::address::dump(AddressFamily::Unspec)];
        let filters: Vec<Option<u32>> = match routes_of {
            None => vec![None],
            Some(links) => seen.iter().filter(|s| links.contains(&s.name)).map(|s| Some(s.index)).collect(),
        };
        for (_, family) in route::FAMILIES {
            tables.extend(filters.iter().map(|filter| request::route::dump(family, *filter)));
            tables.push(request::rule::dump(family));
        }
        for table in tables {
            let dump = self.session.dump(&table, |payload| {
                hasher.write(payload);
                None::<()>
            });
            absent_family(dump)?;
        }
        if seen.iter().any(link::Seen::may_have_vlans) {
            let dump = self.session.dump(&request::bridge::dump(), |payload| {
                link::read_vlans(payload).hash(hasher);
                None::<()>
            });
            absent_family(dump)?;
        }
        for wireguard in seen.iter().filter(|seen| seen.is_wireguard()) {
            // Where a peer is and when it was last heard of is not looked at.
            let found = self.wireguard()?.get(wireguard.name)?;
            found.hash(hasher);
            let secrets = found.peers.values().map(|peer| &peer.preshared_key).chain([&found.private_key]);
            secrets.flatten().for_each(|secret| hasher.write(secret.expose()));
        }
        Ok(())
    }
}

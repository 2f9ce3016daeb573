//! Whose an address is, and who may claim it.

use super::{PortId, Reason};
use ipnet::IpNet;
use rustc_hash::FxHashMap;
use std::hash::Hash;
use std::net::IpAddr;

/// Addresses, or hardware addresses, and the ports that have them. Bounded by what its callers let in: so many ports with so many
/// addresses each.
#[derive(Debug, Clone)]
pub struct Table<K> {
    holders: FxHashMap<K, PortId>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { holders: FxHashMap::default() }
    }
}

impl<K: Copy + Eq + Hash> Table<K> {
    /// Who has it.
    pub fn holder(&self, key: &K) -> Option<PortId> {
        self.holders.get(key).copied()
    }

    /// Gives it to a port, unless another has it.
    ///
    /// # Errors
    /// Who has it.
    pub fn claim(&mut self, key: K, port: PortId) -> Result<(), PortId> {
        match *self.holders.entry(key).or_insert(port) {
            holder if holder == port => Ok(()),
            holder => Err(holder),
        }
    }

    /// Frees what a port has.
    pub fn free(&mut self, keys: &[K], port: PortId) {
        for key in keys {
            if self.holders.get(key) == Some(&port) {
                self.holders.remove(key);
            }
        }
    }

    /// How many are held.
    pub fn len(&self) -> usize {
        self.holders.len()
    }
}

/// Which addresses a peer may claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// These; any at all when there is none.
    pub networks: Option<Vec<IpNet>>,
}

impl Range {
    /// Whether it may have the address, which must be one of a host and none of the router's own.
    pub fn allows(&self, address: IpAddr, own: &[IpAddr]) -> Result<(), Reason> {
        if !is_host(address) {
            return Err(Reason::Source);
        }
        let listed = self.networks.as_ref().is_none_or(|networks| networks.iter().any(|net| is_usable(net, address)));
        if listed && !own.contains(&address) { Ok(()) } else { Err(Reason::Forbidden) }
    }
}

/// Whether an address is one of a host of a network: neither its own address nor its broadcast address (RFC 3021: but for networks of
/// two).
fn is_usable(net: &IpNet, address: IpAddr) -> bool {
    match net {
        IpNet::V4(net) if net.prefix_len() < 31 => {
            net.contains(&match address {
                IpAddr::V4(address) => address,
                IpAddr::V6(_) => return false,
            }) && address != IpAddr::V4(net.network())
                && address != IpAddr::V4(net.broadcast())
        }
        net => net.contains(&address),
    }
}

/// Whether an address can be that of one host beyond its link.
pub fn is_host(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => {
            !(a.is_unspecified() || a.is_multicast() || a.is_broadcast() || a.is_loopback() || a.is_link_local())
        }
        IpAddr::V6(a) => {
            let embedded = a.to_ipv4_mapped().is_some();
            !(a.is_unspecified() || a.is_multicast() || a.is_loopback() || a.is_unicast_link_local() || embedded)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_neither_its_ends_nor_the_routers_own() {
        let range = Range { networks: Some(vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/64".parse().unwrap()]) };
        let own = ["192.0.2.1".parse().unwrap()];
        let may = |text: &str| range.allows(text.parse().unwrap(), &own);
        assert_eq!(may("192.0.2.2"), Ok(()));
        assert_eq!(may("2001:db8::2"), Ok(()));
        for other in ["192.0.2.0", "192.0.2.1", "192.0.2.255", "192.0.3.1", "2001:db8:1::1"] {
            assert_eq!(may(other), Err(Reason::Forbidden), "{other}");
        }
        for none in
            ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "169.254.1.1", "fe80::1", "::", "::ffff:192.0.2.2"]
        {
            assert_eq!(may(none), Err(Reason::Source), "{none}");
        }
    }

    #[test]
    fn the_second_claimant_is_told_of_the_first() {
        let mut table = Table::default();
        assert_eq!(table.claim(1, PortId(1)), Ok(()));
        assert_eq!(table.claim(1, PortId(1)), Ok(()));
        assert_eq!(table.claim(1, PortId(2)), Err(PortId(1)));
        table.free(&[1], PortId(2));
        assert_eq!(table.holder(&1), Some(PortId(1)));
        table.free(&[1], PortId(1));
        assert_eq!(table.claim(1, PortId(2)), Ok(()));
    }
}

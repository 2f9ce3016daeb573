//! The register of a fleet: which of its routers holds which hosts and addresses. Here are its values and what follows from them; who
//! writes and reads it is the [daemon](crate::router::daemon).
//!
//! Theory: every router has one entry, which it alone writes, and which is gone by itself soon after the router is. An item that two
//! routers have is the one's that has had it for less long: what has moved is where it came to last. What a router holds itself is never
//! elsewhere, whatever others say.

use super::name::{HostName, TableName};
use crate::model::ServerAddress;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// How many routers a fleet may have.
pub const ROUTERS: usize = 1024;
/// How many items one of them may have.
pub const ITEMS: usize = 1 << 16;

/// The field of an entry with the router's address.
const AT: &str = "at";
/// The table of the routers' own devices and local peers, which may have another name at each.
const LOCAL: &str = "-";

/// Something that a router holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// The table that it is in; none is that of local peers.
    pub table: Option<TableName>,
    /// What it is.
    pub what: What,
}

/// A host by its name, or an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// A host that is connected.
    Host(HostName),
    /// An address that a peer has, or the router's own.
    Address(IpAddr),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if let What::Host(_) = self.what { "host" } else { "address" };
        match &self.table {
            Some(table) => write!(f, "{kind} {table} ")?,
            None => write!(f, "{kind} {LOCAL} ")?,
        }
        match &self.what {
            What::Host(name) => name.fmt(f),
            What::Address(address) => address.fmt(f),
        }
    }
}

/// A text that is no item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnItem;

impl FromStr for Item {
    type Err = NotAnItem;

    fn from_str(text: &str) -> Result<Self, NotAnItem> {
        let words: Vec<&str> = text.split(' ').collect();
        let [kind, table, what] = words[..] else { return Err(NotAnItem) };
        let table = (table != LOCAL).then(|| table.parse()).transpose().map_err(|_| NotAnItem)?;
        let what = match kind {
            "host" => What::Host(what.parse().map_err(|_| NotAnItem)?),
            "address" => What::Address(what.parse().map_err(|_| NotAnItem)?),
            _ => return Err(NotAnItem),
        };
        Ok(Self { table, what })
    }
}

/// What one router says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where others reach it.
    pub at: ServerAddress,
    /// What it holds, and since when: microseconds of the register's own clock.
    pub held: BTreeMap<Item, u64>,
}

impl Entry {
    /// As fields and values.
    pub fn fields(&self) -> impl Iterator<Item = (String, String)> {
        let held = self.held.iter().map(|(item, since)| (item.to_string(), since.to_string()));
        std::iter::once((AT.to_owned(), self.at.to_string())).chain(held)
    }

    /// Out of fields and values. What is no item that this version knows is passed over.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(fields: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        let (mut at, mut held) = (None, BTreeMap::new());
        for (field, value) in fields {
            if field == AT {
                at = Some(value.parse().map_err(|_| "its address is none".to_owned())?);
            } else if let Ok(item) = field.parse::<Item>() {
                held.insert(item, value.parse().map_err(|_| format!("`{field}` has no time"))?);
            }
        }
        Ok(Self { at: at.ok_or("it has no address")?, held })
    }
}

/// What is elsewhere in one table, and at which router.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// Hosts.
    pub hosts: HashMap<HostName, HostName>,
    /// Addresses.
    pub addresses: BTreeMap<IpAddr, HostName>,
}

/// The fleet, as one router sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// The other routers.
    pub routers: BTreeMap<HostName, ServerAddress>,
    /// What they hold, by table.
    pub tables: BTreeMap<Option<TableName>, Elsewhere>,
}

impl View {
    /// Of the entries of all routers, for the one of a name that holds something itself.
    pub fn new<'a>(
        own: &HostName,
        held: &BTreeSet<Item>,
        entries: impl Iterator<Item = (&'a HostName, &'a Entry)> + Clone,
    ) -> Self {
        let others = || entries.clone().filter(|(name, _)| *name != own);
        let mut latest: BTreeMap<&Item, (u64, &HostName)> = BTreeMap::new();
        for (name, entry) in others() {
            for (item, since) in entry.held.iter().filter(|(item, _)| !held.contains(*item)) {
                let claim = (*since, name);
                let place = latest.entry(item).or_insert(claim);
                *place = claim.max(*place);
            }
        }
        let mut tables: BTreeMap<Option<TableName>, Elsewhere> = BTreeMap::new();
        for (item, (_, name)) in latest {
            let table = tables.entry(item.table.clone()).or_default();
            match &item.what {
                What::Host(host) => drop(table.hosts.insert(host.clone(), name.clone())),
                What::Address(address) => drop(table.addresses.insert(*address, name.clone())),
            }
        }
        Self { routers: others().map(|(name, entry)| (name.clone(), entry.at.clone())).collect(), tables }
    }

    /// The router that holds a host.
    pub fn router_of(&self, table: Option<&TableName>, host: &HostName) -> Option<&HostName> {
        self.tables.get(&table.cloned())?.hosts.get(host)
    }

    /// The addresses of a table, and which router holds them.
    pub fn addresses(&self, table: Option<&TableName>) -> impl Iterator<Item = (IpAddr, &HostName)> {
        let elsewhere = self.tables.get(&table.cloned());
        elsewhere.into_iter().flat_map(|elsewhere| &elsewhere.addresses).map(|(address, name)| (*address, name))
    }

    /// How many items a router has.
    pub fn count(&self, router: &HostName) -> usize {
        let of = |elsewhere: &Elsewhere| {
            let (hosts, addresses) = (elsewhere.hosts.values(), elsewhere.addresses.values());
            hosts.chain(addresses).filter(|holder| *holder == router).count()
        };
        self.tables.values().map(of).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "e87f56dd-fd57-4921-9ab8-a0847662daae";

    fn entry(at: &str, held: &[(&str, u64)]) -> Entry {
        let held = held.iter().map(|(item, since)| (item.parse().unwrap(), *since)).collect();
        Entry { at: at.parse().unwrap(), held }
    }

    #[test]
    fn an_entry_is_what_was_written() {
        let id = format!("host {ID} host-1");
        let one =
            entry("[2001:db8::1]:8443", &[("address - 192.0.2.1", 7), (&id, 1 << 52), ("address a 2001:db8::2", 0)]);
        let fields: Vec<_> = one.fields().collect();
        assert_eq!(fields[0], ("at".into(), "[2001:db8::1]:8443".into()));
        assert_eq!(Entry::read(fields.clone()), Ok(one.clone()));
        let newer = fields.into_iter().chain([("network - 192.0.2.0/24".into(), "?".into())]);
        assert_eq!(Entry::read(newer), Ok(one));
        let read = |fields: &[(&str, &str)]| Entry::read(fields.iter().map(|(a, b)| ((*a).into(), (*b).into())));
        assert_eq!(read(&[("host - a", "1")]), Err("it has no address".into()));
        assert_eq!(read(&[("at", "x")]), Err("its address is none".into()));
        assert_eq!(read(&[("at", "x:1"), ("host - a", "")]), Err("`host - a` has no time".into()));
        for bad in ["host - a b", "host -  a", "host - ä", "address - x", "address - ", "host", ""] {
            assert_eq!(bad.parse::<Item>(), Err(NotAnItem), "{bad}");
        }
    }

    #[test]
    fn an_item_is_where_it_came_to_last_and_never_elsewhere_when_it_is_here() {
        let name = |text: &str| text.parse::<HostName>().unwrap();
        let entries = BTreeMap::from([
            (name("a"), entry("a:1", &[("host - x", 1), ("host - y", 5), ("address - 192.0.2.1", 1)])),
            (name("b"), entry("b:1", &[("host - x", 2), ("host - y", 4), ("address t 192.0.2.1", 1)])),
            (name("me"), entry("c:1", &[("host - z", 9)])),
        ]);
        let held = BTreeSet::from(["address - 192.0.2.1".parse().unwrap()]);
        let view = View::new(&name("me"), &held, entries.iter());
        assert_eq!(view.router_of(None, &name("x")), Some(&name("b")));
        assert_eq!(view.router_of(None, &name("y")), Some(&name("a")));
        assert_eq!(view.router_of(None, &name("z")), None);
        assert_eq!(view.addresses(None).count(), 0);
        let table = "t".parse().unwrap();
        assert_eq!(view.addresses(Some(&table)).next(), Some(([192, 0, 2, 1].into(), &name("b"))));
        assert_eq!(view.routers.len(), 2);
        assert_eq!((view.count(&name("a")), view.count(&name("b"))), (1, 2));
        // One goes, and with it what it had.
        let entries = BTreeMap::from([(name("a"), entries[&name("a")].clone())]);
        let view = View::new(&name("me"), &BTreeSet::new(), entries.iter());
        assert_eq!(view.router_of(None, &name("x")), Some(&name("a")));
        assert_eq!(view.addresses(Some(&table)).count(), 0);
    }
}

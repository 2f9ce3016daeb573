//! What namespaces hold.

use super::{Address, Link, LinkName, Netns, Place, Route, Rule, Sysctl};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Namespaces and what is in them, the host's among them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct State {
    /// By name; a namespace that is not here does not exist, or was not looked at.
    pub netns: BTreeMap<Netns, NetnsState>,
}

/// What one namespace holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct NetnsState {
    /// Links by name.
    #[serde(default)]
    pub links: BTreeMap<LinkName, Link>,
    /// Addresses by link, in the order that they are added: it decides which one of a subnet is primary.
    #[serde(default)]
    pub addresses: BTreeMap<LinkName, Vec<Address>>,
    /// Routes in the order that they are added: a next hop may need an earlier one.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// Policy rules.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Kernel settings. In a current state only those that were asked for.
    #[serde(default)]
    pub sysctls: BTreeMap<Sysctl, String>,
    /// Tables of ours by name, of family `inet`, with their marks ([`Table::mark`](super::Table::mark)). In a current state only those
    /// that were asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<String, String>,
}

impl State {
    /// The link at a place.
    pub fn link(&self, place: &Place) -> Option<&Link> {
        self.netns.get(&place.netns)?.links.get(&place.link)
    }

    /// All links with their places.
    pub fn places(&self) -> impl Iterator<Item = (Place, &Link)> {
        self.netns
            .iter()
            .flat_map(|(netns, s)| s.links.iter().map(|(name, link)| (Place::new(netns.clone(), *name), link)))
    }

    /// Whether everything that `desired` names is so. What it does not name may be there too.
    pub fn satisfies(&self, desired: &State) -> bool {
        desired.netns.iter().all(|(netns, want)| self.netns.get(netns).is_some_and(|have| have.satisfies(want)))
    }
}

impl NetnsState {
    /// Whether a link has that name, be it an alternative one.
    pub fn has_name(&self, name: LinkName) -> bool {
        self.links.contains_key(&name) || self.links.values().any(|link| link.altnames.contains(name.as_str()))
    }

    /// The addresses of a link, none when it has none.
    pub fn addresses_of(&self, link: LinkName) -> &[Address] {
        self.addresses.get(&link).map_or(&[], Vec::as_slice)
    }

    /// Whether everything that `desired` names is so.
    pub fn satisfies(&self, desired: &NetnsState) -> bool {
        let routes: HashSet<&Route> = self.routes.iter().collect();
        desired.links.iter().all(|(name, want)| self.links.get(name).is_some_and(|have| have.satisfies(want)))
            && desired.addresses.iter().all(|(link, want)| {
                let have: HashMap<_, &Address> = self.addresses_of(*link).iter().map(|a| (a.key(), a)).collect();
                want.iter().all(|a| have.get(&a.key()).is_some_and(|b| b.satisfies(a)))
            })
            && desired.routes.iter().all(|r| routes.contains(r))
            && desired.rules.iter().all(|r| self.rules.contains(r))
            && desired.sysctls.iter().all(|(key, value)| self.sysctls.get(key) == Some(value))
            && desired.tables.iter().all(|(name, mark)| self.tables.get(name) == Some(mark))
    }
}

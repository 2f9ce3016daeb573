//! What the files ask for, and what this program answers for.

use super::{
    Address, Device, Dhcp, Link, LinkName, MARK_TABLE, Netns, NetnsName, NetnsState, Place, Protocol, Resolv, Route,
    Rule, Ruleset, State, Sysctl, Table,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The meaning of all files of one service's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Desired {
    /// The service's namespace.
    pub netns: NetnsName,
    /// Links in the order of the files; `lo` of every namespace that is made is among them.
    pub links: Vec<DesiredLink>,
    /// Policy rules.
    pub rules: Vec<(Netns, Rule)>,
    /// Settings of whole namespaces, such as forwarding.
    pub sysctls: Vec<(Netns, Sysctl, String)>,
    /// Settings of its own namespace that are left out where the kernel has or takes them not.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub optional: BTreeSet<Sysctl>,
    /// The rules of its own namespace; none leaves these to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruleset: Option<Ruleset>,
    /// A table on the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<Table>,
    /// Namespaces beside its own that links of its are put into. Each has files of its own, and other users perhaps.
    #[serde(default)]
    pub uses: BTreeSet<NetnsName>,
    /// Name servers and search domains of the files, those of leases not among them.
    #[serde(default)]
    pub resolv: Resolv,
    /// The scripts that run once for all links together, before and after everything else.
    #[serde(default)]
    pub scripts: Stanza,
}

/// A link that the files name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DesiredLink {
    /// Where it shall be.
    pub place: Place,
    /// Its properties. Without a kind it is one that exists, there or on the host.
    pub link: Link,
    /// The host's name for it where that differs (`rename`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<LinkName>,
    /// What if it does not exist.
    pub presence: Presence,
    /// Its settings, written before it goes up.
    pub sysctls: Vec<(Sysctl, String)>,
    /// Of a bridge: how long to wait until its ports forward, once they are in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Duration>,
    /// What its packets go to, where it is a router's device; that is attached for as long as the link is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    /// Its stanzas in the order of the file, each with its addresses, routes and commands.
    pub stanzas: Vec<Stanza>,
}

/// What is done about a link that does not exist and is not made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Presence {
    /// It is a mistake.
    Required,
    /// A `pre-up` command may make it, in the namespace of its place; it must be there after that.
    MadeByCommand,
    /// It is a name for commands, and no link.
    OnlyAName,
    /// It belongs to the host, stays there and is not ours; its properties are restored at the end.
    Borrowed,
}

/// An `iface` stanza's addresses, routes and commands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Stanza {
    /// Addresses in order.
    #[serde(default)]
    pub addresses: Vec<Address>,
    /// Routes in order.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// How long to wait for duplicate address detection; none when there is nothing to wait for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dad: Option<Duration>,
    /// What asks the network for addresses; it ends when the stanza goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dhcp: Option<Dhcp>,
    /// What commands see, but for `MODE`, `PHASE` and `PATH`; empty when there are no commands.
    #[serde(default)]
    pub environment: Vec<(String, String)>,
    /// `pre-up` lines.
    #[serde(default)]
    pub pre_up: Vec<String>,
    /// How many of them run before the link is made, where this program makes it. Counts in the first stanza.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub early: usize,
    /// `up` and `post-up` lines.
    #[serde(default)]
    pub up: Vec<String>,
    /// `down` and `pre-down` lines.
    #[serde(default)]
    pub down: Vec<String>,
    /// `post-down` lines.
    #[serde(default)]
    pub post_down: Vec<String>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl DesiredLink {
    /// The commands that run before it is made, where this program makes it.
    pub fn early_commands(&self) -> &[String] {
        let first = self.stanzas.first();
        first.and_then(|stanza| stanza.pre_up.get(..stanza.early)).unwrap_or_default()
    }

    /// The name that it has on the host before it is taken.
    pub fn host_name(&self) -> LinkName {
        self.from.unwrap_or(self.place.link)
    }

    /// The addresses of all its stanzas.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.stanzas.iter().flat_map(|s| &s.addresses)
    }

    /// The clients that ask the network for addresses.
    pub fn dhcp(&self) -> impl Iterator<Item = &Dhcp> {
        self.stanzas.iter().filter_map(|s| s.dhcp.as_ref())
    }

    /// The routes of all its stanzas.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.stanzas.iter().flat_map(|s| &s.routes)
    }
}

impl Stanza {
    /// Whether its commands are those of `other`, with the same environment.
    pub fn same_commands(&self, other: &Stanza) -> bool {
        self.pre_up == other.pre_up
            && self.up == other.up
            && self.down == other.down
            && self.post_down == other.post_down
            && (!self.has_commands() || self.environment == other.environment)
    }

    /// Whether there is any command in it.
    pub fn has_commands(&self) -> bool {
        ![&self.pre_up, &self.up, &self.down, &self.post_down].into_iter().all(Vec::is_empty)
    }
}

impl Desired {
    /// The link at a place.
    pub fn link(&self, place: &Place) -> Option<&DesiredLink> {
        self.links.iter().find(|l| l.place == *place)
    }

    /// Whether there is anything to write into a resolv.conf, now or when a lease brings it.
    pub fn has_resolv(&self) -> bool {
        let tells = |dhcp: &Dhcp| dhcp.protocol != Protocol::Ipv4ll;
        !self.resolv.is_empty() || self.links.iter().any(|l| l.dhcp().any(tells))
    }

    /// The namespaces that it makes.
    pub fn made_netns(&self) -> Vec<Netns> {
        vec![Netns::Named(self.netns.clone())]
    }

    /// Whether a namespace is its own.
    pub fn is_own(&self, netns: &Netns) -> bool {
        netns.name() == Some(&self.netns)
    }

    /// Whether a namespace is one of those in [`Self::uses`].
    pub fn uses(&self, netns: &Netns) -> bool {
        netns.name().is_some_and(|name| self.uses.contains(name))
    }

    /// The state that satisfies it.
    pub fn state(&self) -> State {
        let mut state = State::default();
        for netns in self.made_netns() {
            state.netns.insert(netns, NetnsState::default());
        }
        for l in self.links.iter().filter(|l| l.presence != Presence::OnlyAName) {
            let ns = state.netns.entry(l.place.netns.clone()).or_default();
            ns.links.insert(l.place.link, l.link.clone());
            let optional = |key: &Sysctl| self.is_own(&l.place.netns) && self.optional.contains(key);
            ns.sysctls.extend(l.sysctls.iter().filter(|(key, _)| !optional(key)).cloned());
            let addresses: Vec<Address> = l.addresses().cloned().collect();
            if !addresses.is_empty() {
                ns.addresses.insert(l.place.link, addresses);
            }
            ns.routes.extend(l.routes().cloned());
        }
        for (netns, rule) in &self.rules {
            state.netns.entry(netns.clone()).or_default().rules.push(rule.clone());
        }
        for (netns, key, value) in &self.sysctls {
            if !(self.is_own(netns) && self.optional.contains(key)) {
                state.netns.entry(netns.clone()).or_default().sysctls.insert(key.clone(), value.clone());
            }
        }
        let own = Netns::Named(self.netns.clone());
        for (netns, name, mark) in [
            self.ruleset.as_ref().map(|ruleset| (own, MARK_TABLE.to_owned(), ruleset.mark())),
            self.table.as_ref().map(|table| (Netns::Host, table.name.clone(), table.mark())),
        ]
        .into_iter()
        .flatten()
        {
            state.netns.entry(netns).or_default().tables.insert(name, mark);
        }
        state
    }
}

/// What this program answers for in one service's namespace. It is written down before anything is changed, so that
/// [`stop`](crate) can undo a start that was killed half-way, whatever became of the files.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owned {
    /// What was applied last, or is being applied. Shared: it may be large, and is often the very one that the files ask for.
    pub desired: Arc<Desired>,
    /// What was applied before that, the latest first, where the change from there has not been finished: any of it may still be
    /// in effect, and is still to be undone.
    #[serde(default)]
    pub former: Vec<Arc<Desired>>,
    /// The host's links that moved into a namespace.
    pub taken: Vec<Taken>,
    /// The host's side as it was: links taken or borrowed with their addresses and routes, settings changed.
    pub before: NetnsState,
    /// Links that this program made, wherever they are.
    pub made: Vec<Place>,
    /// The settings of its own namespace, and of those in [`Desired::uses`], as they were.
    #[serde(default)]
    pub elsewhere: BTreeMap<Netns, BTreeMap<Sysctl, String>>,
}

impl Owned {
    /// All that may be in effect: what is being applied, and what was before.
    pub fn versions(&self) -> impl Iterator<Item = &Desired> {
        std::iter::once(&*self.desired).chain(self.former.iter().map(|former| &**former))
    }

    /// What the versions have at a place, the latest first.
    pub fn at(&self, place: &Place) -> impl Iterator<Item = &DesiredLink> {
        self.versions().filter_map(|version| version.link(place))
    }

    /// The links that may be there, each as the latest version has it. Those of later versions come last, to be undone in
    /// reverse.
    pub fn links(&self) -> Vec<&DesiredLink> {
        let mut seen = BTreeSet::new();
        let mut links: Vec<&DesiredLink> = Vec::new();
        for version in self.versions() {
            links.extend(version.links.iter().rev().filter(|link| seen.insert(&link.place)));
        }
        links.reverse();
        links
    }
}

/// A link that moved from the host into a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Taken {
    /// Its name on the host.
    pub name: LinkName,
    /// Where it went.
    pub place: Place,
}

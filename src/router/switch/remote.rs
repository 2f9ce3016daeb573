//! Remote hosts: peers whose addresses a routing table tells, and the tables themselves.
//!
//! Each table is a *domain*. The router's device and its local peers are in the first one; nothing ever goes from one domain to another.
//! Who has an address exactly, as local peers do, comes before who has a route to it. A host may send from what its own domain would
//! send to it, and from what it announced where no route says otherwise.

use super::super::Nanos;
use super::super::packet::{Fragment, Packet};
use super::super::tunnel::name::TableName;
use super::super::tunnel::table::{Gateway, Routes};
use super::claims::is_host;
use super::{DEVICE, Introduction, Notice, PortId, Reason, Refusal, Switch};
use crate::router::settings::Limits;
use ipnet::IpNet;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

/// The number of a domain.
pub(super) type DomainId = u32;

/// The domain of the device and of local peers.
pub(super) const LOCAL: DomainId = 0;

/// How many connections may have one name at once.
pub const CONNECTORS: usize = 16;

/// A remote host that wants in, or another router that this one connected to.
#[derive(Debug, Clone, PartialEq)]
pub struct Remote {
    /// The table that it is in; none is that of local peers.
    pub table: Option<TableName>,
    /// What routes call it.
    pub gateway: Gateway,
    /// Of a name's flows it gets as many, relative to the others of the name; 0 is as 1.
    pub weight: u8,
    /// What it is known by when it comes again.
    pub instance: Option<[u8; 16]>,
    /// Who it is: further connections of the name may only be the same's.
    pub holder: String,
    /// The addresses that it may announce; as for local peers, or any in a table without those, when there is none.
    pub range: Option<Vec<IpNet>>,
    /// Its bounds, where they are not the router's.
    pub limits: Option<Limits>,
}

/// What a table is to the switch: its name, unless it is that of local peers and has none, and its routes.
pub type NamedRoutes = (Option<TableName>, Arc<Routes>);

/// A table, and who is connected of those that it names.
#[derive(Debug, Default)]
pub(super) struct Domain {
    /// None for local peers without a named table, and for a domain that is gone.
    name: Option<TableName>,
    routes: Arc<Routes>,
    /// By the routes' numbers of gateways.
    ports: Vec<Vec<PortId>>,
    /// Every gateway that is connected, also those that no route names.
    connected: Vec<(Gateway, PortId)>,
    /// Those of them that are routers of the fleet.
    routers: FxHashSet<PortId>,
}

impl Domain {
    fn swap(&mut self, routes: Arc<Routes>) {
        self.routes = routes;
        self.ports = vec![Vec::new(); self.routes.gateways().len()];
        for (number, gateway) in self.routes.gateways().iter().enumerate() {
            if let Gateway::Device = gateway {
                self.ports[number].push(DEVICE);
            }
        }
        let numbers: FxHashMap<&Gateway, usize> =
            self.routes.gateways().iter().enumerate().map(|(number, gateway)| (gateway, number)).collect();
        self.routers.clear();
        for (gateway, port) in &self.connected {
            if let Some(number) = numbers.get(gateway) {
                self.ports[*number].push(*port);
            }
            let router = gateway.also().and_then(|router| numbers.get(&router));
            if let Some(number) = router {
                self.ports[*number].push(*port);
            }
            if router.is_some() || matches!(gateway, Gateway::Router(_)) {
                self.routers.insert(*port);
            }
        }
    }

    fn add(&mut self, gateway: &Gateway, port: PortId) {
        self.connected.push((gateway.clone(), port));
        let mut is_router = matches!(gateway, Gateway::Router(_));
        for (to, ports) in
            self.routes.gateways().iter().zip(&mut self.ports).filter(|(to, _)| to.is_reached_by(gateway))
        {
            ports.push(port);
            is_router |= matches!(to, Gateway::Router(_));
        }
        if is_router {
            self.routers.insert(port);
        }
    }

    fn remove(&mut self, port: PortId) {
        let Some(at) = self.connected.iter().position(|(_, other)| *other == port) else { return };
        let (gateway, _) = self.connected.swap_remove(at);
        let to = self.routes.gateways().iter().zip(&mut self.ports).filter(|(to, _)| to.is_reached_by(&gateway));
        to.for_each(|(_, ports)| ports.retain(|other| *other != port));
        self.routers.remove(&port);
    }

    fn connectors(&self, gateway: &Gateway) -> impl Iterator<Item = PortId> {
        self.connected.iter().filter(move |(other, _)| other == gateway).map(|(_, port)| *port)
    }
}

impl Switch {
    /// Other tables from now on, that of local peers first. Says who cannot stay, because its table is gone; they are to [leave](Self::leave).
    pub fn set_tables(&mut self, tables: Vec<NamedRoutes>) -> Vec<PortId> {
        let mut found = vec![false; self.domains.len()];
        for (at, (name, routes)) in tables.into_iter().enumerate() {
            let id = match self.domains.iter().skip(1).position(|domain| name.is_some() && domain.name == name) {
                _ if at == 0 => LOCAL as usize,
                Some(before) => before + 1,
                None => self.free_domain(&found),
            };
            let domain = &mut self.domains[id];
            domain.name = name;
            domain.swap(routes);
            found.resize(self.domains.len(), false);
            found[id] = true;
        }
        for (domain, _) in self.domains.iter_mut().zip(&found).skip(1).filter(|(_, found)| !**found) {
            domain.name = None;
            domain.swap(Arc::default());
        }
        let is_homeless = |peer: &super::Peer| {
            let remote = peer.introduction.remote.as_ref();
            remote.is_some_and(|remote| self.domain_of_table(remote.table.as_ref()) != Some(peer.domain))
        };
        self.peers().filter(|(_, peer)| is_homeless(peer)).map(|(port, _)| port).collect()
    }

    /// The routes of one table are others from now on.
    pub fn set_routes(&mut self, name: &Option<TableName>, routes: Arc<Routes>) {
        let is = |domain: &Domain| domain.name == *name;
        let local = is(&self.domains[0]).then_some(0);
        let other = || self.domains.iter().skip(1).position(|domain| name.is_some() && is(domain)).map(|at| at + 1);
        if let Some(id) = local.or_else(other) {
            self.domains[id].swap(routes);
        }
    }

    /// A domain that is nobody's.
    fn free_domain(&mut self, found: &[bool]) -> usize {
        let is_free = |(id, domain): (usize, &Domain)| {
            let taken =
                found.get(id).copied().unwrap_or(false) || domain.name.is_some() || !domain.connected.is_empty();
            (id > 0 && !taken).then_some(id)
        };
        let free = self.domains.iter().enumerate().find_map(is_free);
        free.unwrap_or_else(|| {
            self.domains.push(Domain::default());
            self.domains.len() - 1
        })
    }

    /// The domain of a table; none is that of local peers.
    fn domain_of_table(&self, table: Option<&TableName>) -> Option<DomainId> {
        let Some(table) = table else { return Some(LOCAL) };
        self.domains.iter().position(|domain| domain.name.as_ref() == Some(table)).map(|id| id as DomainId)
    }

    /// The connection that this one takes the place of, which is to [leave](Self::leave) first: that of the same host before it came again.
    pub fn replaced_by(&self, introduction: &Introduction) -> Option<PortId> {
        let remote = introduction.remote.as_ref()?;
        remote.instance?;
        let domain = self.domain_of_table(remote.table.as_ref())?;
        self.connectors(domain, &remote.gateway).find(|port| {
            let before = self.peer(*port).and_then(|peer| peer.introduction.remote.as_ref());
            before.is_some_and(|before| before.instance == remote.instance && before.holder == remote.holder)
        })
    }

    fn connectors(&self, domain: DomainId, gateway: &Gateway) -> impl Iterator<Item = PortId> {
        let gateway = gateway.clone();
        let domain = self.domains.get(domain as usize);
        domain.into_iter().flat_map(move |domain| domain.connectors(&gateway).collect::<Vec<_>>())
    }

    /// The domain that a remote host would be in, unless its name is somebody else's.
    pub(super) fn home_of(&self, remote: &Remote) -> Result<DomainId, Refusal> {
        let domain = self.domain_of_table(remote.table.as_ref()).ok_or(Refusal::NoTable)?;
        let others: Vec<PortId> = self.connectors(domain, &remote.gateway).collect();
        let before = others.iter().filter_map(|port| self.peer(*port)?.introduction.remote.as_ref());
        if let Some(other) = before.into_iter().find(|before| before.holder != remote.holder) {
            return Err(Refusal::Claimed(remote.gateway.to_string(), other.holder.clone()));
        }
        if others.len() >= CONNECTORS {
            return Err(Refusal::Connectors(remote.gateway.to_string()));
        }
        Ok(domain)
    }

    /// Registers a remote host that has its port, with those of its announced addresses that no route leads to, and that it may have.
    pub(super) fn settle(&mut self, port: PortId, domain: DomainId) {
        let Some(peer) = self.peer(port) else { return };
        let Some(remote) = peer.introduction.remote.clone() else { return };
        let announced = peer.introduction.announced.clone();
        if let Some(domain) = self.domains.get_mut(domain as usize) {
            domain.add(&remote.gateway, port);
        }
        for address in announced {
            match self.may_announce(port, domain, &remote.gateway, address) {
                Ok(true) => self.register(port, address),
                Ok(false) => {}
                Err(reason) => self.say(Notice::Refused(port, address, reason)),
            }
        }
    }

    /// Whether an address is to be registered for a host; not where a route leads to it already.
    fn may_announce(&self, port: PortId, domain: DomainId, gateway: &Gateway, address: IpAddr) -> Result<bool, Reason> {
        if self.route_of(domain, address).is_some_and(|routed| routed.is_reached_by(gateway)) {
            return Ok(false);
        }
        let Some(peer) = self.peer(port) else { return Ok(false) };
        peer.range.allows(address, &self.own)?;
        if matches!(self.route_of(domain, address), Some(Gateway::Host(_) | Gateway::Uplink(_))) {
            return Err(Reason::Forbidden);
        }
        match self.addresses.holder(&(domain, address)) {
            Some(holder) if holder == port => Ok(false),
            // Another connection of the same name: it takes over when that one is gone.
            Some(holder) if self.gateway_of(holder) == Some(gateway) => Ok(false),
            Some(_) => Err(Reason::Taken),
            None if peer.addresses.len() >= peer.limits.addresses as usize => Err(Reason::Forbidden),
            None => Ok(true),
        }
    }

    /// A peer is gone that had these addresses: who else announced them has them from then on.
    pub(super) fn unsettle(&mut self, port: PortId, domain: DomainId, freed: &[IpAddr]) {
        let Some(home) = self.domains.get_mut(domain as usize) else { return };
        home.remove(port);
        if freed.is_empty() {
            return;
        }
        let others = home.connected.clone();
        for (gateway, heir) in others {
            let announced = self.peer(heir).map(|peer| &peer.introduction.announced);
            let wanted = |address: &&IpAddr| announced.is_some_and(|announced| announced.contains(address));
            for address in freed.iter().filter(wanted).copied().collect::<Vec<_>>() {
                if self.may_announce(heir, domain, &gateway, address) == Ok(true) {
                    self.register(heir, address);
                }
            }
        }
    }

    fn gateway_of(&self, port: PortId) -> Option<&Gateway> {
        Some(&self.peer(port)?.introduction.remote.as_ref()?.gateway)
    }

    /// Whether a port is a remote host's.
    pub fn is_remote(&self, port: PortId) -> bool {
        self.peer(port).is_some_and(|peer| peer.introduction.remote.is_some())
    }

    fn route_of(&self, domain: DomainId, address: IpAddr) -> Option<&Gateway> {
        self.domains.get(domain as usize)?.routes.gateway(address)
    }

    /// Whether a route for an address leads to a remote host.
    fn leads_to(&self, domain: DomainId, address: IpAddr, port: PortId) -> bool {
        let to = self.route_of(domain, address).zip(self.gateway_of(port));
        to.is_some_and(|(to, gateway)| to.is_reached_by(gateway))
    }

    /// Whether both ports are routers of the fleet, which speak to each other themselves.
    pub(super) fn are_routers(&self, domain: DomainId, one: PortId, other: PortId) -> bool {
        let routers = self.domains.get(domain as usize).map(|domain| &domain.routers);
        routers.is_some_and(|routers| routers.contains(&one) && routers.contains(&other))
    }

    /// The domain of a port.
    pub(super) fn domain_of(&self, port: PortId) -> DomainId {
        self.peer(port).map_or(LOCAL, |peer| peer.domain)
    }

    /// Where a packet goes that is for an address which nobody has exactly; none where no route leads anywhere.
    pub(super) fn by_route(&self, domain: DomainId, packet: &Packet<'_>) -> Option<Result<PortId, Reason>> {
        let domain_of = self.domains.get(domain as usize)?;
        let destination = packet.destination();
        if domain_of.routes.is_empty() || domain == LOCAL && self.own.contains(&destination) {
            return None;
        }
        let number = domain_of.routes.find(destination)?;
        let ports = domain_of.ports.get(number as usize)?;
        Some(match ports[..] {
            [] => Err(Reason::Away),
            [only] => Ok(only),
            _ => Ok(self.choose(ports, packet)),
        })
    }

    /// Why a packet that no route has goes nowhere. Where somebody can be asked, that is begun.
    pub(super) fn no_route(&mut self, domain: DomainId, destination: IpAddr, now: Nanos) -> Reason {
        let home = self.domains.get(domain as usize);
        let Some(name) = home.filter(|home| home.routes.asks).and_then(|home| home.name.clone()) else {
            return Reason::NoRoute;
        };
        if !is_host(destination) {
            return Reason::NoRoute;
        }
        let (reason, first) = self.asked.ask(domain, destination, now);
        if first {
            self.say(Notice::Ask(name, destination));
        }
        reason
    }

    /// Somebody answered who was asked for an address. The table's number, by which [`Self::table_of`] knows it.
    pub fn answered(&mut self, table: &TableName, address: IpAddr) -> Option<u32> {
        let domain = self.domain_of_table(Some(table))?;
        self.asked.answered(domain, address);
        Some(domain)
    }

    /// The number of the table that a port is in.
    pub fn table_of(&self, port: PortId) -> u32 {
        self.domain_of(port)
    }

    /// One of several connections of a name, for all packets of a flow the same for as long as it is there; when one goes, or comes, only
    /// its own flows move (rendezvous hashing, by weights).
    fn choose(&self, ports: &[PortId], packet: &Packet<'_>) -> PortId {
        let whole = packet.fragment() == Fragment::Whole;
        let flow =
            (packet.source_bits(), packet.destination_bits(), packet.protocol(), packet.ports().filter(|_| whole));
        let score = |port: &PortId| {
            let remote = self.peer(*port).and_then(|peer| peer.introduction.remote.as_ref());
            let weight = f64::from(remote.map_or(1, |remote| remote.weight.max(1)));
            let mut hasher = FxHasher::default();
            (flow, port.0).hash(&mut hasher);
            // Mixed once more, as the hash is of the quick kind (splitmix64), to a number between 0 and 1.
            let mut bits = hasher.finish();
            bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            let part = ((bits ^ bits >> 31) >> 11) as f64 / (1_u64 << 53) as f64;
            -weight / part.max(f64::MIN_POSITIVE).ln().min(-f64::MIN_POSITIVE)
        };
        let best = ports.iter().max_by(|a, b| score(a).total_cmp(&score(b)));
        best.copied().unwrap_or(DEVICE)
    }

    /// Whether a remote host may send from an address.
    pub(super) fn may_send_from_afar(&mut self, port: PortId, packet: &Packet<'_>) -> Result<(), Reason> {
        let source = packet.source();
        let domain = self.domain_of(port);
        let reason = match self.addresses.holder(&(domain, source)) {
            Some(holder) if holder == port => return Ok(()),
            Some(holder) if self.gateway_of(holder).is_some() && self.gateway_of(holder) == self.gateway_of(port) => {
                return Ok(());
            }
            Some(_) => Reason::Taken,
            None if !is_host(source) => return Err(Reason::Source),
            None if domain == LOCAL && self.own.contains(&source) => Reason::Forbidden,
            None if self.leads_to(domain, source, port) => return Ok(()),
            None => Reason::Spoofed,
        };
        if self.peer_mut(port).is_some_and(|peer| peer.is_first_refusal(source)) {
            self.say(Notice::Refused(port, source, reason));
        }
        Err(reason)
    }

    /// The port that leads back to a packet's source, seen from the domain of another port; none where nobody may be told.
    pub fn back_to(&self, packet: &Packet<'_>, from: PortId) -> Option<PortId> {
        let (domain, source) = (self.domain_of(from), packet.source());
        if let Some(holder) = self.addresses.holder(&(domain, source)) {
            return Some(holder);
        }
        let ports = self.domains.get(domain as usize).and_then(|d| d.ports.get(d.routes.find(source)? as usize));
        match ports.and_then(|ports| ports.first()) {
            Some(port) => Some(*port),
            None => (domain == LOCAL).then_some(DEVICE),
        }
    }
}

#[cfg(test)]
mod tests;

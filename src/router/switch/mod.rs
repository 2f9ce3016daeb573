//! The deciding core: a packet and the time come in, a verdict comes out.
//!
//! Theory: the router's device and every peer is a *port*. A port's first packet, or what it announced, registers its source address, if
//! it may have it and nobody else does; from then on it may send from its own addresses only, and they are its own until it is
//! gone. A packet from a peer goes to the peer that has its destination, else to the router's device; one from the device goes
//! to the peer that has its destination, or nowhere. With frames (tap) the same holds of hardware addresses, and what is for
//! all goes to all.
//!
//! Invariants, each a property in the tests: nothing goes to a peer that did not register the destination; nothing passes whose source
//! is not the sender's; tables are bounded by [`Limits`](super::settings::Limits).
//!
//! Must not know: descriptors, sockets, the clock.

mod admission;
mod asked;
mod bucket;
mod claims;
mod counters;
mod filter;
mod frames;
mod packets;
mod port;
mod remote;

pub use admission::{Credentials, Grant, Identity, Introduction, Refusal, RemoteIdentity, Transport, admit};
pub use bucket::Bucket;
pub use claims::is_host;
pub use counters::{Count, Counters, Reason};
pub use port::{Peer, PeerStatus};
pub use remote::{CONNECTORS, NamedRoutes, Remote};

use super::Nanos;
use super::packet::VnetHeader;
use super::rule::ChainState;
use super::settings::{Mode, Settings};
use super::tunnel::name::TableName;
use claims::Table;
use remote::{Domain, DomainId, LOCAL};
use serde::Serialize;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

/// A port's number. It is used again after its peer is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PortId(pub u32);

/// The router's own device.
pub const DEVICE: PortId = PortId(0);

/// How many notices wait to be taken; what comes then is only counted.
const NOTICES: usize = 256;

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes to this port.
    To(PortId),
    /// It goes to every port but the one it came from ([`Switch::may_flood`] asks for each).
    Flood,
    /// Its route is being asked for: it may wait for [an answer](Switch::answered), and was not counted yet.
    Wait,
    /// It goes nowhere, and was counted.
    Drop(Reason),
}

/// What is worth a line in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A peer has an address from now on.
    Registered(PortId, IpAddr),
    /// A peer sent from an address that it may not have, or that another has. Told once for each peer and address.
    Refused(PortId, IpAddr, Reason),
    /// A rule with `log` matched: its text, and the packet.
    Logged(String),
    /// No route of a table has an address, and somebody can be asked for one.
    Ask(TableName, IpAddr),
}

/// The state of a router.
#[derive(Debug)]
pub struct Switch {
    settings: Arc<Settings>,
    /// By number; the device is the first.
    ports: Vec<Option<Box<Peer>>>,
    free: Vec<u32>,
    device: Arc<Counters>,
    /// The device's addresses, which no peer may have.
    own: Vec<IpAddr>,
    addresses: Table<(DomainId, IpAddr)>,
    /// The routing tables, that of local peers first.
    domains: Vec<Domain>,
    macs: Table<[u8; 6]>,
    chain_out: ChainState,
    chain_in: ChainState,
    notices: VecDeque<Notice>,
    /// What was asked for, and when.
    asked: asked::Asked,
}

impl Switch {
    /// One without peers.
    pub fn new(settings: Arc<Settings>) -> Self {
        let own = settings.addresses.iter().map(ipnet::IpNet::addr).collect();
        Self {
            ports: vec![None],
            free: Vec::new(),
            device: Arc::default(),
            own,
            addresses: Table::default(),
            domains: vec![Domain::default()],
            macs: Table::default(),
            chain_out: ChainState::new(&settings.chain_out),
            chain_in: ChainState::new(&settings.chain_in),
            notices: VecDeque::new(),
            asked: asked::Asked::default(),
            settings,
        }
    }

    /// What it was told.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Other settings from now on. Peers stay, with the addresses that they have; counters of rules that stay go on.
    pub fn reload(&mut self, settings: Arc<Settings>, now: Nanos) {
        self.own = settings.addresses.iter().map(ipnet::IpNet::addr).collect();
        self.chain_out = self.chain_out.reload(&settings.chain_out);
        self.chain_in = self.chain_in.reload(&settings.chain_in);
        for peer in self.ports.iter_mut().flatten() {
            if let Some(grant) = admit(&settings, &peer.introduction) {
                peer.regrant(grant, now);
            }
        }
        self.settings = settings;
    }

    /// The addresses that the device has.
    pub fn own(&self) -> &[IpAddr] {
        &self.own
    }

    /// The port that has a hardware address.
    pub fn port_of_mac(&self, mac: [u8; 6]) -> Option<PortId> {
        self.macs.holder(&mac)
    }

    /// The addresses that the device turns out to have.
    pub fn set_own(&mut self, own: Vec<IpAddr>) {
        self.own = own;
    }

    /// Lets a peer in, with what it announced registered: all of it or nothing.
    ///
    /// # Errors
    /// Why not.
    pub fn join(&mut self, introduction: Introduction, now: Nanos) -> Result<PortId, Refusal> {
        let grant = admit(&self.settings, &introduction).ok_or(Refusal::Unknown)?;
        let limit = self.settings.limits.peers;
        if self.peers().count() >= limit as usize {
            return Err(Refusal::Full(limit));
        }
        let home = introduction.remote.as_ref().map(|remote| self.home_of(remote)).transpose()?;
        if home.is_none() {
            self.check_announced(&introduction, &grant)?;
        }
        let index = self.free.pop().unwrap_or(self.ports.len() as u32);
        let port = PortId(index);
        let mut announced = introduction.announced.clone();
        announced.sort_unstable();
        announced.dedup();
        let peer = Box::new(Peer::new(introduction, grant, home.unwrap_or(LOCAL), now));
        match self.ports.get_mut(index as usize) {
            Some(place) => *place = Some(peer),
            None => self.ports.push(Some(peer)),
        }
        match home {
            Some(domain) => self.settle(port, domain),
            None => announced.into_iter().for_each(|address| self.register(port, address)),
        }
        Ok(port)
    }

    /// Whether a local peer may have all that it announced.
    fn check_announced(&self, introduction: &Introduction, grant: &Grant) -> Result<(), Refusal> {
        if introduction.announced.len() > grant.limits.addresses as usize {
            return Err(Refusal::TooMany(grant.limits.addresses));
        }
        for address in &introduction.announced {
            grant.range.allows(*address, &self.own).map_err(|_| Refusal::Forbidden(*address))?;
            if let Some(holder) = self.addresses.holder(&(LOCAL, *address)) {
                let who = self.peer(holder).map(|peer| peer.introduction.identity.to_string());
                return Err(Refusal::Taken(*address, who.unwrap_or_default()));
            }
        }
        Ok(())
    }

    /// A peer is gone: others may have what it had.
    pub fn leave(&mut self, port: PortId) {
        let Some(peer) = self.ports.get_mut(port.0 as usize).and_then(Option::take) else { return };
        let addresses: Vec<_> = peer.addresses.iter().map(|address| (peer.domain, *address)).collect();
        self.addresses.free(&addresses, port);
        self.macs.free(&peer.macs, port);
        self.free.push(port.0);
        self.unsettle(port, peer.domain, &peer.addresses);
    }

    /// Another set of rules of a peer's own.
    pub fn narrow(&mut self, port: PortId, chains: [super::rule::Chain; 2]) {
        if let Some(peer) = self.peer_mut(port) {
            peer.narrow(chains);
        }
    }

    /// A peer.
    pub fn peer(&self, port: PortId) -> Option<&Peer> {
        self.ports.get(port.0 as usize)?.as_deref()
    }

    fn peer_mut(&mut self, port: PortId) -> Option<&mut Peer> {
        self.ports.get_mut(port.0 as usize)?.as_deref_mut()
    }

    /// All peers.
    pub fn peers(&self) -> impl Iterator<Item = (PortId, &Peer)> {
        self.ports.iter().enumerate().filter_map(|(i, peer)| Some((PortId(i as u32), peer.as_deref()?)))
    }

    /// What a port counts.
    pub fn counters(&self, port: PortId) -> Option<&Arc<Counters>> {
        if port == DEVICE { Some(&self.device) } else { Some(&self.peer(port)?.counters) }
    }

    /// The chains, for statistics: *out*, *in*.
    pub fn chains(&self) -> [&ChainState; 2] {
        [&self.chain_out, &self.chain_in]
    }

    /// What there is to say; it is not said again.
    pub fn notices(&mut self) -> impl Iterator<Item = Notice> + '_ {
        self.notices.drain(..)
    }

    fn say(&mut self, notice: Notice) {
        if self.notices.len() < NOTICES {
            self.notices.push_back(notice);
        }
    }

    /// Decides about a packet that came from a port, and the virtio-net header that stood before it.
    pub fn decide(&mut self, from: PortId, header: &VnetHeader, bytes: &[u8], now: Nanos) -> Verdict {
        let decided = match self.settings.mode {
            Mode::Tun => self.packet(from, header, bytes, now),
            Mode::Tap => self.frame(from, header, bytes, now),
        };
        let (verdict, count) = decided.unwrap_or_else(|(reason, count)| match reason {
            Reason::Asked => (Verdict::Wait, count),
            reason => (Verdict::Drop(reason), count),
        });
        match verdict {
            Verdict::To(to) => {
                self.count_out(from, bytes.len(), count);
                self.count_in(to, bytes.len(), count);
            }
            Verdict::Flood => self.count_out(from, bytes.len(), count),
            Verdict::Wait => {}
            Verdict::Drop(reason) => self.failed(from, reason, count),
        }
        verdict
    }

    /// When the next packet may go to a port; none when that is now.
    pub fn may_pass(&mut self, to: PortId, now: Nanos) -> Option<Nanos> {
        self.peer_mut(to)?.buckets[1].as_mut()?.wait(now)
    }

    /// A packet went to a port.
    pub fn passed(&mut self, to: PortId, bytes: usize, now: Nanos) {
        if let Some(bucket) = self.peer_mut(to).and_then(|peer| peer.buckets[1].as_mut()) {
            bucket.take(now, bytes);
        }
    }

    /// When the next packet may come from a port; none when that is now.
    pub fn may_come(&mut self, from: PortId, now: Nanos) -> Option<Nanos> {
        self.peer_mut(from)?.buckets[0].as_mut()?.wait(now)
    }

    /// A packet came from a port, and went wherever it went: when the next one may come.
    pub fn came(&mut self, from: PortId, bytes: usize, now: Nanos) -> Option<Nanos> {
        let bucket = self.peer_mut(from)?.buckets[0].as_mut()?;
        bucket.take(now, bytes);
        bucket.wait(now)
    }

    /// Counts packets that went nowhere.
    pub fn failed(&self, port: PortId, reason: Reason, count: u64) {
        if let Some(counters) = self.counters(port) {
            counters.lose(reason, count);
        }
    }

    fn count_out(&mut self, from: PortId, bytes: usize, count: u64) {
        if let Some(counters) = self.counters(from) {
            counters.out_packets.add(count);
            counters.out_bytes.add(bytes as u64);
        }
    }

    fn count_in(&mut self, to: PortId, bytes: usize, count: u64) {
        if let Some(counters) = self.counters(to) {
            counters.in_packets.add(count);
            counters.in_bytes.add(bytes as u64);
        }
    }

    /// Puts an address into the table that was found to be free and allowed.
    fn register(&mut self, port: PortId, address: IpAddr) {
        let domain = self.domain_of(port);
        if self.addresses.claim((domain, address), port).is_ok()
            && let Some(peer) = self.peer_mut(port)
        {
            peer.addresses.push(address);
            self.say(Notice::Registered(port, address));
        }
    }

    /// Whether a peer may send from an address, which becomes its own if it is its first.
    fn may_send(&mut self, port: PortId, source: IpAddr) -> Result<(), Reason> {
        let room = match self.settings.mode {
            // As uWSGI has it: the first is the only one, here for each family.
            Mode::Tun => 1,
            Mode::Tap => usize::MAX,
        };
        let holder = self.addresses.holder(&(LOCAL, source));
        let Some(peer) = self.ports.get_mut(port.0 as usize).and_then(Option::as_deref_mut) else {
            return Err(Reason::Spoofed);
        };
        if holder == Some(port) {
            return Ok(());
        }
        if !is_host(source) {
            return Err(Reason::Source);
        }
        let learned = peer.addresses.iter().filter(|own| own.is_ipv4() == source.is_ipv4()).count();
        let full = learned >= room || peer.addresses.len() >= peer.limits.addresses as usize;
        let reason = match peer.range.allows(source, &self.own) {
            Err(reason) => reason,
            Ok(()) if full => Reason::Spoofed,
            Ok(()) if holder.is_some() => Reason::Taken,
            Ok(()) => {
                self.register(port, source);
                return Ok(());
            }
        };
        if peer.is_first_refusal(source) {
            self.say(Notice::Refused(port, source, reason));
        }
        Err(reason)
    }
}

#[cfg(test)]
mod tests;

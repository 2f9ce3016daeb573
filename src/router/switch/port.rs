//! A peer, as the core knows it.

use super::super::Nanos;
use super::super::rule::{Action, Chain, ChainState};
use super::super::settings::Limits;
use super::admission::{Grant, Introduction};
use super::bucket::Bucket;
use super::claims::Range;
use super::counters::Counters;
use super::remote::DomainId;
use super::{Identity, Transport};
use std::net::IpAddr;
use std::sync::Arc;

/// How many addresses that a peer was refused are remembered, so that each is told of once.
const REFUSALS: usize = 8;

/// A peer.
#[derive(Debug)]
pub struct Peer {
    /// How it came in.
    pub introduction: Introduction,
    /// What it counts.
    pub counters: Arc<Counters>,
    /// When it came.
    pub since: Nanos,
    /// How fast it may send, and be sent to.
    pub buckets: [Option<Bucket>; 2],
    /// What it may have.
    pub limits: Limits,
    pub(super) range: Range,
    /// The table that it is in.
    pub(super) domain: DomainId,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) macs: Vec<[u8; 6]>,
    /// Its own rules; none where they allow everything.
    pub(super) own_chains: Option<Box<[ChainState; 2]>>,
    refused: Vec<IpAddr>,
}

/// A peer, for statistics.
#[derive(Debug, Clone)]
pub struct PeerStatus {
    /// Its port.
    pub port: u32,
    /// Who it is.
    pub identity: Identity,
    /// How its packets come.
    pub transport: Transport,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// When it came.
    pub since: Nanos,
    /// What it counts.
    pub counters: Arc<Counters>,
}

impl Peer {
    pub(super) fn new(introduction: Introduction, grant: Grant, domain: DomainId, now: Nanos) -> Self {
        let own_chains = own_chains(&introduction.chains);
        let mut peer = Self {
            introduction,
            counters: Arc::default(),
            since: now,
            buckets: [None, None],
            limits: grant.limits,
            range: Range { networks: None },
            domain,
            addresses: Vec::new(),
            macs: Vec::new(),
            own_chains,
            refused: Vec::new(),
        };
        peer.regrant(grant, now);
        peer
    }

    /// Its addresses.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// Whether it has an address, of either layer.
    pub fn is_known(&self) -> bool {
        !self.addresses.is_empty() || !self.macs.is_empty()
    }

    /// As it is shown.
    pub fn status(&self, port: super::PortId) -> PeerStatus {
        PeerStatus {
            port: port.0,
            identity: self.introduction.identity.clone(),
            transport: self.introduction.transport,
            addresses: self.addresses.clone(),
            since: self.since,
            counters: Arc::clone(&self.counters),
        }
    }

    /// What it may have from now on. It keeps the addresses that it has.
    pub(super) fn regrant(&mut self, grant: Grant, now: Nanos) {
        let rates = [grant.limits.rate_out, grant.limits.rate_in];
        for (bucket, rate) in self.buckets.iter_mut().zip(rates) {
            match (bucket.as_mut(), rate) {
                (Some(bucket), Some(rate)) => bucket.change(rate, now),
                (_, rate) => *bucket = rate.map(|rate| Bucket::new(rate, now)),
            }
        }
        self.limits = grant.limits;
        self.range = grant.range;
    }

    pub(super) fn narrow(&mut self, chains: [Chain; 2]) {
        self.own_chains = own_chains(&chains);
        self.introduction.chains = chains;
    }

    /// Whether this is the first that is told of this address.
    pub(super) fn is_first_refusal(&mut self, address: IpAddr) -> bool {
        let first = self.refused.len() < REFUSALS && !self.refused.contains(&address);
        if first {
            self.refused.push(address);
        }
        first
    }
}

fn own_chains(chains: &[Chain; 2]) -> Option<Box<[ChainState; 2]>> {
    let open = chains.iter().all(|chain| chain.rules.is_empty() && chain.policy == Action::Allow);
    (!open).then(|| Box::new([ChainState::new(&chains[0]), ChainState::new(&chains[1])]))
}

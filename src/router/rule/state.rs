//! A chain at work: its rules laid out for a quick scan, and what changes as packets pass.
//!
//! Addresses, protocol and one range of ports each way decide nearly every rule, so that they are all that the scan looks at: without
//! branches within a rule, in one array for each family, whose addresses are plain numbers under a mask. What is more (lists of ports,
//! rates) is looked at when the rest fits.

use super::{Action, Chain, PortRange, Ports, Rate, Rule};
use crate::router::Nanos;
use crate::router::packet::{Family, Fragment, Packet};
use ipnet::IpNet;
use std::collections::HashMap;
use std::ops::BitAnd;

/// What becomes of a packet, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What becomes of it.
    pub action: Action,
    /// The rule's place in its chain, counted from 0; none for the policy.
    pub rule: Option<u32>,
    /// Whether it is to be told.
    pub log: bool,
}

/// What a rule, or the policy, has decided upon. Saturates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    /// Packets; a super-packet is one.
    pub packets: u64,
    /// Their bytes, from the IP header on.
    pub bytes: u64,
}

/// A chain at work: compiled rules, their counters, and how much of each rate is used up.
///
/// Its size is in proportion to the chain's, whatever passes.
#[derive(Debug, Clone)]
pub struct ChainState {
    v4: Vec<Test<u32>>,
    v6: Vec<Test<u128>>,
    rules: Vec<Compiled>,
    policy: Action,
    by_policy: Counter,
}

/// What a scan compares. Padded to the next power of two it stays within a cache line or two.
#[derive(Debug, Clone, Copy)]
struct Test<A> {
    source: A,
    source_mask: A,
    destination: A,
    destination_mask: A,
    /// First and last source port, first and last destination port; the widest where any will do.
    ports: [u16; 4],
    protocol: u8,
    /// All ones where the protocol is compared, else none.
    protocol_mask: u8,
    rule: u32,
}

/// The rest of a rule.
#[derive(Debug, Clone)]
struct Compiled {
    rule: Rule,
    has_ports: bool,
    /// Only where there is more than one range.
    source_ports: Option<Ports>,
    destination_ports: Option<Ports>,
    bucket: Option<Bucket>,
    counter: Counter,
}

/// A token bucket. Tokens are counted in packets times the unit's nanoseconds, so that no rate is rounded.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    rate: Rate,
    tokens: u64,
    filled: Nanos,
}

impl ChainState {
    /// A chain that nothing has passed yet.
    pub fn new(chain: &Chain) -> Self {
        let mut state = Self {
            v4: Vec::new(),
            v6: Vec::new(),
            rules: chain.rules.iter().map(Compiled::new).collect(),
            policy: chain.policy,
            by_policy: Counter::default(),
        };
        for (number, rule) in (0..).zip(&chain.rules) {
            state.v4.extend(Test::<u32>::new(number, rule));
            state.v6.extend(Test::<u128>::new(number, rule));
        }
        state
    }

    /// The same for a chain that takes this one's place: rules that are in both go on counting, and keep what is used up of their rates.
    /// Of equal rules the first takes over from the first. The policy goes on if it stays the same.
    #[must_use]
    pub fn reload(&self, chain: &Chain) -> Self {
        let mut before: HashMap<&Rule, Vec<&Compiled>> = HashMap::new();
        for old in self.rules.iter().rev() {
            before.entry(&old.rule).or_default().push(old);
        }
        let mut state = Self::new(chain);
        for new in &mut state.rules {
            if let Some(old) = before.get_mut(&new.rule).and_then(Vec::pop) {
                (new.counter, new.bucket) = (old.counter, old.bucket);
            }
        }
        if state.policy == self.policy {
            state.by_policy = self.by_policy;
        }
        state
    }

    /// Decides about a packet, and counts it. `now` may not go back; if it does, no time has passed.
    #[inline]
    pub fn verdict(&mut self, packet: &Packet<'_>, now: Nanos) -> Verdict {
        let found = match packet.family() {
            Family::V4 => {
                let addresses = (packet.source_bits() as u32, packet.destination_bits() as u32);
                scan(&self.v4, &mut self.rules, addresses, packet, now)
            }
            Family::V6 => {
                let addresses = (packet.source_bits(), packet.destination_bits());
                scan(&self.v6, &mut self.rules, addresses, packet, now)
            }
        };
        let decided = found.and_then(|number| Some((number, self.rules.get_mut(number as usize)?)));
        let Some((number, compiled)) = decided else {
            self.by_policy.add(packet);
            return Verdict { action: self.policy, rule: None, log: false };
        };
        compiled.counter.add(packet);
        Verdict { action: compiled.rule.action, rule: Some(number), log: compiled.rule.log }
    }

    /// The rules in order, with what each has decided upon.
    pub fn counters(&self) -> impl Iterator<Item = (&Rule, Counter)> {
        self.rules.iter().map(|compiled| (&compiled.rule, compiled.counter))
    }

    /// What the policy has decided upon, and how.
    pub const fn policy(&self) -> (Action, Counter) {
        (self.policy, self.by_policy)
    }
}

/// The first rule that matches.
#[inline]
fn scan<A>(tests: &[Test<A>], rules: &mut [Compiled], addresses: (A, A), packet: &Packet<'_>, now: Nanos) -> Option<u32>
where
    A: Copy + PartialEq + BitAnd<Output = A>,
{
    let (words, later) = (packet.words(), packet.fragment() == Fragment::Later);
    let matching = tests.iter().filter(|test| {
        // Not `&&`: a branch that is taken now and then costs more than the comparisons that it saves.
        let addressed =
            (addresses.0 & test.source_mask == test.source) & (addresses.1 & test.destination_mask == test.destination);
        let [first_source, last_source, first, last] = test.ports;
        let ports = (first_source <= words[0]) & (words[0] <= last_source) & (first <= words[1]) & (words[1] <= last);
        addressed & (packet.protocol() & test.protocol_mask == test.protocol) & (ports | later)
    });
    for test in matching {
        let Some(compiled) = rules.get_mut(test.rule as usize) else { continue };
        if compiled.accepts(packet, now) {
            return Some(test.rule);
        }
    }
    None
}

impl Compiled {
    fn new(rule: &Rule) -> Self {
        let list = |ports: &Ports| (ports.ranges().len() > 1).then(|| ports.clone());
        Self {
            rule: rule.clone(),
            has_ports: rule.has_ports(),
            source_ports: list(&rule.source_ports),
            destination_ports: list(&rule.destination_ports),
            bucket: rule.rate.map(Bucket::new),
            counter: Counter::default(),
        }
    }

    /// Whether what is left to look at fits too. A token is taken only if all else does.
    #[inline]
    fn accepts(&mut self, packet: &Packet<'_>, now: Nanos) -> bool {
        (!self.has_ports || self.accepts_ports(packet)) && self.bucket.as_mut().is_none_or(|bucket| bucket.take(now))
    }

    fn accepts_ports(&self, packet: &Packet<'_>) -> bool {
        let has = |ports: &Option<Ports>, port| ports.as_ref().is_none_or(|ports| ports.contain(port));
        match packet.ports() {
            Some((source, destination)) => has(&self.source_ports, source) && has(&self.destination_ports, destination),
            None => packet.fragment() == Fragment::Later && self.rule.action == Action::Deny,
        }
    }
}

impl Bucket {
    const fn new(rate: Rate) -> Self {
        Self { rate, tokens: rate.burst as u64 * rate.unit.nanos(), filled: 0 }
    }

    fn take(&mut self, now: Nanos) -> bool {
        let unit = self.rate.unit.nanos();
        let passed = now.saturating_sub(self.filled);
        let most = u64::from(self.rate.burst) * unit;
        self.filled = self.filled.max(now);
        self.tokens = self.tokens.saturating_add(passed.saturating_mul(u64::from(self.rate.packets))).min(most);
        let enough = self.tokens >= unit;
        self.tokens -= if enough { unit } else { 0 };
        enough
    }
}

impl Counter {
    #[inline]
    fn add(&mut self, packet: &Packet<'_>) {
        self.packets = self.packets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(packet.bytes().len() as u64);
    }
}

impl<A: Copy> Test<A> {
    fn of(number: u32, rule: &Rule, source: (A, A), destination: (A, A)) -> Self {
        // Of a list, from its first port to its last.
        let bounds = |ports: &Ports| match ports.ranges() {
            [first, .., last] => PortRange { first: first.first, last: last.last },
            [only] => *only,
            [] => PortRange { first: 0, last: u16::MAX },
        };
        let (sport, dport) = (bounds(&rule.source_ports), bounds(&rule.destination_ports));
        Self {
            source: source.0,
            source_mask: source.1,
            destination: destination.0,
            destination_mask: destination.1,
            ports: [sport.first, sport.last, dport.first, dport.last],
            protocol: rule.protocol.unwrap_or(0),
            protocol_mask: if rule.protocol.is_some() { u8::MAX } else { 0 },
            rule: number,
        }
    }
}

impl Test<u32> {
    /// None when the rule is about IPv6 only.
    fn new(number: u32, rule: &Rule) -> Option<Self> {
        let bits = |net: Option<IpNet>| match net {
            None => Some((0, 0)),
            Some(IpNet::V4(net)) => Some((net.network().to_bits(), net.netmask().to_bits())),
            Some(IpNet::V6(_)) => None,
        };
        Some(Self::of(number, rule, bits(rule.source.net())?, bits(rule.destination.net())?))
    }
}

impl Test<u128> {
    /// None when the rule is about IPv4 only.
    fn new(number: u32, rule: &Rule) -> Option<Self> {
        let bits = |net: Option<IpNet>| match net {
            None => Some((0, 0)),
            Some(IpNet::V6(net)) => Some((net.network().to_bits(), net.netmask().to_bits())),
            Some(IpNet::V4(_)) => None,
        };
        Some(Self::of(number, rule, bits(rule.source.net())?, bits(rule.destination.net())?))
    }
}

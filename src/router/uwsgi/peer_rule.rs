//! Rules that a device sends to its router: 24 packed bytes each, and the text of `tuntap-device-rule`.
//!
//! | bytes | field |
//! |---|---|
//! | 0 | direction: 0 in, 1 out |
//! | 1–4, 5–8 | source and its mask, in the sender's byte order |
//! | 9–12, 13–16 | destination and its mask, likewise |
//! | 17 | action: 0 allow, 1 deny, 2 gateway |
//! | 18–21, 22–23 | the gateway's address and port, in network byte order |
//!
//! An address of zero means any, whatever the mask. The original's device makes the mask of a prefix of N bits from 32 - N bits: it
//! shifts by N - 32, of which x86 takes the rest of a division by 32. So a mask that the address has bits beyond is read as the
//! mirrored one where that fits; all else is read as it stands, as the original's router does.

use super::{HEADER, Kind, encode_header};
use crate::router::rule::{Action, Chain, Mistake, Network, Rule, Word, Words, network, shown};
use ipnet::{IpNet, Ipv4Net};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::str::FromStr;

/// The bytes of a rule.
const LEN: usize = 24;

/// Which chain a rule belongs to, seen from the router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// What goes to the peer.
    In,
    /// What comes from the peer.
    Out,
}

/// What becomes of what a peer's rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeerAction {
    /// It passes or is dropped.
    Filter(Action),
    /// It goes in a UDP datagram to another router's gateway address. What goes to the peer is dropped instead.
    Gateway(SocketAddrV4),
}

/// One rule of a peer's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PeerRule {
    /// Which chain it belongs to.
    pub direction: Direction,
    /// Where from.
    pub source: Network,
    /// Where to.
    pub destination: Network,
    /// What becomes of it.
    pub action: PeerAction,
}

/// Why bytes are no block of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BadRule {
    /// The block's length is no multiple of a rule's.
    Length(usize),
    /// A rule's direction is neither 0 nor 1.
    Direction(u8),
    /// A rule's action is unknown.
    Action(u8),
    /// A mask's ones do not stand before its zeros.
    Mask(Ipv4Addr),
}

impl fmt::Display for BadRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(len) => write!(f, "a block of rules has {len} bytes, which is no multiple of {LEN}"),
            Self::Direction(number) => write!(f, "a rule has the unknown direction {number}"),
            Self::Action(number) => write!(f, "a rule has the unknown action {number}"),
            Self::Mask(mask) => write!(f, "a rule has the mask {mask}"),
        }
    }
}

impl std::error::Error for BadRule {}

/// What uWSGI's rules have no bytes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Inexpressible {
    /// Addresses of IPv6.
    Ipv6,
    /// A network that begins with 0.0.0.0 and is not everything: an address of zero means any.
    Zero,
    /// Protocol, ports, rate or log.
    Option,
    /// More rules than fit a frame.
    Number(usize),
}

impl fmt::Display for Inexpressible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipv6 => f.write_str("uWSGI's rules know no IPv6"),
            Self::Zero => f.write_str("uWSGI's rules take 0.0.0.0 for any address"),
            Self::Option => f.write_str("uWSGI's rules know addresses only"),
            Self::Number(number) => write!(f, "{number} rules do not fit uWSGI's block"),
        }
    }
}

impl std::error::Error for Inexpressible {}

/// Reads a block of rules, a frame's payload.
///
/// # Errors
/// When any rule of it cannot be meant; nothing of the block holds then.
pub fn decode_rules(block: &[u8]) -> Result<Vec<PeerRule>, BadRule> {
    let (rules, rest) = block.as_chunks::<LEN>();
    if !rest.is_empty() {
        return Err(BadRule::Length(block.len()));
    }
    rules.iter().map(PeerRule::decode).collect()
}

/// Writes a block of rules as a frame, header included.
///
/// # Errors
/// When a rule says what uWSGI's cannot.
pub fn encode_rules(rules: &[PeerRule]) -> Result<Vec<u8>, Inexpressible> {
    let header = encode_header(Kind::Rules, rules.len() * LEN).ok_or(Inexpressible::Number(rules.len()))?;
    let mut frame = Vec::with_capacity(HEADER + rules.len() * LEN);
    frame.extend(header);
    for rule in rules {
        frame.extend(rule.encode()?);
    }
    Ok(frame)
}

impl PeerRule {
    fn decode(bytes: &[u8; LEN]) -> Result<Self, BadRule> {
        let [direction, s0, s1, s2, s3, t0, t1, t2, t3, d0, d1, d2, d3, e0, e1, e2, e3, action, target @ ..] = *bytes;
        let number = u32::from_ne_bytes;
        let [a, b, c, d, port @ ..] = target;
        Ok(Self {
            direction: match direction {
                0 => Direction::In,
                1 => Direction::Out,
                other => return Err(BadRule::Direction(other)),
            },
            source: decode_network(number([s0, s1, s2, s3]), number([t0, t1, t2, t3]))?,
            destination: decode_network(number([d0, d1, d2, d3]), number([e0, e1, e2, e3]))?,
            action: match action {
                0 => PeerAction::Filter(Action::Allow),
                1 => PeerAction::Filter(Action::Deny),
                2 => PeerAction::Gateway(SocketAddrV4::new([a, b, c, d].into(), u16::from_be_bytes(port))),
                other => return Err(BadRule::Action(other)),
            },
        })
    }

    fn encode(&self) -> Result<[u8; LEN], Inexpressible> {
        let direction = match self.direction {
            Direction::In => 0,
            Direction::Out => 1,
        };
        let (action, target, port) = match self.action {
            PeerAction::Filter(Action::Allow) => (0, [0; 4], [0; 2]),
            PeerAction::Filter(Action::Deny) => (1, [0; 4], [0; 2]),
            PeerAction::Gateway(target) => (2, target.ip().octets(), target.port().to_be_bytes()),
        };
        let (source, destination) = (encode_network(self.source)?, encode_network(self.destination)?);
        let parts = [&[direction][..], &source, &destination, &[action], &target, &port];
        let mut bytes = [0; LEN];
        bytes.iter_mut().zip(parts.into_iter().flatten()).for_each(|(byte, part)| *byte = *part);
        Ok(bytes)
    }

    /// The rule of a chain as a peer's.
    ///
    /// # Errors
    /// When it says more than uWSGI's can.
    pub fn new(direction: Direction, rule: &Rule) -> Result<Self, Inexpressible> {
        let (source, destination, action) = (rule.source, rule.destination, PeerAction::Filter(rule.action));
        let plain = Rule { source, destination, ..Rule::all(rule.action) };
        if *rule == plain { Ok(Self { direction, source, destination, action }) } else { Err(Inexpressible::Option) }
    }
}

fn decode_network(address: u32, mask: u32) -> Result<Network, BadRule> {
    if address == 0 {
        return Ok(Network::Any);
    }
    if mask.leading_ones() + mask.trailing_zeros() != 32 {
        return Err(BadRule::Mask(mask.into()));
    }
    let prefix = mask.leading_ones();
    let mirrored = 32 - prefix;
    let beyond = |prefix: u32| address.checked_shl(prefix).unwrap_or(0) != 0;
    let prefix = if prefix > 0 && beyond(prefix) && !beyond(mirrored) { mirrored } else { prefix };
    // Both are within 0..=32.
    let net = Ipv4Net::new(address.into(), prefix as u8).map_err(|_| BadRule::Mask(mask.into()))?;
    Ok(Network::of(IpNet::V4(net)))
}

fn encode_network(network: Network) -> Result<[u8; 8], Inexpressible> {
    let (address, mask) = match network.net() {
        None => (0, 0),
        Some(IpNet::V4(net)) if net.network().is_unspecified() && net.prefix_len() > 0 => {
            return Err(Inexpressible::Zero);
        }
        Some(IpNet::V4(net)) => (net.network().to_bits(), net.netmask().to_bits()),
        Some(IpNet::V6(_)) => return Err(Inexpressible::Ipv6),
    };
    let ([a, b, c, d], [e, f, g, h]) = (address.to_ne_bytes(), mask.to_ne_bytes());
    Ok([a, b, c, d, e, f, g, h])
}

/// A peer's rules as chains. They can only narrow: whoever evaluates them lets a packet pass that the router's own chains allow too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerChains {
    /// For what goes to the peer.
    pub into: Chain,
    /// For what comes from the peer. Rules that send to a gateway stand in it as `allow`.
    pub out: Chain,
    /// The places of those rules in [`Self::out`], and where each sends to.
    pub gateways: BTreeMap<u32, SocketAddrV4>,
}

impl PeerChains {
    /// In the order that they were sent in. Their policy is to allow.
    pub fn new(rules: &[PeerRule]) -> Self {
        let mut chains = Self::default();
        for rule in rules {
            let action = match (rule.direction, rule.action) {
                (_, PeerAction::Filter(action)) => action,
                (Direction::In, PeerAction::Gateway(_)) => Action::Deny,
                (Direction::Out, PeerAction::Gateway(target)) => {
                    chains.gateways.insert(chains.out.rules.len() as u32, target);
                    Action::Allow
                }
            };
            let chain = if rule.direction == Direction::In { &mut chains.into } else { &mut chains.out };
            chain.rules.push(Rule { source: rule.source, destination: rule.destination, ..Rule::all(action) });
        }
        chains
    }
}

/// `<direction> <src/mask> <dst/mask> <action> [target]`, as `tuntap-device-rule` has it.
impl FromStr for PeerRule {
    type Err = Mistake;

    fn from_str(line: &str) -> Result<Self, Mistake> {
        let mut words = Words::new(line);
        let direction = words.expect("the direction")?;
        let direction = match direction.text {
            "in" => Direction::In,
            "out" => Direction::Out,
            other => {
                return Err(
                    Mistake::new(direction, format!("unknown direction `{}`", shown(other))).help("`in` or `out`")
                );
            }
        };
        let source = network(words.expect("the source")?)?;
        let second = words.expect("the destination")?;
        let destination = network(second)?;
        let action = words.expect("the action")?;
        let action = match action.text {
            "allow" => PeerAction::Filter(Action::Allow),
            "deny" => PeerAction::Filter(Action::Deny),
            "gateway" | "route" => PeerAction::Gateway(target(words.expect("the gateway's address")?)?),
            other => {
                let mistake = Mistake::new(action, format!("unknown action `{}`", shown(other)));
                return Err(mistake.help("`allow`, `deny` or `gateway ADDRESS:PORT`"));
            }
        };
        words.finish()?;
        if source.net().zip(destination.net()).is_some_and(|(a, b)| a.addr().is_ipv4() != b.addr().is_ipv4()) {
            return Err(Mistake::new(second, "source and destination are of different families"));
        }
        Ok(Self { direction, source, destination, action })
    }
}

/// A gateway's `ADDRESS:PORT`.
pub(super) fn target(word: Word<'_>) -> Result<SocketAddrV4, Mistake> {
    let mistake =
        || Mistake::new(word, format!("`{}` is no gateway", shown(word.text))).help("write ADDRESS:PORT, of IPv4");
    word.text.parse().ok().filter(|target: &SocketAddrV4| target.port() != 0).ok_or_else(mistake)
}

impl fmt::Display for PeerRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.direction == Direction::In { "in" } else { "out" };
        write!(f, "{direction} {} {} ", self.source, self.destination)?;
        match self.action {
            PeerAction::Filter(action) => write!(f, "{action}"),
            PeerAction::Gateway(target) => write!(f, "gateway {target}"),
        }
    }
}

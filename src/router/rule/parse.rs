//! The text of a rule as it is read.

use super::mistake::{Mistake, Word, Words};
use super::print::PROTOCOLS;
use super::{Action, Network, PortRange, Ports, Rate, Rule, Unit, protocol};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

/// More ranges in one rule are refused: matching is in proportion to them.
const MAX_RANGES: usize = 64;

impl FromStr for Rule {
    type Err = Mistake;

    fn from_str(line: &str) -> Result<Self, Mistake> {
        let mut words = Words::new(line);
        let mut rule = Self::all(words.expect("the action").and_then(action)?);
        let mut said = Said::default();
        if let Some(word) = words.peek()
            && Keyword::of(word).is_none()
        {
            words.next();
            rule.source = network(word)?;
            let second =
                words.expect("the destination").map_err(|mistake| mistake.help("after SRC comes DST, or `any`"))?;
            rule.destination = network(second)?;
            same_family(&rule, second)?;
        }
        while let Some(word) = words.next() {
            said.option(word, &mut words, &mut rule)?;
        }
        said.check(&rule)?;
        Ok(rule)
    }
}

fn action(word: Word<'_>) -> Result<Action, Mistake> {
    match word.text {
        "allow" => Ok(Action::Allow),
        "deny" => Ok(Action::Deny),
        other => Err(Mistake::new(word, format!("unknown action `{}`", shown(other)))
            .help("a rule begins with `allow` or `deny`")),
    }
}

/// The words behind the addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keyword {
    Proto,
    Sport,
    Dport,
    Rate,
    Burst,
    Log,
}

impl Keyword {
    fn of(word: Word<'_>) -> Option<Self> {
        Some(match word.text {
            "proto" => Self::Proto,
            "sport" => Self::Sport,
            "dport" => Self::Dport,
            "rate" => Self::Rate,
            "burst" => Self::Burst,
            "log" => Self::Log,
            _ => return None,
        })
    }
}

/// The words that were there, so that none is there twice, and for mistakes that show at the end.
#[derive(Default)]
struct Said<'a> {
    keywords: Vec<Keyword>,
    proto: Option<Word<'a>>,
    ports: Option<Word<'a>>,
}

impl<'a> Said<'a> {
    fn option(&mut self, word: Word<'a>, words: &mut Words<'a>, rule: &mut Rule) -> Result<(), Mistake> {
        let Some(keyword) = Keyword::of(word) else {
            return Err(Mistake::new(word, format!("unknown word `{}`", shown(word.text)))
                .help("after the addresses come proto, sport, dport, rate, burst or log"));
        };
        if self.keywords.contains(&keyword) {
            return Err(Mistake::new(word, format!("`{}` twice", word.text)));
        }
        self.keywords.push(keyword);
        let value =
            if keyword == Keyword::Log { word } else { words.expect(&format!("what follows `{}`", word.text))? };
        match keyword {
            Keyword::Proto => {
                self.proto = Some(value);
                rule.protocol = Some(protocol_number(value)?);
            }
            Keyword::Sport => rule.source_ports = ports(value)?,
            Keyword::Dport => rule.destination_ports = ports(value)?,
            Keyword::Rate => rule.rate = Some(rate(value)?),
            Keyword::Burst => {
                let alone = Mistake::new(word, "`burst` without `rate`").help("write `rate N/s burst M`");
                rule.rate.as_mut().ok_or(alone)?.burst = number(value, 1, Rate::MAX_BURST)?;
            }
            Keyword::Log => rule.log = true,
        }
        if matches!(keyword, Keyword::Sport | Keyword::Dport) {
            self.ports.get_or_insert(word);
        }
        Ok(())
    }

    /// What can only be judged when all is read.
    fn check(&self, rule: &Rule) -> Result<(), Mistake> {
        if let Some(word) = self.ports
            && !rule.protocol.is_some_and(protocol::has_ports)
        {
            let mistake = Mistake::new(word, "ports without a protocol that has ports");
            return Err(mistake.help("add `proto tcp`, `proto udp` or `proto sctp`"));
        }
        let net = rule.source.net().or(rule.destination.net());
        let (Some(word), Some(net)) = (self.proto, net) else { return Ok(()) };
        let wrong = match net {
            IpNet::V4(_) => rule.protocol == Some(protocol::ICMPV6),
            IpNet::V6(_) => rule.protocol == Some(protocol::ICMP),
        };
        if !wrong {
            return Ok(());
        }
        let right = if matches!(net, IpNet::V4(_)) { "icmp" } else { "icmpv6" };
        Err(Mistake::new(word, "a protocol of the other family than the addresses")
            .help(format!("write `proto {right}`")))
    }
}

fn same_family(rule: &Rule, second: Word<'_>) -> Result<(), Mistake> {
    match (rule.source.net(), rule.destination.net()) {
        (Some(IpNet::V4(_)), Some(IpNet::V6(_))) | (Some(IpNet::V6(_)), Some(IpNet::V4(_))) => {
            Err(Mistake::new(second, "source and destination are of different families"))
        }
        _ => Ok(()),
    }
}

/// Reads `any`, an address, or one with a prefix or a mask.
pub(in crate::router) fn network(word: Word<'_>) -> Result<Network, Mistake> {
    if word.text == "any" {
        return Ok(Network::Any);
    }
    let (first, mask) = word.split_once('/').map_or((word, None), |(first, mask)| (first, Some(mask)));
    let address: IpAddr = first.text.parse().map_err(|_| {
        let mistake = Mistake::new(first, format!("`{}` is no address", shown(first.text)));
        mistake.help("write an address, ADDRESS/PREFIX or `any`")
    })?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match mask {
        None if address.is_unspecified() => return Ok(Network::Any),
        None => most,
        Some(mask) if mask.text.contains('.') && address.is_ipv4() => dotted(mask)?,
        Some(prefix) => number(prefix, 0, most.into())? as u8,
    };
    let wrong = |_| Mistake::new(word, format!("`{}` is no network", shown(word.text)));
    IpNet::new(address, prefix).map(Network::of).map_err(wrong)
}

fn dotted(word: Word<'_>) -> Result<u8, Mistake> {
    let no_mask = || Mistake::new(word, format!("`{}` is no mask", shown(word.text)));
    let mask = word.text.parse::<Ipv4Addr>().map_err(|_| no_mask())?;
    ipnet::ipv4_mask_to_prefix(mask).map_err(|_| no_mask().help("a mask's ones stand before its zeros"))
}

fn protocol_number(word: Word<'_>) -> Result<u8, Mistake> {
    if let Some((_, number)) = PROTOCOLS.iter().find(|(name, _)| *name == word.text) {
        return Ok(*number);
    }
    if word.text.starts_with(|c: char| c.is_ascii_digit()) {
        return number(word, 0, 255).map(|number| number as u8);
    }
    let mistake = Mistake::new(word, format!("unknown protocol `{}`", shown(word.text)));
    Err(mistake.help("tcp, udp, icmp, icmpv6, sctp or a number"))
}

fn ports(word: Word<'_>) -> Result<Ports, Mistake> {
    let mut ranges = Vec::new();
    for part in word.split(',') {
        if ranges.len() == MAX_RANGES {
            return Err(Mistake::new(part, format!("more than {MAX_RANGES} ranges of ports")).help("write two rules"));
        }
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let range = PortRange { first: port(first)?, last: port(last)? };
        if range.first > range.last {
            return Err(Mistake::new(part, "the range ends before it begins")
                .help(format!("write {}-{}", range.last, range.first)));
        }
        ranges.push(range);
    }
    Ok(Ports::new(ranges))
}

fn port(word: Word<'_>) -> Result<u16, Mistake> {
    number(word, 0, 65535).map(|port| port as u16)
}

fn rate(word: Word<'_>) -> Result<Rate, Mistake> {
    let help = "write packets per second, as in 10/s, or per minute, 10/min";
    let Some((packets, unit)) = word.split_once('/') else {
        return Err(Mistake::new(word, format!("`{}` is no rate", shown(word.text))).help(help));
    };
    let unit = match unit.text {
        "s" => Unit::Second,
        "min" => Unit::Minute,
        other => return Err(Mistake::new(unit, format!("unknown unit `{}`", shown(other))).help(help)),
    };
    Ok(Rate { packets: number(packets, 1, Rate::MAX_PACKETS)?, unit, burst: Rate::BURST })
}

/// A decimal number within bounds. `+1` and the like are none.
pub(in crate::router) fn number(word: Word<'_>, least: u32, most: u32) -> Result<u32, Mistake> {
    let digits = !word.text.is_empty() && word.text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        let text = shown(word.text);
        let what = if text.is_empty() { "a number is missing".to_owned() } else { format!("`{text}` is no number") };
        return Err(Mistake::new(word, what));
    }
    match word.text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(Mistake::new(word, format!("`{}` is not within {least} to {most}", shown(word.text)))),
    }
}

/// A word for a message: without control characters, not too long.
pub(in crate::router) fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    let shown: String = text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() { shown + "…" } else { shown }
}

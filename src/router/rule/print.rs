//! The text of a rule as it is printed: one spelling for one meaning.

use super::{Action, Network, PortRange, Ports, Rate, Rule, Unit, protocol};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Protocols that have names.
pub(super) const PROTOCOLS: [(&str, u8); 5] = [
    ("tcp", protocol::TCP),
    ("udp", protocol::UDP),
    ("icmp", protocol::ICMP),
    ("icmpv6", protocol::ICMPV6),
    ("sctp", protocol::SCTP),
];

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.action)?;
        if (self.source, self.destination) != (Network::Any, Network::Any) {
            write!(f, " {} {}", self.source, self.destination)?;
        }
        if let Some(number) = self.protocol {
            match PROTOCOLS.iter().find(|(_, named)| *named == number) {
                Some((name, _)) => write!(f, " proto {name}")?,
                None => write!(f, " proto {number}")?,
            }
        }
        for (word, ports) in [("sport", &self.source_ports), ("dport", &self.destination_ports)] {
            if !ports.is_any() {
                write!(f, " {word} {ports}")?;
            }
        }
        if let Some(rate) = &self.rate {
            write!(f, " rate {rate}")?;
        }
        f.write_str(if self.log { " log" } else { "" })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            // `::` and `0.0.0.0` alone would mean any.
            Self::Of(net) if net.prefix_len() == net.max_prefix_len() && !net.addr().is_unspecified() => {
                write!(f, "{}", net.addr())
            }
            Self::Of(net) => write!(f, "{net}"),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for range in self.ranges() {
            write!(f, "{separator}{range}")?;
            separator = ",";
        }
        Ok(())
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Second => "s",
            Unit::Minute => "min",
        };
        write!(f, "{}/{unit}", self.packets)?;
        if self.burst == Self::BURST { Ok(()) } else { write!(f, " burst {}", self.burst) }
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

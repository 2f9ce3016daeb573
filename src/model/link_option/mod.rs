//! Options of links: which words there are, what their values look like as text, and when they can be changed.

mod tables;

use super::{LinkValue, MacAddr, VirtualKind};
use std::net::IpAddr;

pub use tables::{BOND_PORT, BRIDGE_PORT};

/// A word of ip-link(8) that takes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkOption {
    /// The word, by which it is known in [`LinkOptions`](super::LinkOptions).
    pub word: &'static str,
    /// What values it takes, and how they are written.
    pub shape: Shape,
    /// When it can be changed.
    pub change: Change,
}

/// What values an option takes, and how ip-link(8) writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `WORD NUMBER`, up to a largest one.
    Number(u64),
    /// `WORD NUMBER`, where `none` is one more than the largest one.
    NumberOrNone(u64),
    /// `WORD HEX`: ip-link(8) reads it as hexadecimal. 1 is `inherit`.
    Tos,
    /// `WORD 0` and `WORD 1`.
    Digit,
    /// `WORD on` and `WORD off`.
    OnOff,
    /// `WORD` and `noWORD`.
    OrNo,
    /// `WORD`, or nothing.
    Bare,
    /// `WORD NAME`, one of these.
    Choice(&'static [(&'static str, u64)]),
    /// `NAME` alone, one of these.
    BareChoice(&'static [(&'static str, u64)]),
    /// `WORD ADDRESS` of either family.
    Ip,
    /// `WORD ADDRESS`, IPv4.
    Ip4,
    /// `WORD ADDRESS`, IPv6.
    Ip6,
    /// `WORD ADDRESS,ADDRESS…`, IPv4.
    Ip4List,
    /// `WORD ADDRESS,ADDRESS…`, IPv6.
    Ip6List,
    /// `WORD MAC`.
    Mac,
    /// `WORD LINK`.
    Link,
    /// `WORD LOW HIGH`, two ports.
    Ports,
}

/// When an option can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// At any time.
    Anytime,
    /// At any time, but it only means something once the link has its ports.
    WithPorts,
    /// While the link is down.
    WhenDown,
    /// Only by making the link anew.
    Never,
}

/// Whose port a link is, which says what options it has as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PortOf {
    /// `bridge_slave`.
    Bridge,
    /// `bond_slave`.
    Bond,
}

impl PortOf {
    /// The word of `ip link set … type`.
    pub fn as_str(self) -> &'static str {
        match self {
            PortOf::Bridge => "bridge_slave",
            PortOf::Bond => "bond_slave",
        }
    }

    /// Its options.
    pub fn options(self) -> &'static [LinkOption] {
        match self {
            PortOf::Bridge => BRIDGE_PORT,
            PortOf::Bond => BOND_PORT,
        }
    }

    /// The option of that word.
    pub fn option(self, word: &str) -> Option<&'static LinkOption> {
        self.options().iter().find(|option| option.word == word)
    }

    /// Whose port a link of such options is: the two have no word in common.
    pub fn of(word: &str) -> Option<Self> {
        [PortOf::Bridge, PortOf::Bond].into_iter().find(|port| port.option(word).is_some())
    }
}

impl VirtualKind {
    /// The options that links of this kind have, in the order in which they are written.
    pub fn options(self) -> &'static [LinkOption] {
        tables::of(self)
    }

    /// The option of that word, or of another word for the same.
    pub fn option(self, word: &str) -> Option<&'static LinkOption> {
        let word = match (self, word) {
            (Self::Bond, "num_unsol_na" | "num_peer_notif") => "num_grat_arp",
            (Self::Bond, "ad_lacp_rate") => "lacp_rate",
            (Self::Bond, "ad_lacp_active") => "lacp_active",
            (Self::Ip6gre | Self::Ip6gretap | Self::Ip6tnl, "ttl" | "hlim") => "hoplimit",
            (_, word) => word,
        };
        self.options().iter().find(|option| option.word == word)
    }
}

impl LinkOption {
    /// Whether it can be changed on a link that exists.
    pub fn is_changeable(&self) -> bool {
        self.change != Change::Never
    }

    /// Reads a value from the text that ip-link(8) takes, and from what people write: `yes`, `on`, a choice's number.
    ///
    /// # Errors
    /// What values there are.
    pub fn parse(&self, text: &str) -> Result<LinkValue, String> {
        let wrong = || format!("{} takes {}", self.word, self.shape.describe());
        match self.shape {
            Shape::Number(max) => number(text).filter(|n| *n <= max).map(LinkValue::Number),
            Shape::NumberOrNone(max) if text == "none" => Some(LinkValue::Number(max + 1)),
            Shape::NumberOrNone(max) => number(text).filter(|n| *n <= max).map(LinkValue::Number),
            Shape::Tos if text == "inherit" => Some(LinkValue::Number(1)),
            Shape::Tos => number(text).filter(|n| *n <= 255).map(LinkValue::Number),
            Shape::Digit | Shape::OnOff | Shape::OrNo | Shape::Bare => switch(text).map(LinkValue::Number),
            Shape::Choice(names) | Shape::BareChoice(names) => choice(names, text).map(LinkValue::Number),
            Shape::Ip => ip(text, |_| true),
            Shape::Ip4 => ip(text, IpAddr::is_ipv4),
            Shape::Ip6 => ip(text, IpAddr::is_ipv6),
            Shape::Ip4List => list(text, |word| ip(word, IpAddr::is_ipv4)),
            Shape::Ip6List => list(text, |word| ip(word, IpAddr::is_ipv6)),
            Shape::Mac => text.parse().ok().filter(|mac: &MacAddr| mac.as_bytes().len() == 6).map(LinkValue::Mac),
            Shape::Link => text.parse().ok().map(LinkValue::Link),
            Shape::Ports => list(text, |word| word.parse::<u16>().ok().map(|n| LinkValue::Number(n.into())))
                .filter(|value| matches!(value, LinkValue::List(two) if two.len() == 2)),
        }
        .ok_or_else(wrong)
    }

    /// What ip-link(8) is given for a value, the option's word included; empty when that is nothing.
    pub fn show(&self, value: &LinkValue) -> String {
        let word = self.word;
        match (self.shape, value) {
            (Shape::NumberOrNone(max), LinkValue::Number(n)) if *n > max => format!("{word} none"),
            (Shape::Tos, LinkValue::Number(1)) => format!("{word} inherit"),
            (Shape::Tos, LinkValue::Number(n)) => format!("{word} {n:#x}"),
            (Shape::OnOff, LinkValue::Number(n)) => format!("{word} {}", if *n == 0 { "off" } else { "on" }),
            (Shape::OrNo, LinkValue::Number(0)) => format!("no{word}"),
            (Shape::Bare, LinkValue::Number(0)) => String::new(),
            (Shape::OrNo | Shape::Bare, _) => word.to_owned(),
            (Shape::Choice(names), LinkValue::Number(n)) => format!("{word} {}", name(names, *n)),
            (Shape::BareChoice(names), LinkValue::Number(n)) => name(names, *n),
            (Shape::Ports, LinkValue::List(two)) => format!("{word} {}", texts(two).join(" ")),
            (_, LinkValue::List(list)) => format!("{word} {}", texts(list).join(",")),
            (_, value) => format!("{word} {}", plain(value)),
        }
    }
}

impl Shape {
    /// What values there are, in words.
    pub fn describe(self) -> String {
        let names = |names: &[(&str, u64)]| names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        match self {
            Shape::Number(max) => format!("a number from 0 to {max}"),
            Shape::NumberOrNone(max) => format!("a number from 0 to {max} or none"),
            Shape::Tos => "a number from 0 to 255 or inherit".into(),
            Shape::Digit | Shape::OnOff | Shape::OrNo | Shape::Bare => "yes or no".into(),
            Shape::Choice(list) | Shape::BareChoice(list) => format!("one of {}", names(list)),
            Shape::Ip => "an address".into(),
            Shape::Ip4 => "an IPv4 address".into(),
            Shape::Ip6 => "an IPv6 address".into(),
            Shape::Ip4List => "IPv4 addresses".into(),
            Shape::Ip6List => "IPv6 addresses".into(),
            Shape::Mac => "a hardware address".into(),
            Shape::Link => "a link's name".into(),
            Shape::Ports => "two port numbers".into(),
        }
    }
}

/// Decimal or `0x` and hexadecimal.
fn number(text: &str) -> Option<u64> {
    let digits = |text: &str, radix| {
        let plain = !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
        plain.then(|| u64::from_str_radix(text, radix).ok()).flatten()
    };
    match text.strip_prefix("0x") {
        Some(hex) => digits(hex, 16),
        None => digits(text, 10),
    }
}

fn switch(text: &str) -> Option<u64> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "on" | "yes" | "true" => Some(1),
        "0" | "off" | "no" | "false" => Some(0),
        _ => None,
    }
}

fn choice(names: &[(&str, u64)], text: &str) -> Option<u64> {
    let by_name = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    by_name.map(|(_, n)| *n).or_else(|| number(text).filter(|n| names.iter().any(|(_, m)| m == n)))
}

fn name(names: &[(&str, u64)], number: u64) -> String {
    names.iter().find(|(_, n)| *n == number).map_or_else(|| number.to_string(), |(name, _)| (*name).to_owned())
}

fn ip(text: &str, fits: impl Fn(&IpAddr) -> bool) -> Option<LinkValue> {
    text.parse().ok().filter(|ip: &IpAddr| fits(ip) && !ip.is_unspecified()).map(LinkValue::Ip)
}

fn list(text: &str, item: impl Fn(&str) -> Option<LinkValue>) -> Option<LinkValue> {
    let words = text.split([',', ' ', '\t', '\n']).filter(|word| !word.is_empty());
    words.map(item).collect::<Option<Vec<_>>>().map(LinkValue::List)
}

fn texts(list: &[LinkValue]) -> Vec<String> {
    list.iter().map(plain).collect()
}

fn plain(value: &LinkValue) -> String {
    match value {
        LinkValue::Number(n) => n.to_string(),
        LinkValue::Ip(ip) => ip.to_string(),
        LinkValue::Mac(mac) => mac.to_string(),
        LinkValue::Link(link) => link.to_string(),
        LinkValue::List(list) => texts(list).join(","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_print_as_they_parse() {
        use VirtualKind::{Bond, Bridge, Gre, Ip6gre, Ipvlan, Tun, Vxlan};
        for (kind, word, text, shown) in [
            (Bridge, "stp_state", "on", "stp_state 1"),
            (Bridge, "vlan_protocol", "802.1ad", "vlan_protocol 802.1ad"),
            (Bond, "mode", "4", "mode 802.3ad"),
            (Bond, "mode", "balance-alb", "mode balance-alb"),
            (Bond, "num_unsol_na", "3", "num_grat_arp 3"),
            (Bond, "arp_ip_target", "192.0.2.1 192.0.2.2", "arp_ip_target 192.0.2.1,192.0.2.2"),
            (Bond, "primary", "eth0", "primary eth0"),
            (Ipvlan, "flags", "private", "private"),
            (Vxlan, "srcport", "100 200", "srcport 100 200"),
            (Vxlan, "learning", "no", "nolearning"),
            (Gre, "tos", "inherit", "tos inherit"),
            (Gre, "tos", "16", "tos 0x10"),
            (Ip6gre, "encaplimit", "none", "encaplimit none"),
            (Ip6gre, "ttl", "7", "hoplimit 7"),
            (Tun, "multi_queue", "yes", "multi_queue"),
            (Tun, "pi", "no", ""),
        ] {
            let option = kind.option(word).unwrap_or_else(|| panic!("{word}"));
            assert_eq!(option.parse(text).map(|v| option.show(&v)), Ok(shown.to_owned()), "{word}");
        }
    }

    #[test]
    fn what_a_word_does_not_take_is_refused() {
        use VirtualKind::{Bond, Bridge, Gre, Vxlan};
        for (kind, word, text) in [
            (Bridge, "priority", "65536"),
            (Bridge, "priority", "+1"),
            (Bridge, "stp_state", "maybe"),
            (Bridge, "group_address", "02:00"),
            (Bond, "mode", "7"),
            (Bond, "primary", "a/b"),
            (Gre, "remote", "2001:db8::1"),
            (Gre, "remote", "0.0.0.0"),
            (Vxlan, "srcport", "1"),
        ] {
            assert!(kind.option(word).unwrap().parse(text).is_err(), "{word} {text}");
        }
        let message = Bond.option("primary_reselect").unwrap().parse("x").unwrap_err();
        assert_eq!(message, "primary_reselect takes one of always, better, failure");
    }

    #[test]
    fn every_word_is_in_the_table_of_the_documentation() {
        let text = include_str!("../virtual_link.rs");
        for kind in VirtualKind::ALL {
            for option in kind.options() {
                assert!(text.contains(&format!("`{}`", option.word)), "{} {}", kind.as_str(), option.word);
            }
        }
        for option in BRIDGE_PORT.iter().chain(BOND_PORT) {
            assert!(text.contains(&format!("`{}`", option.word)), "{}", option.word);
        }
    }
}

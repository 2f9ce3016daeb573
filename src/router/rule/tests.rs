//! Rules: text and value, what they mean, rates, and what a reload keeps.

use super::*;
use crate::router::samples::{fragment, ip, tcp_packet, udp_packet};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;

fn rule(line: &str) -> Rule {
    line.parse().unwrap_or_else(|mistake| panic!("{line}: {mistake}"))
}

fn chain(lines: &[&str], policy: Action) -> Chain {
    Chain { rules: lines.iter().map(|line| rule(line)).collect(), policy }
}

const SECOND: u64 = 1_000_000_000;

#[test]
fn rules_are_printed_in_one_spelling() {
    for (written, printed) in [
        ("deny", "deny"),
        ("  allow\t", "allow"),
        ("allow any any", "allow"),
        ("allow 0.0.0.0 ::", "allow"),
        ("deny 192.168.0.0/24 192.168.0.1", "deny 192.168.0.0/24 192.168.0.1"),
        ("deny 192.168.0.7/24 192.168.0.1/32", "deny 192.168.0.0/24 192.168.0.1"),
        ("deny 10.1.2.3/255.255.0.0 0.0.0.0", "deny 10.1.0.0/16 any"),
        ("deny 0.0.0.0/0 0.0.0.0/32", "deny 0.0.0.0/0 0.0.0.0/32"),
        ("deny ::/0 2001:DB8::1/64", "deny ::/0 2001:db8::/64"),
        ("allow proto 6 dport 443,80,81-90", "allow proto tcp dport 80-90,443"),
        ("allow any any sport 53 proto udp", "allow proto udp sport 53"),
        ("allow proto 47", "allow proto 47"),
        ("deny rate 10/s log", "deny rate 10/s log"),
        ("deny log rate 10/min burst 7", "deny rate 10/min burst 7 log"),
        ("deny rate 10/s burst 5", "deny rate 10/s"),
    ] {
        assert_eq!(rule(written).to_string(), printed, "{written}");
    }
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    for (line, marked, message) in [
        ("", "", "the action is missing"),
        ("alow", "alow", "unknown action `alow`"),
        ("Deny", "Deny", "unknown action `Deny`"),
        ("deny 10.0.0.1", "", "the destination is missing"),
        ("deny ten any", "ten", "`ten` is no address"),
        ("deny any 10.0.0.1/33", "33", "`33` is not within 0 to 32"),
        ("deny any 10.0.0.1/", "", "a number is missing"),
        ("deny any 10.0.0.1/+8", "+8", "`+8` is no number"),
        ("deny any 10.0.0.1/255.0.255.0", "255.0.255.0", "`255.0.255.0` is no mask"),
        ("deny any fe80::/ffff::", "ffff::", "`ffff::` is no number"),
        ("deny 10.0.0.1 ::1", "::1", "source and destination are of different families"),
        ("deny any any any", "any", "unknown word `any`"),
        ("deny log log", "log", "`log` twice"),
        ("deny proto", "", "what follows `proto` is missing"),
        ("deny proto tcpp", "tcpp", "unknown protocol `tcpp`"),
        ("deny proto 256", "256", "`256` is not within 0 to 255"),
        ("deny dport 22", "dport", "ports without a protocol that has ports"),
        ("deny proto icmp dport 22", "dport", "ports without a protocol that has ports"),
        ("deny 10.0.0.1 any proto icmpv6", "icmpv6", "a protocol of the other family than the addresses"),
        ("deny any ::1 proto icmp", "icmp", "a protocol of the other family than the addresses"),
        ("deny proto tcp dport 22,", "", "a number is missing"),
        ("deny proto tcp dport 22,65536", "65536", "`65536` is not within 0 to 65535"),
        ("deny proto tcp dport 9-1", "9-1", "the range ends before it begins"),
        ("deny rate 10", "10", "`10` is no rate"),
        ("deny rate 0/s", "0", "`0` is not within 1 to 1000000000"),
        ("deny rate 10/h", "h", "unknown unit `h`"),
        ("deny burst 10", "burst", "`burst` without `rate`"),
    ] {
        let mistake = line.parse::<Rule>().expect_err(line);
        assert_eq!(&line[mistake.at..mistake.at + mistake.len], marked, "{line}");
        assert_eq!(mistake.message, message, "{line}");
    }
}

#[test]
fn the_place_is_that_of_the_last_of_equal_words() {
    assert_eq!("deny any any any".parse::<Rule>().unwrap_err().at, 13);
    assert_eq!("deny proto tcp dport 22,22-x".parse::<Rule>().unwrap_err().at, 27);
}

/// The rule's number, or none where the policy decides.
fn decided(chain: &Chain, bytes: &[u8]) -> Option<u32> {
    ChainState::new(chain).verdict(&Packet::parse(bytes).unwrap(), 0).rule
}

#[test]
fn the_rules_of_the_documentation_keep_services_apart() {
    let out = chain(
        &[
            "allow 192.168.0.0/24 192.168.0.1",
            "deny 192.168.0.0/24 192.168.0.0/24",
            "allow 192.168.0.0/24 0.0.0.0",
            "deny",
        ],
        Action::Allow,
    );
    let to = |source, destination| decided(&out, &udp_packet(source, destination, (1, 2)));
    assert_eq!(to("192.168.0.2", "192.168.0.1"), Some(0));
    assert_eq!(to("192.168.0.2", "192.168.0.3"), Some(1));
    assert_eq!(to("192.168.0.2", "203.0.113.1"), Some(2));
    assert_eq!(to("10.0.0.1", "203.0.113.1"), Some(3));
    assert_eq!(to("2001:db8::1", "2001:db8::2"), Some(3));
}

#[test]
fn any_is_both_families_and_a_prefix_of_nothing_is_one() {
    let (v4, v6) = (udp_packet("10.0.0.1", "10.0.0.2", (1, 2)), udp_packet("2001:db8::1", "2001:db8::2", (1, 2)));
    for (line, both) in [("deny 0.0.0.0 any", (true, true)), ("deny :: ::", (true, true)), ("deny", (true, true))] {
        let chain = chain(&[line], Action::Allow);
        assert_eq!((decided(&chain, &v4).is_some(), decided(&chain, &v6).is_some()), both, "{line}");
    }
    for (line, both) in [("deny 0.0.0.0/0 any", (true, false)), ("deny any ::/0", (false, true))] {
        let chain = chain(&[line], Action::Allow);
        assert_eq!((decided(&chain, &v4).is_some(), decided(&chain, &v6).is_some()), both, "{line}");
    }
}

#[test]
fn later_fragments_are_denied_by_ports_but_never_allowed() {
    let later = fragment(udp_packet("10.0.0.1", "10.0.0.2", (1, 2)), 8, false);
    let other = fragment(tcp_packet("10.0.0.1", "10.0.0.2", (1, 2)), 8, false);
    let lines = ["allow proto udp dport 53", "deny proto udp dport 53", "allow"];
    assert_eq!(decided(&chain(&lines, Action::Deny), &later), Some(1));
    assert_eq!(decided(&chain(&lines, Action::Deny), &other), Some(2));
    assert_eq!(decided(&chain(&["allow proto udp"], Action::Deny), &later), Some(0));
}

#[test]
fn a_rate_lets_the_burst_and_then_the_average_match() {
    let limited = chain(&["allow rate 10/s burst 3"], Action::Deny);
    let bytes = udp_packet("10.0.0.1", "10.0.0.2", (1, 2));
    let packet = Packet::parse(&bytes).unwrap();
    let mut state = ChainState::new(&limited);
    let mut allowed = |now| (0..20).filter(|_| state.verdict(&packet, now).action == Action::Allow).count();
    assert_eq!(allowed(0), 3);
    assert_eq!(allowed(SECOND / 10 - 1), 0);
    assert_eq!(allowed(SECOND / 10), 1);
    assert_eq!(allowed(0), 0);
    assert_eq!(allowed(SECOND / 10 + SECOND / 5), 2);
    assert_eq!(allowed(u64::MAX), 3);
}

#[test]
fn rates_per_minute_are_exact() {
    let limited = chain(&["allow rate 7/min burst 2"], Action::Deny);
    let bytes = udp_packet("10.0.0.1", "10.0.0.2", (1, 2));
    let packet = Packet::parse(&bytes).unwrap();
    let mut state = ChainState::new(&limited);
    let seconds = 1..=3600;
    let allowed = seconds.filter(|second| state.verdict(&packet, second * SECOND).action == Action::Allow).count();
    // Nothing is lost to rounding: seven a minute for an hour, and the two that were there at first.
    assert_eq!(allowed, 2 + 420 - 1);
}

#[test]
fn a_reload_keeps_what_equal_rules_have_counted_and_used_up() {
    let old = chain(&["deny proto tcp", "allow rate 1/min burst 1", "deny"], Action::Allow);
    let (udp, tcp) = (udp_packet("10.0.0.1", "10.0.0.2", (1, 2)), tcp_packet("10.0.0.1", "10.0.0.2", (1, 2)));
    let (udp, tcp) = (Packet::parse(&udp).unwrap(), Packet::parse(&tcp).unwrap());
    let mut state = ChainState::new(&old);
    assert_eq!(state.verdict(&tcp, 0).rule, Some(0));
    assert_eq!(state.verdict(&udp, 0).rule, Some(1));
    assert_eq!(state.verdict(&udp, 0).rule, Some(2));
    let new = chain(&["allow any any rate 1/min burst 1", "deny", "deny proto 17", "deny"], Action::Allow);
    let mut state = state.reload(&new);
    assert_eq!(state.counters().map(|(_, counter)| counter.packets).collect::<Vec<_>>(), [1, 1, 0, 0]);
    assert_eq!(state.verdict(&udp, 1).rule, Some(1));
    assert_eq!(state.counters().map(|(_, counter)| counter.bytes).collect::<Vec<_>>(), [35, 70, 0, 0]);
    assert_eq!(state.policy(), (Action::Allow, Counter::default()));
}

#[test]
fn the_policy_decides_and_counts_what_no_rule_means() {
    let mut state = ChainState::new(&Chain { rules: vec![], policy: Action::Deny });
    let bytes = udp_packet("10.0.0.1", "10.0.0.2", (1, 2));
    let verdict = state.verdict(&Packet::parse(&bytes).unwrap(), 0);
    assert_eq!(verdict, Verdict { action: Action::Deny, rule: None, log: false });
    assert_eq!(state.policy().1, Counter { packets: 1, bytes: 35 });
}

#[test]
fn a_rule_is_its_text_in_json() {
    let chain = chain(&["deny 10.0.0.0/8 any log"], Action::Deny);
    let json = serde_json::to_string(&chain).unwrap();
    assert_eq!(json, r#"{"rules":["deny 10.0.0.0/8 any log"],"policy":"deny"}"#);
    assert_eq!(serde_json::from_str::<Chain>(&json).unwrap(), chain);
    assert!(serde_json::from_str::<Rule>("\"denyy\"").unwrap_err().to_string().starts_with("unknown action"));
}

fn networks() -> impl Strategy<Value = (Network, Network)> {
    let v4 = || (0..4u32, 0..=32u8).prop_map(|(low, len)| Ipv4Net::new_assert((0x0a00_0000 + low).into(), len));
    let v6 = || (0..4u128, 0..=128u8).prop_map(|(low, len)| Ipv6Net::new_assert(((0xfd << 120) + low).into(), len));
    let v4 = move || prop_oneof![Just(Network::Any), v4().prop_map(|net| Network::of(IpNet::V4(net)))];
    let v6 = move || prop_oneof![Just(Network::Any), v6().prop_map(|net| Network::of(IpNet::V6(net)))];
    prop_oneof![(v4(), v4()), (v6(), v6())]
}

fn ports() -> impl Strategy<Value = Ports> {
    let range = (0..8u16, 0..4u16).prop_map(|(first, more)| PortRange { first, last: first + more });
    prop::collection::vec(range, 0..3).prop_map(Ports::new)
}

fn rules() -> impl Strategy<Value = Rule> {
    let rate = (1..2000u32, any::<bool>(), 1..10u32).prop_map(|(packets, minute, burst)| Rate {
        packets,
        unit: if minute { Unit::Minute } else { Unit::Second },
        burst,
    });
    let protocol = prop::option::of(prop_oneof![Just(6), Just(17), Just(132), Just(47)]);
    let action = any::<bool>().prop_map(|allow| if allow { Action::Allow } else { Action::Deny });
    (action, networks(), protocol, (ports(), ports()), prop::option::of(rate), any::<bool>()).prop_map(
        |(action, (source, destination), protocol, (sport, dport), rate, log)| {
            let none = || Ports::ANY;
            let has_ports = protocol.is_some_and(protocol::has_ports);
            let (source_ports, destination_ports) = if has_ports { (sport, dport) } else { (none(), none()) };
            Rule { action, source, destination, protocol, source_ports, destination_ports, rate, log }
        },
    )
}

fn packets() -> impl Strategy<Value = Vec<u8>> {
    let protocols = prop_oneof![Just(6u8), Just(17), Just(132), Just(47), Just(1), Just(58)];
    (any::<bool>(), 0..4u8, 0..4u8, protocols, (0..12u8, 0..12u8), any::<bool>()).prop_map(
        |(v4, source, destination, protocol, ports, later)| {
            let mut payload = vec![0, ports.0, 0, ports.1, 0, 0, 0, 0, 0, 0, 0, 0, 0x50];
            payload.resize(20, 0);
            let address = |low: u8| if v4 { format!("10.0.0.{low}") } else { format!("fd00::{low}") };
            let packet = ip(&address(source), &address(destination), protocol, &payload);
            if v4 && later { fragment(packet, 8, false) } else { packet }
        },
    )
}

proptest! {
    #[test]
    fn text_and_value_say_the_same(rule in rules()) {
        let text = rule.to_string();
        prop_assert_eq!(text.parse::<Rule>(), Ok(rule), "{}", text);
    }

    #[test]
    fn any_text_is_a_rule_or_a_mistake_within_it(line in "(allow|deny)?[ a-z0-9./:,äproto-]{0,40}") {
        if let Err(mistake) = line.parse::<Rule>() {
            prop_assert!(line.get(mistake.at..mistake.at + mistake.len).is_some(), "{:?}", mistake);
        }
    }

    #[test]
    fn a_compiled_chain_decides_as_its_rules_do(
        mut rules in prop::collection::vec(rules(), 0..8),
        packets in prop::collection::vec(packets(), 1..8),
    ) {
        rules.iter_mut().for_each(|rule| rule.rate = None);
        let chain = Chain { rules, policy: Action::Deny };
        let mut state = ChainState::new(&chain);
        for bytes in &packets {
            let packet = Packet::parse(bytes).unwrap();
            let first = chain.rules.iter().position(|rule| rule.matches(&packet));
            prop_assert_eq!(state.verdict(&packet, 0).rule, first.map(|number| number as u32));
        }
        let counted: u64 = state.counters().map(|(_, counter)| counter.packets).sum();
        prop_assert_eq!(counted + state.policy().1.packets, packets.len() as u64);
    }
}

//! The core under a clock of the test's, without any I/O.

use super::*;
use crate::router::packet::VnetHeader;
use crate::router::rule::Chain;
use crate::router::samples;
use crate::router::settings::{Admit, Limits, Who};
use proptest::prelude::*;
use std::collections::HashMap;

pub(super) fn settings() -> Settings {
    Settings {
        device: "emperor0".parse().unwrap(),
        mode: Mode::Tun,
        mtu: 1500,
        addresses: vec!["10.0.0.1/24".parse().unwrap(), "fd00::1/64".parse().unwrap()],
        listen: Vec::new(),
        statistics: Vec::new(),
        nat: None,
        forwarding: false,
        chain_out: Chain::default(),
        chain_in: Chain::default(),
        admit: Vec::new(),
        limits: Limits { peers: 8, addresses: 3, ..Limits::default() },
        credentials: false,
        tunnels: Default::default(),
    }
}

pub(super) fn somebody(uid: u32, announced: &[&str]) -> Introduction {
    Introduction {
        identity: Identity {
            credentials: Some(Credentials { pid: 1, uid, gid: uid }),
            netns: Vec::new(),
            remote: None,
        },
        announced: announced.iter().map(|a| a.parse().unwrap()).collect(),
        chains: [Chain::default(), Chain::default()],
        transport: Transport::Frames,
        remote: None,
    }
}

pub(super) fn udp(from: &str, to: &str) -> Vec<u8> {
    samples::udp_packet(from, to, (1000, 2000))
}

pub(super) fn send(switch: &mut Switch, from: PortId, source: &str, destination: &str) -> Verdict {
    switch.decide(from, &VnetHeader::default(), &udp(source, destination), 0)
}

fn chain(rules: &[&str]) -> Chain {
    Chain { rules: rules.iter().map(|rule| rule.parse().unwrap()).collect(), ..Chain::default() }
}

const GONE: Verdict = Verdict::Drop(Reason::NoPeer);

#[test]
fn the_first_packet_registers_its_source() {
    let mut switch = Switch::new(Arc::new(settings()));
    let a = switch.join(somebody(1, &[]), 0).unwrap();
    assert_eq!(send(&mut switch, DEVICE, "192.0.2.9", "10.0.0.2"), GONE);
    assert_eq!(send(&mut switch, a, "10.0.0.2", "192.0.2.9"), Verdict::To(DEVICE));
    assert_eq!(send(&mut switch, DEVICE, "192.0.2.9", "10.0.0.2"), Verdict::To(a));
    assert_eq!(switch.notices().collect::<Vec<_>>(), [Notice::Registered(a, "10.0.0.2".parse().unwrap())]);
    // From then on that and no other; one of the other family is another matter.
    assert_eq!(send(&mut switch, a, "10.0.0.3", "192.0.2.9"), Verdict::Drop(Reason::Spoofed));
    assert_eq!(send(&mut switch, a, "fd00::2", "2001:db8::1"), Verdict::To(DEVICE));
    assert_eq!(switch.notices().filter(|n| matches!(n, Notice::Refused(..))).count(), 1);
    switch.leave(a);
    assert_eq!(send(&mut switch, DEVICE, "192.0.2.9", "10.0.0.2"), GONE);
}

#[test]
fn an_address_is_its_first_holders() {
    let mut switch = Switch::new(Arc::new(settings()));
    let a = switch.join(somebody(1, &["10.0.0.2"]), 0).unwrap();
    let b = switch.join(somebody(2, &[]), 0).unwrap();
    assert_eq!(send(&mut switch, b, "10.0.0.2", "192.0.2.9"), Verdict::Drop(Reason::Taken));
    let refused = switch.join(somebody(3, &["10.0.0.3", "10.0.0.2"]), 0).unwrap_err();
    assert!(matches!(refused, Refusal::Taken(..)), "{refused}");
    // Nothing of what was refused stays.
    assert_eq!(send(&mut switch, DEVICE, "192.0.2.9", "10.0.0.3"), GONE);
    assert_eq!(send(&mut switch, DEVICE, "192.0.2.9", "10.0.0.2"), Verdict::To(a));
    switch.leave(a);
    assert_eq!(send(&mut switch, b, "10.0.0.2", "192.0.2.9"), Verdict::To(DEVICE));
}

#[test]
fn who_may_come_in_and_with_what() {
    let admit = |who, addresses: &[&str]| Admit {
        who,
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        limits: None,
    };
    let rules =
        vec![admit(Who::User(1), &["10.0.0.16/30"]), admit(Who::Netns("app".parse().unwrap()), &["10.0.0.32/32"])];
    let mut switch = Switch::new(Arc::new(Settings { admit: rules, ..settings() }));
    assert_eq!(switch.join(somebody(2, &[]), 0), Err(Refusal::Unknown));
    assert!(matches!(switch.join(somebody(1, &["10.0.0.2"]), 0), Err(Refusal::Forbidden(_))));
    let a = switch.join(somebody(1, &["10.0.0.17"]), 0).unwrap();
    assert_eq!(send(&mut switch, a, "10.0.0.2", "192.0.2.9"), Verdict::Drop(Reason::Forbidden));
    let mut inside = somebody(2, &["10.0.0.32"]);
    inside.identity.netns = vec!["app".parse().unwrap()];
    assert!(switch.join(inside, 0).is_ok());
    assert_eq!(
        switch.join(somebody(1, &["10.0.0.17", "10.0.0.18", "10.0.0.17", "10.0.0.18"]), 0),
        Err(Refusal::TooMany(3))
    );
}

#[test]
fn the_routers_own_address_is_nobody_elses() {
    let mut switch = Switch::new(Arc::new(settings()));
    let a = switch.join(somebody(1, &[]), 0).unwrap();
    assert_eq!(send(&mut switch, a, "10.0.0.1", "192.0.2.9"), Verdict::Drop(Reason::Forbidden));
    switch.set_own(vec!["10.0.0.7".parse().unwrap()]);
    assert_eq!(send(&mut switch, a, "10.0.0.7", "192.0.2.9"), Verdict::Drop(Reason::Forbidden));
    for source in ["0.0.0.0", "127.0.0.1", "224.0.0.1", "fe80::1"] {
        let to = if source.contains(':') { "2001:db8::1" } else { "192.0.2.9" };
        assert_eq!(send(&mut switch, a, source, to), Verdict::Drop(Reason::Source), "{source}");
    }
}

#[test]
fn both_chains_hold_between_peers() {
    let rules = Settings {
        chain_out: chain(&["deny 10.0.0.2 10.0.0.3"]),
        chain_in: chain(&["deny any 10.0.0.2"]),
        ..settings()
    };
    let mut switch = Switch::new(Arc::new(rules));
    let a = switch.join(somebody(1, &["10.0.0.2"]), 0).unwrap();
    let b = switch.join(somebody(2, &["10.0.0.3"]), 0).unwrap();
    assert_eq!(send(&mut switch, a, "10.0.0.2", "10.0.0.3"), Verdict::Drop(Reason::DeniedOut));
    assert_eq!(send(&mut switch, b, "10.0.0.3", "10.0.0.2"), Verdict::Drop(Reason::DeniedIn));
    assert_eq!(send(&mut switch, b, "10.0.0.3", "10.0.0.3"), Verdict::Drop(Reason::Returned));
    // A reload keeps the peers, and the rules' counters.
    let mut other = settings();
    other.chain_out = chain(&["deny 10.0.0.2 10.0.0.3", "allow"]);
    switch.reload(Arc::new(other), 0);
    assert_eq!(send(&mut switch, b, "10.0.0.3", "10.0.0.2"), Verdict::To(a));
    let counted: Vec<u64> = switch.chains()[0].counters().map(|(_, counter)| counter.packets).collect();
    assert_eq!(counted, [1, 1]);
}

#[test]
fn a_peers_own_rules_only_narrow() {
    let rules = Settings { chain_out: chain(&["deny any 192.0.2.1"]), ..settings() };
    let mut switch = Switch::new(Arc::new(rules));
    let mut who = somebody(1, &["10.0.0.2"]);
    who.chains = [chain(&["allow any 192.0.2.1", "deny any 192.0.2.2"]), chain(&["deny 192.0.2.3 any"])];
    let a = switch.join(who, 0).unwrap();
    assert_eq!(send(&mut switch, a, "10.0.0.2", "192.0.2.1"), Verdict::Drop(Reason::DeniedOut));
    assert_eq!(send(&mut switch, a, "10.0.0.2", "192.0.2.2"), Verdict::Drop(Reason::DeniedPeer));
    assert_eq!(send(&mut switch, DEVICE, "192.0.2.3", "10.0.0.2"), Verdict::Drop(Reason::DeniedPeer));
    switch.narrow(a, [Chain::default(), Chain::default()]);
    assert_eq!(send(&mut switch, a, "10.0.0.2", "192.0.2.2"), Verdict::To(DEVICE));
}

#[test]
fn a_lie_before_a_packet_is_no_packet() {
    let mut switch = Switch::new(Arc::new(settings()));
    let a = switch.join(somebody(1, &["10.0.0.2"]), 0).unwrap();
    let header = VnetHeader { gso_type: 1, gso_size: 1448, ..VnetHeader::default() };
    let verdict = switch.decide(a, &header, &udp("10.0.0.2", "192.0.2.1"), 0);
    assert_eq!(verdict, Verdict::Drop(Reason::Malformed));
    for bytes in [&[][..], &[0x45], &[0xf0; 40], &udp("10.0.0.2", "192.0.2.1")[..25]] {
        assert_eq!(switch.decide(a, &VnetHeader::default(), bytes, 0), Verdict::Drop(Reason::Malformed));
    }
    assert_eq!(switch.counters(a).unwrap().dropped(Reason::Malformed), 5);
}

#[test]
fn there_are_no_more_peers_than_allowed() {
    let mut switch = Switch::new(Arc::new(settings()));
    let peers: Vec<PortId> = (0..8).map(|uid| switch.join(somebody(uid, &[]), 0).unwrap()).collect();
    assert_eq!(switch.join(somebody(9, &[]), 0), Err(Refusal::Full(8)));
    switch.leave(peers[3]);
    assert_eq!(switch.join(somebody(9, &[]), 0), Ok(peers[3]));
}

#[test]
fn an_address_that_is_announced_twice_is_registered_once() {
    let mut switch = Switch::new(Arc::new(settings()));
    let a = switch.join(somebody(1, &["10.0.0.10", "10.0.0.10"]), 0).unwrap();
    let registered = switch.notices().filter(|notice| matches!(notice, Notice::Registered(..))).count();
    assert_eq!((registered, switch.addresses.len()), (1, 1));
    switch.leave(a);
    assert_eq!(switch.addresses.len(), 0);
}

/// What happens to a router.
#[derive(Debug, Clone)]
enum Happens {
    Join(Vec<u8>),
    Leave(u8),
    Packet(u8, u8, u8),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        2 => prop::collection::vec(0..12_u8, 0..3).prop_map(Happens::Join),
        1 => (0..12_u8).prop_map(Happens::Leave),
        9 => (0..10_u8, 0..14_u8, 0..14_u8).prop_map(|(port, from, to)| Happens::Packet(port, from, to)),
    ]
}

proptest! {
    /// Nothing goes to a peer that did not register the destination, nothing comes from an address that is not the sender's, no two
    /// peers have an address, and there is never more than the settings allow.
    #[test]
    fn every_packet_is_its_senders_and_its_receivers(story in prop::collection::vec(happens(), 1..200)) {
        let mut switch = Switch::new(Arc::new(settings()));
        // Whose each address is, by what is told alone.
        let mut holders: HashMap<IpAddr, PortId> = HashMap::new();
        let address = |n: u8| format!("10.0.0.{n}");
        for event in story {
            match event {
                Happens::Join(announced) => {
                    let announced: Vec<String> = announced.into_iter().map(address).collect();
                    let announced: Vec<&str> = announced.iter().map(String::as_str).collect();
                    let _ = switch.join(somebody(1, &announced), 0);
                }
                Happens::Leave(port) => {
                    switch.leave(PortId(u32::from(port)));
                    holders.retain(|_, holder| holder.0 != u32::from(port));
                }
                Happens::Packet(port, from, to) => {
                    let port = PortId(u32::from(port));
                    let verdict = send(&mut switch, port, &address(from), &address(to));
                    let new: Vec<Notice> = switch.notices().collect();
                    for notice in &new {
                        if let Notice::Registered(port, address) = notice {
                            prop_assert_eq!(holders.insert(*address, *port), None);
                        }
                    }
                    let (source, destination) = (address(from).parse().unwrap(), address(to).parse().unwrap());
                    if let Verdict::To(receiver) = verdict {
                        prop_assert!(port == DEVICE || holders.get(&source) == Some(&port));
                        prop_assert_eq!(holders.get(&destination).copied().unwrap_or(DEVICE), receiver);
                        prop_assert!(receiver != port);
                    }
                }
            }
            for notice in switch.notices().collect::<Vec<_>>() {
                if let Notice::Registered(port, address) = notice {
                    prop_assert_eq!(holders.insert(address, port), None);
                }
            }
            prop_assert!(switch.peers().count() <= 8);
            prop_assert!(switch.peers().all(|(_, peer)| peer.addresses().len() <= 3));
            prop_assert_eq!(switch.addresses.len(), holders.len());
        }
    }
}

//! uWSGI's bytes and texts. Expected bytes are written down as its own code lays them out on x86-64.

use super::*;
use crate::router::rule::{Action, Network, Rule};
use crate::router::settings::Listen;
use proptest::prelude::*;
use std::net::SocketAddrV4;

/// All messages of a stream that arrives in these parts, and how it ends.
fn decode(mut decoder: Decoder, parts: &[&[u8]]) -> (Vec<(Kind, Vec<u8>)>, Option<FrameError>) {
    let mut messages = Vec::new();
    for part in parts {
        let mut rest = *part;
        loop {
            let taken = decoder.feed(rest);
            rest = &rest[taken..];
            loop {
                match decoder.message() {
                    Ok(Some(message)) => messages.push((message.kind, message.payload.to_vec())),
                    Ok(None) => break,
                    Err(error) => return (messages, Some(error)),
                }
            }
            if rest.is_empty() {
                break;
            }
        }
    }
    (messages, None)
}

fn frame(kind: Kind, payload: &[u8]) -> Vec<u8> {
    [&encode_header(kind, payload.len()).unwrap()[..], payload].concat()
}

#[test]
fn frames_are_a_little_endian_length_and_a_kind() {
    assert_eq!(encode_header(Kind::Packet, 0x1234), Some([0, 0x34, 0x12, 0]));
    assert_eq!(encode_header(Kind::Rules, 24), Some([0, 24, 0, 1]));
    assert_eq!(encode_header(Kind::Packet, 65536), None);
    assert_eq!(encode_header(Kind::Greeting, 0), None);
}

#[test]
fn a_peer_may_greet_or_has_to() {
    let packet = frame(Kind::Packet, b"x");
    let greeted = [&GREETING[..], &packet].concat();
    let both = vec![(Kind::Greeting, vec![]), (Kind::Packet, b"x".to_vec())];
    for greeting in [Greeting::Required, Greeting::Optional] {
        assert_eq!(decode(Decoder::new(100, greeting), &[&greeted]), (both.clone(), None));
    }
    let missing = decode(Decoder::new(100, Greeting::Required), &[&packet]);
    assert_eq!(missing, (vec![], Some(FrameError::Greeting)));
    assert_eq!(decode(Decoder::new(100, Greeting::Optional), &[&packet]).0.len(), 1);
    let twice = [&GREETING[..], &GREETING].concat();
    assert_eq!(decode(Decoder::new(100, Greeting::Required), &[&twice]).1, Some(FrameError::Kind(b'u', b'g')));
    assert_eq!(decode(Decoder::new(100, Greeting::Optional), &[b"uwsgi-tapt"]).1, Some(FrameError::Greeting));
}

#[test]
fn what_is_too_long_or_unknown_ends_the_stream() {
    let good = frame(Kind::Rules, &[]);
    let long = [&good[..], &frame(Kind::Packet, &[0; 101])].concat();
    let (messages, error) = decode(Decoder::new(100, Greeting::Optional), &[&long]);
    assert_eq!((messages.len(), error), (1, Some(FrameError::Length(101))));
    let unknown = [&good[..], &[0, 0, 0, 2]].concat();
    assert_eq!(decode(Decoder::new(100, Greeting::Optional), &[&unknown]).1, Some(FrameError::Kind(0, 2)));
    let mut decoder = Decoder::new(100, Greeting::Optional);
    decoder.feed(&[0, 0, 0, 2]);
    for _ in 0..2 {
        assert_eq!(decoder.message(), Err(FrameError::Kind(0, 2)));
    }
    assert_eq!(decoder.feed(&good), 0);
}

#[test]
fn there_is_always_room_for_the_longest_frame() {
    let longest = frame(Kind::Packet, &[7; 100]);
    let mut decoder = Decoder::new(100, Greeting::Optional);
    for _ in 0..10 {
        for byte in &longest {
            assert_eq!(decoder.feed(&[*byte]), 1);
        }
        assert_eq!(decoder.waiting(), longest.len());
        assert_eq!(decoder.message().map(|message| message.map(|message| message.payload.len())), Ok(Some(100)));
        assert_eq!(decoder.message(), Ok(None));
    }
}

/// `out 192.168.0.0/24 10.0.0.1 gateway 10.9.8.7:3031` as it was meant, with the mask of 24 bits.
const MEANT: [u8; 24] =
    [1, 0, 0, 168, 192, 0, 255, 255, 255, 1, 0, 0, 10, 255, 255, 255, 255, 2, 10, 9, 8, 7, 0x0b, 0xd7];

#[test]
#[cfg(target_endian = "little")]
fn rules_are_24_bytes_in_the_order_of_the_machine() {
    let rule: PeerRule = "out 192.168.0.0/24 10.0.0.1 gateway 10.9.8.7:3031".parse().unwrap();
    let bytes = encode_rules(std::slice::from_ref(&rule)).unwrap();
    assert_eq!(bytes, [&[0, 24, 0, 1][..], &MEANT].concat());
    assert_eq!(decode_rules(&MEANT), Ok(vec![rule]));
}

#[test]
#[cfg(target_endian = "little")]
fn masks_that_the_original_mirrors_are_read_as_they_were_meant() {
    let network = |address: [u8; 4], mask: u32| {
        let mut bytes = MEANT;
        bytes[1..5].copy_from_slice(&u32::from_be_bytes(address).to_le_bytes());
        bytes[5..9].copy_from_slice(&mask.to_le_bytes());
        decode_rules(&bytes).map(|rules| rules[0].source.to_string())
    };
    // What its device sends for /24, /31, /16, /8 and /32.
    assert_eq!(network([192, 168, 7, 0], 0xff00_0000).as_deref(), Ok("192.168.7.0/24"));
    assert_eq!(network([192, 168, 7, 2], 0x8000_0000).as_deref(), Ok("192.168.7.2/31"));
    assert_eq!(network([192, 168, 0, 0], 0xffff_0000).as_deref(), Ok("192.168.0.0/16"));
    assert_eq!(network([10, 0, 0, 0], 0xffff_ff00).as_deref(), Ok("10.0.0.0/24"));
    assert_eq!(network([10, 0, 0, 1], 0xffff_ffff).as_deref(), Ok("10.0.0.1"));
    // Bits beyond either: the network under the mask.
    assert_eq!(network([10, 1, 2, 3], 0xffff_0000).as_deref(), Ok("10.1.0.0/16"));
    assert_eq!(network([10, 1, 2, 3], 0).as_deref(), Ok("0.0.0.0/0"));
    assert_eq!(network([0, 0, 0, 0], 0x00ff_0000).as_deref(), Ok("any"));
    assert_eq!(network([10, 0, 0, 0], 0x00ff_0000), Err(BadRule::Mask([0, 255, 0, 0].into())));
}

#[test]
fn blocks_that_cannot_be_meant_are_refused() {
    assert_eq!(decode_rules(&[]), Ok(vec![]));
    assert_eq!(decode_rules(&MEANT[..23]), Err(BadRule::Length(23)));
    let with = |at: usize, value: u8| {
        let mut bytes = MEANT;
        bytes[at] = value;
        decode_rules(&bytes)
    };
    assert_eq!(with(0, 2), Err(BadRule::Direction(2)));
    assert_eq!(with(17, 3), Err(BadRule::Action(3)));
}

#[test]
fn only_addresses_fit_uwsgis_rules() {
    let rule = |line: &str| PeerRule::new(Direction::In, &line.parse::<Rule>().unwrap());
    assert_eq!(rule("deny 10.0.0.0/8 any").unwrap().to_string(), "in 10.0.0.0/8 any deny");
    assert_eq!(rule("deny proto tcp"), Err(Inexpressible::Option));
    let v6 = rule("deny any 2001:db8::/32").unwrap();
    assert_eq!(encode_rules(&[v6]), Err(Inexpressible::Ipv6));
    assert_eq!(encode_rules(&[rule("deny any 0.0.0.0/5").unwrap()]), Err(Inexpressible::Zero));
    let one = rule("deny").unwrap();
    assert_eq!(encode_rules(&vec![one.clone(); 2731]), Err(Inexpressible::Number(2731)));
    assert_eq!(encode_rules(&vec![one; 2730]).unwrap().len(), 4 + 2730 * 24);
}

#[test]
fn a_peers_rules_become_two_chains_and_its_gateways() {
    let rules: Vec<PeerRule> = [
        "in 10.0.0.1 any allow",
        "out any any deny",
        "in any any route 1.2.3.4:5",
        "out any 9.9.9.9 gateway 1.2.3.4:5",
    ]
    .iter()
    .map(|line| line.parse().unwrap())
    .collect();
    let chains = PeerChains::new(&rules);
    let lines = |rules: &[Rule]| rules.iter().map(Rule::to_string).collect::<Vec<_>>();
    assert_eq!(lines(&chains.into.rules), ["allow 10.0.0.1 any", "deny"]);
    assert_eq!(lines(&chains.out.rules), ["deny", "allow any 9.9.9.9"]);
    assert_eq!(chains.gateways.into_iter().collect::<Vec<_>>(), [(1, "1.2.3.4:5".parse().unwrap())]);
    assert_eq!(chains.out.policy, Action::Allow);
}

#[test]
fn options_are_read_as_uwsgi_has_them() {
    let unix = |path: &str| Listen::Unix(path.into());
    let option: RouterOption = "emperor0 /tmp/tuntap.socket".parse().unwrap();
    assert_eq!((option.device.as_str(), &option.socket), ("emperor0", &unix("/tmp/tuntap.socket")));
    assert_eq!((&option.statistics, &option.gateway), (&None, &None));
    let option: RouterOption = "emperor0 @tuntap 127.0.0.1:5001 :7000".parse().unwrap();
    assert_eq!(option.socket, unix("@tuntap"));
    assert_eq!(option.statistics, Some(Listen::Tcp("127.0.0.1:5001".parse().unwrap())));
    assert_eq!(option.gateway, Some("0.0.0.0:7000".parse::<SocketAddrV4>().unwrap()));
    let option: DeviceOption = "uwsgi0 /tmp/tuntap.socket".parse().unwrap();
    assert_eq!(option.socket, Some(unix("/tmp/tuntap.socket")));
    assert_eq!("uwsgi0".parse::<DeviceOption>().unwrap().socket, None);
    let option: RouteOption = "192.168.0.0/24 0.0.0.0 10.0.0.9:7000".parse().unwrap();
    assert_eq!((option.source.to_string(), option.destination), ("192.168.0.0/24".into(), Network::Any));
    assert_eq!((credentials(""), credentials("true")), (Ok(true), Ok(true)));
}

#[test]
fn options_that_are_not_understood_are_refused_with_their_place() {
    fn place<T: std::str::FromStr<Err = crate::router::rule::Mistake> + std::fmt::Debug>(text: &str) -> &str {
        let mistake = text.parse::<T>().expect_err(text);
        &text[mistake.at..mistake.at + mistake.len]
    }
    assert_eq!(place::<RouterOption>("emperor0"), "");
    assert_eq!(place::<RouterOption>("a/b /run/x"), "a/b");
    assert_eq!(place::<RouterOption>("emperor0 localhost:1"), "localhost:1");
    assert_eq!(place::<RouterOption>("emperor0 :0"), ":0");
    assert_eq!(place::<RouterOption>("emperor0 \"/run/x\""), "\"/run/x\"");
    assert_eq!(place::<RouterOption>("emperor0 /run/x /run/y 1.2.3.4"), "1.2.3.4");
    assert_eq!(place::<RouterOption>("emperor0 /run/x /run/y :1 z"), "z");
    assert_eq!(place::<DeviceOption>("uwsgi0 /run/x /run/y"), "/run/y");
    assert_eq!(place::<RouteOption>("any any 1.2.3.4:0"), "1.2.3.4:0");
    assert_eq!(place::<PeerRule>("up any any deny"), "up");
    assert_eq!(place::<PeerRule>("in any any denny"), "denny");
    assert_eq!(place::<PeerRule>("in any any deny 1.2.3.4:5"), "1.2.3.4:5");
    assert_eq!(place::<PeerRule>("in any any route"), "");
    assert_eq!(place::<PeerRule>("in 10.0.0.1 ::1 deny"), "::1");
    assert_eq!(credentials(" my_function").unwrap_err().at, 1);
}

#[test]
fn statistics_have_the_names_of_the_original() {
    let mut peer = PeerStatistics::new(Some("192.168.0.2".parse().unwrap()));
    (peer.uid, peer.tx) = (1000, 84);
    let all = Statistics { version: "1".into(), pid: 1, uid: 2, gid: 3, cwd: "/".into(), peers: vec![peer] };
    let number = u32::from_ne_bytes([192, 168, 0, 2]);
    assert_eq!(
        serde_json::to_string(&all).unwrap(),
        format!(
            r#"{{"version":"1","pid":1,"uid":2,"gid":3,"cwd":"/","peers":[{{"addr":"192.168.0.2","addr_32":{number},"uid":1000,"gid":0,"pid":0,"tx":84,"rx":0,"dropped":0}}]}}"#
        )
    );
    assert_eq!(PeerStatistics::new(None).addr, "");
}

fn peer_rules() -> impl Strategy<Value = PeerRule> {
    let network = prop_oneof![
        Just("any".to_owned()),
        (1..=u32::MAX, 1..=32u8)
            .prop_map(|(address, prefix)| { format!("{}/{prefix}", std::net::Ipv4Addr::from_bits(address)) })
    ];
    let action = prop_oneof![
        Just("allow".to_owned()),
        Just("deny".into()),
        (any::<u32>(), 1..u16::MAX)
            .prop_map(|(address, port)| { format!("gateway {}:{port}", std::net::Ipv4Addr::from_bits(address)) })
    ];
    (prop_oneof![Just("in"), Just("out")], network.clone(), network, action).prop_filter_map(
        "an address of zero means any",
        |(direction, source, destination, action)| {
            let rule: PeerRule = format!("{direction} {source} {destination} {action}").parse().unwrap();
            let zero = |network: Network| network.net().is_some_and(|net| net.addr().is_unspecified());
            (!zero(rule.source) && !zero(rule.destination)).then_some(rule)
        },
    )
}

proptest! {
    #[test]
    fn rules_survive_their_bytes_and_their_text(rules in prop::collection::vec(peer_rules(), 0..5)) {
        let frame = encode_rules(&rules).unwrap();
        prop_assert_eq!(decode_rules(&frame[4..]), Ok(rules.clone()));
        for rule in rules {
            prop_assert_eq!(rule.to_string().parse::<PeerRule>(), Ok(rule));
        }
    }

    #[test]
    fn frames_do_not_depend_on_how_a_stream_is_cut(
        payloads in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..60)), 0..6),
        cuts in prop::collection::vec(1..40usize, 0..20),
        greets in any::<bool>(),
        more in 0..100usize,
    ) {
        let mut stream = if greets { GREETING.to_vec() } else { vec![] };
        for (rules, payload) in &payloads {
            stream.extend(frame(if *rules { Kind::Rules } else { Kind::Packet }, payload));
        }
        let (mut parts, mut rest) = (Vec::new(), &stream[..]);
        for cut in cuts {
            let (part, after) = rest.split_at(cut.min(rest.len()));
            parts.push(part);
            rest = after;
        }
        parts.push(rest);
        let decoder = || Decoder::with_buffer(50, more, Greeting::Optional);
        prop_assert_eq!(decode(decoder(), &parts), decode(decoder(), &[&stream]));
    }
}

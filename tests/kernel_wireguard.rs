//! WireGuard: what is set is what is seen, `wg setconf` sets the same, and the socket stays where the link was made.

mod common;

use common::kinds::{can, has};
use common::ops::*;
use common::{eventually, in_world, sh, try_sh};
use std::collections::BTreeMap;
use systemd_netns::model::{Kind, Netns, Secret, Virtual, VirtualKind, Wireguard, WireguardKey, WireguardPeer};
use systemd_netns::plan::{LinkSetting, Op};

fn key(n: u8) -> WireguardKey {
    WireguardKey::from_bytes([n; 32])
}

fn secret(n: u8) -> Secret {
    // As the kernel keeps it (`curve25519_clamp_secret()`).
    let mut bytes = [n; 32];
    bytes[0] &= 248;
    bytes[31] = (bytes[31] & 127) | 64;
    Secret::from_bytes(bytes)
}

fn peer(ips: &[&str]) -> WireguardPeer {
    WireguardPeer { allowed_ips: ips.iter().map(|ip| ip.parse().unwrap()).collect(), ..WireguardPeer::default() }
}

fn configured() -> Wireguard {
    let first = WireguardPeer {
        preshared_key: Some(Secret::from_bytes([9; 32])),
        endpoint: Some("192.0.2.9:51820".into()),
        keepalive: 25,
        ..peer(&["10.0.0.0/8", "2001:db8::/32"])
    };
    let second = WireguardPeer { endpoint: Some("[2001:db8::9]:1".into()), ..peer(&["0.0.0.0/0"]) };
    Wireguard {
        path: "/run/wg0.conf".into(),
        private_key: Some(secret(3)),
        listen_port: Some(51821),
        fwmark: 7,
        peers: BTreeMap::from([(key(5), first), (key(6), second), (key(7), peer(&[]))]),
    }
}

fn link_of(birth: Option<Netns>) -> Kind {
    Kind::Virtual(Virtual { birth, ..Virtual::plain(VirtualKind::Wireguard) })
}

#[test]
fn what_is_set_is_what_is_seen() {
    if !has(VirtualKind::Wireguard) {
        return;
    }
    in_world(|| {
        sh("ip netns add a");
        let place = at(&inside("a"), "wg0");
        let want = configured();
        let op = set(&place, LinkSetting::Wireguard(Box::new(want.clone())));
        apply(&[Op::AddLink { place: place.clone(), kind: link_of(Some(Netns::Host)) }, op.clone()]);
        let see = || *observe(&[inside("a")]).state.link(&place).unwrap().wireguard.clone().unwrap();
        assert!(see().satisfies(&want), "{:?}", see());
        assert!(see().same_endpoints(&want), "{:?}", see());
        let many = WireguardPeer {
            allowed_ips: (0..1000u32).map(|n| format!("10.1.{}.{}/32", n / 256, n % 256).parse().unwrap()).collect(),
            ..WireguardPeer::default()
        };
        let peers = (10..200).map(|n| (key(n), peer(&[&format!("10.2.0.{n}/32")]))).chain([(key(9), many)]).collect();
        let other = Wireguard { peers, private_key: None, fwmark: 0, ..want };
        apply(&[set(&place, LinkSetting::Wireguard(Box::new(other.clone())))]);
        assert!(see().satisfies(&other));
        assert!(!format!("{op} {op:?}").contains(&key(9).to_string()), "a secret is shown: {op:?}");
    });
}

#[test]
fn the_text_sets_the_same() {
    if !has(VirtualKind::Wireguard) || !can("wg(8) installed", "command -v wg") {
        return;
    }
    in_world(|| {
        sh("ip netns add a; ip -n a link add name wg0 type wireguard");
        let text = |key: &[u8; 32]| WireguardKey::from_bytes(*key).to_string();
        std::fs::write("/run/wg0.conf", format!(
            "[Interface]\nPrivateKey = {}\nListenPort = 51821\nFwMark = 7\n\
             [Peer]\nPublicKey = {}\nPresharedKey = {}\nEndpoint = 192.0.2.9:51820\nAllowedIPs = 10.0.0.0/8, 2001:db8::/32\nPersistentKeepalive = 25\n\
             [Peer]\nPublicKey = {}\nEndpoint = [2001:db8::9]:1\nAllowedIPs = 0.0.0.0/0\n[Peer]\nPublicKey = {}\n",
            text(secret(3).expose()), key(5), text(&[9; 32]), key(6), key(7),
        )).unwrap();
        let place = at(&inside("a"), "wg0");
        sh(&set(&place, LinkSetting::Wireguard(Box::new(configured()))).to_string());
        let seen = observe(&[inside("a")]).state;
        assert!(seen.link(&place).unwrap().wireguard.as_ref().unwrap().satisfies(&configured()));
    });
}

#[test]
fn the_outer_packets_travel_where_the_link_was_made() {
    if !has(VirtualKind::Wireguard) {
        return;
    }
    in_world(|| {
        // Keys of two hosts that know each other (RFC 7748, 6.1).
        let pair = [
            ("dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="),
            ("XasIfmJKikt54X+Lg4AO5m87sSkmGLb9HC+LJ/+I4Os=", "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="),
        ];
        sh("ip netns add a; ip netns add b; ip link add name l0 type veth peer name l1 netns b
            ip address add 192.0.2.1/24 dev l0; ip -n b address add 192.0.2.2/24 dev l1
            ip link set l0 up; ip -n b link set l1 up; ip -n b link set lo up");
        let config = |me: usize, port: u16| {
            let far = 1 - me;
            let endpoint = Some(format!("192.0.2.{}:{}", far + 1, 1000 + far));
            let peer = WireguardPeer { endpoint, ..peer(&[&format!("10.0.0.{}/32", far + 1)]) };
            LinkSetting::Wireguard(Box::new(Wireguard {
                private_key: Some(pair[me].0.parse().unwrap()),
                listen_port: Some(port),
                peers: [(pair[far].1.parse().unwrap(), peer)].into(),
                ..Wireguard::default()
            }))
        };
        let (near, far) = (at(&inside("a"), "wg0"), at(&inside("b"), "wg0"));
        apply(&[
            Op::AddLink { place: near.clone(), kind: link_of(Some(Netns::Host)) },
            Op::AddLink { place: far.clone(), kind: link_of(None) },
            set(&near, config(0, 1000)),
            set(&far, config(1, 1001)),
            add_address(&near, "10.0.0.1/24"),
            add_address(&far, "10.0.0.2/24"),
            set(&near, LinkSetting::Up(true)),
            set(&far, LinkSetting::Up(true)),
        ]);
        assert!(!try_sh("ip -n a link show dev l0").status.success(), "nothing else is inside");
        eventually("an answer through the tunnel", || {
            try_sh("ip netns exec a ping -c 1 -W 1 10.0.0.2").status.success().then_some(())
        });
        assert!(sh("ss -lun").contains(":1000"), "the socket is in the namespace that the link was made in");
    });
}

//! With Ethernet frames: a switch that learns, with a bounded table.

use super::peer::{Peer, udp};
use super::traffic::{datagrams, segmented, transfer};
use super::world::*;
use crate::common::{eventually, sh};
use systemd_netns::router::settings::{Mode, Protocol};

fn tap(protocol: Protocol, number: u8) -> Kind {
    let mut kind = kind(protocol, number);
    kind.settings.mode = Mode::Tap;
    kind.setup = format!("ip link set tun0 address 02:00:00:00:00:{number:02x}; {}", kind.setup);
    kind
}

/// A frame around a packet.
fn frame(from: u8, to: u8, payload: &[u8]) -> Vec<u8> {
    let mac = |number| [2, 0, 0, 0, 0, number];
    let kind = if payload[0] >> 4 == 4 { [8, 0] } else { [0x86, 0xdd] };
    [&mac(to)[..], &mac(from), &kind, payload].concat()
}

#[test]
fn services_are_on_one_link() {
    world(|| {
        let router = Router::start("Mode = tap");
        let devices = [(Protocol::Descriptor, "a", 2), (Protocol::Uwsgi, "b", 3), (Protocol::Descriptor, "c", 4)];
        let devices = devices.map(|(protocol, netns, number)| Device::start(netns, tap(protocol, number)));
        devices.iter().for_each(|device| device.wait_for_attached(1));
        for (from, to, address) in [
            ("a", "", OWN[0]),
            ("a", "", OWN[1]),
            ("", "b", "192.168.0.3"),
            ("a", "b", "fd00::3"),
            ("b", "c", "192.168.0.4"),
            ("c", "a", "fd00::2"),
        ] {
            eventually("it answers", || {
                let family = if address.contains(':') { 6 } else { 4 };
                let ping = format!("ping -{family} -c 1 -W 1 {address}");
                super::traffic::at(from, || crate::common::try_sh(&ping).status.success()).then_some(())
            });
            transfer(from, to, address, 1 << 20);
            datagrams(from, to, address, 4000, 5);
            segmented(from, to, address, 1000, 20);
        }
        assert_eq!(router.peers(), 3);
        // What is between two of them is no business of the third's.
        let before = router.wait_for_peer("192.168.0.4")["counters"]["in_bytes"].as_u64().unwrap();
        transfer("a", "b", "192.168.0.3", 1 << 20);
        let after = router.wait_for_peer("192.168.0.4")["counters"]["in_bytes"].as_u64().unwrap();
        assert!(after - before < 64 << 10, "{before} {after}");
        let neighbour = within("a", || sh("ip neighbour show 192.168.0.3; ip -6 neighbour show fd00::3"));
        assert_eq!(neighbour.matches("02:00:00:00:00:03").count(), 2, "{neighbour}");
    });
}

#[test]
fn the_table_is_bounded_and_what_is_in_it_stays_with_who_has_it() {
    world(|| {
        let router = Router::start("Mode = tap\n[Limits]\nAddresses = 4\n");
        let mut peers = [10, 11].map(|number: u8| {
            let mut peer = Peer::connect();
            let address = format!("192.168.0.{number}");
            peer.send(&frame(number, 0x99, &udp(&address, "203.0.113.9", 1, 2, b"here")));
            router.wait_for_peer(&address);
            peer
        });
        let [first, second] = &mut peers;
        let hello = |from, to, text: &[u8]| frame(from, to, &udp("192.168.0.10", "192.168.0.11", 1, 2, text));
        // The hardware address is known: nothing is flooded.
        first.send(&hello(10, 11, b"direct"));
        assert!(second.receive(|frame| frame.ends_with(b"direct")).is_some());
        // Three more are learned, and then none.
        for mac in 20..120 {
            first.send(&hello(mac, 11, b"more"));
        }
        router.wait_for_lost("192.168.0.10", "spoofed", 97);
        assert_eq!(router.lost("192.168.0.10", "spoofed"), 97);
        // Another's is not to be had: not its frames either.
        second.send(&frame(11, 10, &udp("192.168.0.11", "192.168.0.10", 1, 2, b"still here")));
        assert!(first.receive(|frame| frame.ends_with(b"still here")).is_some());
        second.send(&frame(10, 11, &udp("192.168.0.11", "192.168.0.10", 1, 2, b"x")));
        router.wait_for_lost("192.168.0.11", "taken", 1);
        // Nor an address that another has, whatever hardware address it comes from; by ARP neither.
        second.send(&frame(11, 10, &udp("192.168.0.10", "192.168.0.11", 1, 2, b"x")));
        router.wait_for_lost("192.168.0.11", "taken", 2);
        let arp =
            [&[0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 11, 192, 168, 0, 10][..], &[2, 0, 0, 0, 0, 10, 192, 168, 0, 10]];
        second.send(&[&[2, 0, 0, 0, 0, 10, 2, 0, 0, 0, 0, 11, 8, 6][..], &arp.concat()].concat());
        router.wait_for_lost("192.168.0.11", "taken", 3);
        // What nobody has goes to all but the sender; so does a broadcast.
        second.send(&frame(11, 0x77, &udp("192.168.0.11", "192.168.0.10", 1, 2, b"to whom?")));
        assert!(first.receive(|frame| frame.ends_with(b"to whom?")).is_some());
        // A sender of many is none.
        second.send(
            &[&[2, 0, 0, 0, 0, 10, 3, 0, 0, 0, 0, 11, 8, 0][..], &udp("192.168.0.11", "192.168.0.10", 1, 2, b"x")]
                .concat(),
        );
        router.wait_for_lost("192.168.0.11", "source", 1);
    });
}

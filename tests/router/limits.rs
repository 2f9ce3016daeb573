//! Bounds: what one peer may have, and that others do not feel it when one has more in mind.

use super::peer::{Peer, echo, is_reply, udp};
use super::traffic::{datagrams, transfer};
use super::world::*;
use crate::common::eventually;
use nix::sys::signal::Signal;
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use systemd_netns::router::settings::Protocol;

#[test]
fn no_more_peers_come_in_than_may_be() {
    world(|| {
        let router = Router::start("[Limits]\nPeers = 2\n");
        let first = Peer::with("192.168.0.8");
        router.wait_for_peer("192.168.0.8");
        let _second = service("a", 2);
        assert!(Peer::speaks_and_is_closed());
        router.says("there are 2 peers, which is the limit");
        let third = Device::start("b", kind(Protocol::Descriptor, 3));
        router.says("pid ");
        assert_eq!(third.attached(), 0);
        drop(first);
        third.wait_for_attached(1);
        ping("b", "192.168.0.2");
    });
}

#[test]
fn nobody_has_more_addresses_than_it_may() {
    world(|| {
        let router = Router::start("[Limits]\nAddresses = 2\n");
        let mut own = kind(Protocol::Descriptor, 2);
        own.settings.addresses.push("192.168.0.20/24".parse().unwrap());
        let device = Device::start("a", own);
        router.says("it announced more than 2 addresses, which is the limit");
        assert_eq!(device.attached(), 0);
        let _other = service("b", 3);
    });
}

#[test]
fn a_peer_sends_no_faster_than_its_rate() {
    world(|| {
        let (burst, size, count) = (64 << 10, 1400, 400);
        let any = "[Admit others]\nAny = yes\nAddress = 192.168.0.0/24, fd00::/64\n";
        let mut router = Router::start(&format!(
            "[Admit slow]\nUser = 4242\nAddress = 192.168.0.9\nRateOut = 8kbit\nBurstOut = 64K\n{any}"
        ));
        let mut peer = as_user(4242, 1, || Peer::with("192.168.0.9"));
        let packet = udp("192.168.0.9", "203.0.113.9", 1, 2, &vec![0; size - 28]);
        // Most of it waits where it is: in the socket.
        let mut writer = Peer::from(peer.stream.try_clone().unwrap());
        router.process().signal(Signal::SIGSTOP);
        let sent = std::thread::spawn(move || (0..count).for_each(|_| writer.send(&packet)));
        // By then there is more than the burst. What one more read brings is paid for in half a minute, which is known after a second,
        // unless a reload changes the rate.
        std::thread::sleep(Duration::from_millis(200));
        router.process().signal(Signal::SIGCONT);
        let came = |router: &Router| router.peer("192.168.0.9").map_or(0, |it| it["rx"].as_u64().unwrap());
        eventually("the burst came", || (came(&router) >= burst).then_some(()));
        // Others are not held up meanwhile.
        let _a = service("a", 2);
        transfer("a", "", OWN[0], 1 << 20);
        datagrams("", "a", "192.168.0.2", 100, 50);
        // The burst, what one read of the stream brings, and a second or so of the rate.
        let so_far = came(&router);
        assert!(so_far < burst + (64 << 10), "{so_far}");
        std::thread::sleep(Duration::from_secs(2));
        router.reload(any);
        eventually("the rest came", || (came(&router) >= (size * count) as u64).then_some(()));
        sent.join().unwrap();
        peer.send(&echo("192.168.0.9", OWN[0]));
        assert!(peer.receive(is_reply).is_some());
    });
}

#[test]
fn a_device_sends_no_faster_than_its_rate_by_every_way_to_the_kernel() {
    for way in ways() {
        world(|| {
            let (burst, size, count) = (64 << 10, 1400, 300);
            let limits = "[Limits]\nRateOut = 8kbit\nBurstOut = 64K\n";
            let mut router = Router::start_with(limits, &[("SYSTEMD_NETNS_WAY", way)]);
            let _a = service("a", 2);
            let came = |router: &Router| router.peer("192.168.0.2").map_or(0, |it| it["rx"].as_u64().unwrap());
            for round in 0..2 {
                let before = came(&router);
                // They wait where they are: in the device's own queue.
                within("a", || {
                    let socket = super::traffic::connected("192.168.0.1:9".parse().unwrap());
                    // Nobody is there, which is told now and then.
                    (0..count).for_each(|_| while socket.send(&vec![0; size - 28]).is_err() {});
                });
                eventually("the burst came", || (came(&router) >= before + burst).then_some(()));
                // The burst, some packets that were read together, and a second or so of the rate.
                let so_far = came(&router) - before;
                assert!(so_far < burst + 20 * size as u64, "{way}, round {round}: {so_far}");
                router.reload("");
                let all = before + (size * count) as u64;
                eventually("the rest came", || (came(&router) >= all).then_some(()));
                transfer("a", "", OWN[0], 1 << 20);
                router.reload(limits);
            }
        });
    }
}

#[test]
fn a_peer_is_sent_no_faster_than_its_rate_and_what_does_not_wait_is_counted() {
    world(|| {
        let mut router = Router::start("[Limits]\nRateIn = 8kbit\nBurstIn = 64K\nQueue = 128K\n");
        let mut peer = Peer::with("192.168.0.9");
        router.wait_for_peer("192.168.0.9");
        let socket = UdpSocket::bind("192.168.0.1:0").unwrap();
        socket.connect("192.168.0.9:7").unwrap();
        let size = 1400;
        eventually("it overflows", || {
            for _ in 0..20 {
                socket.send(&vec![7; size - 28]).unwrap();
            }
            (router.lost("192.168.0.9", "queue-full") > 50).then_some(())
        });
        let waits = 128 << 10;
        let burst = 64 << 10;
        let is_ours = |packet: &[u8]| packet.len() == size && packet.ends_with(&[7; 8]);
        // The burst comes at once, and what waited when there is no rate any more.
        let mut count = 0;
        while count * size < burst {
            assert!(peer.receive(is_ours).is_some());
            count += 1;
        }
        router.reload("");
        while count * size < burst + waits - 4 * (size + 64) - waits / 10 {
            assert!(peer.receive(is_ours).is_some(), "{count}");
            count += 1;
        }
        socket.send(b"and on").unwrap();
        assert!(peer.receive(|packet| packet.ends_with(b"and on")).is_some());
    });
}

#[test]
fn a_peer_that_floods_does_not_starve_others() {
    world(|| {
        let router = Router::start("");
        let _services = [service("a", 2), framed_service("b", 3), service("c", 4)];
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                within("c", || {
                    let socket = super::traffic::connected("192.168.0.2:9".parse().unwrap());
                    while !done.load(Ordering::Relaxed) {
                        // Nobody is there, which is told now and then.
                        let _ = socket.send(&[0; 20]);
                    }
                });
            });
            for number in [8, 9] {
                let done = &done;
                scope.spawn(move || {
                    let mut peer = Peer::connect();
                    let packet = udp(&format!("192.168.0.{number}"), "192.168.0.3", 1, 2, &[0; 20]);
                    while !done.load(Ordering::Relaxed) {
                        peer.send(&packet);
                    }
                });
            }
            let floods = |at: u64| {
                eventually("the flood", || {
                    let all = ["192.168.0.4", "192.168.0.8", "192.168.0.9"]
                        .map(|it| router.peer(it).map_or(0, |it| it["rx"].as_u64().unwrap()));
                    all.iter().all(|rx| *rx > at).then(|| all.into_iter().max().unwrap_or(0))
                })
            };
            let before = floods(1 << 20);
            transfer("a", "", OWN[0], 1 << 20);
            transfer("b", "a", "192.168.0.2", 1 << 20);
            datagrams("", "a", "192.168.0.2", 1000, 50);
            floods(before);
            done.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn peers_that_read_nothing_cost_bounded_memory_and_nobodys_packets() {
    world(|| {
        let mut router = Router::start("[Limits]\nQueue = 128K\n");
        let _services = [service("a", 2), framed_service("b", 3)];
        let deaf: Vec<Peer> = (10..42).map(|number| Peer::with(&format!("192.168.0.{number}"))).collect();
        eventually("all are in", || (router.peers() == 34).then_some(()));
        let before = router.memory();
        let socket = UdpSocket::bind("192.168.0.1:0").unwrap();
        for number in 10..42 {
            let address = format!("192.168.0.{number}");
            eventually("it overflows", || {
                for _ in 0..100 {
                    socket.send_to(&[0; 1400], (address.as_str(), 7)).unwrap();
                }
                (router.lost(&address, "queue-full") > 0).then_some(())
            });
        }
        transfer("a", "", OWN[0], 1 << 20);
        transfer("b", "a", "fd00::2", 1 << 20);
        datagrams("", "b", "192.168.0.3", 1000, 50);
        // 32 queues of 128 KiB, and what an allocator leaves between them.
        let grown = router.memory().saturating_sub(before);
        assert!(grown < 32 * 2 * 128 + (8 << 10), "{grown} KiB");
        drop(deaf);
        eventually("they are gone", || (router.peers() == 2).then_some(()));
    });
}

#[test]
fn connections_without_an_address_are_bounded_for_each_user() {
    world(|| {
        let router = Router::start("[Limits]\nPeers = 64\n");
        let connect = || UnixStream::connect(SOCKET).unwrap();
        let is_open = |stream: &UnixStream| {
            stream.set_nonblocking(true).unwrap();
            let read = std::io::Read::read(&mut &*stream, &mut [0]);
            read.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock)
        };
        // Some say nothing, and others what is no packet yet.
        let mut silent: Vec<UnixStream> = as_user(4242, 1, || (0..16).map(|_| connect()).collect());
        for stream in &mut silent[..8] {
            std::io::Write::write_all(stream, &[0]).unwrap();
        }
        eventually("these are in", || (router.peers() == 8).then_some(()));
        let more = as_user(4242, 1, connect);
        eventually("one more is refused", || (!is_open(&more)).then_some(()));
        router.says("uid 4242 has 16 connections that have no address yet, which is the limit");
        assert!(silent.iter().all(is_open));
        // Others come in, and so does who goes on to say who it is.
        let _a = service("a", 2);
        ping("a", OWN[0]);
        let packet = super::peer::frame(0, &echo("192.168.0.9", OWN[0]));
        std::io::Write::write_all(&mut silent[0], &packet[1..]).unwrap();
        router.wait_for_peer("192.168.0.9");
        let mut once_more = Peer::from(as_user(4242, 1, connect));
        once_more.send(&echo("192.168.0.10", OWN[0]));
        assert!(once_more.receive(is_reply).is_some());
        // As many again, once these are gone.
        drop(silent);
        eventually("they are gone", || (router.peers() == 2).then_some(()));
        let again: Vec<UnixStream> = as_user(4242, 1, || (0..16).map(|_| connect()).collect());
        let last = as_user(4242, 1, connect);
        eventually("one more is refused", || (!is_open(&last)).then_some(()));
        assert!(again.iter().all(is_open));
    });
}

#[test]
fn a_greeting_that_does_not_end_is_not_waited_for() {
    world(|| {
        let router = Router::start("");
        let mut half = UnixStream::connect(SOCKET).unwrap();
        std::io::Write::write_all(&mut half, b"systemd-netns/1 ").unwrap();
        let mut large = Peer::connect();
        std::io::Write::write_all(&mut large.stream, b"systemd-netns/1 \xff\xff\xff\xff").unwrap();
        assert!(large.is_closed());
        router.says("4294967295 bytes are too many, the limit is 262144");
        let _a = service("a", 2);
        router.says("its greeting took too long");
        half.set_read_timeout(Some(super::traffic::PATIENCE)).unwrap();
        assert_eq!(std::io::Read::read(&mut half, &mut [0; 9]).unwrap(), 0);
        ping("a", OWN[0]);
    });
}

//! What survives: the router's end, by itself or by force; a device that is down; a socket's file that is gone; a holder's restart.

use super::traffic::{Stream, transfer};
use super::world::*;
use crate::common::{eventually, sh, try_sh};
use nix::sys::signal::Signal;
use systemd_netns::router::settings::Protocol;

/// Ends the router in the middle of transfers, and starts it again.
fn connections_survive(signal: Signal) {
    world(|| {
        let mut router = Router::start("");
        let services = [service("a", 2), service("b", 3), framed_service("c", 4)];
        std::thread::scope(|scope| {
            let streams = [
                Stream::start(scope, "a", "", OWN[0]),
                Stream::start(scope, "a", "b", "192.168.0.3"),
                Stream::start(scope, "", "b", "fd00::3"),
                Stream::start(scope, "c", "a", "fd00::2"),
            ];
            for round in 0..2 {
                streams.iter().for_each(|stream| stream.begin(8 << 20));
                router.end(signal);
                // Nobody passes anything now, and what is there stays.
                assert!(!answers("a", OWN[0], ""));
                assert!(within("a", || try_sh("ip -br link show tun0 up | grep -q tun0").status.success()));
                router.run();
                streams.iter().for_each(Stream::end);
                services.iter().for_each(|service| service.wait_for_attached(round + 2));
            }
        });
        assert_eq!(router.peers(), 3);
        assert_eq!(router.wait_for_peer("192.168.0.2")["transport"], "descriptor");
    });
}

#[test]
fn connections_survive_the_routers_restart() {
    connections_survive(Signal::SIGTERM);
}

#[test]
fn connections_survive_the_routers_violent_end() {
    connections_survive(Signal::SIGKILL);
}

#[test]
fn a_device_that_is_down_loses_packets_and_nothing_else() {
    world(|| {
        let router = Router::start("");
        let (a, b) = (service("a", 2), framed_service("b", 3));
        std::thread::scope(|scope| {
            let stream = Stream::start(scope, "a", "b", "192.168.0.3");
            for netns in ["a", "b"] {
                within(netns, || sh("ip link set tun0 down"));
                assert!(!answers(
                    if netns == "a" { "b" } else { "a" },
                    if netns == "a" { "192.168.0.2" } else { "192.168.0.3" },
                    ""
                ));
                if netns == "a" {
                    router.wait_for_lost("192.168.0.2", "down", 1);
                }
                // The routes went with it.
                within(netns, || sh("ip link set tun0 up; ip route add default via 192.168.0.1"));
                stream.begin(1 << 20);
                stream.end();
            }
        });
        assert_eq!((a.attached(), b.attached()), (1, 1));
        // The router's own, too.
        let stream_to_host = |count: usize| transfer("a", "", OWN[0], count);
        sh("ip link set r0 down");
        assert!(!answers("a", OWN[0], ""));
        sh("ip link set r0 up");
        stream_to_host(1 << 20);
        transfer("a", "b", "192.168.0.3", 1 << 20);
        assert_eq!((a.attached(), b.attached()), (1, 1));
    });
}

#[test]
fn the_router_ends_with_its_device_and_comes_back_with_it() {
    world(|| {
        let mut router = Router::start("");
        let a = service("a", 2);
        sh("ip link delete r0");
        let status = router.process().0.wait().unwrap();
        assert!(!status.success(), "{status}");
        router.says("the router's device is gone");
        router.prepare();
        router.run();
        a.wait_for_attached(2);
        ping("a", OWN[0]);
        ping("a", OWN[1]);
    });
}

#[test]
fn a_sockets_file_that_is_gone_keeps_nobody_who_is_in_out() {
    world(|| {
        let mut router = Router::start("");
        let a = service("a", 2);
        std::fs::remove_file(SOCKET).unwrap();
        let b = Device::start("b", kind(Protocol::Descriptor, 3));
        transfer("a", "", OWN[0], 1 << 20);
        assert_eq!((a.attached(), b.attached()), (1, 0));
        let error = format!("{:#}", systemd_netns::router::device::connect(&listen()).unwrap_err());
        assert_eq!(error, "connect to the router at /run/r.sock: No such file or directory (os error 2)");
        router.end(Signal::SIGTERM);
        router.run();
        a.wait_for_attached(2);
        b.wait_for_attached(1);
        ping("a", "192.168.0.3");
        // A file that a router left behind is in nobody's way, and one at which somebody listens is not taken away.
        router.end(Signal::SIGKILL);
        assert!(std::path::Path::new(SOCKET).exists());
        router.run();
        a.wait_for_attached(3);
        let mut second = std::process::Command::new(program());
        let second = second.args(["router", "run", "--root", "/run/root", "r0"]).output().unwrap();
        assert!(!second.status.success());
        ping("a", OWN[0]);
    });
}

fn listen() -> systemd_netns::router::settings::Listen {
    systemd_netns::router::settings::Listen::Unix(SOCKET.into())
}

#[test]
fn a_device_comes_back_with_its_holder() {
    world(|| {
        let router = Router::start("");
        let mut holders =
            [Device::start("a", kind(Protocol::Descriptor, 2)), Device::start("b", kind(Protocol::Uwsgi, 3))];
        for round in 0..3 {
            holders.iter().for_each(|holder| holder.wait_for_attached(1));
            ping("a", OWN[0]);
            ping("b", OWN[1]);
            ping("b", "192.168.0.2");
            ping("a", "192.168.0.3");
            if round == 2 {
                break;
            }
            holders = holders
                .into_iter()
                .zip([("a", Protocol::Descriptor, 2), ("b", Protocol::Uwsgi, 3)])
                .map(|(holder, (netns, protocol, number))| {
                    drop(holder);
                    if round == 0 {
                        eventually("the device ends with who holds it", || {
                            (!within(netns, || try_sh("ip link show tun0").status.success())).then_some(())
                        });
                    }
                    Device::start_there(netns, kind(protocol, number))
                })
                .collect::<Vec<_>>()
                .try_into()
                .unwrap_or_else(|_| unreachable!());
        }
        eventually("two peers are left", || (router.peers() == 2).then_some(()));
    });
}

//! Packets get through, whole and unchanged: both families, every direction, each way to the kernel and kind of peer.

use super::traffic::{datagrams, segmented, transfer};
use super::world::*;
use crate::common;
use systemd_netns::router::settings::Protocol;

const SIZE: usize = 4 << 20;

/// Everything between two namespaces: the second has the addresses.
fn everything(from: &str, to: &str, addresses: [&str; 2]) {
    for address in addresses {
        transfer(from, to, address, SIZE);
        datagrams(from, to, address, 1400, 20);
        // In fragments.
        datagrams(from, to, address, 4000, 5);
        segmented(from, to, address, 1000, 20);
        if !from.is_empty() {
            ping_with(from, address, "-s 4000");
        }
    }
}

fn all_directions() {
    everything("a", "", OWN);
    everything("", "a", ["192.168.0.2", "fd00::2"]);
    everything("a", "b", ["192.168.0.3", "fd00::3"]);
}

#[test]
fn services_that_pass_their_devices() {
    world(|| {
        let router = Router::start("");
        let _services = [service("a", 2), service("b", 3)];
        all_directions();
        for address in ["192.168.0.2", "fd00::3"] {
            let peer = router.wait_for_peer(address);
            assert_eq!(peer["transport"], "descriptor");
            assert_eq!(peer["counters"]["dropped"], serde_json::json!({}), "{peer:#}");
        }
    });
}

#[test]
fn services_by_frames() {
    world(|| {
        let router = Router::start("");
        let _services = [framed_service("a", 2), framed_service("b", 3)];
        all_directions();
        assert_eq!(router.wait_for_peer("192.168.0.2")["transport"], "frames");
        // What comes by frames has no offload: what goes there was cut.
        assert_eq!(router.lost("192.168.0.2", "too-big"), 0);
    });
}

#[test]
fn one_service_with_offloads_and_one_without() {
    world(|| {
        let _router = Router::start("");
        let _services = [service("a", 2), framed_service("b", 3)];
        everything("a", "b", ["192.168.0.3", "fd00::3"]);
        everything("b", "a", ["192.168.0.2", "fd00::2"]);
        everything("", "b", ["192.168.0.3", "fd00::3"]);
    });
}

#[test]
fn services_that_use_no_offloads() {
    world(|| {
        if !common::try_sh("ethtool --version").status.success() {
            eprintln!("SKIPPED: there is no ethtool");
            return;
        }
        let router = Router::start("");
        let _services = [service("a", 2), service("b", 3)];
        within("a", || common::sh("ethtool -K tun0 tx off sg off tso off gso off gro off"));
        all_directions();
        assert_eq!(router.wait_for_peer("192.168.0.2")["counters"]["dropped"], serde_json::json!({}));
    });
}

#[test]
fn every_way_to_the_kernel() {
    for way in ways() {
        world(|| {
            let mut router = Router::start_with("", &[("SYSTEMD_NETNS_WAY", way)]);
            let words = router.statistics()["way"].as_str().unwrap().to_owned();
            // As it turns out, batches are reads that wait where devices know no others.
            assert!(words.contains(&way[..4]) || way == "batch" && words.contains("wait"), "{way}: {words}");
            let services = [service("a", 2), framed_service("b", 3), service("c", 4)];
            everything("a", "", OWN);
            everything("", "c", ["192.168.0.4", "fd00::4"]);
            everything("a", "c", ["192.168.0.4", "fd00::4"]);
            everything("c", "b", ["192.168.0.3", "fd00::3"]);
            drop(services);
            common::eventually("the peers are gone", || (router.peers() == 0).then_some(()));
            router.end(nix::sys::signal::Signal::SIGTERM);
        });
    }
}

#[test]
fn a_device_that_its_holder_lets_block_holds_nobody_up() {
    for way in ways() {
        if way == "epoll" && !devices_can_be_asked_not_to_wait() {
            eprintln!("SKIPPED: by epoll the router trusts its peers before Linux 6.4");
            continue;
        }
        world(|| {
            let _router = Router::start_with("", &[("SYSTEMD_NETNS_WAY", way)]);
            let _services = [named_service("a", 2), framed_service("b", 3), named_service("c", 4)];
            assert_eq!(let_devices_block(), 2, "{way}");
            everything("b", "", OWN);
            everything("a", "b", ["192.168.0.3", "fd00::3"]);
            everything("", "c", ["192.168.0.4", "fd00::4"]);
        });
    }
}

fn devices_can_be_asked_not_to_wait() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut parts = release.split(['.', '-']).map(|part| part.trim().parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (6, 4)
}

/// What only this test calls a device: the whole process' descriptors are looked through.
const BLOCKING: &str = "blocking0";

fn named_service(netns: &str, number: u8) -> Device {
    let mut kind = kind(Protocol::Descriptor, number);
    kind.settings.device = BLOCKING.parse().unwrap();
    kind.setup = kind.setup.replace("tun0", BLOCKING);
    let device = Device::start(netns, kind);
    device.wait_for_attached(1);
    device
}

/// Takes `O_NONBLOCK` from the devices of that name, which have been passed, and whose holder still has them. How many there are.
fn let_devices_block() -> usize {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let itself = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let is_one = |fd: &String| {
        let about = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
        about.lines().any(|line| line.strip_prefix("iff:").is_some_and(|name| name.trim() == BLOCKING))
    };
    let all =
        std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let devices: Vec<String> = all.filter(is_one).collect();
    for fd in &devices {
        let device = pidfd_getfd(&itself, fd.parse().unwrap(), PidfdGetfdFlags::empty()).unwrap();
        fcntl_setfl(&device, fcntl_getfl(&device).unwrap() - OFlags::NONBLOCK).unwrap();
    }
    devices.len()
}

#[test]
fn many_connections_at_once() {
    world(|| {
        let _router = Router::start("");
        let _services = [service("a", 2), framed_service("b", 3), service("c", 4)];
        std::thread::scope(|scope| {
            for (from, to, address) in [
                ("a", "b", "192.168.0.3"),
                ("b", "c", "fd00::4"),
                ("c", "a", "192.168.0.2"),
                ("", "b", "fd00::3"),
                ("a", "", "fd00::1"),
                ("c", "", "192.168.0.1"),
            ] {
                scope.spawn(move || transfer(from, to, address, SIZE));
            }
        });
    });
}

#[test]
fn a_service_whose_packets_are_larger_than_the_others_are_told() {
    world(|| {
        let router = Router::start("");
        let mut large = kind(Protocol::Descriptor, 2);
        large.setup += "; ip link set tun0 mtu 9000";
        let device = Device::start("a", large);
        device.wait_for_attached(1);
        // TCP's own negotiation would not do: it knows the two ends only, so both are large.
        let mut framed = kind(Protocol::Uwsgi, 3);
        framed.setup += "; ip link set tun0 mtu 8000";
        let _framed = Device::start("b", framed);
        ping("b", OWN[0]);
        ping("b", OWN[1]);
        for address in ["192.168.0.3", "fd00::3"] {
            transfer("a", "b", address, SIZE);
        }
        assert!(router.lost("192.168.0.3", "too-big") > 0, "{:#}", router.statistics());
        let mtu = within("a", || common::sh("ip route get 192.168.0.3; ip -6 route get fd00::3"));
        assert_eq!(mtu.matches("mtu 1500").count(), 2, "{mtu}");
    });
}

#[test]
fn services_are_masqueraded_behind_a_link_without_offloads() {
    world(|| {
        if !common::try_sh("nft list ruleset && ethtool --version").status.success() {
            eprintln!("SKIPPED: there is no nft or no ethtool");
            return;
        }
        common::sh(
            "ip netns add wire; ip link add eth0 type veth peer name eth0 netns wire
             ip address add 198.51.100.2/24 dev eth0; ip address add 2001:db8::2/64 dev eth0 nodad
             ip -n wire address add 198.51.100.1/24 dev eth0; ip -n wire address add 2001:db8::1/64 dev eth0 nodad
             ip link set eth0 up; ip -n wire link set eth0 up
             ethtool -K eth0 tx off tso off gso off gro off; ip netns exec wire ethtool -K eth0 tx off rx off gro off",
        );
        let _router = Router::start("Masquerade = eth0");
        let _services = [service("a", 2), framed_service("b", 3)];
        for from in ["a", "b"] {
            everything(from, "wire", ["198.51.100.1", "2001:db8::1"]);
        }
        // Only what the router has is known there.
        let (stream, other) = super::traffic::connection("a", "wire", "198.51.100.1");
        assert_eq!(other.peer_addr().unwrap().ip().to_string(), "198.51.100.2");
        drop(stream);
    });
}

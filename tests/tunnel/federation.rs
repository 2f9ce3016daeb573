//! Routers that announce their local peers to another: a service is found where it is, and where it has gone to.

use super::hosts::*;
use crate::common::{eventually, sh};
use crate::router::traffic::transfer;
use crate::router::world::{Device, Kind, answers, kind, namespace, ping, world};
use systemd_netns::router::settings::{DeviceSettings, Listen, Protocol};

/// A router of services in 192.168.50.0/24 on host 1 or 2.
fn branch(number: u8) -> Router {
    let text = format!(
        "[Router]\nAddress = 192.168.50.{number}/24\n[Uplink up]\nServer = {SERVER}:{PORT}\nPlain = yes\nHost = host-{number}\n\
         Address = 192.168.50.{number}\nAnnounce = yes\nRoute = 192.168.50.0/24\n"
    );
    let router = Router::start(&format!("h{number}"), &format!("r{number}"), &text);
    router.wait_for("up");
    router
}

/// A service at the router of a host.
pub fn service(netns: &str, address: u8, host: u8) -> Device {
    let base = kind(Protocol::Descriptor, address);
    let settings = DeviceSettings {
        router: Listen::Unix(format!("/run/systemd-netns/router/r{host}.sock").into()),
        addresses: vec![format!("192.168.50.{address}/24").parse().unwrap()],
        ..base.settings
    };
    let setup = format!("ip address add 192.168.50.{address}/24 dev tun0; ip link set tun0 up");
    let device = Device::start_there(netns, Kind { settings, setup });
    device.wait_for_attached(1);
    device
}

#[test]
fn a_service_is_found_where_it_has_gone_to() {
    world(|| {
        hosts();
        let text = format!("[Router]\n[Tunnel]\nListen = {SERVER}:{PORT}\nPlain = yes\nDefault = all\n[Table all]\n");
        let server = Router::start("s", "rs", &text);
        let (one, two) = (branch(1), branch(2));
        ["web", "app", "moved"].into_iter().for_each(namespace);
        let _web = service("web", 9, 2);
        let app = service("app", 7, 1);
        ping("web", "192.168.50.7");
        transfer("web", "app", "192.168.50.7", 4 << 20);
        // Both at one router: nothing goes out. Then it moves, and is found again.
        drop(app);
        eventually("it is gone", || (!answers("web", "192.168.50.7", "")).then_some(()));
        let near = service("moved", 7, 2);
        ping("web", "192.168.50.7");
        let out = || two.wait_for("up")["counters"]["in_packets"].as_u64().unwrap();
        let before = out();
        transfer("web", "moved", "192.168.50.7", 1 << 20);
        assert!(out() - before < 10, "{:#}", two.statistics());
        drop(near);
        sh("ip netns delete moved; ip netns delete app");
        namespace("app");
        let _app = service("app", 7, 1);
        ping("web", "192.168.50.7");
        // No address is anybody's that is another's already.
        let says = |router: &Router| router.said().matches("announces").count();
        assert!(says(&one) >= 2 && says(&two) >= 1);
        for (router, name) in [(&server, "host-1"), (&one, "up")] {
            let micros = router.wait_for(name)["round_trip"].as_u64();
            assert!(micros.is_some_and(|micros| (1..5_000_000).contains(&micros)), "{name}: {micros:?}");
        }
        assert_eq!(server.remotes("host-1").len() + server.remotes("host-2").len(), 2);
    });
}

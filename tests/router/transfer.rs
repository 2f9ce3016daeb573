//! Packets get through, whole and unchanged: both families, every direction, each way to the kernel and kind of peer.

use super::traffic::{datagrams, segmented, transfer};
use super::world::*;
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

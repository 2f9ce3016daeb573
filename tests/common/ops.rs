//! Short ways to write operations down, and to carry them out.
#![allow(dead_code, reason = "each test file uses a part of it")]

use systemd_netns::kernel::{Kernel, Observed, Wanted};
use systemd_netns::model::{Address, Kind, LinkName, Netns, NetnsName, Place, Route, RouteKind, Scope};
use systemd_netns::plan::{LinkSetting, Op};

pub fn link(name: &str) -> LinkName {
    name.parse().unwrap()
}

pub fn name(name: &str) -> NetnsName {
    name.parse().unwrap()
}

pub fn inside(name: &str) -> Netns {
    Netns::Named(name.parse().unwrap())
}

pub fn at(netns: &Netns, name: &str) -> Place {
    Place::new(netns.clone(), link(name))
}

pub fn host(name: &str) -> Place {
    at(&Netns::Host, name)
}

pub fn veth(here: Place, there: Place) -> Op {
    Op::AddLink { place: here, kind: Kind::Veth { peer: Some(there) } }
}

pub fn set(place: &Place, set: LinkSetting) -> Op {
    Op::SetLink { place: place.clone(), set }
}

pub fn add_address(place: &Place, address: &str) -> Op {
    Op::AddAddress { place: place.clone(), address: Address::plain(address.parse().unwrap()) }
}

pub fn add_route(netns: &Netns, to: &str, via: Option<&str>, dev: Option<&str>) -> Op {
    let route = Route::new(to.parse().unwrap(), via.map(|ip| ip.parse().unwrap()), dev.map(link));
    Op::AddRoute { netns: netns.clone(), route }
}

pub fn apply(ops: &[Op]) {
    for (index, op) in ops.iter().enumerate() {
        Kernel::new().apply(&[op]).unwrap_or_else(|failure| panic!("{index}: {op}: {failure}"));
    }
}

pub fn observe(namespaces: &[Netns]) -> Observed {
    let wanted = Wanted { netns: namespaces.iter().cloned().collect(), ..Wanted::default() };
    Kernel::new().observe(&wanted).unwrap()
}

pub const ROUTED: &str = "ip netns add a; ip link add link0 type veth peer name eth0 netns a; ip link set link0 up
    ip -n a link set eth0 up; ip -n a link set lo up
    ip -n a address add 192.0.2.1/24 dev eth0; ip -n a address add 2001:db8::1/64 dev eth0 nodad";

pub fn some_routes() -> Vec<Route> {
    let new = |to: &str, via: &str, dev: &str| {
        let via = Some(via).filter(|v| !v.is_empty()).map(|v| v.parse().unwrap());
        Route::new(to.parse().unwrap(), via, Some(dev).filter(|d| !d.is_empty()).map(link))
    };
    vec![
        new("0.0.0.0/0", "192.0.2.254", "eth0"),
        Route { metric: 100, ..new("0.0.0.0/0", "192.0.2.253", "eth0") },
        new("198.51.100.0/24", "", "eth0"),
        Route { src: Some("192.0.2.1".parse().unwrap()), ..new("198.51.101.0/24", "192.0.2.254", "eth0") },
        Route { table: 100, ..new("0.0.0.0/0", "192.0.2.254", "eth0") },
        Route { table: 100_000, protocol: 4, ..new("10.0.0.0/8", "192.0.2.254", "eth0") },
        Route { onlink: true, ..new("10.1.0.0/16", "203.0.113.9", "eth0") },
        Route { scope: Scope::HOST, ..new("10.5.0.0/16", "", "eth0") },
        new("10.2.0.0/16", "fe80::1", "eth0"),
        new("10.3.0.0/16", "", "").of_kind(RouteKind::Blackhole),
        new("10.3.1.0/24", "", "").of_kind(RouteKind::Unreachable),
        new("10.3.2.0/24", "", "").of_kind(RouteKind::Prohibit),
        Route { table: 100, ..new("10.3.3.0/24", "", "").of_kind(RouteKind::Throw) },
        new("::/0", "fe80::1", "eth0"),
        Route { metric: 7, ..new("2001:db8:1::/48", "2001:db8::2", "eth0") },
        Route { src: Some("2001:db8::1".parse().unwrap()), ..new("2001:db8:2::/48", "2001:db8::2", "eth0") },
        Route { table: 100, ..new("2001:db8:3::/48", "", "eth0") },
        new("2001:db8:4::/48", "", "").of_kind(RouteKind::Blackhole),
        new("2001:db8:5::/48", "", "").of_kind(RouteKind::Unreachable),
        Route { onlink: true, ..new("2001:db8:6::/48", "2001:db9::1", "eth0") },
        new("10.77.0.0/16", "", "lo").of_kind(RouteKind::Local),
        Route { table: 255, ..new("10.78.0.0/16", "", "lo").of_kind(RouteKind::Local) },
        Route { table: 100, ..new("2001:db8:77::/48", "", "lo").of_kind(RouteKind::Local) },
        Route { table: 255, ..new("2001:db8:78::/48", "", "lo").of_kind(RouteKind::Local) },
        Route { metric: 5, ..new("::/0", "fe80::2", "eth0") },
    ]
}

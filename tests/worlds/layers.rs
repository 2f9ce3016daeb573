//! Links that are made of others: bridges, bonds, VRFs, VLANs and their like, put over a world of plain ones.

use super::{desired_link, inside, name, stanza, up};
use proptest::prelude::*;
use std::collections::BTreeSet;
use systemd_netns::model::{
    BridgeVlan, DesiredLink, Kind, Link, LinkName, LinkOptions, LinkValue, MacAddr, Netns, Place, PortOf, Presence,
    Stanza, Virtual, VirtualKind, VlanProtocol,
};

/// What the kernel has, beside bridges and pairs.
#[derive(Debug, Clone, Copy)]
pub struct Features {
    pub vlan: bool,
    pub vlan_aware: bool,
    pub bond: bool,
    pub vrf: bool,
    pub macvlan: bool,
    pub dummy: bool,
    /// Rules of nft(8), and settings.
    pub rules: bool,
}

impl Features {
    /// For worlds that are only simulated.
    pub const ALL: Features =
        Features { vlan: true, vlan_aware: true, bond: true, vrf: true, macvlan: true, dummy: true, rules: true };
}

/// What one of the plain links inside becomes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Role {
    Plain,
    BridgePort,
    BondPort,
    Member,
}

const TABLE: u32 = 10;

/// What is put over a world.
#[derive(Debug, Clone)]
pub struct Layers {
    roles: Vec<Role>,
    bridge: Option<DesiredLink>,
    bond: Option<DesiredLink>,
    vrf: bool,
    primary: bool,
    /// Whether commands run before bridge and bond are made.
    late: bool,
    ports: Vec<Port>,
    more: Vec<DesiredLink>,
}

/// What a bridge's port is like.
#[derive(Debug, Clone)]
struct Port {
    options: LinkOptions,
    vlans: Option<BTreeSet<BridgeVlan>>,
    addrgenmode: Option<u8>,
}

/// Links of the world below that may become ports.
const BELOW: [&str; 5] = ["nic0", "nic1", "nic2", "in0", "in1"];

pub fn layers(has: Features) -> impl Strategy<Value = Layers> {
    let mut roles = vec![Role::Plain, Role::Plain, Role::BridgePort];
    roles.extend(has.bond.then_some(Role::BondPort));
    roles.extend(has.vrf.then_some(Role::Member));
    let roles = prop::collection::vec(prop::sample::select(roles), BELOW.len());
    let ports = prop::collection::vec(port(has), BELOW.len());
    (roles, ports, prop::option::of(bridge(has)), prop::option::of(bond()), any::<(bool, bool, bool)>(), more(has))
        .prop_map(move |(roles, ports, bridge, bond, (vrf, primary, late), more)| Layers {
            roles,
            bridge,
            bond: bond.filter(|_| has.bond),
            vrf: vrf && has.vrf,
            primary,
            late,
            ports,
            more,
        })
}

fn number(word: &str, n: u64) -> (String, LinkValue) {
    (word.to_owned(), LinkValue::Number(n))
}

fn some_of(all: Vec<(&'static str, Vec<u64>)>) -> impl Strategy<Value = LinkOptions> {
    let one = |(word, values): (&'static str, Vec<u64>)| {
        prop::option::of(prop::sample::select(values)).prop_map(move |n| n.map(|n| number(word, n)))
    };
    all.into_iter().map(one).collect::<Vec<_>>().prop_map(|all| all.into_iter().flatten().collect())
}

fn vlans(has: Features) -> impl Strategy<Value = Option<BTreeSet<BridgeVlan>>> {
    let ids = prop::sample::subsequence(vec![1u16, 2, 3, 4, 10, 11, 100], 0..6);
    (any::<bool>(), ids, prop::option::of(prop::sample::select(vec![1u16, 3, 50])), any::<bool>()).prop_map(
        move |(yes, ids, pvid, untagged)| {
            let member = |id| BridgeVlan { id, pvid: false, untagged };
            let mut all: BTreeSet<_> = ids.into_iter().filter(|id| Some(*id) != pvid).map(member).collect();
            all.extend(pvid.map(|id| BridgeVlan { id, pvid: true, untagged: true }));
            (yes && has.vlan_aware).then_some(all)
        },
    )
}

fn port(has: Features) -> impl Strategy<Value = Port> {
    let words = [("cost", vec![5, 77]), ("priority", vec![1, 40]), ("hairpin", vec![0, 1]), ("learning", vec![0, 1])];
    assert!(words.iter().all(|(word, _)| PortOf::Bridge.option(word).is_some()));
    let addrgenmode = prop::option::of(prop::sample::select(vec![0u8, 1]));
    (some_of(words.to_vec()), vlans(has), addrgenmode).prop_map(|(options, vlans, addrgenmode)| Port {
        options,
        vlans,
        addrgenmode,
    })
}

fn bridge(has: Features) -> impl Strategy<Value = DesiredLink> {
    let mut words = vec![
        ("stp_state", vec![0]),
        ("ageing_time", vec![0, 30000, 12000]),
        ("hello_time", vec![100, 200]),
        ("priority", vec![4096, 32768]),
        ("mcast_snooping", vec![0, 1]),
    ];
    if has.vlan_aware {
        words.push(("vlan_filtering", vec![0, 1]));
        words.push(("vlan_default_pvid", vec![0, 1, 5]));
    }
    let mtu = prop::option::of(prop::sample::select(vec![1300u32, 1500]));
    (some_of(words), vlans(has), mtu, stanza(80, name("br0"))).prop_map(|(options, vlans, mtu, stanza)| {
        let has_pvid = options.contains_key("vlan_default_pvid");
        let kind = Some(Kind::Virtual(Virtual::new(VirtualKind::Bridge, None, options)));
        // One that has lost all its ports has no hardware address either, and the kernel lets it join no VLAN.
        let mac = MacAddr::from_bytes(&[2, 0, 0, 0, 9, 80]).filter(|_| vlans.is_some() || has_pvid);
        desired_link(Place::new(inside(), name("br0")), Link { kind, vlans, mtu, mac, ..up() }, stanza)
    })
}

fn bond() -> impl Strategy<Value = DesiredLink> {
    let words = vec![
        ("mode", vec![1]),
        ("miimon", vec![100, 200]),
        ("min_links", vec![0, 1]),
        ("lacp_rate", vec![0]),
        ("resend_igmp", vec![1, 3]),
        ("tlb_dynamic_lb", vec![0, 1]),
    ];
    let mtu = prop::option::of(prop::sample::select(vec![1300u32, 1500]));
    (some_of(words), mtu, stanza(82, name("bond0"))).prop_map(|(mut options, mtu, stanza)| {
        // Each of these belongs to a mode of its own.
        options.remove("lacp_rate");
        match options.contains_key("tlb_dynamic_lb") {
            true => options.insert("mode".into(), LinkValue::Number(5)),
            false => options.entry("mode".into()).or_insert(LinkValue::Number(0)).clone().into(),
        };
        let kind = Some(Kind::Virtual(Virtual::new(VirtualKind::Bond, None, options)));
        desired_link(Place::new(inside(), name("bond0")), Link { kind, mtu, ..up() }, stanza)
    })
}

/// A VLAN on what there is or on a NIC that stays, a dummy, a macvlan on one.
fn more(has: Features) -> impl Strategy<Value = Vec<DesiredLink>> {
    let within = ["br0", "bond0", "nic0", "in1"].map(|on| Place::new(inside(), name(on)));
    let outside = ["nic0", "nic2"].map(|on| Place::new(Netns::Host, name(on)));
    let on = prop::sample::select([&within[..], &outside[..]].concat());
    let vlan = (on, prop::sample::select(vec![5u16, 6]), stanza(84, name("v5"))).prop_map(|(on, id, stanza)| {
        let parent = Some(on);
        let kind = Some(Kind::Vlan { parent, id, protocol: VlanProtocol::Ieee8021Q });
        desired_link(Place::new(inside(), name("v5")), Link { kind, ..up() }, stanza)
    });
    let dummy = stanza(86, name("d0")).prop_map(|stanza| {
        let kind = Some(Kind::plain(VirtualKind::Dummy));
        desired_link(Place::new(inside(), name("d0")), Link { kind, ..up() }, stanza)
    });
    let on = prop::sample::select(vec!["nic1", "nic2"]);
    let macvlan = (on, stanza(88, name("m0"))).prop_map(|(on, stanza)| {
        let options = [number("mode", 4)].into();
        let parent = Some(Place::new(Netns::Host, name(on)));
        let kind = Some(Kind::Virtual(Virtual::new(VirtualKind::Macvlan, parent, options)));
        desired_link(Place::new(inside(), name("m0")), Link { kind, ..up() }, stanza)
    });
    let all = (prop::option::of(vlan), prop::option::of(dummy), prop::option::of(macvlan));
    all.prop_map(move |(vlan, dummy, macvlan)| {
        let vlan = vlan.filter(|_| has.vlan);
        let dummy = dummy.filter(|_| has.dummy);
        [vlan, dummy, macvlan.filter(|_| has.macvlan)].into_iter().flatten().collect()
    })
}

impl Layers {
    /// Puts them over the links of a world.
    pub fn over(self, links: &mut Vec<DesiredLink>) {
        let mut bond_ports = Vec::new();
        for (i, below) in BELOW.iter().enumerate() {
            let place = Place::new(inside(), name(below));
            let Some(link) = links.iter_mut().find(|l| l.place == place) else { continue };
            match self.roles[i] {
                Role::BridgePort if self.bridge.is_some() => self.ports[i].clone().join(link),
                Role::BondPort if self.bond.is_some() => {
                    bond_ports.push(name(below));
                    link.link.master = Some(name("bond0"));
                    // It is as large as its bond.
                    link.link.mtu = None;
                    link.stanzas = vec![Stanza::default()];
                }
                Role::Member if self.vrf => {
                    link.link.master = Some(name("vrf0"));
                    link.stanzas.iter_mut().flat_map(|s| &mut s.routes).for_each(|r| r.table = TABLE);
                }
                _ => {}
            }
        }
        let mut bond = self.bond;
        if let Some(bond) = &mut bond {
            set_primary(bond, &bond_ports, self.primary);
        }
        links.extend(self.vrf.then(vrf));
        for mut master in self.bridge.into_iter().chain(bond) {
            if let Some(stanza) = master.stanzas.first_mut().filter(|_| self.late) {
                stanza.pre_up = vec!["true".to_owned()];
                stanza.early = 1;
            }
            links.push(master);
        }
        for link in self.more {
            let parent = link.link.kind.as_ref().and_then(Kind::tied_to);
            let possible = parent.is_none_or(|parent| match parent.netns {
                // A NIC that moves in takes none of the host's links with it.
                Netns::Host => !links.iter().any(|l| l.host_name() == parent.link && l.presence != Presence::Borrowed),
                // A port has no VLANs of its own.
                _ => links.iter().any(|l| l.place == *parent && l.link.master.is_none_or(|m| m == name("vrf0"))),
            });
            if possible {
                links.extend(parent.filter(|p| p.netns == Netns::Host).map(borrowed));
                links.push(link);
            }
        }
    }
}

/// A NIC of the host that links stand on: it stays there, and is up meanwhile.
fn borrowed(place: &Place) -> DesiredLink {
    DesiredLink {
        presence: Presence::Borrowed,
        stanzas: Vec::new(),
        ..desired_link(place.clone(), up(), Stanza::default())
    }
}

impl Port {
    fn join(self, link: &mut DesiredLink) {
        link.link.master = Some(name("br0"));
        link.link.port = self.options;
        link.link.vlans = self.vlans;
        link.link.addrgenmode = self.addrgenmode;
        link.stanzas = vec![Stanza::default()];
    }
}

/// Only a bond with a spare has one that comes first.
fn set_primary(bond: &mut DesiredLink, ports: &[LinkName], yes: bool) {
    let Some(Kind::Virtual(v)) = &mut bond.link.kind else { return };
    let spare = v.options.get("mode") == Some(&LinkValue::Number(1));
    if let Some(first) = ports.last().filter(|_| yes && spare) {
        v.options.insert("primary".into(), LinkValue::Link(*first));
    }
}

fn vrf() -> DesiredLink {
    let options = [number("table", TABLE.into())].into();
    let kind = Some(Kind::Virtual(Virtual::new(VirtualKind::Vrf, None, options)));
    desired_link(Place::new(inside(), name("vrf0")), Link { kind, ..up() }, Stanza::default())
}

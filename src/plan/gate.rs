//! The host's side of a router: from the current state to the desired one, and back by the record alone.

use super::Problem;
use super::mend::Draft;
use super::op::{Op, Plan};
use super::retire;
use super::simulate::promote_secondaries;
use super::tables::keep_secondaries;
use crate::model::{Address, Gate, Link, LinkName, Netns, NetnsState, OwnedGate, Place, State, Sysctl};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};

/// The changes that lead from `current` to `gate`, given what was applied before (`owned`); or why there are none. `table_there` says
/// whether there is a table of its name: others may have flushed it.
///
/// # Errors
/// A link of the device's name that is somebody else's.
pub fn open_gate(
    current: State,
    gate: &Gate,
    owned: Option<&OwnedGate>,
    table_there: bool,
) -> Result<Plan, Vec<Problem>> {
    let place = Place::new(Netns::Host, gate.device);
    let mut draft = Draft::new(current);
    if let Some(owned) = owned.filter(|owned| owned.gate.device != gate.device) {
        retire::delete(&mut draft, &Place::new(Netns::Host, owned.gate.device));
    }
    let ours = owned.is_some_and(|owned| owned.gate.device == gate.device);
    match draft.now.link(&place).map(|link| link.kind.clone()) {
        Some(_) if !ours => {
            let message = format!("{} exists already and is not the router's", gate.device);
            let help = format!("choose another `Device`, or delete it: ip link delete {}", gate.device);
            return Err(vec![Problem::new(&place, message).help(help)]);
        }
        Some(Some(have)) if have.can_become(&gate.kind) => {}
        there => {
            if there.is_some() {
                retire::delete(&mut draft, &place);
            }
            draft.push(Op::AddLink { place: place.clone(), kind: gate.kind.clone() });
        }
    }
    let wanted = Link { up: gate.up, mtu: gate.mtu, ..Link::default() };
    draft.mend_down(&place, &wanted, None);
    addresses(&mut draft, &place, gate, owned);
    draft.mend_up(&place, &wanted);
    settings(&mut draft, gate, owned);
    let had_table = owned.is_some_and(|owned| owned.gate.table.is_some());
    let same = owned.is_some_and(|owned| owned.gate.table == gate.table) && table_there;
    if gate.table.is_some() && !same || gate.table.is_none() && had_table {
        draft.push(Op::SetTable { name: gate.table_name(), content: gate.table.clone() });
    }
    Ok(draft.plan)
}

/// Addresses that are missing, and those that are no longer asked for.
fn addresses(draft: &mut Draft, place: &Place, gate: &Gate, owned: Option<&OwnedGate>) {
    let address = |local| Address { nodad: matches!(local, IpNet::V6(_)), ..Address::plain(local) };
    let have = draft.now.netns.get(&Netns::Host).map_or(&[][..], |host| host.addresses_of(place.link)).to_vec();
    let there = draft.plan.ops.iter().all(|op| !matches!(op, Op::AddLink { .. }));
    let has = |wanted: &Address| there && have.iter().any(|a| a.key() == wanted.key());
    for wanted in gate.addresses.iter().map(|local| address(*local)).filter(|wanted| !has(wanted)) {
        draft.push(Op::AddAddress { place: place.clone(), address: wanted });
    }
    let before = owned.filter(|owned| owned.gate.device == gate.device);
    let before = before.into_iter().flat_map(|owned| &owned.gate.addresses);
    for gone in before.filter(|local| !gate.addresses.contains(local)).map(|local| address(*local)).filter(has) {
        let subnet = gone.local.trunc();
        let shared = matches!(subnet, IpNet::V4(_)) && gate.addresses.iter().any(|local| local.trunc() == subnet);
        let promoted = shared.then(|| keep_secondaries(draft, place));
        draft.push(Op::DeleteAddress { place: place.clone(), address: gone });
        promoted.into_iter().for_each(|promoted| promoted.undo(draft));
    }
}

/// The host's settings; those of links that are not there yet are passed over.
fn settings(draft: &mut Draft, gate: &Gate, owned: Option<&OwnedGate>) {
    let now = draft.now.netns.get(&Netns::Host).map(|host| host.sysctls.clone()).unwrap_or_default();
    let fresh = draft.plan.ops.iter().any(|op| matches!(op, Op::AddLink { .. }));
    for (key, value) in &gate.sysctls {
        let of_device = *key == Sysctl::ipv4(gate.device, "forwarding");
        match now.get(key) {
            Some(have) if have == value && !(fresh && of_device) => {}
            None if !of_device => draft.note(format!("there is no setting {key} yet: reload the router when there is")),
            _ => draft.push(Op::SetSysctl { netns: Netns::Host, key: key.clone(), value: value.clone() }),
        }
    }
    let Some(owned) = owned else { return };
    let gone: BTreeMap<Sysctl, String> = owned
        .before
        .iter()
        .filter(|(key, _)| !gate.sysctls.iter().any(|(wanted, _)| wanted == *key) && !gate.along.contains(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    restore(draft, &gone, &now);
}

/// What undoes it, but for the settings that other routers still need.
pub fn close_gate(current: State, owned: &OwnedGate, others: &[OwnedGate]) -> Plan {
    let mut draft = Draft::new(current);
    let now = draft.now.netns.get(&Netns::Host).map(|host| host.sysctls.clone()).unwrap_or_default();
    if owned.gate.table.is_some() {
        draft.push(Op::SetTable { name: owned.gate.table_name(), content: None });
    }
    retire::delete(&mut draft, &Place::new(Netns::Host, owned.gate.device));
    let needed: BTreeSet<&Sysctl> = others.iter().flat_map(|other| other.before.keys()).collect();
    let before = owned.before.iter().filter(|(key, _)| !needed.contains(key));
    restore(&mut draft, &before.map(|(key, value)| (key.clone(), value.clone())).collect(), &now);
    draft.plan
}

/// Settings as they were: those of all links first, as they change the others along.
fn restore(draft: &mut Draft, before: &BTreeMap<Sysctl, String>, now: &BTreeMap<Sysctl, String>) {
    let is_all = |key: &Sysctl| key.path().contains("/conf/all/");
    let (all, others): (Vec<_>, Vec<_>) = before.iter().partition(|(key, _)| is_all(key));
    let mut along = BTreeMap::new();
    for (key, value) in all {
        if now.get(key).is_some_and(|have| have != value) {
            along.insert((family(key), last(key)), value.clone());
            draft.push(Op::SetSysctl { netns: Netns::Host, key: key.clone(), value: value.clone() });
        }
    }
    for (key, value) in others {
        let by_all = along.get(&(family(key), last(key)));
        if now.contains_key(key) && by_all.or(now.get(key)) != Some(value) {
            draft.push(Op::SetSysctl { netns: Netns::Host, key: key.clone(), value: value.clone() });
        }
    }
}

fn family(key: &Sysctl) -> &str {
    key.path().split('/').nth(1).unwrap_or_default()
}

fn last(key: &Sysctl) -> &str {
    key.path().rsplit('/').next().unwrap_or_default()
}

/// The record that `gate` makes necessary, worked out before it is applied to `host`.
///
/// What other routers have changed already was something else before, which is what the last of them restores.
pub fn own_gate(host: &NetnsState, gate: Gate, previous: Option<OwnedGate>, others: &[OwnedGate]) -> OwnedGate {
    let mut before = previous.map(|previous| previous.before).unwrap_or_default();
    let own = [Sysctl::ipv4(gate.device, "forwarding")];
    for key in gate.sysctls.iter().map(|(key, _)| key).chain(&gate.along).filter(|key| !own.contains(key)) {
        let of_other = others.iter().find_map(|other| other.before.get(key));
        if let Some(value) = of_other.or_else(|| host.sysctls.get(key)) {
            before.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    OwnedGate { gate, before }
}

/// What is no longer this router's once a plan was carried out.
pub fn settle_gate(owned: &mut OwnedGate) {
    let OwnedGate { gate, before } = owned;
    before.retain(|key, _| gate.sysctls.iter().any(|(wanted, _)| wanted == key) || gate.along.contains(key));
}

/// The settings that must be looked at for it.
pub fn gate_settings<'a>(gate: Option<&'a Gate>, owned: Option<&'a OwnedGate>) -> BTreeSet<Sysctl> {
    let of_gate = gate.into_iter().flat_map(|gate| gate.sysctls.iter().map(|(key, _)| key).chain(&gate.along));
    let before = owned.into_iter().flat_map(|owned| owned.before.keys());
    let device = gate.or(owned.map(|owned| &owned.gate)).map(|gate| promote_secondaries(gate.device));
    of_gate.chain(before).cloned().chain(device).collect()
}

/// The links that must be looked at for it.
pub fn gate_links(gate: Option<&Gate>, owned: Option<&OwnedGate>) -> BTreeSet<LinkName> {
    gate.into_iter().chain(owned.map(|owned| &owned.gate)).map(|gate| gate.device).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, Virtual, VirtualKind};
    use crate::plan::simulate;

    fn gate() -> Gate {
        Gate {
            router: "r".parse().unwrap(),
            device: "r".parse().unwrap(),
            kind: Kind::Virtual(Virtual::plain(VirtualKind::Tun)),
            up: Some(true),
            mtu: Some(1500),
            addresses: vec!["192.168.0.1/24".parse().unwrap()],
            sysctls: vec![
                (Sysctl::ipv4("r".parse().unwrap(), "forwarding"), "1".into()),
                (Sysctl::ipv4_of_all("forwarding"), "1".into()),
            ],
            along: vec![Sysctl::ipv4("eth0".parse().unwrap(), "forwarding")],
            table: Some("chain x { }\n".into()),
        }
    }

    fn host() -> State {
        let mut host = NetnsState::default();
        host.sysctls.insert(Sysctl::ipv4_of_all("forwarding"), "0".into());
        host.sysctls.insert(Sysctl::ipv4("eth0".parse().unwrap(), "forwarding"), "1".into());
        State { netns: [(Netns::Host, host)].into() }
    }

    fn text(plan: &Plan) -> Vec<String> {
        plan.ops.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn it_converges_once_and_goes_without_a_trace() {
        let plan = open_gate(host(), &gate(), None, false).unwrap();
        let owned = own_gate(&host().netns[&Netns::Host], gate(), None, &[]);
        let up = simulate(&host(), &plan);
        assert!(text(&plan)[0].starts_with("ip tuntap add dev r mode tun"), "{plan}");
        assert!(text(&plan).last().unwrap().contains("nft -f -"), "{plan}");
        assert_eq!(text(&open_gate(up.clone(), &gate(), Some(&owned), true).unwrap()), [""; 0]);
        assert_eq!(open_gate(up.clone(), &gate(), Some(&owned), false).unwrap().ops.len(), 1, "the table was flushed");
        let down = close_gate(up.clone(), &owned, &[]);
        assert_eq!(simulate(&up, &down).netns[&Netns::Host].links, host().netns[&Netns::Host].links);
        let settings: Vec<String> = text(&down).into_iter().filter(|op| op.contains("sysctl")).collect();
        assert_eq!(
            settings,
            ["sysctl -qw net/ipv4/conf/all/forwarding=0", "sysctl -qw net/ipv4/conf/eth0/forwarding=1"],
            "what all links were changed along with is put back"
        );
    }

    #[test]
    fn what_another_router_needs_stays() {
        let host = host();
        let first = own_gate(&host.netns[&Netns::Host], gate(), None, &[]);
        let mut now = host.clone();
        now.netns.get_mut(&Netns::Host).unwrap().sysctls.insert(Sysctl::ipv4_of_all("forwarding"), "1".into());
        let second = own_gate(&now.netns[&Netns::Host], gate(), None, std::slice::from_ref(&first));
        assert_eq!(second.before, first.before);
        let down = close_gate(now.clone(), &first, std::slice::from_ref(&second));
        assert!(!down.to_string().contains("sysctl"), "{down}");
        assert!(close_gate(now, &second, &[]).to_string().contains("all/forwarding=0"));
    }

    #[test]
    fn a_reload_changes_the_difference() {
        let plan = open_gate(host(), &gate(), None, false).unwrap();
        let (owned, up) = (own_gate(&host().netns[&Netns::Host], gate(), None, &[]), simulate(&host(), &plan));
        let mut other = gate();
        other.addresses = vec!["192.168.1.1/24".parse().unwrap()];
        (other.mtu, other.table) = (Some(9000), None);
        other.sysctls.pop();
        other.along.clear();
        let plan = open_gate(up, &other, Some(&owned), true).unwrap();
        let wanted = [
            "ip link set dev r mtu 9000",
            "ip address add 192.168.1.1/24 dev r scope global",
            "ip address delete 192.168.0.1/24 dev r",
            "sysctl -qw net/ipv4/conf/all/forwarding=0",
            "sysctl -qw net/ipv4/conf/eth0/forwarding=1",
            "nft delete table inet systemd-netns-router-r",
        ];
        assert_eq!(text(&plan), wanted);
    }

    #[test]
    fn an_address_of_the_same_network_takes_the_place_of_another() {
        let mut first = gate();
        first.addresses.push("192.168.0.2/24".parse().unwrap());
        let up = simulate(&host(), &open_gate(host(), &first, None, false).unwrap());
        let mut second = gate();
        second.addresses = vec!["192.168.0.2/24".parse().unwrap(), "192.168.0.3/24".parse().unwrap()];
        let ops = |promoted: &str| {
            let mut up = up.clone();
            let key = Sysctl::ipv4("r".parse().unwrap(), "promote_secondaries");
            up.netns.get_mut(&Netns::Host).unwrap().sysctls.insert(key, promoted.into());
            let owned = own_gate(&host().netns[&Netns::Host], first.clone(), None, &[]);
            let plan = open_gate(up.clone(), &second, Some(&owned), true).unwrap();
            let have = simulate(&up, &plan).netns[&Netns::Host].addresses_of("r".parse().unwrap()).to_vec();
            assert_eq!(have.iter().map(|address| address.local).collect::<Vec<_>>(), second.addresses, "{plan}");
            plan.ops.len()
        };
        assert_eq!((ops("0"), ops("1")), (4, 2), "the kernel is kept from dropping the others");
    }

    #[test]
    fn somebody_elses_link_is_refused() {
        let mut host = host();
        let links = &mut host.netns.get_mut(&Netns::Host).unwrap().links;
        links.insert("r".parse().unwrap(), Link { kind: Some(gate().kind), ..Link::default() });
        let problems = open_gate(host, &gate(), None, false).unwrap_err();
        assert!(problems[0].message.contains("r exists already and is not the router's"));
    }
}

//! Options of kinds of links on a link that is nothing of the kind: they have no effect, which is said.

use super::{Members, kind};
use crate::config::draft::Draft;
use crate::config::options::Status;
use crate::config::report::Report;
use crate::interfaces::diagnostic::Diagnostic;
use crate::model::{Kind, Place, VirtualKind};

/// Options of a bridge that its ports have too.
const OF_PORTS_TOO: [&str; 6] =
    ["bridge-vids", "bridge-pvid", "bridge-access", "bridge-allow-untagged", "bridge-pathcost", "bridge-portprio"];

/// Those that only ports have.
const OF_PORTS: [&str; 5] = [
    "bridge-learning",
    "bridge-unicast-flood",
    "bridge-multicast-flood",
    "bridge-broadcast-flood",
    "bridge-arp-nd-suppress",
];

/// Options of a bond that its slaves have too.
const OF_SLAVES_TOO: [&str; 3] = ["bond-primary", "bond-primary-reselect", "bond-queue-id"];

/// Those that mean something on every link.
const OF_ALL: [&str; 7] = ["link-type", "use", "requires", "vrf", "bond-master", "ip-forward", "ip6-forward"];

/// Warns of them.
pub(super) fn report(drafts: &[Draft<'_>], members: &Members, report: &mut Report) {
    for draft in drafts {
        let master = draft.master.map(|master| Place::new(draft.place.netns.clone(), master));
        let master = master.and_then(|master| kind(&drafts[*members.index.get(&master)?]));
        for setting in &draft.settings {
            let Some(def) = setting.def.filter(|def| def.status == Status::Supported) else { continue };
            if let Some(missing) = missing(def.name, draft, master) {
                let name = &setting.opt.name;
                let message = format!("`{}` has no effect: `{}` is no {missing}", name.value, draft.place.link);
                report.push(Diagnostic::warning(&name.span, message));
            }
        }
    }
}

/// What the link would have to be.
fn missing(name: &str, draft: &Draft<'_>, master: Option<VirtualKind>) -> Option<&'static str> {
    use VirtualKind::{Bond, Bridge, Ipvlan, Macvlan, Macvtap, Tap, Tun, Vrf, Vxlan, Wireguard};
    let own = kind(draft);
    let is = |kinds: &[VirtualKind]| own.is_some_and(|own| kinds.contains(&own));
    let (fits, what) = match name {
        _ if OF_ALL.contains(&name) => return None,
        _ if OF_PORTS.contains(&name) => (master == Some(Bridge), "port of a bridge"),
        _ if OF_PORTS_TOO.contains(&name) => (is(&[Bridge]) || master == Some(Bridge), "bridge and no port of one"),
        _ if OF_SLAVES_TOO.contains(&name) => (is(&[Bond]) || master == Some(Bond), "bond and no slave of one"),
        _ if name.starts_with("bridge-") => (is(&[Bridge]), "bridge"),
        _ if name.starts_with("bond-") => (is(&[Bond]), "bond"),
        _ if name.starts_with("vxlan-") => (is(&[Vxlan]), "vxlan"),
        _ if name.starts_with("vrf-") => (is(&[Vrf]), "vrf"),
        _ if name.starts_with("tuntap-") => (is(&[Tun, Tap]), "tun or tap"),
        _ if name.starts_with("wireguard-") => (is(&[Wireguard]), "wireguard"),
        "veth-peer-name" => (matches!(draft.kind, Some(Kind::Veth { .. })), "pair"),
        "raw-device" => (is(&[Macvlan, Macvtap, Ipvlan]), "macvlan, macvtap or ipvlan"),
        "macvlan-mode" => (is(&[Macvlan, Macvtap]), "macvlan or macvtap"),
        "ipvlan-mode" => (is(&[Ipvlan]), "ipvlan"),
        _ => (own.is_some_and(VirtualKind::is_ip_tunnel), "tunnel"),
    };
    (!fits).then_some(what)
}

//! What a router's settings mean for the host: its device, forwarding, masquerading.
//!
//! IPv4 is forwarded from links one by one (`net.ipv4.conf.LINK.forwarding`), so where the way out is named, only that link and the
//! router's own are set. IPv6 is forwarded by all links or none, and a host that forwards no longer takes router advertisements, by
//! which it may have its own default route; so links that take them are told to go on (`accept_ra` 2, ip-sysctl).

use crate::model::{Gate, Kind, LinkName, LinkOptions, LinkValue, RouterName, Sysctl, Virtual, VirtualKind};
use crate::router::settings::{Mode, Settings};

/// The host's side of a router. `links` are those of the host, `advertised` those of them that take router advertisements for as long
/// as nothing is forwarded.
pub fn gate(name: &RouterName, settings: &Settings, links: &[LinkName], advertised: &[LinkName]) -> Gate {
    let kind = if settings.mode == Mode::Tap { VirtualKind::Tap } else { VirtualKind::Tun };
    // Root's: one that is nobody's may be attached to by anybody.
    let options = LinkOptions::from([("user".to_owned(), LinkValue::Number(0))]);
    let (mut sysctls, mut along) = (Vec::new(), Vec::new());
    let others = || links.iter().copied().filter(|link| *link != settings.device && !link.is_loopback());
    let has_ipv6 = settings.addresses.iter().any(|address| address.addr().is_ipv6());
    let has_ipv4 = settings.addresses.is_empty() || settings.addresses.iter().any(|address| address.addr().is_ipv4());
    let behind = settings.nat.as_ref().and_then(|nat| nat.behind);
    let on = |key: Sysctl| (key, "1".to_owned());
    if settings.forwarding && has_ipv4 {
        sysctls.push(on(Sysctl::ipv4(settings.device, "forwarding")));
        match behind {
            Some(link) => sysctls.push(on(Sysctl::ipv4(link, "forwarding"))),
            None => {
                sysctls.push(on(Sysctl::ipv4_of_all("forwarding")));
                along.extend(others().map(|link| Sysctl::ipv4(link, "forwarding")));
            }
        }
    }
    if settings.forwarding && has_ipv6 {
        let takes = others().filter(|link| advertised.contains(link));
        sysctls.extend(takes.map(|link| (Sysctl::ipv6(link, "accept_ra"), "2".to_owned())));
        sysctls.push(on(Sysctl::ipv6_of_all("forwarding")));
        along.extend(others().map(|link| Sysctl::ipv6(link, "forwarding")));
    }
    Gate {
        router: name.clone(),
        device: settings.device,
        kind: Kind::Virtual(Virtual::new(kind, None, options)),
        up: Some(true),
        mtu: Some(settings.mtu),
        addresses: settings.addresses.clone(),
        sysctls,
        along,
        table: settings.nat.as_ref().filter(|_| settings.forwarding).map(|nat| table(settings.device, nat.behind)),
    }
}

/// Only what comes from the router's device is masqueraded.
fn table(device: LinkName, behind: Option<LinkName>) -> String {
    let out = match behind {
        Some(link) => format!("oifname \"{link}\""),
        None => format!("oifname != \"{device}\""),
    };
    format!(
        "\tchain postrouting {{\n\t\ttype nat hook postrouting priority 100; policy accept;\n\t\tiifname \"{device}\" {out} \
         masquerade\n\t}}\n"
    )
}

//! The commands that a person would type for what is done beside the kernel: clients that ask for addresses, devices of
//! routers, tables of nft(8), and the file of name servers.

use super::{Exec, Ip, Quoted, dev};
use crate::model::{Device, DeviceInstance, Instance, Netns, Place};
use crate::plan::op::{Asking, Op};
use std::fmt;

/// Writes the command of one of these operations; nothing for others.
pub(super) fn write(f: &mut fmt::Formatter<'_>, op: &Op) -> fmt::Result {
    match op {
        Op::AwaitLinkLocal { place, limit } => {
            let show = format!("{} -6 address show dev {} scope link -tentative", Ip(&place.netns), dev(&place.link));
            write!(f, "timeout {} sh -c 'until {show} | grep -q .; do sleep 0.1; done'", limit.as_secs_f32())
        }
        Op::StartDhcp(asking) => {
            write!(f, "systemctl start {}  # {}", Quoted(&unit(asking)), asking.dhcp.client)
        }
        Op::StopDhcp(asking) => write!(f, "systemctl stop {}", Quoted(&unit(asking))),
        Op::AwaitLease(asking) => write_await(f, asking),
        Op::AttachDevice { place, device } => write_attach(f, place, device),
        Op::DetachDevice(place) => {
            let unit = DeviceInstance::of(place).map_or_else(String::new, |instance| instance.unit());
            write!(f, "systemctl stop {}", Quoted(&unit))
        }
        Op::SetTable { name, content: Some(content) } => {
            let text = format!("table inet {name}\ndelete table inet {name}\ntable inet {name} {{\n{content}}}\n");
            write!(f, "printf %s {} | nft -f -", Quoted(&text))
        }
        Op::SetTable { name, content: None } => write!(f, "nft delete table inet {}", Quoted(name)),
        Op::SetRuleset { netns, ruleset: Some(ruleset) } => {
            let netns = Netns::Named(netns.clone());
            write!(f, "printf %s {} | {}nft -f -", Quoted(&ruleset.transaction()), Exec(&netns))
        }
        Op::SetRuleset { netns, ruleset: None } => {
            write!(f, "{}nft flush ruleset", Exec(&Netns::Named(netns.clone())))
        }
        Op::SetResolv { netns, resolv: Some(resolv) } => {
            let text = resolv.to_string();
            let file = format!("/run/systemd-netns/{netns}/etc/resolv.conf");
            write!(f, "printf %s {} >{}", Quoted(&text), Quoted(&file))
        }
        Op::SetResolv { netns, resolv: None } => {
            let (own, file) =
                (format!("/etc/netns/{netns}/resolv.conf"), format!("/run/systemd-netns/{netns}/etc/resolv.conf"));
            write!(f, "ln -sf {} {}", Quoted(&own), Quoted(&file))
        }
        _ => Ok(()),
    }
}

/// The router's socket first, where it is one of this host.
fn write_attach(f: &mut fmt::Formatter<'_>, place: &Place, device: &Device) -> fmt::Result {
    if let Some(router) = &device.named {
        write!(f, "systemctl start systemd-netns-router@{router}.socket && ")?;
    }
    let unit = DeviceInstance::of(place).map_or_else(String::new, |instance| instance.unit());
    write!(f, "systemctl start {}  # {}", Quoted(&unit), device.router)
}

fn unit(asking: &Asking) -> String {
    Instance::of(&asking.place, asking.dhcp.protocol).map_or_else(String::new, |instance| instance.unit())
}

/// Waits for an address that comes and goes; without one to come, for the client's own word.
fn write_await(f: &mut fmt::Formatter<'_>, asking: &Asking) -> fmt::Result {
    let Some(instance) = Instance::of(&asking.place, asking.dhcp.protocol) else { return Ok(()) };
    let lease = format!("/run/systemd-netns/{}/dhcp/{}/lease.json", instance.netns, instance.within());
    write!(f, "timeout {} sh -c 'until test -e \"$0\"; do sleep 0.1; done' {}", asking.dhcp.limit, Quoted(&lease))
}

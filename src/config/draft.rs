//! A link while its stanzas are gathered, and what they ask of it together.

use super::inherit::Setting;
use super::kind::vlan::dotted;
use super::link_options::Mtu;
use super::report::Report;
use super::select::Machine;
use super::stanza::Evaluated;
use crate::interfaces::diagnostic::{Diagnostic, Span};
use crate::model::{
    BridgeVlan, DesiredLink, Kind, Link, LinkName, LinkOptions, MacAddr, Netns, Place, Presence, Stanza, Sysctl,
    VirtualKind, Wireguard,
};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// A link that the files name.
pub(super) struct Draft<'a> {
    pub place: Place,
    /// Where it is named first; `lo` need not be.
    pub span: Option<Span>,
    pub kind: Option<Kind>,
    pub up: Option<bool>,
    pub master: Option<LinkName>,
    pub altname: Option<String>,
    /// How IPv6 link-local addresses are made.
    pub addrgenmode: Option<u8>,
    /// What it is as a port of its master.
    pub port: LinkOptions,
    pub vlans: Option<BTreeSet<BridgeVlan>>,
    pub wait: Option<Duration>,
    pub wireguard: Option<Box<Wireguard>>,
    /// The MTU that its master gives it, if any, and whether it does so after the link's own stanzas.
    pub master_mtu: Option<(Option<u32>, bool)>,
    /// The options of its stanzas that are about kinds of links.
    pub settings: Vec<Setting<'a>>,
    pub from: Option<LinkName>,
    /// A `pre-up` command of another link seems to make it.
    pub by_command: bool,
    /// Its hardware address, where no stanza has a say in it.
    pub fixed_mac: Option<MacAddr>,
    /// It stays on the host, and is not ours.
    pub borrowed: bool,
    /// It is the name of a connection, not of a link.
    pub only_a_name: bool,
    /// `vlan-raw-device` names its parent.
    pub raw: bool,
    pub stanzas: Vec<Evaluated<'a>>,
}

/// The MTU of an Ethernet link that is made and told nothing.
const ETHERNET_MTU: u32 = 1500;

/// Kinds that have it when they are made.
const ETHERNET: [VirtualKind; 3] = [VirtualKind::Bridge, VirtualKind::Bond, VirtualKind::Dummy];

impl<'a> Draft<'a> {
    /// A link that is brought up.
    pub fn new(place: Place, span: Option<Span>, kind: Option<Kind>) -> Self {
        Self {
            place,
            span,
            kind,
            up: Some(true),
            master: None,
            altname: None,
            addrgenmode: None,
            port: LinkOptions::new(),
            vlans: None,
            wait: None,
            wireguard: None,
            master_mtu: None,
            settings: Vec::new(),
            from: None,
            by_command: false,
            fixed_mac: None,
            borrowed: false,
            only_a_name: false,
            raw: false,
            stanzas: Vec::new(),
        }
    }

    /// The link as it shall be. `mtu` was found in view of the other links.
    pub fn finish(self, mtu: Option<u32>, report: &mut Report) -> DesiredLink {
        let by_command = self.by_command || self.stanzas.iter().any(|stanza| stanza.pre_ups > 0);
        let presence = match () {
            () if self.borrowed => Presence::Borrowed,
            () if self.only_a_name => Presence::OnlyAName,
            () if by_command && self.kind.is_none() && self.place.netns != Netns::Host => Presence::MadeByCommand,
            () => Presence::Required,
        };
        let link = Link {
            kind: self.kind.clone(),
            up: self.up,
            mtu,
            mac: self.mac(report).or(self.fixed_mac),
            alias: self.stanzas.iter().rev().find_map(|stanza| stanza.wishes.alias.clone()),
            master: self.master,
            port: self.port.clone(),
            vlans: self.vlans.clone(),
            addrgenmode: self.addrgenmode,
            wireguard: self.wireguard.clone(),
            altnames: self.altname.iter().cloned().collect::<BTreeSet<String>>(),
        };
        let (sysctls, early) = (self.sysctls(), self.early_commands());
        let mut stanzas: Vec<Stanza> = self.stanzas.into_iter().map(finish_stanza).collect();
        if let Some(first) = stanzas.first_mut() {
            first.early = early;
        }
        DesiredLink {
            place: self.place,
            link,
            from: self.from,
            presence,
            sysctls,
            wait: self.wait,
            device: None,
            stanzas,
        }
    }

    /// How many commands run before the link is made. Debian makes bridges and bonds, and VLANs that are not named `X.V`, by
    /// scripts that follow the `pre-up` lines, and tunnels by the method. Where the other implementations make
    /// links of their kinds is up to them: here they are made first.
    fn early_commands(&self) -> usize {
        let Some(first) = self.stanzas.first() else { return 0 };
        match &self.kind {
            Some(Kind::Vlan { .. }) if self.raw && dotted(self.place.link.as_str()).is_none() => first.pre_ups,
            Some(Kind::Virtual(own)) if own.kind.is_made_of_ports() || own.kind.is_ip_tunnel() => first.pre_ups,
            _ => 0,
        }
    }

    /// The last one, as with ifupdown.
    fn mac(&self, report: &mut Report) -> Option<MacAddr> {
        let all: Vec<_> = self.stanzas.iter().filter_map(|stanza| stanza.wishes.mac).collect();
        for pair in all.windows(2) {
            if pair[0].0 != pair[1].0 {
                let message = format!("`{}` has another `hwaddress` before; this one is taken", self.place.link);
                let help = format!("see {}", pair[0].1.value.span);
                report.push(Diagnostic::warning(&pair[1].1.value.span, message).help(help));
            }
        }
        all.last().map(|(mac, _)| *mac)
    }

    /// Those of all stanzas; of one that several set, the last value.
    fn sysctls(&self) -> Vec<(Sysctl, String)> {
        let mut all: Vec<(Sysctl, String)> = Vec::new();
        for (key, value) in self.stanzas.iter().flat_map(|stanza| &stanza.wishes.sysctls) {
            match all.iter_mut().find(|(other, _)| other == key) {
                Some((_, other)) => other.clone_from(value),
                None => all.push((key.clone(), value.clone())),
            }
        }
        all
    }

    fn mtu_wishes(&self) -> impl Iterator<Item = Mtu<'a>> + '_ {
        self.stanzas.iter().filter_map(|stanza| stanza.wishes.mtu)
    }
}

fn finish_stanza(evaluated: Evaluated<'_>) -> Stanza {
    Stanza { routes: evaluated.routes.into_iter().map(|line| line.route).collect(), ..evaluated.stanza }
}

/// The MTU of every link: the stanzas in turn, of which an `inet6` one only ever raises it; then that of a VLAN's
/// parent which `vlan-raw-device` names, raised to the VLAN's.
///
/// What the link has already counts, so that the answer is the same before and after it was given once.
pub(super) fn mtus(drafts: &[Draft<'_>], machine: &Machine<'_>, report: &mut Report) -> Vec<Option<u32>> {
    let index: HashMap<&Place, usize> = drafts.iter().enumerate().map(|(i, draft)| (&draft.place, i)).collect();
    let mut mtus: Vec<Option<u32>> = vec![None; drafts.len()];
    for (i, draft) in drafts.iter().enumerate() {
        if let Some((mtu, false)) = draft.master_mtu {
            mtus[i] = mtu;
        }
        for wish in draft.mtu_wishes() {
            let present = || mtus[i].or_else(|| present_mtu(draft, &index, &mtus, drafts, machine));
            match wish.raises_only.then(present).flatten() {
                Some(present) if present > wish.bytes => {
                    let message =
                        format!("`mtu {}` of an `inet6` stanza cannot lower the link's {present}", wish.bytes);
                    let help = "as with ifupdown, it only raises it; an `inet` stanza sets it";
                    report.push(Diagnostic::warning(&wish.opt.value.span, message).help(help));
                }
                _ => mtus[i] = Some(wish.bytes),
            }
        }
        if let Some((mtu, true)) = draft.master_mtu {
            mtus[i] = mtu;
        }
    }
    for (i, draft) in drafts.iter().enumerate().filter(|(_, draft)| draft.raw) {
        let Some(parent) = draft.kind.as_ref().and_then(Kind::tied_to).and_then(|place| index.get(place)) else {
            continue;
        };
        let present = mtus[*parent].or_else(|| present_mtu(&drafts[*parent], &index, &mtus, drafts, machine));
        if let (Some(wanted), Some(present)) = (mtus[i], present)
            && present <= wanted
        {
            mtus[*parent] = Some(wanted);
        }
    }
    inherit(&mut mtus, drafts, &index);
    mtus
}

/// What the kernel gives a link that is made on another: the MTU which that one has by then. Ours are made before it is set.
fn inherit(mtus: &mut [Option<u32>], drafts: &[Draft<'_>], index: &HashMap<&Place, usize>) {
    const TAKERS: [VirtualKind; 3] = [VirtualKind::Macvlan, VirtualKind::Macvtap, VirtualKind::Ipvlan];
    for (i, draft) in drafts.iter().enumerate() {
        let takes = match &draft.kind {
            Some(Kind::Vlan { .. }) => true,
            Some(Kind::Virtual(own)) => TAKERS.contains(&own.kind),
            _ => false,
        };
        let parent = draft.kind.as_ref().filter(|_| takes).and_then(Kind::tied_to);
        if let Some(parent) = parent.and_then(|place| index.get(place)) {
            mtus[i] = mtus[i].or(mtus[*parent]);
        }
    }
}

/// The MTU that a link has before anything is done, if that is known.
fn present_mtu(
    draft: &Draft<'_>,
    index: &HashMap<&Place, usize>,
    mtus: &[Option<u32>],
    drafts: &[Draft<'_>],
    machine: &Machine<'_>,
) -> Option<u32> {
    match &draft.kind {
        Some(Kind::Veth { .. }) => Some(ETHERNET_MTU),
        Some(Kind::Virtual(own)) => ETHERNET.contains(&own.kind).then_some(ETHERNET_MTU),
        Some(Kind::Vlan { parent, .. }) => {
            let parent = *index.get(parent.as_ref()?)?;
            // A VLAN's parent stands before it, so this ends.
            mtus[parent].or_else(|| match &drafts[parent].kind {
                Some(Kind::Vlan { .. }) => None,
                _ => present_mtu(&drafts[parent], index, mtus, drafts, machine),
            })
        }
        _ => machine.mtu(draft.from.unwrap_or(draft.place.link)).or_else(|| machine.mtu(draft.place.link)),
    }
}

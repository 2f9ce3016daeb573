//! A plan in the making: what was decided so far, and the links as they will be by then.
//!
//! Every decision is taken against [`Draft::now`], the simulated links, so that a plan is right at each of its steps. Addresses
//! and routes are not simulated while a plan is made: each list is looked at once, and may be long.

use super::Problem;
use super::op::{Asking, Command, LinkSetting, Op, Phase, Plan};
use super::simulate::step;
use crate::model::{Dhcp, Link, LinkName, Netns, Place, Protocol, Stanza, State, VirtualKind};
use std::collections::BTreeSet;
use std::time::Duration;

pub(super) struct Draft {
    pub(super) now: State,
    pub(super) plan: Plan,
    pub(super) problems: Vec<Problem>,
    waits: Vec<(Place, Duration)>,
    /// Clients that were started and not yet waited for.
    asking: Vec<Asking>,
    /// Links that are made once commands have run.
    pub(super) unborn: BTreeSet<Place>,
    /// Links that were taken down since [`Tables`](super::tables::Tables) last looked: their routes are gone, and their IPv6 addresses.
    pub(super) fallen: BTreeSet<Place>,
}

impl Draft {
    pub(super) fn new(current: State) -> Self {
        let (plan, problems, waits, asking) = Default::default();
        Self { now: current, plan, problems, waits, asking, unborn: BTreeSet::new(), fallen: BTreeSet::new() }
    }

    /// Adds a change, and takes note of what it does to links.
    pub(super) fn push(&mut self, op: Op) {
        if let Op::SetLink { place, set } = &op
            && self.takes_down(place, set)
        {
            self.fallen.insert(place.clone());
        }
        match op {
            Op::AddAddress { .. } | Op::ChangeAddress { .. } | Op::DeleteAddress { .. } => {}
            Op::AddRoute { .. } | Op::ReplaceRoute { .. } | Op::DeleteRoute { .. } => {}
            _ => step(&mut self.now, &op),
        }
        self.plan.ops.push(op);
    }

    /// Whether a link that is up goes down, be it for a moment: a VRF does that to its members.
    fn takes_down(&self, place: &Place, set: &LinkSetting) -> bool {
        let Some(link) = self.now.link(place) else { return false };
        let is_vrf = |master: &Option<LinkName>| {
            let master = master.map(|link| Place::new(place.netns.clone(), link));
            let kind = master.and_then(|master| self.now.link(&master)?.kind.as_ref()?.as_virtual());
            kind.is_some_and(|v| v.kind == VirtualKind::Vrf)
        };
        match set {
            LinkSetting::Up(false) => link.up != Some(false),
            LinkSetting::Master(new) => *new != link.master && (is_vrf(new) || is_vrf(&link.master)),
            _ => false,
        }
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.plan.notes.push(text.into());
    }

    /// Waits for duplicate address detection before the next command of the user's, or at the end: all links at once.
    pub(super) fn await_dad(&mut self, place: &Place, limit: Duration) {
        match self.waits.iter_mut().find(|(p, _)| p == place) {
            Some((_, longest)) => *longest = limit.max(*longest),
            None => self.waits.push((place.clone(), limit)),
        }
    }

    pub(super) fn finish_waits(&mut self) {
        for (place, limit) in std::mem::take(&mut self.waits) {
            self.push(Op::AwaitDad { place, limit });
        }
        for asking in std::mem::take(&mut self.asking) {
            self.push(Op::AwaitLease(asking));
        }
    }

    /// Starts a client. Its answer is waited for where duplicate address detection is: all clients ask at once.
    pub(super) fn start_dhcp(&mut self, place: &Place, dhcp: &Dhcp) {
        if let Some(limit) = dhcp.link_local {
            self.push(Op::AwaitLinkLocal { place: place.clone(), limit });
        }
        let asking = Asking { place: place.clone(), dhcp: dhcp.clone() };
        self.push(Op::StartDhcp(asking.clone()));
        if dhcp.limit > 0 {
            self.asking.push(asking);
        }
    }

    /// Waits for what a client of the link is going to be given: the first IPv4 address is the one that packets leave with.
    pub(super) fn let_leases_come_first(&mut self, place: &Place) {
        let gives_ipv4 = |asking: &Asking| asking.place == *place && asking.dhcp.protocol != Protocol::Dhcp6;
        if self.asking.iter().any(gives_ipv4) {
            self.finish_waits();
        }
    }

    pub(super) fn stop_dhcp(&mut self, place: &Place, dhcp: &Dhcp) {
        self.push(Op::StopDhcp(Asking { place: place.clone(), dhcp: dhcp.clone() }));
    }

    /// The stanza's commands of a phase.
    pub(super) fn run(&mut self, place: &Place, stanza: &Stanza, phase: Phase) {
        self.run_in(&place.netns, place.link, stanza, phase);
    }

    /// The scripts that run once for all links together; ifupdown calls them `--all` (ifup(8)).
    pub(super) fn run_for_all(&mut self, netns: &Netns, scripts: &Stanza, phase: Phase) {
        self.run_in(netns, "--all".parse().unwrap_or(LinkName::LO), scripts, phase);
    }

    fn run_in(&mut self, netns: &Netns, link: LinkName, stanza: &Stanza, phase: Phase) {
        let lines = match phase {
            Phase::PreUp => &stanza.pre_up,
            Phase::PostUp => &stanza.up,
            Phase::PreDown => &stanza.down,
            Phase::PostDown => &stanza.post_down,
        };
        self.run_lines(&Place::new(netns.clone(), link), stanza, phase, lines);
    }

    /// Some of a stanza's commands of a phase.
    pub(super) fn run_lines(&mut self, place: &Place, stanza: &Stanza, phase: Phase, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        self.finish_waits();
        let mut environment = stanza.environment.clone();
        environment.push(("MODE".into(), phase.mode().into()));
        environment.push(("PHASE".into(), phase.as_str().into()));
        for line in lines {
            self.push(Op::Run(Command {
                netns: place.netns.clone(),
                link: place.link,
                phase,
                line: line.clone(),
                environment: environment.clone(),
            }));
        }
    }

    /// Gives a link the properties that `want` names, all but the up flag: drivers refuse some once it is up. `was` is what was
    /// asked of it before.
    ///
    /// The master comes before what it has a say in: a bond's ports are as large as it is.
    pub(super) fn mend_down(&mut self, place: &Place, want: &Link, was: Option<&Link>) {
        let have = self.now.link(place).cloned().unwrap_or_default();
        let a_bonds_port = |draft: &Self| {
            let master = draft.now.link(place).and_then(|l| l.master);
            master.and_then(|m| draft.virtual_kind(&Place::new(place.netns.clone(), m))) == Some(VirtualKind::Bond)
        };
        // Its bond has given it another one since.
        if let Some(mac) = want.mac.filter(|_| have.mac != want.mac && !a_bonds_port(self)) {
            self.set(place, LinkSetting::Mac(mac));
        }
        if let Some(mode) = want.addrgenmode.filter(|_| have.addrgenmode != want.addrgenmode) {
            self.set(place, LinkSetting::AddrGenMode(mode));
        }
        let orphan = self.waits_for_master(place, want);
        if !orphan {
            self.join(place, want.master);
        }
        self.mend_mtu(place, want);
        if let Some(alias) = want.alias.clone().filter(|_| have.alias != want.alias) {
            self.set(place, LinkSetting::Alias(alias));
        }
        for altname in want.altnames.difference(&have.altnames) {
            self.set(place, LinkSetting::AddAltname(altname.clone()));
        }
        self.mend_options(place, want, |_| true);
        if !orphan {
            self.mend_port(place, want);
            self.mend_vlans(place, want);
        }
        if let Some(wg) = &want.wireguard {
            let before = was.and_then(|w| w.wireguard.as_ref());
            let moved = before.is_some_and(|before| !before.same_endpoints(wg));
            if moved || !have.wireguard.is_some_and(|have| have.satisfies(wg)) {
                self.set(place, LinkSetting::Wireguard(wg.clone()));
            }
        }
    }

    pub(super) fn mend_mtu(&mut self, place: &Place, want: &Link) {
        let have = self.now.link(place).and_then(|l| l.mtu);
        if let Some(mtu) = want.mtu.filter(|_| have != want.mtu) {
            self.set(place, LinkSetting::Mtu(mtu));
        }
    }

    /// The up flag.
    pub(super) fn mend_up(&mut self, place: &Place, want: &Link) {
        let have = self.now.link(place).and_then(|l| l.up);
        if let Some(up) = want.up.filter(|_| have != want.up) {
            self.push(Op::SetLink { place: place.clone(), set: LinkSetting::Up(up) });
        }
    }
}

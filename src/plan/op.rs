//! [`Op`]: one change to one thing.

use crate::model::{
    Address, Device, Dhcp, Kind, LinkName, LinkOptions, MacAddr, Netns, NetnsName, Place, PortOf, Resolv, Route, Rule,
    Ruleset, Sysctl, Virtual, VirtualKind, Wireguard,
};
use std::time::Duration;

/// Changes in the order in which they are made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The changes.
    pub ops: Vec<Op>,
    /// What the user should know about them: one sentence each.
    pub notes: Vec<String>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}

/// One change to one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Makes a namespace, with `lo` down.
    AddNetns(NetnsName),
    /// Removes a namespace's name; the kernel ends it when nobody uses it any more.
    DeleteNetns(NetnsName),
    /// Makes a link. A VLAN's parent or a pair's other end may be in another namespace.
    AddLink {
        /// Where.
        place: Place,
        /// What. The place inside it is never `None`.
        kind: Kind,
    },
    /// Makes a link of options; if a command has made it by then, that one is given the options.
    EnsureLink {
        /// Where.
        place: Place,
        /// What, and with which options.
        own: Virtual,
    },
    /// Deletes a link, and the other end of a pair with it.
    DeleteLink(Place),
    /// Moves a link to another namespace and renames it in the same request.
    MoveLink {
        /// Where it is.
        from: Place,
        /// Where it shall be.
        to: Place,
    },
    /// Changes one property of a link.
    SetLink {
        /// Which.
        place: Place,
        /// What.
        set: LinkSetting,
    },
    /// Adds an address; it is an error if it is there.
    AddAddress {
        /// The link.
        place: Place,
        /// The address.
        address: Address,
    },
    /// Gives an address that is there another lifetime.
    ChangeAddress {
        /// The link.
        place: Place,
        /// The address as it shall be.
        address: Address,
    },
    /// Deletes an address.
    DeleteAddress {
        /// The link.
        place: Place,
        /// The address.
        address: Address,
    },
    /// Adds a route; it is an error if one with its key is there.
    AddRoute {
        /// The namespace.
        netns: Netns,
        /// The route.
        route: Route,
    },
    /// Puts a route in the place of the one with its key, without a moment in between.
    ReplaceRoute {
        /// The namespace.
        netns: Netns,
        /// The route.
        route: Route,
    },
    /// Deletes a route.
    DeleteRoute {
        /// The namespace.
        netns: Netns,
        /// The route.
        route: Route,
    },
    /// Adds a policy rule.
    AddRule {
        /// The namespace.
        netns: Netns,
        /// The rule.
        rule: Rule,
    },
    /// Deletes a policy rule.
    DeleteRule {
        /// The namespace.
        netns: Netns,
        /// The rule.
        rule: Rule,
    },
    /// Writes a kernel setting.
    SetSysctl {
        /// The namespace.
        netns: Netns,
        /// The setting.
        key: Sysctl,
        /// The value.
        value: String,
        /// Whether it is no failure when the kernel has no such setting, or takes no such value.
        optional: bool,
    },
    /// Waits until a link exists that a command made.
    AwaitLink(Place),
    /// Waits until no address of the link is tentative. A duplicate is an error; a link without carrier is not waited for.
    AwaitDad {
        /// The link.
        place: Place,
        /// The longest wait.
        limit: Duration,
    },
    /// Waits until no port of a bridge listens or learns any more. It is no error if that takes longer.
    AwaitForwarding {
        /// The bridge.
        place: Place,
        /// The longest wait.
        limit: Duration,
    },
    /// Waits until a link has an IPv6 link-local address that may be used.
    AwaitLinkLocal {
        /// The link.
        place: Place,
        /// The longest wait.
        limit: Duration,
    },
    /// Starts the client that asks the network for a link's addresses; one that runs is replaced.
    StartDhcp(Asking),
    /// Waits until that client was answered.
    AwaitLease(Asking),
    /// Gives back what the client was given, and ends it.
    StopDhcp(Asking),
    /// Starts what holds a link's device and passes it to its router, and waits until the router has it; one that runs is replaced.
    AttachDevice {
        /// The link.
        place: Place,
        /// The router, and what it is told.
        device: Device,
    },
    /// Ends what holds a link's device.
    DetachDevice(Place),
    /// Puts a table of nft(8) in the place of the one of that name, without a moment in between; or removes it.
    SetTable {
        /// The table's name, of family `inet`.
        name: String,
        /// What is in it; none removes it.
        content: Option<String>,
    },
    /// Puts rules in the place of all rules of a namespace, without a moment in between; or removes all.
    SetRuleset {
        /// The namespace.
        netns: NetnsName,
        /// The rules.
        ruleset: Option<Ruleset>,
    },
    /// Writes the name servers of the files into a namespace's resolv.conf; those of leases stay.
    SetResolv {
        /// The namespace.
        netns: NetnsName,
        /// What the files say; none leaves the file to the administrator.
        resolv: Option<Resolv>,
    },
    /// Runs a command of the user's.
    Run(Command),
}

/// A link that asks the network for addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asking {
    /// The link.
    pub place: Place,
    /// What it asks for, and by whom.
    pub dhcp: Dhcp,
}

/// One property of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkSetting {
    /// `IFF_UP`.
    Up(bool),
    /// The MTU in bytes.
    Mtu(u32),
    /// The hardware address.
    Mac(MacAddr),
    /// The free text; empty removes it.
    Alias(String),
    /// The master; none frees it.
    Master(Option<LinkName>),
    /// Another name for it.
    AddAltname(String),
    /// One other name less.
    DeleteAltname(String),
    /// Options of its kind.
    Options {
        /// The kind.
        kind: VirtualKind,
        /// Those that change.
        options: LinkOptions,
    },
    /// Options of a port.
    Port {
        /// Of what it is a port.
        of: PortOf,
        /// Those that change.
        options: LinkOptions,
    },
    /// Membership in VLANs; of one that it is in already, as what.
    AddVlans(VlanRange),
    /// An end to it.
    DeleteVlans(VlanRange),
    /// How IPv6 link-local addresses are made (`enum in6_addr_gen_mode`).
    AddrGenMode(u8),
    /// WireGuard's keys and peers, all at once.
    Wireguard(Box<Wireguard>),
}

/// VLANs in a row that are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VlanRange {
    /// The first one.
    pub first: u16,
    /// The last one; the first again when there is but one.
    pub last: u16,
    /// Whether frames without a tag come in as this one; then it is one alone.
    pub pvid: bool,
    /// Whether frames leave without a tag.
    pub untagged: bool,
    /// Whether the link is the bridge itself rather than a port.
    pub of_the_bridge: bool,
}

/// A line of the user's, for `/bin/sh -c`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The namespace that it runs in.
    pub netns: Netns,
    /// The link that it belongs to.
    pub link: LinkName,
    /// When.
    pub phase: Phase,
    /// The line.
    pub line: String,
    /// The environment, complete but for `PATH`.
    pub environment: Vec<(String, String)>,
}

/// ifupdown's four phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before the link is configured.
    PreUp,
    /// After it was configured.
    PostUp,
    /// Before it is taken down.
    PreDown,
    /// After it was taken down.
    PostDown,
}

impl Phase {
    /// The value of `PHASE`.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::PreUp => "pre-up",
            Phase::PostUp => "post-up",
            Phase::PreDown => "pre-down",
            Phase::PostDown => "post-down",
        }
    }

    /// The value of `MODE`.
    pub fn mode(self) -> &'static str {
        match self {
            Phase::PreUp | Phase::PostUp => "start",
            Phase::PreDown | Phase::PostDown => "stop",
        }
    }
}

impl Op {
    /// The namespace whose kernel tables it changes; none for the namespaces themselves.
    pub fn netns(&self) -> Option<&Netns> {
        match self {
            Op::AddNetns(_)
            | Op::DeleteNetns(_)
            | Op::SetResolv { .. }
            | Op::SetTable { .. }
            | Op::SetRuleset { .. } => None,
            Op::AddLink { place, .. }
            | Op::EnsureLink { place, .. }
            | Op::DeleteLink(place)
            | Op::MoveLink { from: place, .. }
            | Op::SetLink { place, .. }
            | Op::AddAddress { place, .. }
            | Op::ChangeAddress { place, .. }
            | Op::DeleteAddress { place, .. }
            | Op::AwaitLink(place)
            | Op::AttachDevice { place, .. }
            | Op::DetachDevice(place)
            | Op::AwaitDad { place, .. }
            | Op::AwaitForwarding { place, .. }
            | Op::AwaitLinkLocal { place, .. }
            | Op::StartDhcp(Asking { place, .. })
            | Op::AwaitLease(Asking { place, .. })
            | Op::StopDhcp(Asking { place, .. }) => Some(&place.netns),
            Op::AddRoute { netns, .. }
            | Op::ReplaceRoute { netns, .. }
            | Op::DeleteRoute { netns, .. }
            | Op::AddRule { netns, .. }
            | Op::DeleteRule { netns, .. }
            | Op::SetSysctl { netns, .. } => Some(netns),
            Op::Run(command) => Some(&command.netns),
        }
    }

    /// Whether it asks nothing of the kernel itself: a transition, of files and of other programs.
    pub fn is_beside_the_kernel(&self) -> bool {
        let asks = matches!(self, Op::StartDhcp(_) | Op::AwaitLease(_) | Op::StopDhcp(_));
        let holds = matches!(self, Op::AttachDevice { .. } | Op::DetachDevice(_));
        let rules = matches!(self, Op::SetTable { .. } | Op::SetRuleset { .. });
        asks || holds || rules || matches!(self, Op::Run(_) | Op::SetResolv { .. })
    }
}

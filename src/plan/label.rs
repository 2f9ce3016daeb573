//! What an operation is called and which link it is about, for who searches a journal by fields.

use super::{Asking, LinkSetting, Op};
use crate::model::LinkName;

impl Op {
    /// A word for it, the same in all versions.
    pub fn word(&self) -> &'static str {
        match self {
            Op::AddNetns(_) => "add-netns",
            Op::DeleteNetns(_) => "delete-netns",
            Op::AddLink { .. } | Op::EnsureLink { .. } => "add-link",
            Op::DeleteLink(_) => "delete-link",
            Op::MoveLink { .. } => "move-link",
            Op::SetLink { set: LinkSetting::Up(true), .. } => "link-up",
            Op::SetLink { set: LinkSetting::Up(false), .. } => "link-down",
            Op::SetLink { .. } => "set-link",
            Op::AddAddress { .. } => "add-address",
            Op::ChangeAddress { .. } => "change-address",
            Op::DeleteAddress { .. } => "delete-address",
            Op::AddRoute { .. } => "add-route",
            Op::ReplaceRoute { .. } => "replace-route",
            Op::DeleteRoute { .. } => "delete-route",
            Op::AddRule { .. } => "add-rule",
            Op::DeleteRule { .. } => "delete-rule",
            Op::SetSysctl { .. } => "set-sysctl",
            Op::AwaitLink(_) | Op::AwaitDad { .. } | Op::AwaitForwarding { .. } | Op::AwaitLinkLocal { .. } => "wait",
            Op::StartDhcp(_) => "start-dhcp",
            Op::AwaitLease(_) => "lease",
            Op::StopDhcp(_) => "stop-dhcp",
            Op::AttachDevice { .. } => "attach-device",
            Op::DetachDevice(_) => "detach-device",
            Op::SetTable { .. } => "set-table",
            Op::SetRuleset { .. } => "set-ruleset",
            Op::SetResolv { .. } => "set-resolv",
            Op::Run(_) => "run",
        }
    }

    /// Whether it changes anything, rather than wait for something.
    pub fn is_change(&self) -> bool {
        let waits = matches!(self, Op::AwaitLink(_) | Op::AwaitDad { .. } | Op::AwaitForwarding { .. });
        !waits && !matches!(self, Op::AwaitLinkLocal { .. })
    }

    /// The link that it is about; of a move, as it is called afterwards.
    pub fn link(&self) -> Option<LinkName> {
        match self {
            Op::AddLink { place, .. }
            | Op::EnsureLink { place, .. }
            | Op::DeleteLink(place)
            | Op::MoveLink { to: place, .. }
            | Op::SetLink { place, .. }
            | Op::AddAddress { place, .. }
            | Op::ChangeAddress { place, .. }
            | Op::DeleteAddress { place, .. }
            | Op::AwaitLink(place)
            | Op::AwaitDad { place, .. }
            | Op::AwaitForwarding { place, .. }
            | Op::AwaitLinkLocal { place, .. }
            | Op::StartDhcp(Asking { place, .. })
            | Op::AwaitLease(Asking { place, .. })
            | Op::StopDhcp(Asking { place, .. })
            | Op::AttachDevice { place, .. }
            | Op::DetachDevice(place) => Some(place.link),
            Op::AddRoute { route, .. } | Op::ReplaceRoute { route, .. } | Op::DeleteRoute { route, .. } => route.link,
            Op::Run(command) => Some(command.link),
            _ => None,
        }
    }

    /// Where it is done: the namespace's name, or `host`; none of what is in no namespace.
    pub fn place(&self) -> Option<&str> {
        self.netns().map(|netns| netns.name().map_or("host", |name| name.as_str()))
    }
}

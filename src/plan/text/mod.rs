//! The commands that a person would type: one for each [`Op`], and a plan as a script for sh(1).
//!
//! The words are those of ip-link(8), ip-address(8), ip-route(8), ip-rule(8), ip-netns(8), bridge(8), wg(8) and sysctl(8). A script that is run
//! leaves the kernel in the state in which applying the plan leaves it (the third law).

mod beside;
mod link;

use super::op::{Command, Op, Plan};
use crate::model::{Address, LinkName, Netns, Place, Route, RouteKind, Rule, RuleAction, Scope, TABLE_MAIN};
use link::{write_add_link, write_ensure_link, write_set_link};
use std::fmt;
use std::net::IpAddr;

impl fmt::Display for Plan {
    /// A shell script; notes are comments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.notes.iter().try_for_each(|note| writeln!(f, "# {note}"))?;
        self.ops.iter().try_for_each(|op| writeln!(f, "{op}"))
    }
}

/// The command with its namespace: `ip`, or `ip -n NAME`.
pub(super) struct Ip<'a>(pub &'a Netns);

impl fmt::Display for Ip<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Netns::Host => f.write_str("ip"),
            Netns::Named(name) => write!(f, "ip -n {}", Quoted(name.as_str())),
        }
    }
}

/// `ip netns exec NAME `, or nothing for the host.
struct Exec<'a>(&'a Netns);

impl fmt::Display for Exec<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Netns::Host => Ok(()),
            Netns::Named(name) => write!(f, "ip netns exec {} ", Quoted(name.as_str())),
        }
    }
}

/// What `ip link … netns` takes. The host's namespace has no name; the shell that runs the script is in it.
struct Target<'a>(&'a Netns);

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Netns::Host => f.write_str("$$"),
            Netns::Named(name) => write!(f, "{}", Quoted(name.as_str())),
        }
    }
}

/// A word as sh(1) reads it back.
pub(super) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+=,".contains(c);
        if !self.0.is_empty() && self.0.chars().all(plain) {
            return f.write_str(self.0);
        }
        write!(f, "'{}'", self.0.replace('\'', r"'\''"))
    }
}

/// A link's name as a word for sh(1).
pub(super) fn dev(name: &LinkName) -> Quoted<'_> {
    Quoted(name.as_str())
}

impl fmt::Display for Op {
    /// The command that a person would type.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::AddNetns(name) => write!(f, "ip netns add {}", Quoted(name.as_str())),
            Op::DeleteNetns(name) => write!(f, "ip netns delete {}", Quoted(name.as_str())),
            Op::AddLink { place, kind } => write_add_link(f, place, kind),
            Op::EnsureLink { place, own } => write_ensure_link(f, place, own),
            Op::DeleteLink(place) => write!(f, "{} link delete dev {}", Ip(&place.netns), dev(&place.link)),
            Op::MoveLink { from, to } => {
                write!(f, "{} link set dev {} netns {}", Ip(&from.netns), dev(&from.link), Target(&to.netns))?;
                if from.link != to.link { write!(f, " name {}", dev(&to.link)) } else { Ok(()) }
            }
            Op::SetLink { place, set } => write_set_link(f, place, set),
            Op::AddAddress { place, address } => write_address(f, "add", place, address),
            Op::ChangeAddress { place, address } => write_address(f, "change", place, address),
            Op::DeleteAddress { place, address } => {
                write!(f, "{} address delete {}", Ip(&place.netns), LocalAndPeer(address))?;
                write!(f, " dev {}", dev(&place.link))
            }
            Op::AddRoute { netns, route } => write!(f, "{} route add {}", IpFor(netns, route), RouteWords(route)),
            Op::ReplaceRoute { netns, route } => {
                write!(f, "{} route replace {}", IpFor(netns, route), RouteWords(route))
            }
            Op::DeleteRoute { netns, route } => {
                write!(f, "{} route delete {}", IpFor(netns, route), RouteWords(route))
            }
            Op::AddRule { netns, rule } => write_rule(f, "add", netns, rule),
            Op::DeleteRule { netns, rule } => write_rule(f, "delete", netns, rule),
            Op::SetSysctl { netns, key, value, optional } => {
                write!(f, "{}sysctl -qw {}", Exec(netns), Quoted(&format!("{key}={value}")))?;
                if *optional { write!(f, " || :") } else { Ok(()) }
            }
            Op::AwaitLink(place) => {
                let probe = format!("{} link show dev {}", Ip(&place.netns), dev(&place.link));
                write!(f, "timeout 10 sh -c 'until {probe}; do sleep 0.1; done' >/dev/null 2>&1")
            }
            Op::AwaitDad { place, limit } => {
                let show = format!("{} -6 address show dev {} tentative", Ip(&place.netns), dev(&place.link));
                let limit = limit.as_secs_f32();
                write!(f, "timeout {limit} sh -c 'while {show} | grep -q .; do sleep 0.1; done'")
            }
            Op::AwaitForwarding { place, limit } => {
                let show = format!("{} -d link show master {}", Ip(&place.netns), dev(&place.link));
                let wait = format!("while {show} | grep -qE 'state (listening|learning)'; do sleep 0.1; done");
                write!(f, "timeout {} sh -c {} || :", limit.as_secs_f32(), Quoted(&wait))
            }
            Op::AwaitLinkLocal { .. }
            | Op::StartDhcp(_)
            | Op::AwaitLease(_)
            | Op::StopDhcp(_)
            | Op::AttachDevice { .. }
            | Op::DetachDevice(_)
            | Op::SetTable { .. }
            | Op::SetRuleset { .. }
            | Op::SetResolv { .. } => beside::write(f, self),
            Op::Run(command) => write_command(f, command),
        }
    }
}

/// `LOCAL peer PEER/LEN`, or `LOCAL/LEN`.
struct LocalAndPeer<'a>(&'a Address);

impl fmt::Display for LocalAndPeer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.peer {
            None => write!(f, "{}", self.0.local),
            Some(peer) => write!(f, "{} peer {peer}/{}", self.0.local.addr(), self.0.local.prefix_len()),
        }
    }
}

fn write_address(f: &mut fmt::Formatter<'_>, verb: &str, place: &Place, a: &Address) -> fmt::Result {
    write!(f, "{} address {verb} {}", Ip(&place.netns), LocalAndPeer(a))?;
    if let Some(broadcast) = a.broadcast {
        write!(f, " broadcast {broadcast}")?;
    }
    write!(f, " dev {}", dev(&place.link))?;
    if let Some(label) = &a.label {
        write!(f, " label {}", Quoted(label))?;
    }
    if a.local.addr().is_ipv4() || a.scope == Scope::SITE {
        write!(f, " scope {}", a.scope)?;
    }
    if let Some(seconds) = a.preferred_lifetime {
        write!(f, " preferred_lft {seconds}")?;
    }
    if a.nodad { write!(f, " nodad") } else { Ok(()) }
}

/// `ip`, with `-6` where the destination alone does not say the family.
struct IpFor<'a>(&'a Netns, &'a Route);

impl fmt::Display for IpFor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.1.to.addr().is_ipv6() { " -6" } else { "" };
        write!(f, "{}{family}", Ip(self.0))
    }
}

struct RouteWords<'a>(&'a Route);

impl fmt::Display for RouteWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = self.0;
        if r.kind != RouteKind::Unicast {
            write!(f, "{} ", r.kind.as_str())?;
        }
        if r.to.prefix_len() == 0 {
            write!(f, "default")?;
        } else {
            write!(f, "{}", r.to)?;
        }
        match r.via {
            Some(via @ IpAddr::V6(_)) if r.to.addr().is_ipv4() => write!(f, " via inet6 {via}")?,
            Some(via) => write!(f, " via {via}")?,
            None => {}
        }
        if let Some(link) = &r.link {
            write!(f, " dev {}", dev(link))?;
        }
        if let Some(src) = r.src {
            write!(f, " src {src}")?;
        }
        let default_metric = if r.to.addr().is_ipv6() { Route::IPV6_METRIC } else { 0 };
        if r.metric != default_metric {
            write!(f, " metric {}", r.metric)?;
        }
        // `ip` puts local routes into the local table unless it is told otherwise.
        if r.table != TABLE_MAIN || r.kind == RouteKind::Local {
            write!(f, " table {}", r.table)?;
        }
        if r.protocol != Route::BOOT {
            write!(f, " proto {}", r.protocol)?;
        }
        if r.scope != Route::new(r.to, r.via, r.link).of_kind(r.kind).scope {
            write!(f, " scope {}", r.scope)?;
        }
        if r.onlink { write!(f, " onlink") } else { Ok(()) }
    }
}

fn write_rule(f: &mut fmt::Formatter<'_>, verb: &str, netns: &Netns, rule: &Rule) -> fmt::Result {
    let family = if rule.ipv6 { " -6" } else { "" };
    write!(f, "{}{family} rule {verb} priority {}", Ip(netns), rule.priority)?;
    if let Some(from) = rule.from {
        write!(f, " from {from}")?;
    }
    if let Some(to) = rule.to {
        write!(f, " to {to}")?;
    }
    if let Some(iif) = &rule.iif {
        write!(f, " iif {}", dev(iif))?;
    }
    if let Some(oif) = &rule.oif {
        write!(f, " oif {}", dev(oif))?;
    }
    if let Some((mark, mask)) = rule.fwmark {
        write!(f, " fwmark {mark:#x}/{mask:#x}")?;
    }
    match rule.action {
        RuleAction::Lookup(table) => write!(f, " lookup {table}"),
        RuleAction::Blackhole => write!(f, " blackhole"),
        RuleAction::Unreachable => write!(f, " unreachable"),
        RuleAction::Prohibit => write!(f, " prohibit"),
    }
}

fn write_command(f: &mut fmt::Formatter<'_>, command: &Command) -> fmt::Result {
    write!(f, "{}env", Exec(&command.netns))?;
    for (key, value) in &command.environment {
        write!(f, " {}", Quoted(&format!("{key}={value}")))?;
    }
    write!(f, " sh -c {}", Quoted(&command.line))
}

//! What bridges and bonds say of their ports and ports of themselves, once it is known who is whose port: costs and
//! priorities, VLANs, queues, the primary slave. And options that have no effect because the link is nothing of the kind.
//!
//! VLANs are as ifupdown2 has them: `bridge-vids` and `bridge-pvid` of the bridge are those of every port that has none of
//! its own. The bridge itself is a member of its PVID, and of the VLANs that stand on it.

mod idle;
mod vlans;

use super::draft::Draft;
use super::inherit::Setting;
use super::kind::bond::has_primary;
use super::kind::value;
use super::report::Report;
use super::select::Machine;
use super::value::{Part, only_word, words};
use crate::interfaces::diagnostic::Diagnostic;
use crate::interfaces::syntax::Opt;
use crate::model::{Kind, LinkName, LinkValue, MacAddr, Place, PortOf, VirtualKind};
use std::collections::HashMap;

/// Options of a port in its own stanza, with the words of ip-link(8).
const OF_A_BRIDGES_PORT: [(&str, &str); 7] = [
    ("bridge-pathcost", "cost"),
    ("bridge-portprio", "priority"),
    ("bridge-learning", "learning"),
    ("bridge-unicast-flood", "flood"),
    ("bridge-multicast-flood", "mcast_flood"),
    ("bridge-broadcast-flood", "bcast_flood"),
    ("bridge-arp-nd-suppress", "neigh_suppress"),
];

/// Links by their places, and the ports of each.
struct Members {
    index: HashMap<Place, usize>,
    ports: HashMap<usize, Vec<usize>>,
}

/// Gives everything to the drafts.
pub(super) fn resolve(drafts: &mut [Draft<'_>], machine: &Machine<'_>, report: &mut Report) {
    let index: HashMap<Place, usize> = drafts.iter().enumerate().map(|(at, d)| (d.place.clone(), at)).collect();
    let mut ports: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, draft) in drafts.iter().enumerate() {
        let master = draft.master.map(|master| Place::new(draft.place.netns.clone(), master));
        if let Some(master) = master.and_then(|master| index.get(&master)) {
            ports.entry(*master).or_default().push(at);
        }
    }
    let members = Members { index, ports };
    for at in 0..drafts.len() {
        match kind(&drafts[at]) {
            Some(VirtualKind::Bridge) => bridge(at, drafts, &members, machine, report),
            Some(VirtualKind::Bond) => bond(at, drafts, &members, report),
            _ => {}
        }
    }
    vlans::resolve(drafts, &members, report);
    idle::report(drafts, &members, report);
}

/// What a link is, if it is made of options.
fn kind(draft: &Draft<'_>) -> Option<VirtualKind> {
    Some(draft.kind.as_ref()?.as_virtual()?.kind)
}

/// A link's lines of an option.
fn lines<'a>(draft: &Draft<'a>, name: &str) -> Vec<&'a Opt> {
    let is_it = |s: &&Setting<'a>| s.def.is_some_and(|def| def.name == name);
    draft.settings.iter().filter(is_it).map(|s| s.opt).collect()
}

impl Members {
    fn ports(&self, master: usize) -> &[usize] {
        self.ports.get(&master).map_or(&[], Vec::as_slice)
    }

    /// The port that a word names, of one master.
    fn port(&self, master: usize, word: Part<'_>, drafts: &[Draft<'_>]) -> Result<usize, Diagnostic> {
        let name: Option<LinkName> = word.text.parse().ok();
        let place = name.map(|name| Place::new(drafts[master].place.netns.clone(), name));
        let at = place.and_then(|place| self.index.get(&place).copied());
        let is_port = |at: &usize| drafts[*at].master == Some(drafts[master].place.link);
        at.filter(is_port).ok_or_else(|| {
            word.warning(format!("`{}` is no port of `{}`, ignoring", word.shown(), drafts[master].place.link))
        })
    }
}

fn bridge(at: usize, drafts: &mut [Draft<'_>], members: &Members, machine: &Machine<'_>, report: &mut Report) {
    if members.ports(at).is_empty() {
        drafts[at].wait = None;
    }
    if let Some(mac) = hardware(at, drafts, members, machine, report) {
        drafts[at].fixed_mac = Some(mac);
    }
    for (name, word) in [("bridge-pathcost", "cost"), ("bridge-portprio", "priority")] {
        for opt in lines(&drafts[at], name).into_iter().take(1) {
            let words: Vec<Part<'_>> = words(opt).collect();
            match words[..] {
                [port, number, ref rest @ ..] => {
                    if let Some(more) = rest.first() {
                        let message = "only the first port counts, as with bridge-utils";
                        report.push(more.warning(message).help(format!("write `{name}` into the others' own stanzas")));
                    }
                    of_port(members.port(at, port, drafts), number, word, drafts, report);
                }
                _ => report.push(Part::whole(opt).is_not("a port and a number")),
            }
        }
    }
    for (name, word) in [("bridge-port-costs", "cost"), ("bridge-port-priorities", "priority")] {
        for pair in lines(&drafts[at], name).into_iter().flat_map(words) {
            match pair.split('=') {
                (port, Some(number)) => of_port(members.port(at, port, drafts), number, word, drafts, report),
                _ => report.push(pair.is_not("`PORT=NUMBER`")),
            }
        }
    }
    for &port in members.ports(at) {
        for (name, word) in OF_A_BRIDGES_PORT {
            for opt in lines(&drafts[port], name) {
                if let Some(part) = report.take(only_word(opt)) {
                    of_port(Ok(port), part, word, drafts, report);
                }
            }
        }
    }
}

/// Gives a port of a bridge an option. The kernel's refusal of a number is passed over by bridge-utils, and so here.
fn of_port(
    port: Result<usize, Diagnostic>,
    part: Part<'_>,
    word: &'static str,
    drafts: &mut [Draft<'_>],
    report: &mut Report,
) {
    let (Some(port), Some(option)) = (report.take(port), PortOf::Bridge.option(word)) else { return };
    match value(option, part) {
        Ok(LinkValue::Number(0)) if word == "cost" => {
            report.push(part.warning("the kernel takes no cost of 0; ignoring"))
        }
        Ok(value) => drop(drafts[port].port.insert(word.to_owned(), value)),
        Err(error) if part.number(0, u32::MAX).is_ok() => {
            let message = format!("{}, ignoring", error.message);
            report.push(part.warning(message));
        }
        Err(error) => report.push(error),
    }
}

/// `bridge_hw`: an address, or the one that another link has.
fn hardware(
    at: usize,
    drafts: &[Draft<'_>],
    members: &Members,
    machine: &Machine<'_>,
    report: &mut Report,
) -> Option<MacAddr> {
    let opt = *lines(&drafts[at], "bridge-hw").first()?;
    let word = report.take(only_word(opt))?;
    if word.text.contains(':') {
        let mac: Option<MacAddr> = word.text.parse().ok();
        let mac = mac.filter(|mac| mac.as_bytes().len() == 6 && !mac.is_multicast());
        return report.take(mac.ok_or_else(|| word.is_not("a hardware address that a bridge can have")));
    }
    let link: LinkName = report.take(word.text.parse().map_err(|why| word.error(format!("{why}"))))?;
    let draft = members.index.get(&Place::new(drafts[at].place.netns.clone(), link)).map(|at| &drafts[*at]);
    let own = draft.and_then(|draft| draft.stanzas.iter().filter_map(|stanza| stanza.wishes.mac).next_back());
    let there = || {
        let name = draft.and_then(|draft| draft.from).unwrap_or(link);
        machine.surroundings.attribute(&name, "mac")?.parse().ok()
    };
    if draft.is_none() && !machine.may_have(link) {
        report.push(word.warning(format!("there is no link `{link}`, so that the bridge has an address of its own")));
    }
    own.map(|(mac, _)| mac).or_else(there)
}

fn bond(at: usize, drafts: &mut [Draft<'_>], members: &Members, report: &mut Report) {
    for pair in lines(&drafts[at], "bond-queue-id").into_iter().flat_map(words) {
        match pair.split(':') {
            (slave, Some(queue)) => of_slave(members.port(at, slave, drafts), queue, drafts, report),
            _ => report.push(pair.is_not("`SLAVE:QUEUE`")),
        }
    }
    for &slave in members.ports(at) {
        for opt in lines(&drafts[slave], "bond-queue-id") {
            if let Some(queue) = report.take(only_word(opt)) {
                of_slave(Ok(slave), queue, drafts, report);
            }
        }
    }
    primary(at, drafts, members, report);
}

fn of_slave(slave: Result<usize, Diagnostic>, queue: Part<'_>, drafts: &mut [Draft<'_>], report: &mut Report) {
    let (Some(slave), Some(option)) = (report.take(slave), PortOf::Bond.option("queue_id")) else { return };
    if let Some(queue) = report.take(value(option, queue)) {
        drafts[slave].port.insert(option.word.to_owned(), queue);
    }
}

/// `bond-primary` and `bond-primary-reselect` of the bond, then those of its slaves. Of several names the first is taken
/// that is a slave.
fn primary(at: usize, drafts: &mut [Draft<'_>], members: &Members, report: &mut Report) {
    let mut found: Option<LinkName> = None;
    let mut reselect = None;
    for &from in std::iter::once(&at).chain(members.ports(at)) {
        for opt in lines(&drafts[from], "bond-primary") {
            let slave = words(opt).find_map(|word| members.port(at, word, drafts).ok());
            match slave {
                Some(slave) => found = Some(drafts[slave].place.link),
                None => {
                    let message = format!("none of these is a slave of `{}`, ignoring", drafts[at].place.link);
                    report.push(Part::whole(opt).warning(message));
                }
            }
        }
        if from != at {
            reselect = lines(&drafts[from], "bond-primary-reselect").last().copied().or(reselect);
        }
    }
    let opt = lines(&drafts[at], "bond-primary").first().copied();
    let Some(Kind::Virtual(own)) = &mut drafts[at].kind else { return };
    if let (Some(opt), Some(option)) = (reselect, own.kind.option("primary_reselect"))
        && let Some(value) = report.take(only_word(opt).and_then(|part| value(option, part)))
    {
        own.options.insert(option.word.to_owned(), value);
    }
    let mode = match own.options.get("mode") {
        Some(LinkValue::Number(mode)) => *mode,
        _ => 0,
    };
    match found {
        Some(slave) if has_primary(mode) => drop(own.options.insert("primary".to_owned(), LinkValue::Link(slave))),
        Some(_) => {
            let warning = |opt: &Opt| Part::whole(opt).warning("no bond of this mode has a primary slave, ignoring");
            opt.into_iter().for_each(|opt| report.push(warning(opt)));
        }
        None => {}
    }
}

//! The rules that a `nat` file means, in the words of nft(8).
//!
//! What is published is reached from outside (`prerouting`), from the host itself (`output`), and from what is inside by the host's
//! address. In the latter two cases the answer would not come back the same way, or not to the address that was asked: so the question
//! gets the host's address on the way in (`postrouting`).

use super::{Nat, Ports, Published, Source, Target};
use crate::model::{LinkName, NetnsName, Translation};
use ipnet::IpNet;
use rustc_hash::FxHasher;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

/// The longest part of a table's name that a namespace's is given as it is (`NFT_NAME_MAXLEN` is 256).
const LONGEST: usize = 200;

/// The name of a namespace's table.
///
/// nft(8) takes letters, digits, `_`, `-`, `.` and `/` in names; any other byte is `/` and two hexadecimal digits.
pub(super) fn name(netns: &NetnsName) -> String {
    let mut word = String::from("systemd-netns-nat-");
    for byte in netns.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || b"_-.".contains(&byte) {
            word.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(word, "/{byte:02x}");
        }
    }
    if word.len() > LONGEST {
        let mut hasher = FxHasher::default();
        netns.hash(&mut hasher);
        word.truncate(LONGEST);
        let _ = write!(word, "/{:016x}", hasher.finish());
    }
    word
}

/// The chains. `inner` are the links of the host that lead inside, `open` those of them by which 127.0.0.0/8 is let out. What a section is for is counted: by its rules that lead elsewhere, or
/// set another source, of which a connection meets one.
pub(super) fn chains(nat: &Nat, inner: &[LinkName], open: &[LinkName], translations: &[Translation]) -> String {
    let comment = |number: usize| translations.get(number).map(|of| of.comment(number)).unwrap_or_default();
    let published = |hook| {
        let all = nat.published.iter().enumerate();
        all.flat_map(|(number, p)| redirections(p, hook, inner, &comment(number))).collect::<Vec<_>>()
    };
    let mut leaving: Vec<String> = Vec::new();
    for rule in nat.published.iter().flat_map(|p| returns(p, inner)) {
        if !leaving.contains(&rule) {
            leaving.push(rule);
        }
    }
    for (number, source) in nat.sources.iter().enumerate() {
        leaving.extend(sources(source, inner, &comment(nat.published.len() + number)));
    }
    let mut text = guard(open);
    let chains = [
        ("prerouting", "-100", published(Hook::Prerouting)),
        ("output", "-100", published(Hook::Output)),
        ("postrouting", "100", leaving),
    ];
    for (hook, priority, rules) in chains.into_iter().filter(|(.., rules)| !rules.is_empty()) {
        let head = format!("\tchain {hook} {{\n\t\ttype nat hook {hook} priority {priority}; policy accept;\n");
        text.push_str(&head);
        rules.iter().for_each(|rule| text.push_str(&format!("\t\t{rule}\n")));
        text.push_str("\t}\n");
    }
    text
}

/// What only the host itself may say to itself is dropped where it comes in by other links, before anything else sees it. Answers to what is
/// published have the host's address on the link at this point.
fn guard(open: &[LinkName]) -> String {
    if open.is_empty() {
        return String::new();
    }
    let by = quoted(open);
    let drop = |end: &str| format!("\t\tiifname {by} ip {end} 127.0.0.0/8 counter drop\n");
    let hook = "type filter hook prerouting priority -300; policy accept;";
    format!("\tchain guard {{\n\t\t{hook}\n{}{}\t}}\n", drop("saddr"), drop("daddr"))
}

#[derive(Clone, Copy, PartialEq)]
enum Hook {
    Prerouting,
    Output,
}

/// `ip` or `ip6`.
fn family(address: IpAddr) -> &'static str {
    if address.is_ipv6() { "ip6" } else { "ip" }
}

/// One word, or several in braces.
fn set(words: &[String]) -> String {
    match words {
        [one] => one.clone(),
        several => format!("{{ {} }}", several.join(", ")),
    }
}

fn quoted(links: &[LinkName]) -> String {
    set(&links.iter().map(|link| format!("\"{link}\"")).collect::<Vec<_>>())
}

fn of_family(nets: &[IpNet], address: IpAddr) -> impl Iterator<Item = &IpNet> {
    nets.iter().filter(move |net| net.addr().is_ipv6() == address.is_ipv6())
}

/// The rules that lead to what is published, for each family and protocol.
fn redirections(published: &Published, hook: Hook, inner: &[LinkName], comment: &str) -> Vec<String> {
    let mut rules = Vec::new();
    for to in &published.to {
        let mut head = String::new();
        if let Some(link) = published.link.filter(|_| hook == Hook::Prerouting) {
            let links: BTreeSet<LinkName> = inner.iter().copied().chain([link]).collect();
            head += &format!("iifname {} ", quoted(&links.into_iter().collect::<Vec<_>>()));
        }
        let family = family(to.address);
        let from: Vec<String> = of_family(&published.from, to.address).map(ToString::to_string).collect();
        if !from.is_empty() && hook == Hook::Prerouting {
            head += &format!("{family} saddr {} ", set(&from));
        }
        let Some(destination) = destination(published, to, hook) else { continue };
        head += &destination;
        if published.ports.is_empty() {
            rules.push(format!("{head} counter dnat {family} to {} comment \"{comment}\"", to.address));
        }
        let protocols = [("tcp", published.tcp), ("udp", published.udp)];
        for (protocol, _) in protocols.into_iter().filter(|(_, is)| *is && !published.ports.is_empty()) {
            let ports: Vec<String> = published.ports.iter().map(ToString::to_string).collect();
            let target = target(published, to, protocol);
            let ports = set(&ports);
            rules.push(format!(
                "{head} {protocol} dport {ports} counter dnat {family} to {target} comment \"{comment}\""
            ));
        }
    }
    rules
}

/// The addresses of the host that are meant; none where that is nothing at this hook. Those of `lo` are nobody's to reach from elsewhere.
fn destination(published: &Published, to: &Target, hook: Hook) -> Option<String> {
    let family = family(to.address);
    if published.addresses.is_empty() {
        let own = if to.address.is_ipv6() { "::1" } else { "127.0.0.0/8" };
        return Some(format!("{family} daddr != {own} fib daddr type local"));
    }
    let same = published.addresses.iter().filter(|address| address.is_ipv6() == to.address.is_ipv6());
    let here = same.filter(|address| hook == Hook::Output || !address.is_loopback());
    let addresses: Vec<String> = here.map(ToString::to_string).collect();
    (!addresses.is_empty()).then(|| format!("{family} daddr {}", set(&addresses)))
}

/// `ADDRESS`, `ADDRESS:PORT`, or a map from each port to another.
fn target(published: &Published, to: &Target, protocol: &str) -> String {
    let bare = if to.address.is_ipv6() { format!("[{}]", to.address) } else { to.address.to_string() };
    let one = published.ports.first().copied();
    match (to.ports, one) {
        (Some(there), Some(here)) if there != here && there.first == there.last => format!("{bare}:{}", there.first),
        (Some(there), Some(here)) if there != here => {
            let pairs: Vec<String> =
                (here.first..=here.last).zip(there.first..=there.last).map(|(a, b)| format!("{a} : {b}")).collect();
            format!("{} : {protocol} dport map {{ {} }}", to.address, pairs.join(", "))
        }
        _ => to.address.to_string(),
    }
}

/// The rules that see to it that answers come back.
fn returns(published: &Published, inner: &[LinkName]) -> Vec<String> {
    let mut rules = Vec::new();
    for to in &published.to {
        let led = format!("ct status dnat {} daddr {}", family(to.address), to.address);
        if published.masquerade {
            rules.extend(asked(published).iter().map(|asked| format!("{asked}{led} masquerade")));
            continue;
        }
        rules.push(format!("{led} fib saddr type local masquerade"));
        // A bridge that asks these rules (`br_netfilter`) leads there without the host's links.
        rules.push(format!("{} saddr {} {led} masquerade", family(to.address), to.address));
        rules.extend(inner.iter().map(|link| format!("iifname \"{link}\" oifname \"{link}\" {led} masquerade")));
    }
    rules
}

/// What was asked for before it was led elsewhere, by protocol.
fn asked(published: &Published) -> Vec<String> {
    let ports: Vec<String> = published.ports.iter().map(ToString::to_string).collect();
    if ports.is_empty() {
        return vec![String::new()];
    }
    let protocols = [("tcp", published.tcp), ("udp", published.udp)].into_iter().filter(|(_, is)| *is);
    protocols.map(|(protocol, _)| format!("meta l4proto {protocol} ct original proto-dst {} ", set(&ports))).collect()
}

/// The rules by which packets leave with another source. What stays among the sources keeps its own.
fn sources(source: &Source, inner: &[LinkName], comment: &str) -> Vec<String> {
    let mut rules = Vec::new();
    for ipv6 in [false, true] {
        let nets: Vec<String> =
            source.from.iter().filter(|net| net.addr().is_ipv6() == ipv6).map(ToString::to_string).collect();
        if nets.is_empty() {
            continue;
        }
        let (family, nets) = (if ipv6 { "ip6" } else { "ip" }, set(&nets));
        let by = match source.link {
            Some(link) => format!(" oifname \"{link}\""),
            None if inner.is_empty() => String::new(),
            None => format!(" oifname != {}", quoted(inner)),
        };
        let to = source.to.as_ref().map(|all| all.iter().find(|to| to.is_ipv6() == ipv6));
        let act = match to {
            None => "masquerade".to_owned(),
            Some(Some(to)) => format!("snat {family} to {to}"),
            Some(None) => continue,
        };
        rules.push(format!("{family} saddr {nets} {family} daddr != {nets}{by} counter {act} comment \"{comment}\""));
    }
    rules
}

impl std::fmt::Display for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

//! VXLAN (interfaces-vxlan(5) of ifupdown-ng; ifupdown2's names are other spellings).

use super::super::value::{Part, words};
use super::Reader;
use super::simple::name;
use crate::model::{LinkName, LinkValue};
use std::net::IpAddr;

/// The port that was assigned to it; the kernel's own default is older.
const PORT: u64 = 4789;

/// Reads its options; the link that it stands on.
pub(super) fn read<'a>(reader: &mut Reader<'_, 'a>) -> Option<Option<(LinkName, Part<'a>)>> {
    if reader.opt("vxlan-id").is_none() {
        reader.missing("this vxlan has no number", "add `vxlan-id`");
        return None;
    }
    reader.set_number("dstport", PORT);
    for word in ["id", "dstport", "learning", "ageing", "ttl", "tos"] {
        reader.take(&format!("vxlan-{word}"), word);
    }
    let remote = remote(reader);
    if let Some(word) = reader.word("vxlan-local-ip") {
        reader.take_part(word, "local");
        let local = word.text.parse::<IpAddr>().ok();
        if local.zip(remote).is_some_and(|(local, remote)| local.is_ipv4() != remote.is_ipv4()) {
            let error = word.error(format!("`{}` is not of the family of the peer", word.shown()));
            reader.report.push(error);
        }
    }
    let Some(word) = reader.word("vxlan-physdev") else { return Some(None) };
    Some(Some((reader.report.take(name(word))?, word)))
}

/// The only peer, or the group.
fn remote(reader: &mut Reader<'_, '_>) -> Option<IpAddr> {
    let peers: Vec<Part<'_>> = reader.all("vxlan-peer-ips").into_iter().flat_map(words).collect();
    let group = reader.word("vxlan-peer-group");
    let word = match (&peers[..], group) {
        ([], None) => return None,
        ([], Some(group)) => group,
        ([peer], None) => *peer,
        ([peer, ..], Some(_)) => {
            let error = peer.error("a vxlan has either peers or a multicast group");
            reader.report.push(error);
            return None;
        }
        ([_, more, ..], None) => {
            let error = more.error("only one peer is supported");
            reader.report.push(error.help("add the others with `up bridge fdb append …`"));
            return None;
        }
    };
    let ip = reader.report.take(word.ip())?;
    if ip.is_multicast() && reader.opt("vxlan-physdev").is_none() {
        let error = word.error(format!("the group `{ip}` needs a link to be reached by"));
        reader.report.push(error.help("add `vxlan-physdev`"));
    }
    reader.set(if ip.is_multicast() { "group" } else { "remote" }, LinkValue::Ip(ip));
    Some(ip)
}

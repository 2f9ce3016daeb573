//! What `/proc/net` tells of a namespace and rtnetlink does not, or not as shortly: the link of the default route whoever made
//! it, traffic by link, the error counters of IPsec.
//!
//! `/proc/thread-self/net` is that of the namespace of the thread that opens a file.
//!
//! Must not know: what it is asked for.

use super::error::Error;
use super::netns::Namespace;
use crate::model::LinkName;
use std::collections::BTreeMap;
use std::fs;

/// `RTF_UP` and `RTF_REJECT` (`linux/route.h`).
const RTF_UP: u32 = 1;
const RTF_REJECT: u32 = 0x200;

/// What went through a link (`/proc/net/dev`, `proc_pid_net(5)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Packets that came in.
    pub rx_packets: u64,
    /// Bytes that came in.
    pub rx_bytes: u64,
    /// What came in and was wrong or dropped.
    pub rx_errors: u64,
    /// Packets that went out.
    pub tx_packets: u64,
    /// Bytes that went out.
    pub tx_bytes: u64,
    /// What was to go out and was wrong or dropped; without a state of IPsec that is everything.
    pub tx_errors: u64,
}

fn read(namespace: &Namespace, name: &str) -> Result<String, Error> {
    let path = format!("/proc/thread-self/net/{name}");
    let text = namespace.within(|| match fs::read_to_string(&path) {
        // What is not in the kernel has no file.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    })?;
    text.map_err(|e| Error::io(format!("read /proc/net/{name}"), &e))
}

/// The link of the default route with the lowest metric, static, leased or advertised.
///
/// # Errors
/// When the namespace cannot be entered or the table not be read.
pub fn default_link(namespace: &Namespace, ipv6: bool) -> Result<Option<LinkName>, Error> {
    let text = read(namespace, if ipv6 { "ipv6_route" } else { "route" })?;
    let parse = if ipv6 { default_ipv6 } else { default_ipv4 };
    Ok(text.lines().filter_map(parse).min_by_key(|(metric, _)| *metric).map(|(_, link)| link))
}

/// A line of `/proc/net/route`: link, destination, gateway, flags, three counters, then the metric and the mask.
fn default_ipv4(line: &str) -> Option<(u32, LinkName)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let flags = u32::from_str_radix(words.get(3)?, 16).ok()?;
    let is_default = words[1] == "00000000" && *words.get(7)? == "00000000" && flags & RTF_UP != 0;
    if !is_default || flags & RTF_REJECT != 0 {
        return None;
    }
    Some((words[6].parse().ok()?, words[0].parse().ok()?))
}

/// A line of `/proc/net/ipv6_route`: destination and its length, source and its, gateway, metric, two counters, flags, link.
fn default_ipv6(line: &str) -> Option<(u32, LinkName)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let link: LinkName = words.get(9)?.parse().ok()?;
    let flags = u32::from_str_radix(words[8], 16).ok()?;
    let is_default = words[1] == "00" && words[0].bytes().all(|b| b == b'0') && flags & RTF_UP != 0;
    if !is_default || flags & RTF_REJECT != 0 || link.is_loopback() {
        return None;
    }
    Some((u32::from_str_radix(words[5], 16).ok()?, link))
}

/// The traffic of each link.
///
/// # Errors
/// When the namespace cannot be entered or the table not be read.
pub fn traffic(namespace: &Namespace) -> Result<BTreeMap<LinkName, Traffic>, Error> {
    Ok(read(namespace, "dev")?.lines().filter_map(link_traffic).collect())
}

fn link_traffic(line: &str) -> Option<(LinkName, Traffic)> {
    let (name, counters) = line.rsplit_once(':')?;
    let n: Vec<u64> = counters.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let [rx_bytes, rx_packets, rx_errs, rx_drop, _, _, _, _, tx_bytes, tx_packets, tx_errs, tx_drop, ..] = n[..] else {
        return None;
    };
    let (rx_errors, tx_errors) = (rx_errs + rx_drop, tx_errs + tx_drop);
    Some((name.trim().parse().ok()?, Traffic { rx_packets, rx_bytes, rx_errors, tx_packets, tx_bytes, tx_errors }))
}

/// The counters of `/proc/net/xfrm_stat` by the kernel's names (`net/xfrm/xfrm_proc.c`); none without IPsec.
///
/// # Errors
/// When the namespace cannot be entered or the table not be read.
pub fn xfrm_errors(namespace: &Namespace) -> Result<BTreeMap<String, u64>, Error> {
    let text = read(namespace, "xfrm_stat")?;
    let counter = |line: &str| {
        let (name, n) = line.split_once(char::is_whitespace)?;
        Some((name.to_owned(), n.trim().parse().ok()?))
    };
    Ok(text.lines().filter_map(counter).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read() {
        let name = |text: &str| text.parse::<LinkName>().unwrap();
        let v4 = "eth0\t00000000\t010200C0\t0003\t0\t0\t50\t00000000\t0\t0\t0";
        assert_eq!(default_ipv4(v4), Some((50, name("eth0"))));
        assert_eq!(default_ipv4("eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0"), None);
        assert_eq!(default_ipv4("Iface\tDestination\tGateway \tFlags"), None);
        let zero = "0".repeat(32);
        let v6 =
            |flags: &str, link: &str| format!("{zero} 00 {zero} 00 fe80{} 00000400 1 0 {flags}  {link}", &zero[4..]);
        assert_eq!(default_ipv6(&v6("00000003", "up0")), Some((1024, name("up0"))));
        assert_eq!(default_ipv6(&v6("00200200", "lo")), None);
        let (link, t) = link_traffic(" ipsec0: 10 2 3 4 0 0 0 0 50 6 7 8 0 0 0 0").unwrap();
        assert_eq!((link, t.rx_packets, t.rx_errors, t.tx_bytes, t.tx_errors), (name("ipsec0"), 2, 7, 50, 15));
        assert_eq!(link_traffic("Inter-|   Receive"), None);
    }
}

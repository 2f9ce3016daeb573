//! What `/proc` tells of a namespace: `sockstat`, `snmp`, `netstat`, `xfrm_stat`, conntrack (`proc_pid_net(5)`,
//! `Documentation/networking/snmp_counter.rst`, `Documentation/networking/xfrm_proc.rst`).
//!
//! Only what is the namespace's own: of `sockstat` the memory, orphans and allocations are those of the whole kernel
//! (`net/ipv4/proc.c`).

use std::fs::File;
use std::io::Read;

/// The longest table; what is beyond it is not read. That of conntrack has a line for each processor.
const LONGEST: usize = 64 << 10;

/// The files as they were, and views of them. One that the kernel has not got is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tables {
    sockstat: [String; 2],
    snmp: [String; 2],
    netstat: String,
    xfrm: String,
    conntrack: String,
}

/// What of the extensions of MIB-II is told: the wrong, the refused, and how much.
const EXTENSIONS: [(&str, &[&str]); 2] = [
    (
        "TcpExt",
        &[
            "ListenDrops",
            "ListenOverflows",
            "SyncookiesFailed",
            "SyncookiesRecv",
            "SyncookiesSent",
            "TCPAbortOnMemory",
            "TCPAbortOnTimeout",
            "TCPLostRetransmit",
            "TCPRcvQDrop",
            "TCPSynRetrans",
            "TCPTimeouts",
        ],
    ),
    ("IpExt", &["InCsumErrors", "InNoRoutes", "InOctets", "InTruncatedPkts", "OutOctets", "ReasmOverlaps"]),
];
/// What `snmp` has of other kinds than counters.
const NO_COUNTERS: [(&str, &[&str]); 2] = [
    ("Ip", &["Forwarding", "DefaultTTL", "ReasmTimeout"]),
    ("Tcp", &["RtoAlgorithm", "RtoMin", "RtoMax", "MaxConn", "CurrEstab"]),
];
/// The protocols of `snmp6`, longer ones before those that they begin with.
const SNMP6: [&str; 4] = ["UdpLite6", "Icmp6", "Udp6", "Ip6"];

impl Tables {
    /// Those of the namespace that the calling thread is in.
    pub(super) fn here() -> Self {
        // What the kernel has not got has no file.
        let mut buffer = vec![0; LONGEST];
        let mut read = |name: &str| whole(&format!("/proc/thread-self/net/{name}"), &mut buffer).unwrap_or_default();
        Self {
            sockstat: [read("sockstat"), read("sockstat6")],
            snmp: [read("snmp"), read("snmp6")],
            netstat: read("netstat"),
            xfrm: read("xfrm_stat"),
            conntrack: read("stat/nf_conntrack"),
        }
    }

    /// Sockets, by protocol and what of them: `inuse`, `tw` (in TIME_WAIT) and, of `FRAG`, `memory` in bytes. `sockets` stands
    /// for all of them, `used`.
    pub fn sockets(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        let lines = self.sockstat.iter().flat_map(|text| text.lines());
        let rows = lines.filter_map(|line| line.split_once(": ")).flat_map(|(protocol, rest)| {
            let mut words = rest.split_ascii_whitespace();
            std::iter::from_fn(move || Some((protocol, words.next()?, words.next()?.parse().ok()?)))
        });
        rows.filter(|(_, what, _)| matches!(*what, "inuse" | "tw" | "memory" | "used"))
    }

    /// Counters of MIB-II and of IPv6's, by protocol and name, and some of their extensions.
    pub fn counters(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        let is_counter = |(protocol, name, _): &(&str, &str, u64)| {
            !NO_COUNTERS.iter().any(|(of, names)| of == protocol && names.contains(name))
                // By type and code, of which there may be many.
                && !matches!(*protocol, "IcmpMsg" | "UdpLite")
        };
        let is_told = |(protocol, name, _): &(&str, &str, u64)| {
            EXTENSIONS.iter().any(|(of, names)| of == protocol && names.contains(name))
        };
        let four = pairs(&self.snmp[0]).filter(is_counter);
        four.chain(self.counters6()).chain(pairs(&self.netstat).filter(is_told))
    }

    fn counters6(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.snmp[1].lines().filter_map(|line| {
            let (name, value) = line.split_once(char::is_whitespace)?;
            let protocol = SNMP6.into_iter().find(|protocol| name.starts_with(protocol))?;
            let counter = &name[protocol.len()..];
            let by_type = counter.starts_with("InType") || counter.starts_with("OutType");
            let told = !by_type && protocol != "UdpLite6" && counter != "ReasmTimeout";
            told.then_some((protocol, counter, value.trim().parse().ok()?))
        })
    }

    /// A value of `snmp` that is no counter.
    pub fn value(&self, protocol: &str, name: &str) -> Option<u64> {
        pairs(&self.snmp[0]).find(|(of, what, _)| *of == protocol && *what == name).map(|(_, _, value)| value)
    }

    /// IPsec's errors, by the kernel's names.
    pub fn xfrm(&self) -> impl Iterator<Item = (&str, u64)> {
        self.xfrm.lines().filter_map(|line| {
            let (name, value) = line.split_once(char::is_whitespace)?;
            Some((name, value.trim().parse().ok()?))
        })
    }

    /// How many connections are tracked; none where the kernel does not track any.
    pub fn conntrack_entries(&self) -> Option<u64> {
        // The first column, the same on each processor.
        let mut lines = self.conntrack.lines();
        lines.next()?.trim_start().strip_prefix("entries")?;
        u64::from_str_radix(lines.next()?.split_ascii_whitespace().next()?, 16).ok()
    }

    /// What became of packets in connection tracking, by the kernel's names, of all processors together.
    pub fn conntrack(&self) -> Vec<(&str, u64)> {
        let mut lines = self.conntrack.lines();
        let names: Vec<&str> = lines.next().unwrap_or_default().split_ascii_whitespace().collect();
        let mut sums: Vec<(&str, u64)> = names.into_iter().map(|name| (name, 0)).collect();
        for line in lines {
            for ((_, sum), word) in sums.iter_mut().zip(line.split_ascii_whitespace()) {
                *sum = sum.wrapping_add(u64::from_str_radix(word, 16).unwrap_or_default());
            }
        }
        // The same on each processor; kept at 0 since Linux 4.9 or longer.
        let dead = ["entries", "searched", "new", "ignore", "delete", "delete_list", "chainlength"];
        sums.retain(|(name, _)| !dead.contains(name));
        sums
    }
}

/// How many connections a namespace may track, the same in each; none where the kernel does not track any.
pub(super) fn conntrack_limit() -> Option<u64> {
    // Not with the other tables: sysctls of namespaces share one table of names, which is slow where there are many.
    whole("/proc/sys/net/netfilter/nf_conntrack_max", &mut [0; 64])?.trim_end().parse().ok()
}

/// A file that is read at once: the kernel makes these tables anew for each opening, and has no length to ask for.
fn whole(path: &str, buffer: &mut [u8]) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let mut length = 0;
    loop {
        match file.read(&mut buffer[length..]).ok()? {
            0 => break,
            more => length += more,
        }
    }
    String::from_utf8(buffer[..length].to_vec()).ok()
}

/// `snmp` and `netstat`: a line of names, and one of values, after the same word.
fn pairs(text: &str) -> impl Iterator<Item = (&str, &str, u64)> {
    let mut lines = text.lines();
    let pairs = std::iter::from_fn(move || Some((lines.next()?, lines.next()?)));
    pairs.flat_map(|(names, values)| {
        let (protocol, names) = names.split_once(": ").unwrap_or_default();
        let values = values.split_once(": ").unwrap_or_default().1;
        let both = names.split_ascii_whitespace().zip(values.split_ascii_whitespace());
        // MaxConn is -1.
        both.filter_map(move |(name, value)| Some((protocol, name, value.parse().ok()?)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tables_are_read() {
        let tables = Tables {
            sockstat: [
                "sockets: used 26\nTCP: inuse 2 orphan 9 tw 3 alloc 9 mem 9\nUDP: inuse 1 mem 160\n".to_owned(),
                "TCP6: inuse 4\nFRAG6: inuse 0 memory 5\n".to_owned(),
            ],
            snmp: [
                "Ip: Forwarding DefaultTTL InReceives\nIp: 1 64 7\nIcmpMsg: InType3\nIcmpMsg: 4\n\
                 Tcp: MaxConn CurrEstab InSegs\nTcp: -1 2 8\n"
                    .to_owned(),
                "Ip6InReceives  \t4\nIcmp6InType1 \t3\nUdpLite6InDatagrams 1\nUdp6NoPorts 6\n".to_owned(),
            ],
            netstat: "TcpExt: SyncookiesSent TW ListenDrops\nTcpExt: 1 2 3\n".to_owned(),
            xfrm: "XfrmInError             \t0\nXfrmOutNoStates         \t2\n".to_owned(),
            conntrack: "entries  clashres found invalid  drop\n00000009 00000001 0000000a 00000000 00000001\n\
                        00000009 00000001 00000001 00000000 00000002\n"
                .to_owned(),
        };
        let sockets: Vec<_> = tables.sockets().collect();
        let wanted = [
            ("sockets", "used", 26),
            ("TCP", "inuse", 2),
            ("TCP", "tw", 3),
            ("UDP", "inuse", 1),
            ("TCP6", "inuse", 4),
            ("FRAG6", "inuse", 0),
            ("FRAG6", "memory", 5),
        ];
        assert_eq!(sockets, wanted);
        let counters: Vec<_> = tables.counters().collect();
        let wanted = [
            ("Ip", "InReceives", 7),
            ("Tcp", "InSegs", 8),
            ("Ip6", "InReceives", 4),
            ("Udp6", "NoPorts", 6),
            ("TcpExt", "SyncookiesSent", 1),
            ("TcpExt", "ListenDrops", 3),
        ];
        assert_eq!(counters, wanted);
        assert_eq!((tables.value("Tcp", "CurrEstab"), tables.value("Tcp", "MaxConn")), (Some(2), None));
        assert_eq!(tables.xfrm().collect::<Vec<_>>(), [("XfrmInError", 0), ("XfrmOutNoStates", 2)]);
        assert_eq!(tables.conntrack_entries(), Some(9));
        assert_eq!(tables.conntrack(), [("clashres", 2), ("found", 11), ("invalid", 0), ("drop", 3)]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-zA-Z0-9:. \n-]{0,200}") {
            let both = || [text.clone(), text.clone()];
            let tables = Tables {
                sockstat: both(), snmp: both(), netstat: text.clone(), xfrm: text.clone(), conntrack: text.clone(),
            };
            let _ = (tables.sockets().count(), tables.counters().count(), tables.xfrm().count(), tables.conntrack());
            let _ = tables.conntrack_entries();
        }
    }
}

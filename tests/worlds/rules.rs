//! Rules of nft(8) and settings over a world: what the files of a service ask for beside its links.

use super::{inside, name};
use proptest::prelude::*;
use systemd_netns::model::{Desired, Netns, NetnsState, Ruleset, RulesetPart, Sysctl, Table};

/// What is put over a world.
#[derive(Debug, Clone)]
pub struct Rules {
    ruleset: Option<Ruleset>,
    table: Option<Table>,
    settings: Vec<(Netns, Sysctl, String)>,
    /// What NICs and the bridge forward before.
    forwarding: Vec<bool>,
}

fn key(path: &str) -> Sysctl {
    Sysctl::parse(path).unwrap()
}

/// Any rules and settings; none where nothing is there to load them.
pub fn rules(has: bool) -> impl Strategy<Value = Rules> {
    let port = || prop::option::of(80u16..83);
    let settings: Vec<(Netns, Sysctl, String)> = [
        (inside(), "net/ipv4/ip_forward", "1"),
        (inside(), "net/ipv4/ip_local_port_range", "20000 30000"),
        (Netns::Host, "net/ipv4/conf/all/forwarding", "1"),
        (Netns::Host, "net/ipv4/conf/nic0/forwarding", "1"),
        (Netns::Host, "net/ipv6/conf/all/forwarding", "1"),
        (Netns::Host, "net/ipv6/conf/nic1/accept_ra", "2"),
    ]
    .map(|(netns, path, value)| (netns, key(path), value.to_owned()))
    .into();
    let settings = prop::sample::subsequence(settings, 0..=6);
    let forwarding = prop::collection::vec(any::<bool>(), 6);
    (port(), port(), settings, forwarding).prop_map(move |(inner, outer, settings, forwarding)| {
        let part = |port| RulesetPart {
            file: "/etc/netns/law/network/nftables".into(),
            line: 1,
            text: format!(
                "table inet f {{\n chain i {{ type filter hook input priority 0; tcp dport {port} drop; }}\n}}\n"
            ),
        };
        let ruleset = inner.map(|port| Ruleset { parts: vec![part(port)] });
        let chain = "\tchain prerouting {\n\t\ttype nat hook prerouting priority -100; policy accept;\n";
        let table = outer.map(|port| Table {
            name: "systemd-netns-law".into(),
            chains: format!("{chain}\t\ttcp dport {port} dnat ip to 192.0.2.2\n\t}}\n"),
            translations: Vec::new(),
        });
        if has {
            Rules { ruleset, table, settings, forwarding }
        } else {
            Rules { ruleset: None, table: None, settings: Vec::new(), forwarding: Vec::new() }
        }
    })
}

impl Rules {
    /// Puts them over a host and its files.
    pub fn over(self, host: &mut NetnsState, desired: &mut Desired) {
        let names = ["nic0", "nic1", "brx"];
        let nics =
            names.iter().flat_map(|n| ["ipv4", "ipv6"].map(|family| format!("net/{family}/conf/{n}/forwarding")));
        for (path, on) in nics.zip(&self.forwarding) {
            host.sysctls.insert(key(&path), u8::from(*on).to_string());
        }
        if !self.forwarding.is_empty() {
            for family in ["ipv4", "ipv6"] {
                host.sysctls.insert(key(&format!("net/{family}/conf/all/forwarding")), "0".into());
            }
            host.sysctls.insert(key("net/ipv4/conf/all/accept_redirects"), "1".into());
            host.sysctls.insert(key("net/ipv6/conf/nic1/accept_ra"), "1".into());
        }
        // One that is going to move in is somebody else's business.
        let moves = |nic: &str| desired.links.iter().any(|link| link.host_name() == name(nic));
        desired.sysctls = self.settings;
        let moved: Vec<&str> = ["nic0", "nic1"].into_iter().filter(|nic| moves(nic)).collect();
        desired.sysctls.retain(|(_, key, _)| !moved.iter().any(|nic| key.link() == Some(nic)));
        (desired.ruleset, desired.table) = (self.ruleset, self.table);
    }
}

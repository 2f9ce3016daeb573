//! Laws of the meaning of configurations, on generated files: files of words that mean something, in any order, so
//! that most are wrong somewhere; and files that are right.

use proptest::prelude::*;
use proptest::sample::select;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use systemd_netns::config::{self, Loaded, Surroundings};
use systemd_netns::interfaces::diagnostic::Severity;
use systemd_netns::model::{LinkName, Netns, NetnsName, Presence};

/// A machine whose links have an MTU, and whose mapping scripts repeat their argument.
#[derive(Default, Clone)]
struct Machine(BTreeMap<LinkName, u32>);

impl Surroundings for Machine {
    fn installed(&self, _: &str) -> bool {
        true
    }

    fn links(&self) -> Vec<LinkName> {
        self.0.keys().copied().collect()
    }

    fn attribute(&self, link: &LinkName, variable: &str) -> Option<String> {
        self.0.get(link).filter(|_| variable == "mtu").map(u32::to_string)
    }

    fn map(&self, _: &str, argument: &str, _: &[String]) -> Result<String, String> {
        Ok(argument.to_owned())
    }
}

fn machine() -> Machine {
    let links = [("eth0", 1500), ("eth1", 9000), ("lan", 1280)];
    Machine(links.into_iter().map(|(name, mtu)| (name.parse().unwrap(), mtu)).collect())
}

fn web() -> NetnsName {
    "web".parse().unwrap()
}

fn load(interfaces: &str, links: &str, host: &str, machine: &Machine) -> Loaded {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("config-laws/{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let root: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("etc/netns/web/network/interfaces", interfaces);
    write("etc/netns/web/network/links", links);
    write("etc/network/interfaces", host);
    write("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    let loaded = config::load(&root, &web(), machine);
    for diagnostic in &loaded.diagnostics {
        assert!(!diagnostic.to_string().is_empty());
    }
    fs::remove_dir_all(&root).unwrap();
    loaded
}

const NAMES: [&str; 18] = [
    "eth0",
    "eth1",
    "lan",
    "lo",
    "eth0.5",
    "eth0.5.6",
    "eth0:web",
    "br0..1",
    "..",
    "vlan7",
    "a.b",
    "/eth*",
    "/*=lan",
    "mac/*/1=x",
    "eth0=lan",
    "averyverylongname0",
    "link1",
    "ü",
];

const OPTIONS: [&str; 34] = [
    "address",
    "netmask",
    "broadcast",
    "metric",
    "gateway",
    "pointopoint",
    "hwaddress",
    "mtu",
    "scope",
    "preferred-lifetime",
    "accept_ra",
    "autoconf",
    "privext",
    "dad-attempts",
    "dad-interval",
    "description",
    "route",
    "rule",
    "pre-up",
    "up",
    "down",
    "post-down",
    "vlan-raw-device",
    "vlan-id",
    "vlan-protocol",
    "dns-search",
    "bridge_ports",
    "wpa-ssid",
    "colour",
    "hostname",
    "ip-rp-filter",
    "bond-mode",
    "adress",
    "media",
];

const WORDS: [&str; 44] = [
    "192.0.2.1/24",
    "192.0.2.1",
    "10.0.0.0/8",
    "2001:db8::1/64",
    "fe80::1",
    "255.255.255.0",
    "255.0.255.0",
    "24",
    "0",
    "1",
    "4094",
    "65535",
    "4294967295",
    "99999999999999",
    "-1",
    "+",
    "-",
    "/",
    "default",
    "blackhole",
    "local",
    "via",
    "dev",
    "metric",
    "table",
    "src",
    "onlink",
    "from",
    "to",
    "iif",
    "fwmark",
    "0xff/0xf",
    "lookup",
    "priority",
    "main",
    "ether",
    "random",
    "02:00:00:00:00:01",
    "0.1",
    "1e309",
    "nan",
    "forever",
    "#",
    "eth0",
];

fn line() -> impl Strategy<Value = String> {
    let names = || prop::collection::vec(select(&NAMES[..]), 0..4).prop_map(|names| names.join(" "));
    let words = || prop::collection::vec(select(&WORDS[..]), 0..8).prop_map(|words| words.join(" "));
    let family = select(vec!["inet", "inet6", "can", "inte", ""]);
    let method = select(vec!["static", "manual", "loopback", "dhcp", "statci", ""]);
    let heads = select(vec!["iface", "template"]);
    prop_oneof![
        3 => (select(vec!["auto", "allow-hotplug", "rename", "no-scripts", "mapping"]), names())
            .prop_map(|(keyword, names)| format!("{keyword} {names}")),
        4 => (heads, select(&NAMES[..]), family, method, prop::option::of(names())).prop_map(
            |(head, name, family, method, inherits)| {
                let inherits = inherits.map_or(String::new(), |names| format!("inherits {names}"));
                format!("{head} {name} {family} {method} {inherits}")
            }
        ),
        12 => (select(&OPTIONS[..]), words()).prop_map(|(option, words)| format!("  {option} {words}")),
        1 => (select(&OPTIONS[..]), words(), words()).prop_map(|(option, a, b)| format!("  {option} {a}\\\n {b}")),
        1 => (select(vec!["web", "other"]), select(&NAMES[..]), select(&NAMES[..]))
            .prop_map(|(netns, a, b)| format!("link-netns {netns} {a} {b}")),
        1 => Just("  script map".to_owned()),
    ]
}

fn text(lines: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(line(), 0..lines).prop_map(|lines| lines.join("\n"))
}

/// An `iface` stanza without mistakes.
fn sound_stanza() -> impl Strategy<Value = String> {
    let name = select(vec!["eth0", "eth1", "lan", "eth0.5", "eth1.6", "eth0:1", "br0..1", "link1"]);
    let mtu = prop::option::of(select(vec![1280, 1400, 1500, 9000]));
    let body = (0u8..4, 1u8..250, mtu, any::<bool>());
    (name, body).prop_map(|(name, (kind, n, mtu, command))| {
        let mut text = match kind {
            0 => format!("iface {name} inet static\n  address 192.0.2.{n}/24\n  route 10.{n}.0.0/16 table {n}\n"),
            1 => format!("iface {name} inet6 static\n  address 2001:db8::{n}/64\n  gateway fe80::{n}\n"),
            2 => format!("iface {name} inet manual\n"),
            _ => format!("iface {name} inet6 manual\n"),
        };
        if let Some(mtu) = mtu {
            text += &format!("  mtu {mtu}\n");
        }
        if command {
            text += &format!("  pre-up echo {n}\n");
        }
        format!("auto {name}\n{text}")
    })
}

/// A file without mistakes, but for routes and rules that clash.
fn sound() -> impl Strategy<Value = String> {
    prop::collection::vec(sound_stanza(), 0..8).prop_map(|stanzas| stanzas.concat())
}

/// What holds for everything that is desired.
fn check(loaded: &Loaded) {
    let has_error = loaded.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    assert_eq!(has_error, loaded.desired.is_none());
    let Some(desired) = &loaded.desired else { return };
    let first = desired.links.first().unwrap();
    assert!(first.place.link.is_loopback() && first.place.netns == Netns::Named(web()));
    let mut places = BTreeSet::new();
    let mut routes = BTreeSet::new();
    for link in &desired.links {
        assert!(places.insert(link.place.clone()), "{} twice", link.place);
        assert!(link.presence != Presence::Borrowed || link.link.kind.is_none() && link.place.netns == Netns::Host);
        for stanza in &link.stanzas {
            assert_eq!(stanza.environment.is_empty(), !stanza.has_commands());
            for route in &stanza.routes {
                let key = (link.place.netns.clone(), route.key());
                assert!(routes.insert(key), "{route:?} twice");
            }
        }
    }
    let tied = desired.links.iter().filter_map(|link| link.link.kind.as_ref()?.tied_to());
    let masters = desired
        .links
        .iter()
        .filter_map(|link| Some(systemd_netns::model::Place::new(link.place.netns.clone(), link.link.master?)));
    for place in tied.cloned().chain(masters) {
        assert!(places.contains(&place), "{place} is not among the links");
    }
    for place in places.iter().filter(|place| !place.link.is_loopback()) {
        assert!(loaded.spans.contains_key(place), "{place} is named nowhere");
    }
}

proptest! {
    #[test]
    fn any_words_mean_something_or_are_mistakes(interfaces in text(30), links in text(6), host in text(6)) {
        check(&load(&interfaces, &links, &host, &machine()));
    }

    #[test]
    fn the_same_files_mean_the_same(interfaces in text(20), links in text(6)) {
        let [a, b] = [(); 2].map(|()| load(&interfaces, &links, "", &machine()));
        prop_assert_eq!(&a.desired, &b.desired);
        let messages = |loaded: &Loaded| loaded.diagnostics.iter().map(|d| d.message.clone()).collect::<Vec<_>>();
        prop_assert_eq!(messages(&a), messages(&b));
    }

    /// The MTU that a link has counts in `inet6` stanzas; once it is as desired, it must stay so.
    #[test]
    fn files_mean_the_same_after_they_were_applied(interfaces in sound()) {
        let links = "link-netns web link0 link1\n";
        let mut machine = machine();
        let before = load(&interfaces, links, "", &machine);
        check(&before);
        for link in before.desired.iter().flat_map(|desired| &desired.links) {
            let present = machine.0.get(&link.place.link).copied();
            machine.0.insert(link.place.link, link.link.mtu.or(present).unwrap_or(1500));
        }
        let after = load(&interfaces, links, "", &machine);
        prop_assert_eq!(&before.desired, &after.desired);
    }
}

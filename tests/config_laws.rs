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
use systemd_netns::model::{DesiredLink, Kind, LinkName, Netns, NetnsName, PortOf, Presence, VirtualKind};

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

const NAMES: [&str; 23] = [
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
    "bridge0",
    "bond0",
    "bond0.5",
    "red",
    "tun0",
];

const OPTIONS: [&str; 90] = [
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
    "bridge-ports",
    "bridge_stp",
    "bridge_fd",
    "bridge-maxwait",
    "bridge-waitport",
    "bridge_hello",
    "bridge_maxage",
    "bridge_ageing",
    "bridge_bridgeprio",
    "bridge_portprio",
    "bridge_pathcost",
    "bridge_hw",
    "bridge-vlan-aware",
    "bridge-vids",
    "bridge-pvid",
    "bridge-access",
    "bridge-allow-untagged",
    "bridge-pathcosts",
    "bridge-learning",
    "bond-slaves",
    "bond-master",
    "bond-primary",
    "bond-miimon",
    "bond-updelay",
    "bond-arp-interval",
    "bond-arp-ip-target",
    "bond-lacp-rate",
    "bond-queue-id",
    "bond-xmit-hash-policy",
    "bond-ad-actor-system",
    "link-type",
    "use",
    "veth-peer-name",
    "raw-device",
    "macvlan-mode",
    "tuntap-owner",
    "vrf-table",
    "vrf",
    "vxlan-id",
    "vxlan-peer-ips",
    "vxlan-physdev",
    "tunnel-mode",
    "tunnel-local",
    "tunnel-remote",
    "tunnel-ttl",
    "tunnel-key",
    "mode",
    "endpoint",
    "local",
    "encaplimit",
    "dstaddr",
    "wireguard-config-path",
    "wireguard-netns",
    "requires",
    "ip-forward",
    "tunctl_user",
];

const WORDS: [&str; 87] = [
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
    "eth1",
    "lan",
    "eth0.5",
    "link1",
    "bridge0",
    "bond0",
    "none",
    "all",
    "regex",
    "noregex",
    "e.*",
    "[a-z",
    "(a|b)*",
    "yes",
    "off",
    "active-backup",
    "802.3ad",
    "balance-tlb",
    "bridge",
    "bond",
    "veth",
    "dummy",
    "macvlan",
    "vrf",
    "vxlan",
    "gre",
    "ipip",
    "sit",
    "ip6gre",
    "wireguard",
    "tap",
    "auto",
    "any",
    "inherit",
    "host",
    "100",
    "2-4",
    "1-4094",
    "eth0=5",
    "eth0:3",
    "layer3+4",
    "4.5",
    "6000",
];

fn line() -> impl Strategy<Value = String> {
    let names = || prop::collection::vec(select(&NAMES[..]), 0..4).prop_map(|names| names.join(" "));
    let words = || prop::collection::vec(select(&WORDS[..]), 0..8).prop_map(|words| words.join(" "));
    let family = select(vec!["inet", "inet6", "can", "inte", ""]);
    let method = select(vec!["static", "manual", "loopback", "tunnel", "v4tunnel", "6to4", "dhcp", "statci", ""]);
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

/// A link that is made, without mistakes. Each kind has one name, so that a file may have it twice.
fn sound_link() -> impl Strategy<Value = String> {
    let ports =
        select(vec!["none", "eth0", "eth1 lan", "eth0.5", "lan.7 eth9", "regex e.*", "all", "bond0 eth1.6", "dummy0"]);
    let options = select(vec![
        "bridge_stp on",
        "bridge_fd 2.5",
        "bridge-vlan-aware yes",
        "bridge-vlan-aware yes\n  bridge-vids 2-5\n  bridge-pvid 3",
        "bridge_portprio eth0 8",
        "bridge_hw 02:00:00:00:00:09",
        "mtu 1400",
    ]);
    let slaves = select(vec!["none", "eth0", "lan eth1", "all"]);
    let mode = select(vec!["0", "active-backup\n  bond-primary eth0", "802.3ad\n  bond-lacp-rate fast", "balance-alb"]);
    prop_oneof![
        (ports, options).prop_map(|(ports, o)| format!("iface bridge0 inet manual\n  bridge_ports {ports}\n  {o}\n")),
        (slaves, mode).prop_map(|(slaves, mode)| {
            format!("iface bond0 inet manual\n  bond-slaves {slaves}\n  bond-miimon 100\n  bond-mode {mode}\n")
        }),
        Just(
            "iface eth1 inet manual\n  bond-master bond0\nauto eth1\niface bond0 inet manual\n  bond-mode 1\n"
                .to_owned()
        ),
        Just("iface red\n  vrf-table auto\nauto red lan\niface lan inet manual\n  vrf red\n".to_owned()),
        Just("iface dummy0\n  link-type dummy\n  address 192.0.2.7/32\nauto dummy0\n".to_owned()),
        Just("iface mv0 inet manual\n  link-type macvlan\n  raw-device eth0\nauto mv0\n".to_owned()),
        Just("iface vx0 inet manual\n  vxlan-id 5\n  vxlan-physdev lan\nauto vx0\n".to_owned()),
        Just("iface tun0 inet tunnel\n  mode gre\n  endpoint any\n  address 10.0.0.1/24\nauto tun0\n".to_owned()),
        Just("iface va inet manual\n  link-type veth\n  veth-peer-name vb\nauto va\n".to_owned()),
    ]
    .prop_map(|text| if text.contains("auto ") { text } else { format!("auto bridge0 bond0\n{text}") })
}

/// A file without mistakes, but for routes, rules and ports that clash.
fn sound() -> impl Strategy<Value = String> {
    prop::collection::vec(prop_oneof![2 => sound_stanza(), 1 => sound_link()], 0..8)
        .prop_map(|stanzas| stanzas.concat())
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
    desired.links.iter().for_each(check_link);
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

/// What holds for every link: the kernel takes it, and shows it as it was asked for.
fn check_link(desired: &DesiredLink) {
    let link = &desired.link;
    if let Some(own) = link.kind.as_ref().and_then(Kind::as_virtual) {
        for word in own.options.keys() {
            assert_eq!(own.kind.option(word).map(|option| option.word), Some(word.as_str()), "{own:?}");
        }
        let mut shown = own.clone();
        shown.complete();
        shown.normalize();
        assert_eq!(&shown, own, "this is not what the kernel shows");
        assert!(own.parent.is_some() || !own.kind.needs_parent());
        assert!(own.kind != VirtualKind::Vrf || own.options.contains_key("table"));
        assert_eq!(link.wireguard.is_some(), own.kind == VirtualKind::Wireguard);
    }
    for word in link.port.keys() {
        assert!(link.master.is_some() && PortOf::of(word).is_some(), "{word} of {}", desired.place);
    }
    if let Some(vlans) = &link.vlans {
        assert!(vlans.iter().filter(|vlan| vlan.pvid).count() <= 1);
        assert!(vlans.iter().map(|vlan| vlan.id).collect::<BTreeSet<_>>().len() == vlans.len());
        assert!(vlans.iter().all(|vlan| (1..4095).contains(&vlan.id)));
    }
    for address in desired.addresses().filter(|address| address.local.addr().is_ipv4()) {
        let lifetime = address.preferred_lifetime;
        assert!(lifetime.is_none_or(|seconds| seconds == 0), "the kernel keeps no lifetime of IPv4: {address:?}");
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
            // The other end of a pair with a bridge of the host's is there too, and so is everything that was made.
            machine.0.insert(link.place.link, link.link.mtu.or(present).unwrap_or(1500));
        }
        let after = load(&interfaces, links, "", &machine);
        prop_assert_eq!(&before.desired, &after.desired);
    }
}

//! Figures as Prometheus reads them: of real links in real namespaces, from files, by hand and by HTTP.

mod common;

use common::{eventually, in_world, own_etc, sh};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const BINARY: &str = env!("CARGO_BIN_EXE_systemd-netns");

/// A world with `/etc` to write to, and a namespace `web` with a pair to the host.
fn world(test: impl FnOnce() + Send) {
    in_world(|| {
        own_etc();
        sh("mkdir -p /etc/network /etc/netns/web/network /etc/netns/idle/network
            echo 'auto lo' >/etc/netns/idle/network/interfaces
            echo 'link-netns web out0 in0' >/etc/netns/web/network/links
            ip link set lo up
            cat >/etc/netns/web/network/interfaces <<END
auto lo
iface lo inet loopback
auto in0
iface in0 inet static
    address 192.0.2.2/24
END
            ip link set lo up");
        ours(&["start", "web"]);
        test();
        ours(&["stop", "web"]);
    });
}

#[track_caller]
fn ours(arguments: &[&str]) -> String {
    let output = Command::new(BINARY).args(arguments).env_remove("JOURNAL_STREAM").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The samples by everything before the value.
fn samples(text: &str) -> BTreeMap<String, String> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.rsplit_once(' ').map(|(k, v)| (k.to_owned(), v.to_owned())).unwrap()).collect()
}

fn families(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

/// Names, `HELP`, `TYPE` and samples in the places that the format gives them.
fn well_formed(text: &str) {
    let mut seen = BTreeSet::new();
    let mut family = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            family = rest.split(' ').next().unwrap();
            assert!(seen.insert(family), "{family} twice");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, family);
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        } else {
            assert_eq!(line.split(['{', ' ']).next().unwrap(), family, "{line}");
        }
    }
}

/// All that node_exporter 1.5 and later tell of links, but for what only real NICs have.
const LINK_FAMILIES: [&str; 36] = [
    "address_assign_type",
    "address_info",
    "carrier",
    "carrier_changes_total",
    "carrier_down_changes_total",
    "carrier_up_changes_total",
    "device_id",
    "dormant",
    "flags",
    "iface_id",
    "iface_link",
    "iface_link_mode",
    "info",
    "mtu_bytes",
    "name_assign_type",
    "net_dev_group",
    "protocol_type",
    "receive_bytes_total",
    "receive_compressed_total",
    "receive_drop_total",
    "receive_errs_total",
    "receive_fifo_total",
    "receive_frame_total",
    "receive_multicast_total",
    "receive_nohandler_total",
    "receive_packets_total",
    "speed_bytes",
    "transmit_bytes_total",
    "transmit_carrier_total",
    "transmit_colls_total",
    "transmit_compressed_total",
    "transmit_drop_total",
    "transmit_errs_total",
    "transmit_fifo_total",
    "transmit_packets_total",
    "up",
];

#[test]
fn figures_are_those_of_the_links() {
    world(|| {
        sh(r#"ip -n web link set in0 alias 'a "b" \c'; ping -q -c 3 -i 0.2 -W 1 192.0.2.2 >/dev/null || true
              ip netns exec web ping -q -c 3 -i 0.2 -W 1 127.0.0.1 >/dev/null"#);
        let text = ours(&["collect", "--print", "web"]);
        well_formed(&text);
        let found = families(&text);
        for name in LINK_FAMILIES.into_iter().chain(["transmit_queue_length"]) {
            assert!(found.contains(format!("node_network_{name}").as_str()), "no {name}:\n{text}");
        }
        let manual = include_str!("../share/man/systemd-netns-metrics.7");
        for family in &found {
            let word = family.strip_prefix("node_network_").unwrap_or(family);
            let words = || manual.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            assert!(words().any(|w| w == word), "{family} is not in the manual");
        }
        let all = samples(&text);
        let value = |name: &str| all.get(name).map(String::as_str);
        let device =
            |family: &str, device: &str| value(&format!("node_network_{family}{{netns=\"web\",device=\"{device}\"}}"));
        let index = common::ip_json("-n web link show dev in0")[0]["ifindex"].to_string();
        assert_eq!(device("mtu_bytes", "in0"), Some("1500"));
        assert_eq!(device("iface_id", "in0"), Some(index.as_str()));
        assert_eq!(device("receive_bytes_total", "lo"), Some(&*(6 * 84).to_string()));
        // More may be sent between two looks.
        eventually("packets are those that ip(8) counts", || {
            let packets = common::ip_json("-n web -s -s link show dev in0")[0]["stats64"]["tx"]["packets"].to_string();
            let all = samples(&ours(&["collect", "--print", "web"]));
            (all["node_network_transmit_packets_total{netns=\"web\",device=\"in0\"}"] == packets && packets != "0")
                .then_some(())
        });
        assert_eq!(device("up", "in0"), Some("1"));
        assert_eq!(device("carrier", "in0"), Some("1"));
        // sysfs says 10000 Mbit/s of a pair.
        assert_eq!(device("speed_bytes", "in0"), Some("1250000000"));
        assert_eq!(device("speed_bytes", "lo"), None);
        let info = all.keys().find(|key| key.starts_with("node_network_info{netns=\"web\",device=\"in0\"")).unwrap();
        assert!(info.contains(r#"ifalias="a \"b\" \\c""#) && info.contains("duplex=\"full\""), "{info}");
        assert_eq!(
            value(
                r#"node_network_address_info{netns="web",device="in0",address="192.0.2.2",netmask="24",scope="global"}"#
            ),
            Some("1")
        );
        assert_eq!(value(r#"netns_up{netns="web"}"#), Some("1"));
        assert_eq!(value(r#"netns_drift_operations{netns="web"}"#), Some("0"));
        assert_eq!(value(r#"netns_snmp_total{netns="web",protocol="Icmp",counter="InEchos"}"#), Some("3"));
        assert_eq!(value(r#"netns_sockets{netns="web",protocol="TCP"}"#), Some("0"));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let created: u64 = value(r#"netns_created_timestamp_seconds{netns="web"}"#).unwrap().parse().unwrap();
        assert!(created <= now && now - created < 3600, "{created} {now}");
    });
}

#[test]
fn drift_mistakes_and_what_is_not_up_are_told() {
    world(|| {
        sh("ip -n web address add 192.0.2.3/24 dev in0; ip -n web address del 192.0.2.2/24 dev in0");
        let all = samples(&ours(&["collect", "--print"]));
        assert_eq!(all[r#"netns_up{netns="idle"}"#], "0");
        assert!(!all.keys().any(|key| key.starts_with("node_") && key.contains("idle")));
        assert_ne!(all[r#"netns_drift_operations{netns="web"}"#], "0");
        sh("echo nonsense >>/etc/netns/web/network/interfaces");
        let all = samples(&ours(&["collect", "--print"]));
        assert_eq!(all[r#"netns_mistakes{netns="web"}"#], "1");
        assert!(!all.contains_key(r#"netns_drift_operations{netns="web"}"#));
    });
}

/// A process of this program's, ended with the test.
struct Running(Child);

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let errors = if std::env::var_os("SHOW").is_some() { Stdio::inherit() } else { Stdio::null() };
        Self(Command::new(BINARY).args(arguments).stderr(errors).spawn().unwrap())
    }

    fn end(mut self) {
        sh(&format!("kill {}", self.0.id()));
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_file_follows_the_namespace_and_goes_at_the_end() {
    world(|| {
        let path = "/run/prom/netns_web.prom";
        sh("mkdir /run/prom");
        ours(&["collect", "web", "--directory", "/run/prom"]);
        well_formed(&std::fs::read_to_string(path).unwrap());
        assert_eq!(std::fs::read_dir("/run/prom").unwrap().count(), 1);
        let collector = Running::start(&["collect", "web", "--directory", "/run/prom", "--every", "1"]);
        let says = |what: &str| std::fs::read_to_string(path).ok().filter(|text| text.contains(what)).map(drop);
        ours(&["stop", "web"]);
        eventually("it is told to be down", || says("netns_up{netns=\"web\"} 0\n"));
        assert!(!std::fs::read_to_string(path).unwrap().contains("in0"));
        ours(&["start", "web"]);
        eventually("it is told to be up again", || says("netns_up{netns=\"web\"} 1\n"));
        eventually("with its link", || says("node_network_up{netns=\"web\",device=\"in0\"} "));
        collector.end();
        assert!(!std::path::Path::new(path).exists());
    });
}

fn connect() -> TcpStream {
    let stream = eventually("the exporter listens", || TcpStream::connect("127.0.0.1:9999").ok());
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn ask(request: &str) -> String {
    let mut stream = connect();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn all_namespaces_are_served_whoever_else_says_nothing() {
    world(|| {
        let exporter = Running::start(&["collect", "--listen", "127.0.0.1:9999"]);
        // More than there may be connections, half of which begin to say something.
        let silent: Vec<TcpStream> = (0..100)
            .map(|n| {
                let mut stream = connect();
                stream.write_all(if n % 2 == 0 { b"GET /met" } else { b"" }).unwrap();
                stream
            })
            .collect();
        let answer = ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
        well_formed(body);
        assert_eq!(samples(body)[r#"netns_up{netns="web"}"#], "1");
        assert_eq!(samples(body)[r#"netns_up{netns="idle"}"#], "0");
        drop(silent);
        assert_eq!(ask("HEAD /metrics HTTP/1.1\r\n\r\n").split_once("\r\n\r\n").unwrap().1, "");
        assert!(ask("GET /other HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
        assert!(ask("POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
        assert!(ask("nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
        assert!(ask(&format!("GET / HTTP/1.1\r\nA: {}", "b".repeat(9000))).starts_with("HTTP/1.1 431 "));
        exporter.end();
    });
}

#[test]
fn being_looked_at_keeps_no_namespace_alive() {
    world(|| {
        let exporter = Running::start(&["collect", "--listen", "127.0.0.1:9999"]);
        assert!(ask("GET /metrics HTTP/1.1\r\n\r\n").contains("in0"));
        // A pair goes with the last user of the namespace that its end is in.
        sh("ip link add canary type veth peer name canary netns web; ip netns delete web");
        eventually("the namespace has ended", || {
            common::try_sh("ip link show canary").status.code().filter(|c| *c != 0)
        });
        exporter.end();
    });
}

/// The words of a dashboard's queries that name families.
fn queried(dashboard: &serde_json::Value) -> BTreeSet<String> {
    let queries = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array());
    let expressions = queries.flatten().map(|target| target["expr"].as_str().unwrap().to_owned());
    let words = |text: String| {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_owned).collect::<Vec<_>>();
        words.into_iter().filter(|word| word.starts_with("netns_") || word.starts_with("node_network_"))
    };
    expressions.flat_map(words).collect()
}

#[test]
fn the_dashboard_asks_for_what_is_told() {
    let dashboard = serde_json::from_str(include_str!("../share/grafana/systemd-netns.json")).unwrap();
    let queried = queried(&dashboard);
    assert!(queried.len() > 10, "{queried:?}");
    let manual = include_str!("../share/man/systemd-netns-metrics.7");
    let words: BTreeSet<&str> = manual.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    for name in queried {
        assert!(words.contains(name.strip_prefix("node_network_").unwrap_or(&name)), "{name} is not told");
    }
}

#[test]
fn the_picture_is_of_the_dashboard() {
    let drawn = match Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lib/dashboard")).arg("draw").output() {
        Ok(drawn) => drawn,
        Err(e) => return eprintln!("SKIPPED: the picture cannot be drawn, is there a python3? {e}"),
    };
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    let picture = include_str!("../share/doc/dashboard.svg");
    let drawn = String::from_utf8(drawn.stdout).unwrap();
    assert!(drawn == picture, "draw it anew: tests/lib/dashboard draw >share/doc/dashboard.svg");
    let dashboard: serde_json::Value =
        serde_json::from_str(include_str!("../share/grafana/systemd-netns.json")).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = format!(">{}</text>", panel["title"].as_str().unwrap());
        assert!(picture.contains(&title), "there is no {title}");
    }
    assert!(picture.contains("Not a screenshot of Grafana"));
}

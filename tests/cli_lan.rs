//! The program with links that a namespace's files make on the host: a bridge, a tap device, and others that are on it.

mod common;

use common::{in_world, ip_json, own_etc, sh, try_sh};
use std::path::Path;
use std::process::Command;

/// The program that was built with this test, or the one that is installed where only the test was brought.
fn program() -> &'static str {
    let built = env!("CARGO_BIN_EXE_systemd-netns");
    if Path::new(built).exists() { built } else { "/usr/sbin/systemd-netns" }
}

const LINKS: &str = "\
auto br1
iface br1
    address 10.1.1.1/24
    address fd01::1/64
    bridge_ports none
    bridge_fd 0

iface tap0 inet manual
    tunctl-user nobody
";

fn world(test: impl FnOnce() + Send) {
    in_world(|| {
        own_etc();
        sh("ip link set lo up
            ip netns add wire
            ip link add eth0 type veth peer name eth0 netns wire
            ip netns add wire1
            ip link add veth-lxc type veth peer name eth0 netns wire1
            ip link set eth0 up");
        write("lan", "links", LINKS);
        for (name, host) in [("app", 6), ("two", 7)] {
            let text =
                format!("auto br1..1\niface br1..1 inet static\n    address 10.1.1.{host}/24\n    gateway 10.1.1.1\n");
            write(name, "interfaces", &text);
        }
        let before = links();
        test();
        assert_eq!(links(), before, "the host's links");
        assert!(!Path::new("/run/systemd-netns").exists(), "there is a record");
    });
}

fn write(service: &str, file: &str, text: &str) {
    let path = Path::new("/etc/netns").join(service).join("network").join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn links() -> String {
    sh("ip -br link | cut -d' ' -f1,2,3; ip -d link | grep -o 'master [^ ]*' || :")
}

#[track_caller]
fn run(status: i32, arguments: &[&str]) -> String {
    let output = Command::new(program()).args(arguments).env_remove("JOURNAL_STREAM").output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    said
}

#[track_caller]
fn assert_says(said: &str, part: &str) {
    assert!(said.contains(part), "no `{part}` in: {said}");
}

fn ports() -> Vec<String> {
    let links = ip_json("link show master br1");
    let names = links.as_array().unwrap().iter().map(|link| link["ifname"].as_str().unwrap().to_owned());
    names.collect()
}

#[test]
fn a_bridge_of_its_own_carries_namespaces_devices_and_containers() {
    world(|| {
        write("lan", "links", &LINKS.replace("bridge_ports none", "bridge_ports tap0 veth-lxc gone"));
        assert_says(
            &run(0, &["check", "lan"]),
            "/etc/netns/lan/network/links:5:32: warning: there is no link `gone`, ignoring",
        );
        run(0, &["start", "lan"]);
        let mut found = ports();
        found.sort();
        assert_eq!(found, ["tap0", "veth-lxc"]);
        assert_says(&sh("ip -d link show dev tap0"), "user nobody");
        sh("ip -n wire1 address add 10.1.1.9/24 dev eth0; ip -n wire1 link set eth0 up");
        run(0, &["start", "app"]);
        run(0, &["start", "two"]);
        for (netns, address) in [("app", "10.1.1.7"), ("two", "10.1.1.1"), ("wire1", "10.1.1.6")] {
            sh(&format!("ip netns exec {netns} ping -q -c 1 -w 5 {address}"));
        }
        assert_says(&run(0, &["status", "lan"]), "lan: up, as the files say");
        assert_says(&run(0, &["reload", "lan"]), "nothing to do");
        write("lan", "links", LINKS);
        run(0, &["reload", "lan"]);
        assert!(!ports().contains(&"veth-lxc".to_owned()) && ports().len() == 2, "{:?}", ports());
        for name in ["two", "app", "lan"] {
            run(0, &["stop", name]);
        }
        sh("ip -n wire1 link set eth0 down; ip -n wire1 address flush dev eth0");
    });
}

#[test]
fn what_is_on_a_bridge_comes_back_with_it() {
    world(|| {
        assert_says(&run(1, &["start", "app"]), "link br1 does not exist on the host");
        run(0, &["start", "lan"]);
        run(0, &["start", "app"]);
        run(0, &["stop", "lan"]);
        assert!(!try_sh("ip link show dev br1").status.success());
        assert_says(&run(0, &["start", "lan"]), "app is on a bridge of lan: reloading it too");
        sh("ip netns exec app ping -q -c 1 -w 5 10.1.1.1");
        run(0, &["stop", "app"]);
        run(0, &["stop", "lan"]);
    });
}

#[test]
fn a_physical_port_goes_back() {
    world(|| {
        write("lan", "links", &LINKS.replace("bridge_ports none", "bridge_ports eth0"));
        run(0, &["start", "lan"]);
        assert_eq!(ports(), ["eth0"]);
        run(0, &["stop", "lan"]);
        sh("ip link show dev eth0 | grep -v master");
    });
}

#[test]
fn what_cannot_be_made_there_is_told() {
    world(|| {
        let text = "iface br1 inet manual\n bridge_ports regex eth.* noregex lo\niface v0 inet manual\n link-type vrf\n \
                    vrf-table 7\niface eth0 inet manual\nauto br9\n";
        write("lan", "links", text);
        let said = run(78, &["check", "lan"]);
        let file = "/etc/netns/lan/network/links";
        assert_says(&said, &format!("{file}:2:21: error: the ports of a bridge on the host are named one by one"));
        assert_says(&said, &format!("{file}:2:35: error: `lo` cannot be a port of `br1`"));
        assert_says(&said, &format!("{file}:3:7: error: no link of this kind is made on the host"));
        assert_says(&said, &format!("{file}:6:7: warning: `eth0` is not the host's end of a pair"));
        assert_says(&said, &format!("{file}:7:6: warning: this has no effect"));
        sh("ip link add br1 type bridge");
        write("lan", "links", LINKS);
        assert_says(&run(1, &["start", "lan"]), "there is a link br1 on the host that was not made for lan");
        sh("ip link delete br1");
    });
}

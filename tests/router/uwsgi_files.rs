//! uWSGI's configurations, by file and by option, with our program in its place.

use super::traffic::transfer;
use super::uwsgi::configure;
use super::world::*;
use crate::common::{eventually, sh, try_sh};
use nix::sys::signal::Signal;
use std::process::Command;

/// A router and a device as uWSGI's documentation has them, with what is the machine's own in other places.
const EMPEROR: &str = "[uwsgi]
; create the device and bind it to a socket
tuntap-router = emperor0 /run/tuntap.socket
exec-as-root = ifconfig emperor0 192.168.0.1 netmask 255.255.255.0 up
exec-as-root = iptables -t nat -F
exec-as-root = iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE
exec-as-root = echo 1 >/proc/sys/net/ipv4/ip_forward
emperor-use-clone = net
emperor = /etc/vassals
";
const FIREWALL: [&str; 8] = [
    "out = allow 192.168.0.0/24 192.168.0.1",
    "out = deny 192.168.0.0/24 192.168.0.0/24",
    "out = allow 192.168.0.0/24 0.0.0.0",
    "out = deny",
    "in = allow 192.168.0.1 192.168.0.0/24",
    "in = deny 192.168.0.0/24 192.168.0.0/24",
    "in = allow 0.0.0.0 192.168.0.0/24",
    "in = deny",
];

fn vassal(number: u8, more: &str) -> String {
    format!(
        "[uwsgi]
jailed = true
tuntap-device = uwsgi0 /run/tuntap.socket
exec-as-root = ifconfig lo up
exec-as-root = ifconfig uwsgi0 192.168.0.{number} netmask 255.255.255.0 up
exec-as-root = route add default gw 192.168.0.1
{more}
uid = customer001
socket = /var/www/foobar.socket
psgi-file = foobar.pl
"
    )
}

/// Runs our program in a namespace, or here.
fn ours(netns: &str, name: &str, arguments: &[&str]) -> Process {
    let log = std::fs::File::create(format!("/run/{name}.log")).unwrap();
    let mut command = Command::new(program());
    command.args(arguments).stdout(log.try_clone().unwrap()).stderr(log).env_remove("JOURNAL_STREAM");
    super::traffic::at(netns, || Process::start(&mut command))
}

fn says(name: &str, part: &str) {
    let text = || std::fs::read_to_string(format!("/run/{name}.log")).unwrap_or_default();
    let found = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        text().contains(part)
    });
    assert!(found, "no `{part}` in: {}", text());
}

/// A namespace `wire` behind `eth0`, which knows nobody but this host.
fn wire() {
    sh("ip netns add wire; ip link add eth0 type veth peer name eth0 netns wire
        ip address add 198.51.100.2/24 dev eth0; ip link set eth0 up
        ip -n wire address add 198.51.100.1/24 dev eth0; ip -n wire link set eth0 up");
}

fn have_tools() -> bool {
    let have = try_sh("ifconfig -a; iptables -t nat -L -n; route -n").status.success();
    if !have {
        eprintln!("SKIPPED: there is no ifconfig, route or iptables");
    }
    have
}

#[test]
fn its_files_are_run_by_us_in_its_place() {
    world(|| {
        if !have_tools() {
            return;
        }
        wire();
        std::fs::write("/run/emperor.ini", EMPEROR).unwrap();
        let mut router = ours("", "emperor", &["router", "--uwsgi", "/run/emperor.ini"]);
        says("emperor", "is ready");
        says("emperor", "these options of uWSGI's mean nothing here, ignoring: emperor-use-clone, emperor");
        let vassals = [(2, ""), (3, "exec-as-root = ping -c 1 192.168.0.1")].map(|(number, more)| {
            let name = format!("v{number}");
            namespace(&name);
            let file = format!("/run/{name}.ini");
            std::fs::write(&file, vassal(number, more)).unwrap();
            let process = ours(&name, &name, &["device", "--uwsgi", &file]);
            says(&name, "is connected to the router at /run/tuntap.socket");
            ping(&name, OWN[0]);
            process
        });
        transfer("v2", "v3", "192.168.0.3", 1 << 20);
        transfer("", "v3", "192.168.0.3", 1 << 20);
        transfer("v2", "wire", "198.51.100.1", 1 << 20);
        drop(vassals);
        for name in ["v2", "v3"] {
            assert!(!within(name, || try_sh("ip link show uwsgi0").status.success()));
        }
        router.end(Signal::SIGTERM);
        assert!(!try_sh("ip link show emperor0").status.success(), "the device goes with it");
        assert!(!std::path::Path::new("/run/tuntap.socket").exists());
    });
}

#[test]
fn its_firewall_is_run_by_us_in_its_place_by_file_and_by_option() {
    for by_file in [true, false] {
        world(|| {
            if !have_tools() {
                return;
            }
            wire();
            let at = format!("emperor0 /run/tuntap.socket {STATISTICS}");
            let _router = if by_file {
                let rules = FIREWALL.map(|rule| format!("tuntap-router-firewall-{rule}\n")).concat();
                let text = EMPEROR.replace("emperor0 /run/tuntap.socket", &at);
                std::fs::write("/run/emperor.ini", text + &rules).unwrap();
                ours("", "emperor", &["router", "--uwsgi", "/run/emperor.ini"])
            } else {
                let rules: Vec<(String, &str)> = FIREWALL
                    .iter()
                    .map(|rule| rule.split_once(" = ").unwrap())
                    .map(|(chain, rule)| (format!("--tuntap-router-firewall-{chain}"), rule))
                    .collect();
                let mut arguments = vec!["router", "--tuntap-router", &at];
                arguments.extend(rules.iter().flat_map(|(option, rule)| [option.as_str(), rule]));
                ours("", "emperor", &arguments)
            };
            says("emperor", "is ready");
            if !by_file {
                sh("ifconfig emperor0 192.168.0.1 netmask 255.255.255.0 up; echo 1 >/proc/sys/net/ipv4/ip_forward
                    iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE");
            }
            let at = ["--tuntap-device", "uwsgi0 /run/tuntap.socket"];
            let _vassals = [2_u8, 3].map(|number| {
                let name = format!("v{number}");
                namespace(&name);
                let process = ours(&name, &name, &[&["device"][..], &at].concat());
                configure(&name, "uwsgi0", &format!("192.168.0.{number}/24"));
                ping(&name, OWN[0]);
                process
            });
            transfer("v2", "wire", "198.51.100.1", 1 << 20);
            transfer("", "v2", "192.168.0.2", 1 << 20);
            assert!(!answers("v2", "192.168.0.3", ""));
            let statistics: serde_json::Value = serde_json::from_str(&ask(STATISTICS, "")).unwrap();
            let packets = |chain: &str, rule: usize| statistics["firewall"][chain][rule]["packets"].as_u64().unwrap();
            assert_eq!(packets("out", 1), 1);
            for (chain, rule) in [("out", 0), ("out", 2), ("in", 0), ("in", 2)] {
                assert!(packets(chain, rule) > 1, "{chain} {rule}: {statistics:#}");
            }
        });
    }
}

#[test]
fn a_device_of_its_options_goes_with_its_command_or_its_process() {
    world(|| {
        let router = Router::start("");
        namespace("a");
        let there = || within("a", || try_sh("ip link show uw0").status.success());
        let at = format!("uw0 {SOCKET}");
        let script = "ip address add 192.168.0.2/24 dev uw0 && ip link set uw0 up && ping -c 3 -i 0.2 192.168.0.1";
        for pass in [&[][..], &["--pass"]] {
            let device = [&["device", "--tuntap-device", &at], pass].concat();
            let mut process = ours("a", "a", &[&device[..], &["--", "sh", "-c", script]].concat());
            assert!(process.0.wait().unwrap().success(), "{}", std::fs::read_to_string("/run/a.log").unwrap());
            eventually("the device is gone", || (!there()).then_some(()));
            let mut process = ours("a", "a", &[&device[..], &["--", "false"]].concat());
            assert!(!process.0.wait().unwrap().success());
            eventually("the device is gone", || (!there()).then_some(()));
            let mut process = ours("a", "a", &device);
            says("a", "is connected to the router");
            assert!(there());
            process.end(Signal::SIGKILL);
            eventually("the device is gone", || (!there()).then_some(()));
            eventually("the peer is gone", || (router.peers() == 0).then_some(()));
        }
    });
}

//! Pairs go with their namespace or beside a NIC; either way, and whatever holds the namespace, a stop leaves nothing on the host.

mod common;

use common::{eventually, in_world, ip_json, own_etc, sh, try_sh};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Output};

/// A namespace with a pair, and with the NIC `eth0` if `nic` says so; all are up. Where no NIC goes back, the pair goes with the namespace.
fn up(nic: &str, test: impl FnOnce() + Send) {
    in_world(|| {
        own_etc();
        sh("mkdir -p /etc/network /etc/netns/web/network
            ip link set lo up
            ip netns add wire
            ip link add eth0 type veth peer name eth0 netns wire
            ip link add eth9 type veth peer name eth9 netns wire");
        let write = |file: &str, text: &str| std::fs::write(format!("/etc/netns/web/network/{file}"), text).unwrap();
        write("links", "link-netns web out0 in0\niface out0 inet static\n address 100.64.0.0/31\n");
        let commands = "down ip -o link show in0 >>/run/seen\n post-down ip -o link show in0 >>/run/seen\n";
        let pair = format!("auto {nic} in0\niface in0 inet static\n address 100.64.0.1/31\n {commands}");
        write("interfaces", &format!("{pair}iface eth0 inet manual\n"));
        good("start");
        assert!(is_there("out0") && is_there("eth0") == nic.is_empty());
        test();
    });
}

fn netns(verb: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_systemd-netns"));
    command.args([verb, "web"]).env_remove("JOURNAL_STREAM").env_remove("SSH_CONNECTION");
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn good(verb: &str) -> String {
    let output = netns(verb).output().unwrap();
    assert!(output.status.success(), "{verb}: {}", said(&output));
    said(&output)
}

fn is_there(link: &str) -> bool {
    try_sh(&format!("ip link show dev {link}")).status.success()
}

fn is_recorded() -> bool {
    Path::new("/run/systemd-netns/web/record.json").exists()
}

fn is_named() -> bool {
    Path::new("/run/netns/web").exists()
}

#[test]
fn nothing_of_a_pair_is_left_when_a_stop_is_done() {
    for nic in ["eth0", ""] {
        up(nic, || {
            for round in 1..=3 {
                let text = good("stop");
                assert!(!is_there("out0") && is_there("eth0") && !is_recorded() && !is_named(), "{text}");
                assert!(text.contains("1 link deleted"), "{text}");
                let seen = std::fs::read_to_string("/run/seen").unwrap();
                assert_eq!(seen.lines().count(), 2 * round, "a command of the pair's found it gone: {text}{seen}");
                good("start");
            }
        });
    }
}

#[test]
fn a_namespace_that_is_held_open_keeps_no_pair() {
    for nic in ["eth0", ""] {
        up(nic, || {
            let held = File::open("/run/netns/web").unwrap();
            good("stop");
            assert!(!is_there("out0") && is_there("eth0") && !is_recorded() && !is_named());
            drop(held);
            good("start");
            assert!(is_there("out0"));
        });
    }
}

#[test]
fn a_namespace_that_a_process_is_in_keeps_no_pair() {
    for nic in ["eth0", ""] {
        up(nic, || {
            let mut inside = Command::new("ip").args(["netns", "exec", "web", "sleep", "60"]).spawn().unwrap();
            let pid = inside.id();
            eventually("the process to be inside", || {
                let inside = sh("ip netns pids web");
                inside.lines().any(|line| line == pid.to_string()).then_some(())
            });
            good("stop");
            assert!(!is_there("out0") && is_there("eth0") && !is_recorded() && !is_named());
            inside.kill().unwrap();
            inside.wait().unwrap();
        });
    }
}

#[test]
fn a_stop_that_is_killed_while_it_waits_is_finished_by_the_next() {
    for next in ["stop", "start"] {
        up("", || {
            let held = File::open("/run/netns/web").unwrap();
            let mut stop = netns("stop").spawn().unwrap();
            eventually("the name to go", || (!is_named()).then_some(()));
            stop.kill().unwrap();
            stop.wait().unwrap();
            assert!(is_there("out0") && is_recorded(), "it was done before it was killed");
            good(next);
            assert_eq!(is_there("out0"), next == "start");
            assert_eq!((is_recorded(), is_named()), (next == "start", next == "start"));
            drop(held);
        });
    }
}

#[test]
fn an_alternative_name_of_another_nic_is_a_taken_name() {
    up("eth0", || {
        sh("ip link property add dev eth9 altname eth0; ip link add dev0 type bridge");
        let text = good("stop");
        assert!(text.contains("the name eth0 is taken on the host: the link comes back as dev1"), "{text}");
        assert_eq!(ip_json("link show dev dev1")[0]["link_netnsid"], ip_json("link show dev eth9")[0]["link_netnsid"]);
        assert!(!is_there("out0"));
    });
}

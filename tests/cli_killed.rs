//! What ends half-way, killed or failed, is finished by what comes next: a reload with files that no longer speak of what was there
//! before, and a stop with its last step.

mod common;

use common::{in_world, ip_json, own_etc, sh, try_sh};
use std::path::Path;
use std::process::Command;

/// A world with the NICs `eth0` to `eth2`, which are down.
fn world(test: impl FnOnce() + Send) {
    in_world(|| {
        own_etc();
        sh("mkdir -p /etc/network
            ip link set lo up
            ip netns add wire
            for nic in eth0 eth1 eth2; do ip link add $nic type veth peer name $nic netns wire; done");
        test();
    });
}

fn interfaces(text: &str) {
    std::fs::create_dir_all("/etc/netns/web/network").unwrap();
    std::fs::write("/etc/netns/web/network/interfaces", text).unwrap();
}

/// Runs the program, which must end with this status, or be killed.
#[track_caller]
fn run(status: Option<i32>, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_systemd-netns"));
    let output = command.args(arguments).env_remove("JOURNAL_STREAM").env_remove("SSH_CONNECTION").output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), status, "{arguments:?}: {said}");
    said
}

fn is_up(nic: &str) -> bool {
    ip_json(&format!("link show dev {nic}"))[0]["flags"].to_string().contains("\"UP\"")
}

/// A link on a NIC that stays on the host, and is brought up there. Taking it away kills the program the first time.
const UPPER: &str = "\
auto upper1
iface upper1 inet static
    link-type macvlan
    raw-device eth1
    address 192.0.2.9/24
    down test -e /run/killed || { touch /run/killed; kill -9 $(ps -o ppid= $$); }
";

const NIC: &str = "auto eth0\niface eth0 inet static\n    address 192.0.2.10/24\n";

/// A reload from that link to another NIC alone, killed before anything was taken away.
fn killed_before_it_gives_back() {
    assert!(!is_up("eth1"));
    interfaces(UPPER);
    run(Some(0), &["start", "web"]);
    assert!(is_up("eth1"));
    interfaces(NIC);
    run(None, &["reload", "web"]);
    assert!(is_up("eth1") && try_sh("ip -n web link show dev upper1").status.success());
}

#[track_caller]
fn assert_all_given_back() {
    assert!(!is_up("eth0") && !is_up("eth1"));
    assert!(!Path::new("/run/netns/web").exists() && !Path::new("/run/systemd-netns").exists());
}

#[test]
fn a_stop_after_a_killed_reload_gives_back_what_the_files_no_longer_borrow() {
    world(|| {
        killed_before_it_gives_back();
        run(Some(0), &["stop", "web"]);
        assert_all_given_back();
    });
}

#[test]
fn a_reload_after_a_killed_one_finishes_it() {
    world(|| {
        killed_before_it_gives_back();
        run(Some(0), &["reload", "web"]);
        assert!(!is_up("eth1"));
        assert!(!try_sh("ip -n web link show dev upper1").status.success());
        assert!(run(Some(0), &["reload", "web"]).contains("nothing to do"));
        run(Some(0), &["stop", "web"]);
        assert_all_given_back();
    });
}

#[test]
fn a_reload_that_fails_and_cannot_go_back_answers_for_what_was_there() {
    world(|| {
        let upper = |n: u8| {
            format!("auto upper{n}\niface upper{n} inet manual\n    link-type macvlan\n    raw-device eth{n}\n")
        };
        // Of the two the last goes first. With eth1 gone there is no way back.
        interfaces(&format!("{}{}    down ip -n wire link delete eth1; false\n", upper(1), upper(2)));
        run(Some(0), &["start", "web"]);
        assert!(is_up("eth2"));
        interfaces(NIC);
        assert!(run(Some(1), &["reload", "web"]).contains("cannot be reached any more"));
        assert!(is_up("eth2"));
        run(Some(0), &["stop", "web"]);
        assert!(!is_up("eth2") && !is_up("eth0"));
        assert!(!Path::new("/run/systemd-netns").exists());
    });
}

#[test]
fn a_name_without_a_namespace_is_no_obstacle() {
    world(|| {
        interfaces("auto lo\n");
        for next in ["start", "stop"] {
            run(Some(0), &["start", "web"]);
            // As far as a stop had come that was killed in its last step.
            sh("umount /run/netns/web && test -e /run/netns/web");
            run(Some(0), &[next, "web"]);
        }
        assert!(!Path::new("/run/netns/web").exists() && !Path::new("/run/systemd-netns").exists());
    });
}

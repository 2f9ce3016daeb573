//! The program with an `xfrm` file: namespaces beside the service's own, made for it and gone with it.
//!
//! What needs XFRM interfaces says so where the kernel has none; what happens without them is tested there.

mod common;

use common::kinds::has;
use common::{in_world, own_etc, sh, try_sh};
use std::path::Path;
use std::process::Command;
use systemd_netns::model::VirtualKind;

/// The program that was built with this test, or the one that is installed where only the test was brought.
fn program() -> &'static str {
    let built = env!("CARGO_BIN_EXE_systemd-netns");
    if Path::new(built).exists() { built } else { "/usr/sbin/systemd-netns" }
}

/// A world with the NICs `eth0` and `eth1`, and the files of a gateway `web` whose link leaves in `tunnel`.
fn world(test: impl FnOnce() + Send) {
    in_world(|| {
        own_etc();
        sh("mkdir -p /etc/network
            ip link set lo up
            ip netns add wire
            ip link add eth0 type veth peer name eth0 netns wire
            ip link add eth1 type veth peer name eth1 netns wire");
        write("web/network/interfaces", "auto eth0\niface eth0 inet static\n address 192.0.2.10/24\n");
        write("web/network/xfrm", "[ipsec0]\nIfId = 17\nDestNetNS = tunnel\nPrefixes = 10.2.0.0/16, fd02::/48\n");
        let text = "auto eth1\niface eth1 inet static\n address 10.1.0.1/24\n gateway 10.1.0.254\n";
        write("tunnel/network/interfaces", text);
        test();
    });
}

fn write(path: &str, text: &str) {
    let path = Path::new("/etc/netns").join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Runs the program, which must end with a status, and gives back all that it said.
#[track_caller]
fn run(status: i32, arguments: &[&str]) -> String {
    let output = Command::new(program())
        .args(arguments)
        .env_remove("JOURNAL_STREAM")
        .env_remove("SSH_CONNECTION")
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    said
}

#[track_caller]
fn assert_says(said: &str, part: &str) {
    assert!(said.contains(part), "no `{part}` in: {said}");
}

/// Both NICs are on the host, and nothing else is anywhere.
#[track_caller]
fn assert_nothing_left() {
    sh("ip link show dev eth0 && ip link show dev eth1");
    let namespaces = sh("ip netns list");
    assert_eq!(namespaces.lines().filter(|line| !line.starts_with("wire")).collect::<Vec<_>>(), [""; 0]);
    assert!(!Path::new("/run/systemd-netns").exists(), "there is a record");
}

#[test]
fn a_plan_makes_what_is_used_first() {
    world(|| {
        let plan = run(0, &["plan", "web"]);
        let at = |part: &str| plan.find(part).unwrap_or_else(|| panic!("no `{part}` in {plan}"));
        assert!(at("ip netns add tunnel") < at("ip netns add web"));
        assert!(at("dev eth1 netns tunnel") < at("type xfrm if_id 17"));
        assert_says(
            &plan,
            "ip -n web link add name ipsec0 type xfrm if_id 17 && ip -n web link set dev ipsec0 netns tunnel",
        );
        assert_says(&plan, "ip netns exec tunnel sysctl -qw net/ipv4/conf/all/forwarding=1");
        assert_says(&plan, "ip -n tunnel -6 route add fd02::/48 dev ipsec0");
        assert_says(&run(0, &["check"]), "web: good");
        assert_nothing_left();
    });
}

#[test]
fn what_has_no_file_is_there_for_the_links_alone() {
    world(|| {
        write("web/network/xfrm", "[ipsec0]\nIfId = 17\nPrefixes = 10.2.0.0/16\n");
        assert_says(
            &run(0, &["plan", "web"]),
            "ip netns add xfrm_web\nip -n xfrm_web link set dev lo up\nip netns add web",
        );
        run(78, &["start", "xfrm_web"]);
        assert_nothing_left();
    });
}

#[test]
fn a_start_and_a_stop_leave_nothing() {
    world(|| {
        if !has(VirtualKind::Xfrm) {
            let said = run(1, &["start", "web"]);
            assert_says(&said, "everything is back where it was");
            return assert_nothing_left();
        }
        run(0, &["start", "web"]);
        assert_says(&sh("ip -n tunnel route"), "10.2.0.0/16 dev ipsec0");
        assert_says(&run(0, &["plan", "web"]), "# nothing to do");
        run(0, &["start", "tunnel"]);
        run(0, &["stop", "web"]);
        assert!(!try_sh("ip -n tunnel link show dev ipsec0").status.success(), "the link is still there");
        sh("ip -n tunnel link show dev eth1");
        run(0, &["stop", "tunnel"]);
        assert_nothing_left();
    });
}

#[test]
fn what_is_used_stays_until_its_last_user_has_gone() {
    world(|| {
        if !has(VirtualKind::Xfrm) {
            return;
        }
        write("more/network/interfaces", "auto lo\n");
        write("more/network/xfrm", "[ipsec1]\nIfId = 17\nDestNetNS = tunnel\nPrefixes = 10.3.0.0/16\n");
        run(0, &["start", "tunnel"]);
        run(0, &["start", "web"]);
        run(0, &["start", "more"]);
        assert_says(&run(0, &["stop", "tunnel"]), "tunnel stays up: there are links of more, web in it");
        run(0, &["stop", "web"]);
        assert_eq!(sh("ip netns exec tunnel sysctl -n net.ipv4.ip_forward").trim(), "1");
        std::fs::remove_dir_all("/etc/netns").unwrap();
        run(0, &["stop", "more"]);
        assert_nothing_left();
    });
}

#[test]
fn what_a_killed_reload_was_giving_up_goes_with_the_next_stop() {
    world(|| {
        if !has(VirtualKind::Xfrm) {
            return;
        }
        let text = "auto eth1\niface eth1 inet manual\n down test -e /run/killed || { touch /run/killed; kill -9 $(ps -o ppid= $$); }\n";
        write("tunnel/network/interfaces", text);
        run(0, &["start", "web"]);
        std::fs::remove_file("/etc/netns/web/network/xfrm").unwrap();
        let reload = Command::new(program()).args(["reload", "web"]).status().unwrap();
        assert_eq!(reload.code(), None, "it was not killed");
        assert!(Path::new("/run/killed").exists() && Path::new("/run/netns/tunnel").exists());
        run(0, &["stop", "web"]);
        assert_nothing_left();
    });
}

#[test]
fn mistakes_of_what_is_used_are_told_and_nothing_is_done() {
    world(|| {
        write("tunnel/network/interfaces", "auto eth1\niface eth1 inet static\n address 10.1.0.300/24\n");
        let said = run(78, &["start", "web"]);
        assert_says(&said, "/etc/netns/tunnel/network/interfaces:3:10: error: ");
        assert_says(&run(0, &["check", "web"]), "cannot be started: systemd-netns check tunnel");
        assert_says(&run(78, &["plan", "web"]), "/etc/netns/tunnel/network/interfaces:3:10: error: ");
        assert_nothing_left();
        write("web/network/xfrm", "[ipsec0]\nIfId = 0\n");
        let said = run(78, &["start", "web"]);
        assert_says(&said, "/etc/netns/web/network/xfrm:2:8: error: an interface ID is not 0");
        assert_says(&said, "/etc/netns/web/network/xfrm:1:2: error: `ipsec0` has no `Prefixes`");
        assert_nothing_left();
    });
}

#[test]
fn a_namespace_of_somebody_elses_is_not_touched() {
    world(|| {
        sh("ip netns add tunnel; ip -n tunnel link add mine type veth peer name yours");
        assert_says(&run(1, &["start", "web"]), "was not made by systemd-netns");
        assert_says(&run(1, &["plan", "web"]), "was not made by systemd-netns");
        sh("ip -n tunnel link show dev mine; ip netns delete tunnel");
        assert_nothing_left();
    });
}

#[test]
fn two_that_use_one_another_are_refused() {
    world(|| {
        write("tunnel/network/xfrm", "[back]\nIfId = 1\nDestNetNS = web\nPrefixes = 10.9.0.0/16\n");
        let said = run(1, &["start", "web"]);
        assert_says(&said, "neither can be started before the other");
        assert_nothing_left();
        run(1, &["start", "tunnel"]);
        assert_nothing_left();
    });
}

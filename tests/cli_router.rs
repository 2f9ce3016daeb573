//! The program with routers and with namespaces that have a device of one.

mod common;

use common::{in_world, own_etc, sh, try_sh};
use std::path::Path;
use std::process::Command;

/// The program that was built with this test, or the one that is installed where only the test was brought.
fn program() -> &'static str {
    let built = env!("CARGO_BIN_EXE_systemd-netns");
    if Path::new(built).exists() { built } else { "/usr/sbin/systemd-netns" }
}

/// A world with a link `eth0`, a router `emperor0` and a service `app`.
fn world(test: impl FnOnce() + Send) {
    in_world(|| {
        own_etc();
        sh("ip link set lo up
            ip netns add wire
            ip link add eth0 type veth peer name eth0 netns wire
            sysctl -qw net.ipv4.conf.eth0.forwarding=0 net.ipv6.conf.all.forwarding=0 net.ipv6.conf.eth0.accept_ra=1");
        write("systemd-netns/router/emperor0.conf", ROUTER);
        write("netns/app/network/tuntap", "[Tuntap]\nRouter = emperor0\nAddress = 192.168.0.2/24\n");
        test();
    });
}

const ROUTER: &str = "[Router]\nAddress = 192.168.0.1/24, fd00::1/64\nMasquerade = eth0\n";

fn write(path: &str, text: &str) {
    let path = Path::new("/etc").join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Runs the program, which must end with a status, and gives back all that it said.
#[track_caller]
fn run_with(environment: &[(&str, &str)], status: i32, arguments: &[&str]) -> String {
    let mut command = Command::new(program());
    command.args(arguments).envs(environment.iter().copied()).env_remove("JOURNAL_STREAM");
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    said
}

#[track_caller]
fn run(status: i32, arguments: &[&str]) -> String {
    run_with(&[], status, arguments)
}

#[track_caller]
fn assert_says(said: &str, part: &str) {
    assert!(said.contains(part), "no `{part}` in: {said}");
}

fn has_nft() -> bool {
    try_sh("nft list ruleset").status.success()
}

fn sysctl(key: &str) -> String {
    sh(&format!("sysctl -n {key}")).trim().to_owned()
}

#[test]
fn check_and_plan_know_routers() {
    world(|| {
        let said = run(0, &["check"]);
        assert_says(&said, "app: good");
        assert_says(&said, "router emperor0: good");
        let plan = run(0, &["plan", "--router", "emperor0"]);
        assert_says(&plan, "ip tuntap add dev emperor0 mode tun user 0");
        assert_says(&plan, "sysctl -qw net/ipv4/conf/eth0/forwarding=1");
        assert_says(&plan, "sysctl -qw net/ipv6/conf/eth0/accept_ra=2");
        assert_says(&plan, "iifname \"emperor0\" oifname \"eth0\" masquerade");
        assert_says(&run(1, &["plan", "--router", "emperor0", "--stop"]), "there is nothing to clean");
        let plan = run(0, &["plan", "app"]);
        assert_says(
            &plan,
            "systemctl start systemd-netns-router@emperor0.socket && systemctl start systemd-netns-device@app:tun0.service",
        );
        assert_says(&run(0, &["status"]), "router emperor0: not up, device emperor0");
        assert_says(&run(0, &["status", "--json"]), "\"router\": \"emperor0\"");
    });
}

#[test]
fn mistakes_are_told_and_nothing_is_done() {
    world(|| {
        write("systemd-netns/router/emperor0.conf", "[Router]\nAdress = 192.168.0.1/24\n[Firewall]\nOut = allwo\n");
        for arguments in [&["check", "--router", "emperor0"][..], &["router", "prepare", "emperor0"]] {
            let said = run(78, arguments);
            assert_says(&said, "/etc/systemd-netns/router/emperor0.conf:2:1: error: unknown key `Adress`");
            assert_says(&said, "/etc/systemd-netns/router/emperor0.conf:4:7: error: unknown action `allwo`");
        }
        assert_says(&run(78, &["router", "prepare", "other"]), "there is no /etc/systemd-netns/router/other.conf");
        assert_says(&run(0, &["check", "app"]), "the file of router `emperor0` has mistakes");
        assert_says(
            &run(78, &["start", "app"]),
            "/etc/systemd-netns/router/emperor0.conf:2:1: error: unknown key `Adress`",
        );
        assert!(!Path::new("/run/netns/app").exists());
        assert!(!run(0, &["router", "prepare", "--before-run", "emperor0"]).contains("error"), "left to `run`");
        std::fs::remove_file("/etc/systemd-netns/router/emperor0.conf").unwrap();
        assert_says(&run(78, &["check", "app"]), "tuntap:2:10: error: there is no router `emperor0`");
        assert!(!Path::new("/run/systemd-netns/router").exists());
    });
}

#[test]
fn a_router_is_prepared_once_and_leaves_nothing() {
    world(|| {
        if !has_nft() {
            eprintln!("SKIPPED: there is no nft");
            return;
        }
        let rules = sh("nft list ruleset");
        run(0, &["router", "prepare", "emperor0"]);
        assert_says(&sh("ip address show dev emperor0"), "192.168.0.1/24");
        assert_says(&sh("ip -d link show dev emperor0"), "tun type tun");
        assert_says(&sh("nft list table inet systemd-netns-router-emperor0"), "masquerade");
        assert_eq!(sysctl("net.ipv4.conf.eth0.forwarding"), "1");
        assert_eq!(
            (sysctl("net.ipv6.conf.all.forwarding"), sysctl("net.ipv6.conf.eth0.accept_ra")),
            ("1".into(), "2".into())
        );
        assert_says(&run(0, &["plan", "--router", "emperor0"]), "# nothing to do");
        assert_says(&run(0, &["status"]), "router emperor0: up, as its file says");
        run(0, &["router", "prepare", "emperor0"]);

        sh("nft flush ruleset; ip address delete 192.168.0.1/24 dev emperor0");
        assert_says(&run(0, &["status"]), "not as the file says");
        run(0, &["router", "prepare", "emperor0"]);
        assert_says(&sh("nft list ruleset; ip address show dev emperor0"), "masquerade");

        let other = ROUTER.replace("192.168.0.1", "192.168.7.1").replace("Masquerade = eth0", "MTU = 9000");
        write("systemd-netns/router/emperor0.conf", &other);
        run(0, &["router", "reload", "emperor0"]);
        assert_says(&sh("ip address show dev emperor0"), "mtu 9000");
        assert!(!sh("ip address show dev emperor0").contains("192.168.0.1"));
        assert_eq!(sh("nft list ruleset"), rules);
        assert_eq!(
            (sysctl("net.ipv4.conf.eth0.forwarding"), sysctl("net.ipv6.conf.all.forwarding")),
            ("0".into(), "0".into())
        );
        write("systemd-netns/router/emperor0.conf", ROUTER);
        run(0, &["router", "prepare", "emperor0"]);

        run_with(&[("SERVICE_RESULT", "signal")], 0, &["router", "clean", "emperor0"]);
        assert_says(&sh("ip address show dev emperor0"), "192.168.0.1/24");
        std::fs::remove_file("/etc/systemd-netns/router/emperor0.conf").unwrap();
        assert_says(&run(0, &["plan", "--router", "emperor0", "--stop"]), "ip link delete dev emperor0");
        run(0, &["router", "clean", "emperor0"]);
        run(0, &["router", "clean", "emperor0"]);
        assert!(!try_sh("ip link show dev emperor0").status.success());
        assert_eq!(sh("nft list ruleset"), rules);
        assert_eq!(sysctl("net.ipv4.conf.eth0.forwarding"), "0");
        assert_eq!(
            (sysctl("net.ipv6.conf.all.forwarding"), sysctl("net.ipv6.conf.eth0.accept_ra")),
            ("0".into(), "1".into())
        );
        let left = sh("find /run/systemd-netns 2>/dev/null || true");
        assert_eq!(left, "", "there is a record");
    });
}

#[test]
fn two_routers_share_the_hosts_settings() {
    world(|| {
        write("systemd-netns/router/emperor0.conf", "[Router]\nAddress = 192.168.0.1/24\nForwarding = yes\n");
        write("systemd-netns/router/other.conf", "[Router]\nAddress = 192.168.1.1/24\nForwarding = yes\n");
        sh("sysctl -qw net.ipv4.conf.all.forwarding=0; sysctl -qw net.ipv4.conf.eth0.forwarding=1");
        run(0, &["router", "prepare", "emperor0"]);
        run(0, &["router", "prepare", "other"]);
        run(0, &["router", "clean", "emperor0"]);
        assert_eq!(sysctl("net.ipv4.conf.all.forwarding"), "1", "the other needs it");
        run(0, &["router", "clean", "--final", "other"]);
        assert_eq!(
            (sysctl("net.ipv4.conf.all.forwarding"), sysctl("net.ipv4.conf.eth0.forwarding")),
            ("0".into(), "1".into())
        );
    });
}

#[test]
fn somebody_elses_link_is_refused() {
    world(|| {
        sh("ip link add emperor0 type veth peer name x");
        assert_says(&run(1, &["router", "prepare", "emperor0"]), "emperor0 exists already and is not the router's");
        assert_says(&run(0, &["check", "--router", "emperor0"]), "emperor0 exists already");
        sh("ip link show dev emperor0");
        assert!(!Path::new("/run/systemd-netns/router/emperor0.json").exists());
    });
}

#[test]
fn the_namespace_of_a_service_called_router_leaves_routers_alone() {
    world(|| {
        write("systemd-netns/router/emperor0.conf", "[Router]\nAddress = 192.168.0.1/24\n");
        write("netns/router/network/interfaces", "auto lo\niface lo inet loopback\n");
        run(0, &["router", "prepare", "emperor0"]);
        run(0, &["start", "router"]);
        run(0, &["stop", "router"]);
        run(0, &["delete", "router"]);
        assert_says(&run(0, &["status"]), "router emperor0: up, as its file says");
        run(0, &["router", "clean", "emperor0"]);
        let left = sh("find /run/systemd-netns 2>/dev/null || true");
        assert_eq!(left, "", "there is a record");
    });
}

#[test]
fn a_device_is_marked_by_its_own_name() {
    world(|| {
        let file = |device: &str| format!("[Router]\nAddress = 192.168.0.1/24\nDevice = {device}\n");
        let marks = || sh("cd /run/systemd-netns/router && grep -H . *.device | tr '\\n' ' '").trim().to_owned();
        write("systemd-netns/router/emperor0.conf", &file("gate.7"));
        write("systemd-netns/router/other.conf", "[Router]\nAddress = 192.168.1.1/24\n");
        run(0, &["router", "prepare", "emperor0"]);
        run(0, &["router", "prepare", "other"]);
        assert_eq!(marks(), "gate.7.device:emperor0 other.device:other");
        write("systemd-netns/router/emperor0.conf", &file("gate8"));
        run(0, &["router", "prepare", "emperor0"]);
        assert_eq!(marks(), "gate8.device:emperor0 other.device:other");
        write("netns/router/network/interfaces", "auto lo\niface lo inet loopback\n");
        run(0, &["start", "router"]);
        run(0, &["stop", "router"]);
        run(0, &["delete", "router"]);
        assert_eq!(marks(), "gate8.device:emperor0 other.device:other");
        run(0, &["router", "clean", "--final", "emperor0"]);
        assert_eq!(marks(), "other.device:other");
        run(0, &["router", "clean", "--final", "other"]);
        assert_eq!(sh("find /run/systemd-netns 2>/dev/null || true"), "");
    });
}

#[test]
fn uwsgis_options_are_read_to_their_last_word() {
    world(|| {
        let said = run(78, &["router", "--tuntap-router", "emperor0", "--tuntap-router-firewall-out", "allwo"]);
        assert_says(&said, "--tuntap-router:1:9: error: the socket is missing");
        assert_says(&said, "--tuntap-router-firewall-out:1:1: error: unknown action `allwo`");
        run(2, &["router", "emperor0", "--tuntap-router", "emperor0 /run/x.sock"]);
        run(2, &["router"]);
        let said = run(78, &["device", "--tuntap-device", "uwsgi0", "--tuntap-device-rule", "up 1.2.3.4 5.6.7.8 deny"]);
        assert_says(&said, "--tuntap-device:1:1: error: the router's socket is missing");
        assert_says(&said, "--tuntap-device-rule:1:1: error: ");
        run(2, &["device", "app:tun0", "--", "true"]);
        assert_says(&run(1, &["device", "app:tun0"]), "device.json");
    });
}

//! The program with rules and settings of a namespace's own, with the real nft(8).

mod common;

use common::{in_world, own_etc, sh, try_sh};
use std::path::Path;
use std::process::Command;

/// The program that was built with this test, or the one that is installed where only the test was brought.
fn program() -> &'static str {
    let built = env!("CARGO_BIN_EXE_systemd-netns");
    if Path::new(built).exists() { built } else { "/usr/sbin/systemd-netns" }
}

const INTERFACES: &str = "auto eth0\niface eth0 inet static\n    address 192.0.2.10/24\n";
const RULES: &str = "#!/usr/sbin/nft -f

flush ruleset
include \"parts/*.nft\"
table inet filter {
	chain input {
		type filter hook input priority 0; policy drop;
		iif lo accept
		iif eth0 tcp dport $web accept
	}
}
";

/// A world with a link `eth0` and a service `web` with rules.
fn world(test: impl FnOnce() + Send) {
    in_world(|| {
        if !try_sh("nft list ruleset").status.success() {
            eprintln!("SKIPPED: there is no nft, or this kernel has no nf_tables");
            return;
        }
        own_etc();
        sh("ip link set lo up
            ip netns add wire
            ip link add eth0 type veth peer name eth0 netns wire
            nft add table inet mine");
        write("interfaces", INTERFACES);
        write("nftables", RULES);
        write("parts/web.nft", "define web = { 80, 443 }\n");
        test();
        assert_eq!(sh("nft list tables").trim(), "table inet mine", "the host's rules");
    });
}

fn write(file: &str, text: &str) {
    let path = Path::new("/etc/netns/web/network").join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Runs the program, which must end with a status, and gives back all that it said.
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

fn inside(command: &str) -> String {
    sh(&format!("ip netns exec web {command}"))
}

#[test]
fn rules_are_loaded_before_a_link_is_up_and_changed_by_a_reload() {
    world(|| {
        let said = run(0, &["check", "web"]);
        assert_says(&said, "web: good\n");
        let plan = run(0, &["plan", "web"]);
        let at = |part: &str| plan.find(part).unwrap_or_else(|| panic!("no `{part}` in {plan}"));
        assert!(at("ip netns exec web nft -f -") < at("dev lo up"), "{plan}");
        assert!(at("ip netns exec web nft -f -") < at("dev eth0 up"), "{plan}");
        run(0, &["start", "web"]);
        assert_says(&inside("nft list ruleset"), "iif \"eth0\" tcp dport { 80, 443 } accept");
        assert_says(&run(0, &["reload", "web"]), "nothing to do");

        write("parts/web.nft", "define web = { 8080 }\n");
        assert_says(&run(0, &["status", "web"]), "ip netns exec web nft -f -");
        run(0, &["reload", "web"]);
        let rules = inside("nft list ruleset");
        assert_says(&rules, "dport 8080 accept");
        assert!(!rules.contains("443"), "{rules}");
        assert_says(&run(0, &["status", "web"]), "up, as the files say");

        // Somebody's hand.
        inside("nft flush ruleset");
        assert_says(&run(0, &["status", "web"]), "nft -f -");
        run(0, &["reload", "web"]);
        assert_says(&inside("nft list ruleset"), "dport 8080 accept");

        std::fs::remove_file("/etc/netns/web/network/nftables").unwrap();
        run(0, &["reload", "web"]);
        assert_eq!(inside("nft list ruleset"), "");
        run(0, &["stop", "web"]);
    });
}

#[test]
fn a_mistake_in_the_rules_keeps_the_namespace_down_and_a_reload_as_it_was() {
    world(|| {
        let broken = RULES.replace("iif lo accept", "iif lo accpt");
        write("nftables", &broken);
        for command in ["check", "start"] {
            let said = run(78, &[command, "web"]);
            assert_says(&said, "/etc/netns/web/network/nftables:8:15: error: nft: syntax error");
            assert_says(&said, "iif lo accpt");
        }
        assert!(!Path::new("/run/netns/web").exists());
        sh("ip link show dev eth0");
        write("nftables", RULES);
        write("parts/web.nft", "define web = { 80, 443000 }\n");
        assert_says(&run(78, &["start", "web"]), "/etc/netns/web/network/parts/web.nft:1:");
        write("parts/web.nft", "define web = { 80 }\n");
        run(0, &["start", "web"]);
        write("nftables", &broken);
        run(78, &["reload", "web"]);
        assert_says(&inside("nft list ruleset"), "dport 80 accept");
        // What only the kernel knows to be wrong.
        write("nftables", &RULES.replace("accept\n\t}", "accept\n\t}\n\tchain x { ct helper set \"none\"; }\n"));
        assert_says(&run(78, &["reload", "web"]), "/etc/netns/web/network/nftables:11:");
        assert_says(&inside("nft list ruleset"), "dport 80 accept");
        run(0, &["stop", "web"]);
    });
}

#[test]
fn a_reload_that_fails_after_the_rules_were_loaded_loads_the_old_ones() {
    world(|| {
        run(0, &["start", "web"]);
        write("parts/web.nft", "define web = { 8080 }\n");
        write("interfaces", &format!("{INTERFACES}    up false\n"));
        assert_says(&run(1, &["reload", "web"]), "it is as it was before");
        assert_says(&inside("nft list ruleset"), "tcp dport { 80, 443 } accept");
        run(0, &["stop", "web"]);
    });
}

#[test]
fn settings_are_made_before_and_after_links_appear() {
    world(|| {
        write(
            "sysctl.d/10-all.conf",
            "# comment\n; another\nnet.ipv4.ip_local_port_range = 20000\t30000\nnet.ipv4.conf.*.arp_ignore = 1\n\
             -net.ipv4.conf.lo.arp_ignore\nnet.ipv4.tcp_keepalive_time=1000\n",
        );
        write(
            "sysctl",
            "net.ipv4.tcp_keepalive_time = 2000\nnet/ipv4/conf/eth0/rp_filter = 2\n-net.ipv4.no_such_thing = 1\n\
             -net.ipv4.tcp_sack = many\nnet.ipv4.ip_forward=1\n",
        );
        assert_says(&run(0, &["check", "web"]), "web: good\n");
        let plan = run(0, &["plan", "web"]);
        let at = |part: &str| plan.find(part).unwrap_or_else(|| panic!("no `{part}` in {plan}"));
        assert!(at("net/ipv4/ip_forward=1") < at("dev eth0 netns web"), "{plan}");
        assert!(at("dev eth0 netns web") < at("eth0/rp_filter=2"), "{plan}");
        assert!(at("eth0/rp_filter=2") < at("dev eth0 up"), "{plan}");
        let said = run(0, &["start", "web"]);
        assert_says(&said, "tcp_sack");
        let value = |key: &str| inside(&format!("sysctl -n net.ipv4.{key}")).trim().to_owned();
        assert_eq!(value("ip_local_port_range"), "20000\t30000");
        assert_eq!(value("tcp_keepalive_time"), "2000");
        assert_eq!([value("conf.eth0.rp_filter"), value("conf.eth0.forwarding")], ["2", "1"]);
        let ignores = ["all", "default", "eth0"].map(|link| value(&format!("conf.{link}.arp_ignore")));
        assert_eq!(ignores, ["1", "1", "1"]);
        assert!(!plan.contains("conf/lo/arp_ignore"), "{plan}");
        run(0, &["stop", "web"]);
    });
}

#[test]
fn settings_that_are_asked_for_no_more_are_put_back() {
    world(|| {
        write("sysctl", "net.ipv4.tcp_keepalive_time = 2000\nnet.ipv4.conf.eth0.rp_filter = 2\n");
        run(0, &["start", "web"]);
        let value = |key: &str| inside(&format!("sysctl -n net.ipv4.{key}")).trim().to_owned();
        let usual = value("conf.default.rp_filter");
        inside("sysctl -qw net.ipv4.conf.eth0.rp_filter=1");
        assert_says(&run(0, &["status", "web"]), "sysctl -qw net/ipv4/conf/eth0/rp_filter=2");
        run(0, &["reload", "web"]);
        assert_says(&run(0, &["reload", "web"]), "nothing to do");
        write("sysctl", "# nothing\n");
        run(0, &["reload", "web"]);
        assert_eq!([value("tcp_keepalive_time"), value("conf.eth0.rp_filter")], ["7200".to_owned(), usual]);
        assert_says(&run(0, &["reload", "web"]), "nothing to do");
        run(0, &["stop", "web"]);
    });
}

#[test]
fn only_settings_of_the_network_are_taken() {
    world(|| {
        write("sysctl", "kernel.panic = 1\nnet.ipv4\nnet.ipv4.conf.eth7.rp_filter = 1\nnet.ipv4.ip_forward =\n= 1\n");
        let said = run(78, &["check", "web"]);
        let file = "/etc/netns/web/network/sysctl";
        assert_says(&said, &format!("{file}:1:1: error: `kernel.panic` is not a setting of a network namespace"));
        assert_says(&said, &format!("{file}:2:1: error: `net.ipv4` has no value"));
        assert_says(&said, &format!("{file}:4:1: error: `net.ipv4.ip_forward` has no value"));
        assert_says(&said, &format!("{file}:5:1: error: `` is not a setting"));
        write("sysctl", "net.ipv4.conf.eth7.rp_filter = 1\nnet.ipv4.no_such_thing = 1\n");
        assert_says(&run(0, &["check", "web"]), &format!("{file}:1:1: warning: there is no link `eth7`"));
        assert_says(&run(1, &["start", "web"]), "no_such_thing");
        assert!(!Path::new("/run/netns/web").exists());
    });
}

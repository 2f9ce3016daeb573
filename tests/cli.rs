//! The program as a user has it: files in `/etc`, a command line, what the kernel shows afterwards.
//!
//! Each test has a network and a mount namespace of its own, with an empty `/run` and its own layer over `/etc`.

mod common;

use common::{dumps, eventually, in_world, ip_json, own_etc, sh, try_sh};
use std::path::Path;
use std::process::{Command, Output};

const BINARY: &str = env!("CARGO_BIN_EXE_systemd-netns");

/// A world with a NIC `eth0` that has an address and a route, and `/etc` to write to.
fn world(test: impl FnOnce() + Send) {
    in_world(|| {
        own_etc();
        sh("mkdir -p /etc/network
            ip link set lo up
            ip netns add wire
            ip link add eth0 address 02:00:00:00:00:01 mtu 1400 type veth peer name eth0 netns wire
            ip -n wire link set eth0 up
            ip link property add dev eth0 altname enwire0
            ip link set eth0 up
            ip address add 203.0.113.5/24 dev eth0
            ip -6 address add 2001:db8:1::5/64 dev eth0 nodad
            ip route add 198.51.100.0/24 via 203.0.113.1");
        let ready = || sh("ip -6 route show table local").contains("2001:db8:1::5").then_some(());
        eventually("eth0 is ready", ready);
        test();
    });
}

fn write(path: &str, text: &str) {
    let path = Path::new(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn interfaces(text: &str) {
    write("/etc/netns/web/network/interfaces", text);
}

fn run(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).env_remove("JOURNAL_STREAM").env_remove("SSH_CONNECTION").output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn good(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", said(&output));
    said(&output)
}

#[track_caller]
fn bad(status: i32, arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
    said(&output)
}

/// Everything the host shows; what a stop or a failed start must leave as it was.
fn host() -> Vec<String> {
    let mut rows = Vec::new();
    for (title, table) in dumps(&[]) {
        rows.extend(table.as_array().into_iter().flatten().map(|row| format!("{title}: {row}")));
    }
    rows.sort();
    rows
}

#[track_caller]
fn assert_untouched(before: &[String]) {
    // The kernel adds some routes a little after the address that they follow from.
    let mut after = host();
    for _ in 0..100 {
        if after == before {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        after = host();
    }
    let only = |x: &[String], y: &[String]| x.iter().filter(|r| !y.contains(r)).cloned().collect::<Vec<_>>().join("\n");
    assert!(after == before, "lost:\n{}\nnew:\n{}", only(before, &after), only(&after, before));
    assert!(!Path::new("/run/netns/web").exists(), "the namespace is still there");
    assert!(!Path::new("/run/systemd-netns").exists(), "the record is still there");
}

const STATIC: &str = "\
auto eth0
iface eth0 inet static
    address 192.0.2.10/24
    gateway 192.0.2.1
iface eth0 inet6 static
    address 2001:db8::10/64
    gateway 2001:db8::1
    dad-attempts 0
";

fn addresses(netns: &str, link: &str) -> Vec<String> {
    let all = ip_json(&format!("-n {netns} address show dev {link}"));
    let list = all[0]["addr_info"].as_array().cloned().unwrap_or_default();
    let text = |a: &serde_json::Value| format!("{}/{}", a["local"].as_str().unwrap_or(""), a["prefixlen"]);
    list.iter().filter(|a| !a["local"].as_str().unwrap_or("").starts_with("fe80")).map(text).collect()
}

#[test]
fn a_nic_moves_in_and_comes_back_as_it_was() {
    world(|| {
        let before = host();
        interfaces(STATIC);
        good(&["start", "web"]);
        assert_eq!(addresses("web", "eth0"), ["192.0.2.10/24", "2001:db8::10/64"]);
        let default = ip_json("-n web route show default");
        assert_eq!(default[0]["gateway"], "192.0.2.1");
        assert_eq!(ip_json("-n web link show lo")[0]["operstate"], "UNKNOWN", "lo is up");
        assert!(!try_sh("ip link show eth0").status.success(), "eth0 is still on the host");
        good(&["stop", "web"]);
        assert_untouched(&before);
        good(&["stop", "web"]);
    });
}

#[test]
fn stop_works_without_the_files() {
    world(|| {
        let before = host();
        interfaces(STATIC);
        good(&["start", "web"]);
        std::fs::remove_dir_all("/etc/netns").unwrap();
        good(&["stop", "web"]);
        assert_untouched(&before);
    });
}

#[test]
fn pairs_and_bridge_ports_are_made_and_deleted() {
    world(|| {
        sh("ip link add br0 address 02:00:00:00:00:99 type bridge; ip link set br0 up");
        write(
            "/etc/netns/web/network/links",
            "link-netns web link0 link1\niface link0 inet static\n address 100.64.0.0/31\n",
        );
        interfaces(
            "auto link1\niface link1 inet static\n address 100.64.0.1/31\nauto br0..1\niface br0..1 inet static\n address 10.0.0.2/24\n",
        );
        good(&["start", "web"]);
        sh("systemd_netns=1; ip netns exec web ping -c1 -W2 100.64.0.0");
        let ports = ip_json("link show master br0");
        assert_eq!(ports.as_array().map(Vec::len), Some(1), "{ports}");
        assert_eq!(addresses("web", "br0..1"), ["10.0.0.2/24"]);
        good(&["stop", "web"]);
        assert!(!try_sh("ip link show link0").status.success());
        assert_eq!(ip_json("link show master br0").as_array().map(Vec::len).unwrap_or(0), 0);
    });
}

#[test]
fn link_netns_lines_of_the_hosts_file_work_wherever_they_stand() {
    for text in [
        "link-netns web link0 link1\niface link0 inet static\n address 100.64.0.0/31\n",
        "auto lo\nlink-netns web link0 link1\niface lo inet loopback\niface link0 inet static\n address 100.64.0.0/31\n",
        "iface link0 inet static\n link-netns web link0 link1\n address 100.64.0.0/31\n",
    ] {
        world(|| {
            write("/etc/network/interfaces", text);
            interfaces("auto link1\niface link1 inet static\n address 100.64.0.1/31\n");
            good(&["start", "web"]);
            sh("ip netns exec web ping -c1 -W2 100.64.0.0");
            good(&["stop", "web"]);
        });
    }
}

#[test]
fn a_mistake_is_told_with_its_place_and_nothing_is_done() {
    world(|| {
        let before = host();
        interfaces("auto eth0\niface eth0 inet statik\n    address 192.0.2.300/24\n    gateway here\n");
        let text = bad(78, &["start", "web"]);
        assert!(text.contains("/etc/netns/web/network/interfaces:2:17: error:"), "{text}");
        assert!(text.contains("static"), "a guess: {text}");
        interfaces("auto eth0\niface eth0 inet static\n    address 192.0.2.300/24\n    gateway here\n");
        let text = bad(78, &["start", "web"]);
        assert!(
            text.contains("interfaces:3:13: error:") && text.contains("interfaces:4:13: error:"),
            "all at once: {text}"
        );
        assert!(text.contains("            ^~~~"), "a caret: {text}");
        bad(78, &["check", "web"]);
        bad(2, &["start"]);
        bad(2, &["start", "../x"]);
        assert_untouched(&before);
    });
}

#[test]
fn a_missing_link_is_told_and_nothing_is_done() {
    world(|| {
        let before = host();
        interfaces("auto eth0\niface eth0 inet manual\nauto eth9\niface eth9 inet manual\n");
        let text = bad(1, &["start", "web"]);
        assert!(text.contains("eth9") && text.contains("interfaces:3:6"), "{text}");
        assert_untouched(&before);
    });
}

#[test]
fn what_the_kernel_refuses_is_rolled_back() {
    world(|| {
        let before = host();
        // The next hop is nowhere: the last of many operations fails.
        interfaces(&format!(
            "{STATIC}    route 10.0.0.0/8 via 2001:db8::1\n    route 2001:db8:9::/48 via 2001:db8:77::1\n"
        ));
        let output = run(&["start", "web"]);
        assert_ne!(output.status.code(), Some(0), "{}", said(&output));
        assert_untouched(&before);
        interfaces(STATIC);
        good(&["start", "web"]);
        good(&["stop", "web"]);
        assert_untouched(&before);
    });
}

#[test]
fn a_command_that_fails_is_rolled_back() {
    world(|| {
        let before = host();
        interfaces(&format!("{STATIC}    up echo hello >/run/said; false\n"));
        let text = bad(1, &["start", "web"]);
        assert!(text.contains("ended with status 1"), "{text}");
        assert_eq!(std::fs::read_to_string("/run/said").unwrap(), "hello\n");
        assert_untouched(&before);
    });
}

#[test]
fn commands_run_inside_with_the_environment_of_ifupdown() {
    world(|| {
        interfaces(
            "auto eth0
iface eth0 inet static
    address 192.0.2.10/24
    some-option a b
    pre-up env >/run/pre-up
    up { env; ip -o link; cat /sys/class/net/eth0/mtu; } >/run/up
    post-up echo 2 >>/run/up
    down env >/run/down
    post-down env >/run/post-down
",
        );
        good(&["start", "web"]);
        let pre_up = std::fs::read_to_string("/run/pre-up").unwrap();
        for line in [
            "IFACE=eth0",
            "LOGICAL=eth0",
            "ADDRFAM=inet",
            "METHOD=static",
            "MODE=start",
            "PHASE=pre-up",
            "IF_ADDRESS=192.0.2.10",
            "IF_SOME_OPTION=a b",
        ] {
            assert!(
                pre_up
                    .lines()
                    .any(|l| l == line || l.starts_with("IF_ADDRESS=192.0.2.10") && line.starts_with("IF_ADDRESS")),
                "{line} in {pre_up}"
            );
        }
        assert!(!pre_up.contains("CARGO"), "the environment is clean: {pre_up}");
        let up = std::fs::read_to_string("/run/up").unwrap();
        assert!(up.contains("PHASE=post-up") && up.contains(": eth0@") && up.ends_with("1400\n2\n"), "{up}");
        good(&["stop", "web"]);
        assert!(std::fs::read_to_string("/run/down").unwrap().contains("MODE=stop\n"));
        assert!(std::fs::read_to_string("/run/post-down").unwrap().contains("PHASE=post-down"));
    });
}

#[test]
fn a_reload_applies_the_difference_and_a_second_one_nothing() {
    world(|| {
        let before = host();
        interfaces(&format!("{STATIC}    up echo x >>/run/ups\n"));
        good(&["start", "web"]);
        assert!(good(&["reload", "web"]).contains("nothing to do"));
        interfaces(&format!("{}    up echo x >>/run/ups\n", STATIC.replace("192.0.2.10", "192.0.2.11")));
        assert!(good(&["status", "web"]).contains("192.0.2.11"), "the drift is shown");
        good(&["reload", "web"]);
        assert_eq!(addresses("web", "eth0"), ["192.0.2.11/24", "2001:db8::10/64"]);
        assert_eq!(ip_json("-n web route show default")[0]["gateway"], "192.0.2.1");
        assert!(good(&["reload", "web"]).contains("nothing to do"));
        assert!(good(&["status", "web"]).contains("as the files say"));
        assert_eq!(
            std::fs::read_to_string("/run/ups").unwrap().lines().count(),
            1,
            "commands ran again without reason"
        );
        good(&["stop", "web"]);
        assert_untouched(&before);
    });
}

#[test]
fn patterns_mean_the_same_links_at_a_reload_as_at_the_start() {
    world(|| {
        sh("mount -t sysfs sysfs /sys; ip link add eth1 address 02:00:00:00:00:02 type veth peer name eth1 netns wire");
        let by_mac = "auto mac/02:00:00:00:00:01=lan\niface lan\n";
        let stanza = "    address 192.0.2.7/24\n    hwaddress 02:00:00:00:00:77\n";
        // The link has another address now, those that were made match too, and the speed is read inside.
        for file in [
            format!("{by_mac}{stanza}"),
            format!(
                "auto /eth*\niface eth0\n{stanza}iface eth1 inet manual\n    pre-up ip link add eth2 type bridge\n"
            ),
            format!("auto speed/10000\niface eth0\n{stanza}iface eth1 inet manual\n"),
        ] {
            interfaces(&file);
            good(&["start", "web"]);
            let up = addresses("web", "eth0");
            assert!(up.iter().any(|a| a.contains("192.0.2.7")), "{file}{up:?}");
            let reloaded = good(&["reload", "web"]);
            assert!(reloaded.contains("nothing to do"), "{file}{reloaded}");
            assert!(!good(&["check", "web"]).contains("no link matches"), "{file}");
            assert_eq!(addresses("web", "eth0"), up, "{file}");
            good(&["stop", "web"]);
            assert!(sh("ip -br link show dev eth0").contains("02:00:00:00:00:01"), "{file}");
        }
    });
}

#[test]
fn a_reload_that_fails_goes_back() {
    world(|| {
        interfaces(STATIC);
        good(&["start", "web"]);
        interfaces(&format!("{}    up false\n", STATIC.replace("192.0.2.10", "192.0.2.11")));
        bad(1, &["reload", "web"]);
        assert_eq!(addresses("web", "eth0"), ["192.0.2.10/24", "2001:db8::10/64"]);
        interfaces(STATIC);
        assert!(good(&["reload", "web"]).contains("nothing to do"));
        good(&["stop", "web"]);
    });
}

#[test]
fn links_come_and_go_with_a_reload() {
    world(|| {
        let before = host();
        interfaces("auto eth0\niface eth0 inet manual\n");
        good(&["start", "web"]);
        write(
            "/etc/netns/web/network/links",
            "link-netns web link0 link1\niface link0 inet static\n address 100.64.0.0/31\n",
        );
        interfaces("auto link1\niface link1 inet static\n address 100.64.0.1/31\n");
        good(&["reload", "web"]);
        sh("ip netns exec web ping -c1 -W2 100.64.0.0");
        assert!(try_sh("ip link show eth0").status.success(), "eth0 is back on the host");
        good(&["stop", "web"]);
        assert_untouched(&before);
    });
}

#[test]
fn a_foreign_namespace_is_refused_and_left_alone() {
    world(|| {
        sh("ip netns add web; ip -n web link set lo up");
        interfaces(STATIC);
        let text = bad(1, &["start", "web"]);
        assert!(text.contains("not made by systemd-netns"), "{text}");
        assert!(bad(1, &["stop", "web"]).contains("not made by systemd-netns"));
        sh("ip netns exec web true");
        assert!(try_sh("ip link show eth0").status.success());
    });
}

#[test]
fn a_namespace_that_somebody_replaced_is_left_alone() {
    world(|| {
        interfaces("auto lo\niface lo inet loopback\n");
        good(&["start", "web"]);
        sh("ip netns delete web; ip netns add web");
        assert!(bad(1, &["start", "web"]).contains("is not the namespace that systemd-netns made"));
        good(&["stop", "web"]);
        sh("ip netns exec web true");
    });
}

#[test]
fn a_name_taken_meanwhile_is_told_and_a_free_one_found() {
    world(|| {
        interfaces(STATIC);
        good(&["start", "web"]);
        sh("ip link add eth0 type bridge");
        let text = good(&["stop", "web"]);
        assert!(text.contains("the name eth0 is taken"), "{text}");
        let back = ip_json("address show dev dev0");
        assert_eq!(back[0]["address"], "02:00:00:00:00:01");
        assert_eq!(back[0]["mtu"], 1400);
    });
}

#[test]
fn a_process_inside_keeps_no_nic() {
    world(|| {
        let before = host();
        interfaces(STATIC);
        good(&["start", "web"]);
        let mut sleeper = Command::new(BINARY).args(["run", "web", "--", "sleep", "60"]).spawn().unwrap();
        eventually("the process inside", || (!sh("ip netns pids web").trim().is_empty()).then_some(()));
        assert!(good(&["status", "web"]).contains(&sleeper.id().to_string()));
        good(&["stop", "web"]);
        assert_untouched(&before);
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
    });
}

#[test]
fn a_start_killed_at_any_point_is_finished_by_the_next_stop_or_start() {
    world(|| {
        let before = host();
        interfaces(&format!("{STATIC}    up kill -9 $(ps -o ppid= $$)\n    up true\n"));
        let killed = run(&["start", "web"]);
        assert_eq!(killed.status.code(), None, "it was killed");
        assert!(good(&["status"]).contains("half-made"));
        good(&["stop", "web"]);
        assert_untouched(&before);
        assert_eq!(run(&["start", "web"]).status.code(), None);
        interfaces(STATIC);
        good(&["start", "web"]);
        assert_eq!(addresses("web", "eth0"), ["192.0.2.10/24", "2001:db8::10/64"]);
        good(&["stop", "web"]);
        assert_untouched(&before);
    });
}

#[test]
fn the_plan_is_a_script_that_does_the_same() {
    world(|| {
        interfaces(STATIC);
        let script = String::from_utf8(run(&["plan", "web"]).stdout).unwrap();
        sh(&script);
        let by_text = dumps(&["web"]);
        sh("ip -n web link set eth0 netns $$; ip netns delete web");
        good(&["start", "web"]);
        let by_deed = dumps(&["web"]);
        let inside = |d: Vec<(String, serde_json::Value)>| {
            d.into_iter().filter(|(t, _)| t.starts_with("-n web")).collect::<Vec<_>>()
        };
        assert_eq!(inside(by_text), inside(by_deed));
        assert!(good(&["plan", "web"]).contains("nothing to do"));
        let stop = good(&["plan", "web", "--stop"]);
        assert!(stop.contains("netns $$") && stop.contains("ip netns delete web"), "{stop}");
        good(&["stop", "web"]);
    });
}

#[test]
fn status_speaks_json() {
    world(|| {
        interfaces(STATIC);
        good(&["start", "web"]);
        let all: serde_json::Value = serde_json::from_slice(&run(&["status", "--json"]).stdout).unwrap();
        assert_eq!(all[0]["name"], "web");
        assert_eq!(all[0]["state"], "up");
        let eth0 = all[0]["links"].as_array().unwrap().iter().find(|l| l["name"] == "eth0").unwrap();
        assert_eq!(eth0["addresses"][0], "192.0.2.10/24");
        good(&["stop", "web"]);
        bad(1, &["status", "web"]);
    });
}

#[test]
fn check_warns_before_the_host_is_cut_off() {
    world(|| {
        sh("ip route add default via 203.0.113.1");
        interfaces(STATIC);
        let text = good(&["check", "web"]);
        assert!(text.contains("carries the host's default route"), "{text}");
        let output =
            Command::new(BINARY).args(["check"]).env("SSH_CONNECTION", "192.0.2.99 5 203.0.113.5 22").output().unwrap();
        assert!(said(&output).contains("your own session comes in by eth0"), "{}", said(&output));
    });
}

#[test]
fn a_bridge_that_is_missing_and_a_taken_pair_name_are_told() {
    world(|| {
        let before = host();
        interfaces("auto br7..1\niface br7..1 inet manual\n");
        assert!(bad(1, &["start", "web"]).contains("br7"));
        assert_untouched(&before);
        sh("ip link add link0 type veth peer name other");
        write("/etc/netns/web/network/links", "link-netns web link0 link1\n");
        interfaces("auto lo\niface lo inet loopback\n");
        let text = bad(1, &["start", "web"]);
        assert!(text.contains("link0"), "{text}");
        sh("ip link show link0");
    });
}

#[test]
fn namespaces_start_side_by_side() {
    world(|| {
        let names: Vec<String> = (0..12).map(|i| format!("s{i}")).collect();
        for (i, name) in names.iter().enumerate() {
            write(
                &format!("/etc/netns/{name}/network/links"),
                &format!("link-netns {name} o{i} i{i}\niface o{i} inet static\n address 10.0.{i}.0/31\n"),
            );
            write(
                &format!("/etc/netns/{name}/network/interfaces"),
                &format!("auto i{i}\niface i{i} inet static\n address 10.0.{i}.1/31\n"),
            );
        }
        for verb in ["start", "stop"] {
            let children: Vec<_> =
                names.iter().map(|n| Command::new(BINARY).args([verb, n]).spawn().unwrap()).collect();
            for mut child in children {
                assert!(child.wait().unwrap().success(), "{verb}");
            }
        }
        assert!(!Path::new("/run/systemd-netns").exists());
    });
}

#[test]
fn a_drop_in_is_put_and_taken_away_and_a_foreign_one_is_left() {
    let root = std::env::temp_dir().join(format!("systemd-netns-enable-{}", std::process::id()));
    std::fs::create_dir_all(&root).unwrap();
    let at = root.to_str().unwrap();
    good(&["--root", at, "enable", "nginx"]);
    let link = root.join("etc/systemd/system/nginx.service.d/netns.conf");
    assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("/usr/share/systemd-netns-helper/netns.conf"));
    good(&["--root", at, "enable", "php.service", "--netns", "nginx"]);
    let text = std::fs::read_to_string(root.join("etc/systemd/system/php.service.d/netns.conf")).unwrap();
    assert!(text.contains("BindsTo=systemd-netns@nginx.service") && text.contains("/run/netns/nginx"), "{text}");
    good(&["--root", at, "disable", "php"]);
    assert!(!root.join("etc/systemd/system/php.service.d").exists());
    std::fs::remove_file(&link).unwrap();
    std::fs::write(&link, "[Service]\n").unwrap();
    bad(1, &["--root", at, "disable", "nginx"]);
    assert!(link.exists());
    bad(78, &["--root", at, "enable", "nginx.socket"]);
    std::fs::remove_dir_all(&root).unwrap();
}

#[test]
fn a_nic_that_was_renamed_inside_comes_back_under_its_own_name() {
    world(|| {
        let before = host();
        interfaces(&STATIC.replace("gateway 192.0.2.1", "hwaddress 02:00:00:00:00:77"));
        good(&["start", "web"]);
        sh("ip -n web link set eth0 down; ip -n web link set eth0 name lan7");
        good(&["stop", "web"]);
        assert_untouched(&before);
    });
}

#[test]
fn a_reload_mends_what_somebody_changed_in_the_kernel() {
    // A small namespace, and one so large that a reload takes its shortcut.
    for routes in [0, 1000] {
        changed_in_the_kernel(routes);
    }
}

fn changed_in_the_kernel(routes: usize) {
    world(|| {
        let more: String =
            (0..routes).map(|i| format!("    route 10.{}.{}.0/24 via 192.0.2.9\n", i / 250, i % 250)).collect();
        let text = STATIC.replacen("    gateway", &format!("{more}    gateway"), 1);
        interfaces(&text);
        good(&["start", "web"]);
        assert!(good(&["reload", "web"]).contains("nothing to do"));
        for damage in ["address delete 192.0.2.10/24 dev eth0", "-6 route delete default", "link set eth0 down"] {
            sh(&format!("ip -n web {damage}"));
            assert!(!good(&["reload", "web"]).contains("nothing to do"), "{damage}");
            assert_eq!(addresses("web", "eth0"), ["192.0.2.10/24", "2001:db8::10/64"], "{damage}");
            assert_eq!(ip_json("-n web -6 route show default")[0]["gateway"], "2001:db8::1", "{damage}");
            assert!(good(&["reload", "web"]).contains("nothing to do"), "{damage}");
            assert!(good(&["reload", "web"]).contains("nothing to do"), "{damage}");
        }
        interfaces(&text.replace("192.0.2.10", "192.0.2.12"));
        good(&["reload", "web"]);
        assert_eq!(addresses("web", "eth0"), ["192.0.2.12/24", "2001:db8::10/64"]);
        good(&["stop", "web"]);
    });
}

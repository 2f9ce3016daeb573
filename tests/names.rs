//! The namespace's resolv.conf and its scripts, as commands and services see them.

mod common;

use common::{in_world, sh};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const BINARY: &str = env!("CARGO_BIN_EXE_systemd-netns");
const RESOLV: &str = "/run/systemd-netns/web/etc/resolv.conf";
const HEADER: &str = "# Written by systemd-netns from the namespace's files and its leases.\n";

/// A world with two NICs, and `/etc` to write to.
fn world(test: impl FnOnce() + Send) {
    in_world(|| {
        sh("mkdir -p /run/.etc/upper /run/.etc/work
            mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/.etc/upper,workdir=/run/.etc/work /etc
            rm -rf /etc/netns /etc/network /etc/resolv.conf
            echo '# of the host' >/etc/resolv.conf
            ip link set lo up
            ip link add eth0 type veth peer name wire0
            ip link add eth1 type veth peer name wire1");
        test();
    });
}

fn write(path: &str, text: &str) {
    fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn interfaces(text: &str) {
    write("/etc/netns/web/network/interfaces", text);
}

fn script(path: &str, text: &str) {
    write(path, text);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn run(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).env_remove("JOURNAL_STREAM").output().unwrap()
}

#[track_caller]
fn good(arguments: &[&str]) -> String {
    let output = run(arguments);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

fn seen_inside() -> String {
    good(&["run", "web", "--", "cat", "/etc/resolv.conf"])
}

#[test]
fn name_servers_of_the_files_are_seen_inside() {
    world(|| {
        let with = |more: &str| format!("auto eth0\niface eth0 inet manual\n{more}");
        interfaces(&with(""));
        good(&["start", "web"]);
        assert_eq!(seen_inside(), "# of the host\n", "nobody says anything");
        assert_eq!(fs::read_link(RESOLV).unwrap(), Path::new("/etc/netns/web/resolv.conf"));

        interfaces(&with("  dns-nameservers 192.0.2.53\n  dns-search example.org\n"));
        assert!(good(&["plan", "web"]).contains("nameserver 192.0.2.53"));
        good(&["reload", "web"]);
        assert_eq!(seen_inside(), format!("{HEADER}search example.org\nnameserver 192.0.2.53\n"));
        let inode = || fs::metadata(RESOLV).map(|m| std::os::unix::fs::MetadataExt::ino(&m)).unwrap();
        let before = inode();
        assert!(good(&["reload", "web"]).contains("nothing to do"));

        interfaces(&with("  dns-nameservers 192.0.2.54\n"));
        good(&["reload", "web"]);
        assert_eq!(seen_inside(), format!("{HEADER}nameserver 192.0.2.54\n"));
        assert_eq!(inode(), before, "services that have it by a mount see the change");
        assert_eq!(fs::metadata(RESOLV).unwrap().permissions().mode() & 0o777, 0o644);

        write("/etc/netns/web/resolv.conf", "# of the administrator\n");
        assert_eq!(seen_inside(), "# of the administrator\n");
        interfaces(&with("  dns-nameservers 192.0.2.55\n"));
        good(&["reload", "web"]);
        assert_eq!(seen_inside(), "# of the administrator\n");
        assert_eq!(fs::read_to_string(RESOLV).unwrap(), "# of the administrator\n", "so do services");

        fs::remove_file("/etc/netns/web/resolv.conf").unwrap();
        interfaces(&with(""));
        good(&["reload", "web"]);
        assert_eq!(seen_inside(), "# of the host\n");
        good(&["stop", "web"]);
        assert!(!Path::new("/run/systemd-netns").exists());
        assert_eq!(fs::read_to_string("/etc/resolv.conf").unwrap(), "# of the host\n");
    });
}

#[test]
fn a_mask_of_the_caller_does_not_hide_it_from_services() {
    world(|| {
        interfaces("auto eth0\niface eth0 inet manual\n  nameserver 192.0.2.53\n");
        sh(&format!("umask 077; {BINARY} start web"));
        assert_eq!(fs::metadata(RESOLV).unwrap().permissions().mode() & 0o777, 0o644);
        good(&["stop", "web"]);
    });
}

/// Says who it is and what it sees.
const TELL: &str = "#!/bin/sh\necho \"$(basename $0) $IFACE $ADDRFAM $METHOD $MODE $PHASE\" >>/run/told\n";

#[test]
fn scripts_run_around_the_stanzas_in_the_order_of_ifupdown() {
    world(|| {
        for phase in ["pre-up", "up", "down", "post-down"] {
            script(&format!("/etc/netns/web/network/if-{phase}.d/b"), TELL);
            script(&format!("/etc/netns/web/network/if-{phase}.d/A"), TELL);
            script(&format!("/etc/netns/web/network/if-{phase}.d/not.run"), TELL);
            script(&format!("/etc/network/if-{phase}.d/of-the-host"), TELL);
        }
        interfaces(
            "auto eth0\niface eth0 inet manual\n  pre-up echo own pre-up >>/run/told\n  up echo own up >>/run/told\n  down echo own down >>/run/told\n  post-down echo own post-down >>/run/told\n",
        );
        good(&["start", "web"]);
        let told = || fs::read_to_string("/run/told").unwrap();
        let both = |rest: &str| format!("A {rest}\nb {rest}\n");
        let all = |mode, phase| both(&format!("--all meta none {mode} {phase}"));
        let lo = |mode, phase| both(&format!("lo inet loopback {mode} {phase}"));
        let eth0 = |mode, phase| both(&format!("eth0 inet manual {mode} {phase}"));
        let up = [
            all("start", "pre-up"),
            lo("start", "pre-up"),
            lo("start", "post-up"),
            "own pre-up\n".into(),
            eth0("start", "pre-up"),
            "own up\n".into(),
            eth0("start", "post-up"),
            all("start", "post-up"),
        ];
        assert_eq!(told(), up.concat());
        assert!(good(&["reload", "web"]).contains("nothing to do"));
        assert_eq!(told(), up.concat());

        // One that goes while the namespace is up runs no more; the others are run anew, as their stanza has changed.
        fs::remove_file("/etc/netns/web/network/if-up.d/b").unwrap();
        fs::remove_file("/run/told").unwrap();
        good(&["reload", "web"]);
        assert!(told().contains("A eth0 inet manual start post-up\n"));
        assert!(!told().contains("b eth0 inet manual start post-up\n"));

        fs::remove_file("/run/told").unwrap();
        good(&["stop", "web"]);
        let down = [
            all("stop", "pre-down"),
            eth0("stop", "pre-down"),
            "own down\n".into(),
            eth0("stop", "post-down"),
            "own post-down\n".into(),
            lo("stop", "pre-down"),
            lo("stop", "post-down"),
            all("stop", "post-down"),
        ];
        assert_eq!(told(), down.concat());
    });
}

#[test]
fn a_script_that_fails_undoes_the_start() {
    world(|| {
        script("/etc/netns/web/network/if-up.d/fails", "#!/bin/sh\n[ $IFACE != eth1 ]\n");
        interfaces("auto eth0 eth1\niface eth0 inet manual\niface eth1 inet manual\n");
        let output = run(&["start", "web"]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains("post-up command of eth1 ended with status 1: /etc/netns/web/network/if-up.d/fails"),
            "{said}"
        );
        assert!(!Path::new("/run/netns/web").exists());
        // Who asks for no scripts gets none.
        interfaces("no-scripts eth1\nauto eth0 eth1\niface eth0 inet manual\niface eth1 inet manual\n");
        good(&["start", "web"]);
        good(&["stop", "web"]);
    });
}

//! Clients against a real server: dnsmasq at the other end of a NIC's cable, in a world of its own.
//!
//! Without systemd in these worlds clients are plain processes; `tests/systemd/` has them as units.

mod common;

use common::{eventually, in_world, ip_json, own_etc, sh, try_sh};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_systemd-netns");
const RESOLV: &str = "/run/systemd-netns/web/etc/resolv.conf";

/// A server in the namespace `lan`; it ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn start(options: &[&str]) -> Self {
        let log = std::fs::File::create("/run/dnsmasq.log").unwrap();
        let server = Command::new("ip")
            .args([
                "netns",
                "exec",
                "lan",
                "dnsmasq",
                "--no-daemon",
                "--conf-file=/dev/null",
                "--no-resolv",
                "--no-hosts",
            ])
            .args(["--port=0", "--interface=eth0", "--dhcp-authoritative", "--no-ping", "--log-dhcp"])
            .args(["--dhcp-leasefile=/run/leases", "--dhcp-range=192.0.2.100,192.0.2.150,1h"])
            .args(["--dhcp-option=option:dns-server,192.0.2.53", "--dhcp-option=option:domain-name,example.org"])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map(Self)
            .unwrap();
        eventually("the server is up", || Self::said("DHCP, IP range").then_some(()));
        server
    }

    fn said(what: &str) -> bool {
        std::fs::read_to_string("/run/dnsmasq.log").is_ok_and(|log| log.contains(what))
    }
}

/// A world with a NIC `eth0` whose cable leads to the namespace `lan`.
fn world(test: impl FnOnce() + Send) {
    in_world(|| {
        own_etc();
        sh("ip link set lo up
            ip netns add lan
            ip link add eth0 address 02:00:00:00:00:01 type veth peer name eth0 netns lan
            ip -n lan link set lo up
            ip -n lan link set eth0 up
            ip -n lan address add 192.0.2.1/24 dev eth0
            ip -n lan address add 2001:db8::1/64 dev eth0 nodad");
        test();
    });
}

fn write(path: &str, text: &str) {
    std::fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn interfaces(text: &str) {
    write("/etc/netns/web/network/interfaces", text);
}

fn run(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).env_remove("JOURNAL_STREAM").output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn good(arguments: &[&str]) -> String {
    let output = run(arguments);
    let logs = || text(&try_sh("cat /run/systemd-netns/web/dhcp/*/log /run/dnsmasq.log; true"));
    assert!(output.status.success(), "{arguments:?}: {}\n{}", text(&output), logs());
    text(&output)
}

/// The addresses of eth0 inside that have an end.
fn leased() -> Vec<String> {
    let all = ip_json("-n web address show dev eth0");
    let list = all[0]["addr_info"].as_array().cloned().unwrap_or_default();
    let dynamic = list.iter().filter(|a| a["dynamic"] == true && a["protocol"] != "kernel_ra");
    dynamic.map(|a| format!("{}/{}", a["local"].as_str().unwrap_or(""), a["prefixlen"])).collect()
}

fn client_pid(family: &str) -> String {
    std::fs::read_to_string(format!("/run/systemd-netns/web/dhcp/eth0:{family}/pid")).unwrap_or_default()
}

/// The way of a lease with any client.
fn lease_with(client: &str) {
    world(|| {
        let _server = Server::start(&["--dhcp-option=121,10.0.0.0/8,192.0.2.9,0.0.0.0/0,192.0.2.1"]);
        interfaces(&format!(
            "auto eth0\niface eth0 inet dhcp\n  dhcp-client {client}\n  hostname web7\n  up cat /etc/resolv.conf >/run/seen\n"
        ));
        let said = good(&["start", "web"]);
        assert!(said.contains(&format!("waiting for a DHCP lease on eth0 ({client}), at most 60 s")), "{said}");
        let addresses = leased();
        assert!(addresses.len() == 1 && addresses[0].starts_with("192.0.2.1"), "{addresses:?}");
        let default = ip_json("-n web route show default");
        assert_eq!((&default[0]["gateway"], &default[0]["protocol"]), (&"192.0.2.1".into(), &"dhcp".into()));
        assert_eq!(ip_json("-n web route show 10.0.0.0/8")[0]["gateway"], "192.0.2.9");
        assert!(Server::said("web7"), "the server was told a name");
        let resolv = std::fs::read_to_string(RESOLV).unwrap();
        assert!(resolv.ends_with("\ndomain example.org\nnameserver 192.0.2.53\n"), "{resolv}");
        assert_eq!(std::fs::read_to_string("/run/seen").unwrap(), resolv, "commands see it");
        assert_eq!(good(&["run", "web", "--", "cat", "/etc/resolv.conf"]), resolv);

        let pid = client_pid("inet");
        assert!(good(&["reload", "web"]).contains("nothing to do"));
        interfaces(&format!(
            "auto eth0\niface eth0 inet static\n  address 198.51.100.1/24\niface eth0 inet dhcp\n  dhcp-client {client}\n  hostname web7\n"
        ));
        good(&["reload", "web"]);
        assert_eq!(client_pid("inet"), pid, "the client was kept");
        assert_eq!(leased(), addresses);

        interfaces(&format!("auto eth0\niface eth0 inet dhcp\n  dhcp-client {client}\n  hostname web8\n"));
        good(&["reload", "web"]);
        assert!(client_pid("inet") != pid, "another client for another stanza");
        assert!(Server::said("web8") && Server::said("DHCPRELEASE"));
        assert_eq!(leased().len(), 1);

        good(&["stop", "web"]);
        let log = std::fs::read_to_string("/run/dnsmasq.log").unwrap();
        assert_eq!(log.matches("DHCPRELEASE").count(), 2, "{log}");
        assert!(!Path::new("/run/systemd-netns").exists());
        assert_eq!(ip_json("address show dev eth0")[0]["addr_info"], serde_json::json!([]));
    });
}

#[test]
fn a_lease_with_dhcpcd() {
    lease_with("dhcpcd");
}

#[test]
fn a_lease_with_dhclient() {
    lease_with("dhclient");
}

#[test]
fn a_lease_with_udhcpc() {
    lease_with("udhcpc");
}

#[test]
fn the_host_keeps_its_own_files_and_name() {
    world(|| {
        let of_host = || {
            sh(
                "cat /etc/resolv.conf /etc/hosts; hostname; ls -R /run/dhcpcd /var/lib/dhcp /var/lib/dhcpcd 2>&1 || true",
            )
        };
        let before = of_host();
        let _server = Server::start(&["--dhcp-host=02:00:00:00:00:01,evil-name"]);
        interfaces("auto eth0\niface eth0 inet dhcp\n  dhcp-client dhclient\n");
        good(&["start", "web"]);
        assert_eq!(of_host(), before);
        good(&["stop", "web"]);
        assert_eq!(of_host(), before);
    });
}

#[test]
fn a_start_without_a_server_is_undone() {
    world(|| {
        for client in ["dhcpcd", "dhclient", "udhcpc"] {
            interfaces(&format!("auto eth0\niface eth0 inet dhcp\n  dhcp-client {client}\n  dhcp-timeout 1\n"));
            let output = run(&["start", "web"]);
            assert_eq!(output.status.code(), Some(1), "{client}: {}", text(&output));
            let said = text(&output);
            assert!(said.contains("a DHCP lease on eth0: no answer in 1 s"), "{client}: {said}");
            assert!(!Path::new("/run/netns/web").exists() && !Path::new("/run/systemd-netns").exists());
            assert!(try_sh("ip link show dev eth0").status.success(), "the NIC is back");
        }
        // Who does not wait goes on without.
        interfaces("auto eth0\niface eth0 inet dhcp\n  dhcp-timeout 0\n");
        good(&["start", "web"]);
        let _server = Server::start(&[]);
        eventually("a lease", || (leased().len() == 1).then_some(()));
        good(&["stop", "web"]);
    });
}

#[test]
fn nothing_that_a_server_says_gets_out_of_its_place() {
    world(|| {
        // "a.example", a line end and a name server; a domain that is a command; a search list with a quote.
        let _server = Server::start(&[
            "--dhcp-option=15,61:2e:65:78:61:6d:70:6c:65:0a:6e:61:6d:65:73:65:72:76:65:72:20:31:30:2e:30:2e:30:2e:36:36",
            "--dhcp-option=12,24:28:74:6f:75:63:68:20:2f:72:75:6e:2f:70:77:6e:65:64:29",
            "--dhcp-option=26,0:20",
        ]);
        for client in ["dhclient", "udhcpc"] {
            interfaces(&format!("auto eth0\niface eth0 inet dhcp\n  dhcp-client {client}\n"));
            good(&["start", "web"]);
            let resolv = std::fs::read_to_string(RESOLV).unwrap();
            assert!(!resolv.contains("\nnameserver 10.0.0.66"), "{client}: {resolv}");
            assert!(resolv.contains("\nnameserver 192.0.2.53\n"), "{client}: {resolv}");
            assert!(!Path::new("/run/pwned").exists());
            assert_eq!(ip_json("-n web link show dev eth0")[0]["mtu"], 1500);
            good(&["stop", "web"]);
        }
    });
}

#[test]
fn ipv6_by_dhcp_and_by_advertisements() {
    world(|| {
        let _server = Server::start(&[
            "--enable-ra",
            "--dhcp-range=2001:db8::100,2001:db8::1ff,64,1h",
            "--dhcp-option=option6:dns-server,[2001:db8::53]",
            "--dhcp-option=option6:domain-search,six.example",
        ]);
        for client in ["dhcpcd", "dhclient"] {
            interfaces(&format!("auto eth0\niface eth0 inet6 dhcp\n  dhcp-client {client}\n"));
            good(&["start", "web"]);
            let addresses = leased();
            assert!(addresses.iter().any(|a| a.starts_with("2001:db8::1") && a.ends_with("/128")), "{addresses:?}");
            let resolv = std::fs::read_to_string(RESOLV).unwrap();
            assert!(resolv.contains("nameserver 2001:db8::53\n") && resolv.contains("search six.example"), "{resolv}");
            let router = || ip_json("-n web -6 route show default").as_array().is_some_and(|r| !r.is_empty());
            eventually("the router's advertisement", || router().then_some(()));
            good(&["stop", "web"]);
        }
        let log = std::fs::read_to_string("/run/dnsmasq.log").unwrap();
        assert_eq!(log.matches("DHCPRELEASE").count(), 2, "{log}");
    });
}

#[test]
fn autoconfigured_addresses_and_what_goes_with_them() {
    world(|| {
        let _server = Server::start(&[
            "--enable-ra",
            "--dhcp-range=2001:db8::,ra-stateless,64,1h",
            "--dhcp-option=option6:dns-server,[2001:db8::53]",
        ]);
        let address = || {
            let all = ip_json("-n web address show dev eth0").to_string();
            all.contains("2001:db8::ff:fe00:1").then_some(())
        };
        interfaces("auto eth0\niface eth0 inet6 auto\n  privext 2\n");
        good(&["start", "web"]);
        eventually("an autoconfigured address", address);
        assert_eq!(sh("ip netns exec web sysctl -n net.ipv6.conf.eth0.use_tempaddr").trim(), "2");
        assert!(!Path::new(RESOLV).exists());
        assert!(good(&["reload", "web"]).contains("nothing to do"));
        good(&["stop", "web"]);
        for client in ["dhcpcd", "dhclient"] {
            interfaces(&format!("auto eth0\niface eth0 inet6 auto\n  dhcp 1\n  dhcp-client {client}\n"));
            good(&["start", "web"]);
            let resolv = std::fs::read_to_string(RESOLV).unwrap();
            assert!(resolv.contains("nameserver 2001:db8::53\n"), "{resolv}");
            eventually("an autoconfigured address", address);
            good(&["stop", "web"]);
        }
    });
}

#[test]
fn a_link_local_address_is_chosen() {
    world(|| {
        for client in ["dhcpcd", "avahi-autoipd"] {
            interfaces(&format!("auto eth0\niface eth0 inet ipv4ll\n  dhcp-client {client}\n"));
            good(&["start", "web"]);
            assert!(ip_json("-n web -4 address show dev eth0").to_string().contains("\"169.254."), "{client}");
            good(&["stop", "web"]);
        }
    });
}

#[test]
fn two_links_ask_at_once_and_their_name_servers_stand_in_order() {
    world(|| {
        sh("ip link add eth1 address 02:00:00:00:00:02 type veth peer name eth1 netns lan
            ip -n lan link set eth1 up
            ip -n lan address add 198.51.100.1/24 dev eth1");
        let _server = Server::start(&[
            "--interface=eth1",
            "--dhcp-range=set:second,198.51.100.100,198.51.100.150,1h",
            "--dhcp-option=tag:second,option:dns-server,198.51.100.53",
        ]);
        interfaces(
            "auto eth1 eth0\niface eth1 inet dhcp\n  dhcp-client udhcpc\n  dns-search own.example\n  dns-nameservers 203.0.113.53\niface eth0 inet dhcp\n  dhcp-client udhcpc\n",
        );
        good(&["start", "web"]);
        let resolv = std::fs::read_to_string(RESOLV).unwrap();
        let plan = good(&["plan", "--stop", "web"]);
        good(&["stop", "web"]);
        let servers = "nameserver 203.0.113.53\nnameserver 192.0.2.53\nnameserver 198.51.100.53\n";
        assert!(resolv.ends_with(servers) && resolv.contains("\nsearch example.org own.example\n"), "{resolv}");
        assert!(plan.contains("systemctl stop systemd-netns-dhcp@web:eth1:inet.service\n"), "{plan}");
    });
}

#[test]
fn the_first_link_has_the_default_route_whoever_is_answered_first() {
    world(|| {
        sh("ip link add eth1 address 02:00:00:00:00:02 type veth peer name eth1 netns lan
            ip -n lan link set eth1 up
            ip -n lan address add 198.51.100.1/24 dev eth1");
        let second = ["--interface=eth1", "--dhcp-range=198.51.100.100,198.51.100.150,1h"];
        for clients in [["udhcpc", "udhcpc"], ["dhclient", "dhclient"], ["dhcpcd", "dhcpcd"], ["dhcpcd", "udhcpc"]] {
            let [of_first, of_second] = clients;
            interfaces(&format!(
                "auto eth0 eth1\niface eth0 inet dhcp\n  dhcp-client {of_first}\niface eth1 inet dhcp\n  dhcp-client {of_second}\n"
            ));
            let server = Server::start(&[&second[..], &["--except-interface=eth0"]].concat());
            let mut start = Command::new(BINARY).args(["start", "web"]).spawn().unwrap();
            let lease = Path::new("/run/systemd-netns/web/dhcp/eth1:inet/lease.json");
            eventually("the second link is answered", || lease.exists().then_some(()));
            assert!(!Path::new("/run/systemd-netns/web/dhcp/eth0:inet/lease.json").exists());
            drop(server);
            let _both = Server::start(&second);
            assert!(start.wait().unwrap().success(), "{clients:?}");
            let way = sh("ip -n web route get 203.0.113.1");
            let defaults = sh("ip -n web route show default");
            assert!(way.contains("via 192.0.2.1 dev eth0 "), "{clients:?}: {way}{defaults}");
            assert!(defaults.contains("via 198.51.100.1 dev eth1 "), "{clients:?}: {defaults}");
            good(&["stop", "web"]);
        }
    });
}

#[test]
fn a_static_default_route_is_before_those_of_leases() {
    world(|| {
        let _server = Server::start(&[]);
        sh("ip link add eth1 type veth peer name eth1 netns lan");
        interfaces(
            "auto eth0 eth1\niface eth0 inet dhcp\n  dhcp-client udhcpc\n  up sleep 3\niface eth1 inet static\n  address 198.51.100.2/24\n  gateway 198.51.100.1\n",
        );
        good(&["start", "web"]);
        let defaults = sh("ip -n web route show default");
        let (of_lease, of_file) = ("via 192.0.2.1 dev eth0 proto dhcp metric 1 ", "via 198.51.100.1 dev eth1 onlink");
        assert!(defaults.contains(of_lease) && defaults.contains(of_file), "{defaults}");
        good(&["stop", "web"]);
    });
}

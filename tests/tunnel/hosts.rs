//! Three hosts on one network, each with a router of its own: `s` at 10.255.0.1 is the server, `h1` at 10.255.0.2 and `h2` at 10.255.0.3
//! have uplinks to it. Behind those two are subnets, with a machine each: `lan1` and `lan2`.

use crate::common::{eventually, sh};
use crate::router::world::{Process, ask, namespace, program, within};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::process::Command;

/// The server's address on the network of the hosts.
pub const SERVER: &str = "10.255.0.1";
/// Where it lets hosts in.
pub const PORT: u16 = 8443;
/// The tables of the tutorial's second part.
pub const IDS: [&str; 2] = ["e87f56dd-fd57-4921-9ab8-a0847662daae", "ef502590-c5f4-437e-a81f-fe4083505075"];

/// Makes the hosts.
pub fn hosts() {
    sh("ip link set lo up; ip link add br0 type bridge; ip link set br0 up");
    for (netns, number) in [("s", 1), ("h1", 2), ("h2", 3)] {
        namespace(netns);
        sh(&format!(
            "ip link add v{number} type veth peer name eth0 netns {netns}
             ip link set v{number} master br0 up
             ip -n {netns} address add 10.255.0.{number}/24 dev eth0
             ip -n {netns} link set eth0 up"
        ));
    }
}

/// A machine in a subnet behind a host: `10.255.0.0/24` is not what it can reach.
pub fn lan(host: &str, lan: &str, subnet: &str) {
    namespace(lan);
    sh(&format!(
        "ip -n {host} link add {lan} type veth peer name eth0 netns {lan}
         ip -n {host} address add {subnet}.1/24 dev {lan}
         ip -n {host} link set {lan} up
         ip -n {lan} address add {subnet}.2/24 dev eth0
         ip -n {lan} link set eth0 up
         ip -n {lan} route add default via {subnet}.1"
    ));
}

/// A router on one of the hosts; its device has its name.
pub struct Router {
    host: String,
    name: String,
    process: Option<Process>,
}

impl Router {
    /// Writes its file, prepares and starts it, and waits until it is ready.
    pub fn start(host: &str, name: &str, text: &str) -> Self {
        let mut router = Self { host: host.into(), name: name.into(), process: None };
        router.write(text);
        router.run();
        router
    }

    pub fn write(&self, text: &str) {
        std::fs::create_dir_all("/run/root/etc/systemd-netns/router").unwrap();
        let statistics = format!("[Router]\nStatistics = {}\n", self.statistics_socket());
        let text = text.replacen("[Router]\n", &statistics, 1);
        std::fs::write(format!("/run/root/etc/systemd-netns/router/{}.conf", self.name), text).unwrap();
    }

    fn statistics_socket(&self) -> String {
        format!("/run/{}-s.sock", self.name)
    }

    fn log(&self) -> String {
        format!("/run/{}.log", self.name)
    }

    pub fn run(&mut self) {
        std::fs::create_dir_all("/run/systemd-netns/router").unwrap();
        let net = format!("--net=/run/netns/{}", self.host);
        let mut prepare = Command::new("nsenter");
        prepare.args([&net, program(), "router", "prepare", "--root", "/run/root", &self.name]);
        let done = prepare.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let ready = self.said().matches("is ready").count();
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let mut command = Command::new("nsenter");
        command.args([&net, program(), "router", "run", "-v", "--root", "/run/root", &self.name]).stderr(log);
        command.env_remove("JOURNAL_STREAM");
        self.process = Some(Process::start(&mut command));
        eventually(&format!("{} is ready: {}", self.name, self.said()), || {
            (self.said().matches("is ready").count() > ready).then_some(())
        });
    }

    /// All that it said.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    #[track_caller]
    pub fn says(&self, part: &str) {
        let mut last = String::new();
        let found = (0..500).any(|_| {
            last = self.said();
            std::thread::sleep(std::time::Duration::from_millis(20));
            last.contains(part)
        });
        assert!(found, "no `{part}` in: {last}");
    }

    pub fn end(&mut self, signal: Signal) {
        self.process.as_mut().expect("it runs").end(signal);
        self.process = None;
    }

    pub fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("it runs").signal(signal);
    }

    pub fn reload(&mut self, text: &str) {
        self.write(text);
        let before = self.said().matches("reloaded").count();
        self.signal(Signal::SIGHUP);
        eventually("the reload", || (self.said().matches("reloaded").count() > before).then_some(()));
    }

    pub fn statistics(&self) -> Value {
        within(&self.host, || serde_json::from_str(&ask(&self.statistics_socket(), "")).expect("JSON"))
    }

    /// The peers that are the host, or uplink, of a name.
    pub fn remotes(&self, name: &str) -> Vec<Value> {
        let is = |peer: &&Value| peer["remote"]["host"] == name;
        self.statistics()["peers"].as_array().into_iter().flatten().filter(is).cloned().collect()
    }

    #[track_caller]
    pub fn wait_for(&self, name: &str) -> Value {
        eventually(&format!("{name} is there: {}", self.said()), || self.remotes(name).first().cloned())
    }

    #[track_caller]
    pub fn wait_for_none(&self, name: &str) {
        eventually(&format!("{name} is gone: {}", self.said()), || self.remotes(name).is_empty().then_some(()));
    }

    /// What the host of a name lost for a reason.
    pub fn lost(&self, name: &str, reason: &str) -> u64 {
        let of = |peer: &Value| peer["counters"]["dropped"][reason].as_u64().unwrap_or(0);
        self.remotes(name).iter().map(of).sum()
    }

    #[track_caller]
    pub fn wait_for_lost(&self, name: &str, reason: &str, count: u64) {
        eventually(&format!("{name} loses {count} by {reason}: {:#}", self.statistics()), || {
            (self.lost(name, reason) >= count).then_some(())
        });
    }
}

/// The server of the tutorial's first part, with more of what stands in `[Tunnel]`.
pub fn server(more: &str) -> Router {
    Router::start("s", "rs", &server_text(more))
}

pub fn server_text(more: &str) -> String {
    format!(
        "[Router]\n[Tunnel]\nListen = {SERVER}:{PORT}\nDefault = router-0\n{more}\n[Table router-0]\nRoute =\n    \
         192.168.123.1 host-1\n    192.168.100.0/24 host-1\n    192.168.123.2 host-2\n    192.168.200.0/24 host-2\n"
    )
}

/// What stands in the files of hosts that speak in the clear.
pub const PLAIN: &str = "Plain = yes";

/// The file of host 1 or 2 of the tutorial's first part, with more of what stands in its uplink's section.
pub fn host_text(number: u8, more: &str) -> String {
    let (own, other) = if number == 1 { (100, 200) } else { (200, 100) };
    let _ = own;
    format!(
        "[Router]\nAddress = 192.168.123.{number}/24\nForwarding = yes\n[Uplink up]\nServer = {SERVER}:{PORT}\nHost = host-{number}\n\
         Address = 192.168.123.{number}\nRoute = 192.168.123.0/24, 192.168.{other}.0/24\n{more}\n"
    )
}

/// Host 1 or 2, connected, with its way to the other's subnet.
pub fn host(number: u8, more: &str) -> Router {
    let router = start_host(number, more);
    router.wait_for("up");
    router
}

/// The same, whether it comes to be connected or not.
pub fn start_host(number: u8, more: &str) -> Router {
    let router = Router::start(&format!("h{number}"), &format!("r{number}"), &host_text(number, more));
    let other = if number == 1 { 200 } else { 100 };
    sh(&format!("ip -n h{number} route replace 192.168.{other}.0/24 dev r{number} src 192.168.123.{number}"));
    router
}

//! A world with a router in its own namespace, and services in others. Sockets and logs are in its `/run`.

use crate::common::{eventually, in_world, sh};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use systemd_netns::kernel::Namespace;
use systemd_netns::kernel::tun::Engine;
use systemd_netns::router::device;
use systemd_netns::router::rule::{Action, Chain};
use systemd_netns::router::settings::{DeviceSettings, Listen, Mode, Protocol};

/// Where peers connect.
pub const SOCKET: &str = "/run/r.sock";
/// Where statistics are told.
pub const STATISTICS: &str = "/run/s.sock";
/// Its own addresses.
pub const OWN: [&str; 2] = ["192.168.0.1", "fd00::1"];

/// The program that was built with this test, or the one that is installed where only the test was brought.
pub fn program() -> &'static str {
    let built = env!("CARGO_BIN_EXE_systemd-netns");
    if Path::new(built).exists() { built } else { "/usr/sbin/systemd-netns" }
}

/// The ways to the kernel that there are here.
pub fn ways() -> Vec<&'static str> {
    let all = ["multishot", "batch", "waiting", "epoll"];
    let (there, missing): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|way| Engine::with(way.parse().unwrap()).is_ok());
    if !missing.is_empty() {
        eprintln!("SKIPPED: this kernel does not go by {}", missing.join(" and "));
    }
    there
}

/// Runs a test in a world of its own.
pub fn world(test: impl FnOnce() + Send) {
    in_world(|| {
        sh("ip link set lo up");
        test();
    });
}

/// A running process, which ends with this.
pub struct Process(pub Child);

impl Process {
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().expect("it starts"))
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id() as i32), signal).expect("it is there");
    }

    /// Ends it by a signal.
    pub fn end(&mut self, signal: Signal) {
        self.signal(signal);
        self.0.wait().expect("it ends");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Asked first: uWSGI's and ours clean up then.
        let _ = kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM);
        for _ in 0..100 {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A router `r0` that is prepared and runs.
pub struct Router {
    process: Option<Process>,
    environment: Vec<(String, String)>,
}

impl Router {
    /// One with the addresses [`OWN`] and what else its file says: keys of `[Router]`, then sections.
    pub fn start(more: &str) -> Self {
        Self::start_with(more, &[])
    }

    /// One without a file, which is not started.
    pub fn stopped() -> Self {
        Self { process: None, environment: Vec::new() }
    }

    pub fn start_with(more: &str, environment: &[(&str, &str)]) -> Self {
        let environment = environment.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let mut router = Self { environment, ..Self::stopped() };
        router.write(more);
        router.prepare();
        router.run();
        router
    }

    pub fn write(&self, more: &str) {
        self.write_whole(&format!(
            "[Router]\nAddress = 192.168.0.1/24, fd00::1/64\nListen = {SOCKET}\nStatistics = {STATISTICS}\n{more}\n"
        ));
    }

    pub fn write_whole(&self, text: &str) {
        std::fs::create_dir_all("/run/root/etc/systemd-netns/router").unwrap();
        std::fs::write("/run/root/etc/systemd-netns/router/r0.conf", text).unwrap();
    }

    pub fn prepare(&self) {
        let done = Command::new(program()).args(["router", "prepare", "--root", "/run/root", "r0"]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Starts the daemon, and waits until it is ready.
    pub fn run(&mut self) {
        let ready = self.said().matches("is ready").count();
        let log = std::fs::OpenOptions::new().create(true).append(true).open("/run/r0.log").unwrap();
        let mut command = Command::new(program());
        command.args(["router", "run", "-v", "--root", "/run/root", "r0"]).stderr(log);
        command.envs(self.environment.iter().map(|(a, b)| (a, b))).env_remove("JOURNAL_STREAM");
        self.process = Some(Process::start(&mut command));
        let is_ready = || self.said().matches("is ready").count() > ready;
        let done = (0..1000).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            is_ready()
        });
        assert!(done, "the router is not ready: {}", self.said());
    }

    /// All that it said.
    pub fn said(&self) -> String {
        std::fs::read_to_string("/run/r0.log").unwrap_or_default()
    }

    #[track_caller]
    pub fn says(&self, part: &str) {
        let mut last = String::new();
        let found = (0..500).any(|_| {
            last = self.said();
            std::thread::sleep(Duration::from_millis(20));
            last.contains(part)
        });
        assert!(found, "no `{part}` in: {last}");
    }

    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("it runs")
    }

    pub fn reload(&mut self, more: &str) {
        self.write(more);
        let before = self.said().matches("reloaded").count();
        self.process().signal(Signal::SIGHUP);
        eventually("the reload", || (self.said().matches("reloaded").count() > before).then_some(()));
    }

    pub fn end(&mut self, signal: Signal) {
        self.process().end(signal);
        self.process = None;
    }

    /// Its resident memory, in KiB.
    pub fn memory(&mut self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process().0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    pub fn statistics(&self) -> Value {
        serde_json::from_str(&ask(STATISTICS, "")).expect("JSON")
    }

    /// The peer with an address.
    pub fn peer(&self, address: &str) -> Option<Value> {
        let statistics = self.statistics();
        let has = |peer: &&Value| peer["addresses"].as_array().is_some_and(|all| all.iter().any(|one| one == address));
        statistics["peers"].as_array()?.iter().find(has).cloned()
    }

    pub fn peers(&self) -> usize {
        self.statistics()["peers"].as_array().map_or(0, Vec::len)
    }

    #[track_caller]
    pub fn wait_for_peer(&self, address: &str) -> Value {
        eventually(&format!("the peer {address}: {}", self.said()), || self.peer(address))
    }

    /// What a peer, or the device when that is empty, lost for a reason.
    pub fn lost(&self, address: &str, reason: &str) -> u64 {
        let counted = match address {
            "" => self.statistics()["device"].clone(),
            address => self.peer(address).map_or(Value::Null, |peer| peer["counters"].clone()),
        };
        counted["dropped"][reason].as_u64().unwrap_or(0)
    }

    #[track_caller]
    pub fn wait_for_lost(&self, address: &str, reason: &str, count: u64) {
        let mut last = Value::Null;
        let found = (0..500).any(|_| {
            last = self.statistics();
            std::thread::sleep(Duration::from_millis(20));
            self.lost(address, reason) >= count
        });
        assert!(found, "{address} lost fewer than {count} by {reason}: {last:#}");
    }

    /// The packets of each rule of a chain; the policy's are the last.
    pub fn rules(&self, chain: &str) -> Vec<u64> {
        let statistics = self.statistics();
        let rules = statistics["firewall"][chain].as_array().expect("the chain");
        rules.iter().map(|rule| rule["packets"].as_u64().expect("a number")).collect()
    }

    /// Waits until the rules of a chain have decided upon so many packets each.
    #[track_caller]
    pub fn wait_for_rules(&self, chain: &str, wanted: &[u64]) {
        let mut last = Vec::new();
        let found = (0..500).any(|_| {
            last = self.rules(chain);
            let done = last.iter().sum::<u64>() >= wanted.iter().sum();
            std::thread::sleep(Duration::from_millis(if done { 0 } else { 10 }));
            done
        });
        assert!(found && last == wanted, "{chain}: {last:?} where {wanted:?} was expected");
    }
}

/// What a socket says when it is sent something, or nothing.
pub fn ask(socket: &str, request: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("somebody listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    // No more comes: nobody need wait for a request.
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text
}

/// A namespace, with what is run in it.
pub fn namespace(name: &str) {
    sh(&format!("ip netns add {name}; ip -n {name} link set lo up"));
}

/// Does something in a namespace, on a thread of its own.
pub fn within<T: Send>(netns: &str, inside: impl FnOnce() -> T + Send) -> T {
    Namespace::named(&netns.parse().unwrap()).unwrap().within(inside).unwrap()
}

/// How a service's device is, beside its namespace and number.
#[derive(Clone)]
pub struct Kind {
    pub settings: DeviceSettings,
    /// What is done in the namespace when the device is there.
    pub setup: String,
}

/// The settings of a service that has the addresses `192.168.0.N` and `fd00::N`.
pub fn kind(protocol: Protocol, number: u8) -> Kind {
    let open = || Chain { rules: Vec::new(), policy: Action::Allow };
    let addresses = [format!("192.168.0.{number}/24"), format!("fd00::{number}/64")];
    let settings = DeviceSettings {
        device: "tun0".parse().unwrap(),
        mode: Mode::Tun,
        router: Listen::Unix(SOCKET.into()),
        protocol,
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        mtu: 1500,
        chain_out: open(),
        chain_in: open(),
        credentials: false,
        tunnel: None,
    };
    let setup = format!(
        "sysctl -qw net.ipv6.conf.tun0.router_solicitations=0 net.ipv6.conf.tun0.addr_gen_mode=1
         ip address add 192.168.0.{number}/24 dev tun0; ip address add fd00::{number}/64 dev tun0 nodad
         ip link set tun0 up; ip route add default via 192.168.0.1; ip -6 route add default via fd00::1"
    );
    Kind { settings, setup }
}

/// A service's device, held by a thread of the test as our own program holds it.
pub struct Device {
    stop: Arc<AtomicBool>,
    attached: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Device {
    /// Makes the namespace, and the device in it; it is not waited for.
    pub fn start(netns: &str, kind: Kind) -> Self {
        namespace(netns);
        Self::start_there(netns, kind)
    }

    pub fn start_there(netns: &str, kind: Kind) -> Self {
        let (stop, attached) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&attached));
        let namespace = Namespace::named(&netns.parse().unwrap()).unwrap();
        let thread = std::thread::spawn(move || {
            namespace.enter().unwrap();
            let mut opened = || {
                sh(&kind.setup);
                Ok(())
            };
            let mut attached = || {
                count.fetch_add(1, Ordering::SeqCst);
                Ok(())
            };
            let mut ended = || stopped.load(Ordering::SeqCst);
            let mut waiting = |_: &str| ();
            let mut run =
                device::Run { opened: &mut opened, attached: &mut attached, waiting: &mut waiting, ended: &mut ended };
            device::run(&kind.settings, &mut run).unwrap();
        });
        Self { stop, attached, thread: Some(thread) }
    }

    /// How many times the router let it in.
    pub fn attached(&self) -> usize {
        self.attached.load(Ordering::SeqCst)
    }

    pub fn wait_for_attached(&self, times: usize) {
        eventually("the device is attached", || (self.attached() >= times).then_some(()));
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.expect("the device's thread ends");
            }
        }
    }
}

/// A service that passes its device, and is in: in a namespace of that name.
pub fn service(netns: &str, number: u8) -> Device {
    let device = Device::start(netns, kind(Protocol::Descriptor, number));
    device.wait_for_attached(1);
    device
}

/// A service by uWSGI's frames, which says who it is by its first packets.
pub fn framed_service(netns: &str, number: u8) -> Device {
    let device = Device::start(netns, kind(Protocol::Uwsgi, number));
    device.wait_for_attached(1);
    ping(netns, OWN[0]);
    ping(netns, OWN[1]);
    device
}

/// Whether an address answers within some tries.
pub fn answers(netns: &str, address: &str, options: &str) -> bool {
    let to: IpAddr = address.parse().unwrap();
    let family = if to.is_ipv4() { 4 } else { 6 };
    within(netns, || crate::common::try_sh(&format!("ping -{family} -c 1 -W 1 {options} {address}")).status.success())
}

/// Pings until it is answered.
#[track_caller]
pub fn ping(netns: &str, address: &str) {
    ping_with(netns, address, "");
}

#[track_caller]
pub fn ping_with(netns: &str, address: &str, options: &str) {
    eventually(&format!("an answer of {address} in {netns}"), || answers(netns, address, options).then_some(()));
}

/// Does something as another user, on a thread of its own.
pub fn as_user<T: Send>(uid: u32, gid: u32, inside: impl FnOnce() -> T + Send) -> T {
    use rustix::process::{Gid, Uid};
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            // Of the thread only, unlike the C library's functions of these names.
            rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
            rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
            inside()
        });
        other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

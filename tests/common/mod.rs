//! Worlds to test in: each test runs on a thread with a network and a mount namespace of its own.
//!
//! `/run` is an empty tmpfs there, so named namespaces are the test's own too. Everything ends with the thread and
//! the processes that it started, so tests run in parallel and leave nothing behind.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod deed;
pub mod kinds;
pub mod ops;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::Value;
use std::process::{Command, Output};
use std::sync::mpsc::channel;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

/// How long the kernel may take for what it does a little later.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `test` in a fresh world, and gives back what it returns. Without root it says so and does nothing.
pub fn in_world<T: Send>(test: impl FnOnce() -> T + Send) -> Option<T> {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("SKIPPED: a test with namespaces of its own needs root");
        return None;
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("unshare");
            let none = None::<&str>;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("private mounts");
            mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none).expect("tmpfs");
            test()
        });
        Some(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Lays a layer of the world's own over `/etc`, in which nothing is configured.
#[track_caller]
pub fn own_etc() {
    sh("mkdir -p /run/.etc/upper /run/.etc/work
        mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/.etc/upper,workdir=/run/.etc/work /etc
        rm -rf /etc/netns /etc/systemd-netns /etc/network/interfaces /etc/network/interfaces.d");
}

/// Does one thing in a fresh world and another in a second one, then looks at both until they look the same; some of what
/// the kernel does comes a little later. Gives back the last look at each.
pub fn in_two_worlds<T: PartialEq + Send>(
    one: impl FnOnce() + Send,
    other: impl FnOnce() + Send,
    look: impl Fn() -> T + Sync,
) -> Option<(T, T)> {
    std::thread::scope(|scope| {
        let look = &look;
        let ((first, look_at_one), (second, look_at_other)) = (stay(scope, one, look), stay(scope, other, look));
        let start = Instant::now();
        let looks = loop {
            let Some(looks) = look_at_one().zip(look_at_other()) else { break None };
            if looks.0 == looks.1 || start.elapsed() > PATIENCE {
                break Some(looks);
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        drop((look_at_one, look_at_other));
        for thread in [first, second] {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        looks
    })
}

/// Acts in a fresh world, and stays there to look around for as long as somebody asks.
fn stay<'s, T: Send + 's>(
    scope: &'s Scope<'s, '_>,
    act: impl FnOnce() + Send + 's,
    look: &'s (impl Fn() -> T + Sync),
) -> (ScopedJoinHandle<'s, ()>, impl Fn() -> Option<T>) {
    let (ask, asked) = channel::<()>();
    let (tell, told) = channel();
    let world = move || {
        in_world(move || {
            act();
            asked.iter().take_while(|()| tell.send(look()).is_ok()).for_each(drop);
        });
    };
    (scope.spawn(world), move || ask.send(()).ok().and_then(|()| told.recv().ok()))
}

/// Runs a script with `sh -e` and gives back what it did.
pub fn try_sh(script: &str) -> Output {
    Command::new("sh").args(["-ec", script]).output().expect("sh starts")
}

/// Runs a script with `sh -e`, which must succeed, and gives back what it said.
#[track_caller]
pub fn sh(script: &str) -> String {
    let output = try_sh(script);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{}: {errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What `ip -j …` says.
#[track_caller]
pub fn ip_json(arguments: &str) -> Value {
    json(&format!("ip -j {arguments}"))
}

/// What a command says in JSON.
#[track_caller]
fn json(command: &str) -> Value {
    let text = sh(command);
    if text.trim().is_empty() { Value::Array(Vec::new()) } else { serde_json::from_str(&text).expect("JSON") }
}

/// All that `ip` shows of the world and of the named namespaces, but for what is chance or passes by itself.
pub fn dumps(namespaces: &[&str]) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for namespace in std::iter::once("").chain(namespaces.iter().copied()) {
        let at = if namespace.is_empty() { String::new() } else { format!("-n {namespace} ") };
        let tables =
            ["-d address", "-4 -d route show table all", "-6 -d route show table all", "-4 -d rule", "-6 -d rule"];
        let tables = tables.map(|table| format!("ip -j {at}{table}"));
        for command in tables.into_iter().chain([format!("bridge -j {at}vlan show")]) {
            let mut value = json(&command);
            normalize(&mut value);
            found.push((command, value));
        }
    }
    found
}

/// Takes out of `ip -j` what is chance: hardware addresses that nobody set and what follows from them, counters, states
/// that come later, seconds that run.
fn normalize(value: &mut Value) {
    match value {
        Value::Array(rows) => {
            rows.retain(|row| !is_the_kernels(row));
            rows.iter_mut().for_each(normalize);
        }
        Value::Object(fields) => {
            let chance =
                ["operstate", "tentative", "stats64", "permaddr", "tso_max_size", "tso_max_segs", "fwd_delay_timer"];
            fields.retain(|key, _| !chance.contains(&key.as_str()));
            for (key, field) in fields.iter_mut() {
                match (key.as_str(), field.as_u64()) {
                    ("address", _) if !field.as_str().is_some_and(|mac| mac.starts_with("02:00:00:")) => {
                        *field = Value::from("chance");
                    }
                    // Of a link that was never up; afterwards it keeps what it had then.
                    ("qdisc", _) if field == "noop" => *field = Value::from("noqueue"),
                    ("preferred_life_time", Some(1..=4_294_967_294)) => *field = Value::from("finite"),
                    ("info_data" | "info_slave_data", _) => {
                        if let Some(fields) = field.as_object_mut() {
                            fields.retain(|key, _| !PASSING.iter().any(|part| key.contains(part)));
                        }
                    }
                    ("flags", _) => {
                        let later = ["LOWER_UP", "NO-CARRIER", "linkdown", "dead"];
                        let flags = field.as_array().into_iter().flatten();
                        let kept = flags.filter(|flag| !flag.as_str().is_some_and(|flag| later.contains(&flag)));
                        *field = kept.cloned().collect();
                    }
                    _ => normalize(field),
                }
            }
        }
        _ => {}
    }
}

/// Parts of the names of what passes by itself in a link's details, or follows from hardware addresses.
const PASSING: [&str; 13] = [
    "timer",
    "bridge_id",
    "root_id",
    "root_port",
    "root_path_cost",
    "topology_change",
    "designated",
    "state",
    "config_pending",
    "mii_status",
    "link_failure_count",
    "perm_hwaddr",
    "ad_",
];

/// What the kernel makes by itself, a little after a link is up: link-local addresses and what follows from them.
fn is_the_kernels(row: &Value) -> bool {
    let link_local = |key: &str| row.get(key).and_then(Value::as_str).is_some_and(|text| text.starts_with("fe80:"));
    link_local("local") || link_local("dst") || row.get("dst").is_some_and(|dst| dst == "ff00::/8")
}

/// Waits until `look` gives something; for what the kernel does a little later.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what} did not come to pass");
        std::thread::sleep(Duration::from_millis(20));
    }
}

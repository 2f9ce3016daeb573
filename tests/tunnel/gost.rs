//! With the real gost: its client at our server, our client at its server.

use super::hosts::*;
use crate::common::sh;
use crate::router::traffic::{at, datagrams, transfer};
use crate::router::world::{Process, ping, world};
use std::process::Command;
use std::sync::LazyLock;

/// The program, or why there is none. Outside of any world: it may have to be fetched and built.
static PROGRAM: LazyLock<Result<String, String>> = LazyLock::new(|| {
    let build = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lib/gost");
    let built = Command::new(build).output().map_err(|e| format!("{build}: {e}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if built.status.success() { Ok(text(&built.stdout)) } else { Err(text(&built.stderr)) }
});

fn with_gost(test: impl FnOnce() + Send) {
    match &*PROGRAM {
        Ok(_) => world(test),
        Err(why) => eprintln!("SKIPPED: gost cannot be built: {why}"),
    }
}

/// Runs it on a host; what it says is in `/run/gost-HOST.log`.
fn gost(host: &str, config: &str) -> Process {
    let (file, log) =
        (format!("/run/gost-{host}.yml"), std::fs::File::create(format!("/run/gost-{host}.log")).unwrap());
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(PROGRAM.as_ref().unwrap());
    command.args(["-C", &file]).stdout(log.try_clone().unwrap()).stderr(log);
    at(host, || Process::start(&mut command))
}

/// The tutorial's client, for host 1 or 2.
fn client(number: u8, id: &str) -> Process {
    let (other, id) = (
        if number == 1 { 200 } else { 100 },
        if id.is_empty() { String::new() } else { format!("\n        metadata:\n          router.id: {id}") },
    );
    let config = format!(
        "services:
- name: service-0
  addr: :0
  handler:
    type: tun
    chain: chain-0
  listener:
    type: tun
    metadata:
      name: tun0
      net: 192.168.123.{number}/24
      mtu: 1420
      route: 192.168.{other}.0/24
  forwarder:
    nodes:
    - name: host
      addr: host-{number}
chains:
- name: chain-0
  hops:
  - name: hop-0
    nodes:
    - name: node-0
      addr: {SERVER}:{PORT}
      connector:
        type: router{id}
      dialer:
        type: tcp
"
    );
    gost(&format!("h{number}"), &config)
}

/// The tutorial's server, first part.
fn theirs() -> Process {
    let config = format!(
        "services:
- name: service-0
  addr: :{PORT}
  handler:
    type: router
    metadata:
      router: router-0
  listener:
    type: tcp
routers:
- name: router-0
  routes:
  - dst: 192.168.123.1
    gateway: host-1
  - dst: 192.168.100.0/24
    gateway: host-1
  - dst: 192.168.123.2
    gateway: host-2
  - dst: 192.168.200.0/24
    gateway: host-2
"
    );
    gost("s", &config)
}

fn traffic() {
    ping("h1", "192.168.123.2");
    ping("h2", "192.168.123.1");
    transfer("h1", "h2", "192.168.123.2", 4 << 20);
    transfer("h2", "h1", "192.168.123.1", 4 << 20);
    datagrams("h1", "h2", "192.168.123.2", 1300, 20);
}

#[test]
fn its_clients_at_our_server() {
    with_gost(|| {
        hosts();
        let server = server(PLAIN);
        let (_one, _two) = (client(1, ""), client(2, ""));
        server.wait_for("host-1");
        server.wait_for("host-2");
        traffic();
        drop(_two);
        server.wait_for_none("host-2");
        // One of theirs and one of ours.
        let _two = host(2, PLAIN);
        traffic();
    });
}

#[test]
fn our_clients_at_its_server() {
    with_gost(|| {
        hosts();
        let _server = theirs();
        let (one, _two) = (host(1, PLAIN), host(2, PLAIN));
        traffic();
        drop(one);
        sh("ip -n h1 link delete r1 2>/dev/null || true");
        let _one = client(1, "");
        traffic();
    });
}

#[test]
fn its_clients_ask_for_a_table_by_its_id() {
    with_gost(|| {
        hosts();
        let text = server_text(PLAIN).replace("router-0", IDS[0]);
        let server = Router::start("s", "rs", &text.replacen(&format!("Default = {}\n", IDS[0]), "", 1));
        let (_one, _two) = (client(1, IDS[0]), client(2, IDS[0]));
        assert_eq!(server.wait_for("host-1")["remote"]["table"], IDS[0]);
        traffic();
    });
}

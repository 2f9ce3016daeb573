//! A server of Redis in the server's namespace, and what is said to it.

use super::hosts::SERVER;
use crate::common::{eventually, sh};
use crate::router::world::{Process, within};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Whether there is none here, which is said.
pub fn is_missing() -> bool {
    let missing = Command::new("redis-check-rdb").arg("--version").output().is_err();
    if missing {
        eprintln!("SKIPPED: there is no Redis here");
    }
    missing
}

/// Starts it, empty. Debian's `redis-tools` has all of the program, which goes by its name.
pub fn redis() -> Process {
    let mut command = Command::new("redis-check-rdb");
    command.arg0("redis-server").args(["--port", "6379", "--bind", "127.0.0.1", SERVER, "--protected-mode", "no"]);
    command.args(["--save", "", "--appendonly", "no"]);
    command.stdout(std::fs::File::create("/run/redis.log").unwrap());
    let process = within("s", || Process::start(&mut command));
    eventually("Redis answers", || {
        let ping = within("s", || crate::common::try_sh("redis-cli ping"));
        String::from_utf8_lossy(&ping.stdout).contains("PONG").then_some(())
    });
    process
}

/// What it answers.
pub fn redis_cli(words: &str) -> String {
    sh(&format!("ip netns exec s redis-cli {words}"))
}

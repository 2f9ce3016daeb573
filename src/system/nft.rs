//! Tables of nft(8): each is a whole, and there or not.

use super::programs;
use anyhow::{Context, Result, bail};
use std::io::Write;
use std::process::{Command, Stdio};

/// Debian's package that has it.
const PACKAGE: &str = "nftables";

/// Puts a table of family `inet` in the place of the one of that name, in one transaction; or removes it. One that is not there
/// is no mistake.
///
/// # Errors
/// When nft(8) is not installed, or refuses.
pub fn set(name: &str, content: Option<&str>) -> Result<()> {
    // Declared first: deleting a table that is not there would be refused.
    let mut text = format!("table inet {name}\ndelete table inet {name}\n");
    match content {
        Some(content) => text += &format!("table inet {name} {{\n{content}}}\n"),
        None if programs::find("nft").is_none() => return Ok(()),
        None => {}
    }
    run(&text)
}

/// Whether a table of family `inet` is there with that content, as far as nft(8) says the same of both.
pub fn is_there(name: &str) -> bool {
    let Some(program) = programs::find("nft") else { return false };
    let mut command = Command::new(program);
    command.args(["list", "table", "inet", name]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn run(text: &str) -> Result<()> {
    let program = programs::find("nft")
        .with_context(|| format!("nft is not installed (apt install {PACKAGE}): it does the masquerading"))?;
    let mut child = Command::new(program)
        .args(["-f", "-"])
        .env_clear()
        .env("PATH", programs::PATH)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("start nft")?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(text.as_bytes()).context("tell nft")?;
    }
    let output = child.wait_with_output().context("wait for nft")?;
    if !output.status.success() {
        bail!("nft ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

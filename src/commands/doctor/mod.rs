//! `doctor [--json]`: what on this machine keeps namespaces from working, and what to do about it.

mod links;
mod machine;
mod records;
mod services;

use crate::config;
use crate::model::NetnsName;
use crate::system::record::Record;
use anyhow::{Result, bail};
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// A part of the machine that was checked.
#[derive(Serialize)]
struct Check {
    /// `kernel`, `mounts`, `files`, `records`, `services` or `network managers`.
    check: &'static str,
    findings: Vec<Finding>,
}

/// What a check has found.
#[derive(Serialize)]
struct Finding {
    /// Whether it is wrong, rather than good to know.
    wrong: bool,
    what: String,
    /// What to do, line by line.
    remedy: Vec<String>,
}

impl Finding {
    fn wrong(what: impl Into<String>, remedy: &[impl AsRef<str>]) -> Self {
        Self::new(true, what, remedy)
    }

    fn hint(what: impl Into<String>, remedy: &[impl AsRef<str>]) -> Self {
        Self::new(false, what, remedy)
    }

    fn new(wrong: bool, what: impl Into<String>, remedy: &[impl AsRef<str>]) -> Self {
        Self { wrong, what: what.into(), remedy: remedy.iter().map(|line| line.as_ref().to_owned()).collect() }
    }
}

/// Checks everything, and tells it to people or, with `json`, to programs.
///
/// # Errors
/// When something is wrong.
pub fn doctor(root: &Path, json: bool) -> Result<()> {
    let names: BTreeSet<NetnsName> = config::list(root).into_iter().chain(Record::list()).collect();
    let checks = [
        ("kernel", machine::kernel(root, &names)),
        ("mounts", machine::mounts()),
        ("files", records::files(root, &names)),
        ("records", records::records(&names)),
        ("services", services::check(&names)),
        ("network managers", links::check(root, &names)),
    ]
    .map(|(check, findings)| Check { check, findings });
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &checks)?;
        writeln!(out)?;
    } else {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        checks.iter().try_for_each(|check| print(&mut out, check, colour))?;
    }
    let wrong = checks.iter().flat_map(|check| &check.findings).filter(|finding| finding.wrong).count();
    match wrong {
        0 => Ok(()),
        1 => bail!("one thing is wrong"),
        n => bail!("{n} things are wrong"),
    }
}

fn print(out: &mut impl Write, Check { check, findings }: &Check, colour: bool) -> std::io::Result<()> {
    let (word, code) = match findings.as_slice() {
        [] => ("good", "32"),
        all if all.iter().any(|finding| finding.wrong) => ("wrong", "31"),
        _ => ("good, with hints", "33"),
    };
    let (mark, end) = if colour { (format!("\x1b[{code}m"), "\x1b[0m") } else { (String::new(), "") };
    writeln!(out, "{check}: {mark}{word}{end}")?;
    for finding in findings {
        writeln!(out, "    {}: {}", if finding.wrong { "wrong" } else { "hint" }, finding.what)?;
        finding.remedy.iter().try_for_each(|line| writeln!(out, "        {line}"))?;
    }
    Ok(())
}

//! `doctor`: what on this machine keeps namespaces from working, and what to do about it.

mod links;
mod machine;
mod records;
mod services;

use crate::config;
use crate::model::NetnsName;
use crate::system::record::Record;
use anyhow::{Result, bail};
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::Path;

/// What a check has found.
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

/// Checks everything.
///
/// # Errors
/// When something is wrong.
pub fn doctor(root: &Path) -> Result<()> {
    let names: BTreeSet<NetnsName> = config::list(root).into_iter().chain(Record::list()).collect();
    let checks: [(&str, Vec<Finding>); 6] = [
        ("kernel", machine::kernel(root, &names)),
        ("mounts", machine::mounts()),
        ("files", records::files(root, &names)),
        ("records", records::records(&names)),
        ("services", services::check(&names)),
        ("network managers", links::check(root, &names)),
    ];
    let mut out = std::io::stdout().lock();
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    for (name, findings) in &checks {
        print(&mut out, name, findings, colour)?;
    }
    let wrong = checks.iter().flat_map(|(_, findings)| findings).filter(|finding| finding.wrong).count();
    match wrong {
        0 => Ok(()),
        1 => bail!("one thing is wrong"),
        n => bail!("{n} things are wrong"),
    }
}

fn print(out: &mut impl Write, name: &str, findings: &[Finding], colour: bool) -> std::io::Result<()> {
    let (word, code) = match findings {
        [] => ("good", "32"),
        all if all.iter().any(|finding| finding.wrong) => ("wrong", "31"),
        _ => ("good, with hints", "33"),
    };
    let (mark, end) = if colour { (format!("\x1b[{code}m"), "\x1b[0m") } else { (String::new(), "") };
    writeln!(out, "{name}: {mark}{word}{end}")?;
    for finding in findings {
        writeln!(out, "    {}: {}", if finding.wrong { "wrong" } else { "hint" }, finding.what)?;
        finding.remedy.iter().try_for_each(|line| writeln!(out, "        {line}"))?;
    }
    Ok(())
}

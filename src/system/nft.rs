//! Tables of nft(8), each of which is a whole and there or not; and the ruleset of a namespace.
//!
//! What concerns a namespace is done on a thread that is in it: nft(8) is its child.

use super::programs;
use crate::interfaces::diagnostic::{Diagnostic, Source, Span};
use crate::model::{Ruleset, Table, Translation};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Debian's package that has it.
const PACKAGE: &str = "nftables";
/// How nft(8) calls what it is told.
const INPUT: &str = "/dev/stdin:";

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
    let output = run(&["-f", "-"], &text).context("set a table")?;
    if !output.status.success() {
        bail!("nft ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Puts rules in the place of all that the calling thread's namespace has, in one transaction; or removes all.
///
/// # Errors
/// When nft(8) is not installed, or refuses: its mistakes at their places. Then the rules are those of before.
pub fn load(ruleset: Option<&Ruleset>) -> Result<()> {
    let Some(ruleset) = ruleset else {
        let output = run(&["flush", "ruleset"], "")?;
        if !output.status.success() {
            bail!("nft ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        }
        return Ok(());
    };
    let output = run(&["-f", "-"], &ruleset.transaction())?;
    if output.status.success() {
        return Ok(());
    }
    let mistakes = mistakes(ruleset, &output, Ruleset::LINES_BEFORE);
    bail!(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// What nft(8) and the kernel have to say against rules, without loading them into the calling thread's namespace.
///
/// # Errors
/// When nft(8) is not installed, or cannot be run.
pub fn check(ruleset: &Ruleset) -> Result<Vec<Diagnostic>> {
    let output = run(&["--check", "-f", "-"], &ruleset.text())?;
    Ok(if output.status.success() { Vec::new() } else { mistakes(ruleset, &output, 0) })
}

/// Whether a table of family `inet` is there.
pub fn is_there(name: &str) -> bool {
    mark(name).is_some()
}

/// The mark of a table of family `inet` in the calling thread's namespace: empty for one without; none if it is not there.
pub fn mark(name: &str) -> Option<String> {
    programs::find("nft")?;
    let output = run(&["-t", "list", "table", "inet", name], "").ok().filter(|output| output.status.success())?;
    Some(Table::mark_in(&String::from_utf8_lossy(&output.stdout)))
}

/// How many connections each translation of a table of family `inet` was done for since that was loaded, by its number: NAT chains see
/// the first packet of a connection alone. None where nft(8) does not tell.
pub fn connections(name: &str) -> Option<BTreeMap<usize, u64>> {
    let output = run(&["-j", "list", "table", "inet", name], "").ok().filter(|output| output.status.success())?;
    serde_json::from_slice(&output.stdout).ok().map(|listed| counted(&listed))
}

fn counted(listed: &Value) -> BTreeMap<usize, u64> {
    let mut counted = BTreeMap::new();
    let rules = listed["nftables"].as_array().into_iter().flatten().filter_map(|object| object.get("rule"));
    for rule in rules {
        let Some(number) = rule["comment"].as_str().and_then(Translation::number) else { continue };
        let counters = rule["expr"].as_array().into_iter().flatten().filter_map(|e| e["counter"]["packets"].as_u64());
        let sum: &mut u64 = counted.entry(number).or_default();
        *sum = counters.fold(*sum, u64::saturating_add);
    }
    counted
}

/// The chains of the calling thread's namespace that drop what is forwarded and what they do not know, as `CHAIN of table FAMILY NAME`.
pub fn forward_drops() -> Vec<String> {
    let listed = run(&["-t", "list", "chains"], "").map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    dropping(&listed.unwrap_or_default())
}

fn dropping(listed: &str) -> Vec<String> {
    let (mut table, mut chain, mut found) = (String::new(), String::new(), Vec::new());
    for line in listed.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("table ") {
            name.trim_end_matches(" {").clone_into(&mut table);
        } else if let Some(name) = line.strip_prefix("chain ") {
            name.trim_end_matches(" {").clone_into(&mut chain);
        } else if line.contains(" hook forward ") && line.contains("policy drop;") && !table.starts_with("bridge ") {
            found.push(format!("{chain} of table {table}"));
        }
    }
    found
}

fn run(arguments: &[&str], input: &str) -> Result<Output> {
    let program = programs::find("nft").with_context(|| format!("nft is not installed (apt install {PACKAGE})"))?;
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", programs::PATH)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("start nft")?;
    if let Some(mut stdin) = child.stdin.take() {
        // It reads all before it says anything, unless it does not read at all.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output().context("wait for nft")
}

/// What nft(8) said, at the places in the files. `before` is the number of lines that came before those of the rules.
fn mistakes(ruleset: &Ruleset, output: &Output, before: u32) -> Vec<Diagnostic> {
    let said = String::from_utf8_lossy(&output.stderr);
    let found: Vec<Diagnostic> = said.lines().filter_map(|line| mistake(ruleset, line, before)).collect();
    if !found.is_empty() {
        return found;
    }
    let file = ruleset.parts.first().map(|part| part.path().display().to_string()).unwrap_or_default();
    vec![Diagnostic::error_without_place(format!("{file}: nft ended with {}: {}", output.status, said.trim()))]
}

/// `/dev/stdin:LINE:FIRST-LAST: Error: WHAT`; columns are bytes from 1.
fn mistake(ruleset: &Ruleset, line: &str, before: u32) -> Option<Diagnostic> {
    let mut parts = line.strip_prefix(INPUT)?.splitn(3, ':');
    let number: u32 = parts.next()?.parse().ok()?;
    let (first, last) = parts.next()?.split_once('-')?;
    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    let what = parts.next()?.trim().strip_prefix("Error: ")?;
    let (part, number) = ruleset.place(number.saturating_sub(before))?;
    let source = Source::new(part.path(), part.in_place());
    let length = u32::try_from(source.line(number).len()).unwrap_or(u32::MAX);
    // A file's end, and a line's, is after its last byte.
    let start = first.saturating_sub(1).min(length);
    let len = last.saturating_sub(first.saturating_sub(1)).min(length - start).max(1);
    Some(Diagnostic::error(&Span { source, line: number, start, len }, format!("nft: {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RulesetPart;

    #[test]
    fn chains_that_drop_are_found() {
        let listed = "table ip filter {\n\tchain FORWARD {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n\
                      \tchain X {\n\t}\n}\ntable inet a {\n\tchain f {\n\t\ttype filter hook forward priority 0; policy accept;\n";
        assert_eq!(dropping(listed), ["FORWARD of table ip filter"]);
    }

    #[test]
    fn counters_are_added_up_by_their_comments() {
        let rule = |comment: &str, packets: u64| {
            serde_json::json!({ "rule": {
            "comment": comment, "expr": [{ "match": {} }, { "counter": { "packets": packets, "bytes": 1 } }, { "dnat": {} }] } })
        };
        let others = serde_json::json!({ "rule": { "expr": [{ "counter": { "packets": 9 } }] } });
        let all = [
            serde_json::json!({ "table": {} }),
            rule("0 publish web", 2),
            rule("1 snat", 5),
            rule("0 publish web", 3),
            others,
        ];
        let listed = serde_json::json!({ "nftables": all });
        assert_eq!(counted(&listed), [(0, 5), (1, 5)].into());
        assert_eq!(counted(&serde_json::json!([])), BTreeMap::new());
    }

    #[test]
    fn what_nft_says_is_told_at_its_place() {
        let part = |file: &str, line, text: &str| RulesetPart { file: file.into(), line, text: text.into() };
        let parts = vec![part("/n", 1, "table inet a {\n"), part("/i", 3, "\tacept\n"), part("/n", 3, "}\n")];
        let ruleset = Ruleset { parts };
        let told = |line: &str| mistake(&ruleset, line, 1).map(|d| d.to_string());
        let text = told("/dev/stdin:3:2-6: Error: syntax error, unexpected string").unwrap();
        assert!(text.starts_with("/i:3:2: error: nft: syntax error, unexpected string\n"), "{text}");
        assert!(text.ends_with("^~~~~"), "{text}");
        assert!(told("/dev/stdin:9:1-1: Error: x").unwrap().starts_with("/n:3:"));
        for other in ["\tacept", "/dev/stdin:3", "/dev/stdin:3:2-6: Warning: x", "/dev/stdin:a:b-c: Error: x"] {
            assert_eq!(told(other), None, "{other}");
        }
    }
}

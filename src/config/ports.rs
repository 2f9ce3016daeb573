//! Which links a bridge or bond has for ports: the words of `bridge_ports` (bridge-utils-interfaces(5)) and `bond-slaves`.

use super::inherit::Settled;
use super::regex::Regex;
use super::report::Report;
use super::value::{Part, words};

/// How many expressions one namespace may have: each is held against every link of the machine.
pub(super) const MAX_PATTERNS: usize = 100;

/// What `all` stands for on a bridge, and on a bond.
const ALL_OF_A_BRIDGE: &str = "eth.*|em.*|en.*|p[0-9].*";
const ALL_OF_A_BOND: &str = "eth.*";

/// A word that names ports.
pub(super) enum Wanted<'a> {
    /// One link.
    Link(Part<'a>),
    /// Every link whose name matches.
    Matching(Regex, Part<'a>),
}

/// The ports of a bridge. The first word after `regex` and those up to `noregex` are expressions.
pub(super) fn of_bridge<'a>(settled: &[Settled<'a>], report: &mut Report) -> Vec<Wanted<'a>> {
    let mut all = Vec::new();
    for settled in settled {
        let words: Vec<Part<'a>> = settled.all_named("bridge-ports").flat_map(words).collect();
        if matches!(words[..], [only] if only.text == "none") {
            continue;
        }
        let mut expressions = false;
        for word in words {
            match word.text {
                "regex" => expressions = true,
                "noregex" => expressions = false,
                "all" => {
                    all.extend(matching(ALL_OF_A_BRIDGE, word, report));
                    expressions = false;
                }
                text if expressions => all.extend(matching(text, word, report)),
                _ => all.push(Wanted::Link(word)),
            }
        }
    }
    all
}

/// The slaves of a bond.
pub(super) fn of_bond<'a>(settled: &[Settled<'a>], report: &mut Report) -> Vec<Wanted<'a>> {
    let mut all = Vec::new();
    for settled in settled {
        let words: Vec<Part<'a>> = settled.all_named("bond-slaves").flat_map(words).collect();
        match words[..] {
            [only] if only.text == "none" => {}
            [only] if only.text == "all" => all.extend(matching(ALL_OF_A_BOND, only, report)),
            _ => all.extend(words.into_iter().map(Wanted::Link)),
        }
    }
    all
}

fn matching<'a>(text: &str, word: Part<'a>, report: &mut Report) -> Option<Wanted<'a>> {
    let regex = Regex::parse(text).map_err(|why| word.error(why));
    report.take(regex).map(|regex| Wanted::Matching(regex, word))
}

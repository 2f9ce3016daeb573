//! Which links a bridge or bond has for ports: the words of `bridge_ports` (bridge-utils-interfaces(5)) and `bond-slaves`.

use super::inherit::Settled;
use super::regex::Regex;
use super::report::Report;
use super::value::{Part, words};
use crate::model::LinkName;

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
    Matching(Expression, Part<'a>),
}

/// What names are held against.
pub(super) enum Expression {
    Regex(Regex),
    /// `swp1-52.100` of ifupdown2.
    Range {
        before: String,
        low: u32,
        high: u32,
        after: String,
    },
}

impl Expression {
    /// Whether a whole name matches.
    pub fn matches(&self, name: LinkName) -> bool {
        match self {
            Self::Regex(regex) => regex.matches(name),
            Self::Range { before, low, high, after } => {
                let middle =
                    name.as_str().strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(after.as_str()));
                let plain = |digits: &&str| {
                    digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits.len() == 1 || !digits.starts_with('0'))
                };
                let digits = middle.filter(plain);
                digits.and_then(|digits| digits.parse().ok()).is_some_and(|number| (*low..=*high).contains(&number))
            }
        }
    }
}

/// The ports of a bridge. Words between `regex` and `noregex` are expressions, those between
/// `glob` and `noglob` ranges (ifupdown2).
pub(super) fn of_bridge<'a>(settled: &[Settled<'a>], report: &mut Report) -> Vec<Wanted<'a>> {
    let mut all = Vec::new();
    for settled in settled {
        let words: Vec<Part<'a>> = settled.all_named("bridge-ports").flat_map(words).collect();
        if matches!(words[..], [only] if only.text == "none") {
            continue;
        }
        let mut mode = Mode::Names;
        for word in words {
            match word.text {
                "regex" => mode = Mode::Regexes,
                "glob" => mode = Mode::Ranges,
                "noregex" | "noglob" => mode = Mode::Names,
                "all" => {
                    all.extend(matching(ALL_OF_A_BRIDGE, word, report));
                    mode = Mode::Names;
                }
                text if mode == Mode::Regexes => all.extend(matching(text, word, report)),
                text if mode == Mode::Ranges => {
                    all.push(range(text).map_or(Wanted::Link(word), |range| Wanted::Matching(range, word)));
                }
                _ => all.push(Wanted::Link(word)),
            }
        }
    }
    all
}

/// What words mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Names,
    Regexes,
    Ranges,
}

/// `BEFORElow-highAFTER`
fn range(text: &str) -> Option<Expression> {
    let (head, tail) = text.split_once('-')?;
    let before = head.trim_end_matches(|c: char| c.is_ascii_digit());
    let after = tail.trim_start_matches(|c: char| c.is_ascii_digit());
    let low = head.get(before.len()..)?.parse().ok()?;
    let high = tail.get(..tail.len() - after.len())?.parse().ok()?;
    Some(Expression::Range { before: before.to_owned(), low, high, after: after.to_owned() })
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
    report.take(regex).map(|regex| Wanted::Matching(Expression::Regex(regex), word))
}

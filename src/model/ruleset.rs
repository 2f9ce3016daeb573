//! Rules of nft(8): the ruleset of a namespace, and tables of ours on the host.
//!
//! What the kernel shows of rules is not what was loaded: names have become numbers, sets have grown. So what is loaded carries a mark,
//! a digest of its text as the comment of a table, by which it is known again.

use serde::{Deserialize, Serialize};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

/// The table that bears the mark of a namespace's ruleset, of family `inet`; there is nothing else in it.
pub const MARK_TABLE: &str = "systemd-netns";

/// All rules of a namespace, as its file says them with what that includes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Ruleset {
    /// Pieces of files in the order in which nft(8) reads them.
    pub parts: Vec<RulesetPart>,
}

/// Lines in a row of one file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RulesetPart {
    /// The file, as the user knows it.
    pub file: PathBuf,
    /// The number of the first line, counted from 1.
    pub line: u32,
    /// The lines, each with its newline.
    pub text: String,
}

impl Ruleset {
    /// The text for nft(8).
    pub fn text(&self) -> String {
        self.parts.iter().map(|part| part.text.as_str()).collect()
    }

    /// What it is known by.
    pub fn mark(&self) -> String {
        mark(&self.text())
    }

    /// The part that a line of [`Self::text`], counted from 1, is of, and its number there; the last line for one beyond.
    pub fn place(&self, line: u32) -> Option<(&RulesetPart, u32)> {
        let mut before = 0;
        for part in &self.parts {
            let lines = part.lines();
            if line <= before + lines {
                return Some((part, part.line + line.saturating_sub(before + 1)));
            }
            before += lines;
        }
        let last = self.parts.last()?;
        Some((last, last.line + last.lines().saturating_sub(1)))
    }

    /// What replaces all rules of a namespace in one transaction.
    pub fn transaction(&self) -> String {
        // The mark is last: files may begin with `flush ruleset` themselves.
        format!("flush ruleset\n{}table inet {MARK_TABLE} {{\n\tcomment \"{}\"\n}}\n", self.text(), self.mark())
    }

    /// How many lines of [`Self::transaction`] come before those of the text.
    pub const LINES_BEFORE: u32 = 1;
}

impl RulesetPart {
    fn lines(&self) -> u32 {
        u32::try_from(self.text.lines().count()).unwrap_or(u32::MAX)
    }

    /// Its lines at their numbers, as the text of a file of nothing else.
    pub fn in_place(&self) -> String {
        format!("{}{}", "\n".repeat(self.line.saturating_sub(1) as usize), self.text)
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.file
    }
}

/// A table of ours on the host, of family `inet`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its chains.
    pub chains: String,
    /// What it is for. Rules that do a part of it bear its number ([`Translation::comment`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub translations: Vec<Translation>,
}

/// What a section of a `nat` file asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Translation {
    /// `publish`, `masquerade` or `snat`.
    pub section: String,
    /// The section's own name; empty for one without.
    pub name: String,
    /// What is translated to what, in words.
    pub what: String,
}

impl Translation {
    /// How much of a name a comment holds: nft(8) takes 127 bytes in all.
    const LONGEST: usize = 64;

    /// The comment of its rules: its number in [`Table::translations`], and its name for people.
    pub fn comment(&self, number: usize) -> String {
        let plain = |c: char| if c.is_ascii_graphic() && !['"', '\\'].contains(&c) { c } else { '_' };
        let name: String = self.name.chars().take(Self::LONGEST).map(plain).collect();
        format!("{number} {} {name}", self.section).trim_end().to_owned()
    }

    /// The number in such a comment.
    pub fn number(comment: &str) -> Option<usize> {
        comment.split(' ').next()?.parse().ok()
    }
}

impl Table {
    /// What it is known by.
    pub fn mark(&self) -> String {
        mark(&self.chains)
    }

    /// What is between its braces: the mark, then the chains.
    pub fn content(&self) -> String {
        format!("\tcomment \"{}\"\n{}", self.mark(), self.chains)
    }

    /// The mark in such a content, or in what nft(8) lists; empty where there is none.
    pub fn mark_in(content: &str) -> String {
        let marked = content.lines().find_map(|line| line.trim().strip_prefix("comment \"")?.strip_suffix('"'));
        marked.unwrap_or_default().to_owned()
    }
}

/// Not against forgery: who can load rules is root.
fn mark(text: &str) -> String {
    let mut hasher = rustc_hash::FxHasher::default();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(file: &str, line: u32, text: &str) -> RulesetPart {
        RulesetPart { file: file.into(), line, text: text.into() }
    }

    #[test]
    fn lines_are_found_in_their_files() {
        let parts = vec![part("/a", 1, "1\n2\n"), part("/b", 1, "x\n"), part("/a", 4, "4\n5\n")];
        let ruleset = Ruleset { parts };
        assert_eq!(ruleset.text(), "1\n2\nx\n4\n5\n");
        let place = |line| ruleset.place(line).map(|(part, line)| (part.path().display().to_string(), line));
        let found: Vec<_> = (1..=6).filter_map(place).map(|(file, line)| format!("{file}:{line}")).collect();
        assert_eq!(found, ["/a:1", "/a:2", "/b:1", "/a:4", "/a:5", "/a:5"]);
        assert_eq!(ruleset.parts[2].in_place().lines().nth(3), Some("4"));
    }

    #[test]
    fn a_mark_is_read_back() {
        let table = Table { name: "t".into(), chains: "\tchain a {\n\t}\n".into(), translations: Vec::new() };
        assert_eq!(Table::mark_in(&table.content()), table.mark());
        assert_eq!(Table::mark_in(&table.chains), "");
    }
    #[test]
    fn a_comment_has_the_number_and_what_nft_can_hold() {
        let of =
            |name: &str| Translation { section: "publish".into(), name: name.into(), what: String::new() }.comment(7);
        assert_eq!(of("web"), "7 publish web");
        assert_eq!(of(""), "7 publish");
        assert_eq!(of("a\"b\\c ü"), "7 publish a_b_c__");
        assert!(of(&"x".repeat(500)).len() < 128);
        assert_eq!(Translation::number(&of("web")), Some(7));
        assert_eq!(Translation::number("a table of somebody's"), None);
    }
}

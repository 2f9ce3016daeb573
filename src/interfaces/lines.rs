//! Logical lines: comments and blank lines dropped, continuation lines joined, every byte still with its place.
//!
//! A line is a comment only when its first non-blank is `#`, and a comment never continues. A `\` as the very last
//! byte joins the next line verbatim, even if that one begins with `#`. White space is what isspace(3) says, so that
//! the carriage returns of CRLF files vanish with the rest of a line's end.
//!
//! This module knows no keyword.

use super::MAX_LINE;
use super::diagnostic::{Source, Span, Word};
use std::borrow::Cow;
use std::sync::Arc;

/// White space as isspace(3) has it in the C locale; the vertical tab is what Rust's own test leaves out.
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// How many characters of a word messages show.
const SHOWN: usize = 40;

/// The logical lines of a source.
pub(super) struct Lines<'a> {
    source: &'a Arc<Source>,
    rest: Option<&'a str>,
    number: u32,
}

/// One logical line; it holds at least one word.
pub(super) struct Line<'a> {
    source: &'a Arc<Source>,
    /// The physical line, or several joined.
    text: Cow<'a, str>,
    /// The part of `text` that is left when white space at both ends is trimmed.
    begin: usize,
    end: usize,
    /// The number of the first physical line.
    number: u32,
    /// Where in `text` each further physical line begins: offset and number.
    joints: Vec<(usize, u32)>,
    /// The line is longer than [`MAX_LINE`], and its text may be cut.
    pub too_long: bool,
    /// The line ends in a backslash that continues nothing, because white space follows it.
    pub stray_backslash: bool,
}

/// A word of a line, or the rest of a line, with its place.
#[derive(Clone, Copy)]
pub(super) struct Token<'l> {
    line: &'l Line<'l>,
    start: usize,
    /// What is written.
    pub text: &'l str,
}

/// Takes the words of a line one by one.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'l> {
    line: &'l Line<'l>,
    at: usize,
}

impl<'a> Lines<'a> {
    /// The lines of `source`.
    pub fn new(source: &'a Arc<Source>) -> Self {
        Self { source, rest: Some(source.text()), number: 0 }
    }

    /// The next physical line without its newline.
    fn physical(&mut self) -> Option<&'a str> {
        let rest = self.rest?;
        self.number += 1;
        let (line, rest) = rest.split_once('\n').map_or((rest, None), |(line, rest)| (line, Some(rest)));
        self.rest = rest;
        Some(line)
    }

    /// Joins `first`, which ends in a backslash, with the lines after it.
    fn join(&mut self, first: &str) -> (String, Vec<(usize, u32)>) {
        let mut text = String::new();
        let mut joints = Vec::new();
        let mut piece = first;
        loop {
            let body = piece.strip_suffix('\\');
            // Beyond the limit lines are still taken, so that they are not read as lines of their own.
            if text.len() <= MAX_LINE {
                text.push_str(body.unwrap_or(piece));
            }
            if body.is_none() {
                break;
            }
            let Some(next) = self.physical() else {
                // ifupdown drops every backslash that stands before the end of the file.
                text.truncate(text.trim_end_matches('\\').len());
                break;
            };
            joints.push((text.len(), self.number));
            piece = next;
        }
        (text, joints)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        loop {
            let raw = self.physical()?;
            match raw.bytes().find(|&byte| !is_space(byte)) {
                None | Some(b'#') => continue,
                Some(_) => {}
            }
            let number = self.number;
            let (text, joints) = if raw.ends_with('\\') {
                let (text, joints) = self.join(raw);
                (Cow::Owned(text), joints)
            } else {
                (Cow::Borrowed(raw), Vec::new())
            };
            let bytes = text.as_bytes();
            let Some(begin) = bytes.iter().position(|&byte| !is_space(byte)) else { continue };
            let end = bytes.iter().rposition(|&byte| !is_space(byte)).map_or(begin, |last| last + 1);
            let stray_backslash = end < bytes.len() && bytes.get(end - 1) == Some(&b'\\');
            let too_long = end - begin > MAX_LINE;
            return Some(Line { source: self.source, text, begin, end, number, joints, too_long, stray_backslash });
        }
    }
}

impl Line<'_> {
    /// A cursor before the first word.
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor { line: self, at: self.begin }
    }

    /// The place of a part of the text, cut where its physical line ends.
    fn span(&self, start: usize, len: usize) -> Span {
        let joint = self.joints.partition_point(|&(at, _)| at <= start);
        let (at, line) = joint.checked_sub(1).map_or((0, self.number), |last| self.joints[last]);
        let piece_end = self.joints.get(joint).map_or(self.text.len(), |&(at, _)| at);
        let len = len.min(piece_end.saturating_sub(start));
        Span { source: Arc::clone(self.source), line, start: (start - at) as u32, len: len as u32 }
    }
}

impl<'l> Cursor<'l> {
    /// The next word.
    pub fn word(&mut self) -> Option<Token<'l>> {
        let line = self.line;
        let left = line.text.as_bytes().get(self.at..line.end)?;
        let start = self.at + left.iter().position(|&byte| !is_space(byte))?;
        let left = &line.text.as_bytes()[start..line.end];
        let end = start + left.iter().position(|&byte| is_space(byte)).unwrap_or(left.len());
        self.at = end;
        Some(Token { line, start, text: line.text.get(start..end)? })
    }

    /// All that is left, without leading white space.
    pub fn rest(mut self) -> Option<Token<'l>> {
        let first = self.word()?;
        Some(Token { text: self.line.text.get(first.start..self.line.end)?, ..first })
    }
}

impl Token<'_> {
    /// Where it is.
    pub fn span(&self) -> Span {
        self.line.span(self.start, self.text.len())
    }

    /// The place of a part of it.
    pub fn part(&self, start: usize, len: usize) -> Span {
        self.line.span(self.start + start, len)
    }

    /// Its text for a message, which a very long one would hide.
    pub fn shown(&self) -> String {
        match self.text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &self.text[..end]),
            None => self.text.to_owned(),
        }
    }

    /// Its text and place.
    pub fn word(&self) -> Word {
        Word { value: self.text.to_owned(), span: self.span() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(String, String)> {
        let source = Source::new("f", text);
        let mut out = Vec::new();
        for line in Lines::new(&source) {
            let mut cursor = line.cursor();
            while let Some(token) = cursor.word() {
                out.push((token.text.to_owned(), format!("{:?}", token.span())));
            }
        }
        out
    }

    fn texts(text: &str) -> Vec<String> {
        words(text).into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn words_know_their_places() {
        let found = words("\n  # no\n\tä b\r\nc");
        let expected = [("ä", "f:3:2+2"), ("b", "f:3:4+1"), ("c", "f:4:1+1")];
        assert_eq!(found, expected.map(|(text, place)| (text.to_owned(), place.to_owned())));
    }

    #[test]
    fn words_of_continued_lines_know_their_places() {
        let found = words("  a b\\\nc \\\n  # d\ne");
        let expected = [("a", "f:1:3+1"), ("bc", "f:1:5+1"), ("#", "f:3:3+1"), ("d", "f:3:5+1"), ("e", "f:4:1+1")];
        assert_eq!(found, expected.map(|(text, place)| (text.to_owned(), place.to_owned())));
    }

    #[test]
    fn a_comment_does_not_swallow_the_next_line() {
        assert_eq!(texts("# a \\\nb"), ["b"]);
    }

    #[test]
    fn backslashes_before_the_end_of_the_file_vanish() {
        assert_eq!(texts("a\\\\"), ["a"]);
        assert_eq!(texts("a b\\\n"), ["a", "b"]);
        assert_eq!(texts("\\"), Vec::<String>::new());
    }

    #[test]
    fn a_backslash_before_a_blank_continues_nothing() {
        let source = Source::new("f", "a\\ \nb\\\r\nc");
        let stray: Vec<bool> = Lines::new(&source).map(|line| line.stray_backslash).collect();
        assert_eq!(stray, [true, true, false]);
    }
}

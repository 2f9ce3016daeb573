//! What is wrong with a line, and where.

use std::fmt;

/// What is wrong with a line of text, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mistake {
    /// Where it begins, in bytes from the line's beginning; at most the line's length.
    pub at: usize,
    /// How many bytes it has; 0 where something is missing.
    pub len: usize,
    /// What it is, one sentence without its full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Mistake {
    /// A mistake at a word.
    pub fn new(word: Word<'_>, message: impl Into<String>) -> Self {
        Self { at: word.at, len: word.text.len(), message: message.into(), help: None }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.help.iter().try_for_each(|help| write!(f, " ({help})"))
    }
}

impl std::error::Error for Mistake {}

/// A word of a line, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'a> {
    /// Where it begins, in bytes from the line's beginning.
    pub at: usize,
    /// The word; empty at the line's end.
    pub text: &'a str,
}

impl<'a> Word<'a> {
    /// The parts between `separator`, each with its place.
    pub fn split(self, separator: char) -> impl Iterator<Item = Word<'a>> {
        self.text.split(separator).map(move |part| self.part(part))
    }

    /// The parts before and after the first `separator`.
    pub fn split_once(self, separator: char) -> Option<(Word<'a>, Word<'a>)> {
        let (before, after) = self.text.split_once(separator)?;
        Some((self.part(before), Word { at: self.at + before.len() + separator.len_utf8(), text: after }))
    }

    /// A part of it, which must be a slice of its text.
    fn part(self, part: &'a str) -> Word<'a> {
        Word { at: self.at + (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize), text: part }
    }
}

/// The words of a line, between blanks.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    /// Of this line.
    pub const fn new(line: &'a str) -> Self {
        Self { line, at: 0 }
    }

    /// Where the next word would stand, if there is none.
    pub const fn end(&self) -> Word<'a> {
        Word { at: self.line.len(), text: "" }
    }

    /// The next word, left where it is.
    pub fn peek(&self) -> Option<Word<'a>> {
        self.clone().next()
    }

    /// The next word, or what is wrong when there is none.
    ///
    /// # Errors
    /// When the line ends.
    pub fn expect(&mut self, what: &str) -> Result<Word<'a>, Mistake> {
        let end = self.end();
        self.next().ok_or_else(|| Mistake::new(end, format!("{what} is missing")))
    }

    /// That no word is left.
    ///
    /// # Errors
    /// When there is one.
    pub fn finish(&mut self) -> Result<(), Mistake> {
        let unknown = |word: Word<'_>| Mistake::new(word, "nothing may follow here");
        self.next().map_or(Ok(()), |word| Err(unknown(word)))
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let rest = self.line.get(self.at..)?;
        let text = rest.split_ascii_whitespace().next()?;
        let at = self.at + (text.as_ptr() as usize).saturating_sub(rest.as_ptr() as usize);
        self.at = at + text.len();
        Some(Word { at, text })
    }
}

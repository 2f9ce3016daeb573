//! What is wrong with a text, and where: file, line, column and the line itself under a caret.
//!
//! A parser never fails. It returns what it understood together with diagnostics, so that all mistakes
//! of all files reach the user at once. This module knows texts and positions, and nothing of networking.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A text that diagnostics point into, with the path that the user knows it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// A source with the path to show and its whole text.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { path: path.into(), text: text.into() })
    }

    /// The path as the user knows it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The `number`th line, counted from 1, without its newline; empty when there is none.
    pub fn line(&self, number: u32) -> &str {
        self.text.lines().nth(number.saturating_sub(1) as usize).unwrap_or("")
    }
}

/// A place in a source.
#[derive(Clone, PartialEq, Eq)]
pub struct Span {
    /// The text.
    pub source: Arc<Source>,
    /// The line, counted from 1.
    pub line: u32,
    /// The byte offset in the line, counted from 0.
    pub start: u32,
    /// The length in bytes; a span never leaves its line.
    pub len: u32,
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}+{}", self.len)
    }
}

impl fmt::Display for Span {
    /// `file:line:column`, the column counted in characters from 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.source.line(self.line);
        let column = line.get(..self.start as usize).map_or(self.start as usize, |s| s.chars().count());
        write!(f, "{}:{}:{}", self.source.path().display(), self.line, column + 1)
    }
}

/// A value together with the place where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// The place.
    pub span: Span,
}

/// A word of a text.
pub type Word = Spanned<String>;

impl AsRef<str> for Word {
    fn as_ref(&self) -> &str {
        &self.value
    }
}

impl<T> Spanned<T> {
    /// Another value at the same place.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: f(self.value), span: self.span }
    }
}

impl Word {
    /// The word's text.
    pub fn as_str(&self) -> &str {
        &self.value
    }

    /// The place of a part of the word, by byte offset and length; it ends where its line ends.
    ///
    /// A value with continuation lines was joined from the source verbatim, without each `\` and its newline, so the
    /// place is found by counting along the lines. A value that is not what the source says at its place gives the
    /// place of the whole.
    pub fn part(&self, offset: usize, len: usize) -> Span {
        let piece = |line: u32, start: usize, left: usize| Span {
            source: Arc::clone(&self.span.source),
            line,
            start: start as u32,
            len: len.min(left) as u32,
        };
        let (first, start) = (self.span.len as usize, self.span.start as usize);
        if offset < first || first == self.value.len() {
            return piece(self.span.line, start + offset, first.saturating_sub(offset));
        }
        let mut offset = offset - first;
        for (number, line) in (1..).zip(self.span.source.text().split('\n')).skip(self.span.line as usize) {
            let body = line.strip_suffix('\\');
            let here = body.unwrap_or(line).len();
            if offset < here {
                return piece(number, offset, here - offset);
            }
            if body.is_none() {
                break;
            }
            offset -= here;
        }
        self.span.clone()
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file is legal; the user may have meant something else.
    Warning,
    /// Nothing is applied while this stands.
    Error,
}

/// One thing to say about a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: one sentence without a final stop.
    pub message: String,
    /// Where; none when it is about a whole file or machine.
    pub span: Option<Span>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(span: &Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), span: Some(span.clone()), help: None }
    }

    /// A warning at a place.
    pub fn warning(span: &Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, message: message.into(), span: Some(span.clone()), help: None }
    }

    /// An error that has no place in a text, such as an unreadable file.
    pub fn error_without_place(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), span: None, help: None }
    }

    /// A warning that has no place in a text.
    pub fn warning_without_place(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, message: message.into(), span: None, help: None }
    }

    /// The same with a hint.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    /// Compiler style, as `cc` and `systemd-analyze verify` have it:
    ///
    /// ```text
    /// /etc/netns/nginx/network/interfaces:3:10: error: not an address: "10.0.0.300"
    ///     address 10.0.0.300/24
    ///             ^~~~~~~~~~~~~
    ///     help: …
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        match &self.span {
            None => write_printable(f, format_args!("{severity}: {}", self.message))?,
            Some(span) => {
                write_printable(f, format_args!("{span}: {severity}: {}", self.message))?;
                write_excerpt(f, span)?;
            }
        }
        if let Some(help) = &self.help {
            f.write_str("\n    ")?;
            write_printable(f, format_args!("help: {help}"))?;
        }
        Ok(())
    }
}

/// Writes on one line, control characters escaped: words and paths of a configuration must not reach a terminal as
/// commands.
fn write_printable(f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>) -> fmt::Result {
    text.to_string()
        .chars()
        .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { f.write_char(c) })
}

/// How much of a long line is shown on either side of the caret, in characters.
const EXCERPT: usize = 60;

fn write_excerpt(f: &mut fmt::Formatter<'_>, span: &Span) -> fmt::Result {
    let line = span.source.line(span.line);
    let (Some(before), Some(rest)) = (line.get(..span.start as usize), line.get(span.start as usize..)) else {
        return Ok(());
    };
    let show = |c: char| if c == '\t' || c.is_control() { ' ' } else { c };
    let before: Vec<char> = before.trim_start().chars().map(show).collect();
    let skipped = before.len().saturating_sub(EXCERPT);
    let marked = rest.get(..span.len as usize).unwrap_or(rest).chars().count();
    let lead: String = before[skipped..].iter().collect();
    let tail: String = rest.trim_end().chars().map(show).take(EXCERPT).collect();
    let (open, close) = (if skipped > 0 { "…" } else { "" }, if rest.chars().count() > EXCERPT { "…" } else { "" });
    write!(f, "\n    {open}{lead}{tail}{close}")?;
    let indent = open.chars().count() + lead.chars().count();
    let waves = marked.clamp(1, EXCERPT) - 1;
    write!(f, "\n    {}^{}", " ".repeat(indent), "~".repeat(waves))
}

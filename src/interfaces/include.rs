//! `source` and `source-directory`: which files, in which order, and each only once.
//!
//! A file that is missing is skipped, as ifupdown does, since packages come and go. One that is there and cannot be
//! read is an error. A path is read once in a run; a file that leads back to itself is an error, whose help shows the
//! way round.

use super::diagnostic::{Diagnostic, Source, Span};
use super::lines::{Cursor, Token, is_space};
use super::parse::{Block, Parser};
use super::{Files, MAX_DEPTH, MAX_FILE, MAX_FILES, words};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files of a run.
pub(super) struct Includes<'f> {
    files: Option<&'f dyn Files>,
    /// The files that are being read, the innermost last.
    open: Vec<Open>,
    seen: BTreeSet<PathBuf>,
    read: Vec<PathBuf>,
    missing: bool,
    /// [`MAX_FILES`] was reported.
    full: bool,
}

struct Open {
    /// The path as written, completed by the directory of the file that names it.
    path: PathBuf,
    /// Where it really is.
    place: PathBuf,
    /// The word that names it; none for the main file.
    named: Option<Span>,
}

impl<'f> Includes<'f> {
    pub fn new(files: Option<&'f dyn Files>) -> Self {
        let (seen, read) = (BTreeSet::new(), Vec::new());
        Self { files, open: Vec::new(), seen, read, missing: false, full: false }
    }

    /// The files that were read, and whether the main file was missing.
    pub fn finish(self) -> (Vec<PathBuf>, bool) {
        (self.read, self.missing)
    }

    /// The directory of the file that is being read.
    fn directory(&self) -> PathBuf {
        self.open.last().and_then(|open| open.path.parent()).map(Path::to_owned).unwrap_or_default()
    }

    /// How the file at `place` came to be read, and from where it is to be read again.
    fn way_round(&self, place: &Path, named: &Span) -> Option<String> {
        let first = self.open.iter().position(|open| open.place == place)?;
        let again = self.open.get(first + 1..)?.iter().filter_map(|open| open.named.as_ref()).chain([named]);
        let steps: String = again.map(|span| format!("{}:{} → ", span.source.path().display(), span.line)).collect();
        Some(steps + &place.display().to_string())
    }
}

impl Parser<'_> {
    /// Reads the file that everything begins with.
    pub fn main_file(&mut self, path: &Path) {
        let Some(files) = self.includes.files else { return };
        let place = files.place(path);
        match files.read(path, MAX_FILE + 1) {
            Ok(bytes) => self.content(Open { path: path.to_owned(), place, named: None }, &bytes),
            Err(error) => {
                self.includes.missing = error.kind() == io::ErrorKind::NotFound;
                self.report.push(Diagnostic::error_without_place(format!("cannot read {}: {error}", place.display())));
            }
        }
    }

    /// `source WORD…`
    pub fn source(&mut self, keyword: Token<'_>, words: Cursor<'_>) {
        for (path, span, literal) in self.paths(keyword, words) {
            match self.includes.files {
                Some(files) if files.is_directory(&path) => {
                    // A wildcard may well match one.
                    if literal {
                        let message = format!("{} is a directory, ignoring", files.place(&path).display());
                        let help = format!("`source-directory` and `source {}/*` read its files", path.display());
                        self.report.push(Diagnostic::warning(&span, message).help(help));
                    }
                }
                _ => self.include(path, span),
            }
        }
    }

    /// `source-directory WORD…`: the files with plain names, sorted by bytes.
    pub fn source_directory(&mut self, keyword: Token<'_>, words: Cursor<'_>) {
        for (directory, span, _) in self.paths(keyword, words) {
            let Some(files) = self.includes.files else { return };
            let mut names = match files.list(&directory) {
                Ok(names) => names,
                Err(error) if is_missing(&error) => continue,
                Err(error) => {
                    self.unreadable(&directory, &span, &error);
                    continue;
                }
            };
            names.retain(|name| name.to_str().is_some_and(is_plain));
            names.sort();
            for path in names.into_iter().map(|name| directory.join(name)) {
                if !files.is_directory(&path) {
                    self.include(path, span.clone());
                }
            }
        }
    }

    /// The paths that the words of a line name, with their places, and whether they are written without wildcards.
    fn paths(&mut self, keyword: Token<'_>, words: Cursor<'_>) -> Vec<(PathBuf, Span, bool)> {
        self.block = Block::Nothing;
        let Some(files) = self.includes.files else {
            let message = format!("`{}` is not followed: this text is no file", keyword.shown());
            self.report.push(Diagnostic::warning(&keyword.span(), message));
            return Vec::new();
        };
        let Some(rest) = words.rest() else {
            let message = format!("`{}` names nothing, ignoring", keyword.shown());
            self.report.push(Diagnostic::warning(&keyword.span(), message));
            return Vec::new();
        };
        let patterns = words::split(rest.text).unwrap_or_else(|refused| {
            let place = rest.part(refused.start, refused.len);
            self.report.push(Diagnostic::error(&place, refused.message).help(refused.help));
            Vec::new()
        });
        let base = self.includes.directory();
        let mut paths = Vec::new();
        for pattern in patterns {
            let span = rest.part(pattern.start, pattern.len);
            if pattern.glob.starts_with('#') {
                self.report.push(super::parse::end_of_line_comment(&rest.part(pattern.start, 1)));
            }
            let literal = super::pattern::Glob::new(&pattern.glob).literal().is_some();
            match files.glob(&base, &pattern.glob) {
                Ok(found) => paths.extend(found.into_iter().map(|path| (path, span.clone(), literal))),
                Err(super::files::TooManyDirectories) => {
                    let message = format!("this would search more than {MAX_FILES} directories");
                    self.report.push(Diagnostic::error(&span, message));
                }
            }
        }
        paths
    }

    /// Reads a file in the place of the line that names it, unless it was read before.
    fn include(&mut self, path: PathBuf, named: Span) {
        let Some(files) = self.includes.files else { return };
        let place = files.place(&path);
        if self.includes.seen.contains(&place) {
            if let Some(way_round) = self.includes.way_round(&place, &named) {
                let message = format!("{} would include itself", place.display());
                self.report.push(Diagnostic::error(&named, message).help(way_round));
            }
            return;
        }
        if self.includes.open.len() >= MAX_DEPTH {
            let message = format!("files include each other more than {MAX_DEPTH} deep");
            return self.report.push(Diagnostic::error(&named, message));
        }
        if self.includes.seen.len() >= MAX_FILES {
            if !std::mem::replace(&mut self.includes.full, true) {
                self.report.push(Diagnostic::error(&named, format!("more than {MAX_FILES} files are sourced")));
            }
            return;
        }
        match files.read(&path, MAX_FILE + 1) {
            Ok(bytes) => self.content(Open { path, place, named: Some(named) }, &bytes),
            Err(error) if is_missing(&error) => {}
            Err(error) => self.unreadable(&path, &named, &error),
        }
    }

    fn unreadable(&mut self, path: &Path, named: &Span, error: &io::Error) {
        let place = self.includes.files.map_or_else(|| path.to_owned(), |files| files.place(path));
        self.report.push(Diagnostic::error(named, format!("cannot read {}: {error}", place.display())));
    }

    /// Reads what a file holds.
    fn content(&mut self, open: Open, bytes: &[u8]) {
        self.includes.seen.insert(open.place.clone());
        self.includes.read.push(open.place.clone());
        if bytes.len() > MAX_FILE {
            let message = format!("{} is larger than {} MiB", open.place.display(), MAX_FILE >> 20);
            let error = Diagnostic::error_without_place(message);
            return self.report.push(Diagnostic { span: open.named, ..error });
        }
        match decode(&open.place, bytes) {
            Ok(source) => {
                self.includes.open.push(open);
                self.text(&source);
                self.includes.open.pop();
            }
            Err(error) => self.report.push(error),
        }
    }
}

/// Whether there is nothing to read, as opposed to something that cannot be.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// `^[A-Za-z0-9_-]+$`, which leaves out what editors and package managers leave behind.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Bytes as text. Comments may be in any encoding, since they are not read; anything else must be UTF-8.
fn decode(place: &Path, bytes: &[u8]) -> Result<Arc<Source>, Diagnostic> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let broken = if let Some(nul) = bytes.iter().position(|&byte| byte == 0) {
        Some((nul, 1, "not a text file: it has a NUL byte"))
    } else if let Err(error) = std::str::from_utf8(bytes) {
        invalid_line(bytes, error.valid_up_to())
            .map(|at| (at, char::REPLACEMENT_CHARACTER.len_utf8() as u32, "not UTF-8"))
    } else {
        None
    };
    let source = Source::new(place, String::from_utf8_lossy(bytes));
    let Some((at, len, message)) = broken else { return Ok(source) };
    let before = bytes.get(..at).unwrap_or_default();
    let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count() as u32;
    // Broken bytes before it, in comments, were replaced by longer ones.
    let start = String::from_utf8_lossy(before.get(line_start..).unwrap_or_default()).len() as u32;
    Err(Diagnostic::error(&Span { source, line, start, len }, message))
}

/// The first byte that is not UTF-8 on a line that is no comment, searched from `from` on.
fn invalid_line(bytes: &[u8], from: usize) -> Option<usize> {
    let mut start = bytes.get(..from)?.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    while let Some(rest) = bytes.get(start..).filter(|rest| !rest.is_empty()) {
        let line = rest.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let continues = start >= 2 && bytes.get(start - 2) == Some(&b'\\');
        let comment = line.iter().find(|&&byte| !is_space(byte)) == Some(&b'#') && !continues;
        if let Err(error) = std::str::from_utf8(line)
            && !comment
        {
            return Some(start + error.valid_up_to());
        }
        start += line.len() + 1;
    }
    None
}

//! INI files: what they say by configparser, and where they say it.
//!
//! The grammar and the values are configparser's: `[SECTION]`, `KEY = VALUE` or `KEY: VALUE`, comments from `#` or `;` to the end
//! of a line, a line that is indented deeper continues the value before it. configparser keeps no places and drops what is said
//! twice, so the lines are walked once more to find both; lines that it would give up at are told and kept from it, so that
//! every mistake of the file is found at once.
//!
//! Must not know: what a section or a key means.

use super::report::Report;
use super::value::shown;
use crate::interfaces::diagnostic::{Diagnostic, Source, Span, Spanned, Word};
use crate::interfaces::{Files, MAX_FILE};
use configparser::ini::{Ini, IniDefault};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// What begins a comment, anywhere in a line.
const COMMENT: [char; 2] = ['#', ';'];

/// A section in the order of the file.
pub(super) struct Section {
    /// Its name, as it is written.
    pub name: Word,
    /// Its keys in the order of the file.
    pub keys: Vec<Key>,
}

/// A key and what follows it.
pub(super) struct Key {
    /// The key, as it is written.
    pub name: Word,
    /// The value; none when there is neither `=` nor `:`.
    pub value: Option<String>,
    /// Where the value stands, line by line.
    lines: Vec<Word>,
}

impl Key {
    /// The value's first line, or the key where there is nothing.
    pub fn span(&self) -> &Span {
        self.lines.iter().find(|line| !line.value.is_empty()).map_or(&self.name.span, |line| &line.span)
    }

    /// The value as one word, with its place.
    pub fn word(&self) -> Word {
        Spanned { value: self.value.as_deref().unwrap_or_default().replace('\n', " "), span: self.span().clone() }
    }

    /// What stands between commas or on lines of its own, each with its place.
    pub fn items(&self) -> Vec<Word> {
        let of_line = |line: &Word| {
            let offset = |part: &str| part.as_ptr() as usize - line.value.as_ptr() as usize;
            let parts = line.value.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(|part| word(&line.span, offset(part), part)).collect::<Vec<_>>()
        };
        self.lines.iter().flat_map(of_line).collect()
    }

    /// Its lines, but for empty ones, each with its place.
    pub fn lines(&self) -> impl Iterator<Item = &Word> {
        self.lines.iter().filter(|line| !line.value.is_empty())
    }

    /// Whether the value goes on beyond its line.
    pub fn goes_on(&self) -> bool {
        self.lines.len() > 1
    }
}

/// A part of what stands at a place, `offset` bytes into it.
pub(super) fn word(span: &Span, offset: usize, text: &str) -> Word {
    let span = Span { start: span.start + offset as u32, len: text.len() as u32, ..span.clone() };
    Spanned { value: text.to_owned(), span }
}

/// The text of a file; none when there is no such file.
pub(super) fn source(access: &dyn Files, path: &Path, report: &mut Report) -> Option<Option<Arc<Source>>> {
    let shown = access.place(path);
    let bytes = match access.read(path, MAX_FILE + 1) {
        Err(e) if e.kind() == ErrorKind::NotFound => return None,
        bytes => bytes,
    };
    let text = bytes.map_err(|e| e.to_string()).and_then(|bytes| match bytes.len() > MAX_FILE {
        true => Err(format!("it is longer than {} MiB", MAX_FILE >> 20)),
        false => String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned()),
    });
    let text = text.map_err(|why| Diagnostic::error_without_place(format!("cannot read {}: {why}", shown.display())));
    Some(report.take(text).map(|text| Source::new(shown, text)))
}

/// Reads a file's sections. What stands before the first one is an error, with `help`; and so is what is said twice.
pub(super) fn parse(source: &Arc<Source>, help: &'static str, report: &mut Report) -> Vec<Section> {
    let mut walk = Walk { help, ..Walk::default() };
    for (number, line) in (1..).zip(source.text().lines()) {
        if let Err(mistake) = walk.line(source, number, line) {
            report.push(mistake);
        } else if !walk.passing {
            walk.kept.push_str(line);
        }
        walk.kept.push('\n');
    }
    let mut defaults = IniDefault::default();
    (defaults.multiline, defaults.case_sensitive) = (true, true);
    // No file can have a section of that name, as its keys were kept from the parser.
    "\n".clone_into(&mut defaults.default_section);
    match Ini::new_from_defaults(defaults).read(walk.kept) {
        Ok(values) => {
            let values = |section: &str, key: &str| values.get(section)?.get(key).cloned().flatten();
            for section in &mut walk.sections {
                for key in &mut section.keys {
                    key.value = values(&section.name.value, &key.name.value);
                }
            }
        }
        // It says a line's number, which is all that is known.
        Err(why) => report.push(Diagnostic::error_without_place(format!("{}: {why}", source.path().display()))),
    }
    walk.sections
}

#[derive(Default)]
struct Walk {
    /// What begins a section in such a file.
    help: &'static str,
    sections: Vec<Section>,
    /// Their names, and where each key of the last one is.
    names: HashMap<String, Span>,
    keys: HashMap<String, Span>,
    /// The last one is there twice, so what is in it does not matter.
    passing: bool,
    /// What configparser is given.
    kept: String,
    /// How deep the last key is indented; none where nothing can be continued.
    indent: Option<usize>,
}

impl Walk {
    fn line(&mut self, source: &Arc<Source>, number: u32, line: &str) -> Result<(), Diagnostic> {
        let indent = line.len() - line.trim_start().len();
        let whole = line[indent..].split(COMMENT).next().unwrap_or_default().trim_end();
        if whole.is_empty() {
            return Ok(());
        }
        let all = Span { source: Arc::clone(source), line: number, start: indent as u32, len: whole.len() as u32 };
        if let Some(rest) = whole.strip_prefix('[') {
            self.indent = None;
            let Some(end) = rest.rfind(']') else {
                return Err(Diagnostic::error(&all, "`[` begins a section's name, which nothing ends")
                    .help(format!("write `{}]`", shown(whole))));
            };
            let name = rest[..end].trim();
            let offset = name.as_ptr() as usize - whole.as_ptr() as usize;
            return self.section(word(&all, offset, name));
        }
        if self.passing {
            return Ok(());
        }
        let Some(section) = self.sections.last_mut() else {
            return Err(Diagnostic::error(&all, "this stands before the first section").help(self.help));
        };
        if self.indent.is_some_and(|before| indent > before)
            && let Some(key) = section.keys.last_mut()
        {
            key.lines.push(word(&all, 0, whole));
            return Ok(());
        }
        self.indent = Some(indent);
        let (name, value) = match whole.split_once(['=', ':']) {
            Some((name, value)) => (name.trim_end(), Some(value.trim())),
            None => (whole, None),
        };
        if name.is_empty() {
            return Err(Diagnostic::error(&all, "there is no key before this"));
        }
        let at = |part: &str| word(&all, part.as_ptr() as usize - whole.as_ptr() as usize, part);
        let key = Key { name: at(name), value: None, lines: value.map(at).into_iter().collect() };
        if let Some(first) = self.keys.get(&name.to_ascii_lowercase()) {
            let message = format!("`{}` is given twice", shown(name));
            return Err(Diagnostic::error(&key.name.span, message).help(format!("first at {first}")));
        }
        self.keys.insert(name.to_ascii_lowercase(), key.name.span.clone());
        section.keys.push(key);
        Ok(())
    }

    fn section(&mut self, name: Word) -> Result<(), Diagnostic> {
        self.keys.clear();
        self.passing = false;
        if let Some(first) = self.names.get(&name.value) {
            self.passing = true;
            let message = format!("section `{}` is there twice", shown(&name.value));
            return Err(Diagnostic::error(&name.span, message).help(format!("the first is at {first}")));
        }
        self.names.insert(name.value.clone(), name.span.clone());
        self.sections.push(Section { name, keys: Vec::new() });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> (Vec<Section>, Vec<String>) {
        let mut report = Report::default();
        let sections = parse(&Source::new("/f", text), "", &mut report);
        (sections, report.finish(&[]).iter().map(|d| d.to_string().lines().next().unwrap().to_owned()).collect())
    }

    #[test]
    fn values_have_their_places() {
        let (sections, said) = read("[ a ]\nK = 1, 2 # x\n      3\n\n[b]\n  k:\n  L\n");
        assert_eq!(said, [""; 0]);
        assert_eq!(sections.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let items: Vec<String> =
            sections[0].keys[0].items().iter().map(|w| format!("{} {}", w.value, w.span)).collect();
        assert_eq!(items, ["1 /f:2:5", "2 /f:2:8", "3 /f:3:7"]);
        assert_eq!(sections[1].keys[0].value.as_deref(), Some(""));
        assert_eq!(sections[1].keys[1].value, None);
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let (_, said) = read("x=1\n[a\n[b]\n=2\nk=1\nK=2\n[b]\n");
        assert_eq!(
            said,
            [
                "/f:1:1: error: this stands before the first section",
                "/f:2:1: error: `[` begins a section's name, which nothing ends",
                "/f:4:1: error: there is no key before this",
                "/f:6:1: error: `K` is given twice",
                "/f:7:2: error: section `b` is there twice",
            ]
        );
    }

    proptest! {
        /// The walk finds what configparser reads: the value's lines are the value.
        #[test]
        fn the_walk_agrees_with_the_parser(text in "([a-c \\[\\]=:;#\t,]{0,8}\n){0,12}") {
            let (sections, said) = read(&text);
            if !said.is_empty() {
                return Ok(());
            }
            for key in sections.iter().flat_map(|s| &s.keys) {
                let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
                let lines: Vec<String> = key.lines.iter().flat_map(|line| words(&line.value)).collect();
                prop_assert_eq!(words(key.value.as_deref().unwrap_or_default()), lines);
            }
        }
    }
}

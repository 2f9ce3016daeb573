//! The keys of a section of an INI file, read by name in any spelling.
//!
//! Unlike in an `xfrm` file, which the Python program read too, a key that nobody knows is an error here: a firewall whose policy was
//! misspelt would let everything pass.

use super::guess;
use super::ini::{self, Key, Section};
use super::report::Report;
use super::value::shown;
use crate::interfaces::diagnostic::{Diagnostic, Span, Spanned, Word};

/// A section, or none where it may be left out.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    section: Option<&'a Section>,
}

impl<'a> Keys<'a> {
    /// The keys of a section; those that are not among `names` are mistakes.
    pub fn new(section: Option<&'a Section>, names: &[&str], report: &mut Report) -> Self {
        for key in section.iter().flat_map(|section| &section.keys) {
            let name = &key.name.value;
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                let message = format!("unknown key `{}`", shown(name));
                report.push(unknown(&key.name, message, names, "keys here are"));
            }
        }
        Self { section }
    }

    /// The key of a name.
    pub fn get(&self, name: &str) -> Option<&'a Key> {
        self.section?.keys.iter().find(|key| key.name.value.eq_ignore_ascii_case(name))
    }

    /// Where a key's value is, if it is there.
    pub fn span(&self, name: &str) -> Option<&'a Span> {
        self.get(name).map(Key::span)
    }

    /// A key with a value of one word.
    pub fn read<T>(&self, name: &str, read: impl Fn(&Word) -> Result<T, Diagnostic>, report: &mut Report) -> Option<T> {
        let key = self.with_value(name, report)?;
        let value = read(&key.word()).map_err(|mistake| match key.goes_on() {
            true => mistake.help("the next line is indented deeper, and so continues this one"),
            false => mistake,
        });
        report.take(value)
    }

    /// A key with values between blanks, commas or on lines of their own. What is wrong is reported and left out.
    pub fn list<T>(
        &self,
        name: &str,
        read: impl Fn(&Word) -> Result<T, Diagnostic>,
        report: &mut Report,
    ) -> Vec<Spanned<T>> {
        let Some(key) = self.with_value(name, report) else { return Vec::new() };
        let words = key.lines().flat_map(words);
        words.filter_map(|word| Some(Spanned { value: report.take(read(&word))?, span: word.span })).collect()
    }

    /// The lines of a key, each of which is one value.
    pub fn lines(&self, name: &str, report: &mut Report) -> Vec<&'a Word> {
        self.with_value(name, report).into_iter().flat_map(Key::lines).collect()
    }

    /// A key that is there with something behind it.
    fn with_value(&self, name: &str, report: &mut Report) -> Option<&'a Key> {
        let key = self.get(name)?;
        if key.lines().next().is_none() {
            report.push(Diagnostic::error(&key.name.span, format!("`{}` has no value", shown(&key.name.value))));
            return None;
        }
        Some(key)
    }
}

/// The words of a line, with their places.
pub(super) fn words(line: &Word) -> Vec<Word> {
    let parts = line.value.split([',', ' ', '\t']).filter(|part| !part.is_empty());
    parts.map(|part| ini::word(&line.span, part.as_ptr() as usize - line.value.as_ptr() as usize, part)).collect()
}

/// A word that is none of those that are known.
pub(super) fn unknown(word: &Word, message: String, known: &[&str], all: &str) -> Diagnostic {
    let error = Diagnostic::error(&word.span, message);
    match guess::nearest(&word.value, known.iter().copied()) {
        Some(guess) => error.help(guess::did_you_mean(guess)),
        None => error.help(format!("{all} {}", known.join(", "))),
    }
}

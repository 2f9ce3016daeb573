//! Options of one link as the values of its kind: each read from the first of the link's stanzas that gives it.

use super::super::inherit::Settled;
use super::super::report::Report;
use super::super::value::{Part, only_word};
use crate::interfaces::diagnostic::Diagnostic;
use crate::interfaces::syntax::Opt;
use crate::model::{LinkOption, LinkOptions, LinkValue, VirtualKind};

/// Reads options by their names in the table, and keeps them by the words of ip-link(8).
pub(in crate::config) struct Reader<'r, 'a> {
    pub kind: VirtualKind,
    pub settled: &'r [Settled<'a>],
    pub report: &'r mut Report,
    /// What was read.
    pub options: LinkOptions,
}

impl<'r, 'a> Reader<'r, 'a> {
    pub fn new(kind: VirtualKind, settled: &'r [Settled<'a>], report: &'r mut Report) -> Self {
        Self { kind, settled, report, options: LinkOptions::new() }
    }

    /// The first line of an option.
    pub fn opt(&self, name: &str) -> Option<&'a Opt> {
        self.settled.iter().find_map(|settled| settled.named(name))
    }

    /// All lines of an option.
    pub fn all(&self, name: &str) -> Vec<&'a Opt> {
        self.settled.iter().flat_map(|settled| settled.all_named(name)).collect()
    }

    /// The only word of an option.
    pub fn word(&mut self, name: &str) -> Option<Part<'a>> {
        let opt = self.opt(name)?;
        self.report.take(only_word(opt))
    }

    /// The only word of the first of some options that is given.
    pub fn word_of(&mut self, names: &[&str]) -> Option<Part<'a>> {
        let name = names.iter().find(|name| self.opt(name).is_some())?;
        self.word(name)
    }

    /// An error about something that is not there, at the name of the first stanza.
    pub fn missing(&mut self, message: impl Into<String>, help: &str) {
        if let Some(first) = self.settled.first() {
            self.report.push(Diagnostic::error(&first.iface.name.span, message).help(help));
        }
    }

    pub fn set(&mut self, word: &str, value: LinkValue) {
        self.options.insert(word.to_owned(), value);
    }

    pub fn set_number(&mut self, word: &str, number: u64) {
        self.set(word, LinkValue::Number(number));
    }

    /// The number that an option was set to.
    pub fn number_of(&self, word: &str) -> Option<u64> {
        match self.options.get(word) {
            Some(LinkValue::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// Takes an option as ip-link(8) would.
    pub fn take(&mut self, name: &str, word: &str) {
        if let Some(part) = self.word(name) {
            self.take_part(part, word);
        }
    }

    /// Takes a value as ip-link(8) would.
    pub fn take_part(&mut self, part: Part<'_>, word: &str) {
        let Some(option) = self.kind.option(word) else { return };
        if let Some(value) = self.report.take(value(option, part)) {
            self.set(option.word, value);
        }
    }
}

/// A value as ip-link(8) would take it.
pub(in crate::config) fn value(option: &LinkOption, part: Part<'_>) -> Result<LinkValue, Diagnostic> {
    option.parse(part.text).map_err(|_| part.is_not(&option.shape.describe()))
}

/// `yes`, `on`, `true` and 1, or their opposites.
pub(in crate::config) fn yes_or_no(part: Part<'_>) -> Result<bool, Diagnostic> {
    match part.text {
        "yes" | "on" | "true" | "1" => Ok(true),
        "no" | "off" | "false" | "0" => Ok(false),
        _ => Err(part.is_not("`yes` or `no`")),
    }
}

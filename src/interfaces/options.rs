//! The lines inside of stanzas: options of `iface` and `template`, `script` and `map` of `mapping`; and those that are
//! inside of none.

use super::diagnostic::Diagnostic;
use super::guess;
use super::lines::{Cursor, Token};
use super::parse::{Block, Parser, end_of_line_comment};
use super::syntax::{Iface, Mapping, Opt, Stanza};

/// Options whose value is for a shell, to which a `#` does begin a comment.
const COMMANDS: [&str; 6] = ["pre-up", "up", "post-up", "pre-down", "down", "post-down"];

impl Parser<'_> {
    /// Adds a stanza that the following lines belong to.
    pub fn begin(&mut self, stanza: Stanza) {
        self.block = Block::Stanza(self.stanzas.len());
        self.stanzas.push(stanza);
    }

    /// Reports a line that should have begun a stanza. What follows belongs to it, and is not reported once more.
    pub fn reject(&mut self, error: Diagnostic) {
        self.report.push(error);
        self.block = Block::Reported;
    }

    /// The `iface` or `template` that the line is in.
    pub fn current_iface(&self) -> Option<&Iface> {
        match self.block {
            Block::Stanza(index) => match self.stanzas.get(index) {
                Some(Stanza::Iface(iface)) => Some(iface),
                _ => None,
            },
            Block::Nothing | Block::Reported => None,
        }
    }

    /// A line that begins with no keyword.
    pub fn option(&mut self, name: Token<'_>, words: Cursor<'_>) {
        let stanza = match self.block {
            // The lines below a broken one are its own, unless one of them is a broken keyword as well.
            Block::Reported if guess::keyword(name.text, 1).is_none() => return,
            Block::Reported => None,
            Block::Nothing => None,
            Block::Stanza(index) => self.stanzas.get_mut(index),
        };
        let found = match stanza {
            Some(Stanza::Iface(iface)) => iface_option(iface, name, words.rest()),
            Some(Stanza::Mapping(mapping)) => {
                let found = mapping_option(mapping, name, words.rest());
                if found.is_some() && guess::keyword(name.text, 2).is_some() {
                    self.block = Block::Reported;
                }
                found
            }
            _ => {
                self.block = Block::Reported;
                Some(misplaced(name))
            }
        };
        if let Some(diagnostic) = found {
            self.report.push(diagnostic);
        }
    }

    /// A backslash that was meant to continue a line, but for the white space after it.
    pub fn stray_backslash(&mut self, mut words: Cursor<'_>) {
        let mut last = None;
        while let Some(word) = words.word() {
            last = Some(word);
        }
        let Some(last) = last else { return };
        let place = last.part(last.text.len() - 1, 1);
        let message = "white space follows this backslash, so that it does not continue the line";
        self.report.push(Diagnostic::warning(&place, message));
    }
}

fn iface_option(iface: &mut Iface, name: Token<'_>, value: Option<Token<'_>>) -> Option<Diagnostic> {
    let Some(value) = value else { return Some(without_value(name)) };
    iface.options.push(Opt { name: name.word(), value: value.word() });
    if let Some(keyword) = guess::keyword(name.text, 1) {
        let message = format!("`{}` is taken for an option of the stanza above", name.shown());
        return Some(Diagnostic::warning(&name.span(), message).help(format!("did you mean `{keyword}`?")));
    }
    let hash = comment(value.text).filter(|_| !COMMANDS.contains(&name.text))?;
    Some(end_of_line_comment(&value.part(hash, 1)))
}

fn mapping_option(mapping: &mut Mapping, name: Token<'_>, value: Option<Token<'_>>) -> Option<Diagnostic> {
    match (name.text, value) {
        ("map", Some(value)) => mapping.maps.push(value.word()),
        ("map", None) => mapping.maps.push(name.word().map(|_| String::new())),
        ("script", None) => return Some(without_value(name)),
        ("script", Some(_)) if mapping.script.is_some() => {
            return Some(Diagnostic::error(&name.span(), "a `mapping` has only one `script`"));
        }
        ("script", Some(value)) => mapping.script = Some(value.word()),
        _ => {
            let error = Diagnostic::error(&name.span(), format!("`{}` does not belong in a `mapping`", name.shown()));
            return Some(error.help(match guess::keyword(name.text, 2) {
                Some(keyword) => format!("did you mean `{keyword}`?"),
                None => "only `script` and `map` do".to_owned(),
            }));
        }
    }
    None
}

fn without_value(name: Token<'_>) -> Diagnostic {
    Diagnostic::error(&name.span(), format!("the option `{}` has no value", name.shown()))
}

fn misplaced(name: Token<'_>) -> Diagnostic {
    let (place, word) = (name.span(), name.shown());
    match guess::keyword(name.text, 2) {
        Some(keyword) => {
            Diagnostic::error(&place, format!("unknown keyword `{word}`")).help(format!("did you mean `{keyword}`?"))
        }
        None => Diagnostic::error(&place, format!("misplaced option: `{word}` is in no `iface` stanza"))
            .help("options follow their `iface` line; `auto`, `source` and the like end a stanza"),
    }
}

/// Where a value has a `#` that looks like a comment: at the beginning of a word.
fn comment(value: &str) -> Option<usize> {
    let bytes = value.as_bytes();
    value
        .match_indices('#')
        .map(|(at, _)| at)
        .find(|&at| at == 0 || bytes.get(at - 1).is_some_and(|&byte| super::lines::is_space(byte)))
}

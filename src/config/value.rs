//! Pieces of option values: words that find their place in the file only when somebody asks, and simple readings.
//!
//! Ten thousand `route` lines are read without one allocation for a place; only a mistake needs it.

use crate::interfaces::diagnostic::{Diagnostic, Span};
use crate::interfaces::syntax::Opt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A piece of an option's value.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    opt: &'a Opt,
    /// The text.
    pub text: &'a str,
}

impl<'a> Part<'a> {
    /// The whole value.
    pub fn whole(opt: &'a Opt) -> Self {
        Self { opt, text: &opt.value.value }
    }

    /// Where it is.
    pub fn span(&self) -> Span {
        let offset = self.text.as_ptr() as usize - self.opt.value.value.as_ptr() as usize;
        self.opt.value.part(offset, self.text.len())
    }

    /// An error about it.
    pub fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(&self.span(), message)
    }

    /// An error that says what it is not.
    pub fn is_not(&self, what: &str) -> Diagnostic {
        if self.text.is_empty() {
            return self.error(format!("here should be {what}"));
        }
        self.error(format!("`{}` is not {what}", self.shown()))
    }

    /// A warning about it.
    pub fn warning(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(&self.span(), message)
    }

    /// The text, cut when it is long.
    pub fn shown(&self) -> String {
        shown(self.text)
    }

    /// The pieces before and after the first `separator`.
    pub fn split(self, separator: char) -> (Part<'a>, Option<Part<'a>>) {
        let part = |text| Part { opt: self.opt, text };
        match self.text.split_once(separator) {
            Some((before, after)) => (part(before), Some(part(after))),
            None => (self, None),
        }
    }

    /// The pieces between `separator`s that are not empty.
    pub fn pieces(self, separator: char) -> impl Iterator<Item = Part<'a>> {
        let pieces = self.text.split(separator).filter(|piece| !piece.is_empty());
        pieces.map(move |text| Part { opt: self.opt, text })
    }

    /// A number in a range.
    pub fn number<T: FromStr + PartialOrd + std::fmt::Display>(&self, low: T, high: T) -> Result<T, Diagnostic> {
        let digits = self.text.bytes().all(|byte| byte.is_ascii_digit());
        match self.text.parse() {
            Ok(number) if digits && number >= low && number <= high => Ok(number),
            _ => Err(self.is_not(&format!("a number from {low} to {high}"))),
        }
    }

    /// An IPv4 address.
    pub fn ipv4(&self) -> Result<Ipv4Addr, Diagnostic> {
        self.text.parse().map_err(|_| match self.text.parse::<Ipv6Addr>() {
            Ok(_) => self.is_not("an IPv4 address").help("IPv6 addresses belong into an `inet6` stanza"),
            Err(_) => self.is_not("an IPv4 address"),
        })
    }

    /// An IPv6 address.
    pub fn ipv6(&self) -> Result<Ipv6Addr, Diagnostic> {
        self.text.parse().map_err(|_| match self.text.parse::<Ipv4Addr>() {
            Ok(_) => self.is_not("an IPv6 address").help("IPv4 addresses belong into an `inet` stanza"),
            Err(_) => self.is_not("an IPv6 address"),
        })
    }

    /// An address of either family.
    pub fn ip(&self) -> Result<IpAddr, Diagnostic> {
        self.text.parse().map_err(|_| self.is_not("an address"))
    }
}

/// A user's text as part of a sentence: cut when it is long, without control characters.
pub(super) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(40).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(40).is_some() {
        short.push('…');
    }
    short
}

/// The words of a value. What follows a word that begins with `#` was meant as a comment: the parser warns of it, and
/// ifupdown's shell takes it for one.
pub(super) fn words(opt: &Opt) -> impl Iterator<Item = Part<'_>> {
    let is_space = |c: char| matches!(c, ' ' | '\t'..='\r');
    let words = opt.value.value.split(is_space).filter(|word| !word.is_empty());
    words.take_while(|word| !word.starts_with('#')).map(move |text| Part { opt, text })
}

/// The only word of a value.
pub(super) fn only_word(opt: &Opt) -> Result<Part<'_>, Diagnostic> {
    let mut words = words(opt);
    let Some(word) = words.next() else {
        return Err(Diagnostic::error(&opt.name.span, format!("`{}` has no value", shown(&opt.name.value))));
    };
    match words.next() {
        None => Ok(word),
        Some(more) => {
            let message = format!("`{}` takes one word, this is one more", shown(&opt.name.value));
            Err(more.error(message))
        }
    }
}

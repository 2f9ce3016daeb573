//! The syntax tree of interfaces(5): stanzas with positions, in file order, nothing resolved.

use super::diagnostic::{Span, Word};
use super::lines::is_space;

/// One stanza. Files that `source` names are already inserted in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stanza {
    /// `auto NAME…` (class "auto") or `allow-CLASS NAME…`; names may be patterns.
    Allow(Allow),
    /// `no-auto-down NAME…`
    NoAutoDown(Vec<Word>),
    /// `no-scripts PATTERN…`
    NoScripts(Vec<Word>),
    /// `iface NAME [FAMILY METHOD] [inherits TEMPLATE…]` with its options; also `template NAME …`.
    Iface(Iface),
    /// `mapping PATTERN…` with `script` and `map` lines.
    Mapping(Mapping),
    /// `rename CUR=NEW…`
    Rename(Vec<Word>),
    /// `link-netns NETNS LINK PEER`, the word of this program.
    LinkNetns(LinkNetns),
}

/// `auto` and `allow-CLASS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The class: "auto", "hotplug", …
    pub class: String,
    /// The names or patterns.
    pub names: Vec<Word>,
}

/// `iface` or `template`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Iface {
    /// The keyword itself.
    pub keyword: Span,
    /// Whether the keyword was `template`.
    pub template: bool,
    /// The logical name or pattern.
    pub name: Word,
    /// `inet`, `inet6`, `can`, …; taken from the template when absent.
    pub family: Option<Word>,
    /// `static`, `dhcp`, …; taken from the template when absent.
    pub method: Option<Word>,
    /// The templates, in order.
    pub inherits: Vec<Word>,
    /// The options, in file order, duplicates kept.
    pub options: Vec<Opt>,
}

/// An option line of an `iface` stanza.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opt {
    /// The first word, as written.
    pub name: Word,
    /// The rest of the line, trimmed, continuation lines joined verbatim. The span is that of its first line.
    pub value: Word,
}

/// `mapping`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The keyword itself.
    pub keyword: Span,
    /// fnmatch(3) patterns for the names that it maps.
    pub patterns: Vec<Word>,
    /// The program that maps.
    pub script: Option<Word>,
    /// Lines for the script's standard input.
    pub maps: Vec<Word>,
}

/// `link-netns NETNS LINK PEER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkNetns {
    /// The namespace of the pair's inner end.
    pub netns: Word,
    /// The host's end.
    pub link: Word,
    /// The inner end.
    pub peer: Word,
}

impl Opt {
    /// The white-space separated words of the value with their places, also on continuation lines.
    pub fn words(&self) -> impl Iterator<Item = Word> + '_ {
        let text = self.value.value.as_str();
        text.split(|c: char| u8::try_from(c).is_ok_and(is_space)).filter(|word| !word.is_empty()).map(move |word| {
            let offset = word.as_ptr() as usize - text.as_ptr() as usize;
            Word { value: word.to_owned(), span: self.value.part(offset, word.len()) }
        })
    }
}

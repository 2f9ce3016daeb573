//! The grammar: lines to stanzas. The first word of a line is its keyword; anything else is an option of the stanza
//! above it.
//!
//! Parsing never fails. A line that makes no sense is reported and left out, with the lines that belong to it, and the
//! next keyword is read as if nothing had happened. Whether words mean anything is not asked here.

use super::diagnostic::{Diagnostic, Severity, Source, Span, Word};
use super::include::Includes;
use super::lines::{Cursor, Line, Lines, Token};
use super::report::Report;
use super::syntax::{Allow, Iface, LinkNetns, Mapping, Stanza};
use super::{Files, MAX_LINE};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a text says, and what is wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Parsed {
    /// The stanzas, those of sourced files in the place of the `source` line.
    pub stanzas: Vec<Stanza>,
    /// What there is to say, in the order in which it was found.
    pub diagnostics: Vec<Diagnostic>,
    /// The main file does not exist. The diagnostics say so too, for callers to whom that is a mistake.
    pub missing: bool,
    /// The files that were read, in order, as the user knows them.
    pub files: Vec<PathBuf>,
}

impl Parsed {
    /// Whether nothing may be applied.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Reads a file and everything that it sources.
pub fn parse(path: &Path, files: &dyn Files) -> Parsed {
    let mut parser = Parser::new(Some(files));
    parser.main_file(path);
    parser.finish()
}

/// Reads one text. It cannot source files; a line that tries is warned of.
pub fn parse_text(source: &Arc<Source>) -> Parsed {
    let mut parser = Parser::new(None);
    parser.text(source);
    parser.finish()
}

/// What the lines so far have built.
pub(super) struct Parser<'f> {
    pub stanzas: Vec<Stanza>,
    pub report: Report,
    pub block: Block,
    pub includes: Includes<'f>,
}

/// What an option line belongs to.
#[derive(Clone, Copy)]
pub(super) enum Block {
    /// Nothing; it is misplaced.
    Nothing,
    /// The stanza with this index, an [`Iface`] or a [`Mapping`].
    Stanza(usize),
    /// Something that was reported already.
    Reported,
}

impl<'f> Parser<'f> {
    fn new(files: Option<&'f dyn Files>) -> Self {
        let (stanzas, report) = (Vec::new(), Report::default());
        Self { stanzas, report, block: Block::Nothing, includes: Includes::new(files) }
    }

    fn finish(self) -> Parsed {
        let (files, missing) = self.includes.finish();
        Parsed { stanzas: self.stanzas, diagnostics: self.report.finish(), missing, files }
    }

    /// Reads a text; stanzas neither begin before nor go on after it.
    pub fn text(&mut self, source: &Arc<Source>) {
        self.block = Block::Nothing;
        for line in Lines::new(source) {
            self.line(&line);
        }
        self.block = Block::Nothing;
    }

    fn line(&mut self, line: &Line<'_>) {
        let mut words = line.cursor();
        let Some(keyword) = words.word() else { return };
        if line.too_long {
            let message = format!("this line is longer than {} KiB", MAX_LINE >> 10);
            self.report.push(Diagnostic::error(&keyword.part(0, 1), message));
            self.block = Block::Reported;
            return;
        }
        if line.stray_backslash {
            self.stray_backslash(words);
        }
        match keyword.text {
            "auto" => self.allow(keyword, "auto", words),
            "iface" => self.iface(keyword, words, false),
            "template" => self.iface(keyword, words, true),
            "mapping" => self.mapping(keyword, words),
            "source" => self.source(keyword, words),
            "rename" => self.names(keyword, words, Stanza::Rename),
            "no-auto-down" => self.names(keyword, words, Stanza::NoAutoDown),
            "no-scripts" => self.names(keyword, words, Stanza::NoScripts),
            "link-netns" => self.link_netns(keyword, words),
            // ifupdown takes any word that begins so.
            word if word.starts_with("source-dir") => self.source_directory(keyword, words),
            word => match word.strip_prefix("allow-") {
                Some(class) if !class.is_empty() => self.allow(keyword, class, words),
                _ => self.option(keyword, words),
            },
        }
    }

    /// `auto` and `allow-CLASS`.
    fn allow(&mut self, keyword: Token<'_>, class: &str, words: Cursor<'_>) {
        self.names(keyword, words, |names| Stanza::Allow(Allow { class: class.to_owned(), names }));
    }

    /// A keyword with names. Without any, most of them mean the `iface` stanza they stand in, and do not end it.
    fn names(&mut self, keyword: Token<'_>, words: Cursor<'_>, stanza: impl FnOnce(Vec<Word>) -> Stanza) {
        let mut names = self.all(words);
        if !names.is_empty() {
            self.block = Block::Nothing;
        } else if let Some(iface) = self.current_iface().filter(|_| keyword.text != "rename") {
            names.push(Word { value: iface.name.value.clone(), span: keyword.span() });
        } else {
            let message = format!("`{}` names nothing, ignoring", keyword.shown());
            self.report.push(Diagnostic::warning(&keyword.span(), message));
            self.block = Block::Nothing;
            return;
        }
        self.stanzas.push(stanza(names));
    }

    /// The words that are left, with a warning if they look like a comment.
    fn all(&mut self, mut words: Cursor<'_>) -> Vec<Word> {
        let mut all: Vec<Word> = Vec::new();
        let mut commented = false;
        while let Some(word) = words.word() {
            if word.text.starts_with('#') && !commented {
                self.report.push(end_of_line_comment(&word.part(0, 1)));
                commented = true;
            }
            all.push(word.word());
        }
        all
    }

    fn iface(&mut self, keyword: Token<'_>, words: Cursor<'_>, template: bool) {
        match self.iface_line(keyword, words, template) {
            Ok(iface) => self.begin(Stanza::Iface(iface)),
            Err(error) => self.reject(error),
        }
    }

    /// `iface NAME [FAMILY METHOD] [inherits TEMPLATE…]`, the family also without its method before `inherits`.
    fn iface_line(&mut self, keyword: Token<'_>, mut words: Cursor<'_>, template: bool) -> Result<Iface, Diagnostic> {
        let Some(name) = words.word() else {
            return Err(too_few(keyword, "a name", &format!("{} eth0 inet static", keyword.text)));
        };
        let mut iface = Iface {
            keyword: keyword.span(),
            template,
            name: name.word(),
            family: None,
            method: None,
            inherits: Vec::new(),
            options: Vec::new(),
        };
        let mut word = words.word();
        if let Some(family) = plain(word)? {
            iface.family = Some(family.word());
            word = words.word();
            match plain(word)? {
                Some(method) => {
                    iface.method = Some(method.word());
                    word = words.word();
                }
                None if word.is_none() => {
                    let message = format!("the family `{}` needs a method after it", family.shown());
                    return Err(Diagnostic::error(&family.span(), message).help(format!(
                        "such as `{} {} {} manual`",
                        keyword.text,
                        name.shown(),
                        family.shown()
                    )));
                }
                None => {}
            }
        }
        self.inherits(&mut iface, word, words)?;
        Ok(iface)
    }

    /// `inherits TEMPLATE…`, and what else may follow a method.
    fn inherits(
        &mut self,
        iface: &mut Iface,
        first: Option<Token<'_>>,
        mut words: Cursor<'_>,
    ) -> Result<(), Diagnostic> {
        let mut keyword: Option<Token<'_>> = None;
        let mut word = first;
        let mut templates = 0;
        while let Some(token) = word {
            word = words.word();
            match (token.text, keyword) {
                (text, _) if text.starts_with('#') => {
                    self.report.push(
                        end_of_line_comment(&token.part(0, 1))
                            .help("the rest of the line is ignored; put the comment on a line of its own"),
                    );
                    word = None;
                }
                ("inherits", Some(keyword)) if templates == 0 => return Err(no_template(keyword)),
                ("inherits", _) => (keyword, templates) = (Some(token), 0),
                (_, Some(_)) => {
                    iface.inherits.push(token.word());
                    templates += 1;
                }
                (_, None) => {
                    let message = format!("`{}` after the method means nothing, ignoring", token.shown());
                    self.report.push(Diagnostic::warning(&token.span(), message));
                }
            }
        }
        keyword.filter(|_| templates == 0).map_or(Ok(()), |keyword| Err(no_template(keyword)))
    }

    fn mapping(&mut self, keyword: Token<'_>, words: Cursor<'_>) {
        let patterns = self.all(words);
        if patterns.is_empty() {
            return self.reject(too_few(keyword, "a pattern", "mapping eth0"));
        }
        self.begin(Stanza::Mapping(Mapping { keyword: keyword.span(), patterns, script: None, maps: Vec::new() }));
    }

    /// `link-netns NETNS LINK PEER`. Other programs see an option of the `iface` above, so it ends nothing.
    fn link_netns(&mut self, keyword: Token<'_>, mut words: Cursor<'_>) {
        let (Some(netns), Some(link), Some(peer)) = (words.word(), words.word(), words.word()) else {
            let error = too_few(keyword, "a namespace and two links", "link-netns nginx link0 link1");
            return self.report.push(error);
        };
        if let Some(extra) = words.word() {
            self.report.push(if extra.text.starts_with('#') {
                end_of_line_comment(&extra.part(0, 1))
                    .help("the rest of the line is ignored; put the comment on a line of its own")
            } else {
                Diagnostic::warning(
                    &extra.span(),
                    format!("`{}` after the second link means nothing, ignoring", extra.shown()),
                )
            });
        }
        self.stanzas.push(Stanza::LinkNetns(LinkNetns { netns: netns.word(), link: link.word(), peer: peer.word() }));
    }
}

/// A word that is no `inherits`. A `#` here would be taken for a family or method.
fn plain(word: Option<Token<'_>>) -> Result<Option<Token<'_>>, Diagnostic> {
    match word {
        Some(word) if word.text.starts_with('#') => {
            let error = Diagnostic::error(&word.part(0, 1), "a `#` after other words begins no comment");
            Err(error.help("put the comment on a line of its own"))
        }
        word => Ok(word.filter(|word| word.text != "inherits")),
    }
}

fn too_few(keyword: Token<'_>, missing: &str, example: &str) -> Diagnostic {
    let message = format!("`{}` needs {missing} after it", keyword.text);
    Diagnostic::error(&keyword.span(), message).help(format!("such as `{example}`"))
}

fn no_template(inherits: Token<'_>) -> Diagnostic {
    Diagnostic::error(&inherits.span(), "`inherits` needs the name of an `iface` or `template` after it")
}

/// Only a line's first `#` makes a comment; many expect more.
pub(super) fn end_of_line_comment(hash: &Span) -> Diagnostic {
    Diagnostic::warning(hash, "a `#` after other words begins no comment").help("put the comment on a line of its own")
}

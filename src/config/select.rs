//! Which links are brought up: the names of `auto` and `allow-CLASS` lines, patterns expanded, renames applied, each
//! with its logical name (interfaces(5), "INTERFACE SELECTION" and "RENAMING INTERFACES").
//!
//! ifupdown brings up one class at a time. A namespace has no hotplug events of its own, so here every class is brought
//! up, in the order of the file.

use super::mapping::Mappings;
use super::report::Report;
use super::surroundings::Surroundings;
use super::value::shown;
use crate::interfaces::diagnostic::{Diagnostic, Span, Word};
use crate::interfaces::pattern::{Glob, Selector};
use crate::interfaces::syntax::Stanza;
use crate::model::LinkName;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

/// The machine, with its links asked for once.
pub(super) struct Machine<'s> {
    pub surroundings: &'s dyn Surroundings,
    links: OnceCell<Vec<LinkName>>,
    known: OnceCell<HashSet<LinkName>>,
}

impl<'s> Machine<'s> {
    pub fn new(surroundings: &'s dyn Surroundings) -> Self {
        Self { surroundings, links: OnceCell::new(), known: OnceCell::new() }
    }

    /// The links of the machine, looked up when something asks first.
    pub fn links(&self) -> &[LinkName] {
        self.links.get_or_init(|| self.surroundings.links())
    }

    /// Whether there may be a link of that name: of a machine without any, nothing is known.
    pub fn may_have(&self, link: LinkName) -> bool {
        let known = self.known.get_or_init(|| self.links().iter().copied().collect());
        known.is_empty() || known.contains(&link)
    }

    /// The name of a link that is called by one of its alternative names.
    pub fn canonical(&self, link: LinkName) -> LinkName {
        self.by_altname(link.as_str()).unwrap_or(link)
    }

    /// The link that has a name for an alternative one.
    pub fn by_altname(&self, name: &str) -> Option<LinkName> {
        self.surroundings.by_altname(name)
    }

    /// The MTU that a link has now.
    pub fn mtu(&self, link: LinkName) -> Option<u32> {
        self.surroundings.attribute(&link, "mtu")?.trim().parse().ok()
    }

    /// The links that a pattern means.
    fn matching(&self, variable: Option<&str>, glob: &str, nth: Option<u32>) -> Vec<LinkName> {
        let glob = Glob::new(glob);
        let matches = |link: &LinkName| match variable {
            None => glob.matches(link.as_str()),
            Some(variable) => self.surroundings.attribute(link, variable).is_some_and(|value| glob.matches(&value)),
        };
        let found = self.links().iter().copied().filter(matches);
        match nth {
            None => found.collect(),
            Some(nth) => found.skip((nth as usize).saturating_sub(1)).take(1).collect(),
        }
    }
}

/// Something to bring up, under the name that commands see as `IFACE`.
#[derive(Debug, Clone)]
pub(super) struct Selected {
    /// The name: a link's, or an alias such as `eth0:web`.
    pub name: String,
    pub link: LinkName,
    pub logical: String,
    /// The class of its `auto` or `allow-CLASS` line.
    pub class: Option<String>,
    pub span: Span,
    /// What the host calls it, where that differs.
    pub from: Option<LinkName>,
    /// A pattern found it; then it may be one that nobody means.
    pub by_pattern: bool,
}

impl Selected {
    /// Something that needs no `auto` line.
    pub fn implied(link: LinkName, span: &Span) -> Self {
        let name = link.to_string();
        Self { logical: name.clone(), name, link, class: None, span: span.clone(), from: None, by_pattern: false }
    }

    /// Whether it is an alias, which adds addresses to a link and is none itself.
    pub fn is_alias(&self) -> bool {
        self.name.contains(':')
    }
}

/// `rename CUR=NEW` lines.
#[derive(Default)]
pub(super) struct Renames {
    new_by_old: HashMap<LinkName, LinkName>,
    old_by_new: HashMap<LinkName, (LinkName, Span)>,
}

impl Renames {
    /// Reads them.
    pub fn new(stanzas: &[Stanza], machine: &Machine<'_>, report: &mut Report) -> Self {
        let mut renames = Self::default();
        for stanza in stanzas {
            let Stanza::Rename(words) = stanza else { continue };
            for word in before_comment(words) {
                if let Some((old, new)) = report.take(rename(word, machine)).flatten() {
                    renames.add(old, new, word, report);
                }
            }
        }
        renames
    }

    fn add(&mut self, old: LinkName, new: LinkName, word: &Word, report: &mut Report) {
        let other = self.old_by_new.get(&new).filter(|(other, _)| *other != old).map(|(other, _)| *other);
        let clash = match (other, self.new_by_old.get(&old)) {
            (Some(other), _) => Some(format!("both `{other}` and `{old}` would be named `{new}`")),
            (None, Some(also)) if *also != new => Some(format!("`{old}` would be named both `{also}` and `{new}`")),
            _ => None,
        };
        match clash {
            Some(message) => report.push(Diagnostic::error(&word.span, message)),
            None => {
                self.new_by_old.insert(old, new);
                self.old_by_new.insert(new, (old, word.span.clone()));
            }
        }
    }

    /// The name that a link has in the namespace, and the host's name for it where that differs.
    fn of(&self, link: LinkName) -> (LinkName, Option<LinkName>) {
        let new = self.new_by_old.get(&link).copied().unwrap_or(link);
        (new, self.old_by_new.get(&new).map(|(old, _)| *old).filter(|old| *old != new))
    }

    /// Warns of those whose link is not brought up.
    pub fn report_unused(&self, used: impl Fn(LinkName) -> bool, report: &mut Report) {
        for (new, (_, span)) in self.old_by_new.iter().filter(|(new, _)| !used(**new)) {
            let message = format!("`{new}` is renamed, but brought up by nothing");
            report.push(Diagnostic::warning(span, message).help(format!("add `auto {new}`")));
        }
    }
}

/// The old and new name of one `CUR=NEW`; none if its pattern matches nothing.
fn rename(word: &Word, machine: &Machine<'_>) -> Result<Option<(LinkName, LinkName)>, Diagnostic> {
    let error = |message: String| Diagnostic::error(&word.span, message);
    let selector = Selector::parse(&word.value).map_err(|why| error(why.to_string()))?;
    let Some(new) = selector.logical().filter(|new| !new.is_empty()) else {
        let message = format!("`{}` says no new name", shown(&word.value));
        return Err(error(message).help("such as `rename eth0=lan`"));
    };
    let new = new.parse().map_err(|why| error(format!("{why}")))?;
    match &selector {
        Selector::Name { name, .. } => Ok(Some((name.parse().map_err(|why| error(format!("{why}")))?, new))),
        Selector::Pattern { variable, glob, nth, .. } => {
            match machine.matching(variable.as_deref(), glob, *nth).as_slice() {
                [] => Ok(None),
                [old] => Ok(Some((*old, new))),
                [old, other, ..] => Err(error(format!("both `{old}` and `{other}` would be named `{new}`"))),
            }
        }
    }
}

/// Everything that `auto` and `allow-CLASS` name, once each, in order.
pub(super) fn explicit(
    stanzas: &[Stanza],
    renames: &Renames,
    mappings: &Mappings<'_>,
    machine: &Machine<'_>,
    report: &mut Report,
) -> Vec<Selected> {
    let mut all: Vec<Selected> = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    for stanza in stanzas {
        let Stanza::Allow(allow) = stanza else { continue };
        for word in before_comment(&allow.names) {
            for mut one in expand(word, renames, machine, report) {
                if seen.insert(one.name.clone()) {
                    one.class = Some(allow.class.clone());
                    one.logical = mappings.apply(&one.name, one.logical, machine.surroundings, report);
                    all.push(one);
                }
            }
        }
    }
    all
}

/// What one word of an `auto` line means.
fn expand(word: &Word, renames: &Renames, machine: &Machine<'_>, report: &mut Report) -> Vec<Selected> {
    let selector = match Selector::parse(&word.value) {
        Ok(selector) => selector,
        Err(why) => {
            report.push(Diagnostic::error(&word.span, why.to_string()));
            return Vec::new();
        }
    };
    let logical = selector.logical().filter(|logical| !logical.is_empty());
    match &selector {
        Selector::Name { name, .. } => {
            let selected = named(name, logical, word, renames, machine);
            report.take(selected).into_iter().collect()
        }
        Selector::Pattern { variable, glob, nth, .. } => {
            let links = machine.matching(variable.as_deref(), glob, *nth);
            if links.is_empty() {
                let message = format!("no link matches `{}`", shown(&word.value));
                report.push(Diagnostic::warning(&word.span, message));
            }
            let named = |link: LinkName| named(link.as_str(), logical, word, renames, machine).ok();
            links.into_iter().filter_map(named).map(|one| Selected { by_pattern: true, ..one }).collect()
        }
    }
}

/// A link or an alias by its name or an alternative name. By the latter it keeps both: the kernel's name, and the one that
/// stanzas and commands know.
fn named(
    name: &str,
    logical: Option<&str>,
    word: &Word,
    renames: &Renames,
    machine: &Machine<'_>,
) -> Result<Selected, Diagnostic> {
    let (base, label) = name.split_once(':').map_or((name, None), |(base, label)| (base, Some(label)));
    let other = machine.by_altname(base);
    let link = match other {
        Some(link) => link,
        None => base.parse().map_err(|why| Diagnostic::error(&word.span, format!("{why}")))?,
    };
    let (link, from) = renames.of(link);
    let called = if other.is_some() { base } else { link.as_str() };
    let name = match label {
        None => called.to_owned(),
        Some(label) => format!("{called}:{label}"),
    };
    let logical = logical.unwrap_or(&name).to_owned();
    Ok(Selected { name, link, logical, class: None, span: word.span.clone(), from, by_pattern: false })
}

/// The words before one that was meant to begin a comment, which the parser warns of.
fn before_comment(words: &[Word]) -> impl Iterator<Item = &Word> {
    words.iter().take_while(|word| !word.value.starts_with('#'))
}

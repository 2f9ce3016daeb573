//! The `iface` stanzas of a file, found by name, and what they say after `inherits`.
//!
//! A template must stand earlier in the file, so inheritance cannot go in circles. Every heir is looked up once, in
//! file order; options are copied only for the stanzas that are used, and [`MAX_COPIES`] bounds how many: a short file
//! can ask for more than a machine holds.
//!
//! Deviation: a heir's own option replaces the inherited one. Debian joins both with a newline, which breaks `mtu`
//! and hides `address`.

use super::guess;
use super::method::{self, Family, Means, Method};
use super::options::{self, Arity, Def, Key};
use super::report::Report;
use super::value::{Part, shown, words};
use crate::interfaces::diagnostic::{Diagnostic, Span, Word};
use crate::interfaces::syntax::{Iface, Opt, Stanza};
use crate::model::Protocol;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap, HashSet};

/// How deep templates may build on each other.
const MAX_DEPTH: usize = 32;

/// How many options all heirs together may inherit.
const MAX_COPIES: usize = 1 << 20;

/// The `iface` and `template` stanzas of one file with all that it sources.
pub(super) struct Ifaces<'a> {
    entries: Vec<Entry<'a>>,
    by_name: HashMap<&'a str, Vec<usize>>,
    copies: Cell<usize>,
}

struct Entry<'a> {
    iface: &'a Iface,
    templates: Vec<usize>,
    family: Option<&'a Word>,
    method: Option<&'a Word>,
    depth: usize,
    inherited: bool,
    problems: Vec<Diagnostic>,
}

/// An option with its row of the table; without one nobody knows it.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    pub def: Option<&'static Def>,
    pub opt: &'a Opt,
}

/// A stanza with what it inherits.
pub(super) struct Settled<'a> {
    pub iface: &'a Iface,
    /// Its family and method.
    pub method: &'static Method,
    pub family: Family,
    pub means: Means,
    /// Neither family nor method are given: addresses of both families may stand in it.
    pub both: bool,
    /// Inherited ones first.
    pub settings: Vec<Setting<'a>>,
}

/// The first stanza of each name and family among those that were read so far.
#[derive(Default)]
struct Earlier<'a> {
    any: HashMap<&'a str, usize>,
    of_family: HashMap<(&'a str, Option<&'a str>), usize>,
}

impl<'a> Ifaces<'a> {
    /// Finds every stanza's templates.
    pub fn new(stanzas: &'a [Stanza]) -> Self {
        let ifaces: Vec<&Iface> = stanzas.iter().filter_map(iface).collect();
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, iface) in ifaces.iter().enumerate() {
            by_name.entry(&iface.name.value).or_default().push(index);
        }
        let mut all = Self { entries: Vec::with_capacity(ifaces.len()), by_name, copies: Cell::new(0) };
        let mut earlier = Earlier::default();
        for (index, iface) in ifaces.into_iter().enumerate() {
            let entry = all.entry(iface, &earlier);
            let name = iface.name.value.as_str();
            let family = entry.family.map(|family| family.value.as_str());
            earlier.any.entry(name).or_insert(index);
            earlier.of_family.entry((name, family)).or_insert(index);
            all.entries.push(entry);
        }
        all
    }

    fn entry(&mut self, iface: &'a Iface, earlier: &Earlier<'a>) -> Entry<'a> {
        let (family, method) = (iface.family.as_ref(), iface.method.as_ref());
        let mut entry =
            Entry { iface, templates: Vec::new(), family, method, depth: 0, inherited: false, problems: Vec::new() };
        for name in &iface.inherits {
            match earlier.find(&name.value, family) {
                Some(index) => entry.templates.push(index),
                None => entry.problems.push(self.missing(iface, name, earlier)),
            }
        }
        for &index in &entry.templates {
            let template = &mut self.entries[index];
            template.inherited = true;
            entry.depth = entry.depth.max(template.depth + 1);
            entry.family = entry.family.or(template.family);
            entry.method = entry.method.or(template.method);
        }
        if entry.depth > MAX_DEPTH {
            entry.templates.clear();
            entry.depth = 0;
            let message = format!("templates build on each other more than {MAX_DEPTH} deep");
            entry.problems.push(Diagnostic::error(&iface.keyword, message));
        }
        if let (Some(family), Some(method)) = (entry.family, entry.method) {
            entry.problems.extend(method::find(family, method).err());
        }
        entry
    }

    /// Why a template is not there.
    fn missing(&self, iface: &Iface, name: &Word, earlier: &Earlier<'a>) -> Diagnostic {
        let word = shown(&name.value);
        let error = |message: String| Diagnostic::error(&name.span, message);
        if earlier.any.contains_key(name.value.as_str()) {
            let family = iface.family.as_ref().map_or("", |family| &family.value);
            error(format!("`{word}` is not of family `{family}`, and cannot be inherited from"))
        } else if name.value == iface.name.value {
            error(format!("`{word}` inherits from itself"))
        } else if self.by_name.contains_key(name.value.as_str()) {
            error(format!("`{word}` is inherited from before it is written"))
                .help("a template stands earlier in the file than its heirs")
        } else {
            let error = error(format!("there is no `iface {word}` to inherit from"));
            // A file of mistakes is not searched for the meaning of each.
            let known = self.entries.iter().take(1000).map(|entry| entry.iface.name.value.as_str());
            match guess::nearest(&name.value, known) {
                Some(guess) => error.help(guess::did_you_mean(guess)),
                None => error,
            }
        }
    }

    /// The stanzas of a name in file order; templates are none.
    pub fn named(&self, name: &str) -> impl Iterator<Item = usize> + '_ {
        self.by_name.get(name).into_iter().flatten().copied().filter(|index| !self.entries[*index].iface.template)
    }

    /// Whether there is a stanza of that name.
    pub fn has(&self, name: &str) -> bool {
        self.named(name).next().is_some()
    }

    /// All stanzas that are no templates, in file order.
    pub fn all(&self) -> impl Iterator<Item = (usize, &'a Iface)> + '_ {
        self.entries.iter().enumerate().filter(|(_, e)| !e.iface.template).map(|(index, e)| (index, e.iface))
    }

    /// The options of all stanzas and templates, as they are written.
    pub fn options(&self) -> impl Iterator<Item = &'a Opt> + '_ {
        self.entries.iter().flat_map(|entry| &entry.iface.options)
    }

    /// The place of a stanza's keyword.
    pub fn keyword(&self, index: usize) -> &'a Span {
        &self.entries[index].iface.keyword
    }

    /// The stanzas of a name with all that they inherit from.
    pub fn lineage(&self, name: &str) -> BTreeSet<usize> {
        let mut all: BTreeSet<usize> = BTreeSet::new();
        let mut open: Vec<usize> = self.named(name).collect();
        while let Some(index) = open.pop() {
            if all.insert(index) {
                open.extend(&self.entries[index].templates);
            }
        }
        all
    }

    /// Whether another stanza builds on this one.
    pub fn is_inherited(&self, index: usize) -> bool {
        self.entries[index].inherited
    }

    /// Reports what is wrong with the lines of all stanzas, used or not.
    pub fn check(&self, report: &mut Report) {
        self.entries.iter().flat_map(|entry| &entry.problems).for_each(|problem| report.push(problem.clone()));
    }

    /// What a stanza says after all; none when that cannot be said, or its method is not there yet.
    pub fn settle(&self, index: usize, report: &mut Report) -> Option<Settled<'a>> {
        let entry = &self.entries[index];
        let settings = self.collect(index, report);
        let has_address = settings.iter().any(|s| s.def.is_some_and(|def| def.key == Key::Address));
        let asks = use_dhcp(&settings).filter(|opt| {
            if has_address {
                let warning = Part::whole(opt).warning("`dhcp` has no effect beside an `address`");
                report.push(warning.help("write a stanza of its own: `iface NAME inet dhcp`"));
            }
            !has_address
        });
        let means = |protocol| match asks {
            Some(_) => Means::Ask(protocol),
            None if has_address => Means::Static,
            None => Means::Manual,
        };
        let both = entry.family.is_none();
        let method = match (entry.family, entry.method) {
            (None, _) => method::of(Family::Inet, means(Protocol::Dhcp)),
            (Some(family), None) => match family.value.as_str() {
                "inet" => method::of(Family::Inet, means(Protocol::Dhcp)),
                "inet6" => method::of(Family::Inet6, means(Protocol::Dhcp6)),
                _ => {
                    let message = format!("`{}` has no method", shown(&entry.iface.name.value));
                    report.push(Diagnostic::error(&family.span, message));
                    return None;
                }
            },
            (Some(family), Some(method)) => report.take(method::find(family, method))?,
        };
        let Some((family, means)) = method.means else {
            let place = entry.method.map_or(&entry.iface.keyword, |method| &method.span);
            let message = format!("method `{}` of family `{}` is not supported", method.name, method.family);
            let help = method::instead(method);
            report.push(Diagnostic { help: help.map(str::to_owned), ..Diagnostic::error(place, message) });
            return None;
        };
        Some(Settled { iface: entry.iface, method, family, means, both, settings })
    }

    /// The options of a stanza, those of its templates first.
    fn collect(&self, index: usize, report: &mut Report) -> Vec<Setting<'a>> {
        let entry = &self.entries[index];
        entry.problems.iter().for_each(|problem| report.push(problem.clone()));
        let mut settings: Vec<Setting<'a>> = Vec::new();
        for &template in &entry.templates {
            if self.copies.get() > MAX_COPIES {
                let message = format!("heirs inherit more than {MAX_COPIES} options");
                report.push(Diagnostic::error(&entry.iface.keyword, message));
                return Vec::new();
            }
            let inherited = self.collect(template, report);
            // An empty template counts too: a list of them in each of several levels multiplies all the same.
            self.copies.set(self.copies.get() + inherited.len() + 1);
            override_with(&mut settings, inherited);
        }
        let own = entry.iface.options.iter().map(|opt| Setting { def: options::find(&opt.name.value), opt });
        let own: Vec<Setting<'a>> = own.collect();
        report_duplicates(&own, report);
        override_with(&mut settings, own);
        settings
    }
}

impl<'a> Earlier<'a> {
    /// The first stanza of a name; of a family, or of none, if one is asked for.
    fn find(&self, name: &str, family: Option<&Word>) -> Option<usize> {
        match family {
            None => self.any.get(name).copied(),
            Some(family) => {
                let of = |family| self.of_family.get(&(name, family)).copied();
                of(Some(family.value.as_str())).or_else(|| of(None))
            }
        }
    }
}

fn iface(stanza: &Stanza) -> Option<&Iface> {
    match stanza {
        Stanza::Iface(iface) => Some(iface),
        _ => None,
    }
}

impl<'a> Setting<'a> {
    /// What it shares with its other spellings.
    fn identity(&self) -> Cow<'a, str> {
        match self.def {
            Some(def) if def.key != Key::Foreign => Cow::Borrowed(def.name),
            _ => options::plain(&self.opt.name.value),
        }
    }

    fn arity(&self) -> Arity {
        self.def.map_or(Arity::Many, |def| def.arity)
    }
}

/// Adds the options of an heir, or of a further template: they replace what they repeat.
fn override_with<'a>(settings: &mut Vec<Setting<'a>>, own: Vec<Setting<'a>>) {
    if settings.is_empty() {
        *settings = own;
        return;
    }
    let replaced: HashSet<Cow<'_, str>> =
        own.iter().filter(|s| s.arity() != Arity::Grows).map(Setting::identity).collect();
    settings.retain(|s| !replaced.contains(&s.identity()));
    settings.extend(own);
}

/// Says where a stanza gives an option twice that has one value.
fn report_duplicates(own: &[Setting<'_>], report: &mut Report) {
    let mut seen: HashMap<&str, &Opt> = HashMap::new();
    for Setting { def, opt } in own {
        let Some(def) = def.filter(|def| def.arity == Arity::One) else { continue };
        if let Some(first) = seen.insert(def.name, opt) {
            let message = format!("`{}` is given twice, first in line {}", opt.name.value, first.name.span.line);
            let help = "one stanza has one of it; write a second `iface` stanza of the same name for more";
            report.push(Diagnostic::error(&opt.name.span, message).help(help));
        }
    }
}

impl<'a> Settled<'a> {
    /// The value of an option that has one.
    pub fn get(&self, key: Key) -> Option<&'a Opt> {
        self.all(key).next()
    }

    /// The line of an option by its name in the table.
    pub fn named(&self, name: &str) -> Option<&'a Opt> {
        self.settings.iter().find(|s| s.def.is_some_and(|def| def.name == name)).map(|s| s.opt)
    }

    /// The lines of an option by its name in the table.
    pub fn all_named<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a Opt> + 's {
        self.settings.iter().filter(move |s| s.def.is_some_and(|def| def.name == name)).map(|s| s.opt)
    }

    /// The values of an option that may have several.
    pub fn all(&self, key: Key) -> impl Iterator<Item = &'a Opt> + '_ {
        self.settings.iter().filter(move |s| s.def.is_some_and(|def| def.key == key)).map(|s| s.opt)
    }
}

/// The line with which ifupdown-ng has a stanza without a method ask the network.
fn use_dhcp<'a>(settings: &[Setting<'a>]) -> Option<&'a Opt> {
    let is_use = |s: &&Setting<'a>| s.def.is_some_and(|def| def.name == "use");
    let mut lines = settings.iter().filter(is_use).map(|s| s.opt);
    lines.find(|opt| words(opt).any(|word| word.text == "dhcp"))
}

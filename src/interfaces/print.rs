//! Stanzas as normalised interfaces(5) text, which parses to the same stanzas again.
//!
//! Each is written in full: what `source` named stands in its place, an `auto` without names has its name, and a line
//! is never continued, but for the few words that can only begin a continuation line.

use super::syntax::{Allow, Iface, LinkNetns, Mapping, Opt, Stanza};
use std::fmt::{self, Display, Formatter};

/// Prints stanzas one after the other, an empty line after each that has a body.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a>(
    /// What to print.
    pub &'a [Stanza],
);

impl Display for Listing<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut separate = false;
        for stanza in self.0 {
            if separate {
                writeln!(f)?;
            }
            write!(f, "{stanza}")?;
            separate = matches!(stanza, Stanza::Iface(_) | Stanza::Mapping(_));
        }
        Ok(())
    }
}

impl Display for Stanza {
    /// The lines of the stanza, each with its newline.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow(allow) => allow.fmt(f),
            Self::NoAutoDown(names) => line(f, "no-auto-down", names),
            Self::NoScripts(patterns) => line(f, "no-scripts", patterns),
            Self::Iface(iface) => iface.fmt(f),
            Self::Mapping(mapping) => mapping.fmt(f),
            Self::Rename(pairs) => line(f, "rename", pairs),
            Self::LinkNetns(link) => link.fmt(f),
        }
    }
}

impl Display for Allow {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.class.as_str() {
            "auto" => line(f, "auto", &self.names),
            class => line(f, &format!("allow-{class}"), &self.names),
        }
    }
}

impl Display for Iface {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let inherits = if self.inherits.is_empty() { None } else { Some("inherits") };
        let before = [Some(&self.name), self.family.as_ref(), self.method.as_ref()];
        let words = before.into_iter().flatten().map(|word| word.as_str());
        let words = words.chain(inherits).chain(self.inherits.iter().map(|word| word.as_str()));
        line(f, if self.template { "template" } else { "iface" }, words)?;
        self.options.iter().try_for_each(|option| option.fmt(f))
    }
}

impl Display for Opt {
    /// The line, indented, with its newline.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // A `#` begins a word only where a line continues another.
        let start = if self.name.value.starts_with('#') { "\\\n" } else { "    " };
        line(f, &format!("{start}{}", self.name.value), [&self.value.value])
    }
}

impl Display for Mapping {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        line(f, "mapping", &self.patterns)?;
        self.script.iter().try_for_each(|script| line(f, "    script", [&script.value]))?;
        self.maps.iter().try_for_each(|map| line(f, "    map", Some(&map.value).filter(|map| !map.is_empty())))
    }
}

impl Display for LinkNetns {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        line(f, "link-netns", [&self.netns, &self.link, &self.peer])
    }
}

/// A line of words. A backslash at its end is kept from continuing it by a blank.
fn line<W: AsRef<str>>(f: &mut Formatter<'_>, keyword: &str, words: impl IntoIterator<Item = W>) -> fmt::Result {
    f.write_str(keyword)?;
    let mut last = keyword.ends_with('\\');
    for word in words {
        write!(f, " {}", word.as_ref())?;
        last = word.as_ref().ends_with('\\');
    }
    f.write_str(if last { " \n" } else { "\n" })
}

//! `mapping` stanzas: scripts that choose the logical name of a link (interfaces(5), "MAPPING").
//!
//! Every stanza is tried in turn against the current logical name, so that mappings chain. The script gets the
//! physical name as its argument and the `map` lines as its input; its first line is the new logical name.

use super::report::Report;
use super::surroundings::Surroundings;
use super::value::shown;
use crate::interfaces::Files;
use crate::interfaces::diagnostic::Diagnostic;
use crate::interfaces::pattern::Glob;
use crate::interfaces::syntax::{Mapping, Stanza};
use std::path::Path;

/// The mappings of a file.
pub(super) struct Mappings<'a> {
    all: Vec<(Vec<Glob>, &'a Mapping)>,
    files: &'a dyn Files,
}

impl<'a> Mappings<'a> {
    /// Reads the patterns.
    pub fn new(stanzas: &'a [Stanza], files: &'a dyn Files) -> Self {
        let mappings = stanzas.iter().filter_map(|stanza| match stanza {
            Stanza::Mapping(mapping) => Some(mapping),
            _ => None,
        });
        let globs = |mapping: &Mapping| mapping.patterns.iter().map(|pattern| Glob::new(&pattern.value)).collect();
        Self { all: mappings.map(|mapping| (globs(mapping), mapping)).collect(), files }
    }

    /// The program to run: in `/etc/network` the namespace has its own, everything else is the host's.
    fn program(&self, script: &str) -> String {
        match Path::new(script).starts_with("/etc/network") {
            true => self.files.place(Path::new(script)).display().to_string(),
            false => script.to_owned(),
        }
    }

    /// The logical name of a link after all mappings.
    pub fn apply(
        &self,
        physical: &str,
        mut logical: String,
        surroundings: &dyn Surroundings,
        report: &mut Report,
    ) -> String {
        for (globs, mapping) in &self.all {
            if !globs.iter().any(|glob| glob.matches(&logical)) {
                continue;
            }
            let Some(script) = &mapping.script else {
                let error = Diagnostic::error(&mapping.keyword, "this `mapping` has no `script`");
                report.push(error);
                continue;
            };
            let lines: Vec<String> = mapping.maps.iter().map(|line| line.value.clone()).collect();
            match surroundings.map(&self.program(&script.value), physical, &lines) {
                Ok(answer) => {
                    if let Some(name) = answer.lines().next().map(str::trim_end).filter(|name| !name.is_empty()) {
                        logical = name.to_owned();
                    }
                }
                Err(why) => {
                    let message = format!("the mapping of `{}` failed: {}", shown(physical), why.trim_end());
                    report.push(Diagnostic::error(&script.span, message));
                }
            }
        }
        logical
    }
}

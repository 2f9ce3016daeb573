//! `mapping` stanzas: scripts that choose the logical name of a link (interfaces(5), "MAPPING").
//!
//! Every stanza is tried in turn against the current logical name, so that mappings chain. The script gets the
//! physical name as its argument and the `map` lines as its input; its first line is the new logical name.

use super::report::Report;
use super::surroundings::Surroundings;
use super::value::shown;
use crate::interfaces::diagnostic::Diagnostic;
use crate::interfaces::pattern::Glob;
use crate::interfaces::syntax::{Mapping, Stanza};

/// The mappings of a file.
pub(super) struct Mappings<'a>(Vec<(Vec<Glob>, &'a Mapping)>);

impl<'a> Mappings<'a> {
    /// Reads the patterns.
    pub fn new(stanzas: &'a [Stanza]) -> Self {
        let mappings = stanzas.iter().filter_map(|stanza| match stanza {
            Stanza::Mapping(mapping) => Some(mapping),
            _ => None,
        });
        let globs = |mapping: &Mapping| mapping.patterns.iter().map(|pattern| Glob::new(&pattern.value)).collect();
        Self(mappings.map(|mapping| (globs(mapping), mapping)).collect())
    }

    /// The logical name of a link after all mappings.
    pub fn apply(
        &self,
        physical: &str,
        mut logical: String,
        surroundings: &dyn Surroundings,
        report: &mut Report,
    ) -> String {
        for (globs, mapping) in &self.0 {
            if !globs.iter().any(|glob| glob.matches(&logical)) {
                continue;
            }
            let Some(script) = &mapping.script else {
                let error = Diagnostic::error(&mapping.keyword, "this `mapping` has no `script`");
                report.push(error);
                continue;
            };
            let lines: Vec<String> = mapping.maps.iter().map(|line| line.value.clone()).collect();
            match surroundings.map(&script.value, physical, &lines) {
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

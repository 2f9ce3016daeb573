//! Collects what there is to say, once each, in the order of the files.

use crate::interfaces::MAX_DIAGNOSTICS;
use crate::interfaces::diagnostic::{Diagnostic, Severity};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

/// Diagnostics as they are found. A template's mistake is found once for every stanza that inherits it.
///
/// [`MAX_DIAGNOSTICS`] errors and as many warnings are kept; the others are counted.
#[derive(Default)]
pub(super) struct Report {
    kept: Vec<Diagnostic>,
    seen: HashSet<(PathBuf, u32, u32, String)>,
    errors: usize,
    warnings: usize,
}

impl Report {
    /// Adds one, unless it was said before.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let count = match diagnostic.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if *count >= MAX_DIAGNOSTICS {
            *count += 1;
            return;
        }
        if let Some(span) = &diagnostic.span {
            let place = (span.source.path().to_owned(), span.line, span.start, diagnostic.message.clone());
            if !self.seen.insert(place) {
                return;
            }
        }
        *count += 1;
        self.kept.push(diagnostic);
    }

    /// Takes a value, or reports why there is none.
    pub fn take<T>(&mut self, value: Result<T, Diagnostic>) -> Option<T> {
        value.map_err(|diagnostic| self.push(diagnostic)).ok()
    }

    /// Whether nothing may be applied.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether one more warning would only be counted, so that its guess need not be made any more.
    pub fn is_full(&self) -> bool {
        self.warnings >= MAX_DIAGNOSTICS
    }

    /// All of them, by file in the order of `files`, then by line. Errors are kept before warnings when there are too
    /// many, and the rest is counted.
    pub fn finish(self, files: &[PathBuf]) -> Vec<Diagnostic> {
        let order: HashMap<_, _> = files.iter().enumerate().map(|(index, path)| (path.as_path(), index)).collect();
        let place = |diagnostic: &Diagnostic| {
            let span = diagnostic.span.as_ref()?;
            let file = order.get(span.source.path()).copied().unwrap_or(usize::MAX);
            Some((file, span.source.path().to_owned(), span.line, span.start))
        };
        let mut all = self.kept;
        let omitted = (self.errors + self.warnings).saturating_sub(MAX_DIAGNOSTICS);
        if omitted > 0 {
            all.sort_by_key(|diagnostic| diagnostic.severity != Severity::Error);
            all.truncate(MAX_DIAGNOSTICS);
        }
        all.sort_by_cached_key(place);
        if omitted > 0 {
            let message = format!("and {omitted} more");
            all.push(if self.errors > MAX_DIAGNOSTICS {
                Diagnostic::error_without_place(message)
            } else {
                Diagnostic::warning_without_place(message)
            });
        }
        all
    }
}

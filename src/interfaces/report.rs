//! Collects diagnostics up to a limit, so that a broken file says what is wrong instead of scrolling it away.

use super::MAX_DIAGNOSTICS;
use super::diagnostic::{Diagnostic, Severity};

/// Diagnostics in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Report {
    kept: Vec<Diagnostic>,
    omitted: usize,
    omitted_error: bool,
}

impl Report {
    /// Adds one, or counts it when there are too many already.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.kept.len() < MAX_DIAGNOSTICS {
            self.kept.push(diagnostic);
        } else {
            self.omitted += 1;
            self.omitted_error |= diagnostic.severity == Severity::Error;
        }
    }

    /// All that were kept, and the number of the others. An error among those stays an error.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        let message = format!("and {} more", self.omitted);
        match (self.omitted, self.omitted_error) {
            (0, _) => {}
            (_, true) => self.kept.push(Diagnostic::error_without_place(message)),
            (_, false) => self.kept.push(Diagnostic::warning_without_place(message)),
        }
        self.kept
    }
}

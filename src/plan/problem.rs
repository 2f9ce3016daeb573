//! Why there is no plan.

use crate::model::Place;
use std::fmt;

/// A reason why the desired state cannot be reached from the current one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The link that it is about, where the files name it.
    pub place: Place,
    /// One sentence without a final stop.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    pub(super) fn new(place: &Place, message: impl Into<String>) -> Self {
        Self { place: place.clone(), message: message.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

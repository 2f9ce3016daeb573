//! The questions that a configuration asks of the machine: which links there are, and what a mapping script answers.

use crate::model::LinkName;

/// What the meaning of the files depends on beside the files.
pub trait Surroundings {
    /// The links of the host and of the namespace, once each, in the order of their indexes.
    fn links(&self) -> Vec<LinkName>;

    /// The variable of a pattern: `mac`, or a file of the link's folder in `/sys/class/net`, without its newline.
    fn attribute(&self, link: &LinkName, variable: &str) -> Option<String>;

    /// Alternative names, each with the link that has it.
    fn altnames(&self) -> Vec<(String, LinkName)> {
        Vec::new()
    }

    /// Runs the script of a `mapping` stanza with one argument and lines for its standard input. What it prints, or
    /// why it failed.
    fn map(&self, script: &str, argument: &str, lines: &[String]) -> Result<String, String>;
}

/// A machine without links, where scripts fail: for callers that only want to know names.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Surroundings for Nothing {
    fn links(&self) -> Vec<LinkName> {
        Vec::new()
    }

    fn attribute(&self, _: &LinkName, _: &str) -> Option<String> {
        None
    }

    fn map(&self, _: &str, _: &str, _: &[String]) -> Result<String, String> {
        Err("scripts are not run here".to_owned())
    }
}

//! The questions that a configuration asks of the machine: which links there are, and what a mapping script answers.

use crate::model::{LinkName, NetnsName};
use std::cell::Cell;

/// What the meaning of the files depends on beside the files.
pub trait Surroundings {
    /// The links of the host and of the namespace, once each, in the order of their indexes.
    fn links(&self) -> Vec<LinkName>;

    /// The variable of a pattern: `mac`, or a file of the link's folder in `/sys/class/net`, without its newline.
    fn attribute(&self, link: &LinkName, variable: &str) -> Option<String>;

    /// Whether a program that the files rely on is there.
    fn installed(&self, program: &str) -> bool;

    /// The link that has a name for an alternative one; none if a link is called so.
    fn by_altname(&self, _: &str) -> Option<LinkName> {
        None
    }

    /// The link of a namespace's default route: as it is, or else as the files of that namespace will have it.
    fn uplink(&self, _: &NetnsName, _ipv6: bool) -> Option<LinkName> {
        None
    }

    /// The links of the host that take router advertisements for as long as nothing is forwarded.
    fn advertised(&self) -> Vec<LinkName> {
        Vec::new()
    }

    /// The names of the kernel's settings below a path of `/proc/sys`.
    fn settings(&self, _below: &str) -> Vec<String> {
        Vec::new()
    }

    /// Whether links of other namespaces' files are put into this one, so that it needs no file of its own.
    fn is_used_by_others(&self) -> bool {
        false
    }

    /// Runs the script of a `mapping` stanza with one argument and lines for its standard input. What it prints, or
    /// why it failed.
    fn map(&self, script: &str, argument: &str, lines: &[String]) -> Result<String, String>;
}

/// Surroundings that know whether anything was asked of them.
pub(super) struct Watched<'s> {
    surroundings: &'s dyn Surroundings,
    asked: Cell<bool>,
}

impl<'s> Watched<'s> {
    pub(super) fn new(surroundings: &'s dyn Surroundings) -> Self {
        Self { surroundings, asked: Cell::new(false) }
    }

    pub(super) fn was_asked(&self) -> bool {
        self.asked.get()
    }
}

impl Surroundings for Watched<'_> {
    fn links(&self) -> Vec<LinkName> {
        self.asked.set(true);
        self.surroundings.links()
    }

    fn attribute(&self, link: &LinkName, variable: &str) -> Option<String> {
        self.asked.set(true);
        self.surroundings.attribute(link, variable)
    }

    fn installed(&self, program: &str) -> bool {
        self.asked.set(true);
        self.surroundings.installed(program)
    }

    fn by_altname(&self, name: &str) -> Option<LinkName> {
        let link = self.surroundings.by_altname(name);
        // Every name is asked for; only a link that is found makes a difference.
        self.asked.set(self.asked.get() || link.is_some());
        link
    }

    fn uplink(&self, netns: &NetnsName, ipv6: bool) -> Option<LinkName> {
        self.asked.set(true);
        self.surroundings.uplink(netns, ipv6)
    }

    fn advertised(&self) -> Vec<LinkName> {
        self.asked.set(true);
        self.surroundings.advertised()
    }

    fn settings(&self, below: &str) -> Vec<String> {
        self.asked.set(true);
        self.surroundings.settings(below)
    }

    fn is_used_by_others(&self) -> bool {
        self.asked.set(true);
        self.surroundings.is_used_by_others()
    }

    fn map(&self, script: &str, argument: &str, lines: &[String]) -> Result<String, String> {
        self.asked.set(true);
        self.surroundings.map(script, argument, lines)
    }
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

    /// It is not this machine that is asked about, so everything may be there.
    fn installed(&self, _: &str) -> bool {
        true
    }

    fn map(&self, _: &str, _: &str, _: &[String]) -> Result<String, String> {
        Err("scripts are not run here".to_owned())
    }
}

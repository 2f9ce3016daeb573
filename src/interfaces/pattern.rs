//! Patterns of names: globs, and the `[VARIABLE]/GLOB[/N][=LOGICAL]` of `auto`, `allow-CLASS` and `rename` lines.
//!
//! This module knows no links: whoever does asks for each whether it is meant.

mod glob;

pub use glob::Glob;
use std::fmt;

/// A word of an `auto`, `allow-CLASS` or `rename` line: what it selects, and under which logical name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// `NAME[=LOGICAL]`
    Name {
        /// The name.
        name: String,
        /// The logical name, for `rename` the new name.
        logical: Option<String>,
    },
    /// `[VARIABLE]/GLOB[/N][=LOGICAL]`
    Pattern {
        /// What the glob is compared with: `mac`, or a file of the link's folder in sysfs; its name when absent.
        variable: Option<String>,
        /// An fnmatch(3) pattern, for [`Glob::new`].
        glob: String,
        /// Only the n-th match, counted from 1.
        nth: Option<u32>,
        /// The logical name, for `rename` the new name.
        logical: Option<String>,
    },
}

/// The `N` of a pattern is no number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotANumber(
    /// What stands in its place.
    pub String,
);

impl fmt::Display for NotANumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not the number of a match: {:?}", self.0)
    }
}

impl std::error::Error for NotANumber {}

impl Selector {
    /// Reads a word. The first `/` makes it a pattern; the glob ends at the next one, which is why a `=` before that
    /// belongs to the glob. As in ifupdown, the number 0 is the same as none.
    pub fn parse(word: &str) -> Result<Self, NotANumber> {
        let Some((variable, rest)) = word.split_once('/') else {
            let (name, logical) = split_logical(word);
            return Ok(Self::Name { name: name.to_owned(), logical });
        };
        let (glob, nth, logical) = match rest.split_once('/') {
            Some((glob, rest)) => {
                let (nth, logical) = split_logical(rest);
                let number = if nth.is_empty() { Ok(0) } else { nth.parse() };
                (glob, number.map_err(|_| NotANumber(nth.to_owned()))?, logical)
            }
            None => {
                let (glob, logical) = split_logical(rest);
                (glob, 0, logical)
            }
        };
        Ok(Self::Pattern {
            variable: Some(variable).filter(|variable| !variable.is_empty()).map(str::to_owned),
            glob: glob.to_owned(),
            nth: Some(nth).filter(|nth| *nth > 0),
            logical,
        })
    }

    /// The logical name, if one is given.
    pub fn logical(&self) -> Option<&str> {
        let (Self::Name { logical, .. } | Self::Pattern { logical, .. }) = self;
        logical.as_deref()
    }
}

fn split_logical(text: &str) -> (&str, Option<String>) {
    text.split_once('=').map_or((text, None), |(text, logical)| (text, Some(logical.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str, logical: Option<&str>) -> Selector {
        Selector::Name { name: name.to_owned(), logical: logical.map(str::to_owned) }
    }

    fn pattern(variable: Option<&str>, glob: &str, nth: Option<u32>, logical: Option<&str>) -> Selector {
        let (variable, logical) = (variable.map(str::to_owned), logical.map(str::to_owned));
        Selector::Pattern { variable, glob: glob.to_owned(), nth, logical }
    }

    #[test]
    fn selectors_are_read_as_ifupdown_does() {
        for (word, expected) in [
            ("eth0", name("eth0", None)),
            ("eth0=work", name("eth0", Some("work"))),
            ("eth0=a=b", name("eth0", Some("a=b"))),
            ("/eth*", pattern(None, "eth*", None, None)),
            ("/eth*=lan", pattern(None, "eth*", None, Some("lan"))),
            ("/eth*/1=lan", pattern(None, "eth*", Some(1), Some("lan"))),
            ("/eth*/=lan", pattern(None, "eth*", None, Some("lan"))),
            ("/eth*/0", pattern(None, "eth*", None, None)),
            ("mac/02:*/2", pattern(Some("mac"), "02:*", Some(2), None)),
            ("/eth*=k/1", pattern(None, "eth*=k", Some(1), None)),
        ] {
            assert_eq!(Selector::parse(word), Ok(expected), "{word}");
        }
    }

    #[test]
    fn the_number_of_a_match_is_a_number() {
        for word in ["/eth*/x", "/eth*/-1=lan", "/eth*/99999999999", "/eth*/1/2"] {
            assert!(Selector::parse(word).is_err(), "{word}");
        }
    }
}

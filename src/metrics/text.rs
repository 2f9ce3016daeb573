//! The format itself.

use std::fmt::{Display, Write};

/// What a family is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// It goes up, and begins at 0 again.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// Text that is being written.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    /// Writes a family; nothing when it has no sample. A sample is its labels, escaped and without braces, and a value.
    pub fn family<L: Display, V: Display>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        samples: impl Iterator<Item = (L, V)>,
    ) {
        let start = self.0.len();
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {}\n# TYPE {name} {kind}", help.replace('\\', "\\\\"));
        let head = self.0.len();
        for (labels, value) in samples {
            self.0.push_str(name);
            let _ = writeln!(self.0, "{{{labels}}} {value}");
        }
        if self.0.len() == head {
            self.0.truncate(start);
        }
    }

    /// All of it.
    pub fn finish(self) -> String {
        self.0
    }
}

/// The value of a label.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_empty_families_left_out() {
        let mut text = Text::default();
        text.family("a_total", Kind::Counter, "Back\\slash.", std::iter::once((r#"l="x""#, 1)));
        text.family("b", Kind::Gauge, "Nothing.", std::iter::empty::<(&str, u8)>());
        assert_eq!(text.finish(), "# HELP a_total Back\\\\slash.\n# TYPE a_total counter\na_total{l=\"x\"} 1\n");
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}

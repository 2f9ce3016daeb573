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

/// A family whose samples are being written.
pub(super) struct Family<'a> {
    name: &'a str,
    text: &'a mut String,
}

impl Text {
    /// Writes a family, whose samples `samples` gives; nothing when it gives none.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str, samples: impl FnOnce(&mut Family<'_>)) {
        let start = self.0.len();
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {}\n# TYPE {name} {kind}", help.replace('\\', "\\\\"));
        let head = self.0.len();
        samples(&mut Family { name, text: &mut self.0 });
        if self.0.len() == head {
            self.0.truncate(start);
        }
    }

    /// All of it.
    pub fn finish(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// Writes a sample without labels.
    pub fn bare(&mut self, value: impl Display) {
        let _ = writeln!(self.text, "{} {value}", self.name);
    }

    /// Writes a sample. `labels` are escaped and without braces; `more` are further ones with values as they are.
    pub fn sample(&mut self, labels: &str, more: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.name);
        self.text.push('{');
        self.text.push_str(labels);
        for (name, value) in more {
            self.text.push(',');
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(self.text, value);
            self.text.push('"');
        }
        let _ = writeln!(self.text, "}} {value}");
    }
}

/// The value of a label.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escape(&mut out, text);
    out
}

fn escape(out: &mut String, text: &str) {
    if !text.contains(['\\', '"', '\n']) {
        return out.push_str(text);
    }
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_empty_families_left_out() {
        let mut text = Text::default();
        text.family("a_total", Kind::Counter, "Back\\slash.", |f| f.sample(r#"l="x""#, &[("m", "\"")], 1));
        text.family("b", Kind::Gauge, "Nothing.", |_| {});
        assert_eq!(
            text.finish(),
            "# HELP a_total Back\\\\slash.\n# TYPE a_total counter\na_total{l=\"x\",m=\"\\\"\"} 1\n"
        );
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}

//! The words of a `source` line, as wordexp(3) reads them: quotes, backslashes, `~` and wildcards.
//!
//! What wordexp takes from its surroundings, variables and commands, is refused with the reason. The result is still
//! text: this module looks at no file.

/// The home directory that `~` means. Only root applies a configuration, and an environment without `HOME`, as
/// services have, must give the same files as a login shell.
const HOME: &str = "/root";

/// What wordexp(3) refuses outside of quotes.
const REFUSED: &str = "|&;<>(){}";

/// A word of the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    /// A glob; what was quoted is escaped with backslashes.
    pub glob: String,
    /// Where in the line the word begins, in bytes.
    pub start: usize,
    /// How many bytes it takes there.
    pub len: usize,
}

/// Why a line cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: &'static str,
    /// Where in the line, in bytes.
    pub start: usize,
    /// How many bytes.
    pub len: usize,
}

/// The words of `line`.
pub(super) fn split(line: &str) -> Result<Vec<Pattern>, Refused> {
    let mut words = Vec::new();
    let mut word: Option<Pattern> = None;
    let mut chars = line.char_indices().peekable();
    let mut quote: Option<(usize, char)> = None;
    while let Some((at, c)) = chars.next() {
        if quote.is_none() && u8::try_from(c).is_ok_and(super::lines::is_space) {
            words.extend(word.take());
            continue;
        }
        let first = word.is_none();
        let current = word.get_or_insert_with(|| Pattern { glob: String::new(), start: at, len: 0 });
        let quoted = quote.map(|(_, quote)| quote);
        match (quoted, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some((at, c)),
            (None, '\\') => {
                let next = chars.next();
                escape(&mut current.glob, next.map_or('\\', |(_, c)| c));
            }
            (Some('"'), '\\') => {
                let next = chars.next_if(|(_, c)| matches!(c, '$' | '`' | '"' | '\\'));
                escape(&mut current.glob, next.map_or('\\', |(_, c)| c));
            }
            (None | Some('"'), '$' | '`') => return Err(expansion(line, at)),
            (None, c) if REFUSED.contains(c) => return Err(special(c, at)),
            (None, '~') if first => {
                let name = line[at + 1..].bytes().take_while(|b| *b != b'/' && !super::lines::is_space(*b)).count();
                if name > 0 {
                    return Err(other_home(at, name + 1));
                }
                current.glob.push_str(HOME);
            }
            (None, c) => current.glob.push(c),
            (Some(_), c) => escape(&mut current.glob, c),
        }
        let end = chars.peek().map_or(line.len(), |(at, _)| *at);
        current.len = end - current.start;
    }
    if let Some((start, quote)) = quote {
        let message = format!("this {quote} is never closed");
        return Err(Refused { message, help: "close it before the end of the line", start, len: 1 });
    }
    words.extend(word);
    Ok(words)
}

/// Adds a character that is to be taken as it is.
fn escape(glob: &mut String, c: char) {
    if matches!(c, '*' | '?' | '[' | ']' | '\\' | '(' | '|' | ')') {
        glob.push('\\');
    }
    glob.push(c);
}

fn expansion(line: &str, start: usize) -> Refused {
    let rest = line.get(start..).unwrap_or_default();
    if rest.starts_with('`') || rest.starts_with("$(") {
        return Refused {
            message: "commands are not run to find files".to_owned(),
            help: "name the files, or write a \\ before the character to mean it literally",
            start,
            len: 1,
        };
    }
    let name = rest.bytes().skip(1).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'{' | b'}'));
    Refused {
        message: "variables are not expanded: what is configured must not depend on who runs this".to_owned(),
        help: "write the path itself, or \\$ for a dollar sign",
        start,
        len: 1 + name.count(),
    }
}

fn special(c: char, start: usize) -> Refused {
    let help = "quote it if it belongs to the file's name";
    Refused { message: format!("`{c}` means nothing in the name of a file"), help, start, len: c.len_utf8() }
}

fn other_home(start: usize, len: usize) -> Refused {
    let message = "home directories of other users are not looked up".to_owned();
    Refused { message, help: "write the path itself", start, len }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(line: &str) -> Vec<String> {
        split(line).map(|words| words.into_iter().map(|word| word.glob).collect()).unwrap_or_default()
    }

    #[test]
    fn words_are_split_and_unquoted() {
        assert_eq!(globs("a  b\tc"), ["a", "b", "c"]);
        assert_eq!(globs(r#"'a b'"c d"e\ f"#), ["a bc de f"]);
        assert_eq!(globs(r#"'*' "?" \[ *"#), [r"\*", r"\?", r"\[", "*"]);
        assert_eq!(globs(r#""\$\a" '\$'"#), [r"$\\a", r"\\$"]);
        assert_eq!(globs("''"), [""]);
    }

    #[test]
    fn a_tilde_is_the_home_of_root() {
        assert_eq!(globs("~/a ~ '~' a~"), ["/root/a", "/root", "~", "a~"]);
    }

    #[test]
    fn places_are_those_of_the_written_words() {
        let found = split("a 'b c' ä").unwrap_or_default();
        assert_eq!(found.iter().map(|w| (w.start, w.len)).collect::<Vec<_>>(), [(0, 1), (2, 5), (8, 2)]);
    }

    #[test]
    fn what_depends_on_the_surroundings_is_refused() {
        for (line, start, len) in
            [("a $HOME/b", 2, 5), ("\"${x}\"", 1, 4), ("`ls`", 0, 1), ("{a,b}", 0, 1), ("a|b", 1, 1), ("~x/y", 0, 2)]
        {
            let refused = split(line).map(|_| ()).map_err(|refused| (refused.start, refused.len));
            assert_eq!(refused, Err((start, len)), "{line}");
        }
        assert!(split("'a").is_err());
    }
}

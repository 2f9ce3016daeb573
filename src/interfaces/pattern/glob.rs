//! Globs: fnmatch(3) with extended groups, as ifupdown uses it for names and the shell for files.
//!
//! A glob is matched by carrying the set of positions that the text can have been read up to through the glob from
//! left to right. Nothing is tried twice, so no pattern can make it slow.
//!
//! This module knows neither links nor files: it compares texts.

/// How deep `@(…)` groups may nest; deeper ones are plain text. One within the other is more than anybody writes.
const MAX_NESTING: usize = 2;

/// A pattern that is matched against a whole text.
///
/// `*` any text · `?` any character · `[a-z]`, `[!a-z]`, `[[:digit:]]` one character of a set · `\x` the character x ·
/// `@(a|b)`, `?(…)`, `*(…)`, `+(…)`, `!(…)` one, at most one, any number, at least one, none of the alternatives.
/// An unfinished `[` or group is plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Char(char),
    AnyChar,
    AnyText,
    Set { negated: bool, members: Vec<Member> },
    Group { kind: Kind, alternatives: Vec<Vec<Node>> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Member {
    Range(char, char),
    Class(Class),
}

/// The characters of `[:alpha:]` and its like, ASCII only as in the C locale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Alnum,
    Alpha,
    Blank,
    Digit,
    Lower,
    Punct,
    Space,
    Upper,
    Xdigit,
}

/// How many of its alternatives a group matches, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    One,
    Optional,
    Any,
    AtLeastOne,
    Neither,
}

impl Glob {
    /// Reads a pattern; every text is one.
    pub fn new(pattern: &str) -> Self {
        let chars: Vec<char> = pattern.chars().collect();
        Self { nodes: Reader::new(&chars).sequence(0) }
    }

    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let mut start = vec![false; text.len() + 1];
        start[0] = true;
        reach(&self.nodes, &text, start)[text.len()]
    }

    /// The text that alone matches, when the pattern has no wildcards.
    pub fn literal(&self) -> Option<String> {
        self.nodes.iter().map(|node| if let Node::Char(c) = node { Some(*c) } else { None }).collect()
    }
}

/// The positions of `text` that can be reached from those in `from` by matching `nodes`.
fn reach(nodes: &[Node], text: &[char], from: Vec<bool>) -> Vec<bool> {
    nodes.iter().fold(from, |from, node| step(node, text, &from))
}

fn step(node: &Node, text: &[char], from: &[bool]) -> Vec<bool> {
    match node {
        Node::Char(wanted) => advance(text, from, |c| c == wanted),
        Node::AnyChar => advance(text, from, |_| true),
        Node::Set { negated, members } => advance(text, from, |c| members.iter().any(|m| m.holds(c)) != *negated),
        Node::AnyText => onward(from),
        Node::Group { kind, alternatives } => group(*kind, alternatives, text, from),
    }
}

/// One character further, where `accepts` says so.
fn advance(text: &[char], from: &[bool], accepts: impl Fn(&char) -> bool) -> Vec<bool> {
    let read = from.iter().zip(text).map(|(&reached, c)| reached && accepts(c));
    std::iter::once(false).chain(read).collect()
}

/// Every position from the first on.
fn onward(from: &[bool]) -> Vec<bool> {
    let first = from.iter().position(|&reached| reached).unwrap_or(from.len());
    (0..from.len()).map(|at| at >= first).collect()
}

fn group(kind: Kind, alternatives: &[Vec<Node>], text: &[char], from: &[bool]) -> Vec<bool> {
    let once = |from: &[bool]| {
        let ends = alternatives.iter().map(|nodes| reach(nodes, text, from.to_vec()));
        ends.fold(vec![false; from.len()], |all, end| union(&all, &end))
    };
    match kind {
        Kind::One => once(from),
        Kind::Optional => union(from, &once(from)),
        Kind::AtLeastOne => repeat(once, once(from)),
        Kind::Any => repeat(once, from.to_vec()),
        Kind::Neither => {
            let starts = from.iter().enumerate().filter(|(_, reached)| **reached);
            starts.fold(vec![false; from.len()], |all, (start, _)| {
                let alone: Vec<bool> = (0..from.len()).map(|at| at == start).collect();
                let excluded = once(&alone);
                let others: Vec<bool> = (0..from.len()).map(|at| at >= start && !excluded[at]).collect();
                union(&all, &others)
            })
        }
    }
}

fn union(a: &[bool], b: &[bool]) -> Vec<bool> {
    a.iter().zip(b).map(|(a, b)| *a || *b).collect()
}

/// Adds what `once` reaches until nothing is new.
fn repeat(once: impl Fn(&[bool]) -> Vec<bool>, mut reached: Vec<bool>) -> Vec<bool> {
    loop {
        let more = union(&reached, &once(&reached));
        if more == reached {
            return reached;
        }
        reached = more;
    }
}

impl Member {
    fn holds(&self, c: &char) -> bool {
        match self {
            Member::Range(low, high) => (low..=high).contains(&c),
            Member::Class(class) => class.holds(c),
        }
    }
}

impl Class {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "alnum" => Self::Alnum,
            "alpha" => Self::Alpha,
            "blank" => Self::Blank,
            "digit" => Self::Digit,
            "lower" => Self::Lower,
            "punct" => Self::Punct,
            "space" => Self::Space,
            "upper" => Self::Upper,
            "xdigit" => Self::Xdigit,
            _ => return None,
        })
    }

    fn holds(self, c: &char) -> bool {
        match self {
            Self::Alnum => c.is_ascii_alphanumeric(),
            Self::Alpha => c.is_ascii_alphabetic(),
            Self::Blank => matches!(c, ' ' | '\t'),
            Self::Digit => c.is_ascii_digit(),
            Self::Lower => c.is_ascii_lowercase(),
            Self::Punct => c.is_ascii_punctuation(),
            Self::Space => matches!(c, ' ' | '\t'..='\r'),
            Self::Upper => c.is_ascii_uppercase(),
            Self::Xdigit => c.is_ascii_hexdigit(),
        }
    }
}

/// Reads the text of a pattern. What turns out to be unfinished is put back and read as plain text.
struct Reader<'p> {
    chars: &'p [char],
    at: usize,
    /// No group is closed any more: an opening bracket was read to the end once, and need not be again.
    no_more_groups: bool,
    no_more_sets: bool,
}

impl<'p> Reader<'p> {
    fn new(chars: &'p [char]) -> Self {
        Self { chars, at: 0, no_more_groups: false, no_more_sets: false }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    /// Steps over `c` if it is next.
    fn skip(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    /// Nodes up to the end, or within a group up to its `|` or `)`.
    fn sequence(&mut self, nesting: usize) -> Vec<Node> {
        let mut nodes = Vec::new();
        while let Some(c) = self.peek() {
            if nesting > 0 && matches!(c, '|' | ')') {
                break;
            }
            let node = self.group(nesting).or_else(|| self.set());
            nodes.push(node.unwrap_or_else(|| self.single()));
        }
        nodes
    }

    fn single(&mut self) -> Node {
        match self.next() {
            Some('*') => Node::AnyText,
            Some('?') => Node::AnyChar,
            Some('\\') => Node::Char(self.next().unwrap_or('\\')),
            c => Node::Char(c.unwrap_or_default()),
        }
    }

    /// `@(a|b)` and its like.
    fn group(&mut self, nesting: usize) -> Option<Node> {
        let kind = match self.peek()? {
            '@' => Kind::One,
            '?' => Kind::Optional,
            '*' => Kind::Any,
            '+' => Kind::AtLeastOne,
            '!' => Kind::Neither,
            _ => return None,
        };
        if nesting == MAX_NESTING || self.no_more_groups || self.chars.get(self.at + 1) != Some(&'(') {
            return None;
        }
        let back = self.at;
        self.at += 2;
        let mut alternatives = vec![self.sequence(nesting + 1)];
        while self.skip('|') {
            alternatives.push(self.sequence(nesting + 1));
        }
        if self.skip(')') {
            return Some(Node::Group { kind, alternatives });
        }
        self.at = back;
        self.no_more_groups = true;
        None
    }

    /// `[a-z]` and its like.
    fn set(&mut self) -> Option<Node> {
        let back = self.at;
        if self.no_more_sets || !self.skip('[') {
            return None;
        }
        let negated = self.skip('!') || self.skip('^');
        let mut members = Vec::new();
        while let Some(c) = self.next() {
            if c == ']' && !members.is_empty() {
                return Some(Node::Set { negated, members });
            }
            if c == '['
                && let Some(class) = self.class()
            {
                members.push(Member::Class(class));
                continue;
            }
            let low = self.unescape(c);
            let ranged = self.peek() == Some('-') && self.chars.get(self.at + 1).is_some_and(|&c| c != ']');
            let high = if ranged {
                self.at += 1;
                self.next().map_or(low, |c| self.unescape(c))
            } else {
                low
            };
            members.push(Member::Range(low, high));
        }
        self.at = back;
        self.no_more_sets = true;
        None
    }

    /// The character that `c` stands for, which was just read.
    fn unescape(&mut self, c: char) -> char {
        if c == '\\' { self.next().unwrap_or(c) } else { c }
    }

    /// The rest of `[:name:]` after its first bracket.
    fn class(&mut self) -> Option<Class> {
        let rest = self.chars.get(self.at..)?.strip_prefix(&[':'])?;
        let len = rest.iter().take(8).position(|&c| c == ':')?;
        let (name, end) = rest.split_at(len);
        let class = Class::named(&name.iter().collect::<String>())?;
        end.starts_with(&[':', ']']).then(|| self.at += len + 3)?;
        Some(class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pattern, what it matches, what it does not.
    const CASES: [(&str, &[&str], &[&str]); 24] = [
        ("", &[""], &["a"]),
        ("eth0", &["eth0"], &["eth", "eth01", "ETH0"]),
        ("eth*", &["eth", "eth0", "eth0.5"], &["et", "xeth0"]),
        ("*0", &["0", "eth0", "00"], &["eth01", ""]),
        ("*a*b", &["ab", "xaxb", "abab"], &["ba", "a"]),
        ("eth?", &["eth0", "ethä"], &["eth", "eth10"]),
        ("eth[0-2]", &["eth0", "eth2"], &["eth3", "eth"]),
        ("eth[!0-2]", &["eth3", "eth!"], &["eth0", "eth"]),
        ("eth[^0]", &["eth1"], &["eth0"]),
        ("[]a]", &["]", "a"], &["[", "b"]),
        ("[!]a]", &["b"], &["]", "a"]),
        ("[a-]", &["a", "-"], &["b"]),
        ("[\\]x]", &["]", "x"], &["\\"]),
        ("[[:digit:]_]", &["5", "_"], &["a", ":"]),
        ("[[:nope:]", &["[", ":", "n"], &["x", "a]"]),
        ("[ab", &["[ab"], &["a"]),
        ("\\*\\?", &["*?"], &["ab", "\\*\\?"]),
        ("a\\", &["a\\"], &["a"]),
        ("@(eth|wlan)[0-9]", &["eth0", "wlan1"], &["eth", "ethwlan0"]),
        ("!(ifb*)", &["eth0", "", "if"], &["ifb", "ifb0"]),
        ("a?(b)c", &["ac", "abc"], &["abbc"]),
        ("a*(b|cd)", &["a", "abcdb"], &["ac"]),
        ("+(ab)", &["ab", "abab"], &["", "aba"]),
        ("@(a|b", &["@(a|b"], &["a", "b"]),
    ];

    #[test]
    fn patterns_match_as_fnmatch_does() {
        for (pattern, matching, others) in CASES {
            let glob = Glob::new(pattern);
            for text in matching {
                assert!(glob.matches(text), "{pattern} should match {text:?}");
            }
            for text in others {
                assert!(!glob.matches(text), "{pattern} should not match {text:?}");
            }
        }
    }

    #[test]
    fn only_patterns_without_wildcards_are_literal() {
        assert_eq!(Glob::new("a\\*b").literal().as_deref(), Some("a*b"));
        assert_eq!(Glob::new("a*b").literal(), None);
    }

    #[test]
    fn no_pattern_is_slow() {
        let text = "a".repeat(200);
        for part in ["*a", "*(a|a)", "!(b)", "[", "@(", "!(!(a))", "*(*(a))"] {
            assert!(!Glob::new(&(part.repeat(40) + "c")).matches(&text), "{part}");
        }
        Glob::new(&"@([".repeat(20_000));
    }
}

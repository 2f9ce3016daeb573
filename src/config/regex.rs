//! Extended regular expressions of regex(7), as `bridge_ports regex` gives them to egrep: matched against a whole name.
//!
//! A link's name has at most 15 bytes. So where a part of the expression may end, having begun at one place, is a set of
//! 16 bits, found out once for each part and place: no expression makes this slow. Back-references are not regular, and
//! refused.

use crate::model::LinkName;

/// The longest expression, in bytes.
const MAX_LENGTH: usize = 1024;

/// How deep groups may nest.
const MAX_DEPTH: usize = 32;

/// The highest count of `{M,N}`, as `RE_DUP_MAX` has it.
const MAX_COUNT: u32 = 255;

/// An expression, ready to be matched.
#[derive(Debug)]
pub(super) struct Regex {
    parts: Vec<Node>,
    root: usize,
}

/// A part of an expression; others by their index.
#[derive(Debug)]
enum Node {
    Empty,
    /// `^`
    Start,
    /// `$`
    End,
    /// One of 256 bytes.
    Bytes(Box<[bool; 256]>),
    Sequence(Vec<usize>),
    Choice(Vec<usize>),
    Repeat {
        part: usize,
        least: u32,
        most: Option<u32>,
    },
}

/// Where something ends: bit `n` is before the `n`th byte.
type Places = u16;

impl Regex {
    /// Reads an expression, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_LENGTH {
            return Err("the expression is too long");
        }
        let mut parser = Parser { text: text.as_bytes(), at: 0, depth: 0, parts: Vec::new() };
        let root = parser.choice()?;
        match parser.peek() {
            None => Ok(Self { parts: parser.parts, root }),
            Some(_) => Err("`)` without `(`"),
        }
    }

    /// Whether the whole name matches.
    pub fn matches(&self, name: LinkName) -> bool {
        let text = name.as_str().as_bytes();
        let mut known = vec![[None; LinkName::MAX + 1]; self.parts.len()];
        self.ends(self.root, 0, text, &mut known) & (1 << text.len()) != 0
    }

    /// Where a part may end that begins before byte `at`.
    fn ends(&self, part: usize, at: usize, text: &[u8], known: &mut [[Option<Places>; LinkName::MAX + 1]]) -> Places {
        if let Some(ends) = known[part][at] {
            return ends;
        }
        let here: Places = 1 << at;
        let ends = match &self.parts[part] {
            Node::Empty => here,
            Node::Start => {
                if at == 0 {
                    here
                } else {
                    0
                }
            }
            Node::End => {
                if at == text.len() {
                    here
                } else {
                    0
                }
            }
            Node::Bytes(set) => match text.get(at) {
                Some(byte) if set[usize::from(*byte)] => here << 1,
                _ => 0,
            },
            Node::Sequence(all) => all.iter().fold(here, |from, part| self.step(*part, from, text, known)),
            Node::Choice(all) => all.iter().fold(0, |ends, part| ends | self.ends(*part, at, text, known)),
            Node::Repeat { part, least, most } => self.repeat(*part, *least, *most, here, text, known),
        };
        known[part][at] = Some(ends);
        ends
    }

    /// Where a part may end that begins at any of some places.
    fn step(
        &self,
        part: usize,
        from: Places,
        text: &[u8],
        known: &mut [[Option<Places>; LinkName::MAX + 1]],
    ) -> Places {
        let places = (0..=text.len()).filter(|at| from & (1 << at) != 0);
        places.fold(0, |ends, at| ends | self.ends(part, at, text, known))
    }

    fn repeat(
        &self,
        part: usize,
        least: u32,
        most: Option<u32>,
        here: Places,
        text: &[u8],
        known: &mut [[Option<Places>; LinkName::MAX + 1]],
    ) -> Places {
        let mut now = here;
        for _ in 0..least {
            now = self.step(part, now, text, known);
        }
        let mut all = now;
        for _ in least..most.unwrap_or(u32::MAX) {
            now = self.step(part, now, text, known) & !all;
            if now == 0 {
                break;
            }
            all |= now;
        }
        all
    }
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
    parts: Vec<Node>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == Some(byte);
        self.at += usize::from(eaten);
        eaten
    }

    fn add(&mut self, node: Node) -> usize {
        self.parts.push(node);
        self.parts.len() - 1
    }

    /// `A|B|…`
    fn choice(&mut self) -> Result<usize, &'static str> {
        let mut all = vec![self.sequence()?];
        while self.eat(b'|') {
            all.push(self.sequence()?);
        }
        Ok(if let [only] = all[..] { only } else { self.add(Node::Choice(all)) })
    }

    fn sequence(&mut self) -> Result<usize, &'static str> {
        let mut all = Vec::new();
        while self.peek().is_some_and(|byte| byte != b'|' && !(byte == b')' && self.depth > 0)) {
            if self.peek() == Some(b')') {
                return Err("`)` without `(`");
            }
            let atom = self.atom()?;
            all.push(self.repeated(atom)?);
        }
        Ok(match all[..] {
            [] => self.add(Node::Empty),
            [only] => only,
            _ => self.add(Node::Sequence(all)),
        })
    }

    fn repeated(&mut self, mut part: usize) -> Result<usize, &'static str> {
        let mut stars = 0;
        while let Some(byte) = self.peek() {
            let (least, most) = match byte {
                b'*' => (0, None),
                b'+' => (1, None),
                b'?' => (0, Some(1)),
                b'{' => self.counts()?,
                _ => break,
            };
            self.at += 1;
            stars += 1;
            if stars > MAX_DEPTH {
                return Err("too many repetitions of repetitions");
            }
            part = self.add(Node::Repeat { part, least, most });
        }
        Ok(part)
    }

    /// `{M}`, `{M,}` or `{M,N}`, up to the closing brace.
    fn counts(&mut self) -> Result<(u32, Option<u32>), &'static str> {
        let wrong = "`{` begins no count such as `{1,3}`";
        let rest = &self.text[self.at + 1..];
        let end = rest.iter().position(|byte| *byte == b'}').ok_or(wrong)?;
        let inside = std::str::from_utf8(&rest[..end]).map_err(|_| wrong)?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number| digits && *number <= MAX_COUNT).ok_or(wrong)
        };
        let counts = match inside.split_once(',') {
            None => (number(inside)?, Some(number(inside)?)),
            Some((least, "")) => (number(least)?, None),
            Some((least, most)) => (number(least)?, Some(number(most)?)),
        };
        if counts.1.is_some_and(|most| most < counts.0) {
            return Err(wrong);
        }
        self.at += end + 1;
        Ok(counts)
    }

    fn atom(&mut self) -> Result<usize, &'static str> {
        let byte = self.peek().unwrap_or_default();
        self.at += 1;
        let node = match byte {
            b'.' => Node::Bytes(Box::new([true; 256])),
            b'^' => Node::Start,
            b'$' => Node::End,
            b'[' => self.bracket()?,
            b'(' => return self.group(),
            b'*' | b'+' | b'?' | b'{' => return Err("there is nothing before this to repeat"),
            b'\\' => match self.peek() {
                None => return Err("nothing follows the last `\\`"),
                Some(byte) if byte.is_ascii_alphanumeric() => return Err("`\\` before a letter or digit is not known"),
                Some(byte) => {
                    self.at += 1;
                    one(byte)
                }
            },
            byte => one(byte),
        };
        Ok(self.add(node))
    }

    fn group(&mut self) -> Result<usize, &'static str> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("too many groups in groups");
        }
        let part = self.choice()?;
        if !self.eat(b')') {
            return Err("`(` without `)`");
        }
        self.depth -= 1;
        Ok(part)
    }

    /// `[…]`, its `[` already read.
    fn bracket(&mut self) -> Result<Node, &'static str> {
        let open = "`[` without `]`";
        let mut set = Box::new([false; 256]);
        let not = self.eat(b'^');
        let begin = self.at;
        while self.peek() != Some(b']') || self.at == begin {
            let low = self.peek().ok_or(open)?;
            self.at += 1;
            if low == b'[' && self.peek() == Some(b':') {
                self.class(&mut set)?;
                continue;
            }
            let high = match (self.peek(), self.text.get(self.at + 1)) {
                (Some(b'-'), Some(high)) if *high != b']' => {
                    self.at += 2;
                    *high
                }
                _ => low,
            };
            if high < low {
                return Err("a range in `[…]` ends before it begins");
            }
            (low..=high).for_each(|byte| set[usize::from(byte)] = true);
        }
        self.at += 1;
        if not {
            set.iter_mut().for_each(|member| *member = !*member);
        }
        Ok(Node::Bytes(set))
    }

    /// `[:digit:]` and the like.
    fn class(&mut self, set: &mut [bool; 256]) -> Result<(), &'static str> {
        let wrong = "`[:` begins no class such as `[:digit:]`";
        let rest = &self.text[self.at + 1..];
        let end = rest.windows(2).position(|pair| pair == b":]").ok_or(wrong)?;
        let is: fn(&u8) -> bool = match &rest[..end] {
            b"alpha" => u8::is_ascii_alphabetic,
            b"digit" => u8::is_ascii_digit,
            b"alnum" => u8::is_ascii_alphanumeric,
            b"upper" => u8::is_ascii_uppercase,
            b"lower" => u8::is_ascii_lowercase,
            b"xdigit" => u8::is_ascii_hexdigit,
            b"punct" => u8::is_ascii_punctuation,
            b"graph" | b"print" => u8::is_ascii_graphic,
            _ => return Err(wrong),
        };
        (0..=255).filter(is).for_each(|byte: u8| set[usize::from(byte)] = true);
        self.at += end + 3;
        Ok(())
    }
}

fn one(byte: u8) -> Node {
    let mut set = Box::new([false; 256]);
    set[usize::from(byte)] = true;
    Node::Bytes(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(regex: &str, name: &str) -> bool {
        Regex::parse(regex).unwrap().matches(name.parse().unwrap())
    }

    #[test]
    fn expressions_match_whole_names() {
        for (regex, good, bad) in [
            ("eth.*", &["eth0", "eth", "eth0.5"][..], &["meth0", "et"][..]),
            ("eth[02]", &["eth0", "eth2"], &["eth1", "eth02"]),
            ("p[0-9].*", &["p4p1", "p0"], &["pan0", "p"]),
            ("eth[^0-9]+", &["ethx", "ethxy"], &["eth", "eth1"]),
            ("(eth|en)(p[0-9]s[0-9])?", &["eth", "enp3s0", "en"], &["enp3s", "p3s0"]),
            ("a{2,3}b{2}", &["aabb", "aaabb"], &["abb", "aaaabb", "aab"]),
            ("^eth0$|lan", &["eth0", "lan"], &["eth0lan"]),
            ("x\\.1", &["x.1"], &["xx1"]),
            ("[[:alpha:]]+[[:digit:]-]", &["eth0", "e-"], &["eth", "0"]),
            ("[]x-]+", &["]x-"], &["y"]),
            ("(a*)*b", &["aaaaaaaaaaaaaab", "b"], &["aaaaaaaaaaaaaaa"]),
            ("(|a)+", &["a", "aaa"], &["b"]),
        ] {
            good.iter().for_each(|name| assert!(matches(regex, name), "{regex} {name}"));
            bad.iter().for_each(|name| assert!(!matches(regex, name), "{regex} {name}"));
        }
    }

    #[test]
    fn mistakes_are_told() {
        for bad in ["*", "(a", "a)", "[a", "a{", "a{3,2}", "a{999}", "\\1", "a\\", "[b-a]", "[[:x:]]", "(?x)"] {
            assert!(Regex::parse(bad).is_err(), "{bad}");
        }
        assert!(Regex::parse(&"(".repeat(100)).is_err());
        assert!(Regex::parse(&format!("a{}", "*".repeat(100))).is_err());
        assert!(Regex::parse(&"a".repeat(2000)).is_err());
    }
}

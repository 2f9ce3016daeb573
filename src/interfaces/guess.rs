//! Guesses which keyword a misspelt word was meant to be.

/// What a line may begin with, but for the words inside of stanzas.
const KEYWORDS: [&str; 12] = [
    "auto",
    "iface",
    "source",
    "rename",
    "mapping",
    "template",
    "allow-auto",
    "allow-hotplug",
    "no-scripts",
    "no-auto-down",
    "link-netns",
    "source-directory",
];

/// What other languages call them.
const FOREIGN: [(&str, &str); 2] = [("interface", "iface"), ("include", "source")];

/// The keyword that differs from `word` by at most `distance` letters added, left out, replaced or swapped with their
/// neighbour, and by upper and lower case. Words shorter than the shortest keyword are nothing misspelt.
pub(super) fn keyword(word: &str, distance: usize) -> Option<&'static str> {
    if let Some((_, keyword)) = FOREIGN.iter().find(|(foreign, _)| *foreign == word) {
        return Some(keyword);
    }
    // Not even a swap of every second letter turns a word of four into another.
    let distance = if word.len() <= 4 { distance.min(1) } else { distance };
    let letters = letters(word);
    KEYWORDS
        .into_iter()
        .filter(|keyword| word.len() > 3 && keyword.len().abs_diff(word.len()) <= distance)
        // Each change alters the set of letters by two at most. Most options are told apart by this alone.
        .filter(|keyword| (self::letters(keyword) ^ letters).count_ones() as usize <= 2 * distance)
        .map(|keyword| (edits(word.as_bytes(), keyword.as_bytes()), keyword))
        .filter(|(edits, _)| *edits <= distance)
        .min()
        .map(|(_, keyword)| keyword)
}

/// The set of the letters in a word, case ignored.
fn letters(word: &str) -> u32 {
    word.bytes().fold(0, |set, byte| set | 1 << (byte & 31))
}

/// The number of edits between two words: optimal string alignment, case ignored.
fn edits(a: &[u8], b: &[u8]) -> usize {
    let same = |i: usize, j: usize| a[i].eq_ignore_ascii_case(&b[j]);
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let replaced = above[j] + usize::from(!same(i, j));
            let mut best = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && same(i, j - 1) && same(i - 1, j) {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = above;
        above = row;
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_keywords_are_recognised() {
        for (word, meant) in [
            ("ifcae", "iface"),
            ("Iface", "iface"),
            ("AUTO", "auto"),
            ("atuo", "auto"),
            ("interface", "iface"),
            ("alow-hotplug", "allow-hotplug"),
            ("mappings", "mapping"),
            ("soruce", "source"),
            ("source-directroy", "source-directory"),
        ] {
            assert_eq!(keyword(word, 2).unwrap_or_default(), meant, "{word}");
        }
    }

    #[test]
    fn options_are_no_misspelt_keywords() {
        for word in ["address", "netmask", "mtu", "name", "up", "down", "post-up", "scope", "metric", "mode", "map"] {
            assert_eq!(keyword(word, 2), None, "{word}");
        }
    }
}

//! What a misspelt word may have been meant to be.

/// Longer words are nobody's slip of the pen.
const LONGEST: usize = 32;

/// The candidate that is nearest to `word`, if it is near: one edit away from a word of up to four letters, two from a
/// longer one. Upper and lower case, `-` and `_` are the same.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if word.len() > LONGEST {
        return None;
    }
    let near = if word.len() <= 4 { 1 } else { 2 };
    let word = plain(word);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= near)
        .map(|candidate| (edits(&word, &plain(candidate)), candidate))
        .filter(|(edits, candidate)| *edits <= near && *edits < candidate.len())
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// A help text that proposes `guess`.
pub(super) fn did_you_mean(guess: &str) -> String {
    format!("did you mean `{guess}`?")
}

fn plain(word: &str) -> Vec<u8> {
    word.bytes().map(|byte| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }).collect()
}

/// The number of letters added, left out, replaced or swapped with their neighbour.
fn edits(a: &[u8], b: &[u8]) -> usize {
    let mut rows = [vec![0; b.len() + 1], (0..=b.len()).collect::<Vec<usize>>(), vec![0; b.len() + 1]];
    for i in 1..=a.len() {
        let [before, above, row] = &mut rows;
        row[0] = i;
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        rows.rotate_left(1);
    }
    rows[1][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_recognised() {
        let words = ["address", "netmask", "gateway", "mtu", "static", "dns-search"];
        for (slip, meant) in [
            ("adress", Some("address")),
            ("Address", Some("address")),
            ("gatewya", Some("gateway")),
            ("mut", Some("mtu")),
            ("dns_search", Some("dns-search")),
            ("statci", Some("static")),
            ("colour", None),
            ("mt", Some("mtu")),
            ("", None),
        ] {
            assert_eq!(nearest(slip, words), meant, "{slip}");
        }
    }
}

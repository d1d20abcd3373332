//! "Did you mean": the known name closest to an unknown one.
//!
//! It only words an error. Invariant: nothing is suggested unless it is plainly close, for a wrong
//! hint is worse than none.

/// Longest name that is compared at all; none that is known is as long.
const UNKNOWN_BYTES_MAX: usize = 64;

/// One known name and what else it may be called.
pub(super) struct Candidate {
    /// The name that would be accepted.
    pub name: &'static str,
    /// Names for it in other servers.
    pub elsewhere: &'static [&'static str],
}

/// The candidate that `unknown` was probably meant to be.
///
/// Case and the difference between `-` and `_` do not count; a name from another server is as good
/// as a typing mistake; otherwise at most a third of the letters may be wrong.
pub(super) fn closest(
    unknown: &str,
    candidates: impl Iterator<Item = Candidate>,
) -> Option<&'static str> {
    if unknown.len() > UNKNOWN_BYTES_MAX {
        return None;
    }
    let unknown = plain(unknown);
    let distance = |candidate: &Candidate| {
        let other = candidate.elsewhere.iter().any(|e| plain(e) == unknown);
        if other {
            0
        } else {
            edits(&unknown, &plain(candidate.name))
        }
    };
    candidates
        .map(|candidate| (distance(&candidate), candidate.name))
        .filter(|&(edits, name)| edits <= (name.len() / 3).max(1) && edits < unknown.len())
        .min_by_key(|&(edits, _)| edits)
        .map(|(_, name)| name)
}

fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

/// Insertions, removals, replacements and swaps of neighbours that turn one word into the other.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggestion(unknown: &str) -> Option<&'static str> {
        let known = |name, elsewhere| Candidate { name, elsewhere };
        let candidates = [
            known("port", &[][..]),
            known("host", &["bind"]),
            known("secret", &[]),
            known("max_connections", &["max_conns"]),
        ];
        closest(unknown, candidates.into_iter())
    }

    #[test]
    fn typing_mistakes_and_foreign_names_are_understood() {
        for (unknown, meant) in [
            ("prot", "port"),
            ("Port", "port"),
            ("ports", "port"),
            ("secrt", "secret"),
            ("max-connections", "max_connections"),
            ("maxConnections", "max_connections"),
            ("max_conns", "max_connections"),
            ("bind", "host"),
        ] {
            assert_eq!(suggestion(unknown), Some(meant), "{unknown}");
        }
    }

    #[test]
    fn what_is_far_away_is_left_alone() {
        for unknown in ["tls", "redis", "x", "", "metrics", "po"] {
            assert_eq!(suggestion(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn names_are_compared_up_to_a_length() {
        let known = |name| Candidate {
            name,
            elsewhere: &[],
        };
        let name: &'static str = "abcdefgh".repeat(8).leak();
        assert_eq!(closest(name, [known(name)].into_iter()), Some(name));
        let one_past = format!("{name}x");
        assert_eq!(closest(&one_past, [known(name)].into_iter()), None);
    }

    #[test]
    fn edit_distance() {
        for (a, b, distance) in [
            ("", "", 0),
            ("abc", "", 3),
            ("", "ab", 2),
            ("prot", "port", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(edits(a, b), distance, "{a} {b}");
        }
    }
}

//! Patterns taken apart, and paths compared with them.

use crate::http::query::{self, Plus};
use std::borrow::Cow;
use std::cmp::Ordering;

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment<'p> {
    /// These bytes, percent-encoding undone.
    Literal(Cow<'p, [u8]>),
    /// `{name}`: any segment that is not empty.
    Param(&'p str),
    /// `*`: whatever follows.
    Rest,
}

/// Takes a pattern apart.
///
/// # Panics
/// When it is none, with a text that names it and says why.
pub(super) fn segments(pattern: &str) -> Vec<Segment<'_>> {
    let Some(path) = pattern.strip_prefix('/') else {
        panic!("a route begins with a slash: {pattern:?}");
    };
    assert!(
        !pattern.contains(['?', '#']),
        "a route is a path, without query or fragment: {pattern:?}"
    );
    let mut segments = Vec::new();
    for text in path.split('/') {
        let is_last = segments.last() == Some(&Segment::Rest);
        assert!(!is_last, "nothing follows a * in a route: {pattern:?}");
        let segment = segment(text, pattern);
        assert!(
            !matches!(segment, Segment::Param(_)) || !segments.contains(&segment),
            "a parameter has a name of its own in its route: {pattern:?}"
        );
        segments.push(segment);
    }
    segments
}

fn segment<'p>(text: &'p str, pattern: &str) -> Segment<'p> {
    if text == "*" {
        return Segment::Rest;
    }
    if let Some(name) = param(text) {
        assert!(
            !name.is_empty() && !name.contains(['{', '}', '*']),
            "a parameter of a route has a name between its braces: {pattern:?}"
        );
        return Segment::Param(name);
    }
    assert!(
        !text.contains(['{', '}']) && !text.contains('*'),
        "a parameter or * takes a whole segment of a route, and a brace or star that is meant \
         itself is written %7B, %7D or %2A: {pattern:?}"
    );
    Segment::Literal(query::decode(text, Plus::Literal))
}

/// The name in `{name}`.
pub(super) fn param(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// Compares a literal with a segment of a path as it was sent, percent-encoding undone on the way:
/// `%61` and `a` are the same letter (RFC 3986, section 6.2.2.2), and nothing is allocated.
pub(super) fn compare(literal: &[u8], sent: &[u8]) -> Ordering {
    if memchr::memchr(b'%', sent).is_none() {
        return literal.cmp(sent);
    }
    literal.iter().copied().cmp(Decoded { rest: sent })
}

/// The bytes of a segment; a `%` that encodes nothing stands for itself.
struct Decoded<'s> {
    rest: &'s [u8],
}

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        if let [b'%', high, low, rest @ ..] = self.rest
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            self.rest = rest;
            return u8::try_from(high * 16 + low).ok();
        }
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::catch_unwind;

    fn literal(text: &str) -> Segment<'_> {
        Segment::Literal(Cow::Borrowed(text.as_bytes()))
    }

    #[test]
    fn patterns_are_taken_apart() {
        let table = [
            ("/", vec![literal("")]),
            ("/chat/", vec![literal("chat"), literal("")]),
            ("/a%20b%2Fc+d", vec![literal("a b/c+d")]),
            ("/caf%C3%A9/100%", vec![literal("café"), literal("100%")]),
            ("/%7Bx%7D", vec![literal("{x}")]),
            (
                "/a/{id}/*",
                vec![literal("a"), Segment::Param("id"), Segment::Rest],
            ),
        ];
        for (pattern, wanted) in table {
            assert_eq!(segments(pattern), wanted, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_named() {
        for (pattern, why) in [
            ("", "begins with a slash"),
            ("chat", "begins with a slash"),
            ("/a?b", "without query"),
            ("/a#b", "without query or fragment"),
            ("/*/a", "nothing follows a *"),
            ("/*/", "nothing follows a *"),
            ("/{}", "has a name"),
            ("/{{a}}", "has a name"),
            ("/{*rest}", "has a name"),
            ("/a{b}", "a whole segment"),
            ("/a*", "a whole segment"),
            ("/{a", "a whole segment"),
            ("/{a}/b/{a}", "a name of its own"),
        ] {
            let panic = catch_unwind(|| segments(pattern)).unwrap_err();
            let text = panic.downcast_ref::<String>().unwrap();
            assert!(text.contains(why), "{pattern}: {text}");
            assert!(text.contains(&format!("{pattern:?}")), "{text}");
        }
    }

    #[test]
    fn segments_are_compared_as_what_they_mean() {
        for (literal, sent, wanted) in [
            ("chat", "chat", Ordering::Equal),
            ("chat", "%63h%61t", Ordering::Equal),
            ("é", "%C3%A9", Ordering::Equal),
            ("é", "é", Ordering::Equal),
            ("a/b", "a%2fb", Ordering::Equal),
            ("100%", "100%", Ordering::Equal),
            ("%4", "%4", Ordering::Equal),
            ("%zz", "%zz", Ordering::Equal),
            ("", "", Ordering::Equal),
            ("chat", "Chat", Ordering::Greater),
            ("%61", "%2561", Ordering::Equal), // once only
            ("a", "%2561", Ordering::Greater),
            ("a", "%61%62", Ordering::Less),
        ] {
            assert_eq!(
                compare(literal.as_bytes(), sent.as_bytes()),
                wanted,
                "{sent}"
            );
        }
    }
}

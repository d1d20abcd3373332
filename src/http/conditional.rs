//! Requests for something that the client may have already, or wants a part of (RFC 9110, sections
//! 13 and 14).
//!
//! Not here: what is asked for. One range of bytes is served; a list of several is passed over, and
//! the answer is the whole, which section 14.2 allows: a list can make a small request a large one.

use std::ops::Range;

use super::date;

/// What is known of what is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Bytes of it.
    pub length: u64,
    /// Its strong entity tag, in its quotes.
    pub etag: String,
    /// When it was changed last, in seconds since 1970.
    pub modified_s: u64,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it: 200.
    Whole,
    /// These bytes of it: 206.
    Part(Range<u64>),
    /// The client has it: 304.
    NotModified,
    /// It is not what the client expects: 412.
    Failed,
    /// The part that is wanted does not exist: 416.
    NoSuchPart,
}

/// Judges a GET, or a HEAD when `is_head`, by its fields.
pub fn judge<'a>(
    selected: &Selected,
    is_head: bool,
    field: impl Fn(&str) -> Option<&'a [u8]>,
) -> Wanted {
    // In the order of section 13.2.2.
    if let Some(tags) = field("if-match") {
        if !names(tags, &selected.etag, false) {
            return Wanted::Failed;
        }
    } else if field("if-unmodified-since")
        .and_then(date::parse)
        .is_some_and(|since_s| selected.modified_s > since_s)
    {
        return Wanted::Failed;
    }
    if let Some(tags) = field("if-none-match") {
        if names(tags, &selected.etag, true) {
            return Wanted::NotModified;
        }
    } else if field("if-modified-since")
        .and_then(date::parse)
        .is_some_and(|since_s| selected.modified_s <= since_s)
    {
        return Wanted::NotModified;
    }
    let Some(range) = field("range").filter(|_| !is_head) else {
        return Wanted::Whole; // ranges are for GET (section 14.2)
    };
    let is_the_same = field("if-range").is_none_or(|condition| match condition.first() {
        Some(b'"') => condition == selected.etag.as_bytes(),
        _ => date::parse(condition) == Some(selected.modified_s),
    });
    match one_range(range).filter(|_| is_the_same) {
        None => Wanted::Whole,
        Some(asked) => match asked.of(selected.length) {
            Some(part) => Wanted::Part(part),
            None => Wanted::NoSuchPart,
        },
    }
}

/// Whether a list of entity tags names this one; `*` names any.
fn names(list: &[u8], etag: &str, weak_is_enough: bool) -> bool {
    if list == b"*" {
        return true;
    }
    // A comma may stand in a tag: ours has none, so cutting one in two finds nothing.
    let mut tags = list.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    tags.any(|tag| {
        let strong = tag.strip_prefix(b"W/").filter(|_| weak_is_enough);
        strong.unwrap_or(tag) == etag.as_bytes()
    })
}

/// A range as it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// From a byte to another one, or to the end.
    From(u64, Option<u64>),
    /// So many bytes at the end.
    Last(u64),
}

impl Asked {
    /// The bytes of something so long, if there are any.
    fn of(self, length: u64) -> Option<Range<u64>> {
        let part = match self {
            Self::From(first, last) => {
                let end = last.map_or(length, |last| last.saturating_add(1));
                first..end.min(length)
            }
            Self::Last(count) => length.saturating_sub(count)..length,
        };
        (!part.is_empty()).then_some(part)
    }
}

/// The only range of a field; `None` for several, other units, and what is no range.
fn one_range(field: &[u8]) -> Option<Asked> {
    let text = std::str::from_utf8(field).ok()?;
    let (unit, range) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // A number that fits nowhere lies behind every end.
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    match (first, last) {
        ("", last) => number(last).map(Asked::Last),
        (first, "") => number(first).map(|first| Asked::From(first, None)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Asked::From(first, Some(last)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    fn judged(is_head: bool, fields: &[(&str, &str)]) -> Wanted {
        let selected = Selected {
            length: 10,
            etag: "\"a-1\"".into(),
            modified_s: 784_111_777,
        };
        judge(&selected, is_head, |name| {
            let mut found = fields.iter().filter(|(key, _)| *key == name);
            found.next().map(|(_, value)| value.as_bytes())
        })
    }

    #[test]
    fn one_range_is_a_part_and_anything_else_the_whole() {
        let table = [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-5", Wanted::Part(2..6)),
            ("Bytes = 2-5", Wanted::Part(2..6)),
            ("bytes=9-", Wanted::Part(9..10)),
            ("bytes=0-", Wanted::Part(0..10)),
            ("bytes=5-99999999999999999999999", Wanted::Part(5..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-10", Wanted::Part(0..10)),
            ("bytes=-11", Wanted::Part(0..10)),
            ("bytes=10-", Wanted::NoSuchPart),
            ("bytes=10-12", Wanted::NoSuchPart),
            ("bytes=99999999999999999999999-", Wanted::NoSuchPart),
            ("bytes=-0", Wanted::NoSuchPart),
            ("bytes=5-2", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("bytes=", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=1--2", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
            ("", Wanted::Whole),
        ];
        for (range, wanted) in table {
            assert_eq!(judged(false, &[("range", range)]), wanted, "{range}");
            assert_eq!(judged(true, &[("range", range)]), Wanted::Whole, "{range}");
        }
    }

    #[test]
    fn nothing_has_no_parts() {
        assert_eq!(Asked::From(0, None).of(0), None);
        assert_eq!(Asked::Last(5).of(0), None);
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let table = [
            ("if-none-match", "\"a-1\"", Wanted::NotModified),
            ("if-none-match", "W/\"a-1\"", Wanted::NotModified),
            ("if-none-match", "\"x\", W/\"a-1\"", Wanted::NotModified),
            ("if-none-match", "*", Wanted::NotModified),
            ("if-none-match", "\"a-2\"", Wanted::Whole),
            ("if-none-match", "a-1", Wanted::Whole),
            ("if-modified-since", MODIFIED, Wanted::NotModified),
            ("if-modified-since", BEFORE, Wanted::Whole),
            ("if-modified-since", "some time ago", Wanted::Whole),
            ("if-match", "\"a-1\"", Wanted::Whole),
            ("if-match", "*", Wanted::Whole),
            ("if-match", "W/\"a-1\"", Wanted::Failed),
            ("if-match", "\"a-2\"", Wanted::Failed),
            ("if-unmodified-since", MODIFIED, Wanted::Whole),
            ("if-unmodified-since", BEFORE, Wanted::Failed),
        ];
        for (name, value, wanted) in table {
            assert_eq!(judged(false, &[(name, value)]), wanted, "{name}: {value}");
        }
        // The tag is the better witness.
        let both = [
            ("if-none-match", "\"a-2\""),
            ("if-modified-since", MODIFIED),
        ];
        assert_eq!(judged(false, &both), Wanted::Whole);
    }

    #[test]
    fn a_part_is_only_of_use_to_who_has_the_rest_of_the_same() {
        for (condition, wanted) in [
            ("\"a-1\"", Wanted::Part(2..6)),
            ("W/\"a-1\"", Wanted::Whole),
            ("\"a-2\"", Wanted::Whole),
            (MODIFIED, Wanted::Part(2..6)),
            (BEFORE, Wanted::Whole),
        ] {
            let fields = [("range", "bytes=2-5"), ("if-range", condition)];
            assert_eq!(judged(false, &fields), wanted, "{condition}");
        }
        let fields = [("range", "bytes=10-"), ("if-range", "\"a-2\"")];
        assert_eq!(judged(false, &fields), Wanted::Whole);
    }
}

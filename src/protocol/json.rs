//! JSON in and out: simd-json's tape with reused buffers, and a writer that never allocates
//! more than its output.
//!
//! A [`JsonReader`] parses in place and lends a [`Value`]; strings point into the input.
//! Nesting is bounded by the reader. When a key stands twice the last one counts, as in every
//! JavaScript engine.

use simd_json::{Buffers, Node, StaticNode, Tape};
use std::io::Write;

/// Parses documents one after the other without allocating in steady state.
pub struct JsonReader {
    buffers: Buffers,
    /// Always empty between two documents; kept for its allocation.
    tape: Tape<'static>,
}

/// A tape without memory of its own; `Tape::null()` would allocate a node.
const EMPTY: Tape<'static> = Tape(Vec::new());

/// Text that is not a JSON document, or one nested deeper than the reader allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJson;

impl JsonReader {
    /// A reader that refuses documents nested deeper than `depth_max`.
    #[must_use]
    pub fn new(depth_max: usize) -> Self {
        Self {
            buffers: Buffers::with_max_depth(1024, depth_max),
            tape: EMPTY,
        }
    }

    /// Parses `input`, which is scrambled in the process, and hands the result to `visit`.
    ///
    /// # Errors
    /// [`NotJson`] when the text is not one JSON value.
    pub fn read<'a, T>(
        &mut self,
        input: &'a mut [u8],
        visit: impl FnOnce(Value<'_, 'a>) -> T,
    ) -> Result<T, NotJson> {
        let mut tape = std::mem::replace(&mut self.tape, EMPTY).reset();
        let outcome = match simd_json::fill_tape(input, &mut self.buffers, &mut tape) {
            Ok(()) if !tape.0.is_empty() => Ok(visit(Value {
                nodes: &tape.0,
                at: 0,
            })),
            _ => Err(NotJson),
        };
        self.tape = tape.reset();
        outcome
    }
}

impl std::fmt::Debug for JsonReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonReader").finish_non_exhaustive()
    }
}

/// One value of a parsed document; strings live as long as the input (`'a`).
#[derive(Clone, Copy, Debug)]
pub struct Value<'t, 'a> {
    nodes: &'t [Node<'a>],
    at: usize,
}

impl<'t, 'a> Value<'t, 'a> {
    /// The text of a string.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        match self.nodes[self.at] {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        matches!(self.nodes[self.at], Node::Static(StaticNode::Null))
    }

    /// Whether this is an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        matches!(self.nodes[self.at], Node::Object { .. })
    }

    /// The pairs of an object, nothing for any other value.
    pub fn entries(self) -> impl Iterator<Item = (&'a str, Value<'t, 'a>)> {
        let mut left = match self.nodes[self.at] {
            Node::Object { len, .. } => len,
            _ => 0,
        };
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            left -= 1;
            let Node::String(key) = self.nodes[at] else {
                unreachable!("simd-json puts a string in front of every value of an object")
            };
            let value = Value {
                nodes: self.nodes,
                at: at + 1,
            };
            at = value.end();
            Some((key, value))
        })
    }

    /// The elements of an array; `None` for any other value.
    #[must_use]
    pub fn elements(self) -> Option<impl ExactSizeIterator<Item = Value<'t, 'a>>> {
        let Node::Array { len, .. } = self.nodes[self.at] else {
            return None;
        };
        let mut at = self.at + 1;
        Some((0..len).map(move |_| {
            let value = Value {
                nodes: self.nodes,
                at,
            };
            at = value.end();
            value
        }))
    }

    /// Writes the value as JSON text.
    pub fn write(self, out: &mut Vec<u8>) {
        match self.nodes[self.at] {
            Node::String(text) => quote(text, out),
            Node::Static(node) => write_static(node, out),
            Node::Object { .. } => {
                out.push(b'{');
                for (index, (key, value)) in self.entries().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    quote(key, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
            Node::Array { .. } => {
                out.push(b'[');
                for (index, value) in self.elements().into_iter().flatten().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    value.write(out);
                }
                out.push(b']');
            }
        }
    }

    /// The node after this value and everything in it.
    fn end(self) -> usize {
        match self.nodes[self.at] {
            Node::Object { count, .. } | Node::Array { count, .. } => self.at + 1 + count,
            _ => self.at + 1,
        }
    }
}

fn write_static(node: StaticNode, out: &mut Vec<u8>) {
    match node {
        StaticNode::Null => out.extend_from_slice(b"null"),
        StaticNode::Bool(true) => out.extend_from_slice(b"true"),
        StaticNode::Bool(false) => out.extend_from_slice(b"false"),
        StaticNode::I64(number) => write_integer(number, out),
        StaticNode::U64(number) => write_integer(number, out),
        // As browsers write them: in full, `1e300` would become as many digits for every receiver.
        StaticNode::F64(number) => match number.abs() {
            0.0 | 1e-6..1e21 => write!(out, "{number}"),
            _ => write!(out, "{number:e}"),
        }
        .expect("a Vec takes every write"),
    }
}

/// Appends a decimal integer.
pub fn write_integer(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends `text` as a JSON string, quotes included.
pub fn quote(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Appends `text` with JSON's escapes, without quotes.
pub fn escape(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(text.len());
    let mut rest = text.as_bytes();
    loop {
        let (clean, behind) = rest.split_at(plain_prefix(rest));
        out.extend_from_slice(clean);
        let Some((&byte, behind)) = behind.split_first() else {
            return;
        };
        rest = behind;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
    }
}

/// How many bytes come before the first that JSON wants escaped: a quote, a backslash or a control
/// character. Eight are looked at together.
fn plain_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const TOPS: u64 = ONES << 7;
    // Sets the top bit of each byte below `limit`. A borrow can set more of them, but only above
    // the first that is right, and the first is what is asked for.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & TOPS;
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let equals = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        let found = below(word, 0x20) | equals(b'"') | equals(b'\\');
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let is_plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
    let in_tail = tail.iter().take_while(|byte| is_plain(byte)).count();
    bytes.len() - tail.len() + in_tail
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rewrite(text: &str) -> Result<String, NotJson> {
        let mut input = text.as_bytes().to_vec();
        let mut out = Vec::new();
        JsonReader::new(32).read(&mut input, |value| value.write(&mut out))?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn values_come_out_as_they_went_in() {
        for text in [
            r#"{"a":[1,-2,{"b":null}],"c":"x\ny","d":true,"e":false,"f":{},"g":[]}"#,
            "[[],[[]],{\"a\":{\"b\":[1,2,[3]]}},4]",
            "\"\\u0001\\\"\\\\\"",
            "1.5",
            "18446744073709551615",
            "\"Zoë ☃ 😀\"",
        ] {
            assert_eq!(rewrite(text).unwrap(), text);
        }
        assert_eq!(rewrite(" { \"a\" : 1 } ").unwrap(), r#"{"a":1}"#);
    }

    #[test]
    fn nesting_is_bounded() {
        // F23
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(rewrite(&nested(31)).is_ok());
        assert!(rewrite(&nested(33)).is_err());
        assert!(rewrite(&nested(100_000)).is_err());
    }

    #[test]
    fn what_is_not_one_document_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "nope",
            "{}{}",
            "{\"a\":}",
            "\"\\ud800\"",
            "[1,]",
            "\u{1}",
        ] {
            assert_eq!(rewrite(text), Err(NotJson), "{text:?}");
        }
    }

    #[test]
    fn the_reader_survives_a_refusal() {
        let mut reader = JsonReader::new(32);
        assert!(reader.read(&mut b"nope".to_vec(), |_| ()).is_err());
        let mut good = b"[7]".to_vec();
        let first = reader.read(&mut good, |value| value.elements().unwrap().len());
        assert_eq!(first, Ok(1));
    }

    #[test]
    fn numbers_come_out_as_browsers_write_them() {
        for (text, written) in [
            ("1E0", "1"),
            ("1.0", "1"),
            ("1e2", "100"),
            ("-2.50", "-2.5"),
            ("0e5", "0"),
            ("1e-6", "0.000001"),
            ("9e-7", "9e-7"),
            ("1e20", "100000000000000000000"),
            ("1e21", "1e21"),
            ("-1.5e300", "-1.5e300"),
            ("18446744073709551616", "18446744073709552000"),
        ] {
            assert_eq!(rewrite(text).as_deref(), Ok(written), "{text}");
        }
    }

    /// Whether two values are the same to a reader that has one type of number, as browsers do:
    /// `1` and `1.0`, and `0` and `-0`. Of floats one of both readers may lose the last bit.
    fn agree(ours: &serde_json::Value, theirs: &serde_json::Value) -> bool {
        use serde_json::Value::{Array, Number, Object};
        match (ours, theirs) {
            (Array(ours), Array(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| agree(a, b))
            }
            (Object(ours), Object(theirs)) => {
                let known = |(key, value)| theirs.get(key).is_some_and(|it| agree(value, it));
                ours.len() == theirs.len() && ours.iter().all(known)
            }
            (Number(ours), Number(theirs)) if ours.is_f64() || theirs.is_f64() => {
                let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
                (ours - theirs).abs() <= ours.abs() * 1e-15
            }
            _ => ours == theirs,
        }
    }

    #[test]
    fn values_agree_by_what_they_mean() {
        let value = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
        for (ours, theirs, wanted) in [
            ("[-0,{\"a\":-0.0}]", "[0,{\"a\":0}]", true),
            ("1", "1E0", true),
            ("10000000000000000000", "1e19", true),
            ("[0]", "[1]", false),
            ("0", "1e-9", false),
            ("9007199254740993", "9007199254740992", false),
            ("[1]", "[1,1]", false),
            ("{\"a\":1}", "{\"b\":1}", false),
            ("1", "\"1\"", false),
        ] {
            assert_eq!(
                agree(&value(ours), &value(theirs)),
                wanted,
                "{ours} {theirs}"
            );
        }
    }

    #[test]
    fn every_byte_is_escaped_or_not_at_every_place() {
        for byte in 0..=0x7f_u8 {
            let special = byte < 0x20 || byte == b'"' || byte == b'\\';
            for at in 0..20 {
                let mut text = "x".repeat(at);
                text.push(char::from(byte));
                text.push_str("\u{80}yyyyyyyyy");
                let expected = if special { at } else { text.len() };
                assert_eq!(plain_prefix(text.as_bytes()), expected, "{byte:#x} at {at}");
            }
        }
    }

    proptest! {
        #[test]
        fn escaped_text_reads_back(text in ".*") {
            let mut quoted = Vec::new();
            quote(&text, &mut quoted);
            let back: String = serde_json::from_slice(&quoted).unwrap();
            prop_assert_eq!(back, text);
        }

        #[test]
        fn simd_json_and_serde_json_agree(text in "[\\[\\]{}\",:0-9a-c \\\\ntu.eE+-]{0,24}") {
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text);
            let ours = rewrite(&text).ok().map(|text| value(&text).unwrap());
            let theirs = value(&text).ok();
            // Numbers past 64 bits are floats to one and errors to neither; the values agree.
            let same = match (&ours, &theirs) {
                (Some(ours), Some(theirs)) => agree(ours, theirs),
                _ => ours.is_none() && theirs.is_none(),
            };
            prop_assert!(same, "{:?} {:?}", ours, theirs);
        }
    }
}

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
        StaticNode::F64(number) => {
            write!(out, "{number}").expect("a Vec takes every write");
        }
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

    /// "-0" is the integer zero to one reader and a float with a sign to the other.
    fn without_signed_zero(mut value: serde_json::Value) -> serde_json::Value {
        match &mut value {
            serde_json::Value::Array(items) => {
                for item in items {
                    *item = without_signed_zero(item.take());
                }
            }
            serde_json::Value::Object(fields) => {
                for field in fields.values_mut() {
                    *field = without_signed_zero(field.take());
                }
            }
            number if number.as_f64() == Some(0.0) => *number = 0.into(),
            _ => {}
        }
        value
    }

    #[test]
    fn zero_has_no_sign_that_matters() {
        let value = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let same = |a, b| without_signed_zero(value(a)) == without_signed_zero(value(b));
        assert!(same("[-0,{\"a\":-0.0}]", "[0,{\"a\":0}]") && !same("[0]", "[1]"));
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
            prop_assert_eq!(ours.map(without_signed_zero), theirs.map(without_signed_zero));
        }
    }
}

//! Messages that come compressed (RFC 7692): gathered like others, inflated when they are whole.

use super::{CodecError, Decoder, Kind};
use crate::ws::deflate::{InflateError, Inflater};
use std::rc::Rc;

// Held for every connection, of which few are compressed: what is more stands behind the `Rc`.
const _: () = assert!(size_of::<Decoder>() <= 96);

impl From<InflateError> for CodecError {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::TooBig => Self::TooBig,
            InflateError::Damaged => Self::Damaged,
        }
    }
}

impl Decoder {
    /// Takes compressed messages too: permessage-deflate was agreed on. Their limit holds for
    /// what came and for what it means.
    #[must_use]
    pub fn inflating(mut self, inflater: Rc<Inflater>) -> Self {
        self.inflater = Some(inflater);
        self
    }

    /// Puts a compressed message into `message` as what it means.
    pub(super) fn inflate(&mut self, kind: Kind, compressed: &[u8]) -> Result<(), CodecError> {
        let inflater = self.inflater.as_ref();
        let inflater = inflater.expect("no other frame may have RSV1");
        self.message = inflater.inflate(compressed, self.message_max)?;
        match kind == Kind::Text && simdutf8::basic::from_utf8(&self.message).is_err() {
            true => Err(CodecError::InvalidText),
            false => Ok(()),
        }
    }

    /// An idle connection holds no buffer.
    pub(super) fn let_go(&mut self) {
        let message = std::mem::take(&mut self.message);
        if let Some(inflater) = &self.inflater {
            inflater.give_back(message);
        }
    }

    /// The bits of a frame's first byte that mean nothing here.
    pub(super) fn reserved(&self) -> u8 {
        if self.inflater.is_some() { 0x30 } else { 0x70 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Seen, decode_with, frame};
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};
    use proptest::prelude::*;

    const MAX: usize = 5000;

    fn decode<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
        decode_with(Decoder::new(MAX).inflating(Rc::default()), reads)
    }

    /// What a message is on the wire (RFC 7692, section 7.2.1).
    fn deflated(payload: &[u8]) -> Vec<u8> {
        let mut stream = Compress::new(Compression::fast(), false);
        let mut out = Vec::with_capacity(2 * payload.len() + 100);
        stream
            .compress_vec(payload, &mut out, FlushCompress::Sync)
            .unwrap();
        out.truncate(out.len() - 4);
        out
    }

    fn text(text: &str) -> Seen {
        Seen::Text(text.into())
    }

    /// Rows of (bytes, what they say).
    fn table() -> Vec<(Vec<u8>, Vec<Seen>)> {
        let hello = deflated(b"hello");
        let (start, end) = hello.split_at(3);
        let protocol = |before: &[Seen]| [before, &[Seen::Error(CodecError::Protocol)]].concat();
        let cat = |parts: &[Vec<u8>]| parts.concat();
        let noise: Vec<u8> = (0..MAX).map(|n| (n * n / 8) as u8).collect();
        vec![
            (frame(0xc1, &hello), vec![text("hello")]),
            (frame(0xc2, &hello), vec![Seen::Binary(b"hello".to_vec())]),
            (frame(0xc1, &[0]), vec![text("")]),
            // RSV1 is of the message, so it stands on the first fragment (RFC 7692, section 6.1).
            (
                cat(&[
                    frame(0x41, start),
                    frame(0x89, b"x"),
                    frame(0x00, b""),
                    frame(0x80, end),
                ]),
                vec![Seen::Ping(b"x".to_vec()), text("hello")],
            ),
            // Each message says for itself whether it is compressed (section 6).
            (
                cat(&[
                    frame(0x81, b"a"),
                    frame(0xc1, &hello),
                    frame(0x01, b"b"),
                    frame(0x80, b"c"),
                    frame(0xc1, &hello),
                    frame(0x88, b""),
                ]),
                vec![
                    text("a"),
                    text("hello"),
                    text("bc"),
                    text("hello"),
                    Seen::Close(None),
                ],
            ),
            // A character that is cut in the compressed bytes is none of the text's business.
            (
                cat(&[
                    frame(0x41, &deflated("\u{2603}".as_bytes())[..2]),
                    frame(0x80, &deflated("\u{2603}".as_bytes())[2..]),
                ]),
                vec![text("\u{2603}")],
            ),
            // F12: on any other frame it breaks the protocol.
            (frame(0xc9, b"x"), protocol(&[])),
            (frame(0xca, b"x"), protocol(&[])),
            (frame(0xc8, b""), protocol(&[])),
            (cat(&[frame(0x41, start), frame(0xc0, end)]), protocol(&[])),
            (cat(&[frame(0x01, b"x"), frame(0xc0, b"y")]), protocol(&[])),
            (cat(&[frame(0x41, start), frame(0xc1, end)]), protocol(&[])),
            (frame(0xc0, &hello), protocol(&[])),
            (frame(0xe1, &hello), protocol(&[])),
            (frame(0xd1, &hello), protocol(&[])),
            (frame(0xa1, b"x"), protocol(&[])),
            (
                cat(&[frame(0xc1, &hello), frame(0xb1, b"x")]),
                protocol(&[text("hello")]),
            ),
            (
                frame(0xc1, &deflated(b"caf\xe9")),
                vec![Seen::Error(CodecError::InvalidText)],
            ),
            (
                frame(0xc2, &deflated(b"caf\xe9")),
                vec![Seen::Binary(b"caf\xe9".to_vec())],
            ),
            (
                frame(0xc2, &[0xff; 20]),
                vec![Seen::Error(CodecError::Damaged)],
            ),
            // The limit holds for what comes out, and for what comes in.
            (
                frame(0xc2, &deflated(&[7; MAX])),
                vec![Seen::Binary(vec![7; MAX])],
            ),
            (
                frame(0xc2, &deflated(&[7; MAX + 1])),
                vec![Seen::Error(CodecError::TooBig)],
            ),
            (
                frame(0xc2, &[0; MAX + 1]),
                vec![Seen::Error(CodecError::TooBig)],
            ),
            (
                cat(&[frame(0x42, &noise), frame(0x80, b"x")]),
                vec![Seen::Error(CodecError::TooBig)],
            ),
        ]
    }

    #[test]
    fn every_row_whole_and_in_pieces() {
        for (bytes, says) in table() {
            for size in [bytes.len(), 1, 2, 3, 7, 1000] {
                let start = &bytes[..bytes.len().min(40)];
                assert_eq!(decode(bytes.chunks(size)), says, "{size}: {start:x?}");
            }
        }
    }

    // RFC 6455, section 5.2: RSV1 means nothing unless it was agreed on.
    #[test]
    fn without_an_agreement_rsv1_breaks_the_protocol() {
        let bytes = frame(0xc1, &deflated(b"hello"));
        let seen = decode_with(Decoder::new(MAX), [&*bytes]);
        assert_eq!(seen, [Seen::Error(CodecError::Protocol)]);
    }

    #[test]
    fn a_decoder_that_has_handed_out_its_message_holds_none() {
        let inflater = Rc::new(Inflater::default());
        let mut decoder = Decoder::new(MAX).inflating(Rc::clone(&inflater));
        let mut bytes = frame(0xc2, &deflated(&[7; 3000]));
        let mut input = bytes.as_mut_slice();
        assert!(decoder.next(&mut input).unwrap().is_some());
        let at = decoder.message.as_ptr();
        assert_eq!(decoder.next(&mut input), Ok(None));
        assert_eq!(decoder.message.capacity(), 0);
        let mut bytes = frame(0xc2, &deflated(&[8; 3000]));
        let mut input = bytes.as_mut_slice();
        assert!(decoder.next(&mut input).unwrap().is_some());
        assert_eq!(
            decoder.message.as_ptr(),
            at,
            "the shard's buffer went round"
        );
    }

    proptest! {
        #[test]
        fn any_fragments_and_splits_say_the_same(
            payloads in prop::collection::vec("[ab\u{2603}]{0,300}", 1..5),
            cut in 1usize..50,
            split in 1usize..60,
        ) {
            let mut bytes = Vec::new();
            for payload in &payloads {
                let compressed = deflated(payload.as_bytes());
                let mut pieces: Vec<_> = compressed.chunks(cut).take(60).collect();
                let rest = &compressed[pieces.concat().len()..];
                pieces.push(rest);
                let last = pieces.len() - 1;
                for (number, piece) in pieces.into_iter().enumerate() {
                    let first = if number == 0 { 0x41 } else { 0 };
                    let fin = if number == last { 0x80 } else { 0 };
                    bytes.extend(frame(first | fin, piece));
                }
            }
            let says: Vec<_> = payloads.iter().map(|payload| text(payload)).collect();
            prop_assert_eq!(decode(bytes.chunks(split)), says);
        }

        #[test]
        fn noise_never_panics(
            payload in prop::collection::vec(any::<u8>(), 0..300),
            flips in prop::collection::vec((0usize..200, any::<u8>()), 0..4),
        ) {
            decode([&*frame(0xc1, &payload)]);
            let mut almost = deflated(&b"one two three ".repeat(20));
            for (at, flip) in flips {
                let at = at % almost.len();
                almost[at] ^= flip;
            }
            decode([&*frame(0xc2, &almost)]);
        }
    }
}

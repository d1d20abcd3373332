//! The outbound half: a frame's compressed twin, made once for all who get it.

use super::{Deflate, TAIL};
use crate::ws::Frame;
use flate2::{Compress, Compression, FlushCompress};
use std::num::NonZeroU8;
use std::sync::Arc;

/// How one connection's messages are compressed: one of its shard's [`Deflaters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile(NonZeroU8);

/// The deflaters of one shard: one for each kind of settings that its connections agreed on, made
/// when the first message needs it, 253 to 382 kB each by their window (`tests/alloc.rs`).
#[derive(Debug, Default)]
pub struct Deflaters {
    all: Vec<Deflater>,
    /// Where frames are put together.
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Deflater {
    settings: Deflate,
    stream: Option<Compress>,
    /// The frame asked for last, and its twin if it has one: a broadcast asks for the same one
    /// again and again.
    last: Option<(Frame, Option<Frame>)>,
}

/// Longest header of a frame that a server sends.
const HEADER_MAX: usize = 10;

/// The bit that marks a compressed message in the first byte of its first frame (RFC 7692,
/// section 6).
const RSV1: u8 = 0x40;

impl Deflaters {
    /// The profile for these settings; `None` when they are out of range, or when there are 255
    /// others already.
    pub fn profile(&mut self, settings: Deflate) -> Option<Profile> {
        settings.check().ok()?;
        let known = self.all.iter().position(|known| known.settings == settings);
        let at = known.unwrap_or(self.all.len());
        let profile = NonZeroU8::new(u8::try_from(at + 1).ok()?)?;
        if known.is_none() {
            self.all.push(Deflater {
                settings,
                stream: None,
                last: None,
            });
        }
        Some(Profile(profile))
    }

    /// What goes to a connection instead of `frame`: its compressed twin, or the frame itself when
    /// it is no whole data message, too short, or not made shorter. The same frame again, or
    /// another of the same bytes, costs no second compression until [`Deflaters::forget`] or
    /// another frame.
    ///
    /// # Panics
    /// When the profile is not of these deflaters.
    pub fn twin(&mut self, profile: Profile, frame: Frame) -> Frame {
        let deflater = &mut self.all[usize::from(profile.0.get()) - 1];
        let Some(payload) = data_of(frame.bytes()) else {
            return frame;
        };
        if payload.len() < deflater.settings.threshold_bytes {
            return frame;
        }
        if let Some((last, twin)) = &deflater.last
            && std::ptr::eq(last.bytes(), frame.bytes())
        {
            return twin.as_ref().unwrap_or(last).clone();
        }
        let twin = deflater.compress(&frame, payload, &mut self.scratch);
        let sent = twin.as_ref().unwrap_or(&frame).clone();
        deflater.last = Some((frame, twin));
        sent
    }

    /// Lets go of the last frames and their twins.
    pub fn forget(&mut self) {
        for deflater in &mut self.all {
            deflater.last = None;
        }
    }
}

impl Deflater {
    /// The twin; `None` when it would not be shorter.
    fn compress(&mut self, frame: &Frame, payload: &[u8], scratch: &mut Vec<u8>) -> Option<Frame> {
        let settings = self.settings;
        let stream = self.stream.get_or_insert_with(|| {
            let level = Compression::new(settings.level.into());
            Compress::new_with_window_bits(level, false, settings.window_bits)
        });
        stream.reset();
        scratch.clear();
        scratch.resize(HEADER_MAX, 0);
        // Room for the worst case, not only for what is worth sending: a deflater keeps what finds
        // no room, and the one used here forgets that at its reset but not where it lay, so that
        // a later message would run over the end of its buffer, and panic.
        scratch.reserve(deflated_max(payload.len()));
        let done = stream.compress_vec(payload, scratch, FlushCompress::Sync);
        let is_whole = done.is_ok()
            && stream.total_in() == payload.len() as u64
            && scratch.len() < scratch.capacity();
        if !is_whole || !scratch.ends_with(&TAIL) {
            self.stream = None;
            return None;
        }
        scratch.truncate(scratch.len() - TAIL.len());
        let first = frame.bytes()[0] | RSV1;
        let start = put_header(scratch, first);
        let bytes = &scratch[start..];
        (bytes.len() < frame.bytes().len()).then(|| Frame::shared(Arc::from(bytes)))
    }
}

/// Bytes that so many become at the very most: nine bits for each literal of a block with fixed
/// codes, and the headers and ends of blocks.
const fn deflated_max(length: usize) -> usize {
    length + length / 8 + length / 64 + 64
}

/// The payload of a frame that is a whole text or binary message.
fn data_of(bytes: &[u8]) -> Option<&[u8]> {
    let [0x81 | 0x82, short, rest @ ..] = bytes else {
        return None;
    };
    let (length, payload) = match *short {
        126 => {
            let (length, payload) = rest.split_first_chunk::<2>()?;
            (u16::from_be_bytes(*length).into(), payload)
        }
        127 => {
            let (length, payload) = rest.split_first_chunk::<8>()?;
            (u64::from_be_bytes(*length), payload)
        }
        short => (short.into(), rest),
    };
    (payload.len() as u64 == length).then_some(payload)
}

/// Writes the header of what lies behind [`HEADER_MAX`], right in front of it; says where it
/// starts.
fn put_header(framed: &mut [u8], first: u8) -> usize {
    let length = framed.len() - HEADER_MAX;
    match length {
        0..126 => {
            framed[8..10].copy_from_slice(&[first, length as u8]);
            8
        }
        126..65_536 => {
            framed[6..8].copy_from_slice(&[first, 126]);
            framed[8..10].copy_from_slice(&(length as u16).to_be_bytes());
            6
        }
        _ => {
            framed[..2].copy_from_slice(&[first, 127]);
            framed[2..10].copy_from_slice(&(length as u64).to_be_bytes());
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::deflate::Inflater;
    use flate2::{Decompress, FlushDecompress, Status};
    use proptest::prelude::*;

    fn settings(level: u8, window_bits: u8) -> Deflate {
        Deflate {
            level,
            window_bits,
            threshold_bytes: 16,
        }
    }

    fn deflaters() -> (Deflaters, Profile) {
        let mut deflaters = Deflaters::default();
        let profile = deflaters.profile(settings(6, 15)).unwrap();
        (deflaters, profile)
    }

    /// Text that repeats itself from far behind, and never exactly.
    fn prose(length: usize) -> Vec<u8> {
        let mut seed = 1u32;
        let words = ["alpha", "beta", "gamma", "delta", "price", "42", "{\"id\":"];
        let mut text = Vec::new();
        while text.len() < length {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let word = words[(seed >> 24) as usize % words.len()];
            text.extend_from_slice(word.as_bytes());
        }
        text.truncate(length);
        text
    }

    /// The payload behind a compressed frame's header.
    fn compressed(frame: &Frame) -> &[u8] {
        let bytes = frame.bytes();
        assert_eq!(bytes[0] & 0xf0, 0xc0, "final, and RSV1 alone");
        match bytes[1] {
            127 => &bytes[10..],
            126 => &bytes[4..],
            short => {
                assert_eq!(bytes.len(), usize::from(short) + 2);
                &bytes[2..]
            }
        }
    }

    // RFC 7692, section 7.2.1
    #[test]
    fn a_twin_is_framed_as_one_message_with_rsv1() {
        let (mut deflaters, profile) = deflaters();
        for (length, header) in [(100, 2), (2_000, 4), (1_500_000, 10)] {
            for frame in [Frame::text(&prose(length)), Frame::binary(&prose(length))] {
                let twin = deflaters.twin(profile, frame.clone());
                assert!(twin.bytes().len() < frame.bytes().len());
                assert_eq!(twin.bytes()[0], frame.bytes()[0] | 0x40);
                let payload = compressed(&twin);
                assert_eq!(twin.bytes().len() - payload.len(), header, "{length}");
                assert!(!payload.ends_with(&TAIL));
                let inflated = Inflater::default().inflate(payload, length).unwrap();
                assert_eq!(inflated, prose(length));
            }
        }
    }

    #[test]
    fn what_is_no_whole_data_message_stays_as_it_is() {
        let (mut deflaters, profile) = deflaters();
        let zeros = [0; 100];
        let mut two = Frame::text(&zeros).bytes().to_vec();
        two.extend_from_slice(Frame::text(&zeros).bytes());
        for frame in [
            Frame::pong(&zeros),
            Frame::close(1000, &"x".repeat(100)),
            Frame::ping(),
            Frame::raw(b"HTTP/1.1 101 Switching Protocols, and more than sixteen bytes"),
            Frame::raw(&[&[0x01, 100][..], &zeros].concat()), // a first fragment
            Frame::raw(&[&[0x80, 100][..], &zeros].concat()), // a last one
            Frame::raw(&two),
            Frame::raw(&[0x81, 126]),
            Frame::raw(b""),
        ] {
            let sent = deflaters.twin(profile, frame.clone());
            assert_eq!(sent.bytes(), frame.bytes());
        }
    }

    #[test]
    fn the_threshold_is_the_shortest_that_is_compressed() {
        let (mut deflaters, profile) = deflaters();
        for (length, shrinks) in [(15, false), (16, true)] {
            let sent = deflaters.twin(profile, Frame::text(&vec![b'x'; length]));
            assert_eq!(sent.bytes()[0] & RSV1 != 0, shrinks, "{length}");
        }
    }

    #[test]
    fn what_does_not_shrink_goes_as_it_is() {
        let (mut deflaters, profile) = deflaters();
        for length in [16, 100, 1000, 70_000] {
            let noise: Vec<u8> = (0..length).map(|_| rand::random()).collect();
            let frame = Frame::binary(&noise);
            for _ in 0..2 {
                let sent = deflaters.twin(profile, frame.clone());
                assert!(std::ptr::eq(sent.bytes(), frame.bytes()), "{length}");
            }
        }
    }

    // What did not shrink once left a deflater behind that panicked on another message.
    #[test]
    fn what_does_not_shrink_leaves_no_trace() {
        let messages = [300, 60_000, 20_000, 70_000].map(|length| {
            let noise: Vec<u8> = (0..length).map(|_| rand::random()).collect();
            (Frame::binary(&noise), prose(length))
        });
        for level in 1..=9 {
            let mut deflaters = Deflaters::default();
            let profile = deflaters.profile(settings(level, 15)).unwrap();
            for (noise, text) in &messages {
                let sent = deflaters.twin(profile, noise.clone());
                assert!(std::ptr::eq(sent.bytes(), noise.bytes()), "level {level}");
                let twin = deflaters.twin(profile, Frame::text(text));
                let inflated = Inflater::default().inflate(compressed(&twin), text.len());
                assert!(inflated.as_ref() == Ok(text), "level {level}");
            }
            assert!(deflaters.all[0].stream.is_some(), "level {level}: kept");
        }
    }

    #[test]
    fn the_same_bytes_are_compressed_once_for_each_profile() {
        let (mut deflaters, wide) = deflaters();
        let narrow = deflaters.profile(settings(6, 9)).unwrap();
        let bytes: Arc<[u8]> = Frame::text(&prose(3000)).bytes().into();
        let frame = || Frame::shared(Arc::clone(&bytes)); // as each shard makes of a broadcast
        let first = deflaters.twin(wide, frame());
        let other = deflaters.twin(narrow, frame());
        assert_ne!(first.bytes(), other.bytes(), "another window");
        for _ in 0..3 {
            let again = deflaters.twin(wide, frame());
            assert!(std::ptr::eq(again.bytes(), first.bytes()));
            let again = deflaters.twin(narrow, frame());
            assert!(std::ptr::eq(again.bytes(), other.bytes()));
        }
        deflaters.forget();
        assert_eq!(Arc::strong_count(&bytes), 1, "nothing is held");
        let later = deflaters.twin(wide, frame());
        assert_eq!(later.bytes(), first.bytes(), "no message knows of another");
        assert!(!std::ptr::eq(later.bytes(), first.bytes()));
    }

    #[test]
    fn equal_settings_share_a_profile_and_there_are_255() {
        let mut deflaters = Deflaters::default();
        let of = |threshold_bytes| Deflate {
            threshold_bytes,
            ..Deflate::default()
        };
        for threshold in 0..255 {
            assert!(deflaters.profile(of(threshold)).is_some(), "{threshold}");
        }
        assert!(deflaters.profile(of(255)).is_none());
        assert_eq!(
            deflaters.profile(of(7)),
            Some(Profile(NonZeroU8::new(8).unwrap()))
        );
        assert!(deflaters.profile(settings(6, 8)).is_none());
    }

    /// Inflates through a window of exactly so many bits, a few bytes at a time so that it matters.
    fn inflate_with(window_bits: u8, payload: &[u8]) -> Vec<u8> {
        let mut stream = Decompress::new_with_window_bits(false, window_bits);
        let (mut all, mut chunk) = (Vec::new(), [0; 64]);
        let input = [payload, &TAIL].concat();
        loop {
            let (at, had) = (stream.total_in() as usize, stream.total_out());
            let status = stream
                .decompress(&input[at..], &mut chunk, FlushDecompress::Sync)
                .expect("no distance past the window");
            let count = (stream.total_out() - had) as usize;
            all.extend_from_slice(&chunk[..count]);
            if count == 0 || status == Status::StreamEnd {
                return all;
            }
        }
    }

    // RFC 7692, section 7.1.2.1: no repetition from further back than the window that was agreed.
    #[test]
    fn every_level_keeps_to_every_window() {
        let text = prose(40_000);
        for window_bits in 9..=15 {
            for level in 1..=9 {
                let mut deflaters = Deflaters::default();
                let profile = deflaters.profile(settings(level, window_bits)).unwrap();
                let twin = deflaters.twin(profile, Frame::text(&text));
                let inflated = inflate_with(window_bits, compressed(&twin));
                assert!(inflated == text, "level {level}, {window_bits} bits");
            }
        }
    }

    proptest! {
        #[test]
        fn any_payload_comes_back(
            payload in prop::collection::vec(prop::sample::select(b"abc\0".to_vec()), 0..5000),
            level in 1u8..=9,
            window_bits in 9u8..=15,
        ) {
            let mut deflaters = Deflaters::default();
            let profile = deflaters.profile(settings(level, window_bits)).unwrap();
            let frame = Frame::binary(&payload);
            let sent = deflaters.twin(profile, frame.clone());
            if sent.bytes()[0] & RSV1 == 0 {
                prop_assert_eq!(sent.bytes(), frame.bytes());
            } else {
                let inflated = Inflater::default().inflate(compressed(&sent), 5000);
                prop_assert_eq!(inflated.unwrap(), payload);
            }
        }
    }
}

//! Tests of the decoder: tables of frames, every split of every table row, and tungstenite as
//! the second opinion.

use super::*;
use proptest::prelude::*;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};

const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];
const MAX: usize = 70_000;

pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        len @ 0..=125 => out.push(0x80 | len as u8),
        len @ 126..=65_535 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    out
}

/// What came out, with the borrow gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
    Error(CodecError),
}

fn decode<'a>(max: usize, reads: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    decode_with(Decoder::new(max), reads)
}

pub(super) fn decode_with<'a>(
    mut decoder: Decoder,
    reads: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Seen> {
    let mut seen = Vec::new();
    for read in reads {
        let mut buffer = read.to_vec();
        let mut input = buffer.as_mut_slice();
        loop {
            match decoder.next(&mut input) {
                Ok(None) => break,
                Ok(Some(Received::Text(text))) => {
                    seen.push(Seen::Text(String::from_utf8(text.to_vec()).unwrap()));
                }
                Ok(Some(Received::Binary(bytes))) => seen.push(Seen::Binary(bytes.to_vec())),
                Ok(Some(Received::Ping(bytes))) => seen.push(Seen::Ping(bytes.to_vec())),
                Ok(Some(Received::Pong)) => seen.push(Seen::Pong),
                Ok(Some(Received::Close(code))) => seen.push(Seen::Close(code)),
                Err(error) => {
                    seen.push(Seen::Error(error));
                    assert_eq!(decoder.next(&mut input), Ok(None), "an error is the end");
                    return seen;
                }
            }
        }
        assert!(input.is_empty(), "what is not used would be lost");
    }
    seen
}

fn whole(bytes: &[u8]) -> Vec<Seen> {
    decode(MAX, [bytes])
}

fn text(text: &str) -> Seen {
    Seen::Text(text.into())
}

/// Rows of (bytes, what they say).
fn table() -> Vec<(Vec<u8>, Vec<Seen>)> {
    let protocol = || vec![Seen::Error(CodecError::Protocol)];
    let cat = |parts: &[Vec<u8>]| parts.concat();
    vec![
        (frame(0x81, b"hello"), vec![text("hello")]),
        (frame(0x81, b""), vec![text("")]),
        (frame(0x81, "Zoë ☃ 😀".as_bytes()), vec![text("Zoë ☃ 😀")]),
        (frame(0x82, &[0, 255]), vec![Seen::Binary(vec![0, 255])]),
        (frame(0x82, &[7; 126]), vec![Seen::Binary(vec![7; 126])]),
        (
            frame(0x89, b"pong me"),
            vec![Seen::Ping(b"pong me".to_vec())],
        ),
        (frame(0x89, &[1; 125]), vec![Seen::Ping(vec![1; 125])]),
        (frame(0x8a, b"unasked"), vec![Seen::Pong]),
        (frame(0x88, b""), vec![Seen::Close(None)]),
        (frame(0x88, b"\x03\xe8bye"), vec![Seen::Close(Some(1000))]),
        (
            frame(0x88, &4999u16.to_be_bytes()),
            vec![Seen::Close(Some(4999))],
        ),
        // Fragments, with control frames between them (RFC 6455, 5.4).
        (
            cat(&[
                frame(0x01, b"he"),
                frame(0x89, b"x"),
                frame(0x00, b"l"),
                frame(0x80, b"lo"),
            ]),
            vec![Seen::Ping(b"x".to_vec()), text("hello")],
        ),
        // A character cut by the fragments.
        (
            cat(&[frame(0x01, b"\xc3"), frame(0x80, b"\xab")]),
            vec![text("ë")],
        ),
        (
            cat(&[frame(0x02, b"a"), frame(0x80, b"")]),
            vec![Seen::Binary(b"a".to_vec())],
        ),
        (
            cat(&[frame(0x81, b"a"), frame(0x81, b"b"), frame(0x81, b"c")]),
            vec![text("a"), text("b"), text("c")],
        ),
        // Nothing is read after a close frame.
        (
            cat(&[frame(0x88, b""), frame(0x81, b"late")]),
            vec![Seen::Close(None)],
        ),
        // F12: each of these breaks the protocol.
        (vec![0x81, 0x05, b'h', b'e', b'l', b'l', b'o'], protocol()), // unmasked
        (frame(0xc1, b"x"), protocol()),
        (frame(0xa1, b"x"), protocol()),
        (frame(0x91, b"x"), protocol()),
        (frame(0x83, b"x"), protocol()),
        (frame(0x8b, b"x"), protocol()),
        (frame(0x09, b"x"), protocol()),
        (frame(0x89, &[1; 126]), protocol()),
        (frame(0x80, b"x"), protocol()),
        (cat(&[frame(0x01, b"x"), frame(0x81, b"y")]), protocol()),
        (frame(0x88, b"\x03"), protocol()),
        (frame(0x88, &1005u16.to_be_bytes()), protocol()),
        (frame(0x88, &999u16.to_be_bytes()), protocol()),
        (
            frame(0x88, b"\x03\xe8\xff"),
            vec![Seen::Error(CodecError::InvalidText)],
        ),
        // Lengths that are not in their shortest form.
        (vec![0x81, 0xfe, 0, 5, 0, 0, 0, 0], protocol()),
        (
            vec![0x81, 0xff, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
            protocol(),
        ),
        // F13
        (
            frame(0x81, b"\xff"),
            vec![Seen::Error(CodecError::InvalidText)],
        ),
        (
            frame(0x81, b"\xed\xa0\x80"),
            vec![Seen::Error(CodecError::InvalidText)],
        ),
        (
            frame(0x81, b"\xc3"),
            vec![Seen::Error(CodecError::InvalidText)],
        ),
        (
            cat(&[frame(0x01, b"\xc3"), frame(0x80, b"x")]),
            vec![Seen::Error(CodecError::InvalidText)],
        ),
    ]
}

#[test]
fn every_row_whole() {
    for (bytes, expected) in table() {
        assert_eq!(whole(&bytes), expected, "{bytes:02x?}");
    }
}

#[test]
fn every_row_in_two_reads_and_byte_by_byte() {
    for (bytes, expected) in table() {
        for at in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(
                decode(MAX, [head, tail]),
                expected,
                "cut at {at}: {bytes:02x?}"
            );
        }
        assert_eq!(decode(MAX, bytes.chunks(1)), expected, "{bytes:02x?}");
    }
}

#[test]
fn a_length_is_refused_at_the_header() {
    // F10: nothing of the payload is here yet, and nothing was allocated for it.
    let mut head = vec![0x82, 0xff];
    head.extend_from_slice(&(i64::MAX as u64).to_be_bytes());
    head.extend_from_slice(&MASK);
    assert_eq!(whole(&head), [Seen::Error(CodecError::TooBig)]);
    head[2] |= 0x80;
    assert_eq!(whole(&head), [Seen::Error(CodecError::Protocol)]);
}

#[test]
fn the_message_limit_is_inclusive() {
    let size = |n: usize| decode(1000, [frame(0x82, &vec![0; n]).as_slice()]);
    assert_eq!(size(1000).len(), 1);
    assert!(matches!(size(1000)[0], Seen::Binary(_)));
    assert_eq!(size(1001), [Seen::Error(CodecError::TooBig)]);
    let halves = |second: usize| {
        let bytes = [frame(0x02, &[0; 500]), frame(0x80, &vec![0; second])].concat();
        decode(1000, [bytes.as_slice()])
    };
    assert!(matches!(halves(500)[0], Seen::Binary(_)));
    assert_eq!(halves(501), [Seen::Error(CodecError::TooBig)]);
}

#[test]
fn the_fragment_limit_is_inclusive() {
    // F11
    let pieces = |n: usize| {
        let mut bytes = frame(0x01, b"");
        for _ in 0..n - 2 {
            bytes.extend(frame(0x00, b""));
        }
        bytes.extend(frame(0x80, b""));
        whole(&bytes)
    };
    assert_eq!(pieces(FRAGMENTS_MAX), [text("")]);
    assert_eq!(pieces(FRAGMENTS_MAX + 1), [Seen::Error(CodecError::TooBig)]);
}

#[test]
fn bytes_allow_fragments() {
    // F11
    let message = |length: usize, fragments: usize| {
        let mut bytes = frame(0x02, &[]);
        bytes.extend(frame(0x00, &vec![7; length]));
        bytes.extend(frame(0x00, b"").repeat(fragments - 3));
        bytes.extend(frame(0x80, b""));
        decode(length, bytes.chunks(1000))
    };
    let most = FRAGMENTS_MAX + 10;
    let length = 10 * FRAGMENT_BYTES;
    assert_eq!(message(length, most), [Seen::Binary(vec![7; length])]);
    for (length, fragments) in [(length, most + 1), (length - 1, most)] {
        let seen = message(length, fragments);
        assert_eq!(seen, [Seen::Error(CodecError::TooBig)], "{length}");
    }
    // All in small ones, as one who sends while reading does.
    let piece = [7; FRAGMENT_BYTES];
    let mut bytes = frame(0x02, &piece);
    bytes.extend(frame(0x00, &piece).repeat(998));
    bytes.extend(frame(0x80, &piece));
    let length = 1000 * FRAGMENT_BYTES;
    let seen = decode(length, bytes.chunks(777));
    assert_eq!(seen, [Seen::Binary(vec![7; length])]);
}

#[test]
fn an_idle_decoder_holds_no_memory() {
    let mut decoder = Decoder::new(MAX);
    let bytes = [frame(0x01, &[b'x'; 5000]), frame(0x80, &[b'y'; 5000])].concat();
    for read in bytes.chunks(700) {
        let mut buffer = read.to_vec();
        let mut input = buffer.as_mut_slice();
        while decoder.next(&mut input).unwrap().is_some() {}
    }
    let mut nothing: &mut [u8] = &mut [];
    assert_eq!(decoder.next(&mut nothing), Ok(None));
    assert_eq!(
        (decoder.message.capacity(), decoder.partial.capacity()),
        (0, 0)
    );
}

/// Tungstenite's verdict on the same bytes: its messages, and whether it found fault.
fn second_opinion(bytes: &[u8]) -> (Vec<Seen>, bool) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX))
        .max_frame_size(Some(MAX))
        .read_buffer_size(4096);
    let mut context = WebSocketContext::new(Role::Server, Some(config));
    let mut stream = Lent {
        input: std::io::Cursor::new(bytes.to_vec()),
    };
    let mut seen = Vec::new();
    loop {
        match context.read(&mut stream) {
            Ok(tungstenite::Message::Text(text)) => seen.push(Seen::Text(text.as_str().into())),
            Ok(tungstenite::Message::Binary(bytes)) => seen.push(Seen::Binary(bytes.to_vec())),
            Ok(tungstenite::Message::Ping(bytes)) => seen.push(Seen::Ping(bytes.to_vec())),
            Ok(tungstenite::Message::Pong(_)) => seen.push(Seen::Pong),
            Ok(tungstenite::Message::Close(close)) => {
                seen.push(Seen::Close(close.map(|frame| frame.code.into())));
                return (seen, false);
            }
            Ok(tungstenite::Message::Frame(_)) => unreachable!("not read by a context"),
            Err(tungstenite::Error::Io(_)) => return (seen, false),
            // The peer going away in the middle of a frame is no fault of the bytes so far.
            Err(tungstenite::Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => return (seen, false),
            Err(_) => return (seen, true),
        }
    }
}

struct Lent {
    input: std::io::Cursor<Vec<u8>>,
}

impl std::io::Read for Lent {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.input.read(buffer)? {
            0 => Err(std::io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl std::io::Write for Lent {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        Ok(buffer.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        4 => prop::sample::select(vec![0x81u8, 0x01, 0x00, 0x80, 0x82, 0x02, 0x89, 0x8a]),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        3 => "[a-zë☃]{0,40}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..140),
    ];
    (first, payload).prop_map(|(first, payload)| frame(first, &payload))
}

proptest! {
    #[test]
    fn splits_change_nothing(
        frames in prop::collection::vec(any_frame(), 0..6),
        size in 1usize..40,
    ) {
        let bytes = frames.concat();
        prop_assert_eq!(decode(MAX, bytes.chunks(size)), whole(&bytes));
    }

    #[test]
    fn tungstenite_says_the_same(frames in prop::collection::vec(any_frame(), 0..6)) {
        let bytes = frames.concat();
        let mut ours = whole(&bytes);
        let our_fault = matches!(ours.last(), Some(Seen::Error(_)));
        if our_fault {
            ours.pop();
        }
        let (mut theirs, mut their_fault) = second_opinion(&bytes);
        // It answers a close code that may not be sent with a 1002 of its own.
        if our_fault && !their_fault && theirs.last() == Some(&Seen::Close(Some(1002))) {
            theirs.pop();
            their_fault = true;
        }
        prop_assert_eq!((ours, our_fault), (theirs, their_fault));
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        whole(&bytes);
    }
}

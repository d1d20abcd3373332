//! The chunked transfer coding, undone as the bytes come in.
//!
//! Not here: bodies of known length ([`BodyDecoder`](super::BodyDecoder) has both), and deciding
//! which of the two a body is ([`BodyKind`](super::BodyKind)).
//!
//! Invariants:
//! - How the input is cut into pieces changes neither the output, nor the number of bytes taken,
//!   nor the error.
//! - Output never exceeds the limit, and a chunk that would exceed it is refused at
//!   its size line, before a byte of it is kept. Memory grows with bytes received, not with sizes
//!   told.
//! - Everything that is thrown away (extensions, trailers) is bounded too.

use std::fmt;
use std::ops::Range;

use super::head::{Limits, is_text, is_token};
use super::response::Response;

/// Longest chunk-size line in bytes, without its CR LF: size and extensions.
pub const SIZE_LINE_BYTES: u32 = 256;

/// Most bytes of chunk extensions in one body. They mean nothing to us, and without a bound
/// one-byte chunks with long extensions make a small body cost any amount of traffic.
pub const EXTENSION_BYTES: u32 = 4096;

/// Most bytes of trailer fields, their line ends included. They are checked and ignored.
pub const TRAILER_BYTES: u32 = 4096;

/// Hexadecimal digits in a chunk size, leading zeros included; as many as a u64 can hold.
const SIZE_DIGITS: u32 = 16;

/// Why a body did not arrive whole. The connection has to be closed after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The chunk size is missing, has more than 16 digits, or is followed by something else than
    /// an extension or the end of the line; or an extension holds a control character.
    ChunkSize,
    /// A chunk-size line is longer than [`SIZE_LINE_BYTES`].
    SizeLineTooLong,
    /// A line or a chunk does not end with CR LF.
    LineEnd,
    /// A trailer field is malformed.
    Trailer,
    /// The body is above its limit: [`Limits::body_bytes`], unless its route has one of its own.
    TooLarge,
    /// The extensions are above [`EXTENSION_BYTES`] together.
    ExtensionsTooLarge,
    /// The trailers are above [`TRAILER_BYTES`].
    TrailersTooLarge,
    /// The peer ended, or the connection broke, before the body did.
    Ended,
    /// Nothing came for too long; the peer has been told so (408).
    TimedOut,
}

impl BodyError {
    /// The HTTP status to answer with.
    pub fn status(self) -> u16 {
        match self {
            Self::ChunkSize | Self::SizeLineTooLong | Self::LineEnd | Self::Trailer => 400,
            Self::Ended => 400,
            Self::TimedOut => 408,
            Self::TooLarge | Self::ExtensionsTooLarge => 413,
            Self::TrailersTooLarge => 431,
        }
    }

    /// One line for the person at the other end; never holds anything the peer sent.
    pub fn reason(self) -> &'static str {
        match self {
            Self::ChunkSize => "Malformed chunk size",
            Self::SizeLineTooLong => "Chunk size line too long",
            Self::LineEnd => "Chunks and their lines must end with CR LF",
            Self::Trailer => "Malformed trailer field",
            Self::TooLarge => "Request body too large",
            Self::ExtensionsTooLarge => "Too many chunk extensions",
            Self::TrailersTooLarge => "Trailer fields too large",
            Self::Ended => "The request ended before its body did",
            Self::TimedOut => "Request timeout",
        }
    }

    /// The answer: the status, the reason as one line of text, and the end of the connection.
    #[must_use]
    pub fn response(self) -> Response {
        Response::text(self.status(), format!("{}\n", self.reason())).with_close()
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for BodyError {}

/// What one call of [`ChunkedDecoder::decode`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes taken from the front of the input. Less than all of it only when the body ended there:
    /// what follows is the next request.
    pub consumed: usize,
    /// Whether the body is complete.
    pub done: bool,
}

/// What one call of [`ChunkedDecoder::piece`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where in the input the next bytes of the body lie; may be empty.
    pub data: Range<usize>,
    /// Bytes taken from the front of the input, those of `data` among them.
    pub consumed: usize,
    /// Whether the body is complete.
    pub done: bool,
}

/// Where in the coding the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first digit of a chunk size.
    SizeStart,
    /// After at least one digit.
    Size,
    /// Blanks after the size; only an extension may follow (RFC 9112, section 7.1.1).
    SizeBlank,
    /// After `;`, up to CR.
    Extension,
    /// After the CR of a size line.
    SizeLf,
    /// Inside a chunk.
    Chunk,
    /// After the last byte of a chunk.
    ChunkCr,
    /// After the CR behind a chunk.
    ChunkLf,
    /// At the start of a line behind the last chunk.
    TrailerStart,
    /// In the name of a trailer field.
    TrailerName,
    /// Behind the colon of a trailer field.
    TrailerValue,
    /// After the CR of a trailer field.
    TrailerLf,
    /// After the CR of the empty line that ends the body.
    EndLf,
    /// The body is complete.
    Done,
    /// The body was refused.
    Failed(BodyError),
}

/// Decodes one chunked body. Make a new one for each request.
#[derive(Clone, Debug)]
pub struct ChunkedDecoder {
    state: State,
    /// Size of the chunk being announced, then the bytes of it still to come.
    remaining: u64,
    /// Bytes the body may still grow by.
    room: u64,
    digits: u32,
    line: u32,
    extensions: u32,
    trailers: u32,
}

impl ChunkedDecoder {
    /// A decoder before the first byte of a body.
    pub fn new(limits: &Limits) -> Self {
        Self::with_max(limits.body_bytes as u64)
    }

    /// A decoder of a body of at most `max` bytes, the coding undone.
    pub fn with_max(max: u64) -> Self {
        ChunkedDecoder {
            state: State::SizeStart,
            remaining: 0,
            room: max,
            digits: 0,
            line: 0,
            extensions: 0,
            trailers: 0,
        }
    }

    /// Takes what it can from `input` and appends the decoded bytes to `out`.
    ///
    /// All of `input` is taken unless the body ends inside it. Once done it takes nothing more.
    ///
    /// # Errors
    /// Any [`BodyError`] of the coding, and the same one again on every later call. `out` then
    /// holds a part of the body that must not be used.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Progress, BodyError> {
        let mut consumed = 0;
        loop {
            let rest = &input[consumed..];
            let piece = self.piece(rest)?;
            out.extend_from_slice(&rest[piece.data]);
            consumed += piece.consumed;
            if piece.done || consumed == input.len() {
                let done = piece.done;
                return Ok(Progress { consumed, done });
            }
        }
    }

    /// Takes the front of `input` up to the end of the first bytes of the body that lie in it
    /// together; all of it when there are none.
    ///
    /// # Errors
    /// As [`ChunkedDecoder::decode`].
    pub fn piece(&mut self, input: &[u8]) -> Result<Piece, BodyError> {
        let mut at = 0;
        while at < input.len() && self.state != State::Done {
            if self.state == State::Chunk {
                let rest = input.len() - at;
                let part = usize::try_from(self.remaining)
                    .unwrap_or(usize::MAX)
                    .min(rest);
                self.remaining -= part as u64;
                if self.remaining == 0 {
                    self.state = State::ChunkCr;
                }
                return Ok(Piece {
                    data: at..at + part,
                    consumed: at + part,
                    done: false,
                });
            }
            match self.step(input[at]) {
                Ok(next) => self.state = next,
                Err(error) => {
                    self.state = State::Failed(error);
                    return Err(error);
                }
            }
            at += 1;
        }
        match self.state {
            State::Failed(error) => Err(error),
            state => Ok(Piece {
                data: at..at,
                consumed: at,
                done: state == State::Done,
            }),
        }
    }

    /// The state after one byte that is not inside a chunk.
    fn step(&mut self, byte: u8) -> Result<State, BodyError> {
        match self.state {
            State::SizeStart | State::Size | State::SizeBlank | State::Extension => {
                self.size_line(byte)
            }
            State::SizeLf => match byte {
                b'\n' => self.chunk_announced(),
                _ => Err(BodyError::LineEnd),
            },
            State::ChunkCr if byte == b'\r' => Ok(State::ChunkLf),
            State::ChunkLf if byte == b'\n' => Ok(State::SizeStart),
            State::ChunkCr | State::ChunkLf => Err(BodyError::LineEnd),
            State::Failed(error) => Err(error),
            State::Chunk | State::Done => Ok(self.state),
            _ => self.trailer(byte),
        }
    }

    /// One byte of `size *(BWS ";" extension) CR`.
    fn size_line(&mut self, byte: u8) -> Result<State, BodyError> {
        if byte == b'\r' && matches!(self.state, State::Size | State::Extension) {
            return Ok(State::SizeLf);
        }
        if byte == b'\n' {
            return Err(BodyError::LineEnd);
        }
        self.line += 1;
        if self.line > SIZE_LINE_BYTES {
            return Err(BodyError::SizeLineTooLong);
        }
        let digit = char::from(byte).to_digit(16);
        match (self.state, byte) {
            (State::SizeStart | State::Size, _) if digit.is_some() => {
                self.digits += 1;
                if self.digits > SIZE_DIGITS {
                    return Err(BodyError::ChunkSize);
                }
                self.remaining = self.remaining << 4 | u64::from(digit.unwrap_or_default());
                Ok(State::Size)
            }
            (State::Size | State::SizeBlank, b' ' | b'\t') => Ok(State::SizeBlank),
            (State::Size | State::SizeBlank, b';') => Ok(State::Extension),
            (State::Extension, _) if is_text(byte) => {
                self.extensions += 1;
                if self.extensions > EXTENSION_BYTES {
                    return Err(BodyError::ExtensionsTooLarge);
                }
                Ok(State::Extension)
            }
            _ => Err(BodyError::ChunkSize),
        }
    }

    /// The end of a size line: what comes next, if the chunk fits.
    fn chunk_announced(&mut self) -> Result<State, BodyError> {
        self.line = 0;
        self.digits = 0;
        if self.remaining == 0 {
            return Ok(State::TrailerStart);
        }
        self.room = self
            .room
            .checked_sub(self.remaining)
            .ok_or(BodyError::TooLarge)?;
        Ok(State::Chunk)
    }

    /// One byte behind the last chunk: `*(name ":" value CR LF) CR LF`.
    fn trailer(&mut self, byte: u8) -> Result<State, BodyError> {
        match (self.state, byte) {
            (State::TrailerStart, b'\r') => return Ok(State::EndLf),
            (State::EndLf, b'\n') => return Ok(State::Done),
            (State::EndLf, _) => return Err(BodyError::LineEnd),
            _ => {}
        }
        self.trailers += 1;
        if self.trailers > TRAILER_BYTES {
            return Err(BodyError::TrailersTooLarge);
        }
        match (self.state, byte) {
            (State::TrailerLf, b'\n') => Ok(State::TrailerStart),
            (State::TrailerLf, _) | (_, b'\n') => Err(BodyError::LineEnd),
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::TrailerStart | State::TrailerName, _) if is_token(byte) => {
                Ok(State::TrailerName)
            }
            (State::TrailerValue, b'\r') => Ok(State::TrailerLf),
            (State::TrailerValue, _) if is_text(byte) => Ok(State::TrailerValue),
            _ => Err(BodyError::Trailer),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything that can be told about decoding one input: output, bytes taken, outcome.
    type Outcome = (Vec<u8>, usize, Result<bool, BodyError>);

    /// Decodes `input` in pieces of the given sizes, the last piece being the rest.
    fn decode_in(input: &[u8], sizes: &[usize], limits: &Limits) -> Outcome {
        let mut decoder = ChunkedDecoder::new(limits);
        let (mut out, mut at, mut done) = (Vec::new(), 0, false);
        for size in sizes.iter().copied().chain([input.len()]) {
            let end = (at + size).min(input.len());
            match decoder.decode(&input[at..end], &mut out) {
                Ok(progress) => {
                    assert!(progress.done || progress.consumed == end - at);
                    at += progress.consumed;
                    done = progress.done;
                }
                Err(error) => {
                    assert_eq!(decoder.decode(b"0\r\n\r\n", &mut out), Err(error));
                    return (out, at, Err(error));
                }
            }
            if done {
                let again = decoder.decode(b"5\r\n", &mut out).unwrap();
                assert_eq!(
                    again,
                    Progress {
                        consumed: 0,
                        done: true
                    }
                );
                break;
            }
        }
        (out, at, Ok(done))
    }

    /// Decodes whole and byte by byte, which must agree.
    fn decode(input: &[u8], limits: &Limits) -> Outcome {
        let whole = decode_in(input, &[], limits);
        let drip = decode_in(input, &vec![1; input.len()], limits);
        // How many pieces were taken before the fault depends on the pieces.
        assert_eq!(
            (&whole.0, &whole.2),
            (&drip.0, &drip.2),
            "{}",
            input.escape_ascii()
        );
        assert!(whole.2.is_err() || whole.1 == drip.1);
        whole
    }

    #[test]
    fn good_bodies() {
        let table: &[(&[u8], &[u8])] = &[
            (b"0\r\n\r\n", b""),
            (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
            (b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", b"hello world"),
            (
                b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
                b"01234567890123456789",
            ),
            (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
            (
                b"0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n",
                b"hello",
            ),
            (b"5;\r\nhello\r\n0\r\n\r\n", b"hello"),
            (b"5;a=b;c=\"d ; e\"\r\nhello\r\n0;z\r\n\r\n", b"hello"),
            (b"5 \t; a = b\r\nhello\r\n0\r\n\r\n", b"hello"),
            (
                b"1\r\nx\r\n0\r\nA: b\r\nContent-Length: 9\r\nC:\r\n\r\n",
                b"x",
            ),
            (b"1\r\nx\r\n0\r\nA: \tb\xe9 \r\n\r\n", b"x"),
        ];
        for (input, wanted) in table {
            let (out, taken, done) = decode(input, &Limits::default());
            assert_eq!(
                (&out[..], done),
                (*wanted, Ok(true)),
                "{}",
                input.escape_ascii()
            );
            assert_eq!(taken, input.len());
            // The next request is left alone.
            let followed = [*input, b"GET / HTTP/1.1\r\n\r\n"].concat();
            assert_eq!(
                decode(&followed, &Limits::default()),
                (out, taken, Ok(true))
            );
            for end in 0..input.len() {
                let (_, taken, done) = decode(&input[..end], &Limits::default());
                assert_eq!((taken, done), (end, Ok(false)), "{}", input.escape_ascii());
            }
        }
    }

    // F09
    #[test]
    fn bad_bodies() {
        let table: &[(&[u8], BodyError)] = &[
            (b"\r\n", BodyError::ChunkSize),
            (b"\n", BodyError::LineEnd),
            (b" 5\r\n", BodyError::ChunkSize),
            (b";a\r\n", BodyError::ChunkSize),
            (b"x\r\n", BodyError::ChunkSize),
            (b"-5\r\n", BodyError::ChunkSize),
            (b"+5\r\n", BodyError::ChunkSize),
            (b"0x5\r\n", BodyError::ChunkSize),
            (b"5g\r\n", BodyError::ChunkSize),
            (b"5_0\r\n", BodyError::ChunkSize),
            (b"5 \r\nhello\r\n", BodyError::ChunkSize),
            (b"5 5\r\n", BodyError::ChunkSize),
            (b"5\t\r\n", BodyError::ChunkSize),
            (b"5\n", BodyError::LineEnd),
            (b"5\rhello", BodyError::LineEnd),
            (b"5\r\r\n", BodyError::LineEnd),
            (b"5;a\n", BodyError::LineEnd),
            (b"5;a\rb", BodyError::LineEnd),
            (b"5;\0\r\n", BodyError::ChunkSize),
            (b"5;\x7f\r\n", BodyError::ChunkSize),
            (b"\xd9\xa5\r\n", BodyError::ChunkSize),
            (b"00000000000000000\r\n", BodyError::ChunkSize),
            (b"10000000000000005\r\n", BodyError::ChunkSize),
            (b"ffffffffffffffff\r\n", BodyError::TooLarge),
            (b"100001\r\n", BodyError::TooLarge),
            (b"5\r\nhello0\r\n\r\n", BodyError::LineEnd),
            (b"5\r\nhello\n0\r\n\r\n", BodyError::LineEnd),
            (b"5\r\nhello\r0\r\n\r\n", BodyError::LineEnd),
            (b"5\r\nhello\r\n\r\n", BodyError::ChunkSize),
            (b"0\r\n\n", BodyError::LineEnd),
            (b"0\r\n\rx", BodyError::LineEnd),
            (b"0\r\n folded: x\r\n\r\n", BodyError::Trailer),
            (b"0\r\nA: b\r\n folded\r\n\r\n", BodyError::Trailer),
            (b"0\r\nA : b\r\n\r\n", BodyError::Trailer),
            (b"0\r\n: b\r\n\r\n", BodyError::Trailer),
            (b"0\r\nA\r\n\r\n", BodyError::Trailer),
            (b"0\r\nA: b\n\r\n", BodyError::LineEnd),
            (b"0\r\nA: b\rc\r\n\r\n", BodyError::LineEnd),
            (b"0\r\nA: \0\r\n\r\n", BodyError::Trailer),
            (b"0\r\nGET / HTTP/1.1\r\n\r\n", BodyError::Trailer),
        ];
        for (input, wanted) in table {
            let (_, _, outcome) = decode(input, &Limits::default());
            assert_eq!(outcome, Err(*wanted), "{}", input.escape_ascii());
        }
    }

    // F09
    #[test]
    fn body_bytes_at_the_limit_and_one_past() {
        for limit in [0usize, 1, 10, 1000] {
            let limits = Limits {
                body_bytes: limit,
                ..Limits::default()
            };
            for size in 1..=3usize {
                let encode = |n: usize| encoded(&vec![b'x'; n], &[size], "", "");
                let (out, _, done) = decode(&encode(limit), &limits);
                assert_eq!((out.len(), done), (limit, Ok(true)));
                let (out, _, outcome) = decode(&encode(limit + 1), &limits);
                assert_eq!(outcome, Err(BodyError::TooLarge));
                assert!(out.len() <= limit);
            }
        }
    }

    #[test]
    fn a_chunk_too_large_is_refused_at_its_size_line() {
        let limits = Limits {
            body_bytes: 10,
            ..Limits::default()
        };
        let (out, _, outcome) = decode(b"6\r\nabcdef\r\n5\r\n", &limits);
        assert_eq!(
            (&out[..], outcome),
            (&b"abcdef"[..], Err(BodyError::TooLarge))
        );
    }

    #[test]
    fn a_size_told_reserves_nothing() {
        let mut out = Vec::new();
        let mut decoder = ChunkedDecoder::new(&Limits::default());
        decoder.decode(b"100000\r\nx", &mut out).unwrap();
        assert!(out.capacity() < 100);
    }

    #[test]
    fn size_line_at_the_limit_and_one_past() {
        let line = |n: u32| format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(n as usize - 2));
        let limits = Limits::default();
        assert_eq!(
            decode(line(SIZE_LINE_BYTES).as_bytes(), &limits).2,
            Ok(true)
        );
        let past = decode(line(SIZE_LINE_BYTES + 1).as_bytes(), &limits);
        assert_eq!(past.2, Err(BodyError::SizeLineTooLong));
        let blanks = format!("1{};", " ".repeat(SIZE_LINE_BYTES as usize));
        assert_eq!(
            decode(blanks.as_bytes(), &limits).2,
            Err(BodyError::SizeLineTooLong)
        );
    }

    #[test]
    fn extensions_at_the_limit_and_one_past() {
        let chunk = |n: u32| format!("1;{}\r\nx\r\n", "e".repeat(n as usize));
        let limits = Limits::default();
        let full = chunk(128).repeat((EXTENSION_BYTES / 128) as usize);
        assert_eq!(
            decode(format!("{full}0\r\n\r\n").as_bytes(), &limits).2,
            Ok(true)
        );
        let past = format!("{full}0;e\r\n\r\n");
        assert_eq!(
            decode(past.as_bytes(), &limits).2,
            Err(BodyError::ExtensionsTooLarge)
        );
    }

    #[test]
    fn trailers_at_the_limit_and_one_past() {
        let with = |n: u32| format!("0\r\nA: b\r\nC:{}\r\n\r\n", "d".repeat(n as usize - 10));
        let limits = Limits::default();
        assert_eq!(decode(with(TRAILER_BYTES).as_bytes(), &limits).2, Ok(true));
        let past = decode(with(TRAILER_BYTES + 1).as_bytes(), &limits);
        assert_eq!(past.2, Err(BodyError::TrailersTooLarge));
    }

    /// Encodes `body` in chunks of the given sizes, over and over.
    fn encoded(body: &[u8], sizes: &[usize], extension: &str, trailers: &str) -> Vec<u8> {
        let (mut wire, mut rest) = (Vec::new(), body);
        for size in sizes.iter().cycle() {
            let (chunk, behind) = rest.split_at(rest.len().min((*size).max(1)));
            if chunk.is_empty() {
                break;
            }
            wire.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(b"\r\n");
            rest = behind;
        }
        wire.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
        wire
    }

    proptest! {
        #[test]
        fn any_encoding_in_any_pieces_gives_the_body(
            body in prop::collection::vec(any::<u8>(), 0..300),
            chunks in prop::collection::vec(1usize..80, 1..6),
            pieces in prop::collection::vec(0usize..40, 0..60),
            extension in prop::sample::select(vec!["", ";a", ";a=b", " ; a=\"b\""]),
            trailers in prop::sample::select(vec!["", "A: b\r\n", "A:\r\nB: c\r\n"]),
        ) {
            let wire = encoded(&body, &chunks, extension, trailers);
            let followed = [&wire[..], b"GET"].concat();
            let wanted = (body, wire.len(), Ok(true));
            prop_assert_eq!(decode_in(&followed, &pieces, &Limits::default()), wanted);
        }

        #[test]
        fn pieces_never_change_the_outcome(
            body in prop::collection::vec(any::<u8>(), 0..60),
            chunks in prop::collection::vec(1usize..20, 1..4),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            pieces in prop::collection::vec(0usize..20, 0..40),
            limit in 0usize..80,
        ) {
            let mut wire = encoded(&body, &chunks, ";x=y", "T: u\r\n");
            for (at, byte) in changes {
                let at = at.index(wire.len());
                wire[at] = byte;
            }
            let limits = Limits { body_bytes: limit, ..Limits::default() };
            let whole = decode(&wire, &limits);
            let split = decode_in(&wire, &pieces, &limits);
            prop_assert_eq!((&whole.0, &whole.2), (&split.0, &split.2));
            prop_assert!(whole.2.is_err() || whole.1 == split.1);
            prop_assert!(whole.0.len() <= limit);
        }

        #[test]
        fn noise_is_survived(
            noise in "[0-9a-f;x\r\n\t :]{0,60}",
            pieces in prop::collection::vec(0usize..10, 0..20),
        ) {
            let whole = decode(noise.as_bytes(), &Limits::default());
            let split = decode_in(noise.as_bytes(), &pieces, &Limits::default());
            prop_assert_eq!((whole.0, whole.2), (split.0, split.2));
        }
    }
}

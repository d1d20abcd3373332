//! The bytes of one request's body among the bytes that come in, whatever its framing.
//!
//! Not here: the coding itself ([`body`](super::body)), and reading.

use super::body::{BodyError, ChunkedDecoder, Piece};
use super::framing::BodyKind;

/// Finds one body in what comes in. Make a new one for each request.
#[derive(Clone, Debug)]
pub struct BodyDecoder {
    coding: Coding,
    received: u64,
}

#[derive(Clone, Debug)]
enum Coding {
    /// So many bytes are still to come.
    Length(u64),
    Chunked(ChunkedDecoder),
}

impl BodyDecoder {
    /// A decoder before the first byte of a body, which has `max` bytes at most.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] when the body says that it is longer than that.
    pub fn new(kind: BodyKind, max: u64) -> Result<Self, BodyError> {
        let coding = match kind {
            BodyKind::None => Coding::Length(0),
            BodyKind::Length(length) if length > max => return Err(BodyError::TooLarge),
            BodyKind::Length(length) => Coding::Length(length),
            BodyKind::Chunked => Coding::Chunked(ChunkedDecoder::with_max(max)),
        };
        let received = 0;
        Ok(Self { coding, received })
    }

    /// Takes the front of `input` up to the end of the first bytes of the body that lie in it
    /// together; all of it when there are none and the body goes on.
    ///
    /// # Errors
    /// What is wrong with the coding, and the same again on every later call.
    pub fn piece(&mut self, input: &[u8]) -> Result<Piece, BodyError> {
        let piece = match &mut self.coding {
            Coding::Length(left) => {
                let part = usize::try_from(*left).unwrap_or(usize::MAX);
                let part = part.min(input.len());
                *left -= part as u64;
                Piece {
                    data: 0..part,
                    consumed: part,
                    done: *left == 0,
                }
            }
            Coding::Chunked(decoder) => decoder.piece(input)?,
        };
        self.received += piece.data.len() as u64;
        Ok(piece)
    }

    /// Bytes of the body that were found so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// How many bytes are still to come, where the peer has said it.
    pub fn left(&self) -> Option<u64> {
        match self.coding {
            Coding::Length(left) => Some(left),
            Coding::Chunked(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body found in `input` that comes in pieces of this size, and what lies behind it.
    fn found(
        kind: BodyKind,
        max: u64,
        input: &[u8],
        size: usize,
    ) -> Result<(Vec<u8>, usize), BodyError> {
        let mut decoder = BodyDecoder::new(kind, max)?;
        let (mut body, mut at) = (Vec::new(), 0);
        loop {
            let end = (at + size).min(input.len());
            let piece = decoder.piece(&input[at..end])?;
            body.extend_from_slice(&input[at..end][piece.data]);
            at += piece.consumed;
            assert_eq!(decoder.received(), body.len() as u64);
            if piece.done {
                return Ok((body, input.len() - at));
            }
            assert!(at < input.len(), "it ends in the input");
        }
    }

    #[test]
    fn a_body_is_found_in_any_pieces_and_not_what_lies_behind_it() {
        for size in [1, 3, 100] {
            let length = found(BodyKind::Length(5), 5, b"helloGET", size);
            assert_eq!(length, Ok((b"hello".to_vec(), 3)), "{size}");
            let none = found(BodyKind::None, 0, b"GET", size);
            assert_eq!(none, Ok((vec![], 3)), "{size}");
            let coded = b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\nGET";
            let chunked = found(BodyKind::Chunked, 5, coded, size);
            assert_eq!(chunked, Ok((b"hello".to_vec(), 3)), "{size}");
        }
    }

    #[test]
    fn bodies_at_the_limit_and_one_past() {
        let too_large = Err(BodyError::TooLarge);
        assert_eq!(found(BodyKind::Length(5), 4, b"hello", 9), too_large);
        let coded = b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
        assert_eq!(found(BodyKind::Chunked, 4, coded, 9), too_large);
        assert!(BodyDecoder::new(BodyKind::Length(u64::MAX), u64::MAX).is_ok());
    }

    #[test]
    fn what_is_left_is_known_where_the_peer_has_said_it() {
        let mut decoder = BodyDecoder::new(BodyKind::Length(5), 5).unwrap();
        decoder.piece(b"he").unwrap();
        assert_eq!((decoder.left(), decoder.received()), (Some(3), 2));
        let decoder = BodyDecoder::new(BodyKind::Chunked, 5).unwrap();
        assert_eq!(decoder.left(), None);
    }
}

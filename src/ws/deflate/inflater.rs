//! The inbound half: a message that came compressed, inflated within its limit.
//!
//! Compressed bytes gather in the connection until the message is whole; only then, and for no
//! longer than that takes, is the shard's one inflater used. A client that sends slowly holds what
//! it has sent and no window.

use super::TAIL;
use crate::limits::{FRAGMENTS_MAX, READ_CHUNK};
use flate2::{Decompress, FlushDecompress, Status};
use std::cell::RefCell;

/// Inflates the messages of one shard's connections.
#[derive(Debug, Default)]
pub struct Inflater(RefCell<State>);

#[derive(Debug, Default)]
struct State {
    /// Made when the first message needs it: 48 kB (`tests/alloc.rs`).
    stream: Option<Decompress>,
    /// A buffer that came back, so that messages as a rule cost no allocation.
    spare: Vec<u8>,
}

/// Why a compressed message could not be inflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// It is longer than the limit.
    TooBig,
    /// It is not DEFLATE.
    Damaged,
}

/// Largest buffer that is kept for the next message.
const SPARE_MAX: usize = 4 * READ_CHUNK;

impl Inflater {
    /// Inflates a whole message of at most `max` bytes. Memory grows with what comes out, and not
    /// beyond the limit.
    ///
    /// # Errors
    /// [`InflateError`].
    pub fn inflate(&self, compressed: &[u8], max: usize) -> Result<Vec<u8>, InflateError> {
        let mut state = self.0.borrow_mut();
        let State { stream, spare } = &mut *state;
        let stream = stream.get_or_insert_with(|| Decompress::new(false));
        stream.reset(false);
        let mut message = std::mem::take(spare);
        match whole(stream, compressed, max, &mut message) {
            Ok(()) => Ok(message),
            Err(error) => {
                keep(spare, message);
                Err(error)
            }
        }
    }

    /// Takes back the buffer of a message that was dealt with.
    pub fn give_back(&self, message: Vec<u8>) {
        keep(&mut self.0.borrow_mut().spare, message);
    }
}

fn keep(spare: &mut Vec<u8>, mut buffer: Vec<u8>) {
    if (spare.capacity() + 1..=SPARE_MAX).contains(&buffer.capacity()) {
        buffer.clear();
        *spare = buffer;
    }
}

/// RFC 7692, section 7.2.2.
fn whole(
    stream: &mut Decompress,
    mut compressed: &[u8],
    max: usize,
    message: &mut Vec<u8>,
) -> Result<(), InflateError> {
    for _ in 0..FRAGMENTS_MAX {
        let used = run(stream, compressed, max, message)?;
        let Some(used) = used else {
            // What the sender left out closes the last block and says nothing: if it does, the
            // message was cut off.
            let length = message.len();
            run(stream, &TAIL, max.saturating_add(TAIL.len()), message)?;
            return match message.len() == length {
                true => Ok(()),
                false => Err(InflateError::Damaged),
            };
        };
        // A final block, which some senders end a message with (section 7.2.3.4); what follows
        // begins anew.
        compressed = &compressed[used..];
        if compressed.is_empty() {
            return Ok(());
        }
        stream.reset(false);
    }
    Err(InflateError::TooBig)
}

/// Inflates all of `input`, or up to the end of a final block: then, how many bytes that were.
fn run(
    stream: &mut Decompress,
    input: &[u8],
    max: usize,
    message: &mut Vec<u8>,
) -> Result<Option<usize>, InflateError> {
    let start = stream.total_in();
    loop {
        if message.len() == message.capacity() {
            // One byte past the limit shows that it is passed.
            let wanted = (message.len() * 2).max(input.len() * 4).max(64);
            let room = wanted.min(max.saturating_add(1)).max(message.len() + 1);
            message.reserve_exact(room - message.len());
        }
        let used = (stream.total_in() - start) as usize;
        let status = stream
            .decompress_vec(&input[used..], message, FlushDecompress::Sync)
            .map_err(|_| InflateError::Damaged)?;
        if message.len() > max {
            return Err(InflateError::TooBig);
        }
        let used = (stream.total_in() - start) as usize;
        if status == Status::StreamEnd {
            return Ok(Some(used));
        }
        if message.len() < message.capacity() {
            return match used == input.len() {
                true => Ok(None),
                false => Err(InflateError::Damaged),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};

    /// A message as a client compresses it.
    fn deflated(payload: &[u8]) -> Vec<u8> {
        let mut stream = Compress::new(Compression::best(), false);
        let mut out = Vec::with_capacity(payload.len() + 100);
        stream
            .compress_vec(payload, &mut out, FlushCompress::Sync)
            .unwrap();
        out.truncate(out.len() - TAIL.len());
        out
    }

    fn inflate(compressed: &[u8], max: usize) -> Result<Vec<u8>, InflateError> {
        Inflater::default().inflate(compressed, max)
    }

    // RFC 7692, sections 7.2.3.1 to 7.2.3.6
    #[test]
    fn the_examples_of_the_standard() {
        let hello = Ok(b"Hello".to_vec());
        let plain: &[u8] = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
        let stored: &[u8] = &[
            0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
        ];
        let final_block: &[u8] = &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
        let two_blocks: &[u8] = &[
            0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
        ];
        for example in [plain, stored, final_block, two_blocks] {
            assert_eq!(inflate(example, 5), hello, "{example:x?}");
            assert_eq!(inflate(example, 4), Err(InflateError::TooBig));
        }
        assert_eq!(inflate(&[0x00], 0), Ok(Vec::new())); // 7.2.3.6: empty
    }

    #[test]
    fn a_bomb_is_inflated_to_its_limit_and_no_further() {
        let inflater = Inflater::default();
        for max in [1, 1000, 65_536, 1_000_000] {
            let at = inflater.inflate(&deflated(&vec![0; max]), max).unwrap();
            assert_eq!(at.len(), max);
            assert!(at.capacity() <= (max + 1).max(64), "{}", at.capacity());
            let past = deflated(&vec![0; max + 1]);
            assert_eq!(inflater.inflate(&past, max), Err(InflateError::TooBig));
        }
        let bomb = deflated(&vec![0; 50_000_000]);
        assert!(bomb.len() < 65_536);
        assert_eq!(inflater.inflate(&bomb, 65_536), Err(InflateError::TooBig));
        let held = inflater.0.borrow().spare.capacity();
        assert!(held <= SPARE_MAX, "{held}");
    }

    #[test]
    fn what_is_damaged_is_refused_and_the_next_message_is_read() {
        let inflater = Inflater::default();
        let good = deflated(&b"one two three one two three".repeat(20));
        let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65];
        for bad in [
            &[0xff, 0xff, 0xff][..],                        // block type 3
            &[0x00, 0x05, 0x00, 0x00, 0x00, 0x48],          // lengths that do not agree
            &stored,                                        // cut off in a stored block
            &[0x02, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0x7e, 0], // back before the start
        ] {
            let outcome = inflater.inflate(bad, 1000);
            assert_eq!(outcome, Err(InflateError::Damaged), "{bad:x?}");
            assert!(inflater.inflate(&good, 1000).is_ok());
        }
    }

    // RFC 7692, section 7.2.3.4
    #[test]
    fn final_blocks_are_bounded() {
        let block = [0x03, 0x00]; // final and empty
        let blocks = |count: usize| block.repeat(count);
        let max = FRAGMENTS_MAX;
        assert_eq!(inflate(&blocks(max), 0), Ok(Vec::new()));
        assert_eq!(inflate(&blocks(max + 1), 0), Err(InflateError::TooBig));
    }

    #[test]
    fn a_buffer_goes_round() {
        let inflater = Inflater::default();
        let compressed = deflated(&[b'x'; 5000]);
        let first = inflater.inflate(&compressed, 8000).unwrap();
        let (at, second) = (first.as_ptr(), inflater.inflate(&compressed, 8000).unwrap());
        assert_ne!(second.as_ptr(), at, "two messages at once");
        inflater.give_back(first);
        inflater.give_back(Vec::with_capacity(10));
        inflater.give_back(Vec::with_capacity(SPARE_MAX + 1));
        let third = inflater.inflate(&compressed, 8000).unwrap();
        assert_eq!(third.as_ptr(), at);
        assert_eq!(third, [b'x'; 5000]);
    }
}

//! Frames that wait for one socket: references, never copies, bounded in bytes.
//!
//! Two frames are held without memory of their own. Whatever has gathered is joined into one
//! write, since eight frames in one write cost a seventh of eight writes.

use crate::limits::WRITE_JOIN_MAX;
use crate::ws::Frame;
use smallvec::SmallVec;

/// Frames whose places are kept when all have left: the next burst then costs no allocation, and
/// an idle connection that had one holds 256 bytes for it. What a backlog took is let go.
const PLACES_KEPT: usize = 16;

/// A queue of frames, the first of which may be partly sent.
#[derive(Debug, Default)]
pub struct Outbox {
    frames: SmallVec<[Frame; 2]>,
    /// Bytes of the first frame that the socket has taken.
    sent: usize,
    /// Bytes that are still to be sent.
    bytes: usize,
}

impl Outbox {
    /// Adds a frame.
    pub fn push(&mut self, frame: Frame) {
        self.bytes += frame.bytes().len();
        self.frames.push(frame);
    }

    /// Same, unless more than `max` bytes would wait then; says whether it was added.
    #[must_use]
    pub fn push_within(&mut self, max: usize, frame: Frame) -> bool {
        let bytes = self.bytes + frame.bytes().len();
        if bytes > max {
            return false;
        }
        self.bytes = bytes;
        self.frames.push(frame);
        true
    }

    /// Bytes that wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many frames wait.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// What the next write shall carry: the only frame as it lies, or several joined in
    /// `scratch`, which is overwritten.
    pub fn gather<'a>(&'a self, scratch: &'a mut Vec<u8>) -> &'a [u8] {
        match self.frames.as_slice() {
            [] | [_] => self.lone(),
            _ => {
                scratch.clear();
                self.join(scratch);
                scratch
            }
        }
    }

    /// What is left of the only frame; nothing when there is none, or more than one.
    #[must_use]
    pub fn lone(&self) -> &[u8] {
        match self.frames.as_slice() {
            [only] => &only.bytes()[self.sent..],
            _ => &[],
        }
    }

    /// Appends what the next write shall carry to `into`, several frames joined.
    pub fn join(&self, into: &mut Vec<u8>) {
        let start = into.len();
        let mut sent = self.sent;
        for frame in &self.frames {
            let bytes = &frame.bytes()[sent..];
            if into.len() > start && into.len() - start + bytes.len() > WRITE_JOIN_MAX {
                break;
            }
            into.extend_from_slice(bytes);
            sent = 0;
        }
    }

    /// The socket has taken `count` bytes of what was gathered.
    ///
    /// # Panics
    /// When that is more than waits.
    pub fn advance(&mut self, count: usize) {
        if count == self.bytes {
            return self.clear(); // as nearly always: there is nothing to work out
        }
        self.advance_by(count, |_| {});
    }

    /// Same; tells `done_with` of each frame that has left whole.
    ///
    /// # Panics
    /// As there.
    pub fn advance_by(&mut self, count: usize, mut done_with: impl FnMut(&Frame)) {
        self.bytes = self
            .bytes
            .checked_sub(count)
            .expect("a socket takes what it was given");
        let mut done = 0;
        let mut left = count + self.sent;
        for frame in &self.frames {
            let len = frame.bytes().len();
            if left < len {
                break;
            }
            left -= len;
            done += 1;
            done_with(frame);
        }
        if done == self.frames.len() {
            return self.clear();
        }
        self.sent = left;
        self.frames.drain(..done);
    }

    /// All of it has left.
    fn clear(&mut self) {
        (self.bytes, self.sent) = (0, 0);
        self.frames.clear();
        if self.frames.capacity() > PLACES_KEPT {
            self.frames = SmallVec::new();
        }
    }

    /// Drops what has not begun to leave. A frame that is partly sent stays: half a frame would
    /// make nonsense of all that follows it. So does the answer to the handshake, and what is in
    /// front of it: without it no frame means anything.
    pub fn drop_unsent(&mut self) {
        let answer = self.frames.iter().rposition(Frame::is_answer);
        let kept = answer.map_or(usize::from(self.sent > 0), |at| at + 1);
        self.frames.truncate(kept);
        self.bytes = self
            .frames
            .iter()
            .map(|frame| frame.bytes().len())
            .sum::<usize>()
            - self.sent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(len: usize) -> Frame {
        Frame::raw(&vec![len as u8; len])
    }

    #[test]
    fn one_frame_is_not_copied() {
        let mut outbox = Outbox::default();
        let frame = frame(100);
        let at = frame.bytes().as_ptr();
        outbox.push(frame);
        let mut scratch = Vec::new();
        assert_eq!(outbox.gather(&mut scratch).as_ptr(), at);
        assert_eq!(scratch.capacity(), 0);
    }

    #[test]
    fn places_for_a_burst_are_kept_and_those_of_a_backlog_are_not() {
        let mut outbox = Outbox::default();
        for (burst, kept) in [(PLACES_KEPT, PLACES_KEPT), (PLACES_KEPT + 1, 2)] {
            for _ in 0..burst {
                outbox.push(frame(1));
            }
            outbox.advance(burst);
            assert!(outbox.is_empty());
            assert_eq!(outbox.frames.capacity(), kept, "{burst}");
        }
    }

    #[test]
    fn joining_stops_at_the_limit() {
        let mut outbox = Outbox::default();
        for _ in 0..3 {
            outbox.push(frame(WRITE_JOIN_MAX / 2));
        }
        assert_eq!(outbox.gather(&mut Vec::new()).len(), WRITE_JOIN_MAX);
    }

    #[test]
    fn a_partly_sent_frame_is_kept() {
        let mut outbox = Outbox::default();
        outbox.push(frame(10));
        outbox.push(frame(20));
        outbox.advance(4);
        outbox.drop_unsent();
        assert_eq!(
            (outbox.bytes(), outbox.gather(&mut Vec::new()).len()),
            (6, 6)
        );
        let mut fresh = Outbox::default();
        fresh.push(frame(10));
        fresh.drop_unsent();
        assert_eq!((fresh.bytes(), fresh.is_empty()), (0, true));
    }

    #[test]
    fn the_answer_to_the_handshake_is_kept_with_what_is_in_front_of_it() {
        let mut outbox = Outbox::default();
        let (body, answer) = (Frame::raw(b"a page"), Frame::raw(b"HTTP/1.1 101 \r\n\r\n"));
        let kept = body.bytes().len() + answer.bytes().len();
        for frame in [body, answer, Frame::text(b"HTTP/1.1"), Frame::ping()] {
            outbox.push(frame);
        }
        outbox.drop_unsent();
        assert_eq!((outbox.frames(), outbox.bytes()), (2, kept));
        outbox.advance(3);
        outbox.drop_unsent();
        assert_eq!((outbox.frames(), outbox.bytes()), (2, kept - 3));
    }

    proptest! {
        #[test]
        fn bytes_leave_in_order_whatever_the_socket_takes(
            sizes in prop::collection::vec(1usize..300, 0..20),
            takes in prop::collection::vec(1usize..500, 1..40),
        ) {
            let mut outbox = Outbox::default();
            let mut expected = Vec::new();
            for size in &sizes {
                expected.extend_from_slice(frame(*size).bytes());
                outbox.push(frame(*size));
            }
            let (mut seen, mut scratch) = (Vec::new(), Vec::new());
            for take in takes.iter().cycle().take(5000) {
                let part = outbox.gather(&mut scratch);
                if part.is_empty() {
                    break;
                }
                let count = part.len().min(*take);
                seen.extend_from_slice(&part[..count]);
                outbox.advance(count);
                prop_assert_eq!(outbox.bytes(), expected.len() - seen.len());
            }
            prop_assert_eq!(seen, expected);
            prop_assert!(outbox.is_empty());
        }
    }
}

//! Buffers for frames that go to one client: lent to a frame, taken back when it has left.
//!
//! What goes to many is shared and allocated once for all of them. What goes to one, such as the
//! answer to each message, would cost two allocations each time; with the shard's own buffers it
//! costs none.

use super::codec::Kind;
use super::frame::{self, Frame};
use crate::limits::{FRAME_BUFFER_MAX, FRAME_BUFFERS_KEPT, FRAME_BYTES_KEPT};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use tungstenite::protocol::frame::coding::{Data, OpCode};

/// The buffers of a shard that no frame uses.
#[derive(Debug, Default)]
pub struct Frames {
    free: RefCell<Vec<Rc<Owner>>>,
    /// Bytes of memory in `free`.
    kept: Cell<usize>,
}

/// What the bytes of a frame belong to.
#[derive(Debug)]
enum Owner {
    /// All shards that it goes to.
    Shared(Arc<[u8]>),
    /// The pool, which takes it back.
    Lent { bytes: Vec<u8>, pool: Weak<Frames> },
}

/// The bytes of a frame, in one place for all its clones on this shard. It is one pointer to
/// either owner, since whatever is asked of it is asked for each socket.
#[derive(Clone, Debug)]
pub(super) struct Held(Rc<Owner>);

impl Frames {
    /// A text message from `payload`, for one client.
    #[must_use]
    pub fn text(self: &Rc<Self>, payload: &[u8]) -> Frame {
        self.encode(true, OpCode::Data(Data::Text), payload)
    }

    /// A binary message from `payload`, for one client.
    #[must_use]
    pub fn binary(self: &Rc<Self>, payload: &[u8]) -> Frame {
        self.encode(true, OpCode::Data(Data::Binary), payload)
    }

    /// A fragment of a message, of which `begins` tells the kind if it is the first.
    #[must_use]
    pub fn fragment(
        self: &Rc<Self>,
        begins: Option<Kind>,
        is_final: bool,
        payload: &[u8],
    ) -> Frame {
        let data = match begins {
            Some(Kind::Text) => Data::Text,
            Some(Kind::Binary) => Data::Binary,
            None => Data::Continue,
        };
        self.encode(is_final, OpCode::Data(data), payload)
    }

    fn encode(self: &Rc<Self>, is_final: bool, opcode: OpCode, payload: &[u8]) -> Frame {
        if let Some(short) = Frame::short(is_final, opcode, payload) {
            return short;
        }
        let mut owner = self.take();
        let Some(Owner::Lent { bytes, .. }) = Rc::get_mut(&mut owner) else {
            unreachable!("whatever is free was lent, and no frame has it");
        };
        bytes.clear();
        frame::fragment_into(is_final, opcode, payload, bytes);
        Frame::held(Held(owner))
    }

    fn take(self: &Rc<Self>) -> Rc<Owner> {
        let Some(owner) = self.free.borrow_mut().pop() else {
            let (bytes, pool) = (Vec::new(), Rc::downgrade(self));
            return Rc::new(Owner::Lent { bytes, pool });
        };
        self.kept.set(self.kept.get() - owner.capacity());
        owner
    }

    fn take_back(&self, owner: Rc<Owner>) {
        let size = owner.capacity();
        let mut free = self.free.borrow_mut();
        if size <= FRAME_BUFFER_MAX
            && free.len() < FRAME_BUFFERS_KEPT
            && self.kept.get() + size <= FRAME_BYTES_KEPT
        {
            self.kept.set(self.kept.get() + size);
            free.push(owner);
        }
    }
}

impl Owner {
    /// Bytes of memory that the pool answers for.
    fn capacity(&self) -> usize {
        match self {
            Self::Shared(_) => 0,
            Self::Lent { bytes, .. } => bytes.capacity(),
        }
    }
}

impl Held {
    /// Bytes that may be shared with other shards.
    pub(super) fn shared(bytes: Arc<[u8]>) -> Self {
        Self(Rc::new(Owner::Shared(bytes)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &*self.0 {
            Owner::Shared(bytes) => bytes,
            Owner::Lent { bytes, .. } => bytes,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if Rc::strong_count(&self.0) == 1 {
            give_back(&self.0);
        }
    }
}

/// Whoever drops a frame last gives its buffer back, if it was lent. Apart from the drop of all
/// others.
#[inline(never)]
fn give_back(owner: &Rc<Owner>) {
    if let Owner::Lent { pool, .. } = &**owner
        && let Some(pool) = pool.upgrade()
    {
        pool.take_back(Rc::clone(owner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(frames: &Frames) -> (usize, usize) {
        (frames.free.borrow().len(), frames.kept.get())
    }

    #[test]
    fn frames_are_those_that_are_made_without_a_pool() {
        let frames = Rc::new(Frames::default());
        for len in [0, 1, 12, 13, 125, 126, 65_535, 65_536, 200_000] {
            let payload = vec![b'x'; len];
            let text = frames.text(&payload);
            assert_eq!(text.bytes(), Frame::text(&payload).bytes(), "{len}");
            let binary = frames.binary(&payload);
            assert_eq!(binary.bytes(), Frame::binary(&payload).bytes(), "{len}");
        }
    }

    #[test]
    fn fragments_say_what_begins_and_what_ends() {
        let frames = Rc::new(Frames::default());
        for (begins, is_final, first) in [
            (Some(Kind::Text), false, 0x01),
            (Some(Kind::Binary), false, 0x02),
            (None, false, 0x00),
            (None, true, 0x80),
            (Some(Kind::Text), true, 0x81),
        ] {
            for payload in [&[][..], &[7; 12], &[7; 13], &[7; 200]] {
                let frame = frames.fragment(begins, is_final, payload);
                assert_eq!(frame.bytes()[0], first);
                assert!(frame.bytes().ends_with(payload));
                assert_eq!((frame.is_final(), frame.is_control()), (is_final, false));
            }
        }
        assert!(Frame::ping().is_control() && Frame::close(1000, "x").is_control());
    }

    #[test]
    fn the_last_clone_gives_the_buffer_back_and_the_next_frame_takes_it() {
        let frames = Rc::new(Frames::default());
        let first = frames.text(&[b'a'; 100]);
        let at = first.bytes().as_ptr();
        let second = first.clone();
        drop(first);
        assert_eq!(kept(&frames).0, 0);
        assert_eq!(second.bytes()[2..], [b'a'; 100]);
        drop(second);
        assert_eq!(kept(&frames).0, 1);
        let third = frames.binary(&[b'b'; 50]);
        assert_eq!((third.bytes().as_ptr(), kept(&frames)), (at, (0, 0)));
        assert_eq!(third.bytes()[2..], [b'b'; 50]);
    }

    #[test]
    fn short_frames_need_no_buffer() {
        let frames = Rc::new(Frames::default());
        drop(frames.text(&[b'a'; 12]));
        assert_eq!(kept(&frames), (0, 0));
        drop(frames.text(&[b'a'; 13]));
        assert_eq!(kept(&frames).0, 1);
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_in_bytes() {
        let frames = Rc::new(Frames::default());
        let many: Vec<_> = (0..=FRAME_BUFFERS_KEPT)
            .map(|_| frames.text(&[b'a'; 20]))
            .collect();
        drop(many);
        assert_eq!(kept(&frames).0, FRAME_BUFFERS_KEPT);

        let frames = Rc::new(Frames::default());
        let large = || frames.text(&vec![b'a'; FRAME_BUFFER_MAX - 4]);
        let each = FRAME_BYTES_KEPT / FRAME_BUFFER_MAX;
        let many: Vec<_> = (0..=each).map(|_| large()).collect();
        drop(many);
        assert_eq!(kept(&frames), (each, FRAME_BYTES_KEPT));

        let frames = Rc::new(Frames::default());
        drop(frames.text(&vec![b'a'; FRAME_BUFFER_MAX - 3]));
        assert_eq!(kept(&frames), (0, 0), "one past the largest that is kept");
    }

    #[test]
    fn a_frame_may_outlive_its_shard() {
        let frames = Rc::new(Frames::default());
        let frame = frames.text(&[b'a'; 100]);
        drop(frames);
        assert_eq!(frame.bytes().len(), 102);
    }
}

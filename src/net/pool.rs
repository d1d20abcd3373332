//! Read buffers that belong to whoever reads just now.

use crate::limits::{READ_BUFFERS_KEPT, READ_CHUNK};
use std::cell::RefCell;
use std::rc::Rc;

/// Buffers of a shard that nobody uses.
#[derive(Debug, Default)]
pub struct Pool {
    free: RefCell<Vec<Box<[u8]>>>,
}

/// A buffer of [`READ_CHUNK`] bytes, given back when it is dropped.
#[derive(Debug)]
pub struct Buffer {
    bytes: Box<[u8]>,
    filled: usize,
    pool: Rc<Pool>,
}

impl Pool {
    /// Lends a buffer.
    #[must_use]
    pub fn take(self: &Rc<Self>) -> Buffer {
        let bytes = self.free.borrow_mut().pop();
        let bytes = bytes.unwrap_or_else(|| vec![0; READ_CHUNK].into_boxed_slice());
        Buffer {
            bytes,
            filled: 0,
            pool: Rc::clone(self),
        }
    }
}

impl Buffer {
    /// What was read.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Same, to be changed in place.
    pub fn filled_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.filled]
    }

    /// Whether the read took all that fits: there is probably more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.filled == self.bytes.len()
    }

    /// The whole room, for a read that starts at `at`.
    pub(super) fn room(&mut self, at: usize) -> &mut [u8] {
        &mut self.bytes[at..]
    }

    /// Puts `front` before what a read has put behind its place.
    pub(super) fn complete(&mut self, front: &[u8], read: usize) {
        self.bytes[..front.len()].copy_from_slice(front);
        self.filled = front.len() + read;
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = self.pool.free.borrow_mut();
        if free.len() < READ_BUFFERS_KEPT {
            free.push(std::mem::take(&mut self.bytes));
        }
    }
}

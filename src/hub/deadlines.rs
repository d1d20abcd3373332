//! What a hub has to look at again later, the earliest first.
//!
//! Nothing is ever taken out early: whoever asked for a deadline says in it which channel or client
//! it is for, by a reference that goes stale, and does nothing when it has.

use super::note::HomeRef;
use crate::id::ClientId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What may be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deadline {
    /// A connection that must be authorised by now (section 7.4).
    Authorize(ClientId),
    /// A user that has gone may be told of as offline (U11).
    UserOffline {
        /// Place in its home's table.
        slot: u32,
        /// Which user of that place.
        generation: u32,
        /// Which of its departures.
        departure: u32,
    },
    /// The subscribers of a large channel may be told their number again.
    Count(HomeRef),
}

/// Things that are due at a time.
#[derive(Debug)]
pub struct Deadlines<T> {
    heap: BinaryHeap<Reverse<(u64, u64, T)>>,
    /// Keeps what is due at the same time in the order in which it was asked for.
    asked: u64,
}

impl<T: Ord> Default for Deadlines<T> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            asked: 0,
        }
    }
}

impl<T: Ord> Deadlines<T> {
    /// Asks to be told at `at_ms` or soon after.
    pub fn set(&mut self, at_ms: u64, what: T) {
        self.heap.push(Reverse((at_ms, self.asked, what)));
        self.asked += 1;
    }

    /// The next thing that is due.
    pub fn next_due(&mut self, now_ms: u64) -> Option<T> {
        let Reverse((at_ms, ..)) = self.heap.peek()?;
        if *at_ms > now_ms {
            return None;
        }
        let Reverse((_, _, what)) = self.heap.pop()?;
        if self.heap.is_empty() {
            self.heap.shrink_to(KEPT);
        }
        Some(what)
    }
}

/// Places kept when nothing is to come.
const KEPT: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_in_order_and_not_before_its_time() {
        let mut deadlines = Deadlines::default();
        deadlines.set(20, "later");
        deadlines.set(10, "first");
        deadlines.set(10, "a second that sorts before the first");
        assert_eq!(deadlines.next_due(9), None);
        assert_eq!(deadlines.next_due(10), Some("first"));
        assert_eq!(
            deadlines.next_due(10),
            Some("a second that sorts before the first")
        );
        assert_eq!(deadlines.next_due(19), None);
        assert_eq!(deadlines.next_due(20), Some("later"));
        assert_eq!(deadlines.next_due(u64::MAX), None);
    }
}

//! The end of a turn: whoever leaves work for it says so here, once for all of them.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};

/// Wakes the task that ends the turn: writes to dirty sockets, rings the bells of other shards.
///
/// A shard's tasks run in the order in which they were woken; the one that waits here therefore
/// runs after all that were ready before it, and what they produced leaves together.
#[derive(Debug, Default)]
pub struct Turn {
    wanted: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Turn {
    /// Asks for the end of this turn.
    pub fn request(&self) {
        if !self.wanted.replace(true)
            && let Some(waker) = self.waker.borrow().as_ref()
        {
            waker.wake_by_ref();
        }
    }

    /// What was asked for so far is done with what is done now.
    pub fn settle(&self) {
        self.wanted.set(false);
    }

    /// Ready when it was asked for since the last time.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.wanted.replace(false) {
            return Poll::Ready(());
        }
        let mut waker = self.waker.borrow_mut();
        if !waker
            .as_ref()
            .is_some_and(|known| known.will_wake(cx.waker()))
        {
            *waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

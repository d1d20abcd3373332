//! The tasks that wait for one thing.

use std::task::{Context, Waker};

/// Tasks to be woken, each once.
#[derive(Debug, Default)]
pub struct Waiters(Vec<Waker>);

impl Waiters {
    /// Wakes this task the next time.
    pub fn wait(&mut self, cx: &Context<'_>) {
        if !self.0.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.0.push(cx.waker().clone());
        }
    }

    /// Does not wake this task.
    pub fn leave(&mut self, cx: &Context<'_>) {
        self.0.retain(|waker| !waker.will_wake(cx.waker()));
    }

    /// Wakes all; each looks for itself whether it has waited long enough.
    pub fn wake(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

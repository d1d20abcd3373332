//! What wakes a shard from another thread.

use atomic_waker::AtomicWaker;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

/// One shard's bell and its pressure flag; what shards share beside the rings.
#[derive(Debug, Default)]
pub(super) struct Bell {
    waker: AtomicWaker,
    pressed: AtomicBool,
}

impl Bell {
    /// Wakes the shard if it waits. Costs a few nanoseconds if it does not.
    pub(super) fn ring(&self) {
        self.waker.wake();
    }

    /// Says whom to wake. Look at the rings again after this, before going to sleep.
    pub(super) fn listen(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Sets the pressure flag.
    pub(super) fn press(&self, pressed: bool) {
        self.pressed.store(pressed, Ordering::Relaxed);
    }

    /// Whether the shard asked publishers to hold back. Advice, so no ordering is needed.
    pub(super) fn is_pressed(&self) -> bool {
        self.pressed.load(Ordering::Relaxed)
    }
}

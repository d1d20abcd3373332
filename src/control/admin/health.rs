//! How far the server is.

use std::sync::atomic::{AtomicBool, Ordering};

/// How far the server is, as the control thread knows it.
#[derive(Debug, Default)]
pub struct Health {
    started: AtomicBool,
    draining: AtomicBool,
}

impl Health {
    /// Every shard accepts connections.
    pub fn set_started(&self) {
        self.started.store(true, Ordering::Relaxed);
    }

    /// The server was told to stop.
    pub fn set_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether it was.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether clients may be sent here: every shard accepts, and nobody has said to stop.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.started.load(Ordering::Relaxed) && !self.is_draining()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_between_started_and_told_to_stop() {
        let health = Health::default();
        assert!(!health.is_ready() && !health.is_draining());
        health.set_started();
        assert!(health.is_ready() && !health.is_draining());
        health.set_draining();
        assert!(!health.is_ready() && health.is_draining());
    }
}

//! The load tester's clock: nanoseconds since it began, and the wall clock beside it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A time that never comes.
pub const NEVER: u64 = u64::MAX;

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;

/// Monotonic, so that a latency is never negative.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    unix_s_at_start: u64,
}

impl Clock {
    /// Begins now.
    pub fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            start: Instant::now(),
            unix_s_at_start: unix.map_or(0, |since| since.as_secs()),
        }
    }

    /// Nanoseconds since the beginning.
    #[inline]
    pub fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// The same moment as another clock of this process has it.
    pub fn instant(&self, now: u64) -> Instant {
        self.start + Duration::from_nanos(now)
    }

    /// What the wall clock says at `now`, in seconds.
    pub fn unix_s(&self, now: u64) -> u64 {
        self.unix_s_at_start + now / SECOND
    }
}

//! The two clocks: a monotonic one for deadlines, the wall clock for signed requests.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the server started, and seconds since 1970.
#[derive(Clone)]
pub struct Clock {
    start: Instant,
    /// What the wall clock said then, in milliseconds since 1970.
    start_unix_ms: u64,
    /// Nanoseconds since the start, of a clock that does not go by itself.
    hand: Option<Arc<AtomicU64>>,
    wall: Option<Arc<dyn Fn() -> u64 + Send + Sync>>,
}

impl Clock {
    /// The machine's clocks.
    #[must_use]
    pub fn system() -> Self {
        Self {
            start: Instant::now(),
            start_unix_ms: system_ms(),
            hand: None,
            wall: None,
        }
    }

    /// The machine's monotonic clock, and a wall clock of the caller's: for tests that replay
    /// requests which were signed at a certain time.
    #[must_use]
    pub fn with_wall_clock(wall: Arc<dyn Fn() -> u64 + Send + Sync>) -> Self {
        Self {
            start_unix_ms: wall() * 1000,
            wall: Some(wall),
            ..Self::system()
        }
    }

    /// Clocks that stand still unless somebody moves their hand, which shows nanoseconds since the
    /// start; the wall clock shows so many seconds at the start.
    #[must_use]
    pub fn by_hand(hand: Arc<AtomicU64>, wall_s: u64) -> Self {
        let seconds = Arc::clone(&hand);
        Self {
            start: Instant::now(),
            start_unix_ms: wall_s * 1000,
            hand: Some(hand),
            wall: Some(Arc::new(move || wall_s + nanos(&seconds).as_secs())),
        }
    }

    /// The time since the server started; never goes back.
    #[must_use]
    pub fn since_start(&self) -> Duration {
        match &self.hand {
            None => self.start.elapsed(),
            Some(hand) => nanos(hand),
        }
    }

    /// Microseconds since the server started, the highest bits cut off: for differences of less
    /// than an hour, by [`u32::wrapping_sub`]. The same on all shards.
    #[must_use]
    pub fn stamp_us(&self) -> u32 {
        self.since_start().as_micros() as u32
    }

    /// Milliseconds since the server started; never goes back.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.since_start().as_millis() as u64
    }

    /// The same time as an instant, to measure what takes less than milliseconds.
    #[must_use]
    pub fn instant(&self) -> Instant {
        match &self.hand {
            None => Instant::now(),
            Some(hand) => self.start + nanos(hand),
        }
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn wall_s(&self) -> u64 {
        match &self.wall {
            Some(wall) => wall(),
            None => system_ms() / 1000,
        }
    }

    /// When a time of [`Clock::now_ms`] was, in milliseconds since 1970. The wall clock is asked
    /// once, at the start, so that times do not go back when somebody sets it.
    #[must_use]
    pub fn unix_ms(&self, now_ms: u64) -> u64 {
        self.start_unix_ms + now_ms
    }
}

fn system_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

fn nanos(hand: &AtomicU64) -> Duration {
    Duration::from_nanos(hand.load(Ordering::Relaxed))
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("now_ms", &self.now_ms())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_by_hand_shows_what_its_hand_says() {
        let hand = Arc::new(AtomicU64::new(0));
        let clock = Clock::by_hand(Arc::clone(&hand), 1_000);
        let start = clock.instant();
        assert_eq!((clock.now_ms(), clock.wall_s()), (0, 1_000));
        hand.store(1_999_999_999, Ordering::Relaxed);
        assert_eq!((clock.now_ms(), clock.wall_s()), (1_999, 1_001));
        let passed = clock.instant() - start;
        assert_eq!(passed, Duration::from_nanos(1_999_999_999));
    }
}

//! The two clocks: a monotonic one for deadlines, the wall clock for signed requests.

use glommio::timer::Timer;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the server started, and seconds since 1970.
#[derive(Clone)]
pub struct Clock {
    start: Instant,
    /// What the wall clock said then, in milliseconds since 1970.
    start_unix_ms: u64,
    wall: Option<Arc<dyn Fn() -> u64 + Send + Sync>>,
}

impl Clock {
    /// The machine's clocks.
    #[must_use]
    pub fn system() -> Self {
        Self {
            start: Instant::now(),
            start_unix_ms: system_ms(),
            wall: None,
        }
    }

    /// The machine's monotonic clock, and a wall clock of the caller's: for tests that replay
    /// requests which were signed at a certain time.
    #[must_use]
    pub fn with_wall_clock(wall: Arc<dyn Fn() -> u64 + Send + Sync>) -> Self {
        Self {
            start: Instant::now(),
            start_unix_ms: wall() * 1000,
            wall: Some(wall),
        }
    }

    /// The time since the server started; never goes back.
    #[must_use]
    pub fn since_start(&self) -> Duration {
        self.start.elapsed()
    }

    /// Milliseconds since the server started; never goes back.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.since_start().as_millis() as u64
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

/// Lets the other tasks of the shard run for so many milliseconds.
pub async fn pause_ms(ms: u64) {
    glommio::timer::sleep(Duration::from_millis(ms)).await;
}

/// Lets the shard look at its sockets and rings, and run whatever that wakes.
///
/// Yielding would not do: with a task ready, the executor looks at them only when a timer of its
/// own says that it must. The shortest timer of ours that is not over before it has begun ends with
/// that look.
pub async fn look_around() {
    let mut wait = Duration::from_micros(1);
    let mut timer = Timer::new(wait);
    let mut has_waited = false;
    poll_fn(|cx| {
        loop {
            match Pin::new(&mut timer).poll(cx) {
                Poll::Ready(_) if has_waited => return Poll::Ready(()),
                Poll::Ready(_) => {
                    wait *= 4; // a coarse clock, or this thread had to wait
                    timer = Timer::new(wait);
                }
                Poll::Pending => {
                    has_waited = true;
                    return Poll::Pending;
                }
            }
        }
    })
    .await;
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("now_ms", &self.now_ms())
            .finish_non_exhaustive()
    }
}

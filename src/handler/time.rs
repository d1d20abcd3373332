//! Sleeping, and what comes again and again.

use super::endpoint::Endpoint;
use crate::net::{LocalTask, Tasks};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// See [`Endpoint::sleep`].
#[must_use = "time passes when it is awaited"]
pub struct Sleep(LocalTask);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").finish_non_exhaustive()
    }
}

/// See [`Endpoint::interval`].
#[derive(Debug)]
pub struct Interval {
    tasks: Rc<dyn Tasks>,
    period: Duration,
    next: Duration,
}

impl Interval {
    /// The time between two ticks.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Waits for the next tick. A call that is dropped before it is ready loses no tick.
    pub async fn tick(&mut self) {
        let wait = self.next.saturating_sub(self.tasks.now());
        if !wait.is_zero() {
            self.tasks.sleep(wait).await;
        }
        let late = self.tasks.now().saturating_sub(self.next);
        let missed = late.as_nanos() / self.period.as_nanos();
        let missed = u32::try_from(missed).unwrap_or(u32::MAX - 1);
        self.next = self
            .next
            .saturating_add(self.period.saturating_mul(missed + 1));
    }
}

impl Endpoint {
    /// Waits for so long, and lets everything else of the shard run meanwhile. Exact to about a
    /// millisecond, never too short. The time counts from the first poll.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep(self.local().tasks.sleep(duration))
    }

    /// Ticks at every multiple of `period` from now on, the first time after one period. The ticks
    /// do not drift, however long the work between them takes. When it takes longer than a period,
    /// one tick comes at once, the others that were missed are skipped, and the next one comes at
    /// its multiple again.
    ///
    /// # Panics
    /// When the period is zero.
    #[must_use]
    pub fn interval(&self, period: Duration) -> Interval {
        Interval::new(Rc::clone(&self.local().tasks), period)
    }
}

impl Interval {
    fn new(tasks: Rc<dyn Tasks>, period: Duration) -> Self {
        assert!(!period.is_zero(), "an interval has a period");
        let next = tasks.now().saturating_add(period);
        Self {
            tasks,
            period,
            next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::task::fake::{Fake, poll_once};

    #[test]
    fn ticks_do_not_drift_and_missed_ones_are_skipped() {
        let time = Rc::new(Fake::default());
        time.pass(Duration::from_millis(3));
        let tasks: Rc<dyn Tasks> = Rc::clone(&time) as Rc<dyn Tasks>;
        let mut interval = Interval::new(tasks, Duration::from_millis(10));
        let mut ticks = Vec::new();
        for late_ms in [0, 4, 0, 9, 10, 35, 0] {
            {
                let mut tick = std::pin::pin!(interval.tick());
                while poll_once(tick.as_mut()).is_none() {
                    time.pass_to_next();
                }
            }
            ticks.push(time.now().as_millis());
            time.pass(Duration::from_millis(late_ms));
        }
        // The work behind the fourth takes 9 ms: nothing is missed. Behind the fifth it takes just
        // a period: the tick that falls on its end comes at once. Behind the sixth three are
        // missed: one of them comes late, and the next is due at 103.
        assert_eq!(ticks, [13, 23, 33, 43, 53, 63, 98]);
        assert_eq!(interval.next, Duration::from_millis(103));
        assert_eq!(interval.period(), Duration::from_millis(10));
    }

    #[test]
    fn a_tick_that_is_dropped_is_not_lost() {
        let time = Rc::new(Fake::default());
        let tasks: Rc<dyn Tasks> = Rc::clone(&time) as Rc<dyn Tasks>;
        let mut interval = Interval::new(tasks, Duration::from_millis(10));
        assert!(poll_once(std::pin::pin!(interval.tick())).is_none());
        time.pass(Duration::from_millis(10));
        assert!(poll_once(std::pin::pin!(interval.tick())).is_some());
    }

    #[test]
    #[should_panic(expected = "an interval has a period")]
    fn a_period_of_nothing_is_refused() {
        let _ = Interval::new(Rc::new(Fake::default()), Duration::ZERO);
    }
}

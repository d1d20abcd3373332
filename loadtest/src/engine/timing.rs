//! How long something takes: a histogram of the whole and one of the second that runs.

use super::clock::NEVER;
use hdrhistogram::Histogram;

/// The longest time that is told apart from longer ones: two minutes.
const LONGEST_NS: u64 = 120 * super::clock::SECOND;

/// Latencies of one kind. Only what was due in the measured part counts.
#[derive(Debug)]
pub struct Timing {
    from: u64,
    until: u64,
    interval: Histogram<u64>,
    total: Histogram<u64>,
}

impl Default for Timing {
    fn default() -> Self {
        let empty = || {
            Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("the bounds are legal constants")
        };
        Self {
            from: NEVER,
            until: NEVER,
            interval: empty(),
            total: empty(),
        }
    }
}

impl Timing {
    /// From here on what is due counts.
    pub fn measure(&mut self, now: u64) {
        self.from = now;
    }

    /// What is due later counts no more; what was due before still does, however late it comes.
    pub fn stop(&mut self, now: u64) {
        self.until = now;
    }

    /// One was due then and is done now.
    #[inline]
    pub fn record(&mut self, due: u64, now: u64) {
        if due >= self.from && due < self.until {
            self.interval.saturating_record(now.saturating_sub(due));
        }
    }

    /// p50, p99 and the longest of the interval in microseconds, and a new interval begins.
    pub fn roll(&mut self) -> [f64; 3] {
        let values = if self.interval.is_empty() {
            [f64::NAN; 3]
        } else {
            [
                self.interval.value_at_quantile(0.5),
                self.interval.value_at_quantile(0.99),
                self.interval.max(),
            ]
            .map(|value| value as f64 / 1_000.0)
        };
        self.total
            .add(&self.interval)
            .expect("both histograms have the same bounds");
        self.interval.reset();
        values
    }

    /// All that was recorded.
    pub fn take(&mut self) -> Histogram<u64> {
        self.roll();
        let empty = Histogram::new_from(&self.total);
        std::mem::replace(&mut self.total, empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_due_in_the_measured_part_counts() {
        let mut timing = Timing::default();
        timing.record(0, 10);
        timing.measure(100);
        timing.record(99, 5_000);
        assert!(timing.roll()[0].is_nan());
        timing.record(100, 2_100);
        timing.record(150, 4_150);
        timing.stop(200);
        timing.record(199, 1_000_199);
        timing.record(200, 10_000_200);
        let [_, _, longest] = timing.roll();
        assert!((1_000.0..1_002.0).contains(&longest), "{longest}");
        let total = timing.take();
        assert_eq!(total.len(), 3);
        assert_eq!(total.min(), 2_000);
        assert!(timing.take().is_empty());
    }
}

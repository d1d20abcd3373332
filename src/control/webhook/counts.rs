//! What became of webhooks, counted in events; and log lines that do not flood.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that the control thread writes and anybody reads.
#[derive(Clone, Debug, Default)]
pub struct Counts(Arc<[AtomicU64; KINDS]>);

/// What a counter counts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Count {
    /// Events that an endpoint has taken.
    Delivered,
    /// Tries that failed; these are requests, not events.
    Failed,
    /// Events that a shard dropped, because the control thread did not keep up.
    ShardFull,
    /// Events that an endpoint's queue had no room for.
    QueueFull,
    /// Events that no endpoint took in time.
    GivenUp,
    /// Events that were still waiting when the server stopped.
    Stopped,
    /// Events that were given to the queue of an endpoint.
    Queued,
}

const KINDS: usize = 7;

/// What the counters said at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Events that an endpoint has answered with 2xx.
    pub delivered: u64,
    /// Requests that were answered with anything else, or not in time.
    pub failed_requests: u64,
    /// Events dropped on a shard because the control thread did not keep up.
    pub dropped_by_shards: u64,
    /// Events dropped because too many waited for their endpoint.
    pub dropped_by_full_queues: u64,
    /// Events that no try delivered in time (K4).
    pub given_up: u64,
    /// Events that still waited when the server stopped.
    pub dropped_at_stop: u64,
    /// Events that were given to the queue of an endpoint.
    pub queued: u64,
}

impl Totals {
    /// Events that wait to be delivered, those under way included.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        let over = self.delivered + self.given_up;
        let dropped = self.dropped_by_full_queues + self.dropped_at_stop;
        self.queued.saturating_sub(over + dropped)
    }
}

impl Counts {
    pub(super) fn add(&self, count: Count, number: u64) {
        self.0[count as usize].fetch_add(number, Ordering::Relaxed);
    }

    /// What they say now.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let get = |count: Count| self.0[count as usize].load(Ordering::Relaxed);
        Totals {
            delivered: get(Count::Delivered),
            failed_requests: get(Count::Failed),
            dropped_by_shards: get(Count::ShardFull),
            dropped_by_full_queues: get(Count::QueueFull),
            given_up: get(Count::GivenUp),
            dropped_at_stop: get(Count::Stopped),
            queued: get(Count::Queued),
        }
    }
}

/// Lets one log line through in ten seconds, with the sum of what it is about.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    next_ms: u64,
    sum: u64,
}

/// The least time between two lines.
const EVERY_MS: u64 = 10_000;

impl Throttle {
    /// Adds to the sum; gives it back when a line may be written.
    pub(super) fn add(&mut self, number: u64, now_ms: u64) -> Option<u64> {
        self.sum += number;
        if self.sum == 0 || now_ms < self.next_ms {
            return None;
        }
        self.next_ms = now_ms + EVERY_MS;
        Some(std::mem::take(&mut self.sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_has_its_total() {
        let counts = Counts::default();
        let reader = counts.clone();
        let all = [
            Count::Delivered,
            Count::Failed,
            Count::ShardFull,
            Count::QueueFull,
            Count::GivenUp,
            Count::Stopped,
            Count::Queued,
        ];
        for (number, count) in (1..).zip(all) {
            counts.add(count, number);
            counts.add(count, 10);
        }
        let totals = Totals {
            delivered: 11,
            failed_requests: 12,
            dropped_by_shards: 13,
            dropped_by_full_queues: 14,
            given_up: 15,
            dropped_at_stop: 16,
            queued: 17,
        };
        assert_eq!(reader.totals(), totals);
        assert_eq!(totals.waiting(), 0);
        let more = Totals {
            queued: 60,
            ..totals
        };
        assert_eq!(more.waiting(), 60 - 11 - 14 - 15 - 16);
    }

    #[test]
    fn a_line_in_ten_seconds_tells_of_everything_since_the_last() {
        let mut throttle = Throttle::default();
        assert_eq!(throttle.add(0, 0), None);
        assert_eq!(throttle.add(2, 0), Some(2));
        assert_eq!(throttle.add(3, 1), None);
        assert_eq!(throttle.add(4, 9_999), None);
        assert_eq!(throttle.add(0, 10_000), Some(7));
        assert_eq!(throttle.add(0, 30_000), None);
    }
}

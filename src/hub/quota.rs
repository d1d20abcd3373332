//! Rates and quotas: token buckets for one connection, counted places for one app.

use crate::id::AppSlot;

/// A token bucket that holds one second's worth: `rate` at once, then `rate` a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    /// Thousandths of a token that were used, as of `at_ms`.
    used_milli: u32,
    at_ms: u64,
}

impl Bucket {
    /// Takes one token if there is one.
    pub fn take(&mut self, now_ms: u64, rate: u32) -> bool {
        self.take_many(now_ms, rate, 1)
    }

    /// Takes so many tokens, or none when there are not enough.
    pub fn take_many(&mut self, now_ms: u64, rate: u32, tokens: u32) -> bool {
        let elapsed_ms = now_ms.saturating_sub(self.at_ms);
        let refilled = elapsed_ms
            .saturating_mul(u64::from(rate))
            .min(u64::from(u32::MAX)) as u32;
        self.used_milli = self.used_milli.saturating_sub(refilled);
        // A time that was read on another shard may be a little older: nothing is earned twice.
        self.at_ms = self.at_ms.max(now_ms);
        let after = self.used_milli.saturating_add(tokens.saturating_mul(1000));
        if after > rate.saturating_mul(1000) {
            return false;
        }
        self.used_milli = after;
        true
    }

    /// Whole tokens that are left.
    #[must_use]
    pub fn left(&self, rate: u32) -> u32 {
        rate.saturating_mul(1000).saturating_sub(self.used_milli) / 1000
    }

    /// Milliseconds until so many tokens are there, or a second's worth when that is less.
    #[must_use]
    pub fn wait_ms(&self, rate: u32, tokens: u32) -> u64 {
        let wanted = u64::from(tokens.min(rate)) * 1000 + u64::from(self.used_milli);
        let missing = wanted.saturating_sub(u64::from(rate) * 1000);
        missing.div_ceil(u64::from(rate.max(1)))
    }
}

/// Connections of the apps this shard is home of, over all shards.
#[derive(Debug, Default)]
pub struct Places {
    taken: Vec<u32>,
}

impl Places {
    /// Takes a place unless `max` are taken.
    pub fn admit(&mut self, app: AppSlot, max: Option<u32>) -> bool {
        let taken = self.slot(app);
        if max.is_some_and(|max| *taken >= max) {
            return false;
        }
        *taken += 1;
        true
    }

    /// Counts connections that were here before their app had a limit, whatever it is.
    pub fn hold(&mut self, app: AppSlot, count: u32) {
        *self.slot(app) += count;
    }

    /// Gives places back.
    ///
    /// # Panics
    /// When more are given back than were taken.
    pub fn release(&mut self, app: AppSlot, count: u32) {
        let taken = self.slot(app);
        *taken = taken
            .checked_sub(count)
            .expect("a place is given back once");
    }

    /// How many places are taken in all.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken.iter().map(|&taken| u64::from(taken)).sum()
    }

    fn slot(&mut self, app: AppSlot) -> &mut u32 {
        if self.taken.len() <= app.index() {
            self.taken.resize(app.index() + 1, 0);
        }
        &mut self.taken[app.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_rate_and_no_more() {
        // CE5: 10 at once, then 10 a second.
        let mut bucket = Bucket::default();
        let taken = |bucket: &mut Bucket, at| (0..100).filter(|_| bucket.take(at, 10)).count();
        assert_eq!(taken(&mut bucket, 5), 10);
        assert_eq!(taken(&mut bucket, 5 + 99), 0);
        assert_eq!(taken(&mut bucket, 5 + 100), 1);
        assert_eq!(taken(&mut bucket, 5 + 1100), 10);
        assert_eq!(taken(&mut bucket, u64::MAX), 10);
    }

    #[test]
    fn a_clock_that_stands_still_gives_nothing_back() {
        let mut bucket = Bucket::default();
        assert!(bucket.take(1000, 1));
        assert!(!bucket.take(1000, 1));
        assert!(!bucket.take(900, 1));
    }

    #[test]
    fn several_tokens_are_taken_together_or_not_at_all() {
        let mut bucket = Bucket::default();
        assert!(bucket.take_many(0, 10, 7));
        assert_eq!((bucket.left(10), bucket.wait_ms(10, 3)), (3, 0));
        assert!(!bucket.take_many(0, 10, 4));
        assert_eq!((bucket.left(10), bucket.wait_ms(10, 4)), (3, 100));
        assert!(bucket.take_many(100, 10, 4));
        assert!(
            !bucket.take_many(u64::MAX, 10, 11),
            "more than it ever holds"
        );
        assert_eq!(bucket.wait_ms(10, 11), 0);
        let mut largest = Bucket::default();
        assert!(largest.take_many(0, 1_000_000, 1_000_000));
        assert!(!largest.take(0, 1_000_000));
        assert_eq!(largest.wait_ms(1_000_000, 1), 1);
    }

    #[test]
    fn a_time_that_comes_late_earns_nothing_twice() {
        let mut bucket = Bucket::default();
        assert!(bucket.take_many(1000, 10, 10));
        assert!(!bucket.take(900, 10));
        assert!(!bucket.take(1000, 10));
        assert!(bucket.take(1100, 10) && !bucket.take(1100, 10));
    }

    #[test]
    fn places_are_counted_exactly() {
        let mut places = Places::default();
        let app = AppSlot(3);
        assert!(places.admit(app, Some(2)) && places.admit(app, Some(2)));
        assert!(!places.admit(app, Some(2)));
        places.release(app, 1);
        assert!(places.admit(app, Some(2)));
        assert!(places.admit(AppSlot(0), None));
        assert_eq!(places.taken(), 3);
    }
}

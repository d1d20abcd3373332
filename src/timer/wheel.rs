//! A hashed timing wheel: adding is constant in time, expiring costs what is due.
//!
//! Entries are hints: the owner looks at its own deadline when one comes up and adds a new one
//! if it was moved. Nothing is ever searched for or removed early.

/// Milliseconds of one tick: how late an entry may come up.
pub const TICK_MS: u64 = 250;

const BUCKETS: u64 = 1024;

/// Things that come up at a time.
#[derive(Debug)]
pub struct Wheel<T> {
    /// Things and their times, in milliseconds.
    buckets: Vec<Vec<(u64, T)>>,
    /// The tick that was expired last.
    tick: u64,
    len: usize,
}

impl<T> Wheel<T> {
    /// An empty wheel that begins at `now_ms`.
    #[must_use]
    pub fn new(now_ms: u64) -> Self {
        let buckets = (0..BUCKETS).map(|_| Vec::new()).collect();
        Self {
            buckets,
            tick: now_ms / TICK_MS,
            len: 0,
        }
    }

    /// Adds a thing that comes up once `at_ms` has passed, rounded up to the next tick.
    pub fn add(&mut self, at_ms: u64, thing: T) {
        let tick = at_ms.div_ceil(TICK_MS).max(self.tick + 1);
        self.buckets[(tick % BUCKETS) as usize].push((at_ms, thing));
        self.len += 1;
    }

    /// Moves everything that is due at `now_ms` into `due`, with the time it was added for.
    pub fn expire(&mut self, now_ms: u64, due: &mut Vec<(u64, T)>) {
        let last = now_ms / TICK_MS;
        if last <= self.tick {
            return;
        }
        // After a long sleep each bucket is looked at once, not once a round.
        let first = (self.tick + 1).max(last.saturating_sub(BUCKETS - 1));
        for tick in first..=last {
            let bucket = &mut self.buckets[(tick % BUCKETS) as usize];
            let mut at = 0;
            while at < bucket.len() {
                if bucket[at].0.div_ceil(TICK_MS) <= last {
                    due.push(bucket.swap_remove(at));
                    self.len -= 1;
                } else {
                    at += 1;
                }
            }
            if bucket.is_empty() && bucket.capacity() > 1024 {
                *bucket = Vec::new();
            }
        }
        self.tick = last;
    }

    /// How many entries wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn due(wheel: &mut Wheel<u32>, now_ms: u64) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.expire(now_ms, &mut due);
        due.sort_unstable();
        due.into_iter().map(|(_, thing)| thing).collect()
    }

    #[test]
    fn things_come_up_after_their_time_and_not_before() {
        let mut wheel = Wheel::new(0);
        wheel.add(250, 1);
        wheel.add(251, 2);
        wheel.add(0, 3); // in the past: at the next tick
        assert!(due(&mut wheel, 249).is_empty());
        assert_eq!(due(&mut wheel, 250), [3, 1]);
        assert!(due(&mut wheel, 499).is_empty());
        assert_eq!(due(&mut wheel, 500), [2]);
        assert!(wheel.is_empty());
    }

    #[test]
    fn far_deadlines_go_round() {
        let mut wheel = Wheel::new(1_000_000);
        let far = 1_000_000 + TICK_MS * BUCKETS * 3 + 10;
        wheel.add(far, 1);
        for round in 1..=3 {
            assert!(due(&mut wheel, 1_000_000 + TICK_MS * BUCKETS * round).is_empty());
        }
        assert_eq!(due(&mut wheel, far + TICK_MS), [1]);
    }

    proptest! {
        #[test]
        fn nothing_is_early_late_or_lost(
            deadlines in prop::collection::vec(0u64..2_000_000, 0..50),
            steps in prop::collection::vec(1u64..400_000, 1..30),
        ) {
            let mut wheel = Wheel::new(0);
            for (index, at) in deadlines.iter().enumerate() {
                wheel.add(*at, index as u32);
            }
            let (mut now, mut seen) = (0, vec![false; deadlines.len()]);
            for step in steps.iter().chain(&[3_000_000]) {
                now += step;
                for index in due(&mut wheel, now) {
                    prop_assert!(deadlines[index as usize] <= now);
                    prop_assert!(!std::mem::replace(&mut seen[index as usize], true));
                }
                for (index, at) in deadlines.iter().enumerate() {
                    prop_assert!(seen[index] || at + 2 * TICK_MS > now);
                }
            }
            prop_assert!(wheel.is_empty());
        }
    }
}

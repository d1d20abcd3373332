//! How fast a client is read, where its handler sets a bound.
//!
//! Two buckets that fill with time. Reading is held back while one of them is empty; what one read
//! brings may overdraw them, by the size of a read buffer at most, and is worked off before the
//! next one. Over any long time no more is read than the bound says, beside one bucket that was
//! full at the start.

/// Bounds on what a client sends. Past them it is not refused, but read more slowly: its socket
/// fills up, and in the end it cannot send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Bytes of all kinds in a minute; `None` is no bound. A minute's worth may come at once.
    pub bytes_per_minute: Option<u64>,
    /// WebSocket frames in a second, control frames among them; `None` is no bound. A second's
    /// worth may come at once.
    pub frames_per_second: Option<u32>,
}

impl Pace {
    /// No bound on either.
    pub const UNBOUND: Self = Self {
        bytes_per_minute: None,
        frames_per_second: None,
    };
}

/// What a client may still send.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: Option<Bucket>,
    frames: Option<Bucket>,
}

/// Counted in parts of which one thing has `period_ms`, so that a millisecond fills a whole number
/// of them.
#[derive(Debug)]
struct Bucket {
    /// Things in a period; a bound of zero counts as one.
    most: i128,
    period_ms: u64,
    left: i128,
    filled_ms: u64,
}

impl Budget {
    pub(super) fn new(pace: Pace, now_ms: u64) -> Self {
        Self {
            bytes: pace
                .bytes_per_minute
                .map(|most| Bucket::new(most, 60_000, now_ms)),
            frames: pace
                .frames_per_second
                .map(|most| Bucket::new(most.into(), 1_000, now_ms)),
        }
    }

    pub(super) fn took_bytes(&mut self, count: usize, now_ms: u64) {
        if let Some(bytes) = &mut self.bytes {
            bytes.take(count as u64, now_ms);
        }
    }

    pub(super) fn took_frames(&mut self, count: u32, now_ms: u64) {
        if let Some(frames) = &mut self.frames {
            frames.take(count.into(), now_ms);
        }
    }

    /// For how many milliseconds nothing is to be read; 0 is none.
    pub(super) fn wait_ms(&mut self, now_ms: u64) -> u64 {
        let buckets = [&mut self.bytes, &mut self.frames];
        let waits = buckets.into_iter().flatten().map(|it| it.wait_ms(now_ms));
        waits.max().unwrap_or(0)
    }
}

impl Bucket {
    fn new(most: u64, period_ms: u64, now_ms: u64) -> Self {
        let most = i128::from(most.max(1));
        Self {
            most,
            period_ms,
            left: most * i128::from(period_ms),
            filled_ms: now_ms,
        }
    }

    fn fill(&mut self, now_ms: u64) {
        let passed = i128::from(now_ms.saturating_sub(self.filled_ms));
        self.filled_ms = now_ms;
        let full = self.most * i128::from(self.period_ms);
        self.left = full.min(self.left + passed * self.most);
    }

    fn take(&mut self, count: u64, now_ms: u64) {
        self.fill(now_ms);
        self.left -= i128::from(count) * i128::from(self.period_ms);
    }

    /// Until there is room for one more.
    fn wait_ms(&mut self, now_ms: u64) -> u64 {
        self.fill(now_ms);
        let missing = i128::from(self.period_ms) - self.left;
        match missing > 0 {
            true => ((missing + self.most - 1) / self.most) as u64,
            false => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(per_second: u32) -> Budget {
        let pace = Pace {
            frames_per_second: Some(per_second),
            ..Pace::UNBOUND
        };
        Budget::new(pace, 0)
    }

    fn bytes(per_minute: u64) -> Budget {
        let pace = Pace {
            bytes_per_minute: Some(per_minute),
            ..Pace::UNBOUND
        };
        Budget::new(pace, 0)
    }

    #[test]
    fn the_limit_passes_and_one_past_it_waits() {
        let mut budget = frames(10);
        budget.took_frames(9, 0);
        assert_eq!(budget.wait_ms(0), 0, "the tenth is read");
        budget.took_frames(1, 0);
        assert_eq!(budget.wait_ms(0), 100, "the eleventh is not");
        assert_eq!(budget.wait_ms(99), 1);
        assert_eq!(budget.wait_ms(100), 0);
        budget.took_frames(1, 100);
        assert_eq!(budget.wait_ms(100), 100);
        let mut budget = bytes(60_000);
        budget.took_bytes(59_999, 0);
        assert_eq!(budget.wait_ms(0), 0);
        budget.took_bytes(1, 0);
        assert_eq!(budget.wait_ms(0), 1);
    }

    #[test]
    fn what_a_read_takes_too_much_is_worked_off() {
        let mut budget = bytes(60_000);
        budget.took_bytes(60_000 + 16_384, 0);
        assert_eq!(budget.wait_ms(0), 16_385);
        assert_eq!(budget.wait_ms(16_384), 1);
        assert_eq!(budget.wait_ms(16_385), 0);
    }

    #[test]
    fn silence_saves_up_one_period_and_no_more() {
        let mut budget = frames(10);
        budget.took_frames(10, 0);
        assert_eq!(budget.wait_ms(3_600_000), 0);
        budget.took_frames(10, 3_600_000);
        assert_eq!(budget.wait_ms(3_600_000), 100);
    }

    #[test]
    fn over_a_long_time_no_more_is_read_than_the_bound() {
        for read in [1, 7, 40] {
            let (mut budget, mut now_ms, mut taken) = (frames(30), 0, 0);
            while now_ms < 100_000 {
                budget.took_frames(read, now_ms);
                taken += read;
                now_ms += budget.wait_ms(now_ms);
            }
            assert!(
                (2_990..=3_030 + 2 * read).contains(&taken),
                "{taken} of {read}"
            );
        }
    }

    #[test]
    fn without_a_bound_nothing_waits_and_both_are_held() {
        let mut budget = Budget::new(Pace::UNBOUND, 0);
        budget.took_bytes(usize::MAX, 0);
        budget.took_frames(u32::MAX, 0);
        assert_eq!(budget.wait_ms(0), 0);
        let mut budget = Budget::new(
            Pace {
                bytes_per_minute: Some(60),
                frames_per_second: Some(1),
            },
            0,
        );
        budget.took_bytes(60, 0);
        budget.took_frames(1, 0);
        assert_eq!(budget.wait_ms(0), 1_000);
        budget.took_bytes(10, 0);
        assert_eq!(budget.wait_ms(0), 11_000);
        assert_eq!(
            frames(0).wait_ms(0),
            0,
            "a bound of nothing lets one through"
        );
    }
}

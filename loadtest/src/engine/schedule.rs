//! The open loop's schedule: what is due when, whatever the server does.

use super::clock::SECOND;

/// Things that are due at an even rate from a start on.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    start: u64,
    per_second: f64,
    next: u64,
}

impl Schedule {
    /// The first is due at `start`.
    pub fn new(start: u64, per_second: f64) -> Self {
        Self {
            start,
            per_second,
            next: 0,
        }
    }

    /// When the next one is due.
    pub fn due(&self) -> u64 {
        // Counted from the start each time: no error adds up.
        self.start + (self.next as f64 * SECOND as f64 / self.per_second) as u64
    }

    /// Takes the next one, with the time when it was due, if that is over.
    pub fn take(&mut self, now: u64) -> Option<(u64, u64)> {
        let due = self.due();
        (due <= now).then(|| {
            self.next += 1;
            (self.next - 1, due)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_due_at_its_time_however_late_it_is_asked_for() {
        let mut schedule = Schedule::new(500, 4.0);
        assert_eq!(schedule.take(499), None);
        assert_eq!(schedule.take(500), Some((0, 500)));
        assert_eq!(schedule.take(500), None);
        assert_eq!(schedule.due(), 500 + SECOND / 4);
        let late = 500 + SECOND;
        let taken: Vec<_> = std::iter::from_fn(|| schedule.take(late)).collect();
        let quarter = |number| (number, 500 + number * SECOND / 4);
        assert_eq!(taken, [1, 2, 3, 4].map(quarter));
    }

    #[test]
    fn no_error_adds_up() {
        let mut schedule = Schedule::new(0, 3.0);
        let mut last = 0;
        while let Some((number, due)) = schedule.take(1_000 * SECOND) {
            assert_eq!(due, (number as f64 * SECOND as f64 / 3.0) as u64);
            last = number;
        }
        assert_eq!(last, 3_000);
    }
}

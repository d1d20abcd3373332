//! What the subscribers of a channel were last told of their number, and when they may be told
//! again (section 3.7).

/// Above so many subscribers, each change is not told at once.
const TOLD_AT_ONCE_MAX: u32 = 100;

/// One channel's state, at its home.
#[derive(Debug, Default)]
pub struct Told {
    /// The last number.
    count: u32,
    /// A large channel is told from here on.
    next_ms: u64,
    /// Whether there was a change since.
    is_due: bool,
    /// Whether a deadline has been asked for.
    waits: bool,
}

/// What to do about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Nothing: nothing has changed, or a deadline is on its way.
    Nothing,
    /// Tell the subscribers their number.
    Now,
    /// Look again at this time.
    At(u64),
}

impl Told {
    /// The channel has so many subscribers. `came` when one of them may be new, so that the number
    /// has to be told even if it is the old one.
    pub fn look(&mut self, count: u32, came: bool, now_ms: u64, interval_ms: u64) -> Telling {
        self.is_due |= came || count != self.count;
        if !self.is_due {
            return Telling::Nothing;
        }
        if count > TOLD_AT_ONCE_MAX && now_ms < self.next_ms {
            let asked = std::mem::replace(&mut self.waits, true);
            return if asked {
                Telling::Nothing
            } else {
                Telling::At(self.next_ms)
            };
        }
        self.is_due = false;
        self.count = count;
        self.next_ms = now_ms.saturating_add(interval_ms);
        Telling::Now
    }

    /// The deadline that was asked for has come: have another look.
    pub fn wake(&mut self) {
        self.waits = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: u64 = 5_000;

    #[test]
    fn up_to_a_hundred_are_told_of_each_change() {
        let mut told = Told::default();
        for count in (1..=100).chain([99, 98]) {
            assert_eq!(
                told.look(count, false, 0, INTERVAL),
                Telling::Now,
                "{count}"
            );
            assert_eq!(told.look(count, false, 0, INTERVAL), Telling::Nothing);
        }
        // Somebody new is told the number, even if it is the old one.
        assert_eq!(told.look(98, true, 0, INTERVAL), Telling::Now);
    }

    #[test]
    fn more_are_told_once_in_an_interval_and_only_of_a_change() {
        let mut told = Told::default();
        assert_eq!(told.look(100, false, 1_000, INTERVAL), Telling::Now);
        assert_eq!(told.look(101, false, 1_000, INTERVAL), Telling::At(6_000));
        assert_eq!(told.look(102, false, 5_999, INTERVAL), Telling::Nothing);
        told.wake();
        assert_eq!(told.look(102, false, 6_000, INTERVAL), Telling::Now);
        assert_eq!(told.look(102, false, 6_001, INTERVAL), Telling::Nothing);
        assert_eq!(told.look(101, false, 6_002, INTERVAL), Telling::At(11_000));
        assert_eq!(told.look(102, false, 6_003, INTERVAL), Telling::Nothing);
        told.wake();
        // The number is the old one, but the one who came has never heard it.
        assert_eq!(told.look(102, false, 11_000, INTERVAL), Telling::Now);
        assert_eq!(told.look(102, false, 60_000, INTERVAL), Telling::Nothing);
        assert_eq!(told.look(103, false, 60_000, INTERVAL), Telling::Now);
    }

    #[test]
    fn a_channel_that_shrinks_is_told_at_once_and_its_deadline_tells_nothing_more() {
        let mut told = Told::default();
        assert_eq!(
            told.look(101, false, 0, INTERVAL),
            Telling::Now,
            "the first"
        );
        assert_eq!(told.look(102, false, 1, INTERVAL), Telling::At(5_000));
        assert_eq!(told.look(100, false, 2, INTERVAL), Telling::Now);
        told.wake();
        assert_eq!(told.look(100, false, 5_000, INTERVAL), Telling::Nothing);
    }
}

//! Finds shards that do not turn any more: something on them computes or blocks without an end. And
//! says when a supervisor of the process may be told that all of them do.
//!
//! Sans-IO: the control thread looks at intervals and says how much time has passed. A look that
//! comes late counts for no more than two intervals: then this thread was stopped too, and the
//! machine is at fault.

use crate::crossing::pulse::{Pulse, Seen};
use crate::id::ShardId;
use crate::timer::wheel::TICK_MS;
use std::sync::Arc;
use std::time::Duration;

/// Shortest time that means something: two beats.
pub const LEAST_MS: u64 = 2 * TICK_MS;

/// When what is done about a shard that does not beat.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// After how long it is named in the log, if it is.
    pub warn: Option<Duration>,
    /// After how long it is given up, if it is.
    pub end: Option<Duration>,
}

impl Patience {
    /// Times in milliseconds; 0 is never, and no other is below [`LEAST_MS`].
    #[must_use]
    pub fn new(warn_ms: u64, end_ms: u64) -> Self {
        let time = |ms: u64| (ms > 0).then(|| Duration::from_millis(ms.max(LEAST_MS)));
        Self {
            warn: time(warn_ms),
            end: time(end_ms),
        }
    }
}

/// What a look has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// A shard has not beaten for so long.
    Stuck(ShardId, Duration, Seen),
    /// One that was named beats again, after so long.
    Back(ShardId, Duration),
    /// A shard has not beaten for so long that it is given up.
    Lost(ShardId, Duration, Seen),
}

/// Watches over the shards that have started and not ended.
#[derive(Debug)]
pub struct Watchdog {
    patience: Patience,
    supervisor: Option<Supervisor>,
    shards: Vec<Watch>,
}

/// Somebody who ends the process unless it pings.
#[derive(Debug)]
struct Supervisor {
    /// Within this time.
    time: Duration,
    since_ping: Duration,
}

impl Supervisor {
    /// How often to ping: often enough that a late one or two do no harm.
    fn interval(&self) -> Duration {
        self.time / 4
    }

    /// How long a shard may be silent and still count as one that turns.
    fn patience(&self) -> Duration {
        self.interval().max(Duration::from_millis(LEAST_MS))
    }
}

#[derive(Debug)]
struct Watch {
    pulse: Arc<Pulse>,
    is_on: bool,
    beats: u64,
    silent: Duration,
    named: bool,
}

impl Watchdog {
    /// Watches nobody yet; `pulses` are those of all shards, in their order.
    #[must_use]
    pub fn new(patience: Patience, pulses: Vec<Arc<Pulse>>) -> Self {
        let watch = |pulse| Watch {
            pulse,
            is_on: false,
            beats: 0,
            silent: Duration::ZERO,
            named: false,
        };
        Self {
            patience,
            supervisor: None,
            shards: pulses.into_iter().map(watch).collect(),
        }
    }

    /// A supervisor, if there is one, wants a ping within this time.
    pub(super) fn answer_to(&mut self, time: Option<Duration>) {
        self.supervisor = time.map(|time| Supervisor {
            time,
            since_ping: Duration::MAX,
        });
    }

    /// Whether to ping the supervisor, so much time after this was last asked: when it is time to,
    /// and no shard is silent.
    pub(super) fn may_ping(&mut self, passed: Duration) -> bool {
        let Some(supervisor) = &mut self.supervisor else {
            return false;
        };
        supervisor.since_ping = supervisor.since_ping.saturating_add(passed);
        let mut on = self.shards.iter().filter(|watch| watch.is_on);
        let may = supervisor.since_ping >= supervisor.interval()
            && on.all(|watch| watch.silent < supervisor.patience());
        if may {
            supervisor.since_ping = Duration::ZERO;
        }
        may
    }

    /// How often to look; never, if nothing is to be done about anything.
    pub(super) fn interval(&self) -> Option<Duration> {
        let Patience { warn, end } = self.patience;
        let supervisor = self.supervisor.as_ref().map(|it| it.time);
        let shortest = warn.into_iter().chain(end).chain(supervisor).min()?;
        Some((shortest / 4).min(Duration::from_millis(TICK_MS)))
    }

    /// A shard turns from here on.
    pub(super) fn begin(&mut self, shard: ShardId) {
        let watch = &mut self.shards[shard.index()];
        (watch.is_on, watch.silent) = (true, Duration::ZERO);
    }

    /// It has ended.
    pub(super) fn end(&mut self, shard: ShardId) {
        self.shards[shard.index()].is_on = false;
    }

    /// Looks at all shards, so much time after the last look.
    pub(super) fn look(&mut self, passed: Duration) -> Vec<Finding> {
        let Some(interval) = self.interval() else {
            return Vec::new();
        };
        let passed = passed.min(2 * interval);
        let patience = self.patience;
        let on = self
            .shards
            .iter_mut()
            .enumerate()
            .filter(|(_, it)| it.is_on);
        on.filter_map(|(shard, watch)| watch.look(ShardId(shard as u16), passed, patience))
            .collect()
    }
}

impl Watch {
    fn look(&mut self, shard: ShardId, passed: Duration, patience: Patience) -> Option<Finding> {
        let beats = self.pulse.beats();
        if beats != self.beats {
            self.beats = beats;
            let silent = std::mem::take(&mut self.silent) + passed;
            let named = std::mem::take(&mut self.named);
            return named.then_some(Finding::Back(shard, silent));
        }
        self.silent += passed;
        if patience.end.is_some_and(|end| self.silent >= end) {
            return Some(Finding::Lost(shard, self.silent, self.pulse.seen()));
        }
        if !self.named && patience.warn.is_some_and(|warn| self.silent >= warn) {
            self.named = true;
            return Some(Finding::Stuck(shard, self.silent, self.pulse.seen()));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crossing::pulse::{Callback, Doing};

    const ONE: ShardId = ShardId(1);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn watchdog(warn_ms: u64, end_ms: u64) -> (Watchdog, Arc<Pulse>) {
        let pulses: Vec<Arc<Pulse>> = vec![Arc::default(), Arc::default()];
        let pulse = Arc::clone(&pulses[1]);
        let mut watchdog = Watchdog::new(Patience::new(warn_ms, end_ms), pulses);
        watchdog.begin(ONE);
        (watchdog, pulse)
    }

    #[test]
    fn a_shard_is_named_at_its_limit_once_and_when_it_is_back() {
        let (mut watchdog, pulse) = watchdog(1000, 0);
        pulse.begin(Doing::new(Callback::Table, 0), None);
        for _ in 0..9 {
            assert_eq!(watchdog.look(ms(100)), []);
        }
        assert_eq!(watchdog.look(ms(99)), []);
        let seen = pulse.seen();
        assert_eq!(
            watchdog.look(ms(1)),
            [Finding::Stuck(ONE, ms(1000), seen.clone())]
        );
        assert_eq!(
            seen.callback.as_deref(),
            Some("an operation on a shared table")
        );
        for _ in 0..100 {
            assert_eq!(watchdog.look(ms(100)), []);
        }
        pulse.beat();
        assert_eq!(watchdog.look(ms(100)), [Finding::Back(ONE, ms(11_100))]);
        assert_eq!(watchdog.look(ms(100)), []);
    }

    #[test]
    fn a_shard_is_given_up_at_its_limit_and_not_before() {
        let (mut watchdog, pulse) = watchdog(0, 2000);
        for _ in 0..3 {
            for _ in 0..19 {
                assert_eq!(watchdog.look(ms(100)), []);
            }
            pulse.beat();
            assert_eq!(watchdog.look(ms(100)), []);
        }
        for _ in 0..19 {
            assert_eq!(watchdog.look(ms(100)), []);
        }
        let lost = Finding::Lost(ONE, ms(2000), Seen::default());
        assert_eq!(watchdog.look(ms(100)), [lost]);
    }

    #[test]
    fn only_shards_that_turn_are_watched() {
        let (mut watchdog, _pulse) = watchdog(500, 1000);
        watchdog.end(ONE);
        for _ in 0..100 {
            assert_eq!(watchdog.look(ms(100)), []); // shard 0 has not begun, shard 1 has ended
        }
    }

    #[test]
    fn a_look_that_comes_late_counts_for_two() {
        let (mut watchdog, _pulse) = watchdog(1000, 0);
        assert_eq!(watchdog.interval(), Some(ms(250)));
        assert_eq!(watchdog.look(ms(60_000)), [], "the machine slept");
        assert_eq!(watchdog.look(ms(499)), []);
        assert_eq!(watchdog.look(ms(1)).len(), 1);
    }

    #[test]
    fn a_supervisor_is_pinged_while_all_shards_turn() {
        let (mut watchdog, pulse) = watchdog(0, 0);
        assert!(!watchdog.may_ping(ms(60_000)), "nobody wants it");
        watchdog.answer_to(Some(ms(4_000)));
        assert_eq!(watchdog.interval(), Some(ms(250)));
        let mut pinged = |beats: bool| {
            if beats {
                pulse.beat();
            }
            assert_eq!(watchdog.look(ms(250)), [], "it is nobody else's business");
            watchdog.may_ping(ms(250))
        };
        assert!(pinged(true), "the first at once");
        let turns: Vec<bool> = (0..8).map(|_| pinged(true)).collect();
        let every_second = [false, false, false, true, false, false, false, true];
        assert_eq!(turns, every_second);
        // It is silent for less than a second, and for a second.
        let stuck: Vec<bool> = (0..12).map(|_| pinged(false)).collect();
        assert_eq!(stuck, [false; 12]);
        assert!(pinged(true), "it turns again");
    }

    #[test]
    fn a_short_supervisor_is_pinged_between_the_beats() {
        let (mut watchdog, pulse) = watchdog(0, 0);
        watchdog.answer_to(Some(ms(400)));
        assert_eq!(watchdog.interval(), Some(ms(100)));
        let mut pings = 0;
        for look in 0..100 {
            if look % 3 == 0 {
                pulse.beat();
            }
            watchdog.look(ms(100));
            pings += u32::from(watchdog.may_ping(ms(100)));
        }
        assert_eq!(pings, 100);
        for _ in 0..4 {
            watchdog.look(ms(100));
        }
        let stuck: Vec<bool> = (0..3)
            .map(|_| {
                watchdog.look(ms(100));
                watchdog.may_ping(ms(100))
            })
            .collect();
        assert_eq!(stuck, [false; 3], "for as long as two beats take");
    }

    #[test]
    fn zero_is_off_and_the_rest_is_two_beats_at_least() {
        assert_eq!(watchdog(0, 0).0.interval(), None);
        assert_eq!(watchdog(0, 0).0.look(ms(1)), []);
        assert_eq!(watchdog(1, 0).0.interval(), Some(ms(125)));
        assert_eq!(watchdog(0, 400_000).0.interval(), Some(ms(250)));
    }
}

//! The counters of one shard: plain cells, written by its own thread.

use std::cell::{Cell, RefCell};

/// What a shard counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Connections that were accepted and are served.
    Accepted,
    /// Of those, the ones that have ended.
    Ended,
    /// Accepts that failed, such as for want of descriptors.
    AcceptFailed,
    /// TLS handshakes that came to their end.
    Agreed,
    /// Those that did not: refused, given up, or too late.
    Disagreed,
    /// Bytes that were read from connections.
    BytesRead,
    /// Bytes that the kernel has taken for connections.
    BytesSent,
    /// Clients closed because their outbox was full: they read too slowly.
    Slow,
    /// Connections ended because no byte moved for `write_stall_ms`.
    Stalled,
    /// Requests whose head or body was not there in time.
    RequestLate,
    /// Clients that did not answer a ping in time.
    Silent,
    /// Connections that did not end in time after a close.
    EndLate,
    /// Clients closed because a message took too long to arrive.
    MessageLate,
    /// Clients closed because too much memory is in use.
    Fat,
    /// Connections turned away because as many are here as may be.
    RefusedFull,
    /// Same, because too much memory is in use.
    RefusedMemory,
    /// Same, because their address has as many as it may.
    RefusedAddress,
    /// Same, because a proxy did not begin as it should.
    RefusedProxy,
    /// Clients closed because of too many pings.
    ControlFlood,
    /// Clients closed, and requests refused, because of too many wrong signatures.
    AuthFlood,
    /// Wishes that Pusher clients were refused, with an error or without.
    Refusals,
    /// Milliseconds by which the shard came too late to its own timer.
    LateMs,
}

const COUNTS: usize = Count::LateMs as usize + 1;

/// What a shard takes the time of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// By how much it came too late to its own timer.
    Lag,
    /// From a message for another shard until that one took it.
    Hop,
    /// From a publish until it was written to this shard's subscribers.
    Publish,
}

const TIMES: usize = Time::Publish as usize + 1;

/// The upper bounds of the classes that times are counted in, in microseconds; what is longer is in
/// a class of its own.
pub const TIME_BOUNDS_US: [u64; 13] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
];

/// Times that were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// How many in each class, the longest last.
    pub classes: [u64; TIME_BOUNDS_US.len() + 1],
    /// Their sum, in microseconds.
    pub sum_us: u64,
}

impl Times {
    fn count(&mut self, us: u64) {
        let class = TIME_BOUNDS_US.partition_point(|bound| *bound < us);
        self.classes[class] += 1;
        self.sum_us = self.sum_us.wrapping_add(us);
    }
}

/// How a WebSocket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The close code; 0 stands for all codes that are in no standard, for a peer may send any.
    pub code: u16,
    /// Whether the peer's close frame came first.
    pub by_peer: bool,
}

/// Codes that are told apart: those of RFC 6455 and its registry, and those of Pusher.
fn is_known(code: u16) -> bool {
    matches!(code, 1000..=1015 | 4000..=4009 | 4100 | 4200..=4202 | 4300..=4302)
}

/// The counters of one shard.
#[derive(Debug, Default)]
pub struct Counters {
    counts: [Cell<u64>; COUNTS],
    times: [Cell<Times>; TIMES],
    closed: RefCell<Vec<(Closed, u64)>>,
    answered: RefCell<Vec<(u16, u64)>>,
}

/// What the counters said at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    counts: [u64; COUNTS],
    times: [Times; TIMES],
    /// How WebSockets ended, and how many did so.
    pub closed: Vec<(Closed, u64)>,
    /// The statuses that requests were answered with, and how many.
    pub answered: Vec<(u16, u64)>,
}

impl Counters {
    /// Counts one.
    pub fn one(&self, what: Count) {
        self.add(what, 1);
    }

    /// Counts so many.
    pub fn add(&self, what: Count, number: u64) {
        let cell = &self.counts[what as usize];
        cell.set(cell.get().wrapping_add(number));
    }

    /// Counts how long something took.
    pub fn time(&self, what: Time, us: u64) {
        let cell = &self.times[what as usize];
        let mut times = cell.get();
        times.count(us);
        cell.set(times);
    }

    /// Counts the end of a WebSocket.
    pub fn closed(&self, code: u16, by_peer: bool) {
        let code = if is_known(code) { code } else { 0 };
        let closed = Closed { code, by_peer };
        let mut all = self.closed.borrow_mut();
        match all.iter_mut().find(|(known, _)| *known == closed) {
            Some((_, count)) => *count += 1,
            None => all.push((closed, 1)),
        }
    }

    /// Counts an answer to a request.
    pub fn answered(&self, status: u16) {
        let mut all = self.answered.borrow_mut();
        match all.iter_mut().find(|(known, _)| *known == status) {
            Some((_, count)) => *count += 1,
            None => all.push((status, 1)),
        }
    }

    /// What they say now.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            counts: std::array::from_fn(|at| self.counts[at].get()),
            times: std::array::from_fn(|at| self.times[at].get()),
            closed: self.closed.borrow().clone(),
            answered: self.answered.borrow().clone(),
        }
    }
}

impl Totals {
    /// How often something was counted.
    #[must_use]
    pub fn get(&self, what: Count) -> u64 {
        self.counts[what as usize]
    }

    /// How long something took.
    #[must_use]
    pub fn times(&self, what: Time) -> &Times {
        &self.times[what as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_start_at_zero_and_add_up() {
        let counters = Counters::default();
        assert_eq!(counters.totals(), Totals::default());
        counters.one(Count::Accepted);
        counters.add(Count::BytesSent, 10);
        counters.add(Count::BytesSent, 5);
        let totals = counters.totals();
        assert_eq!(
            (totals.get(Count::Accepted), totals.get(Count::BytesSent)),
            (1, 15)
        );
        assert_eq!(totals.get(Count::BytesRead), 0);
    }

    #[test]
    fn times_are_counted_in_their_classes() {
        let counters = Counters::default();
        for us in [0, 50, 51, 1_000_000, 1_000_001] {
            counters.time(Time::Hop, us);
        }
        let totals = counters.totals();
        let times = totals.times(Time::Hop);
        assert_eq!((times.classes[0], times.classes[1]), (2, 1));
        assert_eq!((times.classes[12], times.classes[13]), (1, 1));
        assert_eq!(times.sum_us, 2_000_102);
        assert_eq!(totals.times(Time::Lag), &Times::default());
    }

    #[test]
    fn answers_are_counted_by_their_status() {
        let counters = Counters::default();
        for status in [200, 404, 200] {
            counters.answered(status);
        }
        assert_eq!(counters.totals().answered, [(200, 2), (404, 1)]);
    }

    #[test]
    fn peers_cannot_make_up_codes_without_end() {
        let counters = Counters::default();
        for code in 0..=u16::MAX {
            counters.closed(code, true);
            counters.closed(code, false);
        }
        let closed = counters.totals().closed;
        assert_eq!(closed.len(), 2 * (16 + 10 + 1 + 3 + 3 + 1));
        let of = |code, by_peer| {
            let found = closed
                .iter()
                .find(|(it, _)| *it == Closed { code, by_peer });
            found.map(|(_, count)| *count)
        };
        assert_eq!((of(1000, true), of(4100, false)), (Some(1), Some(1)));
        assert_eq!(of(0, true), Some(65_536 - 33));
    }
}

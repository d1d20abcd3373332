//! Bodies that wait for one endpoint: which goes next, which again and when, which is given up.
//!
//! A body that failed is sent again after 1, 2, 4, ... s (K4). What is about the same channel waits
//! behind it, so that the order of a channel holds even then (K9); what is about others passes, so
//! that one body that an endpoint chokes on does not hold up the rest. An endpoint that fails again
//! and again is asked no more often than its oldest bodies are due.
//!
//! Invariants: the bytes of all entries are within the bound; at most [`FLYING_MAX`] are under way;
//! none is tried when it is older than the limit.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

/// Requests to one endpoint at the same time.
pub(super) const FLYING_MAX: usize = 4;

/// Failures in a row after which an endpoint gets nothing new until one body went through.
const FAILURES_MAX: u32 = 3;

/// The longest wait between two tries.
const WAIT_MAX_MS: u64 = 60_000;

/// Entries looked at to find one that may go.
const LOOKED_AT: usize = 1024;

/// Bytes that an entry takes beside its body.
const ENTRY_BYTES: usize = 256;

/// What is sent, the same bytes each time (K3).
#[derive(Debug)]
pub(super) struct Parcel {
    /// The body.
    pub(super) bytes: hyper::body::Bytes,
    /// Its signature.
    pub(super) signature: String,
    /// How many events are in it.
    pub(super) events: u64,
    /// What its order is kept among.
    pub(super) about: Vec<u64>,
}

impl Parcel {
    fn size(&self) -> usize {
        self.bytes.len() + self.about.len() * size_of::<u64>() + ENTRY_BYTES
    }
}

/// How the queue is kept. Times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) retry_ms: u64,
    pub(super) give_up_ms: u64,
}

/// The queue of one endpoint.
#[derive(Debug)]
pub(super) struct Queue {
    limits: Limits,
    /// In the order in which they were made; numbers go up.
    entries: VecDeque<Entry>,
    bytes: usize,
    next: u64,
    flying: usize,
    /// Bytes of those under way, which stay whatever comes.
    flying_bytes: usize,
    failures: u32,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    parcel: Rc<Parcel>,
    made_ms: u64,
    tries: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Flying,
    Failed { again_ms: u64 },
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Next {
    /// Send this one, and say how it went by its number.
    Send(u64, Rc<Parcel>),
    /// Ask again at this time, or when something changes.
    At(u64),
    /// Ask again when something changes.
    Idle,
}

impl Queue {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: VecDeque::new(),
            bytes: 0,
            next: 0,
            flying: 0,
            flying_bytes: 0,
            failures: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes a body; says how many events had to go to make room, the oldest first. A body that no
    /// room can be made for goes itself, alone.
    pub(super) fn push(&mut self, parcel: Parcel, now_ms: u64) -> u64 {
        let (size, mut lost) = (parcel.size(), 0);
        if self.flying_bytes + size > self.limits.bytes {
            return parcel.events; // nothing has to go for what has no room anyway
        }
        while self.bytes + size > self.limits.bytes {
            let old = self
                .entries
                .iter()
                .position(|entry| entry.state != State::Flying);
            match old.and_then(|at| self.remove(at)) {
                Some(old) => lost += old.parcel.events,
                None => return lost + parcel.events,
            }
        }
        self.bytes += size;
        self.entries.push_back(Entry {
            number: self.next,
            parcel: Rc::new(parcel),
            made_ms: now_ms,
            tries: 0,
            state: State::Waiting,
        });
        self.next += 1;
        lost
    }

    /// Drops all that is not under way; says how many events that were.
    pub(super) fn clear(&mut self) -> u64 {
        let mut lost = 0;
        let waits = |entry: &Entry| entry.state != State::Flying;
        while let Some(at) = self.entries.iter().position(waits) {
            lost += self.remove(at).map_or(0, |entry| entry.parcel.events);
        }
        lost
    }

    /// Drops what is too old to be sent (again); says how many events that were.
    pub(super) fn expire(&mut self, now_ms: u64) -> u64 {
        let mut lost = 0;
        let give_up_ms = self.limits.give_up_ms;
        let old = |entry: &Entry| {
            entry.state != State::Flying && now_ms.saturating_sub(entry.made_ms) >= give_up_ms
        };
        let mut at = 0;
        // They stand in the order of their age: the first that is young enough ends it.
        while let Some(entry) = self.entries.get(at) {
            if old(entry) {
                lost += entry.parcel.events;
                self.remove(at);
            } else if entry.state == State::Flying {
                at += 1;
            } else {
                break;
            }
        }
        lost
    }

    /// What to do now.
    pub(super) fn next(&mut self, now_ms: u64) -> Next {
        let give_up_ms = self.limits.give_up_ms;
        let oldest = self.entries.iter().find(|e| e.state != State::Flying);
        let mut wake_ms = oldest.map(|entry| entry.made_ms + give_up_ms);
        if self.flying < FLYING_MAX {
            let mut behind: HashSet<u64> = HashSet::new();
            let has_failed = |e: &Entry| matches!(e.state, State::Failed { .. });
            let probing = self.flying > 0 || self.entries.iter().take(LOOKED_AT).any(has_failed);
            let shut = self.failures >= FAILURES_MAX && probing;
            for entry in self.entries.iter_mut().take(LOOKED_AT) {
                let free = !entry
                    .parcel
                    .about
                    .iter()
                    .any(|about| behind.contains(about));
                let may = match entry.state {
                    State::Flying => false,
                    State::Waiting => free && !shut,
                    State::Failed { again_ms } => {
                        if free && again_ms > now_ms {
                            wake_ms = Some(wake_ms.map_or(again_ms, |wake| wake.min(again_ms)));
                        }
                        free && again_ms <= now_ms
                    }
                };
                if may {
                    entry.state = State::Flying;
                    self.flying += 1;
                    self.flying_bytes += entry.parcel.size();
                    return Next::Send(entry.number, Rc::clone(&entry.parcel));
                }
                behind.extend(&entry.parcel.about);
            }
        }
        wake_ms.map_or(Next::Idle, Next::At)
    }

    /// The endpoint has taken it.
    pub(super) fn taken(&mut self, number: u64) {
        self.failures = 0;
        if let Some(at) = self.land(number) {
            self.remove(at);
        }
    }

    /// It has not; `jitter` is a random number. Says how many events are given up by that.
    pub(super) fn failed(&mut self, number: u64, now_ms: u64, jitter: u32) -> u64 {
        self.failures = self.failures.saturating_add(1);
        let Some(at) = self.land(number) else {
            return 0;
        };
        let Limits {
            retry_ms,
            give_up_ms,
            ..
        } = self.limits;
        let entry = &mut self.entries[at];
        let again_ms = now_ms + wait_ms(retry_ms, entry.tries, jitter);
        entry.tries += 1;
        if again_ms >= entry.made_ms + give_up_ms {
            return self.remove(at).map_or(0, |entry| entry.parcel.events);
        }
        entry.state = State::Failed { again_ms };
        0
    }

    /// How many events are in it.
    pub(super) fn events(&self) -> u64 {
        self.entries.iter().map(|entry| entry.parcel.events).sum()
    }

    fn land(&mut self, number: u64) -> Option<usize> {
        let at = self
            .entries
            .binary_search_by_key(&number, |entry| entry.number)
            .ok()?;
        self.flying -= 1;
        self.flying_bytes -= self.entries[at].parcel.size();
        Some(at)
    }

    fn remove(&mut self, at: usize) -> Option<Entry> {
        let entry = self.entries.remove(at)?;
        self.bytes -= entry.parcel.size();
        Some(entry)
    }
}

/// The wait before the next try: doubled each time, and up to a fifth less or more, so that many
/// bodies that failed together do not come back together (K4).
fn wait_ms(retry_ms: u64, tries: u32, jitter: u32) -> u64 {
    let wait = retry_ms
        .saturating_mul(1 << tries.min(16))
        .min(WAIT_MAX_MS.max(retry_ms));
    let share = (u64::from(jitter) * 401) >> 32; // 0 to 400 thousandths
    wait * (800 + share) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: u32 = u32::MAX / 2;

    fn queue() -> Queue {
        Queue::new(Limits {
            bytes: 1 << 20,
            retry_ms: 1000,
            give_up_ms: 300_000,
        })
    }

    fn parcel(name: &'static str, about: &[u64]) -> Parcel {
        Parcel {
            bytes: hyper::body::Bytes::from_static(name.as_bytes()),
            signature: String::new(),
            events: 1,
            about: about.to_vec(),
        }
    }

    fn push(queue: &mut Queue, now_ms: u64, parcels: &[(&'static str, &[u64])]) {
        for (name, about) in parcels {
            assert_eq!(queue.push(parcel(name, about), now_ms), 0);
        }
    }

    /// Everything that may go now.
    fn go(queue: &mut Queue, now_ms: u64) -> Vec<(u64, String)> {
        let mut gone = Vec::new();
        while let Next::Send(number, parcel) = queue.next(now_ms) {
            gone.push((number, String::from_utf8(parcel.bytes.to_vec()).unwrap()));
        }
        gone
    }

    fn names(gone: &[(u64, String)]) -> Vec<&str> {
        gone.iter().map(|(_, name)| &name[..]).collect()
    }

    #[test]
    fn one_channel_keeps_its_order_and_others_go_beside_it() {
        // K9
        let mut queue = queue();
        push(
            &mut queue,
            0,
            &[("a1", &[1]), ("a2", &[1]), ("b1", &[2]), ("ab", &[1, 2])],
        );
        push(&mut queue, 0, &[("b2", &[2]), ("c1", &[3])]);
        let first = go(&mut queue, 0);
        assert_eq!(names(&first), ["a1", "b1", "c1"]);
        queue.taken(first[1].0);
        assert_eq!(names(&go(&mut queue, 0)), [""; 0]); // b2 is behind ab, and that behind a2
        queue.taken(first[0].0);
        let second = go(&mut queue, 0);
        assert_eq!(names(&second), ["a2"]);
        queue.taken(second[0].0);
        assert_eq!(names(&go(&mut queue, 0)), ["ab"]);
    }

    #[test]
    fn only_so_many_are_under_way() {
        let mut queue = queue();
        for number in 0..10 {
            queue.push(parcel("x", &[number]), 0);
        }
        let gone = go(&mut queue, 0);
        assert_eq!(gone.len(), FLYING_MAX);
        queue.taken(gone[2].0);
        assert_eq!(go(&mut queue, 0).len(), 1);
    }

    #[test]
    fn failures_come_back_after_1_2_4_seconds_until_five_minutes_are_over() {
        // K4
        let mut queue = queue();
        push(&mut queue, 7, &[("a", &[1])]);
        let (mut now_ms, mut waits, mut lost) = (7, Vec::new(), 0);
        while lost == 0 {
            let Next::Send(number, _) = queue.next(now_ms) else {
                panic!("it is due at {now_ms}");
            };
            assert!(matches!(queue.next(now_ms), Next::Idle), "it is under way");
            lost = queue.failed(number, now_ms, MIDDLE);
            if let Next::At(at_ms) = queue.next(now_ms) {
                waits.push(at_ms - now_ms);
                now_ms = at_ms;
            }
        }
        assert_eq!(
            waits,
            [
                1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000
            ]
        );
        assert_eq!((lost, queue.is_empty(), queue.bytes), (1, true, 0));
        assert!(now_ms < 300_007);
    }

    #[test]
    fn waits_differ_by_a_fifth_at_most() {
        assert_eq!(wait_ms(1000, 0, 0), 800);
        assert_eq!(wait_ms(1000, 0, MIDDLE), 1000);
        assert_eq!(wait_ms(1000, 0, u32::MAX), 1200);
        assert_eq!(wait_ms(1000, 5, MIDDLE), 32_000);
        assert_eq!(wait_ms(1000, 60, u32::MAX), 72_000);
        assert_eq!(wait_ms(1, 3, MIDDLE), 8);
    }

    #[test]
    fn what_follows_a_failure_in_its_channel_waits_and_the_rest_passes() {
        // K9
        let mut queue = queue();
        push(&mut queue, 0, &[("a1", &[1]), ("a2", &[1]), ("b1", &[2])]);
        let gone = go(&mut queue, 0);
        assert_eq!(names(&gone), ["a1", "b1"]);
        queue.failed(gone[0].0, 0, MIDDLE);
        queue.taken(gone[1].0);
        push(&mut queue, 1, &[("b2", &[2])]);
        assert_eq!(names(&go(&mut queue, 1)), ["b2"]);
        assert_eq!(names(&go(&mut queue, 999)), [""; 0]);
        let again = go(&mut queue, 1000);
        assert_eq!(names(&again), ["a1"]);
        queue.taken(again[0].0);
        assert_eq!(names(&go(&mut queue, 1000)), ["a2"]);
    }

    #[test]
    fn an_endpoint_that_fails_and_fails_gets_nothing_new() {
        let mut queue = queue();
        for number in 0..20 {
            queue.push(parcel("x", &[number]), 0);
        }
        for (number, _) in go(&mut queue, 0) {
            queue.failed(number, 0, MIDDLE);
        }
        assert_eq!(go(&mut queue, 999).len(), 0);
        let again = go(&mut queue, 1000);
        assert_eq!(again.len(), FLYING_MAX);
        for (number, _) in &again[1..] {
            queue.failed(*number, 1000, MIDDLE);
        }
        assert_eq!(go(&mut queue, 1000).len(), 0);
        // One that goes through opens it for all.
        queue.taken(again[0].0);
        assert_eq!(go(&mut queue, 1000).len(), FLYING_MAX);
    }

    #[test]
    fn an_endpoint_whose_failures_are_given_up_is_tried_with_the_next() {
        let mut queue = queue();
        queue.limits.give_up_ms = 1500;
        for number in 0..5 {
            queue.push(parcel("x", &[number]), 0);
        }
        for (number, _) in go(&mut queue, 0) {
            queue.failed(number, 1000, MIDDLE); // again at 2000: too late
        }
        assert_eq!(queue.entries.len(), 1);
        assert_eq!(go(&mut queue, 1000).len(), 1);
    }

    #[test]
    fn what_waited_for_too_long_is_dropped() {
        // K2
        let mut queue = queue();
        push(&mut queue, 0, &[("a1", &[1]), ("a2", &[1])]);
        let gone = go(&mut queue, 0);
        push(&mut queue, 10, &[("a3", &[1])]);
        assert!(matches!(queue.next(0), Next::At(300_000)));
        assert_eq!(queue.expire(299_999), 0);
        assert_eq!(queue.expire(300_000), 1); // a2; a1 is under way
        queue.taken(gone[0].0);
        assert_eq!(names(&go(&mut queue, 300_000)), ["a3"]);
    }

    #[test]
    fn past_the_bound_the_oldest_goes() {
        let size = parcel("x", &[1]).size();
        let mut queue = queue();
        queue.limits.bytes = 3 * size;
        push(&mut queue, 0, &[("1", &[1]), ("2", &[1]), ("3", &[1])]);
        assert_eq!(names(&go(&mut queue, 0)), ["1"]);
        assert_eq!(queue.push(parcel("4", &[1]), 0), 1); // 2: 1 is under way
        let left = queue.entries.iter().map(|entry| &entry.parcel.bytes[..]);
        assert_eq!(left.collect::<Vec<_>>(), [b"1", b"3", b"4"]);
        assert_eq!((queue.bytes, queue.events()), (3 * size, 3));
    }

    #[test]
    fn a_body_that_fits_nowhere_is_dropped() {
        let size = parcel("x", &[1]).size();
        let mut queue = queue();
        queue.limits.bytes = size;
        push(&mut queue, 0, &[("1", &[1])]);
        assert_eq!(names(&go(&mut queue, 0)), ["1"]);
        assert_eq!(queue.push(parcel("2", &[1]), 0), 1);
        queue.limits.bytes = size - 1;
        assert_eq!(queue.push(parcel("3", &[1]), 0), 1);
        assert_eq!(queue.events(), 1);
    }

    #[test]
    fn nothing_goes_for_a_body_that_has_no_room_anyway() {
        let size = parcel("x", &[1]).size();
        let mut queue = queue();
        queue.limits.bytes = 3 * size;
        push(&mut queue, 0, &[("1", &[1]), ("2", &[1]), ("3", &[1])]);
        let large = Parcel {
            bytes: vec![b'x'; 3 * size].into(),
            ..parcel("", &[1])
        };
        assert_eq!(queue.push(large, 0), 1);
        assert_eq!(queue.events(), 3);
    }
}

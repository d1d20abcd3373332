//! The wires between shards: first in, first out for each ordered pair, each with its own delays,
//! and with room for so many notes. What finds none waits at its sender, in order, as in `mesh`.
//!
//! Time is virtual. A note arrives at its link's pace, never before an earlier note of its link;
//! links do not wait for each other. A hub's notes to itself are not delayed: the world keeps them
//! in a queue of its own. Faults, where a run has one, are put in here and nowhere else.

use crate::fault::Fault;
use crate::model::Stamp;
use crate::rng::Rng;
use crate::said;
use shardcast::hub::Note;
use shardcast::id::ShardId;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// A note on its way.
#[derive(Debug)]
pub struct Parcel {
    /// Who sent it.
    pub from: ShardId,
    /// Who gets it.
    pub to: ShardId,
    /// What it says.
    pub note: Note,
    /// What the answer to a join must say.
    pub stamp: Option<Stamp>,
}

impl fmt::Display for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, note, .. } = self;
        write!(f, "{from} -> {to}: ")?;
        // Frames are shown as what they say.
        match note {
            Note::Deliver(deliver) => write!(f, "Deliver {:?}", said::read(&deliver.frame)),
            Note::Publish(publish) => write!(f, "Publish {:?}", said::read(&publish.frame)),
            Note::Joined(joined) => {
                let frame = |bytes: &Option<_>| bytes.as_deref().map(said::read);
                let asker = joined.asker.as_ref().map(|(asker, outcome)| {
                    let outcome = outcome.as_ref();
                    (
                        asker,
                        outcome.map(|with| [frame(&with.snapshot), frame(&with.cached)]),
                    )
                });
                write!(
                    f,
                    "Joined {:?} of {:?}: {asker:?}",
                    joined.local, joined.home
                )
            }
            other => write!(f, "{other:?}"),
        }
    }
}

/// All links.
#[derive(Debug)]
pub struct Mesh {
    shards: usize,
    links: Vec<Link>,
    /// By time of arrival, then in the order of sending.
    under_way: BTreeMap<(u64, u64), Parcel>,
    own: Vec<VecDeque<Parcel>>,
    sent: u64,
    fault: Fault,
    /// How many notes of one link can be on their way.
    slots: usize,
    /// What waits for room, for each link.
    overflows: Vec<VecDeque<Parcel>>,
    overflowed: u64,
}

/// One direction between two shards.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// Microseconds that each note takes.
    base_us: u64,
    /// Microseconds more, at most.
    jitter_us: u64,
    /// How many notes in a hundred take very long.
    stalls: u64,
    /// When the last note arrives.
    last_us: u64,
    /// How many notes are on their way.
    under_way: usize,
}

impl Mesh {
    /// Links with a pace of their own each, and room for `slots` notes.
    pub fn new(shards: u16, slots: usize, rng: &mut Rng, fault: Fault) -> Self {
        let shards = usize::from(shards);
        let jitter_us = *rng.pick(&[0, 100, 1_000, 20_000]);
        let stalls = *rng.pick(&[0, 0, 2, 10]);
        let mut link = || {
            let base_us = *rng.pick(&[0, 1, 50, 5_000]);
            Link {
                base_us,
                jitter_us,
                stalls,
                last_us: 0,
                under_way: 0,
            }
        };
        let links = (0..shards * shards).map(|_| link()).collect();
        let overflows = (0..shards * shards).map(|_| VecDeque::new()).collect();
        let own = (0..shards).map(|_| VecDeque::new()).collect();
        Self {
            shards,
            links,
            under_way: BTreeMap::new(),
            own,
            sent: 0,
            fault,
            slots,
            overflows,
            overflowed: 0,
        }
    }

    /// Takes a note at the time `now_us`.
    pub fn post(&mut self, parcel: Parcel, now_us: u64, rng: &mut Rng) {
        for parcel in self.fault.touch(parcel) {
            self.carry(parcel, now_us, rng);
        }
    }

    fn carry(&mut self, parcel: Parcel, now_us: u64, rng: &mut Rng) {
        let (from, to) = (parcel.from.index(), parcel.to.index());
        if from == to {
            self.own[to].push_back(parcel);
            return;
        }
        let at = from * self.shards + to;
        let link = &self.links[at];
        if link.under_way >= self.slots || !self.overflows[at].is_empty() {
            self.overflowed += 1;
            self.overflows[at].push_back(parcel);
            return;
        }
        self.depart(at, parcel, now_us, rng);
    }

    /// Puts a note on its way.
    fn depart(&mut self, at: usize, parcel: Parcel, now_us: u64, rng: &mut Rng) {
        let link = &mut self.links[at];
        link.under_way += 1;
        let mut takes_us = link.base_us + rng.between(0, link.jitter_us);
        if rng.chance(link.stalls) {
            takes_us = (takes_us + 100) * 20;
        }
        link.last_us = link.last_us.max(now_us + takes_us);
        self.sent += 1;
        self.under_way.insert((link.last_us, self.sent), parcel);
    }

    /// The next note of a shard to itself.
    pub fn next_own(&mut self, shard: ShardId) -> Option<Parcel> {
        self.own[shard.index()].pop_front()
    }

    /// The next note to arrive until `until_us`, with its time.
    pub fn next_until(&mut self, until_us: u64, rng: &mut Rng) -> Option<(u64, Parcel)> {
        let entry = self.under_way.first_entry()?;
        let (at_us, _) = *entry.key();
        if at_us > until_us {
            return None;
        }
        let parcel = entry.remove();
        let at = parcel.from.index() * self.shards + parcel.to.index();
        self.links[at].under_way -= 1;
        if let Some(next) = self.overflows[at].pop_front() {
            self.depart(at, next, at_us, rng);
        }
        Some((at_us, parcel))
    }

    /// How many notes have waited for room.
    pub fn overflowed(&self) -> u64 {
        self.overflowed
    }

    /// Whether nothing is on its way.
    pub fn is_quiet(&self) -> bool {
        self.under_way.is_empty() && self.own.iter().all(VecDeque::is_empty)
    }

    /// What a fault has held back is sent after all; whether there was something.
    pub fn let_go(&mut self, now_us: u64, rng: &mut Rng) -> bool {
        let held = self.fault.let_go();
        let any = held.is_some();
        if let Some(parcel) = held {
            self.carry(parcel, now_us, rng);
        }
        any
    }

    /// The fault, to see whether it struck.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }
}

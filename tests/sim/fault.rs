//! Broken wires on purpose: what shows that the oracles see what they are there to see.
//!
//! A fault strikes one note of a run, the first that fits after some that were spared. Each is one
//! the hub could have by a mistake of its own: a note sent twice, not at all, or out of order. Only
//! `DropCounted` goes on striking.

use crate::mesh::Parcel;
use crate::rng::Rng;
use crate::said::{self, Said};
use crate::verdict::Oracle;
use shardcast::hub::Note;
use shardcast::id::ShardId;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    None,
    /// An event overtakes the one before it on its link.
    SwapDelivers,
    /// An event comes before the answer to a join that was decided earlier.
    DelayJoined,
    /// An event is lost on its way to one shard.
    DropDeliver,
    /// An event comes to one shard twice.
    RepeatDeliver,
    /// An event goes to the one who is excluded.
    ForgetExcept,
    /// A publish never reaches the home.
    DropPublish,
    /// A publish reaches the home twice.
    RepeatPublish,
    /// From here on nobody on another shard is told how many are subscribed.
    DropCounted,
    /// A cached event does not come with the success.
    ForgetCached,
    /// A home is never asked to let a shard in.
    DropJoin,
    /// A home's answer to a join is lost.
    DropJoined,
    /// A home is not told that a member is gone.
    SkipPart,
    /// A member's end overtakes its beginning.
    DelayJoin,
    /// A home is not told of new counts.
    DropCounts,
    /// An app's home does not get a place back.
    DropRelease,
    /// An answer is lost.
    DropAnswer,
    /// A home is not told that somebody is watched.
    DropWatch,
    /// A home is not told that somebody is no longer watched.
    DropUnwatch,
    /// A shard is not told whether somebody is online.
    DropStatus,
    /// A shard is not told that a user's connections are to end.
    DropTerminate,
}

/// All that can go wrong, with the oracles that may see it, and how many in a hundred of the runs
/// in which it strikes must be stopped. Not every strike does harm: an event that is lost on the
/// way to a shard whose subscribers have just left is missed by nobody. A strike that leaves a mark
/// until the next rest is always seen.
pub const ALL: [(Kind, &[Oracle], usize); 20] = [
    (Kind::SwapDelivers, &[Oracle::Run, Oracle::View], 30),
    (Kind::DelayJoined, &[Oracle::Run, Oracle::View], 20),
    (Kind::DropDeliver, &[Oracle::Run, Oracle::View], 25),
    (Kind::RepeatDeliver, &[Oracle::Run, Oracle::View], 30),
    (Kind::ForgetExcept, &[Oracle::Excluded], 8),
    (Kind::DropPublish, &[Oracle::Publish], 100),
    (Kind::RepeatPublish, &[Oracle::Publish], 100),
    (Kind::DropCounted, &[Oracle::View], 60),
    (Kind::ForgetCached, &[Oracle::Run], 60),
    // A user's own channel answers nobody who does not ask: there only counts and watchers show it.
    (
        Kind::DropJoin,
        &[Oracle::Reply, Oracle::Leak, Oracle::Answer, Oracle::View],
        100,
    ),
    (
        Kind::DropJoined,
        &[Oracle::Reply, Oracle::Leak, Oracle::Answer, Oracle::View],
        100,
    ),
    (
        Kind::SkipPart,
        &[Oracle::View, Oracle::Run, Oracle::Reply, Oracle::Told],
        75,
    ),
    (
        Kind::DelayJoin,
        &[
            Oracle::View,
            Oracle::Run,
            Oracle::Reply,
            Oracle::Answer,
            Oracle::Told,
        ],
        75,
    ),
    (
        Kind::DropCounts,
        &[Oracle::Leak, Oracle::Answer, Oracle::View],
        20,
    ),
    (Kind::DropRelease, &[Oracle::Quota, Oracle::Leak], 100),
    (Kind::DropAnswer, &[Oracle::Answer, Oracle::Quota], 100),
    (Kind::DropWatch, &[Oracle::Reply, Oracle::Leak], 20),
    (Kind::DropUnwatch, &[Oracle::Leak], 20),
    (Kind::DropStatus, &[Oracle::Reply, Oracle::View], 8),
    (Kind::DropTerminate, &[Oracle::Reply], 10),
];

/// The fault of that name.
pub fn named(name: &str) -> Option<Kind> {
    ALL.iter()
        .map(|(kind, ..)| *kind)
        .find(|kind| format!("{kind:?}") == name)
}

/// Whether a note brings something of the channel's order, and not only its count.
fn is_ordered(note: &Note) -> bool {
    let Note::Deliver(deliver) = note else {
        return false;
    };
    !matches!(said::read(&deliver.frame), Said::Counted { .. })
}

/// A fault that waits for its note.
#[derive(Debug)]
pub struct Fault {
    kind: Kind,
    spared: u64,
    held: Option<Parcel>,
    struck: bool,
}

impl Fault {
    /// A fault that lets some fitting notes go by; how many, the seed says.
    pub fn new(kind: Kind, seed: u64) -> Self {
        // Frequent notes are spared more often, so that a crowd is there when one is struck.
        let rare = matches!(
            kind,
            Kind::SkipPart
                | Kind::DelayJoin
                | Kind::DropRelease
                | Kind::DropWatch
                | Kind::DropUnwatch
                | Kind::DropStatus
        );
        let spared = Rng::new(seed).below(match kind {
            Kind::DropTerminate => 3,
            _ if rare => 12,
            _ => 40,
        });
        Self {
            kind,
            spared,
            held: None,
            struck: false,
        }
    }

    /// Wires that work.
    pub fn none() -> Self {
        Self::new(Kind::None, 0)
    }

    /// Whether anything went wrong yet.
    pub fn struck(&self) -> bool {
        self.struck
    }

    /// What becomes of a note: it, nothing, or more.
    pub fn touch(&mut self, parcel: Parcel) -> Vec<Parcel> {
        if let Some(held) = self.held.take() {
            if self.releases(&held, &parcel) {
                self.struck = true;
                return vec![parcel, held];
            }
            self.held = Some(held);
            return vec![parcel];
        }
        if self.struck && self.kind == Kind::DropCounted && self.fits(&parcel) {
            return Vec::new(); // a single one is soon followed by a newer one
        }
        if self.struck || !self.fits(&parcel) {
            return vec![parcel];
        }
        if self.spared > 0 {
            self.spared -= 1;
            return vec![parcel];
        }
        self.strike(parcel)
    }

    /// What was held back for a note that never came.
    pub fn let_go(&mut self) -> Option<Parcel> {
        self.held.take()
    }

    fn fits(&self, parcel: &Parcel) -> bool {
        match (self.kind, &parcel.note) {
            (Kind::SwapDelivers | Kind::DropDeliver | Kind::RepeatDeliver, note) => {
                is_ordered(note)
            }
            (Kind::DropCounted, note @ Note::Deliver(_)) => {
                parcel.from != parcel.to && !is_ordered(note)
            }
            (Kind::ForgetCached, Note::Joined(joined)) => {
                let outcome = joined.asker.as_ref().map(|(_, outcome)| outcome);
                matches!(outcome, Some(Ok(welcome)) if welcome.cached.is_some())
            }
            (Kind::DropPublish | Kind::RepeatPublish, Note::Publish(_))
            | (Kind::DropJoin, Note::Join(_))
            | (Kind::DropJoined | Kind::DelayJoined, Note::Joined(_))
            | (Kind::SkipPart, Note::Part(_))
            | (Kind::DropCounts, Note::Counts(_))
            | (Kind::DropRelease, Note::Release(..))
            | (Kind::DropAnswer, Note::Answer(..))
            | (Kind::DropWatch, Note::Watch(_))
            | (Kind::DropUnwatch, Note::Unwatch(_))
            | (Kind::DropStatus, Note::Status(_))
            | (Kind::DropTerminate, Note::Terminate(_)) => true,
            (Kind::DelayJoin, Note::Join(join)) => join.member.is_some(),
            (Kind::ForgetExcept, Note::Deliver(deliver)) => deliver.except.is_some(),
            _ => false,
        }
    }

    /// Whether what is held back has been overtaken by what it must not be overtaken by.
    fn releases(&self, held: &Parcel, parcel: &Parcel) -> bool {
        let link = |parcel: &Parcel| -> (ShardId, ShardId) { (parcel.from, parcel.to) };
        link(held) == link(parcel)
            && match (self.kind, &held.note, &parcel.note) {
                (Kind::SwapDelivers, Note::Deliver(first), Note::Deliver(second)) => {
                    first.local == second.local && is_ordered(&parcel.note)
                }
                (Kind::DelayJoined, Note::Joined(first), Note::Deliver(second)) => {
                    first.local == second.local
                }
                (Kind::DelayJoin, Note::Join(join), Note::Part(part)) => {
                    join.asker == Some(part.presence)
                }
                _ => false,
            }
    }

    fn strike(&mut self, mut parcel: Parcel) -> Vec<Parcel> {
        self.struck = true;
        match (self.kind, &mut parcel.note) {
            (Kind::SwapDelivers | Kind::DelayJoined | Kind::DelayJoin, _) => {
                self.struck = false; // not until it is overtaken
                self.held = Some(parcel);
                Vec::new()
            }
            (Kind::RepeatDeliver, Note::Deliver(deliver)) => {
                let frame = deliver.frame.clone();
                let again = shardcast::hub::Deliver { frame, ..*deliver };
                let again = Parcel {
                    note: Note::Deliver(again),
                    stamp: None,
                    ..parcel
                };
                vec![parcel, again]
            }
            (Kind::RepeatPublish, Note::Publish(publish)) => {
                let frame = publish.frame.clone();
                let again = shardcast::hub::Publish { frame, ..*publish };
                let again = Parcel {
                    note: Note::Publish(again),
                    stamp: None,
                    ..parcel
                };
                vec![parcel, again]
            }
            (Kind::ForgetCached, Note::Joined(joined)) => {
                if let Some((_, Ok(welcome))) = &mut joined.asker {
                    welcome.cached = None;
                }
                vec![parcel]
            }
            (Kind::ForgetExcept, Note::Deliver(deliver)) => {
                deliver.except = None;
                vec![parcel]
            }
            _ => Vec::new(),
        }
    }
}

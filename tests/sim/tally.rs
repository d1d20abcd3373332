//! How often what happened: a simulation in which nothing happens proves nothing.

use crate::said::Said;
use crate::user::OWN;
use shardcast::protocol::event::SubscriptionRefusal;
use std::ops::AddAssign;

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// The script did something.
    Actions,
    /// A hub took a note.
    Notes,
    /// A client heard an event.
    Events,
    /// A client was told that a cache channel has no event.
    Missed,
    /// A client was told how many are subscribed.
    Counted,
    /// A client was let into a channel without presence.
    Successes,
    /// A client was let into a presence channel.
    Snapshots,
    /// A client heard that a member came.
    Added,
    /// A client heard that a member went.
    Removed,
    /// A subscription was refused, for whatever reason.
    Refused,
    /// It was refused because a presence channel was full.
    Full,
    /// It was refused because the connection had too many channels.
    TooMany,
    /// A client heard of an error; each refusal ends with one.
    Errors,
    /// A connection got a place.
    Admitted,
    /// A connection got none.
    TurnedAway,
    /// The hub closed a connection.
    Closed,
    /// An answer was compared with the model's.
    Answers,
    /// Everything was checked at rest.
    Rests,
    /// Everybody left, and nothing was left.
    Emptied,
    /// A client signed in.
    SignIns,
    /// A client heard of those it watches.
    Watched,
    /// A client heard an event of its own channel.
    OwnEvents,
    /// A connection was ended for its user's sake.
    Terminated,
    /// A note found no room in its ring.
    Overflowed,
    /// A connection was cut off between two notes.
    Cut,
    /// A crowd joined and left one channel, all at once.
    Storms,
    /// All connections of a shard went at once.
    Crashes,
}

impl Count {
    /// All of them, in order.
    pub const ALL: [Self; COUNTS] = [
        Self::Actions,
        Self::Notes,
        Self::Events,
        Self::Missed,
        Self::Counted,
        Self::Successes,
        Self::Snapshots,
        Self::Added,
        Self::Removed,
        Self::Refused,
        Self::Full,
        Self::TooMany,
        Self::Errors,
        Self::Admitted,
        Self::TurnedAway,
        Self::Closed,
        Self::Answers,
        Self::Rests,
        Self::Emptied,
        Self::SignIns,
        Self::Watched,
        Self::OwnEvents,
        Self::Terminated,
        Self::Overflowed,
        Self::Cut,
        Self::Storms,
        Self::Crashes,
    ];
}

const COUNTS: usize = 27;

/// Counts of one run, or of many together. Two runs of one seed have the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; COUNTS]);

impl Tally {
    /// It happened once more.
    pub fn add(&mut self, count: Count) {
        self.0[count as usize] += 1;
    }

    /// It happened so many times more.
    pub fn add_many(&mut self, count: Count, times: u64) {
        self.0[count as usize] += times;
    }

    /// How often it happened.
    pub fn of(&self, count: Count) -> u64 {
        self.0[count as usize]
    }

    /// Counts a frame that a client hears.
    pub fn hear(&mut self, said: &Said) {
        match said {
            Said::Pong | Said::SignedIn { .. } => {}
            Said::Watched { .. } => self.add(Count::Watched),
            Said::Error { .. } => self.add(Count::Errors),
            Said::Succeeded { members: None, .. } => self.add(Count::Successes),
            Said::Succeeded {
                members: Some(_), ..
            } => self.add(Count::Snapshots),
            Said::Added { .. } => self.add(Count::Added),
            Said::Removed { .. } => self.add(Count::Removed),
            Said::Event { channel, .. } => {
                self.add(Count::Events);
                if channel.starts_with(OWN) {
                    self.add(Count::OwnEvents);
                }
            }
            Said::Missed { .. } => self.add(Count::Missed),
            Said::Counted { .. } => self.add(Count::Counted),
            Said::Refused { message, .. } => {
                self.add(Count::Refused);
                if message == SubscriptionRefusal::ChannelFull.message() {
                    self.add(Count::Full);
                } else if message == SubscriptionRefusal::TooManyChannels.message() {
                    self.add(Count::TooMany);
                }
            }
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum += count;
        }
    }
}

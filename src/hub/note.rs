//! What shards tell each other about channels. Every note is an order or a fact, never a
//! request to wait: the sender goes on at once.

use super::ask::{Answer, Question};
use super::channel_table::ChannelName;
use super::pass::Pass;
use super::presence::Presence;
use crate::id::{AppSlot, ShardId, SocketId, Ticket};
use crate::protocol::ChannelKind;
use crate::protocol::event::SubscriptionRefusal;
use crate::protocol::member::Member;
use std::num::NonZeroU32;
use std::sync::Arc;

/// A message from one shard's hub to another's, or to its own.
#[derive(Debug)]
pub enum Note {
    /// To a home: this shard wants the channel's events from now on.
    Join(Box<Join>),
    /// To a home: a presence connection is gone.
    Part(Box<Part>),
    /// To a home: how many subscribers this shard has for each of its changed channels.
    Counts(Vec<CountNote>),
    /// To a home: an event for everybody who listens.
    Publish(Publish),
    /// To a home: what do you know of this?
    Ask(Ticket, Box<Question>),
    /// To an app's home: room for one more connection?
    Admit(Ticket, AppSlot),
    /// To an app's home: may this request be carried out?
    Pass(Ticket, Box<Pass>),
    /// To an app's home: so many connections are gone.
    Release(AppSlot, u32),
    /// To an app's home: so many connections were here before they were counted.
    Hold(AppSlot, u32),
    /// To a user's home: is it online, now and from now on?
    Watch(Box<Watch>),
    /// To a user's home: nobody here watches it any more.
    Unwatch(Box<ChannelName>),
    /// From a home: you are in; everything after this note comes to you.
    Joined(Box<Joined>),
    /// From a home: an event for your subscribers.
    Deliver(Deliver),
    /// From a home: the answer to [`Note::Watch`], and each change after it.
    Status(Status),
    /// From a user's home: end the connections of the user with this channel (section 7.5).
    Terminate(Box<ChannelName>),
    /// From a home: the answer to [`Note::Ask`], [`Note::Admit`] or [`Note::Pass`].
    Answer(Ticket, Box<Answer>),
}

impl Note {
    /// Whether the receiver should know the time to the millisecond before it takes the note.
    #[must_use]
    pub fn is_timely(&self) -> bool {
        match self {
            Self::Join(_) | Self::Counts(_) | Self::Ask(..) => true,
            Self::Publish(publish) => publish.kept_data_at.is_some(),
            _ => false,
        }
    }
}

/// A place in a shard's index; stale ones are recognised by their generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalRef {
    /// Slot in the index of the shard that listens.
    pub slot: u32,
    /// Which channel of that slot.
    pub generation: u32,
}

/// A place in a home's table; valid while the shard that holds it counts at that home.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HomeRef {
    /// Slot in the table of the home shard.
    pub slot: u32,
    /// Which channel of that slot.
    pub generation: u32,
}

/// A time in microseconds since the server's start, the highest bits cut off: for differences of
/// less than an hour.
pub type Stamp = Option<NonZeroU32>;

/// See [`Note::Join`].
#[derive(Debug)]
pub struct Join {
    /// The channel.
    pub channel: ChannelName,
    /// What its name says.
    pub kind: ChannelKind,
    /// Where to deliver on the asking shard.
    pub local: LocalRef,
    /// Subscribers of the asking shard, those under way included.
    pub count: u32,
    /// Whose subscription it is, where each has to be let in by the home: for presence, and for
    /// cache channels.
    pub asker: Option<Presence>,
    /// The member, for presence channels.
    pub member: Option<Member>,
    /// Whether the asker is subscribed already and only asks again (Q7).
    pub again: bool,
}

/// See [`Note::Part`].
#[derive(Debug)]
pub struct Part {
    /// The channel. By name, since it may go before its join is answered.
    pub channel: ChannelName,
    /// Who is gone.
    pub presence: Presence,
    /// The member it stood for.
    pub user_id: Box<str>,
}

/// One line of [`Note::Counts`].
#[derive(Clone, Copy, Debug)]
pub struct CountNote {
    /// The channel at its home.
    pub home: HomeRef,
    /// Subscribers on the sending shard; with 0 it stops listening.
    pub count: u32,
}

/// See [`Note::Publish`]. The channel's name stands in the frame itself.
#[derive(Debug)]
pub struct Publish {
    /// The app.
    pub app: AppSlot,
    /// The channel's hash.
    pub hash: u64,
    /// The encoded frame, shared by everybody who gets it.
    pub frame: Arc<[u8]>,
    /// Where in the frame the channel's name begins.
    pub name_at: u32,
    /// How long it is.
    pub name_len: u32,
    /// The connection that does not get it (S13).
    pub except: Option<SocketId>,
    /// Where in the frame its data begins, if a cache channel is to keep it (C1).
    pub kept_data_at: Option<NonZeroU32>,
    /// When it was published, if its way is timed.
    pub stamp: Stamp,
}

/// How the join of one subscription went.
pub type Admission = Result<Welcome, SubscriptionRefusal>;

/// What a subscription begins with.
#[derive(Clone, Debug, Default)]
pub struct Welcome {
    /// The success with the members, for presence channels.
    pub snapshot: Option<Arc<[u8]>>,
    /// The last event, for cache channels that have one.
    pub cached: Option<Arc<[u8]>>,
}

/// See [`Note::Joined`].
#[derive(Debug)]
pub struct Joined {
    /// The channel on the shard that asked.
    pub local: LocalRef,
    /// The channel at its home.
    pub home: HomeRef,
    /// Whose join this answers, and how it went, if it was asked for one subscription.
    pub asker: Option<(Presence, Admission)>,
}

/// See [`Note::Deliver`].
#[derive(Debug)]
pub struct Deliver {
    /// The channel on the receiving shard.
    pub local: LocalRef,
    /// The encoded frame.
    pub frame: Arc<[u8]>,
    /// The connection that does not get it.
    pub except: Option<SocketId>,
    /// When it was published, if its way is timed.
    pub stamp: Stamp,
}

/// See [`Note::Watch`].
#[derive(Debug)]
pub struct Watch {
    /// The watched user's own channel.
    pub channel: ChannelName,
    /// Where the user is in the table of the asking shard.
    pub local: LocalRef,
}

/// See [`Note::Status`].
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// The user in the table of the shard that asked.
    pub local: LocalRef,
    /// Whether it is online.
    pub online: bool,
}

/// The home of a hash among so many shards.
#[must_use]
pub fn home_of(hash: u64, shards: u16) -> ShardId {
    // The low bits choose the place in hash tables; the high ones choose the shard.
    ShardId(((hash >> 32) % u64::from(shards)) as u16)
}

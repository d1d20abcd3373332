//! Questions about channels, and what their homes answer.

use super::cache::CachedEvent;
use super::channel_table::ChannelName;
use super::pass::Passed;
use crate::id::{AppSlot, SocketId};
use crate::protocol::member::Member;

/// Asked of a channel's home, or of every shard for lists.
#[derive(Debug)]
pub enum Question {
    /// Counts of one channel (section 8.6).
    Channel {
        /// Which one.
        channel: ChannelName,
        /// Whether the cached event is wanted too.
        cached: bool,
    },
    /// Members of one presence channel (section 8.7).
    Users {
        /// Which one.
        channel: ChannelName,
        /// Whether their infos are wanted too.
        with_info: bool,
    },
    /// Nothing but an answer: what was sent to this shard before has been put in order when it
    /// comes.
    Ordered,
    /// Has the connections of the user with this channel ended (section 7.5), and is answered when
    /// all shards concerned have been told.
    Terminate(ChannelName),
    /// Some of the occupied channels this shard is home of (section 8.5).
    Channels {
        /// Of this app only.
        app: AppSlot,
        /// Whose names begin so.
        prefix: Box<str>,
        /// Where to go on.
        from: Cursor,
    },
    /// An app's connections on this shard.
    Connections(AppSlot),
    /// Who of this shard's clients is subscribed to a channel.
    Subscribers {
        /// Which one.
        channel: ChannelName,
        /// How many to name at most.
        most: usize,
    },
    /// Ends connections of this shard.
    Disconnect {
        /// Of this app.
        app: AppSlot,
        /// Which ones.
        whom: Whom,
    },
}

/// Whose connections are ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// One connection.
    Client(SocketId),
    /// All those of a user: who has signed in by them, or is a presence member.
    User(Box<str>),
}

/// A place in a home's list of channels, which is read in pieces so that a long one keeps no shard
/// from its other work.
///
/// Whoever starts with the default and goes on with each next cursor sees every channel once that
/// is occupied from the first question to the last. A channel that came after the first question is
/// not seen, so that none is seen twice which went and came again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    pub(super) slot: u32,
    /// Only channels that are older than this; unknown in the first question.
    pub(super) before: Option<u64>,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Question::Channel`]: its counts, and its cached event if that was wanted and there is
    /// one.
    Channel(ChannelState, Option<CachedEvent>),
    /// To [`Question::Users`]: in the order of joining.
    Users(Vec<Member>),
    /// To [`Question::Channels`].
    Channels {
        /// A piece of the list, perhaps an empty one.
        listed: Vec<Listed>,
        /// Where the next piece begins; none after the last.
        next: Option<Cursor>,
    },
    /// To [`Question::Connections`].
    Connections(u32),
    /// To [`Question::Subscribers`].
    Subscribers(Vec<Listener>),
    /// To [`Question::Disconnect`]: how many there were.
    Disconnected(u32),
    /// To [`Question::Ordered`] and [`Question::Terminate`].
    Ordered,
    /// Whether a connection was admitted.
    Admitted(bool),
    /// Whether a request may be carried out.
    Passed(Passed),
}

/// One subscriber of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its connection.
    pub socket_id: SocketId,
    /// The user it stands for: of the presence channel, or who has signed in.
    pub user_id: Option<Box<str>>,
}

/// One occupied channel of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: Box<str>,
    /// Its counts.
    pub state: ChannelState,
}

/// The counts of a channel; all zero when nobody is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelState {
    /// Subscribed connections over all shards.
    pub subscriptions: u32,
    /// Distinct users, for presence channels.
    pub users: u32,
}

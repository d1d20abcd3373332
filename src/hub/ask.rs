//! Questions about channels, and what their homes answer.

use super::channel_table::ChannelName;
use super::pass::Passed;
use crate::id::AppSlot;

/// Asked of a channel's home, or of every shard for lists.
#[derive(Debug)]
pub enum Question {
    /// Counts of one channel (section 8.6).
    Channel(ChannelName),
    /// Members of one presence channel (section 8.7).
    Users(ChannelName),
    /// Nothing but an answer: what was sent to this shard before has been put in order when it
    /// comes.
    Ordered,
    /// Has the connections of the user with this channel ended (section 7.5), and is answered when
    /// all shards concerned have been told.
    Terminate(ChannelName),
    /// The occupied channels this shard is home of (section 8.5).
    Channels {
        /// Of this app only.
        app: AppSlot,
        /// Whose names begin so.
        prefix: Box<str>,
    },
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Question::Channel`].
    Channel(ChannelState),
    /// To [`Question::Users`]: ids in the order of joining.
    Users(Vec<Box<str>>),
    /// To [`Question::Channels`].
    Channels(Vec<Listed>),
    /// To [`Question::Ordered`] and [`Question::Terminate`].
    Ordered,
    /// Whether a connection was admitted.
    Admitted(bool),
    /// Whether a request may be carried out.
    Passed(Passed),
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

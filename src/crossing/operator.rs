//! What whoever runs the server asks of the Pusher application of a shard, and what happens to it
//! while somebody watches. From the control thread, as calls.

use crate::id::SocketId;
use std::sync::Arc;

/// Something to do, or to tell, for an app.
#[derive(Debug)]
pub struct Inquiry {
    /// The id of the app.
    pub app: Box<str>,
    /// What is wished.
    pub wish: Wish,
    /// Where the answer goes; who has asked may have given up since.
    pub answer: flume::Sender<Reply>,
}

/// What is wished of an app.
#[derive(Debug)]
pub enum Wish {
    /// Publish what a body holds, as `POST /apps/ID/events` does for a backend.
    Publish(Vec<u8>),
    /// Which channels are occupied whose names begin so?
    Channels(Box<str>),
    /// Who is in this channel?
    Channel(Box<str>),
    /// End one connection.
    Disconnect(SocketId),
    /// End all connections of a user.
    Terminate(Box<str>),
}

impl Wish {
    /// Bytes of the message in it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Publish(body) => body.len(),
            Self::Channels(text) | Self::Channel(text) | Self::Terminate(text) => text.len(),
            Self::Disconnect(_) => 0,
        }
    }
}

/// The answer to an [`Inquiry`]: the status and the JSON that a backend would get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// As of HTTP.
    pub status: u16,
    /// JSON.
    pub body: Vec<u8>,
}

/// What has happened to these apps since this was asked last? From the first question on a shard
/// notes it down, until nobody has asked for a few seconds.
#[derive(Debug)]
pub struct Follow {
    /// The apps.
    pub apps: Arc<[Watch]>,
    /// Where the answer goes.
    pub answer: flume::Sender<Followed>,
}

/// An app that is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The id of the app.
    pub app: Box<str>,
    /// Whether it was watched until now: then it matters what was missed.
    pub goes_on: bool,
}

/// The answer to [`Follow`].
#[derive(Debug, Default)]
pub struct Followed {
    /// What has happened, in this order for each app.
    pub rows: Vec<Row>,
    /// How much more has happened to which app: a shard notes down only so much a second.
    pub skipped: Vec<(Box<str>, u64)>,
    /// Apps of which nothing was noted down for a while, though they were watched: the shard stood
    /// still for so long that it took those who watch for gone.
    pub gaps: Vec<Box<str>>,
}

/// One thing that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The id of the app.
    pub app: Box<str>,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What.
    pub kind: RowKind,
    /// Whose connection it was, if it was one.
    pub socket_id: Option<SocketId>,
    /// The channel it was about, or empty.
    pub channel: Box<str>,
    /// The name of the event, or empty.
    pub event: Box<str>,
    /// What was said; only its beginning if it is long.
    pub text: Box<str>,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowKind {
    /// A client has connected.
    Connected,
    /// A connection has ended.
    Disconnected,
    /// A client asked for a channel, and was not refused at once.
    Subscribed,
    /// A client left a channel.
    Unsubscribed,
    /// A client has signed in, and was not refused at once.
    SignedIn,
    /// A client sent an event.
    ClientEvent,
    /// A backend, or whoever runs the server, sent an event.
    ApiEvent,
    /// A client was refused what it asked for.
    Refused,
}

impl RowKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Connected,
        Self::Disconnected,
        Self::Subscribed,
        Self::Unsubscribed,
        Self::SignedIn,
        Self::ClientEvent,
        Self::ApiEvent,
        Self::Refused,
    ];

    /// Its name, as pages know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Subscribed => "subscribed",
            Self::Unsubscribed => "unsubscribed",
            Self::SignedIn => "signed-in",
            Self::ClientEvent => "client-event",
            Self::ApiEvent => "api-event",
            Self::Refused => "refused",
        }
    }
}

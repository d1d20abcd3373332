//! Every type that changes thread. Each says what a full queue does to it.
//!
//! Between two shards there is one first-in first-out lane, so that what a home decided first
//! arrives first. Nothing that is in it is ever dropped: what does not fit into the ring waits
//! in an overflow at the sender, and publishers are held back before that grows (see `mesh`).

pub mod admission;
pub mod fresh;
pub mod operator;
pub mod pulse;

use crate::conn::{Origin, Vitals};
use crate::crossing::fresh::{Fresh, Step};
use crate::crossing::operator::{Follow, Inquiry};
use crate::hub::{Note, Notice};
use crate::id::{ClientId, ShardId, Ticket};
use crate::metrics::Totals;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// To a shard: from another shard over the mesh, or from the control thread over the bridge.
#[derive(Debug)]
pub enum ToShard {
    /// The Pusher hub's business. Full ring: waits in the sender's overflow; before that, new
    /// publishes are refused (503, or 4301 for client events).
    Hub(Note),
    /// A frame for one client. Full ring: waits in the overflow.
    Send {
        /// Who gets it; dropped there when gone.
        client: ClientId,
        /// The encoded frame.
        frame: Arc<[u8]>,
    },
    /// A frame for all clients of a route. Full ring: waits in the overflow.
    Broadcast {
        /// Which mounted handler's clients.
        route: u16,
        /// The encoded frame.
        frame: Arc<[u8]>,
        /// Who does not get it.
        except: Box<[ClientId]>,
    },
    /// A frame for some clients of the receiving shard. Full ring: waits in the overflow.
    Multicast {
        /// Who gets it; those that are gone are passed over.
        clients: Box<[ClientId]>,
        /// The encoded frame.
        frame: Arc<[u8]>,
    },
    /// Who of a route's clients is on the receiving shard? Full ring: waits in the overflow.
    AskRoll {
        /// Given back with the answer.
        ticket: Ticket,
        /// Which mounted handler's clients.
        route: u16,
        /// Whether their number is enough.
        count_only: bool,
    },
    /// What is known of one client? Full ring: waits in the overflow.
    AskVitals {
        /// Given back with the answer.
        ticket: Ticket,
        /// Whom it is about.
        client: ClientId,
    },
    /// Tell when there is room in the outbox of one client, or when all of it has left. Full ring:
    /// waits in the overflow.
    AskRoom {
        /// Given back with the answer.
        ticket: Ticket,
        /// Whose outbox.
        client: ClientId,
        /// Whether it shall be empty.
        empty: bool,
    },
    /// Nobody waits for the answer to that any more. Full ring: waits in the overflow.
    GiveUpRoom {
        /// That of the question.
        ticket: Ticket,
        /// Same.
        client: ClientId,
        /// Same.
        empty: bool,
    },
    /// The answer to one of the questions above. Full ring: waits in the overflow.
    Roll {
        /// That of the question.
        ticket: Ticket,
        /// The answer.
        roll: Roll,
    },
    /// Close one client. Full ring: waits in the overflow.
    Close {
        /// Who is closed.
        client: ClientId,
        /// The close code.
        code: u16,
        /// The reason, at most 123 bytes of it are sent.
        reason: Box<str>,
    },
    /// How long does a message take? Full ring: waits in the overflow.
    Probe {
        /// When it was sent: microseconds since the server started, the highest bits cut off.
        sent_us: u32,
    },
    /// The sender's handlers are done with on_stop; what they sent last lies before this. Full
    /// ring: waits in the overflow.
    Farewell,
    /// A shared table's business. Full ring: waits in the overflow; before that, operations wait
    /// at the shard that begins them. Ends of clients never wait.
    Table(TableNote),
    /// How many connections an address has. Full ring: waits in the overflow.
    Address(AddressNote),
    /// Stop: from the control thread only. Its queue has room for it at all times, since there
    /// only ever is one step of a reload, a stop and an end in it.
    Stop,
    /// Take over a new configuration: from the control thread only, which gives the next step when
    /// every shard has done the last. As for room, see `Stop`.
    Reload {
        /// The configuration, the same for all shards.
        fresh: Arc<Fresh>,
        /// Which step.
        step: Step,
        /// Where the shard says that it has done it; there is room for each of them.
        done: flume::Sender<ShardId>,
    },
    /// End: from the control thread only, once every shard has stopped. As for room, see `Stop`.
    End,
}

/// What shards say to each other about the connections of an address.
#[derive(Debug)]
pub enum AddressNote {
    /// To its home: room for one more?
    Take {
        /// Given back with the answer.
        ticket: Ticket,
        /// The address.
        origin: Origin,
    },
    /// The answer.
    Taken {
        /// That of the question.
        ticket: Ticket,
        /// Whether there was room, which is taken now.
        admitted: bool,
    },
    /// To its home: a connection is gone.
    Release(Origin),
}

/// What shards say to each other about shared tables.
#[derive(Debug)]
pub enum TableNote {
    /// Do something at the home of a row, and answer the asker.
    Do {
        /// Which table; all shards have the same ones.
        table: u16,
        /// What is done.
        op: TableOp,
        /// Who gets the answer.
        asker: ShardId,
        /// Given back with the answer.
        ticket: Ticket,
    },
    /// To the shard of a client: pass an operation on that binds a row to it, if it is open.
    Bind {
        /// Whom the row is bound to.
        client: ClientId,
        /// Where the row is at home.
        home: ShardId,
        /// See [`TableNote::Do`].
        table: u16,
        /// Same.
        op: TableOp,
        /// Same.
        asker: ShardId,
        /// Same.
        ticket: Ticket,
    },
    /// The answer to either.
    Answer {
        /// That of the question.
        ticket: Ticket,
        /// The answer.
        answer: TableAnswer,
    },
    /// To a home: the client is gone, and so are the rows that are bound to it.
    Forget(ClientId),
}

/// An operation on the rows of one table at one home: it is given what the table's types made
/// there, and answers with a type of its own.
pub struct TableOp(pub Box<AtHome>);

/// What a table's types made at a home is given to this.
pub type AtHome = dyn FnOnce(&dyn Any) -> AnySend + Send;

/// A value of any type that may change thread.
pub type AnySend = Box<dyn Any + Send>;

impl fmt::Debug for TableOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableOp").finish_non_exhaustive()
    }
}

/// What became of an operation on a table.
#[derive(Debug)]
pub enum TableAnswer {
    /// What it answers.
    Done(AnySend),
    /// The client that a row was to be bound to is gone: nothing was done.
    NoClient,
    /// It panicked, with this message.
    Panicked(String),
}

/// What a shard is asked about its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roll {
    /// How many there are.
    Count(usize),
    /// Which ones.
    Clients(Box<[ClientId]>),
    /// What is known of one; nothing when it is gone, or nothing is kept of it.
    Vitals(Option<Box<Vitals>>),
    /// Whether there is room now; if not, the client is gone.
    Room(bool),
}

/// To the control thread. The queue is long enough for every shard to say each of these once.
#[derive(Debug)]
pub enum ToControl {
    /// The shard accepts connections.
    Started(ShardId),
    /// The shard has stopped and has no connection any more. It still takes what others send,
    /// since they may not have.
    Stopped(ShardId),
    /// The shard is done, with or without an error. Said by the thread, not by the executor,
    /// so that it is said even when the executor dies.
    Ended(ShardId, Result<(), String>),
    /// A handle asks the server to stop. Full queue: the handle is told, and may ask again.
    Stop,
}

/// To the control thread, on a queue of its own: what webhooks are to be told of, a turn's worth.
/// Full queue: it waits on the shard, up to a bound; past that new notices are dropped.
#[derive(Debug)]
pub struct Notices {
    /// In the order in which they happened.
    pub notices: Vec<Notice>,
    /// How many were dropped since the last batch.
    pub dropped: u64,
}

/// To a shard, from a server handle on any thread, on a queue of its own. Full queue: the caller
/// is told, and nothing of the call is done.
#[derive(Debug)]
pub enum Call {
    /// A frame for all clients of a route, on every shard: this shard passes it on.
    Broadcast {
        /// Which mounted handler's clients.
        route: u16,
        /// The encoded frame.
        frame: Arc<[u8]>,
    },
    /// A frame for one client of any shard.
    Send {
        /// Who gets it; dropped at its shard when gone.
        client: ClientId,
        /// The encoded frame.
        frame: Arc<[u8]>,
    },
    /// Close one client of any shard.
    Close {
        /// Who is closed.
        client: ClientId,
        /// The close code.
        code: u16,
        /// The reason, at most 123 bytes of it are sent.
        reason: Box<str>,
    },
    /// What does this shard hold? The queue for the answers has room for one of each shard.
    Count(flume::Sender<Census>),
    /// What has this shard counted? From the control thread.
    Measure {
        /// Which apps it tells of.
        apps: OfApps,
        /// Where the answer goes; as above.
        answer: flume::Sender<Measured>,
    },
    /// Do or tell something for an app, on whatever shards it concerns. From the control thread.
    Inquire(Inquiry),
    /// What has happened to apps on this shard? From the control thread; the queue for the answers
    /// as above.
    Follow(Follow),
}

impl AppMeasured {
    /// Adds what another shard has counted of the same app.
    pub fn add(&mut self, other: &Self) {
        self.connected += other.connected;
        self.opened += other.opened;
        self.ended += other.ended;
        self.messages_read += other.messages_read;
        self.bytes_read += other.bytes_read;
        self.messages_sent += other.messages_sent;
        self.bytes_sent += other.bytes_sent;
        self.calls += other.calls;
        self.call_bytes += other.call_bytes;
        self.answer_bytes += other.answer_bytes;
        self.channels += other.channels;
    }
}

impl Call {
    /// Bytes of the message in it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Broadcast { frame, .. } | Self::Send { frame, .. } => frame.len(),
            Self::Inquire(inquiry) => inquiry.wish.bytes(),
            Self::Close { .. } | Self::Count(_) | Self::Measure { .. } | Self::Follow(_) => 0,
        }
    }
}

/// What one shard has counted, to the control thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// What it holds.
    pub census: Census,
    /// When it was asked, since the server started.
    pub at: Duration,
    /// The patterns of its handlers, by their route.
    pub routes: Vec<Box<str>>,
    /// Messages for other shards that these have not taken yet.
    pub mesh_waiting: usize,
    /// Tasks that are not over, whoever they belong to.
    pub running: usize,
    /// How long its executor has worked since its start, the kernel's part included.
    pub busy: Duration,
    /// What it has counted since its start.
    pub totals: Totals,
    /// What its Pusher application has counted.
    pub hub: HubMeasured,
}

/// Which apps a shard is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfApps {
    /// All that it serves.
    All,
    /// Those of these ids that it serves: of very many, all are not worth telling every second.
    Of(Arc<[Box<str>]>),
}

/// What the Pusher application of one shard has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubMeasured {
    /// Of each app that was asked about.
    pub apps: Vec<AppMeasured>,
    /// Another number whenever other apps are served than before.
    pub generation: u64,
    /// Bytes of cached events.
    pub cache_bytes: usize,
}

/// What one shard has counted of one app since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppMeasured {
    /// The app.
    pub id: Box<str>,
    /// Its connections now.
    pub connected: u32,
    /// Connections that were opened.
    pub opened: u64,
    /// Of those, the ones that have ended.
    pub ended: u64,
    /// Messages of its clients.
    pub messages_read: u64,
    /// Bytes of these.
    pub bytes_read: u64,
    /// Messages for its clients.
    pub messages_sent: u64,
    /// Bytes of their frames.
    pub bytes_sent: u64,
    /// Requests that its backends have signed.
    pub calls: u64,
    /// Bytes of the bodies of these.
    pub call_bytes: u64,
    /// Bytes of the bodies of the answers.
    pub answer_bytes: u64,
    /// Channels with subscribers that have their home on the shard.
    pub channels: u32,
}

/// What one shard holds, to a server handle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Which shard.
    pub shard: u16,
    /// Its connections, whatever they speak.
    pub connections: usize,
    /// Its open WebSockets, by their route.
    pub clients: Vec<usize>,
    /// Bytes that wait to be written to its connections.
    pub waiting_bytes: usize,
    /// The tasks that its handlers have spawned and that have not ended.
    pub tasks: usize,
    /// The rows of each shared table that have their home on it.
    pub rows: Vec<(Box<str>, usize)>,
}

//! Every type that changes thread, in two enums. Each variant says what a full queue does to it.
//!
//! Between two shards there is one first-in first-out lane, so that what a home decided first
//! arrives first. Nothing that is in it is ever dropped: what does not fit into the ring waits
//! in an overflow at the sender, and publishers are held back before that grows (see `mesh`).

use crate::hub::Note;
use crate::id::{ClientId, ShardId};
use std::sync::Arc;

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
    /// Stop: from the control thread only. Its queue has room for it at all times, since
    /// nothing else goes there.
    Stop,
}

/// To the control thread. The queue is long enough for every shard to say each of these once.
#[derive(Debug)]
pub enum ToControl {
    /// The shard accepts connections.
    Started(ShardId),
    /// The shard is done, with or without an error. Said by the thread, not by the executor,
    /// so that it is said even when the executor dies.
    Ended(ShardId, Result<(), String>),
    /// A handle asks the server to stop. Full queue: the handle is told, and may ask again.
    Stop,
}

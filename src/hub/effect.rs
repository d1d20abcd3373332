//! What a hub wants done, as values.

use super::ask::Answer;
use super::index::ChannelSlot;
use super::note::Note;
use super::notice::Notice;
use crate::id::{ClientId, ShardId, SocketId, Ticket};
use crate::protocol::Code;
use crate::ws::Frame;

/// One thing to do. Effects are carried out in the order in which they stand.
#[derive(Debug)]
pub enum Effect {
    /// Put a frame into one client's outbox.
    Send {
        /// A client of this shard.
        client: ClientId,
        /// What it gets.
        frame: Frame,
    },
    /// Put a frame into the outbox of each local subscriber.
    Fanout {
        /// A channel of this shard.
        channel: ChannelSlot,
        /// What they get.
        frame: Frame,
        /// The one connection that does not get it (S13).
        except: Option<SocketId>,
    },
    /// Hand a note to a shard, which may be this one.
    Post {
        /// Where to.
        to: ShardId,
        /// What it is told.
        note: Note,
    },
    /// End a connection: error frame where the code has one, close frame, close.
    Close {
        /// A client of this shard.
        client: ClientId,
        /// Why.
        code: Code,
    },
    /// Same, with a message of its own.
    CloseBecause {
        /// A client of this shard.
        client: ClientId,
        /// Why.
        code: Code,
        /// Why, for people.
        message: &'static str,
    },
    /// Tell the app's webhooks.
    Notice(Box<Notice>),
    /// The answer to a question that was asked with this ticket.
    Answered {
        /// Who waits for it.
        ticket: Ticket,
        /// What is known.
        answer: Answer,
    },
}

//! What leaves the outboxes, and the sum of all that waits in them.
//!
//! The sum is kept, for a walk over many connections would stop the shard. Nobody but the table
//! changes an outbox.

use super::{Connection, Table, connection_mut};
use crate::id::ClientId;

/// A connection that is written to.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// It.
    pub connection: &'a mut Connection,
    /// What waits for all connections.
    all: &'a mut usize,
}

impl Outgoing<'_> {
    /// The socket has taken `count` bytes of what was gathered; `now_ms` is only asked for if they
    /// are counted.
    ///
    /// # Panics
    /// When that is more than waits.
    #[inline]
    pub fn advance(&mut self, count: usize, now_ms: impl FnOnce() -> u64) {
        self.connection.advance(count, now_ms);
        *self.all -= count;
    }
}

impl Table {
    /// The connection, to write to its socket what waits for it; nothing when it is gone.
    #[inline]
    pub fn outgoing(&mut self, client: ClientId) -> Option<Outgoing<'_>> {
        Some(Outgoing {
            connection: connection_mut(&mut self.slots, client)?,
            all: &mut self.waiting,
        })
    }

    /// Drops what has not begun to leave for a client.
    pub fn drop_unsent(&mut self, client: ClientId) {
        if let Some(connection) = connection_mut(&mut self.slots, client) {
            let before = connection.outbox.bytes();
            connection.outbox.drop_unsent();
            self.waiting -= before - connection.outbox.bytes();
        }
    }

    /// Drops everything that waits for a client, whose socket is finished.
    pub fn give_up(&mut self, client: ClientId) {
        if let Some(connection) = connection_mut(&mut self.slots, client) {
            self.waiting -= connection.give_up();
        }
    }

    /// Bytes that wait for all connections.
    #[must_use]
    pub fn waiting(&self) -> usize {
        debug_assert_eq!(
            self.waiting,
            self.iter().map(|(_, it)| it.waiting()).sum::<usize>(),
            "the sum is kept"
        );
        self.waiting
    }

    /// So many frames of so many bytes were taken.
    pub(super) fn count_taken(&mut self, taken: usize, bytes: usize) {
        self.waiting = self.waiting.wrapping_add(taken * bytes);
    }
}

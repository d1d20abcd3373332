//! What holds handlers back while other shards cannot keep up with what this one sends them.
//!
//! Nothing that is sent to another shard is dropped, so what does not fit into the ring between two
//! shards would pile up without an end. Those who cause it wait instead: a client whose callbacks
//! have sent something across is not read, a request is not answered, until the others keep up.

use super::endpoint::{Endpoint, Local};
use crate::crossing::ToShard;
use crate::id::ShardId;
use crate::net::pause_ms;

/// How long to wait at a time.
const PAUSE_MS: u64 = 1;

impl Local {
    /// Sends something of a handler's to another shard.
    pub(super) fn cross(&self, to: ShardId, message: ToShard) {
        self.crossed.set(self.crossed.get().wrapping_add(1));
        self.mesh.send(to, message);
    }

    /// How much of handlers' has been sent to other shards; to be given to [`Local::presses`].
    pub(crate) fn crossed(&self) -> u16 {
        self.crossed.get()
    }

    /// Whether something of handlers' was sent to other shards since then, and these do not keep
    /// up.
    pub(crate) fn presses(&self, crossed: u16) -> bool {
        self.crossed() != crossed && self.mesh.is_pressed()
    }

    /// Waits until other shards keep up.
    pub(crate) async fn relieved(&self) {
        while self.mesh.is_pressed() {
            pause_ms(PAUSE_MS).await;
        }
    }
}

impl Endpoint {
    /// Waits until other shards keep up with what this one sends them; mostly they do, and it is
    /// over at once.
    ///
    /// Clients and requests need not ask: while the other shards do not keep up, a client whose
    /// callbacks have sent to clients of theirs is not read, and the answer to a request that did
    /// waits. A task that sends of its own accord asks between two messages, or what it sends piles
    /// up while a shard stands still.
    pub async fn relieved(&self) {
        self.local().relieved().await;
    }
}

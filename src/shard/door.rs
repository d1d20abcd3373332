//! A shard in memory: the same tasks on whatever runtime was entered, and connections that are no
//! sockets.

use super::run::{Setup, Shard, live};
use super::serve;
use crate::handler::Router;
use crate::net::memory::{self, Peer};
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

/// Where a shard in memory is connected to.
#[derive(Clone)]
pub struct Door(Rc<Shard>);

impl Door {
    /// Connects as if from an address. Like a socket of a listener that was shut down, the
    /// connection ends at once when the shard is stopping.
    #[must_use]
    pub fn connect(&self, from: SocketAddr) -> Peer {
        let (socket, peer) = memory::connection(from);
        if !self.0.stopping.get() {
            serve::spawn(Rc::clone(&self.0), socket.into());
        }
        peer
    }

    /// Connections that have not ended.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.sockets.len()
    }

    /// Questions of other shards after room that wait for an answer.
    #[cfg(test)]
    #[must_use]
    pub fn asked_for_room(&self) -> usize {
        self.0.rooms.waiting()
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

/// Runs a shard on the runtime that was entered, until it is told to stop, and then to end. `mount`
/// mounts its handlers; `open` is called when it may be connected to, `stopped` when it has no
/// connection any more.
///
/// # Errors
/// What kept it from starting.
pub async fn run_in_memory(
    setup: Setup,
    mount: &dyn Fn(&mut Router),
    open: impl FnOnce(Door),
    stopped: impl FnOnce(),
) -> Result<(), String> {
    live(setup, mount, |shard| open(Door(Rc::clone(shard))), stopped).await
}

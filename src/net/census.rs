//! Counting a shard's connections.

use super::sockets::Sockets;
use crate::conn::Stage;
use crate::id::ClientId;

/// The connections of one shard in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// All of them, whatever they speak.
    pub connections: usize,
    /// The open WebSockets of each route; not those that are closing.
    pub clients: Vec<usize>,
    /// Bytes that wait to be written.
    pub waiting_bytes: usize,
}

impl Sockets {
    /// Whether a client is an open WebSocket of this shard.
    #[must_use]
    pub fn is_open(&self, client: ClientId) -> bool {
        let table = self.table.borrow();
        table.get(client).is_some_and(|connection| {
            connection.is_socket() && connection.life.stage() != Stage::Closing
        })
    }

    /// Counts the connections, without a look at any. There are `routes` routes.
    #[must_use]
    pub fn census(&self, routes: usize) -> Counted {
        let table = self.table.borrow();
        let clients = (0..routes).map(|route| table.of_route(route as u16).len());
        Counted {
            connections: table.len(),
            clients: clients.collect(),
            waiting_bytes: table.waiting(),
        }
    }
}

//! Counting a shard's connections.

use super::sockets::Sockets;
use crate::conn::Stage;

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
    /// Counts the connections, in one walk over the table. There are `routes` routes.
    #[must_use]
    pub fn census(&self, routes: usize) -> Counted {
        let mut counted = Counted {
            clients: vec![0; routes],
            ..Counted::default()
        };
        for (_, connection) in self.table.borrow().iter() {
            counted.connections += 1;
            counted.waiting_bytes += connection.outbox.bytes();
            if connection.life.stage() != Stage::Closing
                && let Some(route) = connection.route
                && let Some(clients) = counted.clients.get_mut(usize::from(route))
            {
                *clients += 1;
            }
        }
        counted
    }
}

//! Counting a shard's connections.

use super::sockets::Sockets;

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
        let table = self.table.borrow();
        let clients = (0..routes).map(|route| table.of_route(route as u16).len());
        let mut counted = Counted {
            clients: clients.collect(),
            ..Counted::default()
        };
        for (_, connection) in table.iter() {
            counted.connections += 1;
            counted.waiting_bytes += connection.waiting();
        }
        counted
    }
}

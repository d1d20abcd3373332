//! The clients of one mounted handler on this shard.

use super::sockets::Sockets;
use crate::id::ClientId;
use crate::ws::Frame;

impl Sockets {
    /// Puts one frame into the outbox of each client of a route but some; returns how many took
    /// it. Those whose outbox is full are closed.
    pub fn push_route(&self, route: u16, except: &[ClientId], frame: &Frame) -> usize {
        let mut full = Vec::new();
        let mut table = self.table.borrow_mut();
        let taken = table.push_route(route, except, frame, &mut full);
        drop(table);
        for client in full {
            self.drop_slow(client);
        }
        self.turn().request();
        taken
    }

    /// Whether messages of the client are for its handler.
    #[must_use]
    pub fn takes_messages(&self, client: ClientId) -> bool {
        self.table.borrow().takes_messages(client)
    }

    /// Messages of this route's clients are not for its handler any more.
    pub fn stop_route(&self, route: u16) {
        self.table.borrow_mut().stop_route(route);
    }

    /// Whether the handler of a route was told of the stop.
    #[must_use]
    pub fn is_stopped(&self, route: u16) -> bool {
        self.table.borrow().is_stopped(route)
    }

    /// The open WebSockets of a route, or of all routes; not those that are closing.
    #[must_use]
    pub fn clients(&self, route: Option<u16>) -> Vec<ClientId> {
        let table = self.table.borrow();
        match route {
            Some(route) => table.of_route(route).collect(),
            None => table.of_all_routes().collect(),
        }
    }

    /// How many open WebSockets a route has.
    #[must_use]
    pub fn count(&self, route: u16) -> usize {
        self.table.borrow().of_route(route).len()
    }
}

//! Who on other shards waits for room in the outboxes of this shard's clients.
//!
//! Invariant: at most two tasks and two wakers for each client, however many ask and give up: one
//! that waits for room and one that waits for all to leave. Each serves all who ask for the same.

use crate::crossing::{Roll, ToShard};
use crate::id::{ClientId, ShardId, Ticket};
use crate::mesh::SharedPort;
use crate::net::{self, Sockets};
use hashbrown::HashMap;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

/// What is waited for: that there is room, or that the outbox is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Mark {
    client: ClientId,
    empty: bool,
}

/// The questions after room that are not answered yet.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    /// In an order that does not depend on chance.
    askers: RefCell<HashMap<Mark, BTreeSet<(ShardId, Ticket)>>>,
}

impl Rooms {
    /// Answers once there is room in the client's outbox, or it is empty, or the client is gone.
    pub(super) fn ask(
        self: &Rc<Self>,
        (sockets, mesh): (&Rc<Sockets>, &Rc<SharedPort>),
        (client, empty): (ClientId, bool),
        asker: (ShardId, Ticket),
    ) {
        let mark = Mark { client, empty };
        if !self.join(mark, asker) {
            return; // what waits already has not looked since: it will see what was sent before
        }
        let (rooms, sockets, mesh) = (Rc::clone(self), Rc::clone(sockets), Rc::clone(mesh));
        net::spawn(async move {
            let room = match empty {
                true => sockets.all_left(client).await,
                false => sockets.ready(client).await,
            };
            for (shard, ticket) in rooms.take(mark) {
                let roll = Roll::Room(room.is_ok());
                mesh.send(shard, ToShard::Roll { ticket, roll });
            }
        });
    }

    /// Nobody waits for this answer any more. The task stays for the next who asks: without it each
    /// would leave a waker behind with a client that does not read.
    pub(super) fn give_up(&self, client: ClientId, empty: bool, asker: (ShardId, Ticket)) {
        if let Some(askers) = self.askers.borrow_mut().get_mut(&Mark { client, empty }) {
            askers.remove(&asker);
        }
    }

    /// How many wait for an answer.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.askers.borrow().values().map(BTreeSet::len).sum()
    }

    /// Says whether it is the first.
    fn join(&self, mark: Mark, asker: (ShardId, Ticket)) -> bool {
        let mut all = self.askers.borrow_mut();
        let is_first = !all.contains_key(&mark);
        all.entry(mark).or_default().insert(asker);
        is_first
    }

    fn take(&self, mark: Mark) -> BTreeSet<(ShardId, Ticket)> {
        self.askers.borrow_mut().remove(&mark).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gives_up_is_forgotten_and_who_comes_next_joins() {
        let rooms = Rooms::default();
        let mark = |empty| Mark {
            client: ClientId::new(ShardId(0), 1, 2),
            empty,
        };
        let asker = |ticket| (ShardId(1), Ticket(ticket));
        assert!(rooms.join(mark(true), asker(0)));
        for ticket in 1..=1_000 {
            assert!(!rooms.join(mark(true), asker(ticket)));
            rooms.give_up(mark(true).client, true, asker(ticket));
        }
        assert!(rooms.join(mark(false), asker(7)), "another mark");
        rooms.give_up(mark(true).client, true, asker(7)); // not among them
        assert!(!rooms.join(mark(true), (ShardId(2), Ticket(0))));
        let left = rooms.take(mark(true));
        assert_eq!(Vec::from_iter(left), [asker(0), (ShardId(2), Ticket(0))]);
        assert_eq!(Vec::from_iter(rooms.take(mark(false))), [asker(7)]);
        // Answered: what is asked next begins anew, and what comes late finds nothing.
        rooms.give_up(mark(true).client, true, asker(0));
        assert!(rooms.askers.borrow().is_empty());
        assert!(rooms.join(mark(true), asker(0)));
    }
}

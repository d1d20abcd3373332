//! The connections of one shard: a slab whose ids are never reused, and the list of those that
//! have something to write.

mod outgoing;

pub use outgoing::Outgoing;

use super::connection::Connection;
use super::life::Stage;
use crate::id::{ClientId, ShardId};
use crate::ws::Frame;
use crate::ws::deflate::{Deflate, Deflaters};
use std::collections::VecDeque;
use std::fmt;

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// The connection is closed or closing.
    Gone,
    /// Its outbox is full: it reads more slowly than it is sent to.
    Full,
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the client is gone",
            Self::Full => "the client reads too slowly",
        })
    }
}

impl std::error::Error for PushError {}

#[derive(Debug)]
struct Slot {
    /// Of the connection in it, or of the next one.
    client: ClientId,
    connection: Option<Box<Connection>>,
}

/// The place of a connection that is not among its route's clients.
const NOWHERE: u32 = u32::MAX;

/// What is known of one mounted handler's clients.
#[derive(Debug, Default)]
struct Route {
    /// The slots of those that are open and not closing, in no order.
    slots: Vec<u32>,
    /// Its handler was told of the stop: messages are not for it any more.
    stopped: bool,
}

/// The table.
#[derive(Debug)]
pub struct Table {
    shard: ShardId,
    outbox_max: usize,
    slots: Vec<Slot>,
    free: Vec<u32>,
    routes: Vec<Route>,
    /// Who has something to write since the writer last came by.
    dirty: VecDeque<ClientId>,
    /// Whom the writer had no time for, the longest waiting first.
    late: VecDeque<ClientId>,
    /// What compresses frames for those who agreed to it.
    deflaters: Deflaters,
    /// Bytes that wait for all of them: kept, for a walk over many would stop the shard.
    waiting: usize,
}

impl Table {
    /// An empty table; each outbox holds at most `outbox_max` bytes.
    #[must_use]
    pub fn new(shard: ShardId, outbox_max: usize) -> Self {
        Self {
            shard,
            outbox_max,
            slots: Vec::new(),
            free: Vec::new(),
            routes: Vec::new(),
            dirty: VecDeque::new(),
            late: VecDeque::new(),
            deflaters: Deflaters::default(),
            waiting: 0,
        }
    }

    /// From now on each outbox holds so many bytes at most.
    pub fn set_outbox_max(&mut self, outbox_max: usize) {
        self.outbox_max = outbox_max;
    }

    /// Adds a connection that was accepted just now; `None` when every slot is taken.
    pub fn insert(&mut self, now_ms: u64) -> Option<ClientId> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = u32::try_from(self.slots.len()).ok()?;
                if slot > ClientId::SLOT_MAX {
                    return None;
                }
                self.slots.push(Slot {
                    client: ClientId::new(self.shard, 0, slot),
                    connection: None,
                });
                slot
            }
        };
        let entry = &mut self.slots[slot as usize];
        entry.connection = Some(Box::new(Connection::new(now_ms, NOWHERE)));
        Some(entry.client)
    }

    /// Takes a connection out; its id is stale from then on.
    pub fn remove(&mut self, client: ClientId) {
        self.leave_route(client);
        let Some(connection) = self.get(client) else {
            return;
        };
        self.waiting -= connection.waiting();
        let entry = &mut self.slots[client.slot() as usize];
        entry.connection = None;
        // A generation past the last is the first again.
        entry.client = ClientId::new(self.shard, client.generation() + 1, client.slot());
        self.free.push(client.slot());
    }

    /// The connection, unless it is gone.
    #[must_use]
    pub fn get(&self, client: ClientId) -> Option<&Connection> {
        let slot = self.slots.get(client.slot() as usize)?;
        let current = slot.client == client;
        slot.connection.as_deref().filter(|_| current)
    }

    /// Same, to change it.
    pub fn get_mut(&mut self, client: ClientId) -> Option<&mut Connection> {
        connection_mut(&mut self.slots, client)
    }

    /// The connection is a WebSocket of `route` now.
    pub fn join_route(&mut self, client: ClientId, route: u16) {
        if self.get(client).is_none() {
            return;
        }
        let slots = &mut route_mut(&mut self.routes, route).slots;
        let place = slots.len() as u32; // no more than there are slots in all
        slots.push(client.slot());
        if let Some(connection) = self.get_mut(client) {
            (connection.route, connection.place) = (Some(route), place);
        }
    }

    /// It is closing: what goes to all clients of its route is not for it any more, what waits
    /// behind half a message never leaves, and who waits for it is told.
    pub fn leave_route(&mut self, client: ClientId) {
        let Some(connection) = connection_mut(&mut self.slots, client) else {
            return;
        };
        self.waiting -= connection.drop_behind();
        let place = std::mem::replace(&mut connection.place, NOWHERE);
        let Some(route) = connection.route.filter(|_| place != NOWHERE) else {
            return;
        };
        let slots = &mut self.routes[usize::from(route)].slots;
        slots.swap_remove(place as usize);
        if let Some(moved) = slots.get(place as usize)
            && let Some(connection) = &mut self.slots[*moved as usize].connection
        {
            connection.place = place;
        }
    }

    /// The open connections of a route, without those that are closing, in no order.
    pub fn of_route(&self, route: u16) -> impl ExactSizeIterator<Item = ClientId> {
        let slots = self.slots_of(route).iter();
        slots.map(|slot| self.client_at(*slot))
    }

    /// The open connections of all routes.
    pub fn of_all_routes(&self) -> impl Iterator<Item = ClientId> {
        let slots = self.routes.iter().flat_map(|route| route.slots.iter());
        slots.map(|slot| self.client_at(*slot))
    }

    fn slots_of(&self, route: u16) -> &[u32] {
        let route = self.routes.get(usize::from(route));
        route.map_or(&[], |route| &route.slots)
    }

    fn client_at(&self, slot: u32) -> ClientId {
        self.slots[slot as usize].client
    }

    /// Messages of this route's clients are not for its handler any more.
    pub fn stop_route(&mut self, route: u16) {
        route_mut(&mut self.routes, route).stopped = true;
    }

    /// Whether the handler of a route was told of the stop.
    #[must_use]
    pub fn is_stopped(&self, route: u16) -> bool {
        let route = self.routes.get(usize::from(route));
        route.is_some_and(|route| route.stopped)
    }

    /// Whether a message of this connection is for its handler: it is open, not closing, and the
    /// handler was not told of the stop.
    #[must_use]
    pub fn takes_messages(&self, client: ClientId) -> bool {
        self.get(client).is_some_and(|connection| {
            connection.life.stage() != Stage::Closing
                && !connection.route.is_some_and(|route| self.is_stopped(route))
        })
    }

    /// Puts a frame into the outbox of each client of a route but some; returns how many took it,
    /// and adds those whose outbox is full to `full`.
    pub fn push_route(
        &mut self,
        route: u16,
        except: &[ClientId],
        frame: &Frame,
        full: &mut Vec<ClientId>,
    ) -> usize {
        let mut taken = 0;
        for at in 0..self.slots_of(route).len() {
            let client = self.client_at(self.slots_of(route)[at]);
            if except.contains(&client) {
                continue;
            }
            match self.push_uncounted(client, frame.clone()) {
                Ok(()) => taken += 1,
                Err(PushError::Full) => full.push(client),
                Err(PushError::Gone) => {}
            }
        }
        self.count_taken(taken, frame.bytes().len());
        taken
    }

    /// Puts a frame into the outbox of each of these clients; returns how many took it, and adds
    /// those whose outbox is full to `full`.
    pub fn push_all(
        &mut self,
        clients: impl Iterator<Item = ClientId>,
        frame: &Frame,
        full: &mut Vec<ClientId>,
    ) -> usize {
        let mut taken = 0;
        for client in clients {
            match self.push_uncounted(client, frame.clone()) {
                Ok(()) => taken += 1,
                Err(PushError::Full) => full.push(client),
                Err(PushError::Gone) => {}
            }
        }
        self.count_taken(taken, frame.bytes().len());
        taken
    }

    /// Puts a frame into an outbox and remembers that there is something to write.
    ///
    /// # Errors
    /// [`PushError`]; the frame is dropped.
    pub fn push(&mut self, client: ClientId, frame: Frame) -> Result<(), PushError> {
        let bytes = frame.bytes().len();
        self.push_uncounted(client, frame)?;
        self.count_taken(1, bytes);
        Ok(())
    }

    /// Same, but for the sum of what waits: whoever sends to many adds to it once for all, and not
    /// on the way to each.
    #[inline]
    fn push_uncounted(&mut self, client: ClientId, frame: Frame) -> Result<(), PushError> {
        let connection = connection_mut(&mut self.slots, client).ok_or(PushError::Gone)?;
        if connection.life.stage() == Stage::Closing {
            return Err(PushError::Gone);
        }
        if connection.is_special {
            return self.push_rarely(client, frame);
        }
        if !connection.outbox.push_within(self.outbox_max, frame) {
            return Err(PushError::Full);
        }
        note_dirty(&mut self.dirty, client, connection);
        Ok(())
    }

    /// Same, for a connection that takes compressed messages, or to which a message leaves in
    /// pieces: then another one waits for its end, and control frames go between the pieces. Kept
    /// apart from the walk of all others.
    ///
    /// The caller adds the bytes of `frame` to the sum of what waits, whatever is made of it here:
    /// for a moment the sum may be below nothing.
    #[inline(never)]
    fn push_rarely(&mut self, client: ClientId, frame: Frame) -> Result<(), PushError> {
        let counted = frame.bytes().len();
        let profile = self.get(client).and_then(Connection::deflate);
        let frame = match profile {
            Some(profile) => self.deflaters.twin(profile, frame),
            None => frame,
        };
        let max = self.outbox_max;
        let connection = connection_mut(&mut self.slots, client).ok_or(PushError::Gone)?;
        if connection.waiting() + frame.bytes().len() > max {
            return Err(PushError::Full);
        }
        let more = frame.bytes().len();
        match connection.streams() && !frame.is_control() {
            true => connection.extra_mut().push_behind(frame),
            false => {
                connection.outbox.push(frame);
                note_dirty(&mut self.dirty, client, connection);
            }
        }
        self.waiting = self.waiting.wrapping_add(more).wrapping_sub(counted);
        Ok(())
    }

    /// A message begins to leave in pieces; false when another one does already.
    ///
    /// # Errors
    /// [`PushError::Gone`].
    pub fn begin_stream(&mut self, client: ClientId) -> Result<bool, PushError> {
        let connection = self.open_mut(client)?;
        let others = connection.streams();
        connection.set_streams(true);
        Ok(!others)
    }

    /// Puts a piece of that message into the outbox. Whoever sends it waits until there is room.
    ///
    /// # Errors
    /// [`PushError::Gone`].
    pub fn push_piece(&mut self, client: ClientId, frame: Frame) -> Result<(), PushError> {
        self.open_mut(client)?;
        self.push_last(client, frame);
        Ok(())
    }

    /// From now on a connection's messages are compressed with these settings.
    pub fn set_deflate(&mut self, client: ClientId, settings: Deflate) {
        let profile = self.deflaters.profile(settings);
        if let Some(connection) = self.get_mut(client) {
            connection.set_deflate(profile);
        }
    }

    /// Lets go of frames that were kept because more of their receivers might have come.
    pub fn forget_twins(&mut self) {
        self.deflaters.forget();
    }

    /// Same with its last piece: what has waited behind it follows.
    ///
    /// # Errors
    /// [`PushError::Gone`].
    pub fn end_stream(&mut self, client: ClientId, last: Frame) -> Result<(), PushError> {
        let connection = self.open_mut(client)?;
        connection.set_streams(false);
        let (behind, bytes) = connection.extra_mut().take_behind();
        self.waiting -= bytes;
        self.push_last(client, last);
        for frame in behind {
            self.push_last(client, frame);
        }
        Ok(())
    }

    /// The connection, unless it is gone or closing.
    fn open_mut(&mut self, client: ClientId) -> Result<&mut Connection, PushError> {
        self.get_mut(client)
            .filter(|connection| connection.life.stage() != Stage::Closing)
            .ok_or(PushError::Gone)
    }

    /// Bytes of an outbox below which it is ready for more: half of what it may hold.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.outbox_max / 2
    }

    /// Puts a frame into an outbox whatever its state: error and close frames, whose number is
    /// bounded by themselves.
    pub fn push_last(&mut self, client: ClientId, frame: Frame) {
        if let Some(connection) = connection_mut(&mut self.slots, client) {
            self.waiting += frame.bytes().len();
            connection.outbox.push(frame);
            note_dirty(&mut self.dirty, client, connection);
        }
    }

    /// Remembers that a connection needs the writer's attention.
    pub fn mark_dirty(&mut self, client: ClientId) {
        if let Some(connection) = connection_mut(&mut self.slots, client) {
            note_dirty(&mut self.dirty, client, connection);
        }
    }

    /// Takes the next connection off the dirty list; it may have gone since.
    pub fn next_dirty(&mut self) -> Option<ClientId> {
        let client = self.dirty.pop_front()?;
        self.clean(client);
        Some(client)
    }

    /// Same, of those that were put off.
    pub fn next_late(&mut self) -> Option<ClientId> {
        let client = self.late.pop_front()?;
        self.clean(client);
        Some(client)
    }

    /// Puts off whoever is still dirty, behind those that were put off before; says whether there
    /// are any.
    pub fn put_off(&mut self) -> bool {
        self.late.append(&mut self.dirty);
        !self.late.is_empty()
    }

    fn clean(&mut self, client: ClientId) {
        if let Some(connection) = self.get_mut(client) {
            connection.dirty = false;
        }
    }

    /// Every live connection.
    pub fn iter(&self) -> impl Iterator<Item = (ClientId, &Connection)> {
        self.slots.iter().filter_map(|entry| {
            let connection = entry.connection.as_deref()?;
            Some((entry.client, connection))
        })
    }

    /// How many connections there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The connection, unless it is gone. Apart from the table, whose other parts stay free meanwhile.
fn connection_mut(slots: &mut [Slot], client: ClientId) -> Option<&mut Connection> {
    let slot = slots.get_mut(client.slot() as usize)?;
    let current = slot.client == client;
    slot.connection.as_deref_mut().filter(|_| current)
}

/// Puts a connection on the dirty list, once.
fn note_dirty(dirty: &mut VecDeque<ClientId>, client: ClientId, connection: &mut Connection) {
    // A blocked one is written to when its socket takes bytes again.
    if !connection.dirty && !connection.blocked {
        connection.dirty = true;
        dirty.push_back(client);
    }
}

/// The entry of a route; mounted handlers are numbered from zero.
fn route_mut(routes: &mut Vec<Route>, route: u16) -> &mut Route {
    let at = usize::from(route);
    if routes.len() <= at {
        routes.resize_with(at + 1, Route::default);
    }
    &mut routes[at]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_are_not_reused() {
        let mut table = Table::new(ShardId(1), 100);
        let first = table.insert(0).unwrap();
        table.remove(first);
        table.remove(first);
        let second = table.insert(0).unwrap();
        assert_eq!(first.slot(), second.slot());
        assert!(table.get(first).is_none() && table.get(second).is_some());
        assert_eq!(table.push(first, Frame::ping()), Err(PushError::Gone));
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn another_shards_client_is_not_here() {
        let mut table = Table::new(ShardId(1), 100);
        let here = table.insert(0).unwrap();
        let there = ClientId::new(ShardId(0), here.generation(), here.slot());
        assert!(table.get(there).is_none());
    }

    #[test]
    fn an_outbox_is_bounded_in_bytes() {
        let mut table = Table::new(ShardId(0), 100);
        let client = table.insert(0).unwrap();
        assert_eq!(table.push(client, Frame::raw(&[0; 100])), Ok(()));
        assert_eq!(
            table.push(client, Frame::raw(&[0; 1])),
            Err(PushError::Full)
        );
        table.push_last(client, Frame::raw(&[0; 50]));
        assert_eq!(table.get(client).unwrap().outbox.bytes(), 150);
    }

    #[test]
    fn a_connection_is_dirty_once() {
        let mut table = Table::new(ShardId(0), 100);
        let client = table.insert(0).unwrap();
        table.push(client, Frame::ping()).unwrap();
        table.push(client, Frame::ping()).unwrap();
        assert_eq!(table.next_dirty(), Some(client));
        assert_eq!(table.next_dirty(), None);
        table.push(client, Frame::ping()).unwrap();
        assert_eq!(table.next_dirty(), Some(client), "it was looked at before");
        table.get_mut(client).unwrap().blocked = true;
        table.push(client, Frame::ping()).unwrap();
        assert_eq!(table.next_dirty(), None);
    }

    #[test]
    fn who_was_put_off_keeps_its_place_and_is_dirty_once() {
        let mut table = Table::new(ShardId(0), 100);
        let [a, b, c] = [(); 3].map(|()| table.insert(0).unwrap());
        let push = |table: &mut Table, client| table.push(client, Frame::ping()).unwrap();
        push(&mut table, c);
        push(&mut table, a);
        assert!(table.put_off());
        push(&mut table, a);
        push(&mut table, b);
        assert_eq!(table.next_dirty(), Some(b), "`a` waits in the other list");
        assert!(table.put_off());
        table.remove(c);
        push(&mut table, b);
        assert!(table.put_off());
        let order = [c, a, b].map(Some);
        assert_eq!([(); 3].map(|()| table.next_late()), order);
        assert!(!table.put_off());
    }

    /// A table with a crowd, every other one of which takes compressed messages.
    fn mixed_crowd(table: &mut Table) -> Vec<ClientId> {
        let clients: Vec<_> = (0..10).map(|_| table.insert(0).unwrap()).collect();
        for (number, client) in clients.iter().enumerate().step_by(2) {
            let window_bits = if number < 4 { 15 } else { 10 };
            let settings = Deflate {
                window_bits,
                ..Deflate::default()
            };
            table.set_deflate(*client, settings);
        }
        clients
    }

    #[test]
    fn a_broadcast_is_compressed_once_for_each_window() {
        let mut table = Table::new(ShardId(0), 10_000);
        let clients = mixed_crowd(&mut table);
        let frame = Frame::text(&b"one two ".repeat(1000));
        for client in &clients {
            table.push(*client, frame.clone()).unwrap();
        }
        let sent = |number: usize| table.get(clients[number]).unwrap().outbox.lone().as_ptr();
        for plain in [1, 3, 5, 7, 9] {
            assert_eq!(sent(plain), frame.bytes().as_ptr(), "{plain}");
        }
        let (wide, narrow) = (sent(0), sent(4));
        assert_eq!([sent(2), sent(6), sent(8)], [wide, narrow, narrow]);
        assert_ne!(wide, narrow);
        for client in [0, 4] {
            let outbox = &table.get(clients[client]).unwrap().outbox;
            assert_eq!(outbox.lone()[0], 0xc1);
            assert!(outbox.bytes() < 200, "what waits is what was made of it");
        }
        table.forget_twins();
        table.push(clients[0], frame).unwrap();
        let outbox = &table.get(clients[0]).unwrap().outbox;
        let mut both = Vec::new();
        outbox.join(&mut both);
        let (first, second) = both.split_at(both.len() / 2);
        assert_eq!(first, second, "no message needs another");
    }

    #[test]
    fn an_outbox_is_bounded_by_what_is_sent() {
        let mut table = Table::new(ShardId(0), 100);
        let clients = mixed_crowd(&mut table);
        let frame = Frame::text(&[b'x'; 5000]);
        assert_eq!(table.push(clients[0], frame.clone()), Ok(()));
        assert_eq!(table.push(clients[1], frame.clone()), Err(PushError::Full));
        let mut taken = 1;
        while table.push(clients[0], frame.clone()).is_ok() {
            taken += 1;
        }
        let bytes = table.get(clients[0]).unwrap().outbox.bytes();
        let each = bytes / taken;
        assert!(bytes <= 100 && bytes + each > 100, "{bytes} of {each} each");
    }

    #[test]
    fn control_frames_and_last_words_go_as_they_are() {
        let mut table = Table::new(ShardId(0), 10_000);
        let clients = mixed_crowd(&mut table);
        let pong = Frame::pong(&[7; 125]);
        table.push(clients[0], pong.clone()).unwrap();
        let mut sent = Vec::new();
        table.get(clients[0]).unwrap().outbox.join(&mut sent);
        assert_eq!(sent, pong.bytes());
        let answer = Frame::text(&[b'x'; 5000]);
        table.push_last(clients[2], answer.clone());
        let outbox = &table.get(clients[2]).unwrap().outbox;
        assert_eq!(outbox.lone(), answer.bytes());
    }

    #[test]
    fn a_route_knows_its_own_clients_whoever_leaves() {
        let mut table = Table::new(ShardId(0), 100);
        let [a, b, c, other] = [(); 4].map(|()| table.insert(0).unwrap());
        for client in [a, b, c] {
            table.join_route(client, 1);
        }
        table.join_route(other, 0);
        let of = |table: &Table, route| table.of_route(route).collect::<Vec<_>>();
        assert_eq!(of(&table, 1), [a, b, c]);
        assert_eq!(table.of_all_routes().count(), 4);
        table.leave_route(a);
        table.leave_route(a); // closing, then gone
        assert_eq!(of(&table, 1), [c, b]);
        table.remove(c);
        table.remove(a);
        assert_eq!((of(&table, 1), of(&table, 0)), (vec![b], vec![other]));
        table.join_route(a, 1); // it is gone
        assert_eq!((of(&table, 1), of(&table, 9)), (vec![b], vec![]));
        let heir = table.insert(0).unwrap();
        table.join_route(heir, 1); // in a slot that another one had
        assert_eq!(of(&table, 1), [b, heir]);
        table.remove(b);
        assert_eq!(of(&table, 1), [heir]);
    }

    #[test]
    fn a_broadcast_goes_to_its_route_and_finds_the_full() {
        let mut table = Table::new(ShardId(0), 10);
        let [a, b, c, other] = [(); 4].map(|()| table.insert(0).unwrap());
        for client in [a, b, c] {
            table.join_route(client, 1);
        }
        table.join_route(other, 0);
        table.push(b, Frame::raw(&[0; 10])).unwrap();
        let mut full = Vec::new();
        assert_eq!(table.push_route(1, &[a], &Frame::ping(), &mut full), 1);
        assert_eq!(full, [b]);
        let waiting = [a, b, c, other].map(|it| table.get(it).unwrap().outbox.bytes());
        assert_eq!(waiting, [0, 10, 2, 0]);
    }

    #[test]
    fn messages_end_with_the_close_or_with_the_handler() {
        let mut table = Table::new(ShardId(0), 100);
        let [a, b, c] = [(); 3].map(|()| table.insert(0).unwrap());
        table.join_route(a, 0);
        table.join_route(b, 1);
        table.join_route(c, 1);
        table.get_mut(b).unwrap().life.enter(Stage::Closing, 0);
        assert_eq!(
            [a, b, c].map(|it| table.takes_messages(it)),
            [true, false, true]
        );
        table.stop_route(1);
        assert_eq!(
            [a, b, c].map(|it| table.takes_messages(it)),
            [true, false, false]
        );
        assert_eq!(
            [0, 1, 2].map(|route| table.is_stopped(route)),
            [false, true, false]
        );
    }

    #[test]
    fn others_wait_behind_a_message_that_leaves_in_pieces() {
        let mut table = Table::new(ShardId(0), 100);
        let client = table.insert(0).unwrap();
        let sent = |table: &Table| {
            let mut bytes = Vec::new();
            table.get(client).unwrap().outbox.join(&mut bytes);
            bytes
        };
        assert_eq!(table.begin_stream(client), Ok(true));
        assert_eq!(table.begin_stream(client), Ok(false));
        table.push_piece(client, Frame::raw(b"\x01\x01a")).unwrap();
        table.push(client, Frame::text(b"b")).unwrap();
        table.push(client, Frame::ping()).unwrap();
        table.push(client, Frame::text(b"c")).unwrap();
        assert_eq!(sent(&table), b"\x01\x01a\x89\0");
        assert_eq!(table.get(client).unwrap().waiting(), 11);
        // What waits counts.
        assert_eq!(
            table.push(client, Frame::text(&[b'd'; 88])),
            Err(PushError::Full)
        );
        assert_eq!(table.push(client, Frame::text(&[b'd'; 87])), Ok(()));
        assert_eq!(table.push(client, Frame::ping()), Err(PushError::Full));
        table.end_stream(client, Frame::raw(b"\x80\0")).unwrap();
        assert_eq!(
            sent(&table)[..13],
            *b"\x01\x01a\x89\0\x80\0\x81\x01b\x81\x01c"
        );
        assert_eq!(table.get(client).unwrap().outbox.bytes(), 102);
        assert_eq!(table.begin_stream(client), Ok(true));
        table.push(client, Frame::ping()).unwrap_err();
        table.outgoing(client).unwrap().advance(102, || 0);
        table.push(client, Frame::text(b"never")).unwrap();
        table.get_mut(client).unwrap().life.enter(Stage::Closing, 0);
        table.leave_route(client);
        assert_eq!(table.get(client).unwrap().waiting(), 0);
        let gone = Err(PushError::Gone);
        assert_eq!(table.end_stream(client, Frame::raw(b"")), gone);
        assert_eq!(table.push_piece(client, Frame::raw(b"")), gone);
        assert_eq!(table.begin_stream(client), Err(PushError::Gone));
    }

    /// What can be done to one of a few clients.
    #[derive(Clone, Debug)]
    enum Step {
        Insert,
        Remove,
        Push(usize),
        PushAll(usize),
        PushLast(usize),
        BeginStream,
        EndStream,
        Advance(usize),
        DropUnsent,
        GiveUp,
        Close,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => Just(Step::Insert),
            1 => Just(Step::Remove),
            4 => (0..60usize).prop_map(Step::Push),
            2 => (0..60usize).prop_map(Step::PushAll),
            2 => (0..60usize).prop_map(Step::PushLast),
            2 => Just(Step::BeginStream),
            2 => Just(Step::EndStream),
            4 => (0..100usize).prop_map(Step::Advance),
            1 => Just(Step::DropUnsent),
            1 => Just(Step::GiveUp),
            1 => Just(Step::Close),
        ]
    }

    proptest! {
        #[test]
        fn the_sum_of_what_waits_is_that_of_a_walk(
            steps in prop::collection::vec((0..3usize, step()), 0..80),
        ) {
            let mut table = Table::new(ShardId(0), 200);
            let mut clients = [(); 3].map(|()| table.insert(0).unwrap());
            table.set_deflate(clients[0], Deflate::default());
            clients.iter().for_each(|client| table.join_route(*client, 0));
            for (at, step) in steps {
                let client = clients[at];
                match step {
                    Step::Insert if table.get(client).is_some() => {}
                    Step::Insert => clients[at] = table.insert(0).unwrap(),
                    Step::Remove => table.remove(client),
                    Step::Push(size) => {
                        let _ = table.push(client, Frame::text(&vec![b'x'; size]));
                    }
                    Step::PushAll(size) => {
                        let (frame, mut full) = (Frame::text(&vec![b'x'; size]), Vec::new());
                        table.push_all(clients.into_iter(), &frame, &mut full);
                        table.push_route(0, &[client], &frame, &mut full);
                    }
                    Step::PushLast(size) => table.push_last(client, Frame::raw(&vec![0; size + 1])),
                    Step::BeginStream => {
                        let _ = table.begin_stream(client);
                    }
                    Step::EndStream => {
                        let _ = table.end_stream(client, Frame::raw(b"\x80\0"));
                    }
                    Step::Advance(count) => {
                        if let Some(mut outgoing) = table.outgoing(client) {
                            let most = outgoing.connection.outbox.bytes();
                            outgoing.advance(count.min(most), || 0);
                        }
                    }
                    Step::DropUnsent => table.drop_unsent(client),
                    Step::GiveUp => table.give_up(client),
                    Step::Close => {
                        if let Some(connection) = table.get_mut(client) {
                            connection.life.enter(Stage::Closing, 0);
                        }
                        table.leave_route(client);
                    }
                }
                let walk: usize = table.iter().map(|(_, it)| it.waiting()).sum();
                prop_assert_eq!(table.waiting, walk);
            }
        }
    }

    #[test]
    fn a_closing_connection_takes_nothing_more() {
        let mut table = Table::new(ShardId(0), 100);
        let client = table.insert(0).unwrap();
        table.get_mut(client).unwrap().life.enter(Stage::Closing, 0);
        assert_eq!(table.push(client, Frame::ping()), Err(PushError::Gone));
    }
}

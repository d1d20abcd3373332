//! The connections of one shard: a slab whose ids are never reused, and the list of those that
//! have something to write.

use super::life::{Life, Stage};
use super::outbox::Outbox;
use crate::id::{ClientId, ShardId};
use crate::ws::Frame;
use crate::ws::deflate::{Deflate, Deflaters, Profile};
use std::collections::VecDeque;
use std::fmt;
use std::task::{Context, Poll, Waker};

/// One connection.
#[derive(Debug)]
pub struct Connection {
    /// What waits to be written.
    pub outbox: Outbox,
    /// Its deadlines.
    pub life: Life,
    /// Which handler it belongs to, once it is a WebSocket.
    pub route: Option<u16>,
    /// Whether it understands Pusher's error frames, which then go in front of closes.
    pub is_pusher: bool,
    /// The code of our close frame, unless the peer's came first.
    pub close_code: Option<u16>,
    /// End the sending side when the outbox is empty.
    pub end_when_sent: bool,
    /// A write did not go through; a task of its own goes on with it.
    pub blocked: bool,
    /// How its messages are compressed, if it agreed to that.
    deflate: Option<Profile>,
    /// Woken when the outbox is empty.
    drained: Option<Waker>,
    dirty: bool,
}

// Held for every connection (docs/memory.md).
const _: () = assert!(size_of::<Connection>() <= 136);

impl Connection {
    /// Ready when nothing waits to be written.
    pub fn poll_drained(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.outbox.is_empty() {
            return Poll::Ready(());
        }
        self.drained = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Tells who waits for it that the outbox is empty.
    pub fn wake_drained(&mut self) {
        if let Some(waker) = self.drained.take() {
            waker.wake();
        }
    }

    /// Whether something happens when the outbox is empty.
    #[must_use]
    pub fn waits_for_empty(&self) -> bool {
        self.end_when_sent || self.drained.is_some()
    }

    /// Drops everything that waits: the socket is finished.
    pub fn give_up(&mut self) {
        self.outbox = Outbox::default();
        self.wake_drained();
    }
}

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// The connection is closed or closing.
    Gone,
    /// Its outbox is full; the caller closes it with 4100.
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
    generation: u32,
    connection: Option<Box<Connection>>,
}

/// The table.
#[derive(Debug)]
pub struct Table {
    shard: ShardId,
    outbox_max: usize,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Who has something to write since the writer last came by.
    dirty: VecDeque<ClientId>,
    /// Whom the writer had no time for, the longest waiting first.
    late: VecDeque<ClientId>,
    /// What compresses frames for those who agreed to it.
    deflaters: Deflaters,
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
            dirty: VecDeque::new(),
            late: VecDeque::new(),
            deflaters: Deflaters::default(),
        }
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
                    generation: 0,
                    connection: None,
                });
                slot
            }
        };
        let entry = &mut self.slots[slot as usize];
        entry.connection = Some(Box::new(Connection {
            outbox: Outbox::default(),
            life: Life::new(now_ms),
            route: None,
            is_pusher: false,
            close_code: None,
            end_when_sent: false,
            blocked: false,
            deflate: None,
            drained: None,
            dirty: false,
        }));
        Some(ClientId::new(self.shard, entry.generation, slot))
    }

    /// Takes a connection out; its id is stale from then on.
    pub fn remove(&mut self, client: ClientId) {
        if self.get(client).is_none() {
            return;
        }
        let entry = &mut self.slots[client.slot() as usize];
        entry.connection = None;
        entry.generation = entry.generation.wrapping_add(1) & ClientId::generation_mask();
        self.free.push(client.slot());
    }

    /// The connection, unless it is gone.
    #[must_use]
    pub fn get(&self, client: ClientId) -> Option<&Connection> {
        let slot = self.slots.get(client.slot() as usize)?;
        let current = slot.generation == client.generation() && client.shard() == self.shard;
        slot.connection.as_deref().filter(|_| current)
    }

    /// Same, to change it.
    pub fn get_mut(&mut self, client: ClientId) -> Option<&mut Connection> {
        let slot = self.slots.get_mut(client.slot() as usize)?;
        let current = slot.generation == client.generation() && client.shard() == self.shard;
        slot.connection.as_deref_mut().filter(|_| current)
    }

    /// Puts a frame into an outbox and remembers that there is something to write.
    ///
    /// # Errors
    /// [`PushError`]; the frame is dropped.
    pub fn push(&mut self, client: ClientId, frame: Frame) -> Result<(), PushError> {
        let max = self.outbox_max;
        let connection = self.get_mut(client).ok_or(PushError::Gone)?;
        if connection.life.stage() == Stage::Closing {
            return Err(PushError::Gone);
        }
        if let Some(profile) = connection.deflate {
            return self.push_deflated(client, profile, frame);
        }
        if connection.outbox.bytes() + frame.bytes().len() > max {
            return Err(PushError::Full);
        }
        self.push_last(client, frame);
        Ok(())
    }

    /// Same, for a connection that takes compressed messages; kept apart from the walk of those
    /// that do not.
    #[inline(never)]
    fn push_deflated(
        &mut self,
        client: ClientId,
        profile: Profile,
        frame: Frame,
    ) -> Result<(), PushError> {
        let frame = self.deflaters.twin(profile, frame);
        let max = self.outbox_max;
        let connection = self.get_mut(client).ok_or(PushError::Gone)?;
        if connection.outbox.bytes() + frame.bytes().len() > max {
            return Err(PushError::Full);
        }
        self.push_last(client, frame);
        Ok(())
    }

    /// From now on a connection's messages are compressed with these settings.
    pub fn set_deflate(&mut self, client: ClientId, settings: Deflate) {
        let profile = self.deflaters.profile(settings);
        if let Some(connection) = self.get_mut(client) {
            connection.deflate = profile;
        }
    }

    /// Lets go of frames that were kept because more of their receivers might have come.
    pub fn forget_twins(&mut self) {
        self.deflaters.forget();
    }

    /// Puts a frame into an outbox whatever its state: error and close frames, whose number is
    /// bounded by themselves.
    pub fn push_last(&mut self, client: ClientId, frame: Frame) {
        let Some(connection) = self.get_mut(client) else {
            return;
        };
        connection.outbox.push(frame);
        self.mark_dirty(client);
    }

    /// Remembers that a connection needs the writer's attention.
    pub fn mark_dirty(&mut self, client: ClientId) {
        let Some(connection) = self.get_mut(client) else {
            return;
        };
        // A blocked one is written to when its socket takes bytes again.
        if !connection.dirty && !connection.blocked {
            connection.dirty = true;
            self.dirty.push_back(client);
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
        self.slots.iter().enumerate().filter_map(|(slot, entry)| {
            let client = ClientId::new(self.shard, entry.generation, slot as u32);
            entry
                .connection
                .as_deref()
                .map(|connection| (client, connection))
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_closing_connection_takes_nothing_more() {
        let mut table = Table::new(ShardId(0), 100);
        let client = table.insert(0).unwrap();
        table.get_mut(client).unwrap().life.enter(Stage::Closing, 0);
        assert_eq!(table.push(client, Frame::ping()), Err(PushError::Gone));
    }
}

//! A shard's sockets and the connection table above them, for all tasks of the shard.

use super::clock::Clock;
use super::outflow::Flow;
use super::pool::Pool;
use super::reader::Reader;
use super::stream::Stream;
use super::unfinished::Unfinished;
use super::writer::Writer;
use crate::conn::{Connection, PushError, Stage, Table, Timing, Turn};
use crate::crossing::admission::Admission;
use crate::crossing::pulse::Pulse;
use crate::id::{ClientId, ShardId};
use crate::limits::window::Window;
use crate::metrics::{Count, Counters};
use crate::protocol::{Code, event};
use crate::timer::Wheel;
use crate::ws::deflate::{Deflate, Inflater};
use crate::ws::{Frame, Frames};
use hashbrown::HashMap;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

/// What the sockets of a shard are bound by.
#[derive(Clone, Copy, Debug)]
pub struct SocketOptions {
    /// Bytes that may wait for one connection; past them it is closed, with 4100 as a Pusher
    /// client and with 1013 as another, unless who sends can be told.
    pub outbox_bytes: usize,
    /// How long each stage of a connection's life may last.
    pub timing: Timing,
    /// Write to many sockets in one system call, where the kernel can do that.
    pub send_ring: bool,
    /// Pings of one client in a second, if they are bounded.
    pub control_frames: Option<u32>,
}

/// The close code for a slow reader that is no Pusher client.
const TRY_AGAIN_LATER: u16 = 1013;

/// Everything the tasks of a shard need to talk to its clients.
#[derive(Debug)]
pub struct Sockets {
    pub(super) table: RefCell<Table>,
    pub(super) streams: RefCell<Vec<Option<Rc<Stream>>>>,
    pub(super) wheel: RefCell<Wheel<ClientId>>,
    pool: Rc<Pool>,
    frames: Rc<Frames>,
    turn: Rc<Turn>,
    clock: Clock,
    pub(super) timing: Cell<Timing>,
    pub(super) control_frames: Cell<Option<u32>>,
    pub(super) writer: RefCell<Writer>,
    inflater: Rc<Inflater>,
    /// The clients whose answers are being made just now.
    pub(super) flows: RefCell<HashMap<ClientId, Flow>>,
    pub(super) stopping: Cell<bool>,
    pulse: Arc<Pulse>,
    counters: Counters,
    shard: ShardId,
    admission: Arc<Admission>,
    /// Connections that are not let in, or not yet.
    outside: Cell<usize>,
    /// Pings of each client in this second.
    pub(super) controls: RefCell<Window<ClientId>>,
    /// Pusher clients that are closed because they do not read or do not answer, and with what.
    given_up: RefCell<Vec<(ClientId, Code)>>,
    /// Messages and bodies that have begun to arrive.
    pub(super) unfinished: RefCell<Unfinished>,
    /// Whose read waited last, unless one has brought something since.
    pub(super) waiting_read: Cell<Option<ClientId>>,
}

impl Sockets {
    /// No sockets yet.
    #[must_use]
    pub fn new(
        shard: ShardId,
        options: SocketOptions,
        clock: Clock,
        turn: Rc<Turn>,
        pulse: Arc<Pulse>,
        admission: Arc<Admission>,
    ) -> Self {
        Self {
            table: RefCell::new(Table::new(shard, options.outbox_bytes)),
            streams: RefCell::default(),
            wheel: RefCell::new(Wheel::new(clock.now_ms())),
            pool: Rc::default(),
            frames: Rc::default(),
            turn,
            clock,
            timing: Cell::new(options.timing),
            control_frames: Cell::new(options.control_frames),
            writer: RefCell::new(Writer::new(options.send_ring)),
            inflater: Rc::default(),
            flows: RefCell::default(),
            stopping: Cell::new(false),
            pulse,
            counters: Counters::default(),
            shard,
            admission,
            outside: Cell::default(),
            controls: RefCell::new(Window::new(1000)),
            given_up: RefCell::default(),
            unfinished: RefCell::default(),
            waiting_read: Cell::new(None),
        }
    }

    /// What the shard runs is told here.
    #[must_use]
    pub fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// What is counted of the shard.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Whether one more connection may come in.
    #[must_use]
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// So many connections are accepted but not let in, or not yet: they count like others.
    pub fn set_outside(&self, connections: usize) {
        self.outside.set(connections);
        self.tell_number();
    }

    fn tell_number(&self) {
        let number = self.len() + self.outside.get();
        self.admission.set(self.shard, number);
    }

    /// The shard's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn turn(&self) -> &Turn {
        &self.turn
    }

    /// Where frames for one client are made without an allocation.
    #[must_use]
    pub fn frames(&self) -> &Rc<Frames> {
        &self.frames
    }

    /// Takes over an accepted connection; `None` when the table is full.
    pub fn insert(self: &Rc<Self>, stream: Stream) -> Option<(Reader, Option<SocketAddr>)> {
        let now_ms = self.clock.now_ms();
        let peer = stream.peer_addr();
        let client = self.table.borrow_mut().insert(now_ms)?;
        if stream.is_tls() {
            self.enter(client, Stage::Agreeing);
        }
        let stream = Rc::new(stream);
        let mut streams = self.streams.borrow_mut();
        let slot = client.slot() as usize;
        if streams.len() <= slot {
            streams.resize_with(slot + 1, || None);
        }
        streams[slot] = Some(Rc::clone(&stream));
        drop(streams);
        self.counters.one(Count::Accepted);
        self.tell_number();
        self.arm(client);
        Some((Reader::new(client, stream, Rc::clone(self)), peer))
    }

    /// A reader of the client's socket, unless it is gone.
    #[must_use]
    pub fn reader(self: &Rc<Self>, client: ClientId) -> Option<Reader> {
        let stream = self.stream(client)?;
        Some(Reader::new(client, stream, Rc::clone(self)))
    }

    /// Lets go of a connection; its socket closes when its reader is dropped too.
    pub fn remove(&self, client: ClientId) {
        let known = self.table.borrow().get(client).is_some();
        if known {
            let stream = self.streams.borrow_mut()[client.slot() as usize].take();
            stream.inspect(|stream| stream.say_end());
            self.table.borrow_mut().remove(client);
            self.unfinished.borrow_mut().forget(client);
            self.counters.one(Count::Ended);
            self.tell_number();
        }
    }

    /// Puts a frame into a client's outbox; it leaves at the end of this turn.
    ///
    /// # Errors
    /// [`PushError`]. A client whose outbox is full is closed: it does not read.
    pub fn push(&self, client: ClientId, frame: Frame) -> Result<(), PushError> {
        let outcome = self.table.borrow_mut().push(client, frame);
        if outcome == Err(PushError::Full) {
            self.drop_slow(client);
        }
        self.turn.request();
        outcome
    }

    /// Puts an HTTP answer of any length into a client's outbox: it was asked for, and the next
    /// request is not read before most of it has left.
    ///
    /// # Errors
    /// [`PushError::Gone`].
    pub fn answer(&self, client: ClientId, bytes: Frame) -> Result<(), PushError> {
        let mut table = self.table.borrow_mut();
        match table.get(client) {
            Some(connection) if connection.life.stage() != Stage::Closing => {}
            _ => return Err(PushError::Gone),
        }
        table.push_last(client, bytes);
        drop(table);
        self.turn.request();
        Ok(())
    }

    /// Puts one frame into many outboxes; returns how many took it.
    pub fn push_all(&self, clients: impl Iterator<Item = ClientId>, frame: &Frame) -> usize {
        let mut full = Vec::new();
        let mut table = self.table.borrow_mut();
        let taken = table.push_all(clients, frame, &mut full);
        drop(table);
        for client in full {
            self.drop_slow(client);
        }
        self.turn.request();
        taken
    }

    /// Begins a WebSocket close: the close frame, nothing after it, and a deadline.
    pub fn close(&self, client: ClientId, code: u16, reason: &str) {
        self.last_frame(client, Some(code), Frame::close(code, reason));
    }

    /// Answers the peer's close frame, whose code is `None` when it gave none.
    pub fn answer_close(&self, client: ClientId, code: Option<u16>) {
        let answer = code.map_or_else(Frame::close_empty, |code| Frame::close(code, ""));
        self.last_frame(client, None, answer);
    }

    fn last_frame(&self, client: ClientId, ours: Option<u16>, frame: Frame) {
        let mut table = self.table.borrow_mut();
        let Some(connection) = table.get_mut(client) else {
            return;
        };
        if connection.life.stage() != Stage::Closing {
            connection.life.enter(Stage::Closing, self.clock.now_ms());
            connection.close_code = ours;
            table.leave_route(client);
            table.push_last(client, frame);
        }
        drop(table);
        self.arm(client);
        self.turn.request();
    }

    /// Begins a close with a code of ours: its error frame for a Pusher client, where the code
    /// has one, then the close.
    pub fn close_with(&self, client: ClientId, code: Code) {
        self.close_because(client, code, code.message());
    }

    /// Same, with a message that says more than the code's own.
    pub fn close_because(&self, client: ClientId, code: Code, message: &str) {
        let mut table = self.table.borrow_mut();
        let is_told = |c: &Connection| c.is_pusher && c.life.stage() != Stage::Closing;
        if code.has_error_frame() && table.get(client).is_some_and(is_told) {
            let mut text = Vec::new();
            event::error(Some(code), message, None, &mut text);
            table.push_last(client, Frame::text(&text));
        }
        drop(table);
        self.close(client, code.number(), message);
    }

    /// The code of our close frame, unless the peer's came first.
    #[must_use]
    pub fn close_code(&self, client: ClientId) -> Option<u16> {
        self.table.borrow().get(client)?.close_code
    }

    /// The client understands Pusher's error frames.
    pub fn set_pusher(&self, client: ClientId) {
        if let Some(connection) = self.table.borrow_mut().get_mut(client) {
            connection.is_pusher = true;
        }
    }

    /// The client takes messages compressed with these settings.
    pub fn set_deflate(&self, client: ClientId, settings: Deflate) {
        self.table.borrow_mut().set_deflate(client, settings);
    }

    /// Inflates what clients of this shard send compressed.
    #[must_use]
    pub fn inflater(&self) -> Rc<Inflater> {
        Rc::clone(&self.inflater)
    }

    /// Ends the sending side once everything is sent, and gives the peer a deadline to end its
    /// own.
    pub fn end(&self, client: ClientId) {
        let mut table = self.table.borrow_mut();
        let Some(connection) = table.get_mut(client) else {
            return;
        };
        connection.end_when_sent = true;
        connection.life.enter(Stage::Closing, self.clock.now_ms());
        table.leave_route(client);
        table.mark_dirty(client);
        drop(table);
        self.arm(client);
        self.turn.request();
    }

    /// The client enters a stage of its life.
    pub fn enter(&self, client: ClientId, stage: Stage) {
        let now_ms = self.clock.now_ms();
        if let Some(connection) = self.table.borrow_mut().get_mut(client) {
            connection.life.enter(stage, now_ms);
        }
        self.arm(client);
    }

    /// The client is a WebSocket of `route` now.
    pub fn open(&self, client: ClientId, route: u16) {
        if !self.is_closing(client) {
            self.table.borrow_mut().join_route(client, route);
        }
        self.enter(client, Stage::Open);
    }

    /// Sets after how much silence the client is pinged.
    pub fn set_idle(&self, client: ClientId, idle_ms: u64) {
        if let Some(connection) = self.table.borrow_mut().get_mut(client) {
            connection.life.set_idle(idle_ms);
        }
        self.arm(client);
    }

    /// Milliseconds that a whole body may take.
    pub(crate) fn body_ms(&self) -> u64 {
        self.timing.get().body_ms
    }

    /// Whether the client is closing, or gone.
    #[must_use]
    pub fn is_closing(&self, client: ClientId) -> bool {
        let table = self.table.borrow();
        table
            .get(client)
            .is_none_or(|connection| connection.life.stage() == Stage::Closing)
    }

    /// Live connections, whatever they speak.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.borrow().len()
    }

    /// Whether there is no connection.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends the connections that wait for a request.
    pub fn end_idle_requests(&self) {
        let table = self.table.borrow();
        let idle = |stage| matches!(stage, Stage::KeepAlive | Stage::Head | Stage::Agreeing);
        let found = table.iter().filter(|(_, c)| idle(c.life.stage()));
        let clients: Vec<_> = found
            .map(|(client, c)| (client, c.outbox().is_empty()))
            .collect();
        drop(table);
        for (client, has_its_answer) in clients {
            match has_its_answer {
                true => self.abort(client),
                false => self.end(client),
            }
        }
    }

    /// Ends every connection at once, without a word.
    pub fn shutdown_all(&self) {
        for client in self.flowing() {
            self.abort(client);
        }
        for stream in self.streams.borrow().iter().flatten() {
            stream.shutdown();
        }
    }

    /// Ends a connection at once; its reader sees the end of the stream.
    pub fn abort(&self, client: ClientId) {
        let now_ms = self.clock.now_ms();
        let mut table = self.table.borrow_mut();
        if let Some(connection) = table.get_mut(client) {
            connection.life.enter(Stage::Closing, now_ms);
        }
        table.give_up(client);
        table.leave_route(client);
        drop(table);
        let ends_body = self.lose_flow(client);
        if let Some(stream) = self.stream(client) {
            if ends_body && let Err(error) = stream.reset() {
                tracing::debug!(?client, %error, "a connection could not be reset");
            }
            stream.shutdown();
        }
    }

    /// So many bytes came in.
    pub(super) fn heard(&self, client: ClientId, count: usize) {
        let now_ms = self.clock.now_ms();
        self.counters.add(Count::BytesRead, count as u64);
        if let Some(connection) = self.table.borrow_mut().get_mut(client) {
            connection.life.heard(now_ms);
            connection.read(count, now_ms);
        }
    }

    pub(super) fn pool(&self) -> &Rc<Pool> {
        &self.pool
    }

    pub(super) fn stream(&self, client: ClientId) -> Option<Rc<Stream>> {
        self.table.borrow().get(client)?;
        self.streams.borrow().get(client.slot() as usize)?.clone()
    }

    /// A reader that cannot keep up.
    pub(super) fn drop_slow(&self, client: ClientId) {
        tracing::debug!(?client, "outbox full: closing a slow reader");
        self.drop_reader(client, Count::Slow);
    }

    /// Closes a Pusher client that will not answer the close, as it seems: its subscriptions need
    /// not last until its time for that is up.
    pub(super) fn give_up(&self, client: ClientId, code: Code) {
        self.close_with(client, code);
        self.given_up.borrow_mut().push((client, code));
    }

    /// Some of the clients that were given up; the rest is for the next turn.
    pub(crate) fn take_given_up(&self, most: usize) -> Vec<(ClientId, Code)> {
        let mut given_up = self.given_up.borrow_mut();
        let kept = given_up.len().saturating_sub(most);
        if kept > 0 {
            self.turn.request();
        }
        given_up.split_off(kept)
    }

    /// What has not begun to leave is dropped, and the client is told to come back after a pause.
    pub(super) fn drop_reader(&self, client: ClientId, why: Count) {
        let mut table = self.table.borrow_mut();
        let is_pusher = match table.get(client) {
            // What it is told last is on its way.
            Some(connection) if connection.life.stage() == Stage::Closing => return,
            Some(connection) => connection.is_pusher,
            None => return,
        };
        table.drop_unsent(client);
        drop(table);
        self.counters.one(why);
        match is_pusher {
            true => self.give_up(client, Code::OverCapacity),
            // Clients of other protocols know what RFC 6455 registers (W20 is not about them).
            false => self.close(client, TRY_AGAIN_LATER, "The client reads too slowly"),
        }
    }
}

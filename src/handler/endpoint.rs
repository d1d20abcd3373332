//! The sending side of a mounted handler: its clients, on this shard and on others.

use super::incoming::MessageKind;
use super::outgoing::{Outgoing, StreamError};
use super::payload::{Payload, Prepared};
use super::server_handle::ServerHandle;
use super::table::{Forgets, Tables};
use super::task::Spawned;
use super::tickets::Tickets;
use crate::conn::{PushError as SendError, Turn, Vitals};
use crate::control::Worker;
use crate::crossing::admission::Level;
use crate::crossing::pulse::Pulse;
use crate::crossing::{Roll, ToShard};
use crate::hub::Note;
use crate::id::{ClientId, ShardId, Ticket};
use crate::mesh::SharedPort;
use crate::metrics::Counters;
use crate::net::{Clock, Gone, Sockets, Tasks};
use crate::protocol::Code;
use crate::ws::Frame;
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// What all endpoints of a shard share.
pub(crate) struct Local {
    /// The shard.
    pub(crate) shard: ShardId,
    /// How many there are.
    pub(crate) shards: u16,
    /// Its sockets.
    pub(crate) sockets: Rc<Sockets>,
    /// Its place in the mesh.
    pub(crate) mesh: Rc<SharedPort>,
    /// How many messages handlers have sent to clients of other shards; it wraps (see `pressure`).
    pub(crate) crossed: Cell<u16>,
    /// Its turn.
    pub(crate) turn: Rc<Turn>,
    /// Questions after clients of other shards.
    pub(crate) rolls: Rc<Tickets<Roll>>,
    /// The server it belongs to.
    pub(crate) server: ServerHandle,
    /// What handlers' own tasks run on.
    pub(crate) tasks: Rc<dyn Tasks>,
    /// Those that have not ended.
    pub(crate) spawned: Rc<Spawned>,
    /// Where work goes that has no place on a shard.
    pub(crate) worker: Worker,
    /// The shared tables.
    pub(crate) tables: Rc<Tables>,
    /// Rows of the shard's own clients.
    pub(crate) forgets: Forgets,
}

/// A handle on one route's clients. Cheap to clone, stays on its shard.
#[derive(Clone)]
pub struct Endpoint {
    local: Rc<Local>,
    route: u16,
}

impl Endpoint {
    pub(crate) fn new(local: Rc<Local>, route: u16) -> Self {
        Self { local, route }
    }

    pub(super) fn local(&self) -> &Rc<Local> {
        &self.local
    }

    pub(super) fn route(&self) -> u16 {
        self.route
    }

    pub(super) fn pulse(&self) -> &Arc<Pulse> {
        self.local.sockets.pulse()
    }

    /// The shard this handle belongs to.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.local.shard
    }

    /// How many shards the server has.
    #[must_use]
    pub fn shards(&self) -> u16 {
        self.local.shards
    }

    /// Encodes a message once, to be sent to some clients now and to others later.
    #[must_use]
    pub fn prepare<'a>(&self, payload: impl Into<Payload<'a>>) -> Prepared {
        Prepared::new(payload)
    }

    /// Sends a message to one client, wherever it is connected.
    ///
    /// # Errors
    /// When a client of this shard is gone or full; a full one stays connected, and what has been
    /// sent to it before still arrives. For one of another shard neither is known here: one that is
    /// gone does not get the message, and one that is full is closed there with 1013.
    pub fn send<'a>(
        &self,
        client: ClientId,
        payload: impl Into<Payload<'a>>,
    ) -> Result<(), SendError> {
        let payload = payload.into();
        if client.shard() == self.local.shard {
            let frame = payload.frame_for_one(self.local.sockets.frames());
            return self.local.sockets.offer(client, frame);
        }
        if client.shard().0 >= self.local.shards {
            return Err(SendError::Gone);
        }
        let frame = Prepared::new(payload).bytes();
        self.local
            .cross(client.shard(), ToShard::Send { client, frame });
        Ok(())
    }

    /// Sends a message to every client of this route, on all shards. Nobody could be told who is
    /// full: such a client is closed with 1013.
    pub fn broadcast<'a>(&self, payload: impl Into<Payload<'a>>) {
        self.broadcast_except(payload, &[]);
    }

    /// Same, but for these clients: whoever has sent it, as a rule.
    pub fn broadcast_except<'a>(&self, payload: impl Into<Payload<'a>>, except: &[ClientId]) {
        let message = Prepared::new(payload);
        for shard in self.other_shards() {
            let (route, frame) = (self.route, message.bytes());
            let except = of_shard(except, shard);
            let broadcast = ToShard::Broadcast {
                route,
                frame,
                except,
            };
            self.local.cross(shard, broadcast);
        }
        let sockets = &self.local.sockets;
        sockets.push_route(self.route, except, &message.frame());
    }

    /// Sends a prepared message to these clients, wherever they are connected; encoded once, it
    /// crosses to each shard once. Those that are gone are passed over, those that are full are
    /// closed with 1013.
    pub fn multicast(&self, clients: &[ClientId], message: &Prepared) {
        for shard in self.other_shards() {
            let clients = of_shard(clients, shard);
            if !clients.is_empty() {
                let frame = message.bytes();
                let multicast = ToShard::Multicast { clients, frame };
                self.local.cross(shard, multicast);
            }
        }
        let here = clients.iter().copied();
        self.multicast_local(
            here.filter(|client| client.shard() == self.local.shard),
            message,
        );
    }

    /// Sends a prepared message to clients of this shard; returns how many took it.
    pub fn multicast_local(
        &self,
        clients: impl IntoIterator<Item = ClientId>,
        message: &Prepared,
    ) -> usize {
        self.local
            .sockets
            .push_all(clients.into_iter(), &message.frame())
    }

    fn other_shards(&self) -> impl Iterator<Item = ShardId> {
        let own = self.local.shard;
        (0..self.local.shards)
            .map(ShardId)
            .filter(move |shard| *shard != own)
    }

    /// Closes a client, wherever it is connected.
    pub fn close(&self, client: ClientId, code: u16, reason: &str) {
        if client.shard() == self.local.shard {
            self.local.sockets.close(client, code, reason);
        } else if client.shard().0 < self.local.shards {
            let message = ToShard::Close {
                client,
                code,
                reason: reason.into(),
            };
            self.local.cross(client.shard(), message);
        }
    }

    /// The clients of this route on this shard.
    #[must_use]
    pub fn local_clients(&self) -> Vec<ClientId> {
        self.local.sockets.clients(Some(self.route))
    }

    /// The clients of this route on all shards. Waits for the other shards' answers; who comes or
    /// goes meanwhile may be among them or not.
    pub async fn clients(&self) -> Vec<ClientId> {
        let mut all = self.local_clients();
        for roll in self.ask_others(false).await {
            match roll {
                Roll::Clients(clients) => all.extend(clients),
                _ => unreachable!("they were asked for clients"),
            }
        }
        all
    }

    /// How many clients this route has on all shards; see [`Endpoint::clients`].
    pub async fn count(&self) -> usize {
        let mut all = self.local.sockets.count(self.route);
        for roll in self.ask_others(true).await {
            match roll {
                Roll::Count(count) => all += count,
                _ => unreachable!("they were asked for a count"),
            }
        }
        all
    }

    /// What is known of a client of this shard; `None` when it is gone, or when its handler's
    /// [`keeps_info`](super::Handler::keeps_info) is false.
    #[must_use]
    pub fn local_info(&self, client: ClientId) -> Option<Vitals> {
        self.local.sockets.vitals(client)
    }

    /// Same, of a client of any shard: waits for that shard's answer.
    pub async fn info(&self, client: ClientId) -> Option<Vitals> {
        if client.shard() == self.local.shard {
            return self.local_info(client);
        }
        let ask = |ticket| ToShard::AskVitals { ticket, client };
        match self.ask(client, ask).await {
            Some(Roll::Vitals(vitals)) => vitals.map(|vitals| *vitals),
            _ => None,
        }
    }

    /// Waits until the client's outbox is below its mark: less than half of `outbox_bytes` waits.
    ///
    /// # Errors
    /// [`SendError::Gone`] when it is closing or gone, or goes meanwhile.
    pub async fn ready(&self, client: ClientId) -> Result<(), SendError> {
        if client.shard() == self.local.shard {
            let ready = self.local.sockets.ready(client).await;
            return ready.map_err(|Gone| SendError::Gone);
        }
        self.room(client, false).await
    }

    /// Waits until all that was sent to the client has left: its socket has taken it. Of a client
    /// that is closing that includes the close frame.
    ///
    /// # Errors
    /// [`SendError::Gone`] when it is gone, or goes before that.
    pub async fn drained(&self, client: ClientId) -> Result<(), SendError> {
        if client.shard() == self.local.shard {
            let left = self.local.sockets.all_left(client).await;
            return left.map_err(|Gone| SendError::Gone);
        }
        self.room(client, true).await
    }

    /// Asks the client's own shard, which answers when there is room or the client is gone.
    async fn room(&self, client: ClientId, empty: bool) -> Result<(), SendError> {
        let local = &*self.local;
        if client.shard().0 >= local.shards {
            return Err(SendError::Gone);
        }
        let pending = local.rolls.open();
        let ticket = pending.ticket();
        let question = ToShard::AskRoom {
            ticket,
            client,
            empty,
        };
        local.mesh.send(client.shard(), question);
        // Unless that shard is told, it keeps the question as long as the client does not read.
        let given_up = OnDrop(Some(|| {
            let given_up = ToShard::GiveUpRoom {
                ticket,
                client,
                empty,
            };
            local.mesh.send(client.shard(), given_up);
        }));
        let roll = pending.answer().await;
        given_up.defuse();
        match roll {
            Roll::Room(true) => Ok(()),
            _ => Err(SendError::Gone),
        }
    }

    /// Asks the shard of a client; `None` when there is no such shard.
    async fn ask(&self, client: ClientId, ask: impl FnOnce(Ticket) -> ToShard) -> Option<Roll> {
        if client.shard().0 >= self.local.shards {
            return None;
        }
        let pending = self.local.rolls.open();
        self.local.mesh.send(client.shard(), ask(pending.ticket()));
        Some(pending.answer().await)
    }

    /// Begins a message to a client of this shard that is sent in pieces, as it is made.
    ///
    /// # Errors
    /// [`StreamError::Gone`], also for a client of another shard, and [`StreamError::Busy`].
    pub fn stream(&self, client: ClientId, kind: MessageKind) -> Result<Outgoing, StreamError> {
        Outgoing::begin(Rc::clone(&self.local.sockets), client, kind)
    }

    /// Asks all other shards at once, then waits for each.
    async fn ask_others(&self, count_only: bool) -> Vec<Roll> {
        let ask = |shard| {
            let pending = self.local.rolls.open();
            let (ticket, route) = (pending.ticket(), self.route);
            let question = ToShard::AskRoll {
                ticket,
                route,
                count_only,
            };
            self.local.mesh.send(shard, question);
            pending
        };
        let asked: Vec<_> = self.other_shards().map(ask).collect();
        let mut rolls = Vec::with_capacity(asked.len());
        for pending in asked {
            rolls.push(pending.answer().await);
        }
        rolls
    }

    /// The handler was told of the stop: messages are not for it any more.
    pub(super) fn stop(&self) {
        self.local.sockets.stop_route(self.route);
    }

    /// Whether the handler was told of the stop.
    pub(super) fn is_stopped(&self) -> bool {
        self.local.sockets.is_stopped(self.route)
    }

    /// Puts an encoded frame into the outbox of a client of this shard; a full one is closed.
    pub(crate) fn push(&self, client: ClientId, frame: Frame) -> Result<(), SendError> {
        self.local.sockets.push(client, frame)
    }

    /// What is counted of the shard.
    pub(crate) fn counters(&self) -> &Counters {
        self.local.sockets.counters()
    }

    /// How much memory is in use.
    pub(crate) fn memory(&self) -> Level {
        self.local.sockets.admission().memory()
    }

    /// Puts one into the outboxes of many; says how many took it.
    pub(crate) fn push_all(&self, clients: impl Iterator<Item = ClientId>, frame: &Frame) -> usize {
        self.local.sockets.push_all(clients, frame)
    }

    /// Closes a client of this shard with a code of the Pusher protocol.
    pub(crate) fn close_with(&self, client: ClientId, code: Code) {
        self.local.sockets.close_with(client, code);
    }

    /// Same, with a message that says more than the code's own.
    pub(crate) fn close_because(&self, client: ClientId, code: Code, message: &str) {
        self.local.sockets.close_because(client, code, message);
    }

    /// A client of this shard understands Pusher's error frames.
    pub(crate) fn set_pusher(&self, client: ClientId) {
        self.local.sockets.set_pusher(client);
    }

    /// Some of this shard's Pusher clients that were given up.
    pub(crate) fn take_given_up(&self, most: usize) -> Vec<(ClientId, Code)> {
        self.local.sockets.take_given_up(most)
    }

    /// Sets after how much silence a client of this shard is pinged.
    pub(crate) fn set_idle(&self, client: ClientId, idle_ms: u64) {
        self.local.sockets.set_idle(client, idle_ms);
    }

    /// Hands a note to another shard's hub.
    pub(crate) fn post(&self, to: ShardId, note: Note) {
        self.local.mesh.send(to, ToShard::Hub(note));
    }

    /// Whether a shard takes more publishes.
    pub(crate) fn has_room(&self, to: ShardId) -> bool {
        self.local.mesh.has_room(to)
    }

    /// Whether this shard has more to send to others than they take.
    pub(crate) fn is_pressed(&self) -> bool {
        self.local.mesh.is_pressed()
    }

    /// Asks for the end of this turn.
    pub(crate) fn request_turn(&self) {
        self.local.turn.request();
    }

    /// The clock of the shard: the time since the server started, and the wall clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.local.sockets.clock()
    }
}

/// Runs when it is dropped, unless it was defused.
struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> OnDrop<F> {
    fn defuse(mut self) {
        self.0 = None;
    }
}

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(run) = self.0.take() {
            run();
        }
    }
}

/// Those of the clients that are connected to a shard.
fn of_shard(clients: &[ClientId], shard: ShardId) -> Box<[ClientId]> {
    let of_shard = clients.iter().filter(|client| client.shard() == shard);
    of_shard.copied().collect()
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("shard", &self.local.shard)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

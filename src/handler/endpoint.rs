//! The sending side of a mounted handler: its clients, on this shard and on others.

use crate::conn::{PushError, Turn};
use crate::crossing::ToShard;
use crate::hub::Note;
use crate::id::{ClientId, ShardId};
use crate::mesh::SharedPort;
use crate::net::{Clock, Sockets};
use crate::protocol::Code;
use crate::ws::Frame;
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
    /// Its turn.
    pub(crate) turn: Rc<Turn>,
}

/// A handle on one route's clients. Cheap to clone, stays on its shard.
#[derive(Clone)]
pub struct Endpoint {
    local: Rc<Local>,
    route: u16,
}

/// A message encoded once, for many.
#[derive(Clone, Debug)]
pub struct Prepared {
    frame: Frame,
}

impl Endpoint {
    pub(crate) fn new(local: Rc<Local>, route: u16) -> Self {
        Self { local, route }
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

    /// Encodes a text message for [`Endpoint::multicast_local`].
    #[must_use]
    pub fn prepare(&self, text: &str) -> Prepared {
        Prepared {
            frame: Frame::text(text.as_bytes()),
        }
    }

    /// Sends a text message to one client, wherever it is connected.
    ///
    /// # Errors
    /// When a client of this shard is gone or full. For one of another shard that is not known
    /// here: the message is dropped there.
    pub fn send(&self, client: ClientId, text: &str) -> Result<(), PushError> {
        if client.shard() == self.local.shard {
            return self.push(client, Frame::text(text.as_bytes()));
        }
        let frame = Arc::from(Frame::text(text.as_bytes()).bytes());
        self.local
            .mesh
            .send(client.shard(), ToShard::Send { client, frame });
        Ok(())
    }

    /// Sends a text message to every client of this route, on all shards.
    pub fn broadcast(&self, text: &str) {
        let bytes: Arc<[u8]> = Arc::from(Frame::text(text.as_bytes()).bytes());
        for shard in (0..self.local.shards)
            .map(ShardId)
            .filter(|id| *id != self.local.shard)
        {
            let frame = Arc::clone(&bytes);
            self.local.mesh.send(
                shard,
                ToShard::Broadcast {
                    route: self.route,
                    frame,
                },
            );
        }
        let here = self.local_clients();
        self.local
            .sockets
            .push_all(here.into_iter(), &Frame::shared(bytes));
    }

    /// Sends a prepared message to clients of this shard; returns how many took it.
    pub fn multicast_local(
        &self,
        clients: impl IntoIterator<Item = ClientId>,
        message: &Prepared,
    ) -> usize {
        self.local
            .sockets
            .push_all(clients.into_iter(), &message.frame)
    }

    /// Closes a client, wherever it is connected.
    pub fn close(&self, client: ClientId, code: u16, reason: &str) {
        if client.shard() == self.local.shard {
            self.local.sockets.close(client, code, reason);
        } else {
            let message = ToShard::Close {
                client,
                code,
                reason: reason.into(),
            };
            self.local.mesh.send(client.shard(), message);
        }
    }

    /// The clients of this route on this shard.
    #[must_use]
    pub fn local_clients(&self) -> Vec<ClientId> {
        self.local.sockets.clients(Some(self.route))
    }

    /// Puts an encoded frame into the outbox of a client of this shard.
    pub(crate) fn push(&self, client: ClientId, frame: Frame) -> Result<(), PushError> {
        self.local.sockets.push(client, frame)
    }

    /// Same for many clients.
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

    /// The shard's clock.
    pub(crate) fn clock(&self) -> &Clock {
        self.local.sockets.clock()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("shard", &self.local.shard)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

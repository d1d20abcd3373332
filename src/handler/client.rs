//! One connected client, as its handler sees it.

use super::endpoint::Endpoint;
use crate::conn::PushError;
use crate::id::ClientId;
use crate::ws::Frame;
use std::net::SocketAddr;

/// The client a callback is about.
#[derive(Debug)]
pub struct Client<S> {
    id: ClientId,
    peer: Option<SocketAddr>,
    endpoint: Endpoint,
    session: S,
}

impl<S> Client<S> {
    pub(super) fn new(
        id: ClientId,
        peer: Option<SocketAddr>,
        endpoint: Endpoint,
        session: S,
    ) -> Self {
        Self {
            id,
            peer,
            endpoint,
            session,
        }
    }

    pub(super) fn into_session(self) -> S {
        self.session
    }

    /// Its id; may be kept and used with the endpoint from anywhere on any shard.
    #[must_use]
    pub fn id(&self) -> ClientId {
        self.id
    }

    /// Where it connected from.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// What the handshake made for it.
    #[must_use]
    pub fn session(&self) -> &S {
        &self.session
    }

    /// Same, to change it.
    pub fn session_mut(&mut self) -> &mut S {
        &mut self.session
    }

    /// The endpoint of the handler that serves it.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a text message. Never waits: it leaves at the end of this turn.
    ///
    /// # Errors
    /// When the client is gone, or reads so slowly that its outbox is full.
    pub fn send_text(&self, text: &str) -> Result<(), PushError> {
        self.endpoint.push(self.id, Frame::text(text.as_bytes()))
    }

    /// Sends a binary message; see [`Client::send_text`].
    ///
    /// # Errors
    /// As there.
    pub fn send_binary(&self, bytes: &[u8]) -> Result<(), PushError> {
        self.endpoint.push(self.id, Frame::binary(bytes))
    }

    /// Closes the connection: what was sent before still arrives, nothing after it does.
    pub fn close(&self, code: u16, reason: &str) {
        self.endpoint.close(self.id, code, reason);
    }
}

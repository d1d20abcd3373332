//! One connected client, as its handler sees it.

use super::endpoint::Endpoint;
use super::incoming::MessageKind;
use super::outgoing::{Outgoing, StreamError};
use super::payload::Payload;
use crate::conn::PushError as SendError;
use crate::id::ClientId;
use std::net::SocketAddr;
use std::time::Duration;

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

    /// Sends a message: text from a `&str`, binary from bytes, and what came in as it came
    /// (`client.send(message)`). See [`Client::send_text`].
    ///
    /// # Errors
    /// As there.
    pub fn send<'a>(&self, payload: impl Into<Payload<'a>>) -> Result<(), SendError> {
        self.endpoint.send(self.id, payload)
    }

    /// Sends a text message. Never waits: it leaves at the end of this turn.
    ///
    /// # Errors
    /// When the client is gone, or reads so slowly that its outbox is full: then this message is
    /// not sent, and nothing else happens. [`Endpoint::ready`] waits until there is room.
    pub fn send_text(&self, text: &str) -> Result<(), SendError> {
        self.endpoint.send(self.id, text)
    }

    /// Sends a binary message; see [`Client::send_text`].
    ///
    /// # Errors
    /// As there.
    pub fn send_binary(&self, bytes: &[u8]) -> Result<(), SendError> {
        self.endpoint.send(self.id, bytes)
    }

    /// Begins a text message that is sent in pieces, as it is made.
    ///
    /// # Errors
    /// [`StreamError::Gone`], and [`StreamError::Busy`] while another one is not finished.
    pub fn stream_text(&self) -> Result<Outgoing, StreamError> {
        self.endpoint.stream(self.id, MessageKind::Text)
    }

    /// Same, binary.
    ///
    /// # Errors
    /// As there.
    pub fn stream_binary(&self) -> Result<Outgoing, StreamError> {
        self.endpoint.stream(self.id, MessageKind::Binary)
    }

    /// Sets after how much silence of the client it is pinged, instead of
    /// [`Handler::idle_timeout`](super::Handler::idle_timeout); [`Duration::MAX`] is never. Times
    /// count in milliseconds.
    pub fn set_idle_timeout(&self, timeout: Duration) {
        self.endpoint.set_idle(self.id, whole_ms(timeout));
    }

    /// Closes the connection: what was sent before still arrives, nothing after it does.
    pub fn close(&self, code: u16, reason: &str) {
        self.endpoint.close(self.id, code, reason);
    }
}

/// Milliseconds of a time; what is longer than can be counted never comes.
pub(super) fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

//! What those do who send much to one client: wait for room, send a message in pieces, ask what
//! has left.

use super::sockets::Sockets;
use crate::conn::{Connection, Pace, PushError, Stage, Tally, Vitals};
use crate::id::ClientId;
use crate::protocol::Code;
use crate::ws::Frame;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::task::{Context, Poll};

/// The client is gone, or it is closing and takes nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl Sockets {
    /// Puts a frame into a client's outbox; it leaves at the end of this turn. One that does not
    /// fit is dropped and changes nothing for the client.
    ///
    /// # Errors
    /// [`PushError`].
    pub fn offer(&self, client: ClientId, frame: Frame) -> Result<(), PushError> {
        self.table.borrow_mut().push(client, frame)?;
        self.turn().request();
        Ok(())
    }

    /// Waits until less than half of what a client's outbox may hold waits in it.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn ready(&self, client: ClientId) -> Result<(), Gone> {
        self.room(client, true).await
    }

    /// Same, without counting what waits behind a message that leaves in pieces: for its sender.
    ///
    /// # Errors
    /// [`Gone`].
    pub async fn room_for_piece(&self, client: ClientId) -> Result<(), Gone> {
        self.room(client, false).await
    }

    async fn room(&self, client: ClientId, counts_behind: bool) -> Result<(), Gone> {
        poll_fn(|cx| {
            let mut table = self.table.borrow_mut();
            let mark = table.mark();
            let connection = table.get_mut(client).ok_or(Gone)?;
            if connection.life.stage() == Stage::Closing {
                return Poll::Ready(Err(Gone));
            }
            let waiting = match counts_behind {
                true => connection.waiting(),
                false => connection.outbox().bytes(),
            };
            match waiting < mark {
                true => Poll::Ready(Ok(())),
                false => connection.wait(cx),
            }
        })
        .await
    }

    /// Waits until everything of a client has left, what was said last to a closing one included.
    ///
    /// # Errors
    /// [`Gone`] when it does not leave any more.
    pub async fn all_left(&self, client: ClientId) -> Result<(), Gone> {
        let left = poll_fn(|cx| match self.table.borrow_mut().get_mut(client) {
            Some(connection) => connection.poll_drained(cx),
            None => Poll::Ready(false),
        });
        match left.await {
            true => Ok(()),
            false => Err(Gone),
        }
    }

    /// Waits until everything of a client has left, or it was given up.
    pub async fn drained(&self, client: ClientId) {
        let _ = self.all_left(client).await; // either way there is nothing to wait for
    }

    /// Bytes that wait for a client.
    #[must_use]
    pub fn backlog(&self, client: ClientId) -> usize {
        self.table
            .borrow()
            .get(client)
            .map_or(0, |connection| connection.outbox().bytes())
    }

    /// A message to the client begins to leave in pieces; false when another one does already.
    ///
    /// # Errors
    /// [`Gone`].
    pub fn begin_stream(&self, client: ClientId) -> Result<bool, Gone> {
        let begun = self.table.borrow_mut().begin_stream(client);
        begun.map_err(|_| Gone)
    }

    /// The next piece of that message.
    ///
    /// # Errors
    /// [`Gone`].
    pub fn push_piece(&self, client: ClientId, frame: Frame) -> Result<(), Gone> {
        let pushed = self.table.borrow_mut().push_piece(client, frame);
        self.turn().request();
        pushed.map_err(|_| Gone)
    }

    /// Its last piece.
    ///
    /// # Errors
    /// [`Gone`].
    pub fn end_stream(&self, client: ClientId, last: Frame) -> Result<(), Gone> {
        let ended = self.table.borrow_mut().end_stream(client, last);
        self.turn().request();
        ended.map_err(|_| Gone)
    }

    /// It does not get to its end: half a message must not be taken for a whole one.
    pub fn break_stream(&self, client: ClientId) {
        if !self.is_closing(client) {
            tracing::warn!(?client, "half a message was sent: closing with 1011");
            self.close_with(client, Code::InternalError);
        }
    }

    /// Counts from now on what the client, a WebSocket, reads and sends.
    pub fn keep_tally(&self, client: ClientId, peer: Option<SocketAddr>, path: Box<str>) {
        let now_ms = self.clock().now_ms();
        if let Some(connection) = self.table.borrow_mut().get_mut(client) {
            let before = (connection.outbox().bytes(), connection.outbox().frames());
            connection.keep_tally(Tally::new(now_ms, before, peer, path));
        }
    }

    /// Counts bytes that were read of the client before it was a WebSocket.
    pub fn tally_early(&self, client: ClientId, bytes: usize) {
        let now_ms = self.clock().now_ms();
        self.tally(client, |tally| tally.read(bytes, now_ms));
    }

    /// Counts frames that were read of the client: of a message, which may end with them, or a
    /// control frame.
    pub fn tally_frames(&self, client: ClientId, frames: u32, is_data: bool, ends: bool) {
        let mut table = self.table.borrow_mut();
        if let Some(connection) = table.get_mut(client) {
            connection.read_frames(frames, || self.clock().now_ms());
            if let Some(tally) = connection.tally_mut() {
                tally.read_frames(frames, is_data, ends);
            }
        }
    }

    /// From now on the client is not read faster than this; `early` bytes were already.
    pub fn set_pace(&self, client: ClientId, pace: Pace, early: usize) {
        let now_ms = self.clock().now_ms();
        if let Some(connection) = self.table.borrow_mut().get_mut(client) {
            connection.set_pace(pace, now_ms);
            connection.read(early, now_ms);
        }
    }

    /// Whether the client is held to a pace.
    pub(super) fn is_paced(&self, client: ClientId) -> bool {
        let table = self.table.borrow();
        table.get(client).is_some_and(Connection::is_paced)
    }

    /// For how many milliseconds nothing of the client is to be read; 0 is none.
    #[must_use]
    pub fn held_back_ms(&self, client: ClientId) -> u64 {
        let mut table = self.table.borrow_mut();
        let connection = table.get_mut(client);
        connection.map_or(0, |it| it.held_back_ms(|| self.clock().now_ms()))
    }

    /// Nothing is read of the client from now on, or it is read again: until then its silence
    /// does not count.
    pub fn set_busy(&self, client: ClientId, busy: bool) {
        let now_ms = self.clock().now_ms();
        if let Some(connection) = self.table.borrow_mut().get_mut(client) {
            connection.life.set_busy(busy, now_ms);
        }
        self.arm(client);
    }

    /// Ready when the client is closing, or gone.
    pub fn poll_closing(&self, client: ClientId, cx: &Context<'_>) -> Poll<()> {
        match self.table.borrow_mut().get_mut(client) {
            Some(connection) if connection.life.stage() != Stage::Closing => connection.wait(cx),
            _ => Poll::Ready(()),
        }
    }

    /// Keeps the code of the peer's close frame.
    pub fn tally_close(&self, client: ClientId, code: u16) {
        self.tally(client, |tally| tally.peer_code = Some(code));
    }

    fn tally(&self, client: ClientId, count: impl FnOnce(&mut Tally)) {
        let mut table = self.table.borrow_mut();
        if let Some(connection) = table.get_mut(client)
            && let Some(tally) = connection.tally_mut()
        {
            count(tally);
        }
    }

    /// What is known of the client; `None` when it is gone, or when its handler keeps nothing.
    #[must_use]
    pub fn vitals(&self, client: ClientId) -> Option<Vitals> {
        let table = self.table.borrow();
        let connection = table.get(client)?;
        let unix_ms = |ms| self.clock().unix_ms(ms);
        let (waiting, code) = (connection.waiting(), connection.close_code);
        Some(connection.tally()?.vitals(waiting, code, unix_ms))
    }
}

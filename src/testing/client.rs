//! Clients: an open WebSocket, a request under way, and bare bytes.

use super::answer::Answer;
use super::frame::{self, BINARY, CONTINUE, PING, Received, TEXT};
use super::seat::Seat;
use super::world::World;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tungstenite::protocol::frame::coding::OpCode;

/// An open WebSocket. It answers pings and closes by itself, as a browser does; dropping it ends
/// the connection without a word.
pub struct Client {
    pub(super) world: Rc<World>,
    pub(super) seat: Rc<Seat>,
    pub(super) shard: u16,
    pub(super) answer: Answer,
}

impl Client {
    /// The shard that serves it.
    #[must_use]
    pub fn shard(&self) -> u16 {
        self.shard
    }

    /// Where the server sees it come from.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.seat.from
    }

    /// The answer to its handshake, a 101 with whatever `on_handshake` has added.
    #[must_use]
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// Sends a text message. What is sent once the connection has ended is dropped, as by a
    /// browser.
    pub fn send_text(&mut self, text: &str) {
        self.send_frame(TEXT, true, text.as_bytes());
    }

    /// Sends a binary message; see [`Client::send_text`].
    pub fn send_binary(&mut self, bytes: &[u8]) {
        self.send_frame(BINARY, true, bytes);
    }

    /// Sends one text message in as many fragments; see [`Client::send_text`].
    pub fn send_fragments(&mut self, fragments: &[&str]) {
        let bytes: Vec<_> = fragments.iter().map(|text| text.as_bytes()).collect();
        self.send_in_pieces(TEXT, &bytes);
    }

    /// Sends one binary message in as many fragments; see [`Client::send_text`].
    pub fn send_binary_fragments(&mut self, fragments: &[&[u8]]) {
        self.send_in_pieces(BINARY, fragments);
    }

    fn send_in_pieces(&mut self, kind: OpCode, pieces: &[&[u8]]) {
        for (index, piece) in pieces.iter().enumerate() {
            let opcode = if index == 0 { kind } else { CONTINUE };
            self.send_frame(opcode, index + 1 == pieces.len(), piece);
        }
    }

    /// Sends a ping; see [`Client::expect_pong`].
    pub fn ping(&mut self, payload: &[u8]) {
        self.send_frame(PING, true, payload);
    }

    fn send_frame(&mut self, opcode: OpCode, is_final: bool, payload: &[u8]) {
        self.send_bytes(&frame::encode(opcode, is_final, payload));
    }

    /// Sends bytes as they are: what no client should.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.seat.peer.send(bytes);
    }

    /// Bytes that it has sent and the server has not read, because a callback takes its time.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.world.run(&|| false);
        self.seat.peer.unread()
    }

    /// Reads nothing from here on: what is sent to it waits, first on its way, about 64 KiB of it,
    /// then at the server.
    pub fn stop_reading(&mut self) {
        self.seat.reads.set(false);
    }

    /// Reads on.
    pub fn read_again(&mut self) {
        self.seat.reads.set(true);
    }

    /// Answers no ping and no close from here on, like a machine that has gone to sleep.
    pub fn fall_silent(&mut self) {
        self.seat.socket(|socket| socket.is_silent = true);
    }

    /// How many pings it was sent.
    #[must_use]
    pub fn pings(&self) -> usize {
        self.world.run(&|| false);
        self.seat.socket(|socket| socket.pings)
    }

    /// Runs the shards until something has arrived; `None` when nothing does without time passing.
    pub fn receive(&mut self) -> Option<Received> {
        let has_some = || self.seat.socket(|socket| !socket.inbox.is_empty());
        self.world.run(&has_some);
        self.seat.socket(|socket| socket.inbox.pop_front())
    }

    /// Runs the shards until nothing is left to do, and gives all that has arrived.
    pub fn receive_all(&mut self) -> Vec<Received> {
        self.world.run(&|| false);
        self.seat.socket(|socket| socket.inbox.drain(..).collect())
    }

    /// The text message that is next.
    ///
    /// # Panics
    /// When something else is, or nothing.
    #[track_caller]
    pub fn expect_text(&mut self) -> String {
        match self.receive() {
            Some(Received::Text(text)) => text,
            other => self.surprised("a text", other),
        }
    }

    /// The binary message that is next.
    ///
    /// # Panics
    /// When something else is, or nothing.
    #[track_caller]
    pub fn expect_binary(&mut self) -> Vec<u8> {
        match self.receive() {
            Some(Received::Binary(bytes)) => bytes,
            other => self.surprised("bytes", other),
        }
    }

    /// The payload of the pong that is next.
    ///
    /// # Panics
    /// When something else is, or nothing.
    #[track_caller]
    pub fn expect_pong(&mut self) -> Vec<u8> {
        match self.receive() {
            Some(Received::Pong(payload)) => payload,
            other => self.surprised("a pong", other),
        }
    }

    /// The server's close that is next: its code, 1005 when it has none, and its reason. Unless the
    /// client has fallen silent, it answers, and sees the connection end.
    ///
    /// # Panics
    /// When something else is next, or nothing, or when the server does not end the connection.
    #[track_caller]
    pub fn expect_close(&mut self) -> (u16, String) {
        let (code, reason) = match self.receive() {
            Some(Received::Close(code, reason)) => (code, reason),
            other => self.surprised("a close", other),
        };
        if !self.seat.socket(|socket| socket.is_silent) {
            self.expect_end();
        }
        (code, reason)
    }

    /// Sees the connection end without another word. `on_close` has returned then.
    ///
    /// # Panics
    /// When something else comes, or the connection stays.
    #[track_caller]
    pub fn expect_end(&mut self) {
        match self.receive() {
            Some(Received::End) => {}
            other => self.surprised("the end", other),
        }
        self.world.run(&|| false); // the server hears of our end, and tells its handler
    }

    /// Runs the shards until nothing is left to do, and sees that nothing has arrived.
    ///
    /// # Panics
    /// When something has.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        self.world.run(&|| false);
        let next = self.seat.socket(|socket| socket.inbox.pop_front());
        if next.is_some() {
            self.surprised("nothing", next)
        }
    }

    #[track_caller]
    fn surprised(&self, wanted: &str, found: Option<Received>) -> ! {
        let (name, now) = (&self.seat.name, self.world.now());
        match found {
            Some(found) => panic!("{name} expected {wanted}, and {} came", Shown(&found)),
            None => panic!(
                "{name} expected {wanted}, and nothing came: nothing is left to do at {now:?} of \
                 virtual time, which only `advance` moves on"
            ),
        }
    }

    /// Closes, and sees the server answer and end the connection. What was on its way is dropped.
    ///
    /// # Panics
    /// When the server does not.
    #[track_caller]
    pub fn close(mut self, code: u16, reason: &str) {
        let peer = &self.seat.peer;
        self.seat.socket(|socket| socket.close(code, reason, peer));
        loop {
            match self.receive() {
                Some(Received::Close(..)) => break self.expect_end(),
                Some(Received::End) => {
                    self.surprised("the answer to its close", Some(Received::End))
                }
                Some(_) => {}
                None => self.surprised("the answer to its close", None),
            }
        }
    }

    /// Is gone, without a close, and with everything that was on its way: a broken connection.
    pub fn vanish(self) {
        self.seat.peer.break_off();
        self.world.run(&|| false);
    }
}

/// What came, in a message.
struct Shown<'a>(&'a Received);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 200;
        match self.0 {
            Received::Text(text) => {
                let start: String = text.chars().take(SHOWN).collect();
                write!(f, "the text {start:?}")?;
                match text.len() - start.len() {
                    0 => Ok(()),
                    more => write!(f, " and {more} bytes more"),
                }
            }
            Received::Binary(bytes) => write!(f, "{} bytes", bytes.len()),
            Received::Pong(payload) => write!(f, "a pong with {payload:?}"),
            Received::Close(code, reason) => write!(f, "a close with {code} {reason:?}"),
            Received::End => f.write_str("the end of the connection"),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.seat.name).finish()
    }
}

/// A request that was sent, and its answer on the way: for those that come in parts, or not before
/// time has passed. Dropping it ends the connection.
pub struct Exchange {
    pub(super) world: Rc<World>,
    pub(super) seat: Rc<Seat>,
}

impl Exchange {
    /// The answer's status and fields, with as much of the body as has arrived and was not taken;
    /// `None` when it has not begun.
    pub fn head(&mut self) -> Option<Answer> {
        self.world.run(&|| false);
        self.seat.reading(|reading| reading.answer().cloned())
    }

    /// Runs the shards until nothing is left to do, and takes what has arrived of the body.
    pub fn take_body(&mut self) -> Vec<u8> {
        self.world.run(&|| false);
        self.seat.reading(|reading| reading.take_body())
    }

    /// Whether the answer has arrived as a whole.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.world.run(&|| false);
        self.seat.reading(|reading| reading.is_done())
    }

    /// Sends more bytes as they are: the rest of a body.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.seat.peer.send(bytes);
    }

    /// Bytes that were sent and the server has not read.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.world.run(&|| false);
        self.seat.peer.unread()
    }

    /// Reads nothing from here on; see [`Client::stop_reading`].
    pub fn stop_reading(&mut self) {
        self.seat.reads.set(false);
    }

    /// Reads on.
    pub fn read_again(&mut self) {
        self.seat.reads.set(true);
    }

    /// The whole answer. While nothing else is left to do, time passes, a minute at most.
    ///
    /// # Panics
    /// When it is not there by then, or breaks off.
    #[must_use]
    #[track_caller]
    pub fn finish(self) -> Answer {
        let is_settled = || {
            self.seat
                .reading(|reading| reading.is_done() || reading.fault().is_some())
        };
        let is_settled = self.world.run_for(PATIENCE, &is_settled);
        let name = &self.seat.name;
        if let Some(fault) = self
            .seat
            .reading(|reading| reading.fault().map(str::to_owned))
        {
            panic!("{name} was answered with what is no whole answer: {fault}");
        }
        assert!(is_settled, "{name} was not answered within {PATIENCE:?}");
        let answer = self.seat.reading(|reading| reading.answer().cloned());
        answer.expect("what is done has a head")
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Exchange").field(&self.seat.name).finish()
    }
}

/// How much virtual time passes at most while an answer is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A connection of bare bytes. Dropping it ends the connection.
pub struct Wire {
    pub(super) world: Rc<World>,
    pub(super) seat: Rc<Seat>,
}

impl Wire {
    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.seat.peer.send(bytes);
    }

    /// Runs the shards until nothing is left to do, and takes all that has arrived.
    pub fn receive(&mut self) -> Vec<u8> {
        self.world.run(&|| false);
        self.seat.take_bytes()
    }

    /// Ends the sending side: the server reads what was sent, then the end.
    pub fn end_sending(&mut self) {
        self.seat.peer.end_sending();
    }

    /// Whether the server has ended the connection.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.world.run(&|| false);
        self.seat.has_ended()
    }

    /// Whether the server has broken the connection off, as a reset of TCP does, so that its end is
    /// not taken for one that was meant.
    #[must_use]
    pub fn was_reset(&self) -> bool {
        self.world.run(&|| false);
        self.seat.peer.was_reset()
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wire").field(&self.seat.name).finish()
    }
}

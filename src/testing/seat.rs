//! A client's end of one connection, as far as it acts by itself: it reads what comes, and a
//! WebSocket answers pings and closes.

use super::answer::{Answer, Reading};
use super::frame::{self, Assembly, CLOSE, PING, PONG, Received};
use crate::net::memory::Peer;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// One connection.
pub(super) struct Seat {
    /// What its path and shard are, for messages.
    pub(super) name: String,
    pub(super) from: SocketAddr,
    pub(super) peer: Peer,
    pub(super) reads: Cell<bool>,
    pub(super) speech: RefCell<Speech>,
    ended: Cell<bool>,
    bytes: RefCell<Vec<u8>>,
}

/// What its bytes mean.
pub(super) enum Speech {
    /// Nothing to us.
    Bytes,
    /// The answer to a request, and whether that was a HEAD.
    Http(Reading, bool),
    WebSocket(WebSocket),
}

/// An open WebSocket.
#[derive(Default)]
pub(super) struct WebSocket {
    assembly: Assembly,
    pub(super) inbox: VecDeque<Received>,
    pub(super) pings: usize,
    pub(super) is_silent: bool,
    has_closed: bool,
}

impl Seat {
    pub(super) fn new(name: String, from: SocketAddr, peer: Peer, speech: Speech) -> Self {
        Self {
            name,
            from,
            peer,
            reads: Cell::new(true),
            speech: RefCell::new(speech),
            ended: Cell::default(),
            bytes: RefCell::default(),
        }
    }

    /// Reads what has come and acts on it; says whether there was anything.
    ///
    /// # Panics
    /// When it is not what a server may send.
    pub(super) fn act(&self) -> bool {
        if !self.reads.get() || self.ended.get() {
            return false;
        }
        let mut bytes = self.bytes.borrow_mut();
        let has_read = self.peer.receive(&mut bytes);
        let ends = self.peer.has_ended();
        self.ended.set(ends);
        if !has_read && !ends {
            return false;
        }
        let mut speech = self.speech.borrow_mut();
        let understood = match &mut *speech {
            Speech::Bytes => Ok(()),
            Speech::Http(reading, is_head) => {
                match self.peer.was_reset() {
                    true => reading.break_off(),
                    false => reading.add(&mut bytes, *is_head, ends),
                }
                Ok(())
            }
            Speech::WebSocket(socket) => socket.read(&mut bytes, &self.peer),
        };
        if let Err(error) = understood {
            panic!("{} was sent what it cannot take: {error}", self.name);
        }
        if ends {
            if let Speech::WebSocket(socket) = &mut *speech {
                socket.inbox.push_back(Received::End);
                if socket.is_silent {
                    return true;
                }
            }
            self.peer.end_sending();
        }
        true
    }

    /// Whether the server has ended the connection.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Takes what came and means nothing to us.
    pub(super) fn take_bytes(&self) -> Vec<u8> {
        self.bytes.take()
    }

    /// The answer to a handshake, once its head has come; from then on an accepted one is a
    /// WebSocket.
    pub(super) fn upgraded(&self) -> Option<Answer> {
        let mut speech = self.speech.borrow_mut();
        let Speech::Http(reading, _) = &*speech else {
            return None;
        };
        let answer = reading.answer()?.clone();
        if answer.status != 101 {
            return reading.is_done().then_some(answer);
        }
        let mut socket = WebSocket::default();
        let early = socket.read(&mut self.bytes.borrow_mut(), &self.peer);
        if let Err(error) = early {
            panic!("{} was sent what it cannot take: {error}", self.name);
        }
        if self.ended.get() {
            socket.inbox.push_back(Received::End);
        }
        *speech = Speech::WebSocket(socket);
        Some(answer)
    }

    /// Looks at the answer, or changes it.
    pub(super) fn reading<T>(&self, look: impl FnOnce(&mut Reading) -> T) -> T {
        match &mut *self.speech.borrow_mut() {
            Speech::Http(reading, _) => look(reading),
            _ => unreachable!("it was made for a request"),
        }
    }

    /// Looks at the WebSocket, or changes it.
    pub(super) fn socket<T>(&self, look: impl FnOnce(&mut WebSocket) -> T) -> T {
        match &mut *self.speech.borrow_mut() {
            Speech::WebSocket(socket) => look(socket),
            _ => unreachable!("its handshake was accepted"),
        }
    }
}

impl WebSocket {
    fn read(&mut self, bytes: &mut Vec<u8>, peer: &Peer) -> Result<(), String> {
        while let Some(frame) = frame::decode(bytes)? {
            if frame.opcode == PING {
                self.pings += 1;
                if !self.is_silent && !self.has_closed {
                    peer.send(&frame::encode(PONG, true, &frame.payload));
                }
                continue;
            }
            let Some(received) = self.assembly.add(frame)? else {
                continue;
            };
            if let Received::Close(code, _) = received
                && !self.is_silent
            {
                self.close(code, "", peer);
            }
            self.inbox.push_back(received);
        }
        Ok(())
    }

    /// Sends a close frame, unless that was done.
    pub(super) fn close(&mut self, code: u16, reason: &str, peer: &Peer) {
        if std::mem::replace(&mut self.has_closed, true) {
            return;
        }
        let payload = match code {
            1005 => Vec::new(),
            code => frame::close_payload(code, reason),
        };
        peer.send(&frame::encode(CLOSE, true, &payload));
    }
}

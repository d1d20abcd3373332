//! A message that is sent while it is made.

use super::incoming::MessageKind;
use crate::id::ClientId;
use crate::net::{Gone, Sockets};
use crate::ws::Frame;
use crate::ws::utf8;
use std::fmt;
use std::rc::Rc;

/// Why a message that is sent in pieces does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// The client is closed or closing.
    Gone,
    /// Another message to this client leaves in pieces already.
    Busy,
    /// A text that is not UTF-8; nothing of the piece was sent.
    NotText,
    /// A write was dropped before it was done, so that part of the message is missing.
    Torn,
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the client is gone",
            Self::Busy => "another message to this client is not finished",
            Self::NotText => "the text is not UTF-8",
            Self::Torn => "part of the message was not written",
        })
    }
}

impl std::error::Error for StreamError {}

impl From<Gone> for StreamError {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

/// Bytes of one fragment at most.
const FRAGMENT_MAX: usize = 32 * 1024;

/// A message to one client of this shard, sent in fragments as it is made: it need never be in
/// memory as a whole.
///
/// Other messages to that client wait behind it and count against its outbox; pings and pongs go
/// between. Dropped before [`Outgoing::finish`] it closes the connection with 1011, since half a
/// message must not look like a whole one.
#[derive(Debug)]
pub struct Outgoing {
    sockets: Rc<Sockets>,
    client: ClientId,
    kind: MessageKind,
    begun: bool,
    /// A write is under way, or was dropped.
    writing: bool,
    finished: bool,
    /// A character of a text that was cut by the end of a piece.
    cut: Vec<u8>,
}

impl Outgoing {
    pub(super) fn begin(
        sockets: Rc<Sockets>,
        client: ClientId,
        kind: MessageKind,
    ) -> Result<Self, StreamError> {
        if !sockets.begin_stream(client)? {
            return Err(StreamError::Busy);
        }
        Ok(Self {
            sockets,
            client,
            kind,
            begun: false,
            writing: false,
            finished: false,
            cut: Vec::new(),
        })
    }

    /// Sends a piece, of any length; waits while half of the client's outbox is full. Pieces of a
    /// text may be cut anywhere, characters included. An empty piece sends nothing.
    ///
    /// # Errors
    /// [`StreamError::Gone`], and for texts [`StreamError::NotText`]. A message one of whose writes
    /// was dropped before it was done cannot go on: [`StreamError::Torn`].
    pub async fn write(&mut self, piece: impl AsRef<[u8]>) -> Result<(), StreamError> {
        let piece = piece.as_ref();
        if self.writing {
            return Err(StreamError::Torn);
        }
        if self.kind == MessageKind::Text {
            let mut cut = self.cut.clone();
            if !utf8::goes_on(&mut cut, piece) {
                return Err(StreamError::NotText);
            }
            self.cut = cut;
        }
        self.writing = true;
        let outcome = self.push(piece).await;
        self.writing = false;
        outcome
    }

    async fn push(&mut self, piece: &[u8]) -> Result<(), StreamError> {
        for fragment in piece.chunks(FRAGMENT_MAX) {
            self.sockets.room_for_piece(self.client).await?;
            let frame = self.fragment(false, fragment);
            self.sockets.push_piece(self.client, frame)?;
        }
        Ok(())
    }

    /// Ends the message. Does not wait until it has left.
    ///
    /// # Errors
    /// [`StreamError::Gone`]. A text that ends in the middle of a character is
    /// [`StreamError::NotText`], one of whose writes was dropped is [`StreamError::Torn`]; in both
    /// cases the connection is closed with 1011.
    pub fn finish(mut self) -> Result<(), StreamError> {
        if self.writing {
            return Err(StreamError::Torn);
        }
        if !self.cut.is_empty() {
            return Err(StreamError::NotText);
        }
        let last = self.fragment(true, &[]);
        self.sockets.end_stream(self.client, last)?;
        self.finished = true;
        Ok(())
    }

    fn fragment(&mut self, is_final: bool, payload: &[u8]) -> Frame {
        let begins = (!std::mem::replace(&mut self.begun, true)).then_some(self.kind.into());
        let frames = self.sockets.frames();
        frames.fragment(begins, is_final, payload)
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if !self.finished {
            self.sockets.break_stream(self.client);
        }
    }
}

//! A request's body that its handler takes while it arrives.

use crate::conn::Stage;
use crate::http::{self, BodyDecoder, BodyError};
use crate::limits::UNREAD_BODY_MAX;
use crate::net::{Buffer, Reader};
use crate::ws::Frame;
use futures_lite::future::yield_now;

/// How a route wants the bodies of its requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BodyWish {
    /// While they arrive, not whole.
    pub(crate) streamed: bool,
    /// Bytes of the largest, unless the configuration's limit holds.
    pub(crate) max: Option<u64>,
}

/// A body on its way in. Nothing is read before it is asked for, and one buffer is held at most.
#[derive(Debug)]
pub(crate) struct BodyStream {
    reader: Reader,
    decoder: BodyDecoder,
    /// How much was taken of what came in with the head.
    early_used: usize,
    /// The last read, and how much of it was taken.
    buffer: Option<Buffer>,
    used: usize,
    /// The peer may wait for leave to send.
    wants_leave: bool,
    end: Option<Result<(), BodyError>>,
}

impl BodyStream {
    /// Before the first byte of a body that `decoder` finds.
    pub(crate) fn new(reader: Reader, decoder: BodyDecoder, wants_leave: bool) -> Self {
        let end = (decoder.left() == Some(0)).then_some(Ok(()));
        Self {
            reader,
            decoder,
            early_used: 0,
            buffer: None,
            used: 0,
            wants_leave,
            end,
        }
    }

    /// The next bytes; `None` at the end. `early` is what came in with the head, always the same.
    pub(super) async fn chunk<'s>(
        &'s mut self,
        early: &'s [u8],
    ) -> Result<Option<&'s [u8]>, BodyError> {
        let (is_early, data) = loop {
            match self.next_in_hand(early)? {
                InHand::Data { is_early, from, to } => break (is_early, from..to),
                InHand::Ended => return Ok(None),
                InHand::Nothing => self.read(true).await?,
            }
        };
        Ok(Some(match &self.buffer {
            Some(buffer) if !is_early => &buffer.filled()[data],
            _ => &early[data],
        }))
    }

    /// Bytes of the body that were taken so far.
    pub(super) fn received(&self) -> u64 {
        self.decoder.received()
    }

    /// The next bytes of the body among those that were read already.
    fn next_in_hand(&mut self, early: &[u8]) -> Result<InHand, BodyError> {
        loop {
            if let Some(end) = self.end {
                return end.map(|()| InHand::Ended);
            }
            let is_early = self.early_used < early.len();
            let (input, from) = match &self.buffer {
                _ if is_early => (early, self.early_used),
                Some(buffer) => (buffer.filled(), self.used),
                None => (early, early.len()),
            };
            if from == input.len() {
                return Ok(InHand::Nothing);
            }
            let piece = match self.decoder.piece(&input[from..]) {
                Ok(piece) => piece,
                Err(error) => return Err(self.fail(error)),
            };
            match is_early {
                true => self.early_used += piece.consumed,
                false => self.used += piece.consumed,
            }
            if piece.done {
                self.end = Some(Ok(()));
            }
            if !piece.data.is_empty() {
                let (from, to) = (from + piece.data.start, from + piece.data.end);
                return Ok(InHand::Data { is_early, from, to });
            }
        }
    }

    /// Waits for more. The peer's time begins with the wait when `anew`: what it takes the handler
    /// to ask is not held against the peer.
    async fn read(&mut self, anew: bool) -> Result<(), BodyError> {
        let (sockets, client) = (self.reader.sockets(), self.reader.client());
        if self.wants_leave {
            // If it is gone, the read below ends.
            let _ = sockets.answer(client, Frame::raw(http::continue_100()));
        }
        if anew {
            sockets.enter(client, Stage::Body);
        }
        let more_waits = self.buffer.take().is_some_and(|buffer| buffer.is_full());
        if more_waits {
            yield_now().await; // one busy client does not keep the shard to itself
        }
        let read = self.reader.read().await;
        let timed_out = sockets.is_closing(client);
        if anew {
            sockets.enter(client, Stage::Busy);
        }
        (self.wants_leave, self.used) = (false, 0);
        match read {
            _ if timed_out => Err(self.fail(BodyError::TimedOut)),
            Ok(Some(buffer)) => {
                self.buffer = Some(buffer);
                Ok(())
            }
            Ok(None) | Err(_) => Err(self.fail(BodyError::Ended)),
        }
    }

    fn fail(&mut self, error: BodyError) -> BodyError {
        self.end = Some(Err(error));
        error
    }

    /// The handler is done, with the body or without: whether another request can follow it on
    /// this connection. What is left of it is short then, see [`BodyStream::skip`].
    pub(crate) fn may_go_on(&mut self, early: &[u8]) -> bool {
        while let Ok(InHand::Data { .. }) = self.next_in_hand(early) {}
        match self.end {
            Some(end) => end.is_ok(),
            // Who waits for leave to send may send its body or not: nobody can tell.
            None => {
                !self.wants_leave && self.decoder.left().is_some_and(|it| it <= UNREAD_BODY_MAX)
            }
        }
    }

    /// Reads what the handler did not ask for, in the time that a whole body has; says whether
    /// another request can follow.
    pub(crate) async fn skip(&mut self, early: &[u8]) -> bool {
        if self.end.is_none() {
            self.reader
                .sockets()
                .enter(self.reader.client(), Stage::Body);
        }
        loop {
            match self.next_in_hand(early) {
                Ok(InHand::Data { .. }) => {}
                Ok(InHand::Ended) => return true,
                Ok(InHand::Nothing) if self.read(false).await.is_ok() => {}
                Ok(InHand::Nothing) | Err(_) => return false,
            }
        }
    }

    /// What came in behind the body: how much of `early` belongs to the body, and the rest of the
    /// last read.
    pub(crate) fn behind(&self) -> (usize, &[u8]) {
        let buffer = self.buffer.as_ref();
        let rest = buffer.map_or(&[][..], |buffer| &buffer.filled()[self.used..]);
        (self.early_used, rest)
    }
}

/// What a look at bytes that were read already has found.
enum InHand {
    /// Bytes of the body, in what came with the head or in the last read.
    Data {
        is_early: bool,
        from: usize,
        to: usize,
    },
    /// The end of the body.
    Ended,
    /// More has to be read.
    Nothing,
}

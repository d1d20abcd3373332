//! A request's body: on its way in, or read whole.

use crate::conn::Stage;
use crate::http::{self, BodyDecoder, BodyError};
use crate::limits::UNREAD_BODY_MAX;
use crate::net::{Buffer, Reader, is_too_slow, look_around};
use crate::ws::Frame;

/// How a route wants the bodies of its requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BodyWish {
    /// While they arrive, not whole.
    pub(crate) streamed: bool,
    /// Bytes of the largest, unless the configuration's limit holds.
    pub(crate) max: Option<u64>,
}

/// The body of a request, as whoever holds the request has it.
#[derive(Debug)]
pub(crate) struct Body<'a> {
    source: Source<'a>,
    /// It was asked for whole, and is shown.
    is_read: bool,
    /// It was given as a chunk.
    given: bool,
}

#[derive(Debug)]
enum Source<'a> {
    /// It came in with the head.
    InHand(&'a mut [u8]),
    Arriving {
        stream: &'a mut BodyStream,
        /// What came in with the head.
        early: &'a [u8],
        /// The start of what is read whole.
        start: Vec<u8>,
    },
    /// It arrived.
    Gathered(Vec<u8>),
}

impl<'a> Body<'a> {
    /// One that came in with the head.
    pub(crate) fn in_hand(bytes: &'a mut [u8]) -> Self {
        Self::of(Source::InHand(bytes))
    }

    /// One that still arrives; `early` is what came in with the head.
    pub(crate) fn arriving(stream: &'a mut BodyStream, early: &'a [u8]) -> Self {
        Self::of(Source::Arriving {
            stream,
            early,
            start: Vec::new(),
        })
    }

    fn of(source: Source<'a>) -> Self {
        Self {
            source,
            is_read: false,
            given: false,
        }
    }

    /// Whether it, or a part of it, is still to come.
    pub(super) fn is_arriving(&self) -> bool {
        matches!(self.source, Source::Arriving { .. })
    }

    /// Reads it whole, unless it was.
    pub(super) async fn read(&mut self) -> Result<&mut [u8], BodyError> {
        if !self.is_read {
            match &mut self.source {
                Source::InHand(bytes) if self.given => *bytes = &mut [],
                Source::InHand(_) | Source::Gathered(_) => {}
                Source::Arriving {
                    stream,
                    early,
                    start,
                } => {
                    stream.gather(early, start).await?;
                    self.source = Source::Gathered(std::mem::take(start));
                }
            }
            (self.is_read, self.given) = (true, false);
        }
        Ok(self.bytes_mut())
    }

    /// What was read, and nothing before.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.source {
            Source::InHand(bytes) if self.is_read => bytes,
            Source::Gathered(bytes) => bytes,
            Source::InHand(_) | Source::Arriving { .. } => &[],
        }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.source {
            Source::InHand(bytes) if self.is_read => bytes,
            Source::Gathered(bytes) => bytes,
            Source::InHand(_) | Source::Arriving { .. } => &mut [],
        }
    }

    /// The next bytes of it, or all of them when they are here; `None` at the end.
    pub(super) async fn chunk(&mut self) -> Result<Option<&[u8]>, BodyError> {
        let bytes: &[u8] = match &mut self.source {
            Source::Arriving { stream, early, .. } => return stream.chunk(early).await,
            Source::InHand(bytes) => bytes,
            Source::Gathered(bytes) => bytes,
        };
        let is_new = !std::mem::replace(&mut self.given, true);
        Ok((is_new && !bytes.is_empty()).then_some(bytes))
    }

    /// Bytes that were given as chunks, or read.
    pub(super) fn received(&self) -> u64 {
        match &self.source {
            Source::InHand(bytes) if self.is_read || self.given => bytes.len() as u64,
            Source::InHand(_) => 0,
            Source::Gathered(bytes) => bytes.len() as u64,
            Source::Arriving { stream, .. } => stream.received(),
        }
    }

    /// What is known to be wrong with it.
    pub(super) fn error(&self) -> Option<BodyError> {
        match &self.source {
            Source::Arriving { stream, .. } => stream.end?.err(),
            Source::InHand(_) | Source::Gathered(_) => None,
        }
    }
}

/// A body on its way in. Nothing is read before it is asked for, and one buffer is held at most.
#[derive(Debug)]
pub(crate) struct BodyStream {
    reader: Reader,
    /// `None` when the body is refused unread.
    decoder: Option<BodyDecoder>,
    /// How much was taken of what came in with the head.
    early_used: usize,
    /// The last read, and how much of it was taken.
    buffer: Option<Buffer>,
    used: usize,
    /// The peer may wait for leave to send.
    wants_leave: bool,
    /// How long the client was waited for, in milliseconds.
    waited_ms: u64,
    end: Option<Result<(), BodyError>>,
}

impl BodyStream {
    /// Before the first byte of a body that `decoder` finds, unless the head has said already that
    /// it is refused.
    pub(crate) fn new(
        reader: Reader,
        decoder: Result<BodyDecoder, BodyError>,
        wants_leave: bool,
    ) -> Self {
        let end = match &decoder {
            Ok(decoder) => (decoder.left() == Some(0)).then_some(Ok(())),
            Err(error) => Some(Err(*error)),
        };
        Self {
            reader,
            decoder: decoder.ok(),
            early_used: 0,
            buffer: None,
            used: 0,
            wants_leave,
            waited_ms: 0,
            end,
        }
    }

    /// Appends all that is still to come, in the time that a whole body has.
    async fn gather(&mut self, early: &[u8], whole: &mut Vec<u8>) -> Result<(), BodyError> {
        let mut is_timed = false;
        let gathered = loop {
            match self.next_in_hand(early) {
                Ok(InHand::Data { is_early, from, to }) => {
                    let input = match &self.buffer {
                        Some(buffer) if !is_early => buffer.filled(),
                        _ => early,
                    };
                    whole.extend_from_slice(&input[from..to]);
                    self.hold(whole.len());
                }
                Ok(InHand::Ended) => break Ok(()),
                Ok(InHand::Nothing) => {
                    if !std::mem::replace(&mut is_timed, true) {
                        self.enter(Stage::Body);
                    }
                    if let Err(error) = self.read(false).await {
                        break Err(error);
                    }
                }
                Err(error) => break Err(error),
            }
        };
        if is_timed {
            self.enter(Stage::Busy);
        }
        self.hold(0);
        gathered
    }

    /// So many bytes are held until the rest arrives.
    fn hold(&self, bytes: usize) {
        self.reader.sockets().holds(self.reader.client(), bytes);
    }

    fn enter(&self, stage: Stage) {
        self.reader.sockets().enter(self.reader.client(), stage);
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
        self.decoder.as_ref().map_or(0, BodyDecoder::received)
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
            let Some(decoder) = &mut self.decoder else {
                return Ok(InHand::Ended); // its end was an error, above
            };
            let piece = match decoder.piece(&input[from..]) {
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
        if anew && is_too_slow(self.received(), self.waited_ms, sockets.body_ms()) {
            return Err(self.fail(BodyError::TimedOut));
        }
        if self.wants_leave {
            // If it is gone, the read below ends.
            let _ = sockets.answer(client, Frame::raw(http::continue_100()));
        }
        if anew {
            self.enter(Stage::Body);
        }
        let more_waits = self.buffer.take().is_some_and(|buffer| buffer.is_full());
        if more_waits {
            Box::pin(look_around()).await; // one busy client does not keep the shard to itself
        }
        let since_ms = sockets.clock().now_ms();
        let read = self.reader.read().await;
        self.waited_ms += sockets.clock().now_ms().saturating_sub(since_ms);
        let timed_out = sockets.is_closing(client);
        if anew {
            self.enter(Stage::Busy);
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
                let left = self.decoder.as_ref().and_then(BodyDecoder::left);
                !self.wants_leave && left.is_some_and(|it| it <= UNREAD_BODY_MAX)
            }
        }
    }

    /// Reads what the handler did not ask for, in the time that a whole body has; says whether
    /// another request can follow.
    pub(crate) async fn skip(&mut self, early: &[u8]) -> bool {
        if self.end.is_none() {
            self.enter(Stage::Body);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_body_at_the_limit_and_one_past() {
        for (received, waited_ms, too_slow) in [
            (0, 30_000, false),
            (0, 30_001, true),
            // A byte every 29 seconds.
            (1, 29_000, false),
            (2, 58_000, true),
            // Half a mebibyte at the least rate.
            (500_000, 1_030_000, false),
            (500_000, 1_030_001, true),
            (u64::MAX, u64::MAX / 1000, false),
        ] {
            let judged = is_too_slow(received, waited_ms, 30_000);
            assert_eq!(judged, too_slow, "{received} {waited_ms}");
        }
    }
}

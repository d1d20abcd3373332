//! One WebSocket from open to close: reads, calls the handler, keeps its promises.

use super::callbacks::{Error, Handler, HandlerPanic, Result};
use super::client::Client;
use super::message::{Close, Message};
use crate::net::Reader;
use crate::protocol::Code;
use crate::ws::Frame;
use crate::ws::codec::{CodecError, Decoder, Received};
use futures_lite::FutureExt;
use futures_lite::future::yield_now;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

/// One connection, its handler and its state.
pub(super) struct Life<H: Handler> {
    handler: Rc<H>,
    client: Client<H::Session>,
    reader: Reader,
    route: u16,
    /// The code of the peer's close frame, if that came before ours.
    peer_code: Option<u16>,
}

/// Whether to go on reading.
#[derive(PartialEq, Eq)]
enum Go {
    On,
    Ended,
}

impl<H: Handler> Life<H> {
    pub(super) fn new(
        handler: Rc<H>,
        client: Client<H::Session>,
        reader: Reader,
        route: u16,
    ) -> Self {
        Self {
            handler,
            client,
            reader,
            route,
            peer_code: None,
        }
    }

    pub(super) async fn run(mut self, mut early: Vec<u8>) {
        self.reader.sockets().open(self.client.id(), self.route);
        let handler = Rc::clone(&self.handler);
        let opened = guarded(handler.on_open(&mut self.client)).await;
        self.judge(opened).await;
        let id = self.client.id();
        if AssertUnwindSafe(self.read_all(&mut early))
            .catch_unwind()
            .await
            .is_err()
        {
            tracing::error!(client = ?id, "a connection's task panicked: closing with 1011");
            self.reader.sockets().close_with(id, Code::InternalError);
        }
        let close = self.how_it_closed();
        self.reader.sockets().end(id); // from here on nothing can be sent
        let closed = handler.on_close(id, self.client.into_session(), close);
        if AssertUnwindSafe(closed).catch_unwind().await.is_err() {
            tracing::error!(client = ?id, "on_close panicked");
        }
    }

    /// Whoever sent a close frame first has closed it; without any it broke.
    fn how_it_closed(&self) -> Close {
        let ours = self.reader.sockets().close_code(self.client.id());
        match (self.peer_code, ours) {
            (Some(code), _) => Close {
                code,
                by_peer: true,
            },
            (None, Some(code)) => Close {
                code,
                by_peer: false,
            },
            (None, None) => Close::BROKEN,
        }
    }

    async fn read_all(&mut self, early: &mut Vec<u8>) {
        let mut decoder = Decoder::new(self.handler.message_max());
        let mut early = std::mem::take(early);
        if !early.is_empty() && self.feed(&mut decoder, &mut early).await == Go::Ended {
            return;
        }
        drop(early);
        while let Ok(Some(mut buffer)) = self.reader.read().await {
            if self.feed(&mut decoder, buffer.filled_mut()).await == Go::Ended {
                return;
            }
            let more_waits = buffer.is_full();
            drop(buffer);
            if more_waits {
                yield_now().await; // one busy client does not keep the shard to itself
            }
        }
    }

    /// Takes everything out of one read.
    async fn feed(&mut self, decoder: &mut Decoder, mut bytes: &mut [u8]) -> Go {
        loop {
            let received = match decoder.next(&mut bytes) {
                Ok(None) => return Go::On,
                Ok(Some(received)) => received,
                Err(error) => {
                    self.fail(error);
                    continue;
                }
            };
            let message = match received {
                Received::Text(bytes) => Message::Text(bytes),
                Received::Binary(bytes) => Message::Binary(bytes),
                Received::Ping(payload) => {
                    let _ = self
                        .client
                        .endpoint()
                        .push(self.client.id(), Frame::pong(payload));
                    continue;
                }
                Received::Pong => continue,
                Received::Close(code) => return self.peer_closed(code),
            };
            if self.reader.sockets().is_closing(self.client.id()) {
                continue; // what comes after our close frame is not for the handler
            }
            let handler = Rc::clone(&self.handler);
            let outcome = guarded(handler.on_message(&mut self.client, message)).await;
            self.judge(outcome).await;
        }
    }

    /// Answers the peer's close frame, unless it is the answer to ours, and ends.
    fn peer_closed(&mut self, code: Option<u16>) -> Go {
        let (sockets, id) = (self.reader.sockets(), self.client.id());
        if !sockets.is_closing(id) {
            self.peer_code = Some(code.unwrap_or(1005));
            sockets.answer_close(id, code);
        }
        sockets.end(id);
        Go::Ended
    }

    /// The peer broke the protocol: it is told so, and nothing more is read.
    fn fail(&mut self, error: CodecError) {
        let code = match error {
            CodecError::Protocol => Code::ProtocolError,
            CodecError::TooBig => Code::TooBig,
            CodecError::InvalidText => Code::InvalidText,
        };
        let (sockets, id) = (self.reader.sockets(), self.client.id());
        sockets.close_with(id, code);
        sockets.end(id);
    }

    /// What a callback's outcome leads to.
    async fn judge(&mut self, outcome: Result) {
        let Err(error) = outcome else { return };
        let id = self.client.id();
        tracing::error!(client = ?id, %error, "a handler failed: closing with 1011");
        let handler = Rc::clone(&self.handler);
        let told = handler.on_error(&mut self.client, &*error);
        if AssertUnwindSafe(told).catch_unwind().await.is_err() {
            tracing::error!(client = ?id, "on_error panicked");
        }
        let code = Code::InternalError;
        self.reader.sockets().close_with(id, code);
    }
}

/// Runs a callback; a panic becomes an error of this client alone.
async fn guarded(callback: impl Future<Output = Result>) -> Result {
    AssertUnwindSafe(callback)
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no message".into());
            Err(Error::from(HandlerPanic(text)))
        })
}

//! One WebSocket from open to close: reads, calls the handler, keeps its promises.

use super::callbacks::{Error, Handler, HandlerPanic, Result};
use super::client::Client;
use super::message::{Close, Message};
use super::mount::Boxed;
use crate::net::Reader;
use crate::protocol::Code;
use crate::ws::Frame;
use crate::ws::codec::{CodecError, Decoder, Received};
use crate::ws::deflate::Deflate;
use futures_lite::FutureExt;
use futures_lite::future::{CatchUnwind, yield_now};
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::thread;

/// One connection, its handler and its state.
pub(super) struct Life<H: Handler> {
    handler: Rc<H>,
    client: Client<H::Session>,
    reader: Reader,
    decoder: Decoder,
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
        deflate: Option<Deflate>,
    ) -> Self {
        let mut decoder = Decoder::new(handler.message_max());
        if let Some(settings) = deflate {
            let sockets = reader.sockets();
            sockets.set_deflate(client.id(), settings);
            decoder = decoder.inflating(sockets.inflater());
        }
        Self {
            handler,
            client,
            reader,
            decoder,
            route,
            peer_code: None,
        }
    }

    /// From open to close. `early` is what came in right behind the handshake.
    ///
    /// The future is held as long as the connection is open. It is boxed here because an
    /// `async fn` would hold `self` twice: as its argument and as its variable.
    pub(super) fn run(mut self, mut early: Box<[u8]>) -> Boxed<'static, ()> {
        Box::pin(async move {
            let id = self.client.id();
            self.reader.sockets().open(id, self.route);
            if caught(self.serve(&mut early)).await.is_err() {
                tracing::error!(client = ?id, "a connection's task panicked: closing with 1011");
                self.reader.sockets().close_with(id, Code::InternalError);
            }
            let close = self.how_it_closed();
            self.reader.sockets().end(id); // from here on nothing can be sent
            let session = self.client.into_session();
            if caught(self.handler.on_close(id, session, close))
                .await
                .is_err()
            {
                tracing::error!(client = ?id, "on_close panicked");
            }
        })
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

    async fn serve(&mut self, early: &mut Box<[u8]>) {
        let opened = caught(self.handler.on_open(&mut self.client)).await;
        self.judge(opened).await;
        let go = self.feed(early).await;
        *early = Box::default(); // it would be held as long as the connection is open
        if go == Go::Ended {
            return;
        }
        loop {
            let Ok(Some(mut buffer)) = self.reader.read().await else {
                return;
            };
            if self.feed(buffer.filled_mut()).await == Go::Ended {
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
    async fn feed(&mut self, mut bytes: &mut [u8]) -> Go {
        loop {
            let received = match self.decoder.next(&mut bytes) {
                Ok(None) => return Go::On,
                Ok(Some(received)) => received,
                Err(error) => {
                    self.refuse(error);
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
            let outcome = caught(self.handler.on_message(&mut self.client, message)).await;
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
    fn refuse(&mut self, error: CodecError) {
        let code = match error {
            CodecError::Protocol => Code::ProtocolError,
            CodecError::TooBig => Code::TooBig,
            CodecError::InvalidText | CodecError::Damaged => Code::InvalidText,
        };
        let (sockets, id) = (self.reader.sockets(), self.client.id());
        match error {
            CodecError::Damaged => {
                sockets.close_because(id, code, "Compressed data cannot be inflated");
            }
            _ => sockets.close_with(id, code),
        }
        sockets.end(id);
    }

    /// What a callback's outcome leads to. Failing is rare, and its state is not held until then.
    async fn judge(&mut self, outcome: thread::Result<Result>) {
        if let Err(error) = outcome.unwrap_or_else(|panic| Err(said(&*panic))) {
            Box::pin(self.fail(error)).await;
        }
    }

    /// A callback failed.
    async fn fail(&mut self, error: Error) {
        let id = self.client.id();
        tracing::error!(client = ?id, %error, "a handler failed: closing with 1011");
        let told = self.handler.on_error(&mut self.client, &*error);
        if caught(told).await.is_err() {
            tracing::error!(client = ?id, "on_error panicked");
        }
        let code = Code::InternalError;
        self.reader.sockets().close_with(id, code);
    }
}

/// Runs a callback; a panic ends it and nothing else.
fn caught<F: Future>(callback: F) -> CatchUnwind<AssertUnwindSafe<F>> {
    AssertUnwindSafe(callback).catch_unwind()
}

/// A panic as an error of this client alone.
fn said(panic: &(dyn Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into());
    Error::from(HandlerPanic(text))
}

//! One WebSocket from open to close: reads, calls the handler, keeps its promises.

use super::callbacks::{Error, Handler, HandlerPanic, Result};
use super::client::{Client, whole_ms};
use super::incoming::{Event, Flow, Incoming, Wire, refuse};
use super::message::{Close, Message};
use super::mount::Boxed;
use super::running::{Closed, Failure, Open, Seat, Stream, WholeMessage};
use crate::crossing::pulse::Callback;
use crate::error::panic_text;
use crate::net::{Reader, look_around};
use crate::protocol::Code;
use crate::ws::Frame;
use crate::ws::codec::{Decoder, Received};
use crate::ws::deflate::Deflate;
use futures_lite::FutureExt;
use std::any::Any;
use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::thread;

/// One connection, its handler and its state.
pub(super) struct Life<H: Handler> {
    handler: Rc<H>,
    client: Client<H::Session>,
    seat: Seat,
    decoder: Decoder,
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
            seat: Seat {
                reader,
                route,
                peer_code: Cell::default(),
                is_busy: Cell::default(),
            },
            decoder,
        }
    }

    /// From open to close. `early` is what came in right behind the handshake.
    ///
    /// The future is held as long as the connection is open. It is boxed here because an
    /// `async fn` would hold `self` twice: as its argument and as its variable.
    /// `path` is that of the handshake, if it is to be kept.
    pub(super) fn run(
        mut self,
        mut early: Box<[u8]>,
        path: Option<Box<str>>,
    ) -> Boxed<'static, ()> {
        let (sockets, id) = (self.seat.reader.sockets(), self.client.id());
        sockets.open(id, self.seat.route);
        if let Some(path) = path {
            sockets.keep_tally(id, self.client.peer(), path);
            if !early.is_empty() {
                sockets.tally_early(id, early.len());
            }
        }
        if let Some(timeout) = self.handler.idle_timeout() {
            sockets.set_idle(id, whole_ms(timeout));
        }
        if let Some(pace) = self.handler.pace() {
            sockets.set_pace(id, pace, early.len());
        }
        Box::pin(async move {
            let id = self.client.id();
            if self.seat.reader.sockets().is_stopped(self.seat.route) {
                // It was accepted just before the end of on_stop: no open, so no close either.
                self.seat.reader.sockets().close_with(id, Code::GoingAway);
                return;
            }
            let served = AssertUnwindSafe(self.serve(&mut early)).catch_unwind();
            if let Err(panic) = served.await {
                self.judge(Err(panic)).await;
            }
            let close = self.how_it_closed();
            let counters = self.seat.reader.sockets().counters();
            counters.closed(close.code, close.by_peer);
            self.seat.reader.sockets().end(id); // from here on nothing can be sent
            let endpoint = self.client.endpoint().clone();
            let session = self.client.into_session();
            let told = async { self.handler.on_close(id, session, close).await };
            if self.seat.over(Closed, told).await.is_err() {
                tracing::error!(client = ?id, "on_close panicked");
            }
            endpoint.local().forget(id);
        })
    }

    /// Whoever sent a close frame first has closed it; without any it broke.
    fn how_it_closed(&self) -> Close {
        let ours = self.seat.reader.sockets().close_code(self.client.id());
        match (self.seat.peer_code.get(), ours) {
            (Some(code), _) => Close {
                code,
                by_peer: true,
                reason: self.decoder.close_reason().to_owned(),
            },
            (None, Some(code)) => Close {
                code,
                by_peer: false,
                reason: String::new(),
            },
            (None, None) => Close::BROKEN,
        }
    }

    async fn serve(&mut self, early: &mut Box<[u8]>) {
        let mut crossed = self.client.endpoint().local().crossed();
        self.seat.begin(Callback::Open);
        let opened = self.handler.on_open(&mut self.client);
        let opened = self.seat.over(Open, opened).await;
        self.judge(opened).await;
        if self.handler.streams() {
            let early = std::mem::take(early);
            return Box::pin(self.serve_streams(early)).await;
        }
        let go = self.feed(early).await;
        *early = Box::default(); // it would be held as long as the connection is open
        if go == Go::Ended {
            return;
        }
        loop {
            if self.client.endpoint().local().presses(crossed) {
                Box::pin(self.client.endpoint().relieved()).await;
            }
            if self.handler.pace().is_some() {
                Box::pin(self.seat.reader.keep_pace()).await;
            }
            let Ok(Some(mut buffer)) = self.seat.reader.read().await else {
                return;
            };
            crossed = self.client.endpoint().local().crossed();
            if self.feed(buffer.filled_mut()).await == Go::Ended {
                return;
            }
            let more_waits = buffer.is_full();
            drop(buffer);
            if more_waits {
                Box::pin(look_around()).await; // one busy client does not keep the shard to itself
            }
        }
    }

    /// Same as the rest of `serve`, for a handler that takes messages while they arrive. What that
    /// needs is boxed, for other handlers hold nothing of it.
    async fn serve_streams(&mut self, early: Box<[u8]>) {
        let mut flow = Flow::new(early);
        while !flow.has_ended() {
            let (reader, decoder) = (&self.seat.reader, &mut self.decoder);
            if let Some(Event::Begin(begun)) = flow.next(Wire { reader, decoder }).await {
                if begun.is_binary() && self.handler.text_only() {
                    let sockets = self.seat.reader.sockets();
                    sockets.close_with(self.client.id(), Code::UnsupportedData);
                    continue;
                }
                let (reader, decoder) = (&self.seat.reader, &mut self.decoder);
                let wire = Wire { reader, decoder };
                let crossed = self.client.endpoint().local().crossed();
                let mut incoming = Incoming::new(&mut flow, wire, begun);
                let taken = async {
                    self.handler
                        .on_stream(&mut self.client, &mut incoming)
                        .await
                };
                let outcome = self.seat.over(Stream, taken).await;
                match outcome {
                    // It is not the handler's fault, and there is nobody to be told.
                    Ok(Err(error)) if incoming.was_interrupted() => {
                        let client = self.client.id();
                        tracing::debug!(?client, %error, "a message was cut off");
                    }
                    outcome => self.judge(outcome).await,
                }
                if self.client.endpoint().local().presses(crossed) {
                    self.client.endpoint().relieved().await;
                }
            }
            self.seat.peer_code.set(flow.peer_code);
        }
    }

    /// Takes everything out of one read.
    #[expect(
        clippy::manual_async_fn,
        reason = "it would hold its arguments twice, for each connection"
    )]
    fn feed<'a>(&'a mut self, mut bytes: &'a mut [u8]) -> impl Future<Output = Go> + 'a {
        async move {
            loop {
                let (received, frames) = match self.decoder.next_counted(&mut bytes) {
                    Ok(None) => {
                        self.hold(self.decoder.held());
                        return Go::On;
                    }
                    Ok(Some(received)) => received,
                    Err(error) => {
                        refuse(&self.seat.reader, error);
                        continue;
                    }
                };
                if self.handler.keeps_info() || self.handler.pace().is_some() {
                    let is_message = matches!(received, Received::Text(_) | Received::Binary(_));
                    let (sockets, id) = (self.seat.reader.sockets(), self.client.id());
                    sockets.tally_frames(id, frames, is_message, is_message);
                }
                let message = match received {
                    Received::Text(bytes) => Message::Text(bytes),
                    Received::Binary(_) if self.handler.text_only() => {
                        let sockets = self.seat.reader.sockets();
                        sockets.close_with(self.client.id(), Code::UnsupportedData);
                        continue;
                    }
                    Received::Binary(bytes) => Message::Binary(bytes),
                    Received::Ping(payload) => {
                        if !self.seat.reader.sockets().takes_ping(self.client.id()) {
                            continue;
                        }
                        let _ = self
                            .client
                            .endpoint()
                            .push(self.client.id(), Frame::pong(payload));
                        continue;
                    }
                    Received::Pong => continue,
                    Received::Close(code) => return self.peer_closed(code),
                };
                if !self.seat.reader.sockets().takes_messages(self.client.id()) {
                    continue; // what comes after our close frame, or on_stop, is for nobody
                }
                // Its time is over, and that of the next one has not begun.
                self.seat.reader.sockets().holds(self.client.id(), 0);
                self.seat.begin(Callback::Message);
                let taken = self.handler.on_message(&mut self.client, message);
                let outcome = self.seat.over(WholeMessage, taken).await;
                self.judge(outcome).await;
            }
        }
    }

    /// Has what is held of an unfinished message counted.
    fn hold(&self, bytes: usize) {
        self.seat.reader.sockets().holds(self.client.id(), bytes);
    }

    /// Answers the peer's close frame, unless it is the answer to ours, and ends.
    fn peer_closed(&mut self, code: Option<u16>) -> Go {
        let (sockets, id) = (self.seat.reader.sockets(), self.client.id());
        if !sockets.is_closing(id) {
            self.seat.peer_code.set(Some(code.unwrap_or(1005)));
            sockets.tally_close(id, code.unwrap_or(1005));
            sockets.answer_close(id, code);
        }
        sockets.end(id);
        Go::Ended
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
        let told = async { self.handler.on_error(&mut self.client, &*error).await };
        let told = self.seat.over(Failure, told).await;
        if told.is_err() {
            tracing::error!(client = ?id, "on_error panicked");
        }
        let code = Code::InternalError;
        self.seat.reader.sockets().close_with(id, code);
    }
}

/// A panic as an error of this client alone.
fn said(panic: &(dyn Any + Send)) -> Error {
    Error::from(HandlerPanic(panic_text(panic)))
}

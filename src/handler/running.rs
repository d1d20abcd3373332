//! Callbacks say that they run whenever they are polled, so that the watchdog can name one that
//! does not come to an end.
//!
//! They interleave wherever they wait, so what counts is what is polled now. A callback that is
//! about a client sets the client too; what has none of its own (a middleware, a function) runs
//! within what does.

use super::endpoint::Endpoint;
use crate::crossing::pulse::{Callback, Doing, Pulse, Watched};
use crate::net::Reader;
use pin_project_lite::pin_project;
use std::cell::Cell;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

/// What a callback is called by.
#[derive(Clone)]
pub(super) struct Sign {
    pulse: Arc<Pulse>,
    doing: Doing,
}

impl Sign {
    pub(super) fn new(pulse: &Arc<Pulse>, doing: Doing) -> Self {
        let pulse = Arc::clone(pulse);
        Self { pulse, doing }
    }

    /// Names a future whenever it is polled, within whatever runs then.
    pub(super) fn over<'a, F>(&'a self, future: Pin<&'a mut F>) -> Watched<'a, F> {
        Watched::new(&self.pulse, self.doing, future)
    }

    /// Same, of a future that runs by itself and for no client.
    pub(super) fn alone<F: Future + Unpin>(self, future: F) -> Alone<F> {
        Alone { sign: self, future }
    }
}

impl Endpoint {
    /// What a callback of this endpoint's handler is called by.
    pub(super) fn sign(&self, callback: Callback) -> Sign {
        Sign::new(self.pulse(), Doing::new(callback, self.route()))
    }

    /// Names a callback of this endpoint's handler whenever it is polled.
    pub(super) fn over<'a, F>(
        &'a self,
        callback: Callback,
        future: Pin<&'a mut F>,
    ) -> Watched<'a, F> {
        Watched::new(self.pulse(), Doing::new(callback, self.route()), future)
    }
}

/// A future that runs by itself.
pub(super) struct Alone<F> {
    sign: Sign,
    future: F,
}

impl<F: Future + Unpin> Future for Alone<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.sign.pulse.begin(self.sign.doing, None);
        let polled = Pin::new(&mut self.future).poll(cx);
        self.sign.pulse.end();
        polled
    }
}

/// What the callbacks of one client are called by.
pub(super) struct Seat {
    pub(super) reader: Reader,
    pub(super) route: u16,
    /// The code of the peer's close frame, if that came before ours. It has room here.
    pub(super) peer_code: Cell<Option<u16>>,
    /// A callback waits for something else than what the client sends.
    pub(super) is_busy: Cell<bool>,
}

impl Seat {
    /// Names what is called next: the call itself may already take its time.
    pub(super) fn begin(&self, callback: Callback) {
        let pulse = self.reader.sockets().pulse();
        let doing = Doing::new(callback, self.route);
        pulse.begin(doing, Some(self.reader.client()));
    }

    /// The silence of a client that is not read says nothing.
    fn set_busy(&self, busy: bool) {
        if self.is_busy.replace(busy) != busy {
            self.reader.sockets().set_busy(self.reader.client(), busy);
        }
    }

    /// Names a callback whenever it is polled; a panic ends it and nothing else. Which one it is
    /// stands in the type: the future is part of what is held for each connection.
    ///
    /// A callback that is no `async fn` may panic before there is a future. Where the future is
    /// held for long that goes past this, to the one who catches everything: an `async` block
    /// around it would hold the arguments beside it.
    pub(super) fn over<W: Which, F>(&self, _: W, future: F) -> Called<'_, F, W> {
        Called {
            seat: self,
            which: PhantomData,
            future,
        }
    }
}

pin_project! {
    /// A callback of one client.
    pub(super) struct Called<'a, F, W> {
        seat: &'a Seat,
        which: PhantomData<W>,
        #[pin]
        future: F,
    }
}

impl<F: Future, W: Which> Future for Called<'_, F, W> {
    type Output = thread::Result<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let seat: &Seat = this.seat;
        seat.begin(W::CALLBACK);
        if W::READS {
            seat.reader.forget_wait();
        }
        let polled = catch_unwind(AssertUnwindSafe(|| this.future.poll(cx)));
        seat.reader.sockets().pulse().end();
        let waits = matches!(polled, Ok(Poll::Pending));
        seat.set_busy(waits && !(W::READS && seat.reader.is_waiting()));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

/// One of the callbacks, as a type.
pub(super) trait Which {
    const CALLBACK: Callback;
    /// Whether it reads from the socket itself.
    const READS: bool = false;
}

/// `on_open`.
pub(super) struct Open;
/// `on_message`.
pub(super) struct WholeMessage;
/// `on_stream`.
pub(super) struct Stream;
/// `on_error`.
pub(super) struct Failure;
/// `on_close`.
pub(super) struct Closed;

impl Which for Open {
    const CALLBACK: Callback = Callback::Open;
}

impl Which for WholeMessage {
    const CALLBACK: Callback = Callback::Message;
}

impl Which for Stream {
    const CALLBACK: Callback = Callback::Stream;
    const READS: bool = true;
}

impl Which for Failure {
    const CALLBACK: Callback = Callback::Error;
}

impl Which for Closed {
    const CALLBACK: Callback = Callback::Close;
}

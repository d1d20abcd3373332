//! One answer that is made while it is sent: a client's outbox, and whatever its maker waits for.

use super::sockets::Sockets;
use super::tasks::pause_ms;
use crate::conn::Waiters;
use crate::http::{BodySink, ClientGone};
use crate::id::ClientId;
use crate::limits::WRITE_JOIN_MAX;
use crate::ws::Frame;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// What is kept of a client while an answer to it is made.
#[derive(Debug)]
pub(super) struct Flow {
    /// Which answer it is: what is left of one that is over does nothing to the next.
    answer: Rc<()>,
    /// The client takes the end of the connection for that of the answer: only a reset tells it
    /// that the answer broke off.
    ends_with_connection: bool,
    /// The connection broke.
    lost: bool,
    /// Whoever waits for room, for the end of the connection or of the server.
    waiting: Waiters,
}

impl Sockets {
    /// The connection of a client breaks: says whether it has to be reset for that.
    pub(super) fn lose_flow(&self, client: ClientId) -> bool {
        let mut flows = self.flows.borrow_mut();
        flows.get_mut(&client).is_some_and(|flow| {
            flow.lost = true;
            flow.waiting.wake();
            flow.ends_with_connection
        })
    }

    /// The clients whose answers are being made.
    pub(super) fn flowing(&self) -> Vec<ClientId> {
        self.flows.borrow().keys().copied().collect()
    }

    /// The shard stops: whoever makes an answer is told.
    pub fn tell_stopping(&self) {
        self.stopping.set(true);
        let mut flows = self.flows.borrow_mut();
        flows.values_mut().for_each(|flow| flow.waiting.wake());
    }
}

/// Takes the answer that is made for one client. There is one at a time for each client.
pub struct Outflow {
    sockets: Rc<Sockets>,
    client: ClientId,
    answer: Rc<()>,
}

impl Outflow {
    /// For a client whose request is being answered, and that finds the end of the answer in the
    /// end of the connection or not.
    #[must_use]
    pub fn new(sockets: Rc<Sockets>, client: ClientId, ends_with_connection: bool) -> Self {
        let answer = Rc::new(());
        let flow = Flow {
            answer: Rc::clone(&answer),
            ends_with_connection,
            lost: false,
            waiting: Waiters::default(),
        };
        sockets.flows.borrow_mut().insert(client, flow);
        Self {
            sockets,
            client,
            answer,
        }
    }

    /// What is kept while this answer is made; nothing once it is over.
    fn with<T>(&self, look: impl FnOnce(&mut Flow) -> T) -> Option<T> {
        let mut flows = self.sockets.flows.borrow_mut();
        let flow = flows.get_mut(&self.client)?;
        Rc::ptr_eq(&flow.answer, &self.answer).then(|| look(flow))
    }

    /// Ready when the client is gone. The task that makes the answer asks this at each turn of its
    /// own: it is what is woken when the outbox empties, and wakes whoever waits for room.
    pub fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_gone() {
            return Poll::Ready(());
        }
        let has_room = self.poll_room(cx).is_ready();
        self.with(|flow| {
            if has_room {
                // The task itself runs just now.
                flow.waiting.leave(cx);
                flow.waiting.wake();
            }
            flow.waiting.wait(cx);
        });
        Poll::Pending
    }

    fn is_gone(&self) -> bool {
        self.with(|flow| flow.lost).unwrap_or(true) || self.sockets.is_closing(self.client)
    }

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.sockets.table.borrow_mut().get_mut(self.client) {
            Some(connection) if connection.outbox().bytes() > WRITE_JOIN_MAX => {
                connection.poll_drained(cx).map(|_| ())
            }
            _ => Poll::Ready(()),
        }
    }

    fn wait(&self, cx: &Context<'_>) {
        self.with(|flow| flow.waiting.wait(cx));
    }
}

impl BodySink for Outflow {
    fn push(&self, bytes: &[u8]) -> Result<(), ClientGone> {
        if self.is_gone() {
            return Err(ClientGone);
        }
        let pushed = self.sockets.answer(self.client, Frame::raw(bytes));
        pushed.map_err(|_| ClientGone)
    }

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), ClientGone>> {
        if self.is_gone() {
            return Poll::Ready(Err(ClientGone));
        }
        if self.poll_room(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        self.wait(cx);
        Poll::Pending
    }

    fn poll_stopping(&self, cx: &mut Context<'_>) -> Poll<()> {
        let goes_on =
            !self.sockets.stopping.get() && self.with(|flow| flow.waiting.wait(cx)).is_some();
        match goes_on {
            true => Poll::Pending,
            false => Poll::Ready(()), // an answer that is over has nothing to wait for
        }
    }

    fn pause(&self, ms: u64) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(pause_ms(ms))
    }

    fn now_ms(&self) -> u64 {
        self.sockets.clock().now_ms()
    }
}

impl Drop for Outflow {
    fn drop(&mut self) {
        if self.with(|_| ()).is_some() {
            let flow = self.sockets.flows.borrow_mut().remove(&self.client);
            drop(flow); // its wakers may be the last of their tasks: not while flows are borrowed
        }
    }
}

impl fmt::Debug for Outflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outflow")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

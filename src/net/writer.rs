//! The end of a turn: one write for each dirty socket, however many frames it holds.

use super::sockets::{Sockets, Stream};
use crate::id::ClientId;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// How a socket took what it was given.
enum Written {
    All,
    Blocked,
    Failed,
}

impl Sockets {
    /// Writes what this turn has gathered. A socket that takes no more goes on in a task of its
    /// own, so that nobody else waits for it.
    pub fn flush(self: &Rc<Self>) {
        let mut dirty = Vec::new();
        std::mem::swap(&mut dirty, &mut *self.dirty_spare.borrow_mut());
        self.table.borrow_mut().take_dirty(&mut dirty);
        let mut cx = Context::from_waker(Waker::noop());
        for client in dirty.drain(..) {
            let Some(stream) = self.stream(client) else {
                continue;
            };
            match self.write(client, &stream, &mut cx) {
                Written::All => self.sent(client),
                Written::Failed => self.abort(client),
                Written::Blocked => {
                    self.set_blocked(client, true);
                    glommio::spawn_local(drain(Rc::clone(self), client, stream)).detach();
                }
            }
        }
        *self.dirty_spare.borrow_mut() = dirty;
    }

    fn write(&self, client: ClientId, stream: &Stream, cx: &mut Context<'_>) -> Written {
        let mut scratch = self.scratch.borrow_mut();
        let mut table = self.table.borrow_mut();
        let Some(connection) = table.get_mut(client) else {
            return Written::Failed;
        };
        loop {
            let bytes = connection.outbox.gather(&mut scratch);
            if bytes.is_empty() {
                return Written::All;
            }
            match stream.poll_write(cx, bytes) {
                Poll::Ready(Ok(0) | Err(_)) => return Written::Failed,
                Poll::Ready(Ok(count)) => connection.outbox.advance(count),
                Poll::Pending => return Written::Blocked,
            }
        }
    }

    fn set_blocked(&self, client: ClientId, blocked: bool) {
        let now_ms = self.clock().now_ms();
        if let Some(connection) = self.table.borrow_mut().get_mut(client) {
            connection.blocked = blocked;
            connection.life.set_blocked(blocked, now_ms);
        }
        self.arm(client);
    }

    /// Everything of a client has left.
    fn sent(&self, client: ClientId) {
        let mut table = self.table.borrow_mut();
        let Some(connection) = table.get_mut(client) else {
            return;
        };
        connection.wake_drained();
        let end = connection.end_when_sent;
        drop(table);
        if end {
            self.end_sending(client);
        }
    }
}

/// Writes to one blocked socket until its outbox is empty.
async fn drain(sockets: Rc<Sockets>, client: ClientId, stream: Rc<Stream>) {
    let outcome = poll_fn(|cx| {
        let before = sockets.backlog(client);
        match sockets.write(client, &stream, cx) {
            Written::All => Poll::Ready(Ok(())),
            Written::Failed => Poll::Ready(Err(io::Error::from(io::ErrorKind::BrokenPipe))),
            Written::Blocked => {
                if sockets.backlog(client) < before {
                    sockets.set_blocked(client, true); // a byte moved: the stall begins anew
                }
                Poll::Pending
            }
        }
    })
    .await;
    sockets.set_blocked(client, false);
    match outcome {
        Ok(()) => sockets.sent(client),
        Err(_) => sockets.abort(client),
    }
}

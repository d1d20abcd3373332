//! The end of a turn: one write for each dirty socket, however many frames it holds.

use super::sockets::{Sockets, Stream};
use crate::conn::Table;
use crate::id::ClientId;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How a socket took what it was given.
enum Written {
    All,
    Blocked,
    Failed,
}

/// How long the writer keeps a shard to itself. With more to write than that, it lets the shard
/// look at its sockets in between, and what those looks bring up leaves before the rest: a ping
/// does not wait behind a channel of 100,000.
///
/// A look costs some ten microseconds, so this one per cent of the work is for it.
const SLICE: Duration = Duration::from_millis(1);

/// Writes between two looks at the clock: some forty microseconds of work for one of forty
/// nanoseconds.
const WRITES_PER_LOOK: usize = 16;

impl Sockets {
    /// Writes what has gathered, for at most a [`SLICE`]; says whether more waits. A socket that
    /// takes no more goes on in a task of its own, so that nobody else waits for it.
    ///
    /// Half of the time is for whoever had nothing to write before, the rest for those that were
    /// put off: neither keeps the other from the socket.
    pub fn flush(self: &Rc<Self>) -> bool {
        let begun = Instant::now();
        self.flush_until(begun + SLICE / 2, Table::next_dirty);
        self.flush_until(begun + SLICE, Table::next_late);
        self.table.borrow_mut().put_off()
    }

    fn flush_until(self: &Rc<Self>, end: Instant, next: fn(&mut Table) -> Option<ClientId>) {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            for _ in 0..WRITES_PER_LOOK {
                let client = next(&mut self.table.borrow_mut());
                let Some(client) = client else { return };
                self.flush_one(client, &mut cx);
            }
            if Instant::now() >= end {
                return;
            }
        }
    }

    fn flush_one(self: &Rc<Self>, client: ClientId, cx: &mut Context<'_>) {
        let Some(stream) = self.stream(client) else {
            return;
        };
        match self.write(client, &stream, cx) {
            Written::All => self.sent(client),
            Written::Failed => self.abort(client),
            Written::Blocked => {
                self.set_blocked(client, true);
                glommio::spawn_local(drain(Rc::clone(self), client, stream)).detach();
            }
        }
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

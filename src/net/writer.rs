//! The end of a turn: one send for each dirty socket, however many frames it holds, and one
//! system call for many sends.

use super::clock::Clock;
use super::send_ring::{NOT_SENT, SENDS_MAX, SendRing};
use super::sockets::Sockets;
use super::stream::Stream;
use super::tasks;
use crate::conn::Table;
use crate::id::ClientId;
use crate::limits::WRITE_JOIN_MAX;
use crate::metrics::Count;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How long the writer keeps a shard to itself. With more to write than that, it lets the shard
/// look at its sockets in between, and what those looks bring up leaves before the rest: a ping
/// does not wait behind a channel of 100,000.
///
/// A look costs microseconds, so this leaves nearly all of the time for writing. The clock is read
/// after each batch, so the time may be passed by one.
const SLICE: Duration = Duration::from_millis(1);

/// Joined bytes in one batch: more would leave the processor's cache before the kernel reads them.
const BATCH_BYTES: usize = 256 * 1024;

/// How many sends one takes the place of that is encrypted first, and leaves by a call of its own.
const ENCRYPTED: usize = 4;

/// Sends that are cheaper one by one than over the ring.
const FEW: usize = 4;

/// How sockets are written to, and the buffers for it.
#[derive(Debug)]
pub(super) struct Writer {
    ring: Option<SendRing>,
    batch: Vec<Send>,
    /// Frames that were joined for their sends.
    joined: Vec<u8>,
    results: Vec<i32>,
    again: Vec<ClientId>,
}

/// One send of a batch.
#[derive(Debug)]
struct Send {
    client: ClientId,
    socket: RawFd,
    /// Where its bytes are in `joined`; empty when the outbox holds one frame, sent as it lies.
    joined: Range<usize>,
}

/// How a socket took what it was given.
enum Written {
    All,
    Blocked,
    Failed,
}

impl Writer {
    /// With a ring, if it is wanted and can be had.
    pub(super) fn new(wants_ring: bool) -> Self {
        let ring = wants_ring.then(SendRing::new).and_then(|ring| {
            let complain = |error: &io::Error| {
                tracing::warn!(%error, "no ring for sends: one call for each");
            };
            ring.inspect_err(complain).ok()
        });
        Self {
            ring,
            batch: Vec::new(),
            joined: Vec::new(),
            results: Vec::new(),
            again: Vec::new(),
        }
    }

    /// Takes the next dirty connections. Those without a socket that takes bytes as they are go to
    /// `again` at once.
    fn fill(
        &mut self,
        table: &mut Table,
        socket: impl Fn(ClientId) -> Option<Option<RawFd>>,
        next: fn(&mut Table) -> Option<ClientId>,
    ) {
        self.batch.clear();
        let mut bytes = 0;
        while self.batch.len() + ENCRYPTED * self.again.len() < SENDS_MAX && bytes < BATCH_BYTES {
            let Some(client) = next(table) else { break };
            let (Some(connection), Some(socket)) = (table.get(client), socket(client)) else {
                continue; // it has gone since
            };
            let Some(socket) = socket else {
                bytes += connection.outbox().bytes().min(WRITE_JOIN_MAX);
                self.again.push(client);
                continue;
            };
            if connection.outbox().lone().is_empty() {
                bytes += connection.outbox().bytes().min(WRITE_JOIN_MAX);
            }
            let joined = 0..0;
            self.batch.push(Send {
                client,
                socket,
                joined,
            });
        }
    }

    /// Sends the batch as far as its sockets take it at once; `again` gets those that are not done
    /// with that. Says how many bytes they took.
    fn send(&mut self, table: &mut Table, clock: &Clock) -> u64 {
        self.results.clear();
        if self.batch.len() > FEW && self.ring.is_some() {
            self.join(table);
            self.send_over_ring(table);
        }
        self.settle(table, clock)
    }

    fn join(&mut self, table: &Table) {
        self.joined.clear();
        for send in &mut self.batch {
            let start = self.joined.len();
            if let Some(connection) = table.get(send.client)
                && connection.outbox().lone().is_empty()
            {
                connection.outbox().join(&mut self.joined);
            }
            send.joined = start..self.joined.len();
        }
    }

    fn send_over_ring(&mut self, table: &Table) {
        let Some(ring) = &mut self.ring else { return };
        let joined = &self.joined;
        let sends = self.batch.iter().map(|send| {
            let bytes = match send.joined.is_empty() {
                true => table.get(send.client).map(|c| c.outbox().lone()),
                false => Some(&joined[send.joined.clone()]),
            };
            (send.socket, bytes.unwrap_or_default())
        });
        if let Err(error) = ring.send(sends, &mut self.results) {
            tracing::error!(%error, "the ring for sends is lost: one call for each now");
            self.ring = None;
        }
    }

    /// Notes what has left. Whoever has more to send, or waits for having sent all, is looked at
    /// again: a socket that failed fails then too.
    fn settle(&mut self, table: &mut Table, clock: &Clock) -> u64 {
        self.results.resize(self.batch.len(), NOT_SENT);
        let mut sent = 0;
        for (send, result) in self.batch.iter().zip(&self.results) {
            let Some(mut outgoing) = table.outgoing(send.client) else {
                continue;
            };
            if let Ok(count) = usize::try_from(*result) {
                sent += count as u64;
                outgoing.advance(count, || clock.now_ms());
            }
            let connection = outgoing.connection;
            if !connection.outbox().is_empty() || connection.waits_for_empty() {
                self.again.push(send.client);
            }
        }
        sent
    }
}

impl Sockets {
    /// Writes what has gathered, for about a millisecond at most; says whether more waits. A
    /// socket that takes no more goes on in a task of its own, so that nobody else waits for it.
    ///
    /// Half of the time is for whoever had nothing to write before, the rest for those that were
    /// put off: neither keeps the other from the socket.
    pub fn flush(self: &Rc<Self>) -> bool {
        let begun = self.clock().instant();
        self.table.borrow_mut().forget_twins();
        self.flush_until(begun + SLICE / 2, Table::next_dirty);
        self.flush_until(begun + SLICE, Table::next_late);
        self.table.borrow_mut().put_off()
    }

    fn flush_until(self: &Rc<Self>, end: Instant, next: fn(&mut Table) -> Option<ClientId>) {
        while self.flush_batch(next) && self.clock().instant() < end {}
    }

    /// Writes to the next connections; says whether there may be more.
    fn flush_batch(self: &Rc<Self>, next: fn(&mut Table) -> Option<ClientId>) -> bool {
        let mut writer = self.writer.borrow_mut();
        let mut table = self.table.borrow_mut();
        let streams = self.streams.borrow();
        let socket = |client: ClientId| {
            let stream = streams.get(client.slot() as usize)?.as_ref()?;
            Some(stream.raw())
        };
        writer.fill(&mut table, socket, next);
        let has_more = !writer.batch.is_empty() || !writer.again.is_empty();
        let sent = writer.send(&mut table, self.clock());
        self.counters().add(Count::BytesSent, sent);
        drop(table);
        let mut again = std::mem::take(&mut writer.again);
        drop(writer);
        let mut cx = Context::from_waker(Waker::noop());
        for client in again.drain(..) {
            self.flush_one(client, &mut cx);
        }
        self.writer.borrow_mut().again = again;
        has_more
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
                tasks::spawn(drain(Rc::clone(self), client, stream));
            }
        }
    }

    fn write(&self, client: ClientId, stream: &Stream, cx: &mut Context<'_>) -> Written {
        let mut writer = self.writer.borrow_mut();
        let mut table = self.table.borrow_mut();
        let mark = table.mark();
        let Some(mut outgoing) = table.outgoing(client) else {
            return Written::Failed;
        };
        loop {
            let bytes = outgoing.connection.outbox().gather(&mut writer.joined);
            if bytes.is_empty() {
                return Written::All;
            }
            match stream.poll_write(cx, bytes) {
                Poll::Ready(Ok(0) | Err(_)) => return Written::Failed,
                Poll::Ready(Ok(count)) => {
                    self.counters().add(Count::BytesSent, count as u64);
                    outgoing.advance(count, || self.clock().now_ms());
                }
                Poll::Pending => {
                    if outgoing.connection.outbox().bytes() < mark {
                        outgoing.connection.wake();
                    }
                    return Written::Blocked;
                }
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
        connection.wake();
        let end = connection.end_when_sent;
        drop(table);
        if end {
            self.end_sending(client);
        }
    }

    fn end_sending(&self, client: ClientId) {
        if let Some(stream) = self.stream(client) {
            let mut cx = Context::from_waker(Waker::noop());
            if stream.poll_end(&mut cx).is_pending() {
                // The last word of TLS waits for the socket.
                tasks::spawn(async move { poll_fn(|cx| stream.poll_end(cx)).await });
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ShardId;
    use crate::ws::Frame;
    use rustix::io::Errno;
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    /// Connections with the same two frames each, and their sockets.
    fn crowd(count: usize) -> (Table, Vec<ClientId>, Vec<(UnixStream, UnixStream)>) {
        let mut table = Table::new(ShardId(0), 1000);
        let clients: Vec<_> = (0..count).map(|_| table.insert(0).unwrap()).collect();
        for client in &clients {
            table.push(*client, Frame::raw(b"first")).unwrap();
            table.push(*client, Frame::raw(b"second")).unwrap();
        }
        let pairs = (0..count).map(|_| UnixStream::pair().unwrap()).collect();
        (table, clients, pairs)
    }

    fn fill(writer: &mut Writer, table: &mut Table, pairs: &[(UnixStream, UnixStream)]) {
        let socket =
            |client: ClientId| Some(Some(pairs.get(client.slot() as usize)?.0.as_raw_fd()));
        writer.fill(table, socket, Table::next_dirty);
    }

    #[test]
    fn a_batch_leaves_whole_and_its_rest_is_looked_at_again() {
        const COUNT: usize = 10;
        let (mut table, clients, pairs) = crowd(COUNT);
        table.get_mut(clients[3]).unwrap().end_when_sent = true;
        table.remove(clients[5]);
        let mut writer = Writer::new(true);
        fill(&mut writer, &mut table, &pairs);
        writer.send(&mut table, &Clock::system());
        assert_eq!(writer.again, [clients[3]], "it ends now");
        for (index, (_, peer)) in pairs.iter().enumerate().filter(|(index, _)| *index != 5) {
            let mut got = [0; 11];
            (&*peer).read_exact(&mut got).unwrap();
            assert_eq!(&got, b"firstsecond", "{index}");
            assert!(table.get(clients[index]).unwrap().outbox().is_empty());
        }
    }

    #[test]
    fn what_a_lost_ring_has_sent_is_not_sent_again() {
        let (mut table, clients, pairs) = crowd(6);
        let mut writer = Writer::new(false);
        fill(&mut writer, &mut table, &pairs);
        // It broke off behind the fourth: all, a part, an error, nothing.
        let broken = -Errno::PIPE.raw_os_error();
        writer.results = vec![11, 7, broken, NOT_SENT];
        writer.settle(&mut table, &Clock::system());
        assert_eq!(writer.again, clients[1..]);
        let left = |at: usize| {
            let mut bytes = Vec::new();
            table.get(clients[at]).unwrap().outbox().join(&mut bytes);
            String::from_utf8(bytes).unwrap()
        };
        let all = "firstsecond";
        assert_eq!(
            [0, 1, 2, 3, 4, 5].map(left),
            ["", "cond", all, all, all, all]
        );
    }

    #[test]
    fn a_few_are_not_worth_the_ring() {
        let (mut table, clients, pairs) = crowd(FEW);
        let mut writer = Writer::new(true);
        fill(&mut writer, &mut table, &pairs);
        writer.send(&mut table, &Clock::system());
        assert_eq!(writer.again, clients);
        assert!(writer.joined.is_empty(), "nothing was joined in vain");
    }
}

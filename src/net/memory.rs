//! A connection that is no socket: two lanes of bytes on one thread, as wide as a socket's buffers.
//!
//! What a shard gets of it behaves as a TCP connection does: reads end when the peer has ended,
//! fail when it broke off, and writes wait while the peer does not read.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Bytes on their way to a peer that does not read: what the kernel holds for a socket, roughly.
pub const MEMORY_SOCKET_BYTES: usize = 64 * 1024;

/// The server's end. Dropping it closes the connection.
#[derive(Debug)]
pub struct Socket {
    line: Rc<Line>,
    peer: SocketAddr,
}

/// The peer's end. Dropping it closes the connection.
#[derive(Debug)]
pub struct Peer(Rc<Line>);

#[derive(Debug, Default)]
struct Line {
    to_server: Lane,
    to_peer: Lane,
    /// The peer broke off.
    broken: Cell<bool>,
    /// The server broke off.
    reset: Cell<bool>,
}

#[derive(Debug, Default)]
struct Lane {
    bytes: RefCell<VecDeque<u8>>,
    /// Nothing more is put in.
    ended: Cell<bool>,
    /// Nobody takes anything out any more.
    deaf: Cell<bool>,
    /// The server's task that waits for this lane.
    waker: RefCell<Option<Waker>>,
}

impl Lane {
    fn wake(&self) {
        let waker = self.waker.take();
        waker.into_iter().for_each(Waker::wake);
    }

    fn wait<T>(&self, cx: &mut Context<'_>) -> Poll<T> {
        *self.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Makes a connection; the server sees it come from `peer`.
#[must_use]
pub fn connection(peer: SocketAddr) -> (Socket, Peer) {
    let line: Rc<Line> = Rc::default();
    let server = Socket {
        line: Rc::clone(&line),
        peer,
    };
    (server, Peer(line))
}

impl Socket {
    pub(super) fn peer(&self) -> SocketAddr {
        self.peer
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.line.broken.get() {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        let lane = &self.line.to_server;
        let count = lane.bytes.borrow_mut().read(into)?;
        match count == 0 && !lane.ended.get() {
            true => lane.wait(cx),
            false => Poll::Ready(Ok(count)),
        }
    }

    pub(super) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let lane = &self.line.to_peer;
        if lane.ended.get() || lane.deaf.get() {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let mut waiting = lane.bytes.borrow_mut();
        let count = bytes.len().min(MEMORY_SOCKET_BYTES - waiting.len());
        if count == 0 && !bytes.is_empty() {
            return lane.wait(cx);
        }
        waiting.extend(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    pub(super) fn shutdown(&self, how: Shutdown) {
        if how != Shutdown::Write {
            let lane = &self.line.to_server;
            lane.bytes.take();
            lane.deaf.set(true);
            lane.ended.set(true);
            lane.wake();
        }
        if how != Shutdown::Read {
            self.line.to_peer.ended.set(true);
            self.line.to_peer.wake();
        }
    }

    /// Breaks the connection: what is on its way in either direction is lost, and the peer can
    /// tell that from an end.
    pub(super) fn break_off(&self) {
        self.line.reset.set(true);
        self.line.to_peer.bytes.take();
        self.shutdown(Shutdown::Both);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.shutdown(Shutdown::Both);
    }
}

impl Peer {
    /// Sends bytes. They wait, however many there are, until the server reads; once it has closed
    /// the connection they are dropped.
    pub fn send(&self, bytes: &[u8]) {
        let lane = &self.0.to_server;
        if !lane.ended.get() {
            lane.bytes.borrow_mut().extend(bytes);
            lane.wake();
        }
    }

    /// Bytes that were sent and that the server has not read yet.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.0.to_server.bytes.borrow().len()
    }

    /// Takes what has arrived, and makes room for more; says whether there was anything.
    pub fn receive(&self, into: &mut Vec<u8>) -> bool {
        let lane = &self.0.to_peer;
        let bytes = lane.bytes.take();
        if bytes.is_empty() {
            return false;
        }
        into.extend(bytes);
        lane.wake();
        true
    }

    /// Whether the server has ended its side, and all it sent was received.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let lane = &self.0.to_peer;
        lane.ended.get() && lane.bytes.borrow().is_empty()
    }

    /// Whether the server has broken the connection off.
    #[must_use]
    pub fn was_reset(&self) -> bool {
        self.0.reset.get()
    }

    /// Ends the sending side: the server reads what was sent, then the end.
    pub fn end_sending(&self) {
        self.0.to_server.ended.set(true);
        self.0.to_server.wake();
    }

    /// Breaks the connection: what is on its way in either direction is lost.
    pub fn break_off(&self) {
        self.0.broken.set(true);
        self.close();
        self.0.to_server.bytes.take();
        self.0.to_peer.ended.set(true);
    }

    fn close(&self) {
        self.end_sending();
        let lane = &self.0.to_peer;
        lane.bytes.take();
        lane.deaf.set(true);
        lane.wake();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> (Socket, Peer) {
        connection("127.0.0.1:1".parse().unwrap())
    }

    fn read(socket: &Socket) -> Poll<Result<Vec<u8>, ErrorKind>> {
        let mut into = [0; 8];
        let mut cx = Context::from_waker(Waker::noop());
        let read = socket.poll_read(&mut cx, &mut into);
        read.map_ok(|count| into[..count].to_vec())
            .map_err(|error| error.kind())
    }

    fn write(socket: &Socket, bytes: &[u8]) -> Poll<Result<usize, ErrorKind>> {
        let mut cx = Context::from_waker(Waker::noop());
        let written = socket.poll_write(&mut cx, bytes);
        written.map_err(|error| error.kind())
    }

    #[test]
    fn bytes_arrive_in_order_and_then_the_end() {
        let (socket, peer) = line();
        assert_eq!(read(&socket), Poll::Pending);
        peer.send(b"0123456789");
        assert_eq!(read(&socket), Poll::Ready(Ok(b"01234567".to_vec())));
        peer.end_sending();
        assert_eq!(peer.unread(), 2);
        assert_eq!(read(&socket), Poll::Ready(Ok(b"89".to_vec())));
        assert_eq!(read(&socket), Poll::Ready(Ok(Vec::new())));
        assert_eq!(write(&socket, b"still"), Poll::Ready(Ok(5)));
    }

    #[test]
    fn who_does_not_read_holds_the_server_up_at_a_sockets_buffer() {
        let (socket, peer) = line();
        let much = vec![b'x'; MEMORY_SOCKET_BYTES + 1];
        assert_eq!(write(&socket, &much), Poll::Ready(Ok(MEMORY_SOCKET_BYTES)));
        assert_eq!(write(&socket, b"x"), Poll::Pending);
        let mut got = Vec::new();
        assert!(peer.receive(&mut got) && !peer.receive(&mut got));
        assert_eq!(got.len(), MEMORY_SOCKET_BYTES);
        assert_eq!(write(&socket, b"x"), Poll::Ready(Ok(1)));
        socket.shutdown(Shutdown::Write);
        assert!(!peer.has_ended(), "one byte is on its way");
        assert!(peer.receive(&mut got) && peer.has_ended());
        assert_eq!(
            write(&socket, b"x"),
            Poll::Ready(Err(ErrorKind::BrokenPipe))
        );
    }

    #[test]
    fn a_broken_line_fails_and_a_closed_one_ends() {
        let (socket, peer) = line();
        peer.send(b"lost");
        peer.break_off();
        assert_eq!(read(&socket), Poll::Ready(Err(ErrorKind::ConnectionReset)));
        assert_eq!(
            write(&socket, b"x"),
            Poll::Ready(Err(ErrorKind::BrokenPipe))
        );
        let (socket, peer) = line();
        peer.send(b"last");
        drop(peer);
        assert_eq!(read(&socket), Poll::Ready(Ok(b"last".to_vec())));
        assert_eq!(read(&socket), Poll::Ready(Ok(Vec::new())));
        assert_eq!(
            write(&socket, b"x"),
            Poll::Ready(Err(ErrorKind::BrokenPipe))
        );
        let (socket, peer) = line();
        drop(socket);
        peer.send(b"to nobody");
        assert!(peer.has_ended() && peer.unread() == 0 && !peer.was_reset());
    }

    #[test]
    fn a_server_that_breaks_off_is_told_from_one_that_ends() {
        let (socket, peer) = line();
        assert_eq!(write(&socket, b"lost"), Poll::Ready(Ok(4)));
        socket.break_off();
        assert!(peer.was_reset() && peer.has_ended());
        assert!(!peer.receive(&mut Vec::new()));
        assert_eq!(read(&socket), Poll::Ready(Ok(Vec::new())));
    }
}

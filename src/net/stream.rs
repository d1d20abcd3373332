//! One connection's bytes: over TCP, or in memory.

use super::listener;
use super::memory;
use futures_lite::{AsyncRead, AsyncWrite};
use glommio::net::TcpStream;
use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// The server's end of a connection.
#[derive(Debug)]
pub struct Stream(Kind);

#[derive(Debug)]
enum Kind {
    /// Borrowed only while polled, never across a wait.
    Tcp(RefCell<TcpStream>),
    Memory(memory::Socket),
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self(Kind::Tcp(RefCell::new(stream)))
    }
}

impl From<memory::Socket> for Stream {
    fn from(socket: memory::Socket) -> Self {
        Self(Kind::Memory(socket))
    }
}

impl Stream {
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match &self.0 {
            Kind::Tcp(stream) => Pin::new(&mut *stream.borrow_mut()).poll_read(cx, into),
            Kind::Memory(socket) => socket.poll_read(cx, into),
        }
    }

    pub(super) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &self.0 {
            Kind::Tcp(stream) => Pin::new(&mut *stream.borrow_mut()).poll_write(cx, bytes),
            Kind::Memory(socket) => socket.poll_write(cx, bytes),
        }
    }

    /// The socket's number. One in memory has none: what is sent to this is refused, and goes by
    /// [`Stream::poll_write`] then.
    pub(super) fn raw(&self) -> RawFd {
        match &self.0 {
            Kind::Tcp(stream) => stream.borrow().as_raw_fd(),
            Kind::Memory(_) => -1,
        }
    }

    pub(super) fn peer_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Tcp(stream) => stream.borrow().peer_addr().ok(),
            Kind::Memory(socket) => Some(socket.peer()),
        }
    }

    pub(super) fn shutdown(&self, how: Shutdown) {
        match &self.0 {
            Kind::Tcp(stream) => {
                let stream = stream.borrow();
                let mut shutdown = std::pin::pin!(stream.shutdown(how));
                // Done on the first poll; an error says that the connection is gone already.
                let _ = shutdown
                    .as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()));
            }
            Kind::Memory(socket) => socket.shutdown(how),
        }
    }

    /// Makes the end a reset, once the stream is dropped: its peer cannot take it for one that was
    /// meant.
    pub(super) fn reset(&self) -> io::Result<()> {
        match &self.0 {
            Kind::Tcp(stream) => listener::reset(&stream.borrow()),
            Kind::Memory(socket) => {
                socket.break_off();
                Ok(())
            }
        }
    }
}

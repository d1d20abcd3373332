//! One connection's bytes: over TCP, or in memory, or over TLS above either.

use super::listener;
use super::memory;
use super::tls::Tls;
use futures_lite::{AsyncRead, AsyncWrite};
use glommio::net::TcpStream;
use rustls::ServerConfig;
use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// The server's end of a connection.
#[derive(Debug)]
pub struct Stream(Kind);

#[derive(Debug)]
enum Kind {
    /// Borrowed only while polled, never across a wait.
    Tcp(RefCell<TcpStream>),
    Memory(memory::Socket),
    /// Rare state: a connection in clear is not to pay for it.
    Tls(Box<Tls>),
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
    /// The server's side of TLS over this stream. [`Reader::agree`](super::Reader::agree) has to
    /// be awaited before anything else.
    ///
    /// # Errors
    /// When the library refuses what it is configured with.
    pub fn with_tls(self, config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Self(Kind::Tls(Box::new(Tls::new(self, config)?))))
    }

    #[cfg(test)]
    pub(super) fn tls(&self) -> Option<&Tls> {
        match &self.0 {
            Kind::Tls(tls) => Some(tls),
            Kind::Tcp(_) | Kind::Memory(_) => None,
        }
    }

    /// Whether it is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self.0, Kind::Tls(_))
    }

    /// Agrees on keys, where there is TLS.
    pub(super) fn poll_agree(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.0 {
            Kind::Tls(tls) => tls.poll_agree(cx),
            Kind::Tcp(_) | Kind::Memory(_) => Poll::Ready(Ok(())),
        }
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match &self.0 {
            Kind::Tcp(stream) => Pin::new(&mut *stream.borrow_mut()).poll_read(cx, into),
            Kind::Memory(socket) => socket.poll_read(cx, into),
            Kind::Tls(tls) => tls.poll_read(cx, into),
        }
    }

    pub(super) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &self.0 {
            Kind::Tcp(stream) => Pin::new(&mut *stream.borrow_mut()).poll_write(cx, bytes),
            Kind::Memory(socket) => socket.poll_write(cx, bytes),
            Kind::Tls(tls) => tls.poll_write(cx, bytes),
        }
    }

    /// The number of the socket that takes bytes as they are; `None` when they have to go by
    /// [`Stream::poll_write`].
    pub(super) fn raw(&self) -> Option<RawFd> {
        match &self.0 {
            Kind::Tcp(stream) => Some(stream.borrow().as_raw_fd()),
            Kind::Memory(_) | Kind::Tls(_) => None,
        }
    }

    /// Where the peer is.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Tcp(stream) => stream.borrow().peer_addr().ok(),
            Kind::Memory(socket) => Some(socket.peer()),
            Kind::Tls(tls) => tls.line().peer_addr(),
        }
    }

    /// Ends the sending side: the peer reads what was sent, then the end.
    pub(super) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.0 {
            Kind::Tcp(stream) => shutdown(stream, Shutdown::Write),
            Kind::Memory(socket) => socket.shutdown(Shutdown::Write),
            Kind::Tls(tls) => return tls.poll_end(cx),
        }
        Poll::Ready(())
    }

    /// Ends both directions at once.
    pub fn shutdown(&self) {
        match &self.0 {
            Kind::Tcp(stream) => shutdown(stream, Shutdown::Both),
            Kind::Memory(socket) => socket.shutdown(Shutdown::Both),
            Kind::Tls(tls) => tls.shutdown(),
        }
    }

    /// It is let go of: where a word says so, it is said now.
    pub(super) fn say_end(&self) {
        if let Kind::Tls(tls) = &self.0 {
            tls.say_end();
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
            Kind::Tls(tls) => tls.reset(),
        }
    }
}

fn shutdown(stream: &RefCell<TcpStream>, how: Shutdown) {
    let stream = stream.borrow();
    let mut shutdown = std::pin::pin!(stream.shutdown(how));
    // Done on the first poll; an error says that the connection is gone already.
    let _ = shutdown
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
}

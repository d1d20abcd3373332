//! A shard's own listener: made with every option we need, handed to glommio, accepted from at
//! a pace that failure cannot turn into a busy loop.
//!
//! Unsafe code; see docs/adr/0002-own-listener.md. glommio's own `bind`
//! fixes the backlog at 1024 and leaves out SO_REUSEADDR; its only way to take over a socket is
//! `from_raw_fd`, and it lends its own sockets by number only.

#![allow(
    unsafe_code,
    reason = "glommio takes over a listener only by its number: ADR 0002"
)]

use crate::tls::Store;
use glommio::net::{TcpListener, TcpStream};
use glommio::timer::sleep;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd};
use std::sync::Arc;
use std::time::Duration;

/// Ends a connection with a reset: its peer cannot take the end for one that was meant.
///
/// # Errors
/// When there is no connection any more.
pub(super) fn reset(stream: &TcpStream) -> io::Result<()> {
    // SAFETY: the number is that of an open socket, which `stream` keeps open for longer than this
    // borrow lasts.
    let socket = unsafe { BorrowedFd::borrow_raw(stream.as_raw_fd()) };
    Ok(rustix::net::connect_unspec(socket)?)
}

/// A listener, and what is shown to who connects there over TLS; without that it is in clear.
#[derive(Debug)]
pub struct Entrance {
    /// Where connections come from.
    pub listener: Listener,
    /// Certificates and keys.
    pub tls: Option<Arc<Store>>,
}

/// How listeners are made.
#[derive(Clone, Copy, Debug)]
pub struct ListenerOptions {
    /// Finished handshakes the kernel holds for us; more are retried by the client after 1 s.
    pub backlog: u32,
    /// Unacknowledged data older than this ends a connection (TCP_USER_TIMEOUT).
    pub user_timeout_ms: u32,
    /// Unsent bytes the kernel keeps for a socket before it takes no more (TCP_NOTSENT_LOWAT):
    /// a slow reader costs its outbox, not megabytes of kernel memory.
    pub notsent_lowat: u32,
    /// Bytes of the kernel's buffer for what is sent (SO_SNDBUF), unless it chooses by itself.
    pub send_buffer: Option<usize>,
    /// Same, for what is received (SO_RCVBUF).
    pub receive_buffer: Option<usize>,
}

impl Default for ListenerOptions {
    fn default() -> Self {
        Self {
            backlog: 4096,
            user_timeout_ms: 20_000,
            notsent_lowat: 16 * 1024,
            send_buffer: None,
            receive_buffer: None,
        }
    }
}

/// A bound socket that can move to its shard's thread.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
}

impl Listener {
    /// Binds and listens. Several listeners of one process share an address; the kernel spreads
    /// connections over them. Accepted sockets inherit the options.
    ///
    /// # Errors
    /// What the kernel says, such as an address in use.
    pub fn bind(address: SocketAddr, options: &ListenerOptions) -> io::Result<Self> {
        let socket = new_socket(address)?;
        socket.set_reuse_port(true)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_keepalive(true)?;
        socket.set_tcp_user_timeout(Some(Duration::from_millis(options.user_timeout_ms.into())))?;
        rustix::net::sockopt::set_tcp_keepidle(&socket, Duration::from_secs(60))?;
        socket.set_tcp_notsent_lowat(options.notsent_lowat)?;
        // Before there are connections: a window is agreed on as one begins.
        if let Some(bytes) = options.send_buffer {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = options.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(options.backlog).unwrap_or(i32::MAX))?;
        Ok(Self { socket })
    }

    /// Asks whether the address is free. SO_REUSEPORT would let two servers of one user share a
    /// port, each getting part of the other's clients: nobody wants that by accident.
    ///
    /// # Errors
    /// What the kernel says, such as an address in use.
    pub fn probe(address: SocketAddr) -> io::Result<()> {
        let socket = new_socket(address)?;
        socket.bind(&address.into())
    }

    /// Where it listens; tells the port that 0 became.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    /// What the kernel's buffers for sending and receiving hold: less than was asked for where
    /// net.core.wmem_max and net.core.rmem_max do not allow that.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn buffers(&self) -> io::Result<[usize; 2]> {
        // It counts its own bookkeeping, and doubles what it was asked for to have room for that.
        let [sent, received] = [
            self.socket.send_buffer_size()?,
            self.socket.recv_buffer_size()?,
        ];
        Ok([sent / 2, received / 2])
    }

    /// A second handle on the same socket, to end accepting from another thread.
    ///
    /// # Errors
    /// When no descriptor is left.
    pub fn handle(&self) -> io::Result<Socket> {
        self.socket.try_clone()
    }

    /// Hands the socket to the executor of the current thread.
    #[must_use]
    pub fn adopt(self) -> Acceptor {
        let fd = self.socket.into_raw_fd();
        // SAFETY: `fd` is a listening TCP socket that was owned by `self.socket` alone and has
        // just been given up by it, so glommio's listener becomes its only owner.
        let listener = unsafe { TcpListener::from_raw_fd(fd) };
        Acceptor {
            listener,
            pause: Duration::ZERO,
        }
    }
}

fn new_socket(address: SocketAddr) -> io::Result<Socket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

/// Accepts on the shard.
#[derive(Debug)]
pub struct Acceptor {
    listener: TcpListener,
    pause: Duration,
}

const PAUSE_FIRST: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_secs(1);

impl Acceptor {
    /// The next connection. Out of descriptors or memory, it waits 5 ms, doubling to 1 s, and
    /// tells `on_pause` each time; a connection that died in the queue is passed over.
    ///
    /// # Errors
    /// Only when the listener itself is finished: it was shut down.
    pub async fn accept(&mut self, mut on_pause: impl FnMut(&io::Error)) -> io::Result<TcpStream> {
        loop {
            let error = match self.listener.accept().await {
                Ok(stream) => {
                    self.pause = Duration::ZERO;
                    return Ok(stream);
                }
                Err(error) => io::Error::from(error),
            };
            if let Some(pause) = next_pause(&error, self.pause)? {
                on_pause(&error);
                self.pause = pause;
                sleep(pause).await;
            }
        }
    }
}

/// How long to wait after a failed accept: not at all for a connection that went away, ever
/// longer when something has run out.
fn next_pause(error: &io::Error, last: Duration) -> io::Result<Option<Duration>> {
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    const ENOMEM: i32 = 12;
    const ENOBUFS: i32 = 105;
    match error.raw_os_error() {
        Some(EMFILE | ENFILE | ENOMEM | ENOBUFS) => {
            Ok(Some((last * 2).clamp(PAUSE_FIRST, PAUSE_MAX)))
        }
        _ => match error.kind() {
            io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted => Ok(None),
            io::ErrorKind::InvalidInput => Err(io::ErrorKind::NotConnected.into()),
            _ => Ok(Some((last * 2).clamp(PAUSE_FIRST, PAUSE_MAX))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_at_a_second() {
        // F16: EMFILE comes back at once and for ever.
        let full = io::Error::from_raw_os_error(24);
        let mut pause = Duration::ZERO;
        let mut pauses = Vec::new();
        for _ in 0..10 {
            pause = next_pause(&full, pause).unwrap().unwrap();
            pauses.push(pause.as_millis());
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    }

    #[test]
    fn a_connection_that_died_in_the_queue_costs_no_pause() {
        let aborted = io::Error::from(io::ErrorKind::ConnectionAborted);
        assert_eq!(next_pause(&aborted, Duration::ZERO).unwrap(), None);
    }

    #[test]
    fn a_listener_that_was_shut_down_is_finished() {
        let error = io::Error::from_raw_os_error(22); // EINVAL
        assert!(next_pause(&error, Duration::ZERO).is_err());
    }

    #[test]
    fn a_taken_port_is_noticed() {
        let options = ListenerOptions::default();
        let taken = Listener::bind("127.0.0.1:0".parse().unwrap(), &options).unwrap();
        let error = Listener::probe(taken.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn two_listeners_share_a_port_at_once() {
        let options = ListenerOptions::default();
        let first = Listener::bind("127.0.0.1:0".parse().unwrap(), &options).unwrap();
        let address = first.local_addr().unwrap();
        let second = Listener::bind(address, &options).unwrap();
        assert_eq!(second.local_addr().unwrap(), address);
    }
}

//! A TCP connection, in clear or encrypted, whose reads end: with bytes, with the peer's end, or
//! with a failed test.

use super::machine;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// How long a test waits for something that must come.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Opens connections until the kernel has given one to the shard that is wanted; `open` gives those
/// of other shards back as `None`.
pub fn on_shard<C>(mut open: impl FnMut() -> Option<C>) -> C {
    const TRIES: usize = 200;
    (0..TRIES)
        .find_map(|_| open())
        .expect("the kernel spreads connections over all shards")
}

/// One connection and what was read from it too early.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    kept: Vec<u8>,
}

impl Wire {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("the server listens"))
    }

    /// Takes over a connected socket.
    pub fn over(stream: TcpStream) -> Self {
        let set = |done: io::Result<()>| done.expect("a socket takes its options");
        set(stream.set_nodelay(true));
        set(stream.set_read_timeout(Some(PATIENCE)));
        set(stream.set_write_timeout(Some(PATIENCE)));
        Self {
            stream,
            tls: None,
            kept: Vec::new(),
        }
    }

    /// Connects and speaks TLS, to a server of this name. Nothing is sent yet.
    pub fn encrypted(address: SocketAddr, config: &Arc<ClientConfig>, name: &str) -> Self {
        let mut wire = Self::connect(address);
        let name = ServerName::try_from(name.to_owned()).expect("it is a name");
        let tls = ClientConnection::new(Arc::clone(config), name).expect("TLS can be spoken");
        wire.tls = Some(Box::new(tls));
        wire
    }

    /// Agrees on keys; an error says why it does not come to that.
    pub fn agree(&mut self) -> io::Result<()> {
        let tls = self.tls.as_mut().expect("it is encrypted");
        while tls.is_handshaking() {
            tls.complete_io(&mut self.stream)?;
        }
        Ok(())
    }

    /// What is known of an encrypted connection.
    pub fn tls(&mut self) -> &mut ClientConnection {
        self.tls.as_mut().expect("it is encrypted")
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.stream.write_all(bytes),
            Some(tls) => {
                let mut stream = rustls::Stream::new(&mut **tls, &mut self.stream);
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.stream.read(into),
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.stream).read(into),
        }
    }

    /// The socket, before anything was read from it too early.
    pub fn into_stream(self) -> TcpStream {
        assert!(self.kept.is_empty(), "more was read: {}", self.seen());
        self.stream
    }

    /// The socket, for what is not done here.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.write_all(bytes.as_ref())
            .expect("the server takes bytes");
    }

    /// Sends as much as the server takes before it ends the connection.
    pub fn send_while_open(&mut self, bytes: &[u8]) {
        match self.write_all(bytes) {
            Ok(()) => {}
            Err(error) => assert!(
                matches!(
                    error.kind(),
                    ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
                ),
                "{error}"
            ),
        }
    }

    /// Ends the sending side and leaves the other one open.
    pub fn end_sending(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            while tls.wants_write() {
                tls.write_tls(&mut self.stream).expect("it is open");
            }
        }
        self.stream.shutdown(Shutdown::Write).expect("it is open");
    }

    /// Takes exactly so many bytes.
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        while self.kept.len() < count {
            assert!(
                self.more(),
                "the server ended in the middle of {}",
                self.seen()
            );
        }
        self.kept.drain(..count).collect()
    }

    /// Drops what was read too early; says how much that was.
    pub fn take_kept(&mut self) -> u64 {
        std::mem::take(&mut self.kept).len() as u64
    }

    /// Takes everything up to a mark, the mark included.
    pub fn take_to(&mut self, mark: &[u8]) -> Vec<u8> {
        loop {
            let found = self
                .kept
                .windows(mark.len())
                .position(|window| window == mark);
            if let Some(at) = found {
                return self.kept.drain(..at + mark.len()).collect();
            }
            assert!(
                self.more(),
                "the server ended in the middle of {}",
                self.seen()
            );
        }
    }

    /// Whether the server has ended; waits until that or a byte comes.
    pub fn has_ended(&mut self) -> bool {
        self.kept.is_empty() && !self.more()
    }

    /// Waits for the server's end, before which nothing more may come, and ends too.
    pub fn expect_end(&mut self) {
        assert!(self.has_ended(), "more than was expected: {}", self.seen());
        // Fails when the server has closed both directions at once: then there is nothing to end.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Whether the connection ends, by whatever means, after whatever words.
    pub fn ends_somehow(&mut self) -> bool {
        let mut sink = [0; 1024];
        loop {
            match self.read(&mut sink) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::ConnectionReset,
            }
        }
    }

    /// Whether the connection ends, or is reset, before another word.
    pub fn ends_in_silence(&mut self) -> bool {
        let ended = loop {
            match self.read(&mut [0; 64]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break error.kind() == ErrorKind::ConnectionReset,
                Ok(count) => break count == 0,
            }
        };
        ended && self.kept.is_empty()
    }

    /// Whether bytes, or the end, come within so many milliseconds.
    pub fn hears_within(&mut self, ms: u64) -> bool {
        if !self.kept.is_empty() {
            return true;
        }
        let limit = Some(Duration::from_millis(ms));
        self.stream
            .set_read_timeout(limit)
            .expect("a socket takes its options");
        let heard = loop {
            match self.stream.peek(&mut [0]) {
                Ok(_) => break true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break !is_timeout(&error),
            }
        };
        self.stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket takes its options");
        heard
    }

    /// Whether bytes, or the end, are there by now.
    pub fn hears_now(&self) -> bool {
        let set = |done: io::Result<()>| done.expect("a socket takes its options");
        set(self.stream.set_nonblocking(true));
        let heard = !matches!(self.stream.peek(&mut [0]), Err(error) if is_timeout(&error));
        set(self.stream.set_nonblocking(false));
        !self.kept.is_empty() || heard
    }

    /// Reads once; false at the server's end. A reset is a failure: it would cost the peer what
    /// was sent last.
    fn more(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        let mut stood_ms = machine::stood_ms();
        let count = loop {
            match self.read(&mut chunk) {
                Ok(count) => break count,
                // The executors of the server send signals to threads of this process.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The machine stood still meanwhile, and the server with it.
                Err(error) if is_timeout(&error) && machine::has_stood_since(stood_ms) => {
                    stood_ms = machine::stood_ms();
                }
                Err(error) => panic!("nothing came ({error}) after {}", self.seen()),
            }
        };
        self.kept.extend_from_slice(&chunk[..count]);
        count > 0
    }

    fn seen(&self) -> String {
        let shown = &self.kept[..self.kept.len().min(400)];
        format!("\"{}\"", shown.escape_ascii())
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

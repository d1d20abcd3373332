//! One connection of a load: connects, upgrades, subscribes, and from then on listens.
//!
//! It is driven by readiness and holds no buffer between two looks, unless a frame was cut.

use crate::frame;
use crate::target::Target;
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

/// What every client of a load says, written once.
#[derive(Debug)]
pub struct Speech {
    handshake: Vec<u8>,
    subscribe: Vec<u8>,
}

/// How far a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The connection is being made.
    Connecting,
    /// The handshake is out.
    Upgrading,
    /// The upgrade went through.
    Greeting,
    /// The subscription is out.
    Subscribing,
    /// Events come in.
    Subscribed,
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    stage: Stage,
    /// A frame whose end has not arrived, or half a response.
    kept: Vec<u8>,
}

impl Speech {
    /// For clients of one app that subscribe to one public channel.
    pub fn new(target: &Target, key: &str, channel: &str) -> Self {
        let handshake = format!(
            "GET /app/{key}?protocol=7&client=loadtest&version=0.1 HTTP/1.1\r\nHost: {}\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            target.host
        );
        let subscribe = serde_json::json!({
            "event": "pusher:subscribe",
            "data": { "channel": channel },
        });
        Self {
            handshake: handshake.into_bytes(),
            subscribe: frame::masked(frame::TEXT, subscribe.to_string().as_bytes()),
        }
    }
}

impl Client {
    /// Begins to connect, from `source` where one is given.
    pub fn connect(target: SocketAddr, source: Option<SocketAddr>) -> io::Result<Self> {
        let stream = match source {
            None => TcpStream::connect(target)?,
            Some(source) => {
                let domain = Domain::for_address(target);
                let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
                socket.set_nonblocking(true)?;
                socket.bind(&source.into())?;
                match socket.connect(&target.into()) {
                    Err(error) if error.raw_os_error() != Some(IN_PROGRESS) => return Err(error),
                    _ => TcpStream::from_std(socket.into()),
                }
            }
        };
        Ok(Self {
            stream,
            stage: Stage::Connecting,
            kept: Vec::new(),
        })
    }

    /// The socket, to be registered with a poll.
    pub fn source(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// How far it is.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Goes as far as the socket lets it.
    ///
    /// # Errors
    /// What the kernel says; the end of the stream, a refused upgrade, a close frame and a
    /// refused subscription are errors too.
    pub fn advance(&mut self, speech: &Speech, scratch: &mut [u8]) -> io::Result<()> {
        if self.stage == Stage::Connecting {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            match self.stream.peer_addr() {
                Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(()),
                outcome => outcome?,
            };
            self.say(&speech.handshake)?;
            self.stage = Stage::Upgrading;
        }
        loop {
            match self.stream.read(scratch) {
                Ok(0) => return Err(self.ended("the server ended the connection")),
                Ok(count) => self.take(&scratch[..count], speech)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&mut self, new: &[u8], speech: &Speech) -> io::Result<()> {
        let mut joined = std::mem::take(&mut self.kept);
        let mut bytes = new;
        if !joined.is_empty() {
            joined.extend_from_slice(new);
            bytes = &joined;
        }
        if self.stage == Stage::Upgrading {
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                self.kept = bytes.to_vec();
                return Ok(());
            };
            if !bytes.starts_with(b"HTTP/1.1 101 ") {
                let status = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
                return Err(self.ended(&format!("the upgrade was refused: {status:?}")));
            }
            bytes = &bytes[end + 4..];
            self.stage = Stage::Greeting;
        }
        while let Some(frame) = frame::take(&mut bytes) {
            self.hear(&frame, speech)?;
        }
        self.kept = bytes.to_vec();
        Ok(())
    }

    fn hear(&mut self, frame: &frame::Frame<'_>, speech: &Speech) -> io::Result<()> {
        let says = |event: &[u8]| {
            let mut windows = frame.payload.windows(event.len());
            frame.opcode == frame::TEXT && windows.any(|window| window == event)
        };
        match (frame.opcode, self.stage) {
            (frame::PING, _) => self.say(&frame::masked(frame::PONG, frame.payload))?,
            (frame::CLOSE, _) => return Err(self.ended("the server closed the connection")),
            (_, Stage::Greeting) if says(b"\"pusher:connection_established\"") => {
                self.say(&speech.subscribe)?;
                self.stage = Stage::Subscribing;
            }
            (_, Stage::Subscribing) if says(b"\"pusher_internal:subscription_succeeded\"") => {
                self.stage = Stage::Subscribed;
            }
            _ if says(b"\"pusher:error\"") || says(b"\"pusher:subscription_error\"") => {
                let text = String::from_utf8_lossy(frame.payload).into_owned();
                return Err(self.ended(&text));
            }
            _ => {}
        }
        Ok(())
    }

    /// What a load says is far shorter than what a socket takes at once.
    fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    fn ended(&self, why: &str) -> io::Error {
        io::Error::other(format!("{why} (while {:?})", self.stage))
    }
}

/// A connect that does not wait says so (EINPROGRESS).
const IN_PROGRESS: i32 = 115;

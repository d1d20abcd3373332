//! The connections of a load: opened, written to, closed. Reading is the turn's.

use super::clock::Clock;
use super::source::source;
use crate::target::Target;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::fmt;
use std::io::{self, ErrorKind, Write};

/// Which connection.
pub type SocketNo = u32;

/// Why a connection is no more.
#[derive(Debug)]
pub enum Ended {
    /// What the kernel says.
    Broken(io::Error),
    /// The server ended it without a word.
    Eof,
    /// What was said makes it useless.
    Said(String),
}

/// All connections, whichever load they belong to.
#[derive(Debug)]
pub struct Sockets {
    /// The time, for whoever writes.
    pub clock: Clock,
    pub(super) slots: Vec<Slot>,
    /// The load that is being asked: what it opens is its own.
    pub(super) load: u8,
    /// Connections whose write failed; the turn tells their loads.
    pub(super) broken: Vec<(SocketNo, io::Error)>,
    free: Vec<SocketNo>,
    dirty: Vec<SocketNo>,
    registry: Registry,
    target: Target,
    /// How many there may be at a time, for the choice of addresses.
    most: usize,
}

/// A place for a connection.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) stream: Option<TcpStream>,
    pub(super) load: u8,
    pub(super) member: u32,
    /// Grows with each connection that has the place, so that a late event is not taken for news.
    pub(super) generation: u32,
    /// Reads until the kernel is told again to acknowledge late.
    pub(super) reads: u8,
    /// The start of a frame or an answer whose end has not arrived.
    pub(super) kept: Vec<u8>,
    /// What the socket has not taken yet.
    unsent: Vec<u8>,
    dirty: bool,
}

impl Sockets {
    pub(super) fn new(registry: Registry, target: Target, most: usize) -> Self {
        Self {
            clock: Clock::start(),
            slots: Vec::new(),
            load: 0,
            broken: Vec::new(),
            free: Vec::new(),
            dirty: Vec::new(),
            registry,
            target,
            most,
        }
    }

    /// Begins to connect. What is written meanwhile goes out when it is connected.
    ///
    /// # Errors
    /// When the kernel refuses at once.
    pub fn open(&mut self, member: u32) -> io::Result<SocketNo> {
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as SocketNo
        });
        match self.connect(number) {
            Ok(stream) => {
                let slot = &mut self.slots[number as usize];
                slot.stream = Some(stream);
                slot.load = self.load;
                slot.member = member;
                slot.reads = ACKNOWLEDGE_LATE_FROM;
                slot.generation = slot.generation.wrapping_add(1);
                Ok(number)
            }
            Err(error) => {
                self.free.push(number);
                Err(error)
            }
        }
    }

    fn connect(&self, number: SocketNo) -> io::Result<TcpStream> {
        let target = self.target.address;
        let domain = Domain::for_address(target);
        let kind = Type::STREAM.nonblocking();
        let socket = Socket::new(domain, kind, Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        if let Some(source) = source(&self.target, number as usize, self.most)? {
            socket.bind(&source.into())?;
        }
        if let Err(error) = socket.connect(&target.into())
            && error.raw_os_error() != Some(IN_PROGRESS)
        {
            return Err(error);
        }
        let mut stream = TcpStream::from_std(socket.into());
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry
            .register(&mut stream, Token(number as usize), interest)?;
        Ok(stream)
    }

    /// Where to put what shall be written. All of one handler's words leave in one write.
    pub fn out(&mut self, number: SocketNo) -> &mut Vec<u8> {
        let slot = &mut self.slots[number as usize];
        if !slot.dirty {
            slot.dirty = true;
            self.dirty.push(number);
        }
        &mut slot.unsent
    }

    /// Ends a connection at once. Its load is not told.
    pub fn close(&mut self, number: SocketNo) {
        let slot = &mut self.slots[number as usize];
        if slot.stream.take().is_some() {
            slot.unsent = Vec::new();
            slot.kept = Vec::new();
            self.free.push(number);
        }
    }

    /// Writes what was put out.
    pub(super) fn flush(&mut self) {
        while let Some(number) = self.dirty.pop() {
            self.slots[number as usize].dirty = false;
            self.write(number);
        }
    }

    /// Writes as much as the socket takes.
    pub(super) fn write(&mut self, number: SocketNo) {
        let Slot { stream, unsent, .. } = &mut self.slots[number as usize];
        let Some(stream) = stream else {
            unsent.clear();
            return;
        };
        let mut done = 0;
        while done < unsent.len() {
            match stream.write(&unsent[done..]) {
                Ok(count) => done += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let waits = matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::NotConnected
                    );
                    if !waits {
                        self.broken.push((number, error));
                    }
                    break;
                }
            }
        }
        if done == unsent.len() {
            unsent.clear();
        } else {
            unsent.drain(..done);
        }
    }

    pub(super) fn has_unsent(&self, number: SocketNo) -> bool {
        !self.slots[number as usize].unsent.is_empty()
    }
}

impl Slot {
    /// Lets acknowledgements wait for company. Over loopback each of them costs its sender the
    /// server's half of TCP too, and they were a third of the load tester's time. The kernel
    /// forgets the wish when a connection was silent, so it is told again now and then.
    pub(super) fn acknowledge_late(&mut self) {
        self.reads = self.reads.wrapping_sub(1);
        if self.reads == 0
            && let Some(stream) = &self.stream
        {
            // A connection that does not take the wish is only dearer.
            let _ = SockRef::from(stream).set_tcp_quickack(false);
            self.reads = ACKNOWLEDGE_LATE_EVERY;
        }
    }
}

/// The read after which the kernel is told first: the handshake is over then.
const ACKNOWLEDGE_LATE_FROM: u8 = 3;

/// Reads between two times.
const ACKNOWLEDGE_LATE_EVERY: u8 = 64;

impl Ended {
    /// Something was said that ends it.
    pub fn said(text: impl Into<String>) -> Self {
        Self::Said(text.into())
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(error) => error.fmt(f),
            Self::Eof => f.write_str("the server ended the connection"),
            Self::Said(text) => f.write_str(text),
        }
    }
}

/// A connect that does not wait says so (EINPROGRESS).
const IN_PROGRESS: i32 = 115;

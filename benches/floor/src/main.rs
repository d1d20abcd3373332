//! The floor: the least program that makes the same sends as the server.
//!
//! One thread, one epoll, bare `send(2)`. It believes everything: no signature is checked, no
//! JSON parsed, no limit kept, no presence, no shards. A publish's `data` and `channel` are
//! spliced out of the request's bytes as they lie there and sent to each subscriber at once. What
//! a server costs beyond this is the price of its protocol and its design; what it costs less is
//! what joining frames is worth.
//!
//! Usage: `shardcast-floor PORT`. Serves `GET /app/...` upgrades and `POST /apps/...` requests of
//! shardcast-loadtest, and nobody else.

mod connection;
mod publish;

use connection::{Connection, Kind};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::collections::HashMap;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;

const LISTENER: u64 = u64::MAX;

/// Channels to the places of their subscribers.
type Channels = HashMap<Vec<u8>, Vec<usize>>;

struct Floor {
    epoll: OwnedFd,
    listener: TcpListener,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    channels: Channels,
    frame: Vec<u8>,
}

fn main() -> io::Result<()> {
    let port = std::env::args()
        .nth(1)
        .and_then(|port| port.parse().ok())
        .unwrap_or(6009);
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    listener.set_nonblocking(true)?;
    rustix::net::listen(&listener, 4096)?;
    rustix::net::sockopt::set_tcp_nodelay(&listener, true)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(
        &epoll,
        &listener,
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    println!("listening  ws://{}/app/<key>", listener.local_addr()?);
    let (connections, free) = (Vec::new(), Vec::new());
    let (channels, frame) = (Channels::new(), Vec::new());
    Floor {
        epoll,
        listener,
        connections,
        free,
        channels,
        frame,
    }
    .run()
}

impl Floor {
    fn run(mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(1024);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            events.clear();
            epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                None,
            )?;
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    place => self.read(place as usize, &mut buffer)?,
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        while let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true)?;
            let place = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let data = EventData::new_u64(place as u64);
            epoll::add(&self.epoll, &stream, data, EventFlags::IN)?;
            self.connections[place] = Some(Connection::new(stream));
        }
        Ok(())
    }

    fn read(&mut self, place: usize, buffer: &mut [u8]) -> io::Result<()> {
        let Some(connection) = self.connections[place].as_mut() else {
            return Ok(());
        };
        let count = match recv(&connection.stream, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((count, _)) => count,
            Err(rustix::io::Errno::AGAIN) => return Ok(()),
            Err(_) => 0,
        };
        if count == 0 {
            self.remove(place);
            return Ok(());
        }
        connection.input.extend_from_slice(&buffer[..count]);
        let mut input = std::mem::take(&mut connection.input);
        let mut used = 0;
        while let Some(step) = self.step(place, &mut input[used..]) {
            used += step;
        }
        input.drain(..used);
        if let Some(connection) = self.connections[place].as_mut() {
            connection.input = input;
        }
        Ok(())
    }

    /// Serves one request or message at the start of `input`; says how long it was.
    fn step(&mut self, place: usize, input: &mut [u8]) -> Option<usize> {
        let connection = self.connections[place].as_mut()?;
        if connection.kind == Kind::WebSocket {
            let (length, payload) = connection::message(input)?;
            if let Some(channel) = publish::string(payload, b"\"channel\":\"")
                && memchr::memmem::find(payload, b"pusher:subscribe").is_some()
            {
                self.channels
                    .entry(channel.to_vec())
                    .or_default()
                    .push(place);
                publish::succeeded(channel, &mut self.frame);
                write(&connection.stream, &self.frame);
            }
            return Some(length);
        }
        let head = memchr::memmem::find(input, b"\r\n\r\n")? + 4;
        if input.starts_with(b"GET /app/") {
            connection.kind = Kind::WebSocket;
            write(&connection.stream, &connection::accept(&input[..head]));
            return Some(head);
        }
        let length = head + connection::content_length(&input[..head]);
        let body = input.get(head..length)?;
        publish::frame(body, &mut self.frame);
        if let Some(channel) = publish::channel(body)
            && let Some(subscribers) = self.channels.get(channel)
        {
            for subscriber in subscribers {
                if let Some(subscriber) = &self.connections[*subscriber] {
                    write(&subscriber.stream, &self.frame);
                }
            }
        }
        let connection = self.connections[place].as_ref()?;
        write(&connection.stream, connection::ANSWER);
        Some(length)
    }

    fn remove(&mut self, place: usize) {
        self.connections[place] = None;
        self.free.push(place);
        for subscribers in self.channels.values_mut() {
            subscribers.retain(|subscriber| *subscriber != place);
        }
    }
}

/// A bare send. What a full socket does not take is lost, as nothing here is queued; the load
/// tester counts it.
fn write(stream: &TcpStream, bytes: &[u8]) {
    let sent = send(stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    if sent.is_ok_and(|sent| sent < bytes.len()) {
        eprintln!("a socket took part of a frame: what follows on it is nonsense");
    }
}

//! Fifty healthy clients on a channel of their own, with a publisher of their own: they write down
//! how long each event took, and see that none is missing or out of order.
//!
//! Events are due at fixed times, whatever the server does, and their time counts from there: a
//! server that stands still for a second is charged for all events that were due in that second.
//!
//! One thread reads for all of them, so that they cost the machine little.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this is a client: it has a tokio reactor, and no shard"
)]

use crate::support::pusher::{Client, Event};
use crate::support::rest::Rest;
use crate::support::websocket::{FIN, PONG, frame};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::task::JoinSet;

/// How many there are.
pub const BYSTANDERS: usize = 50;
/// From one event to the next.
const PACE: Duration = Duration::from_millis(10);
/// How long one waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);
const CHANNEL: &str = "bystanders";
/// Events that may be published before somebody looks.
const TICKS_MAX: usize = 4096;

/// One event as one of them got it.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// When it was due, since they began.
    pub at: Duration,
    /// From then to when it was received.
    pub took: Duration,
}

/// What they saw, and their connections, which are still open.
pub struct Seen {
    pub heard: Vec<Heard>,
    pub streams: Vec<TcpStream>,
}

/// All that one of them heard, and its connection; or what became of it instead.
type Listened = Result<(Vec<Heard>, TcpStream), String>;

/// All of them, at work.
pub struct Bystanders {
    start: Instant,
    listeners: JoinHandle<Vec<Listened>>,
    publisher: JoinHandle<usize>,
    ticks: Receiver<()>,
    stop: SyncSender<()>,
}

impl Bystanders {
    /// Connects them; `backend` publishes for them.
    pub fn start(address: SocketAddr, backend: Rest) -> Self {
        let start = Instant::now();
        let streams: Vec<TcpStream> = (0..BYSTANDERS)
            .map(|_| {
                let mut client = Client::connect(address, "app-key");
                client.subscribe(CHANNEL);
                client.ws.wire.into_stream()
            })
            .collect();
        let listeners = thread::spawn(move || listen_all(streams, start));
        let (to, ticks) = sync_channel(TICKS_MAX);
        let (stop, stopped) = sync_channel(1);
        let publisher = thread::spawn(move || publish(backend, start, &to, &stopped));
        Self {
            start,
            listeners,
            publisher,
            ticks,
            stop,
        }
    }

    /// The time since they began.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Waits until so many more events were published.
    pub fn wait(&self, events: usize) {
        self.ticks.try_iter().for_each(drop);
        for _ in 0..events {
            self.ticks
                .recv_timeout(PATIENCE)
                .expect("the bystanders' backend is served");
        }
    }

    /// Ends the publishing.
    pub fn end(self) -> Seen {
        self.stop.send(()).expect("the publisher waits for that");
        let events = self.publisher.join().expect("every event was taken");
        let ended = self.listeners.join().expect("every event arrived in order");
        let lost = ended.iter().filter_map(|one| one.as_ref().err());
        let lost: Vec<&String> = lost.collect();
        assert!(lost.is_empty(), "{} bystanders: {lost:?}", lost.len());
        let mut heard = Vec::new();
        let mut streams = Vec::new();
        for (own, stream) in ended.into_iter().flatten() {
            assert_eq!(own.len(), events, "each got every event");
            heard.extend(own);
            streams.push(stream);
        }
        Seen { heard, streams }
    }
}

/// Publishes each event when it is due, or as soon as the ones before it were taken; gives how many
/// there were.
fn publish(
    mut backend: Rest,
    start: Instant,
    ticks: &SyncSender<()>,
    stopped: &Receiver<()>,
) -> usize {
    let mut due = start.elapsed();
    for number in 0.. {
        let wait = due.saturating_sub(start.elapsed());
        if !matches!(stopped.recv_timeout(wait), Err(RecvTimeoutError::Timeout)) {
            backend.trigger(CHANNEL, "end", "");
            return number;
        }
        let data = format!("{number}:{}", due.as_nanos());
        backend.trigger(CHANNEL, "tick", &data);
        let _ = ticks.try_send(()); // nobody waits: it is not needed
        due += PACE;
    }
    unreachable!("it is told to stop")
}

fn listen_all(streams: Vec<TcpStream>, start: Instant) -> Vec<Listened> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    runtime.block_on(async {
        let mut all = JoinSet::new();
        for stream in streams {
            stream.set_nonblocking(true).unwrap();
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            all.spawn(listen(stream, start));
        }
        all.join_all().await
    })
}

/// Reads to the event `end`; whatever else than the events in their order is a failure.
async fn listen(stream: tokio::net::TcpStream, start: Instant) -> Listened {
    let mut heard: Vec<Heard> = Vec::new();
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let waited = tokio::time::timeout(PATIENCE, stream.ready(Interest::READABLE)).await;
        if !matches!(waited, Ok(Ok(_))) {
            return Err(format!("waits in vain after {} events", heard.len()));
        }
        match stream.try_read(&mut chunk) {
            Ok(0) => return Err(format!("closed after {} events", heard.len())),
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(format!("cut off: {error}")),
        }
        let now = start.elapsed();
        while let Some((first, payload)) = next_frame(&mut bytes) {
            match first {
                0x81 => {}
                0x89 => {
                    stream.try_write(&frame(FIN | PONG, &payload)).unwrap();
                    continue;
                }
                _ => panic!(
                    "a bystander was sent {first:#x}: {}",
                    payload.escape_ascii()
                ),
            }
            let event = Event::parse(std::str::from_utf8(&payload).unwrap());
            if event.name == "end" {
                return Ok((heard, stream.into_std().unwrap()));
            }
            let (number, at) = event.text().split_once(':').expect("the event's data");
            assert_eq!(number, heard.len().to_string(), "none lost, none twice");
            let at = Duration::from_nanos(at.parse().unwrap());
            let took = now.saturating_sub(at);
            heard.push(Heard { at, took });
        }
    }
}

/// Takes one frame of a server off the front: its first byte and its payload.
fn next_frame(bytes: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let short = *bytes.get(1)?;
    let (head, length) = match short {
        126 => (
            4,
            u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]).into(),
        ),
        short => (2, usize::from(short)),
    };
    if bytes.len() < head + length {
        return None;
    }
    let payload = bytes[head..head + length].to_vec();
    let first = bytes[0];
    bytes.drain(..head + length);
    Some((first, payload))
}

//! Many subscribers: one frame into every outbox, and whole walks of a message from the bytes that
//! came in to the bytes that sockets would be given.

use super::shards::{APP, Peer, Shards, masked};
use super::text::listing;
use super::{Amount, Subject};
use shardcast::conn::Table;
use shardcast::hub::Relay;
use shardcast::id::{ClientId, ShardId};
use shardcast::ws::Frame;
use shardcast::ws::deflate::Deflate;
use std::hint::black_box;

const CROWD: usize = 1_000;

pub fn add(subjects: &mut Vec<Subject>) {
    for frames in [1, 8] {
        let name = format!("fan-out/{frames}-to-1000-outboxes");
        let subject = Subject::new(name, move || outboxes(frames));
        subjects.push(subject.amount(Amount::Elements(frames * CROWD)));
    }
    let compressed = Subject::new("fan-out/1-to-1000-compressed", compressed);
    subjects.push(compressed.amount(Amount::Elements(CROWD)));
    subjects.push(Subject::new("walk/ping", ping));
    let compressed = Subject::new("walk/publish-compressed-to-1000", publish_compressed);
    subjects.push(compressed.amount(Amount::Elements(CROWD)));
    for count in [1, 2] {
        let name = |what| format!("walk/{what}-to-1000-on-{count}");
        let event = Subject::new(name("client-event"), move || client_event(count));
        let publish = Subject::new(name("publish"), move || publish(count));
        subjects.extend([event, publish].map(|subject| subject.amount(Amount::Elements(CROWD))));
    }
}

/// One frame into every outbox, then what a turn's end does with them, less the sockets.
fn outboxes(frames: usize) -> impl FnMut() {
    outboxes_of(frames, Frame::text(&[b'x'; 100]), None)
}

/// The same with a frame of a kilobyte that is compressed for each of them: once.
fn compressed() -> impl FnMut() {
    let frame = Frame::text(listing(1_000).as_bytes());
    outboxes_of(1, frame, Some(Deflate::default()))
}

fn outboxes_of(frames: usize, frame: Frame, deflate: Option<Deflate>) -> impl FnMut() {
    let mut table = Table::new(ShardId(0), 1 << 20);
    let clients: Vec<ClientId> = (0..CROWD).map(|_| table.insert(0).unwrap()).collect();
    for client in &clients {
        if let Some(settings) = deflate {
            table.set_deflate(*client, settings);
        }
    }
    let (mut scratch, mut full) = (Vec::new(), Vec::new());
    move || {
        table.forget_twins();
        for _ in 0..frames {
            let taken = table.push_all(clients.iter().copied(), &frame, &mut full);
            assert_eq!(taken, CROWD);
        }
        while let Some(client) = table.next_dirty() {
            let mut outgoing = table.outgoing(client).unwrap();
            let bytes = outgoing.connection.outbox().gather(&mut scratch);
            let count = black_box(bytes).len();
            outgoing.advance(count, || 0);
        }
    }
}

/// A client's frame, and the turn after it; gives the bytes that sockets were given.
struct Walk {
    shards: Shards,
    sender: Peer,
    frame: Vec<u8>,
    buffer: Vec<u8>,
}

impl Walk {
    fn new(mut shards: Shards, channel: &str, text: &str) -> Self {
        let sender = shards.subscriber(0, 1, channel);
        let frame = masked(0x81, text.as_bytes());
        let buffer = frame.clone();
        Self {
            shards,
            sender,
            frame,
            buffer,
        }
    }

    fn step(&mut self) -> usize {
        self.buffer.copy_from_slice(&self.frame);
        self.shards.say(&mut self.sender, &mut self.buffer);
        self.shards.turn()
    }
}

fn ping() -> impl FnMut() {
    let text = r#"{"event":"pusher:ping","data":{}}"#;
    let mut walk = Walk::new(Shards::new(1), "news", text);
    move || assert_ne!(walk.step(), 0, "it is answered")
}

/// So many shards with the crowd spread over them.
fn crowd(count: u16, channel: &str) -> Shards {
    let mut shards = Shards::new(count);
    for number in 0..CROWD as u32 {
        shards.subscriber((number % u32::from(count)) as u16, number + 10, channel);
    }
    shards
}

fn client_event(count: u16) -> impl FnMut() {
    let text = r#"{"event":"client-move","channel":"private-room","data":{"x":10,"y":[1,2,3]}}"#;
    let mut walk = Walk::new(crowd(count, "private-room"), "private-room", text);
    move || assert!(walk.step() > CROWD, "everybody gets it")
}

fn publish(count: u16) -> impl FnMut() {
    publish_of(crowd(count, "news"), r#"{"title":"small"}"#.to_owned())
}

/// A kilobyte to a crowd that is sent compressed messages.
fn publish_compressed() -> impl FnMut() {
    let mut shards = Shards::new(1);
    for number in 0..CROWD as u32 {
        let mut peer = shards.subscriber(0, number + 10, "news");
        shards.compress(&mut peer);
    }
    publish_of(shards, listing(1_000))
}

fn publish_of(mut shards: Shards, data: String) -> impl FnMut() {
    move || {
        let relay = Relay {
            app: APP,
            channel: "news",
            event: "headline",
            data: &data,
            user_id: None,
            except: None,
        };
        shards.publish(0, relay);
        assert!(shards.turn() > CROWD, "everybody gets it");
    }
}

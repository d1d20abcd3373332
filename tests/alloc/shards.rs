//! Shards without sockets: decoder, parser, hub, mesh and outboxes are the real ones; what a
//! socket would be given is counted and dropped.

use shardcast::app::App;
use shardcast::conn::{Table, Turn};
use shardcast::crossing::ToShard;
use shardcast::hub::{AppTable, Effect, Hub, Note, Options, Relay};
use shardcast::id::{AppSlot, ClientId, ShardId, SocketId};
use shardcast::mesh::{SharedPort, mesh};
use shardcast::protocol::Parser;
use shardcast::protocol::auth::Signer;
use shardcast::ws::deflate::{Deflate, Inflater};
use shardcast::ws::{Decoder, Frame, Received};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Waker};

/// The one app.
pub const APP: AppSlot = AppSlot(0);
/// Its credentials.
pub const KEY: &str = "app-key";
pub const SECRET: &str = "app-secret";
/// Bytes that may wait for one client.
const OUTBOX_BYTES: usize = 1 << 20;

/// Some shards and the mesh between them.
pub struct Shards {
    shards: Vec<Shard>,
}

struct Shard {
    parser: Parser,
    state: State,
}

struct State {
    hub: Hub,
    table: Table,
    mesh: SharedPort,
    effects: Vec<Effect>,
    own: VecDeque<Note>,
    inbox: Vec<(ShardId, ToShard)>,
    scratch: Vec<u8>,
    inflater: Rc<Inflater>,
    /// Bytes that sockets were given.
    sent: usize,
}

/// A client and what its connection remembers between two reads.
pub struct Peer {
    pub id: ClientId,
    pub socket_id: SocketId,
    decoder: Decoder,
}

impl Shards {
    /// Shards with one app, which has client events without a limit on their rate.
    pub fn new(count: u16) -> Self {
        let mut app = App::new("1001", KEY, SECRET);
        app.client_events = true;
        app.client_events_per_second = None;
        app.presence_members = 10_000;
        let apps = Rc::new(AppTable::new([app]));
        let shards = mesh(count, 1024).into_iter().map(|port| {
            let shard = port.shard();
            let options = Options::new(shard, count, [1, 2]);
            let state = State {
                hub: Hub::new(options, Rc::clone(&apps)),
                table: Table::new(shard, OUTBOX_BYTES),
                mesh: port.share(Rc::new(Turn::default())),
                effects: Vec::new(),
                own: VecDeque::new(),
                inbox: Vec::new(),
                scratch: Vec::new(),
                inflater: Rc::default(),
                sent: 0,
            };
            let parser = Parser::default();
            Shard { parser, state }
        });
        Self {
            shards: shards.collect(),
        }
    }

    /// A client of a shard.
    pub fn open(&mut self, shard: u16, number: u32) -> Peer {
        let at = &mut self.shards[usize::from(shard)].state;
        let id = at.table.insert(0).unwrap();
        let socket_id = SocketId::new(ShardId(shard), number, number.into());
        at.hub.open(id, APP, socket_id, false, &mut Vec::new());
        let decoder = Decoder::new(64 * 1024);
        Peer {
            id,
            socket_id,
            decoder,
        }
    }

    /// From now on a client of this shard sends and is sent compressed messages.
    pub fn compress(&mut self, peer: &mut Peer) {
        let state = &mut self.shards[peer.id.shard().index()].state;
        state.table.set_deflate(peer.id, Deflate::default());
        let inflater = Rc::clone(&state.inflater);
        peer.decoder = Decoder::new(64 * 1024).inflating(inflater);
    }

    /// A client that is subscribed to a channel: as a member of its own where that is needed.
    pub fn subscriber(&mut self, shard: u16, number: u32, channel: &str) -> Peer {
        let mut peer = self.open(shard, number);
        let member = channel
            .starts_with("presence-")
            .then(|| format!("{{\"user_id\":\"{number}\"}}"));
        let mut data = serde_json::json!({ "channel": channel });
        if channel.contains('-') {
            let socket_id = peer.socket_id.to_string();
            let mut parts = vec![socket_id.as_bytes(), b":", channel.as_bytes()];
            if let Some(member) = &member {
                parts.extend([b":".as_slice(), member.as_bytes()]);
                data["channel_data"] = member.as_str().into();
            }
            let signature = Signer::new(SECRET).sign(&parts);
            data["auth"] = format!("{KEY}:{signature}").into();
        }
        let frame = serde_json::json!({ "event": "pusher:subscribe", "data": data });
        self.say(&mut peer, &mut masked(0x81, frame.to_string().as_bytes()));
        self.turn();
        peer
    }

    /// Bytes that came in from a client, as one read. They are scrambled.
    pub fn say(&mut self, peer: &mut Peer, bytes: &mut [u8]) {
        let Shard { parser, state } = &mut self.shards[peer.id.shard().index()];
        let mut rest = bytes;
        while let Some(received) = peer.decoder.next(&mut rest).unwrap() {
            match received {
                Received::Text(text) => {
                    let command = parser.parse(text);
                    state.drive(|hub, effects| hub.command(peer.id, command, 0, |_| true, effects));
                }
                Received::Ping(payload) => {
                    state.table.push(peer.id, Frame::pong(payload)).unwrap();
                }
                Received::Pong => {}
                other => panic!("no test sends {other:?}"),
            }
        }
    }

    /// An event that came in on a shard by way of the REST API.
    pub fn publish(&mut self, shard: u16, relay: Relay<'_>) {
        let state = &mut self.shards[usize::from(shard)].state;
        state.drive(|hub, effects| hub.publish(relay, effects));
    }

    /// Ends turns on all shards until nothing moves between them; gives the bytes that sockets
    /// were given meanwhile.
    pub fn turn(&mut self) -> usize {
        let before = self.sent();
        loop {
            self.states().for_each(State::end_turn);
            let moved = self.states().filter_map(State::receive).count();
            if moved == 0 {
                return self.sent() - before;
            }
        }
    }

    fn states(&mut self) -> impl Iterator<Item = &mut State> {
        self.shards.iter_mut().map(|shard| &mut shard.state)
    }

    fn sent(&self) -> usize {
        self.shards.iter().map(|shard| shard.state.sent).sum()
    }
}

impl State {
    /// As the Pusher application does it.
    fn drive(&mut self, call: impl FnOnce(&mut Hub, &mut Vec<Effect>)) {
        call(&mut self.hub, &mut self.effects);
        loop {
            self.carry_out();
            let Some(note) = self.own.pop_front() else {
                break;
            };
            let shard = self.mesh.shard();
            self.hub.receive(shard, note, &mut self.effects);
        }
    }

    fn carry_out(&mut self) {
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Send { client, frame } => self.table.push(client, frame).unwrap(),
                Effect::Fanout {
                    channel,
                    frame,
                    except,
                } => {
                    let (hub, mut full) = (&self.hub, Vec::new());
                    let subscribers = hub.subscribers(channel).iter().map(|it| it.client);
                    // As the server does it: those without an exception are not looked at.
                    match except {
                        None => self.table.push_all(subscribers, &frame, &mut full),
                        Some(_) => {
                            let others = subscribers.filter(|it| hub.socket_id(*it) != except);
                            self.table.push_all(others, &frame, &mut full)
                        }
                    };
                    assert!(full.is_empty(), "there is room");
                }
                Effect::Post { to, note } if to == self.mesh.shard() => self.own.push_back(note),
                Effect::Post { to, note } => self.mesh.send(to, ToShard::Hub(note)),
                other => panic!("no test leads to {other:?}"),
            }
        }
    }

    fn end_turn(&mut self) {
        if self.hub.has_turn_work() {
            self.drive(Hub::end_turn);
        }
        self.table.forget_twins();
        while let Some(client) = self.table.next_dirty() {
            let mut outgoing = self.table.outgoing(client).unwrap();
            loop {
                let count = outgoing.connection.outbox().gather(&mut self.scratch).len();
                if count == 0 {
                    break;
                }
                outgoing.advance(count, || 0);
                self.sent += count;
            }
        }
        self.mesh.end_turn();
    }

    fn receive(&mut self) -> Option<()> {
        let mut inbox = std::mem::take(&mut self.inbox);
        let mut cx = Context::from_waker(Waker::noop());
        let came = self.mesh.poll_receive(&mut cx, 256, &mut inbox).is_ready();
        for (from, message) in inbox.drain(..) {
            match message {
                ToShard::Hub(note) => self.drive(|hub, effects| hub.receive(from, note, effects)),
                other => panic!("no test leads to {other:?}"),
            }
        }
        self.inbox = inbox;
        came.then_some(())
    }
}

/// A frame as a client sends it.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut frame = vec![first];
    match u16::try_from(payload.len()).unwrap() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b));
    frame
}

//! The channel index of a shard that has few, many and very many channels.
//!
//! One shard: what it tells the home of a channel, it tells itself. Each channel that is there has
//! a subscriber of its own; a visitor comes and goes.

use super::Subject;
use super::shards::{APP, KEY, SECRET};
use shardcast::app::App;
use shardcast::hub::{AppTable, Effect, Hub, Note, Options};
use shardcast::id::{ClientId, ShardId, SocketId};
use shardcast::protocol::Command;
use shardcast::protocol::command::Subscribe;
use std::collections::VecDeque;
use std::hint::black_box;
use std::rc::Rc;

const SHARD: ShardId = ShardId(0);
/// Steps go from channel to channel, by a stride that leads to all of them.
const STRIDE: usize = 7_919;

pub fn add(subjects: &mut Vec<Subject>) {
    for (size, channels) in [("10", 10), ("1k", 1_000), ("100k", 100_000)] {
        let named = |what| format!("index/{what}-{size}");
        subjects.extend([
            Subject::new(named("find"), move || find(channels)),
            Subject::new(named("new-channel"), move || new_channel(channels)),
            Subject::new(named("known-channel"), move || known_channel(channels)),
        ]);
    }
}

/// A channel is found by its name; nothing comes of it, since the visitor is not in it.
fn find(channels: usize) -> impl FnMut() {
    let mut shard = Shard::new(channels);
    let mut at = 0;
    move || {
        at = (at + STRIDE) % channels;
        let channel = &shard.names[at];
        let leave = Ok(Command::Unsubscribe { channel });
        let hub = &mut shard.hub;
        hub.command(shard.visitor, leave, 0, |_| true, &mut shard.effects);
        assert!(shard.effects.is_empty());
    }
}

/// Subscribe and unsubscribe where nobody else is: the channel is made and freed, here and at its
/// home.
fn new_channel(channels: usize) -> impl FnMut() {
    let mut shard = Shard::new(channels);
    move || shard.visit("a-channel-of-its-own")
}

/// Subscribe and unsubscribe where somebody else is.
fn known_channel(channels: usize) -> impl FnMut() {
    let mut shard = Shard::new(channels);
    let mut at = 0;
    move || {
        at = (at + STRIDE) % channels;
        let channel = shard.names[at].clone();
        shard.visit(&channel);
    }
}

struct Shard {
    hub: Hub,
    names: Vec<Rc<str>>,
    visitor: ClientId,
    effects: Vec<Effect>,
    own: VecDeque<Note>,
    /// Effects other than notes.
    told: usize,
}

impl Shard {
    fn new(channels: usize) -> Self {
        let options = Options::new(SHARD, 1, [1, 2]);
        let apps = Rc::new(AppTable::new([App::new("1001", KEY, SECRET)]));
        let mut shard = Self {
            hub: Hub::new(options, apps),
            names: (0..channels)
                .map(|number| format!("channel-{number}").into())
                .collect(),
            visitor: ClientId::new(SHARD, 0, 0),
            effects: Vec::new(),
            own: VecDeque::new(),
            told: 0,
        };
        shard.open(0);
        for number in 0..channels {
            let client = shard.open(number as u32 + 1);
            let channel = Rc::clone(&shard.names[number]);
            shard.subscribe(client, &channel);
            shard.drive(Hub::end_turn);
        }
        shard
    }

    fn open(&mut self, number: u32) -> ClientId {
        let client = ClientId::new(SHARD, 0, number);
        let socket_id = SocketId::new(SHARD, number, number.into());
        self.hub
            .open(client, APP, socket_id, false, &mut self.effects);
        client
    }

    fn subscribe(&mut self, client: ClientId, channel: &str) {
        let subscribe = Command::Subscribe(Subscribe {
            channel,
            auth: None,
            channel_data: None,
        });
        self.drive(|hub, effects| hub.command(client, Ok(subscribe), 0, |_| true, effects));
    }

    /// The visitor comes and goes, each in a turn of its own.
    fn visit(&mut self, channel: &str) {
        let told = self.told;
        let visitor = self.visitor;
        self.subscribe(visitor, black_box(channel));
        self.drive(Hub::end_turn);
        let leave = Command::Unsubscribe { channel };
        self.drive(|hub, effects| hub.command(visitor, Ok(leave), 0, |_| true, effects));
        self.drive(Hub::end_turn);
        assert_eq!(self.told, told + 1, "the visitor was let in");
    }

    fn drive(&mut self, call: impl FnOnce(&mut Hub, &mut Vec<Effect>)) {
        call(&mut self.hub, &mut self.effects);
        loop {
            for effect in self.effects.drain(..) {
                match effect {
                    Effect::Post { note, .. } => self.own.push_back(note),
                    other => {
                        black_box(other);
                        self.told += 1;
                    }
                }
            }
            let Some(note) = self.own.pop_front() else {
                return;
            };
            self.hub.receive(SHARD, note, &mut self.effects);
        }
    }
}

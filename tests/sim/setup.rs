//! The circumstances of one run, drawn from its seed: shards, apps, channels, users, limits, moods.

use crate::model::{Channel, Model};
use crate::rng::Rng;
use crate::user::own_channel;
use shardcast::app::{App, Webhook, WebhookKind};
use shardcast::hub::{AppTable, Hub, Options};
use shardcast::id::{AppSlot, ShardId};
use std::rc::Rc;

/// Every kind of name: encrypted ones are the same to the hub as those without.
const NAMES: [&str; 12] = [
    "news",
    "sport",
    "cache-weather",
    "private-a",
    "private-b",
    "private-cache-c",
    "private-encrypted-d",
    "private-encrypted-cache-e",
    "presence-r",
    "presence-s",
    "presence-cache-t",
    "presence-u=@,.;_-",
];

/// Most bytes of a member's info in these runs.
pub const MEMBER_BYTES: usize = 32;
/// Most bytes of an event's text in these runs.
pub const DATA_BYTES: usize = 64;

/// What stays as it is through one run.
#[derive(Clone, Debug)]
pub struct Setup {
    /// How many shards.
    pub shards: u16,
    /// How many apps.
    pub apps: u32,
    /// The names in use; every app has a channel of each.
    pub names: Vec<&'static str>,
    /// How many different users take part.
    pub users: u64,
    /// How many different users sign in.
    pub signed_in: u64,
    /// Milliseconds for which a user that is gone is still online.
    pub flap_ms: u64,
    /// Channels one connection may have.
    pub channels_per_connection: usize,
    /// Key of the channels' hash: decides who is home of what.
    pub hash_key: [u64; 2],
    /// How often in a hundred a turn ends right after an input.
    pub ends_at_once: u64,
    /// How often in a hundred a client event finds no room.
    pub no_room: u64,
    /// Connections that the crowd tends to.
    pub crowd: usize,
    /// Microseconds between two actions, at most.
    pub pause_us: u64,
    /// Rounds of actions, with a rest after each.
    pub rounds: u64,
    /// Actions in a round.
    pub actions: u64,
    /// The first generation of every slot.
    pub generation: u32,
    /// Notes that one link between two shards has room for.
    pub slots: usize,
    /// After how many of a hundred notes somebody is cut off.
    pub cuts: u64,
    /// Weights of the actions: connect, leave, subscribe, unsubscribe, publish, say, ask, something
    /// odd, end a turn, sign in, terminate, a storm of joins and leaves, all of a shard gone.
    pub mood: [u64; 13],
}

impl Setup {
    /// Draws the circumstances.
    pub fn draw(rng: &mut Rng) -> Self {
        let shards = rng.between(1, 5) as u16;
        let count = rng.between(1, 4);
        let mut names: Vec<&str> = (0..count).map(|_| *rng.pick(&NAMES)).collect();
        if rng.chance(50) {
            names.push("presence-r"); // half of the difficulties are there
        }
        names.sort_unstable();
        names.dedup();
        let mut mood = [10, 8, 60, 20, 24, 12, 2, 3, 12, 12, 1, 1, 1];
        for weight in &mut mood {
            *weight = *weight * rng.between(1, 4) / 2;
        }
        Self {
            shards,
            apps: *rng.pick(&[1, 1, 2]),
            names,
            users: rng.between(2, 8),
            signed_in: rng.between(1, 3),
            flap_ms: *rng.pick(&[0, 1, 20, 3_000]),
            channels_per_connection: rng.between(1, 6) as usize,
            hash_key: [rng.next(), rng.next()],
            ends_at_once: *rng.pick(&[100, 100, 60, 20, 0]),
            no_room: *rng.pick(&[0, 0, 20]),
            crowd: rng.between(3, 24) as usize,
            pause_us: *rng.pick(&[0, 10, 300, 5_000, 100_000]),
            rounds: rng.between(2, 3),
            actions: rng.between(40, 200),
            generation: *rng.pick(&[0, shardcast::id::ClientId::generation_mask() - 1]),
            slots: *rng.pick(&[1, 1, 2, 4, 512]),
            cuts: *rng.pick(&[0, 0, 1, 5]),
            mood,
        }
    }

    /// The apps: one that is open to all, and one with tight limits.
    pub fn app_table(&self, rng: &mut Rng) -> Rc<AppTable> {
        let apps = (0..self.apps).map(|number| {
            let mut app = App::new(format!("{number}"), format!("key-{number}"), "tell nobody");
            app.client_events = true;
            app.client_events_per_second = None;
            app.event_data_bytes = DATA_BYTES;
            app.presence_members = rng.between(1, 6) as usize;
            app.presence_member_bytes = MEMBER_BYTES;
            app.watchlist = rng.chance(60);
            app.terminate_presence_members = rng.chance(30);
            app.webhooks.push(Webhook {
                events: WebhookKind::ALL.to_vec(),
                trusted: rng.chance(20),
                ..Webhook::new("http://127.0.0.1/")
            });
            app.cache_ttl_s = *rng.pick(&[1, 1_800]);
            app.subscription_count = rng.chance(50);
            app.strict_subscribe = rng.chance(15);
            if number == 1 || rng.chance(20) {
                app.max_connections = Some(rng.between(1, 10) as u32);
                app.client_events_per_second = Some(2);
                app.allow_client_events_on_public = rng.chance(50);
            }
            app
        });
        Rc::new(AppTable::new(apps))
    }

    /// The hubs, one a shard.
    pub fn hubs(&self, apps: &Rc<AppTable>) -> Vec<Hub> {
        let hub = |shard| {
            let options = Options {
                channels_per_connection: self.channels_per_connection,
                flap_ms: self.flap_ms,
                ..Options::new(ShardId(shard), self.shards, self.hash_key)
            };
            Hub::new(options, Rc::clone(apps))
        };
        (0..self.shards).map(hub).collect()
    }

    /// A model of all channels, empty.
    pub fn model(&self, table: &AppTable) -> Model {
        let shards = usize::from(self.shards);
        let apps = (0..self.apps).map(AppSlot);
        let channels = apps.flat_map(|app| {
            let names = self.names.iter().map(|name| (*name).to_owned());
            let users = (0..self.signed_in).map(|number| own_channel(&format!("s{number}")));
            let names = names.chain(users);
            names.map(move |name| Channel::new(app, &name, shards))
        });
        let (events, places) = (Vec::new(), vec![0; self.apps as usize]);
        let settings = || (0..self.apps).map(|app| &table.get(AppSlot(app)).app);
        Model {
            channels: channels.collect(),
            events,
            places,
            ttl_ms: settings()
                .map(|app| 1_000 * u64::from(app.cache_ttl_s))
                .collect(),
            counts: settings().map(|app| app.subscription_count).collect(),
            misses: 0,
        }
    }
}

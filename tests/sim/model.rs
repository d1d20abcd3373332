//! What should be: each channel's order and members, and each app's places, as plain lists.
//!
//! The model looks at notes only, at the instant in which their home takes them: that instant is
//! what decides a channel's order, a member's arrival and a place's owner. From there on it says
//! what every client may be told. It knows nothing of shards' tables, counts or references.

use crate::said::{Members, Said, read};
use crate::user::OWN;
use crate::verdict::{Oracle, promise, promised, violated};
use shardcast::hub::{Join, Part, Publish};
use shardcast::id::{AppSlot, ClientId, ShardId, SocketId};
use shardcast::protocol::member::Member;

/// A channel's place in the model's list.
pub type ChannelNo = usize;

/// One thing that a home put in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// An event, by its number.
    Event(usize),
    /// A user's first connection came.
    Added { user: String, info: Option<String> },
    /// A user's last connection went.
    Removed { user: String },
}

/// A channel as its home decides it.
#[derive(Debug)]
pub struct Channel {
    /// The app it belongs to.
    pub app: AppSlot,
    /// The full name.
    pub name: String,
    /// Everything that happened, in the one order.
    pub log: Vec<Entry>,
    /// Who is in, in the order of joining.
    pub members: Vec<User>,
    /// The last event of each shard, to see that a shard's events keep their order.
    last_of: Vec<Option<usize>>,
    /// By shard: one past the last entry that was handed to subscribers there.
    pub seen: Vec<usize>,
    /// The last event of a backend, and when the home took it, in milliseconds: what a cache
    /// channel keeps.
    last_kept: Option<(usize, u64)>,
}

/// A user of a presence channel.
#[derive(Debug)]
pub struct User {
    /// The id.
    pub id: String,
    /// The newest info (P5).
    pub info: Option<String>,
    connections: Vec<(ClientId, u32)>,
}

impl User {
    /// The user as a home tells of it.
    pub fn member(&self, with_info: bool) -> Member {
        let info = self.info.as_deref().filter(|_| with_info);
        Member {
            user_id: self.id.as_str().into(),
            user_info: info.map(Into::into),
        }
    }
}

/// Something that was published.
#[derive(Debug)]
pub struct Event {
    /// Where to.
    pub channel: ChannelNo,
    /// Its name.
    pub name: String,
    /// Its text, which begins with the event's number.
    pub data: String,
    /// The member that sent it.
    pub user_id: Option<String>,
    /// Who does not get it.
    pub except: Option<SocketId>,
    /// Where it was published.
    pub from: ShardId,
    /// Its place in the channel's order, once the home has it.
    pub position: Option<usize>,
    /// Refused before it left.
    pub refused: bool,
    /// From a backend: a cache channel keeps it (C1).
    pub is_kept: bool,
}

/// What the home's answer to a join must say: fixed when the home takes the join.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// The channel.
    pub channel: ChannelNo,
    /// Entries from here on are the subscriber's.
    pub position: usize,
    /// For presence channels: the members, or no room.
    pub outcome: Option<Result<Members, ChannelFull>>,
    /// For cache channels: the event that comes with it.
    pub cached: Option<usize>,
}

/// A presence channel has no room for another user (P8).
#[derive(Clone, Copy, Debug)]
pub struct ChannelFull;

/// The whole of what should be.
#[derive(Debug)]
pub struct Model {
    /// All channels that are used.
    pub channels: Vec<Channel>,
    /// All events, by number.
    pub events: Vec<Event>,
    /// Places taken at each app's home.
    pub places: Vec<u32>,
    /// By app: how long events are cached, in milliseconds.
    pub ttl_ms: Vec<u64>,
    /// By app: whether subscribers are told their number.
    pub counts: Vec<bool>,
    /// How often somebody came to a cache channel without an event.
    pub misses: u64,
}

impl Channel {
    /// An empty channel.
    pub fn new(app: AppSlot, name: &str, shards: usize) -> Self {
        let (log, members) = (Vec::new(), Vec::new());
        let (last_of, seen) = (vec![None; shards], vec![0; shards]);
        Self {
            app,
            name: name.to_owned(),
            log,
            members,
            last_of,
            seen,
            last_kept: None,
        }
    }

    /// Whether the last event is kept here.
    pub fn is_cache(&self) -> bool {
        self.name.starts_with("cache-") || self.name.contains("-cache-")
    }

    /// Whether members know each other here.
    pub fn is_presence(&self) -> bool {
        self.name.starts_with("presence-")
    }

    /// Whether it is the own channel of the user with this id, or of any.
    pub fn is_own_of(&self, user: Option<&str>) -> bool {
        let own = self.name.strip_prefix(OWN);
        own.is_some() && (user.is_none() || own == user)
    }

    /// Whether a subscription must be signed.
    pub fn needs_auth(&self) -> bool {
        self.is_presence() || self.name.starts_with("private-")
    }

    fn snapshot(&self) -> Members {
        self.members
            .iter()
            .map(|user| (user.id.clone(), user.info.clone()))
            .collect()
    }
}

impl Model {
    /// The channel of an app by its name.
    pub fn find(&self, app: AppSlot, name: &str) -> Option<ChannelNo> {
        self.channels
            .iter()
            .position(|channel| channel.app == app && channel.name == name)
    }

    /// The event that a cache channel gives to who comes now (C2, C4, C5).
    pub fn cached(&self, channel: ChannelNo, now_ms: u64) -> Option<usize> {
        let channel = &self.channels[channel];
        let (number, taken_ms) = channel.last_kept.filter(|_| channel.is_cache())?;
        (now_ms < taken_ms + self.ttl_ms[channel.app.index()]).then_some(number)
    }

    /// Whether the subscribers of a channel are told how many they are (section 3.7).
    pub fn is_counted(&self, channel: ChannelNo) -> bool {
        let channel = &self.channels[channel];
        self.counts[channel.app.index()] && !channel.is_presence() && !channel.is_own_of(None)
    }

    /// The first entry from `position` on that is due to this socket; the log's end when none is.
    pub fn due(&self, channel: ChannelNo, position: usize, socket: SocketId) -> usize {
        let log = &self.channels[channel].log;
        let is_due = |entry: &Entry| match entry {
            Entry::Event(number) => self.events[*number].except != Some(socket),
            Entry::Added { .. } | Entry::Removed { .. } => true,
        };
        let rest = log.get(position..).unwrap_or_default();
        position + rest.iter().position(is_due).unwrap_or(rest.len())
    }

    /// The number that an event's text begins with.
    pub fn number_of(data: &str) -> Option<usize> {
        data.split_once('|')?.0.parse().ok()
    }

    /// A home takes an event: from now on it has its place.
    pub fn publish(&mut self, from: ShardId, publish: &Publish, now_ms: u64) -> usize {
        let Said::Event {
            channel,
            event,
            data,
            user_id,
        } = read(&publish.frame)
        else {
            violated(
                Oracle::Publish,
                format!("no event on its way to a home: {publish:?}"),
            );
        };
        let number = Self::number_of(&data).filter(|number| *number < self.events.len());
        let number = promised!(Publish, number, "nobody published {data:?}");
        let known = &mut self.events[number];
        let at = &mut self.channels[known.channel];
        promise!(
            Publish,
            known.position.is_none(),
            "event {number} comes to its home twice"
        );
        promise!(
            Publish,
            !known.refused,
            "event {number} was refused and sent all the same"
        );
        let same = channel == at.name && publish.app == at.app && from == known.from;
        promise!(
            Publish,
            same,
            "event {number} for {} came as one for {channel}",
            at.name
        );
        let same = event == known.name && data == known.data && user_id == known.user_id;
        promise!(
            Publish,
            same,
            "event {number} changed on its way: {event} {data} {user_id:?}"
        );
        promise!(
            Publish,
            publish.except == known.except,
            "event {number} excludes another"
        );
        let last = at.last_of[from.index()].replace(number);
        promise!(
            Publish,
            last < Some(number),
            "shard {from} sent {number} after {last:?}"
        ); // S15
        known.position = Some(at.log.len());
        at.log.push(Entry::Event(number));
        if known.is_kept {
            at.last_kept = Some((number, now_ms));
        }
        number
    }

    /// A home takes a join.
    pub fn join(&mut self, join: &Join, members_max: usize, now_ms: u64) -> Stamp {
        let number = self.find(join.channel.app, &join.channel.name);
        let number = promised!(
            Sane,
            number,
            "a join of a channel that nobody asked for: {join:?}"
        );
        let cached = self.cached(number, now_ms);
        let channel = &mut self.channels[number];
        let member = join.member.as_ref().map(|member| {
            let asker = promised!(Sane, join.asker, "a member without a connection: {join:?}");
            (asker, member)
        });
        let outcome = member.map(|(asker, member)| {
            let connection = (asker.client, asker.epoch);
            let info = member.user_info.as_deref().map(str::to_owned);
            let is_full = channel.members.len() >= members_max;
            match channel
                .members
                .iter_mut()
                .find(|user| *user.id == *member.user_id)
            {
                Some(user) => {
                    user.info = info;
                    if !user.connections.contains(&connection) {
                        user.connections.push(connection);
                    }
                }
                None if is_full => return Err(ChannelFull),
                None => {
                    let id = member.user_id.to_string();
                    channel.log.push(Entry::Added {
                        user: id.clone(),
                        info: info.clone(),
                    });
                    channel.members.push(User {
                        id,
                        info,
                        connections: vec![connection],
                    });
                }
            }
            Ok(channel.snapshot())
        });
        let presence = channel.is_presence();
        promise!(
            Sane,
            presence == outcome.is_some(),
            "members belong to presence: {join:?}"
        );
        let refused = matches!(outcome, Some(Err(ChannelFull)));
        if channel.is_cache() && cached.is_none() && !join.again && !refused {
            self.misses += 1;
        }
        Stamp {
            cached,
            channel: number,
            position: self.channels[number].log.len(),
            outcome,
        }
    }

    /// A home takes the end of a presence connection.
    pub fn part(&mut self, part: &Part) {
        let number = self.find(part.channel.app, &part.channel.name);
        let number = promised!(
            Sane,
            number,
            "a part from where nobody asked to be: {part:?}"
        );
        let channel = &mut self.channels[number];
        let at = channel
            .members
            .iter()
            .position(|user| *user.id == *part.user_id);
        let Some(at) = at else { return };
        let gone = (part.presence.client, part.presence.epoch);
        channel.members[at]
            .connections
            .retain(|known| *known != gone);
        if channel.members[at].connections.is_empty() {
            let user = channel.members.remove(at).id;
            channel.log.push(Entry::Removed { user });
        }
    }

    /// An app's home is asked for a place: whether there is one.
    pub fn admit(&mut self, app: AppSlot, max: Option<u32>) -> bool {
        let taken = &mut self.places[app.index()];
        let room = max.is_none_or(|max| *taken < max);
        *taken += u32::from(room);
        room
    }

    /// An app's home gets places back.
    pub fn release(&mut self, app: AppSlot, count: u32) {
        let taken = &mut self.places[app.index()];
        promise!(
            Quota,
            count > 0 && count <= *taken,
            "{count} of {taken} places are given back"
        );
        *taken -= count;
    }
}

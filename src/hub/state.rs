//! The hub itself: its parts, and the calls that drive it.

use super::apps::AppTable;
use super::ask::{Answer, Question};
use super::cache::Cache;
use super::deadlines::{Deadline, Deadlines};
use super::effect::Effect;
use super::home::Home;
use super::index::{ChannelSlot, Index, Subscriber};
use super::note::{CountNote, Note, Stamp, home_of};
use super::online::OnlineTable;
use super::options::Options;
use super::pass::{Gates, Pass};
use super::quota::{Bucket, Places};
use super::session::{Session, Sessions};
use super::watch::WatchTable;
use crate::app::WebhookKind;
use crate::id::{AppSlot, ClientId, ShardId, SocketId, Ticket};
use crate::limits::window::Window;
use crate::protocol::webhook::{Event, What};
use crate::ws::frame::TextEncoder;
use std::rc::Rc;

/// What a hub counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Happened {
    /// Connections closed for too many wrong signatures.
    pub auth_floods: u64,
    /// Wishes that were refused, with an error or without.
    pub refusals: u64,
}

/// The Pusher application's state on one shard.
#[derive(Debug)]
pub struct Hub {
    pub(super) options: Options,
    pub(super) apps: Rc<AppTable>,
    pub(super) sessions: Sessions,
    pub(super) index: Index,
    pub(super) home: Home,
    /// Users this shard is home of.
    pub(super) online: OnlineTable,
    /// Users that clients of this shard watch.
    pub(super) watched: WatchTable,
    pub(super) cache: Cache,
    /// How often somebody came to a cache channel without an event.
    pub(super) cache_misses: u64,
    pub(super) deadlines: Deadlines<Deadline>,
    pub(super) places: Places,
    gates: Gates,
    pub(super) encoder: TextEncoder,
    /// The time as it was last seen: at the last tick, or with a note that is timely.
    pub(super) now_ms: u64,
    /// Wrong signatures of each connection in this minute.
    pub(super) failures: Window<ClientId>,
    /// What was counted since somebody asked.
    pub(super) happened: Happened,
    /// Places to give back at the turn's end, by app.
    released: Vec<(AppSlot, u32)>,
    /// When the next publish was made, if its way is to be timed.
    pub(super) stamp: Stamp,
    /// When the first timed publish of this turn was made that came to subscribers of this shard.
    pub(super) delivered: Stamp,
}

impl Hub {
    /// An empty hub.
    #[must_use]
    pub fn new(options: Options, apps: Rc<AppTable>) -> Self {
        Self {
            options,
            apps,
            sessions: Sessions::default(),
            index: Index::default(),
            home: Home::default(),
            online: OnlineTable::default(),
            watched: WatchTable::default(),
            cache: Cache::new(options.cache_bytes),
            cache_misses: 0,
            deadlines: Deadlines::default(),
            places: Places::default(),
            gates: Gates::default(),
            encoder: TextEncoder::default(),
            now_ms: 0,
            failures: Window::new(60_000),
            happened: Happened::default(),
            released: Vec::new(),
            stamp: None,
            delivered: None,
        }
    }

    /// What was counted since this was asked last.
    pub fn take_happened(&mut self) -> Happened {
        std::mem::take(&mut self.happened)
    }

    /// The way of what is published next is timed: it begins at this time.
    pub fn time_next(&mut self, stamp: Stamp) {
        self.stamp = stamp;
    }

    /// When the first timed publish was made that has come to subscribers of this shard since this
    /// was asked last.
    pub fn take_delivered(&mut self) -> Stamp {
        self.delivered.take()
    }

    /// Wishes that were refused since [`Hub::take_happened`] was asked last.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.happened.refusals
    }

    /// Bytes of the cached events that have their home here.
    #[must_use]
    pub fn cached_bytes(&self) -> usize {
        self.cache.bytes()
    }

    /// The apps.
    #[must_use]
    pub fn apps(&self) -> &Rc<AppTable> {
        &self.apps
    }

    /// The shard this hub belongs to.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        self.options.shard
    }

    /// Time goes on: called some times a second, and before anything else.
    pub fn tick(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        self.see_time(now_ms);
        self.cache.sweep(now_ms);
        while let Some(due) = self.deadlines.next_due(now_ms) {
            match due {
                Deadline::Authorize(client) => self.check_authorized(client, effects),
                Deadline::UserOffline {
                    slot,
                    generation,
                    departure,
                } => self.user_stayed_away((slot, generation), departure, effects),
                Deadline::Count(home) => self.count_due(home, effects),
            }
        }
    }

    /// What time it is, between two ticks: before a note that is timely is received.
    pub fn see_time(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
    }

    /// Whether a connection needs [`Hub::admit`]'s answer before it may open.
    #[must_use]
    pub fn needs_place(&self, app: AppSlot) -> bool {
        self.apps.get(app).app.max_connections.is_some()
    }

    /// Asks the app's home for one of its places; the answer comes with the ticket.
    pub fn admit(&self, ticket: Ticket, app: AppSlot, effects: &mut Vec<Effect>) {
        effects.push(Effect::Post {
            to: self.app_home(app),
            note: Note::Admit(ticket, app),
        });
    }

    /// Asks the app's home whether a request may be carried out; the answer comes with the ticket.
    pub fn pass(&self, ticket: Ticket, pass: Pass, effects: &mut Vec<Effect>) {
        effects.push(Effect::Post {
            to: self.app_home(pass.app),
            note: Note::Pass(ticket, Box::new(pass)),
        });
    }

    /// Gives back a place: of a connection that is gone, or that never opened.
    pub fn release(&mut self, app: AppSlot) {
        match self.released.iter_mut().find(|(known, _)| *known == app) {
            Some((_, count)) => *count += 1,
            None => self.released.push((app, 1)),
        }
    }

    /// Adds a connection; `counted` when it holds one of its app's places.
    ///
    /// # Panics
    /// When the client's slot is already open.
    pub fn open(
        &mut self,
        client: ClientId,
        app: AppSlot,
        socket_id: SocketId,
        counted: bool,
        effects: &mut Vec<Effect>,
    ) {
        let counted = counted || self.hold_late(app, effects);
        self.notice(app, WebhookKind::ConnectionOpened, effects, || {
            Event::of("", What::ConnectionOpened(socket_id))
        });
        self.sessions.insert(Session {
            client,
            app,
            socket_id,
            counted,
            is_authorized: false,
            user: None,
            internal_errors: false,
            subscriptions: smallvec::SmallVec::new(),
            epoch: 0,
            client_events: Bucket::default(),
            errors: Bucket::default(),
        });
        self.expect_authorization(client, app);
    }

    /// The connection is to be told of a failed subscription by
    /// `pusher_internal:subscription_error` too, as the .NET client needs it (section 3.2).
    pub fn tell_internal_errors(&mut self, client: ClientId) {
        if let Some(session) = self.sessions.get_mut(client) {
            session.internal_errors = true;
        }
    }

    /// A connection is gone, with this close code: all its subscriptions end in one step (S10).
    pub fn close(&mut self, client: ClientId, code: u16, effects: &mut Vec<Effect>) {
        let last = |hub: &Self| {
            let session = hub.sessions.get(client)?;
            session.subscriptions.len().checked_sub(1)
        };
        while let Some(at) = last(self) {
            self.leave(client, at, effects);
        }
        self.notice_closed(client, code, effects);
        let Some(session) = self.sessions.remove(client) else {
            return;
        };
        if session.counted {
            self.release(session.app);
        }
        if let Some(user) = session.user {
            self.look_away(client, &user.watched);
            self.forget_unwatched(&user.watched, effects);
        }
    }

    /// Takes a note from another shard or from this one.
    pub fn receive(&mut self, from: ShardId, note: Note, effects: &mut Vec<Effect>) {
        match note {
            Note::Join(join) => self.join_at_home(from, *join, effects),
            Note::Part(part) => self.part_at_home(&part, effects),
            Note::Counts(counts) => self.counts_at_home(from, counts, effects),
            Note::Watch(watch) => self.watch_user(from, &watch, effects),
            Note::Unwatch(channel) => self.unwatch_user(from, &channel),
            Note::Status(status) => self.status(status, effects),
            Note::Terminate(user) => self.terminate(&user, effects),
            Note::Publish(publish) => self.publish_at_home(&publish, effects),
            Note::Ask(ticket, question) => {
                let answer = Box::new(self.answer_to(&question, effects));
                effects.push(Effect::Post {
                    to: from,
                    note: Note::Answer(ticket, answer),
                });
            }
            Note::Admit(ticket, app) => {
                let max = self.apps.get(app).app.max_connections;
                let answer = Box::new(Answer::Admitted(self.places.admit(app, max)));
                effects.push(Effect::Post {
                    to: from,
                    note: Note::Answer(ticket, answer),
                });
            }
            Note::Pass(ticket, pass) => {
                let app = &self.apps.get(pass.app).app;
                let answer = Box::new(Answer::Passed(self.gates.pass(&pass, app)));
                effects.push(Effect::Post {
                    to: from,
                    note: Note::Answer(ticket, answer),
                });
            }
            Note::Release(app, count) => self.places.release(app, count),
            Note::Hold(app, count) => self.places.hold(app, count),
            Note::Joined(joined) => self.joined(*joined, effects),
            Note::Deliver(deliver) => self.deliver(deliver, effects),
            Note::Answer(ticket, answer) => {
                effects.push(Effect::Answered {
                    ticket,
                    answer: *answer,
                });
            }
        }
    }

    /// Asks `to` a question; the answer comes as [`Effect::Answered`] with the ticket.
    pub fn ask(&self, to: ShardId, ticket: Ticket, question: Question, effects: &mut Vec<Effect>) {
        effects.push(Effect::Post {
            to,
            note: Note::Ask(ticket, Box::new(question)),
        });
    }

    /// Tells the homes what changed in this turn, in one note for each home.
    pub fn end_turn(&mut self, effects: &mut Vec<Effect>) {
        let mut by_home: Vec<(ShardId, Vec<CountNote>)> = Vec::new();
        while let Some(slot) = self.index.next_changed() {
            let channel = self.index.get_mut(slot);
            let newcomer = std::mem::take(&mut channel.newcomer);
            let count = channel.count();
            let to = home_of(channel.name.hash, self.options.shards);
            // While a join is under way its answer marks the channel again.
            let Some(home) = channel
                .home
                .filter(|_| channel.joins_open == 0 || count > 0)
            else {
                continue;
            };
            let tells = newcomer && self.apps.get(channel.name.app).app.subscription_count;
            if count != channel.reported || count == 0 || tells {
                let note = CountNote { home, count };
                match by_home.iter_mut().find(|(shard, _)| *shard == to) {
                    Some((_, notes)) => notes.push(note),
                    None => by_home.push((to, vec![note])),
                }
            }
            if count == 0 {
                self.index.remove(slot);
            } else {
                channel.reported = count;
            }
        }
        for (to, notes) in by_home {
            effects.push(Effect::Post {
                to,
                note: Note::Counts(notes),
            });
        }
        for (app, count) in std::mem::take(&mut self.released) {
            effects.push(Effect::Post {
                to: self.app_home(app),
                note: Note::Release(app, count),
            });
        }
    }

    /// Whether [`Hub::end_turn`] has anything to do.
    #[must_use]
    pub fn has_turn_work(&self) -> bool {
        self.index.has_changes() || !self.released.is_empty()
    }

    /// The local subscribers of a channel, for [`Effect::Fanout`].
    #[must_use]
    pub fn subscribers(&self, channel: ChannelSlot) -> &[Subscriber] {
        self.index.subscribers(channel)
    }

    /// The app of a channel's subscribers, unless the channel is gone.
    #[must_use]
    pub fn app_of_channel(&self, channel: ChannelSlot) -> Option<AppSlot> {
        self.index.app(channel)
    }

    /// The app of an open connection.
    #[must_use]
    pub fn app_of(&self, client: ClientId) -> Option<AppSlot> {
        self.sessions.get(client).map(|session| session.app)
    }

    /// Open connections of an app on this shard.
    #[must_use]
    pub fn connected(&self, app: AppSlot) -> u32 {
        self.sessions.count_of(app)
    }

    /// Channels of an app that have their home on this shard, without users' own.
    #[must_use]
    pub fn channels_of(&self, app: AppSlot) -> u32 {
        self.home.count_of(app)
    }

    /// The socket id of an open connection.
    #[must_use]
    pub fn socket_id(&self, client: ClientId) -> Option<SocketId> {
        self.sessions.get(client).map(|session| session.socket_id)
    }

    /// Users this shard is home of, and users watched from here: both zero when everybody has left
    /// and has been away for long enough.
    #[must_use]
    pub fn user_sizes(&self) -> [usize; 2] {
        [self.online.len(), self.watched.len()]
    }

    /// Live sessions, local channels, channels at home, taken places: all zero when everybody
    /// has left.
    #[must_use]
    pub fn sizes(&self) -> [usize; 4] {
        let places = self.places.taken() as usize;
        [
            self.sessions.len(),
            self.index.len(),
            self.home.len(),
            places,
        ]
    }

    /// Cached events that are kept, whoever is here, and how often there was none.
    #[must_use]
    pub fn cache_sizes(&self) -> (usize, u64) {
        (self.cache.len(), self.cache_misses)
    }

    pub(super) fn app_home(&self, app: AppSlot) -> ShardId {
        ShardId((app.0 % u32::from(self.options.shards)) as u16)
    }
}

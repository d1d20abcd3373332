//! What a home is told and asked, with the parts of the hub that it concerns: the table of
//! channels, the cached events, what subscribers were told of their number.

use super::ask::{Answer, Listener, Question};
use super::channel_table::ChannelName;
use super::count::Telling;
use super::deadlines::Deadline;
use super::effect::Effect;
use super::home::{Counted, Terms};
use super::note::{CountNote, HomeRef, Join, Note, Part, Publish};
use super::state::Hub;
use crate::app::WebhookKind;
use crate::id::ShardId;
use crate::protocol::user::user_of;
use crate::protocol::webhook::{Event, What};

impl Hub {
    /// A shard wants in. What it is sent stands in this order: the success, the cached event, the
    /// count, and whatever happens later (S3).
    pub(super) fn join_at_home(&mut self, from: ShardId, join: Join, effects: &mut Vec<Effect>) {
        if join.kind.is_user() {
            self.user_came(&join.channel, effects);
        }
        let tenant = self.apps.get(join.channel.app);
        let app = &tenant.app;
        let (kind, again) = (join.kind, join.again);
        let cached = if kind.is_cache() {
            self.cache.frame(&join.channel, self.now_ms)
        } else {
            None
        };
        let missed = kind.is_cache() && cached.is_none() && !again;
        let missed = missed.then(|| join.channel.clone());
        let is_counted = app.subscription_count && !kind.is_presence() && !kind.is_user();
        let terms = Terms {
            members_max: app.presence_members,
            webhooks: tenant.webhooks,
            is_counted,
            cached,
        };
        let (slot, admitted) = self
            .home
            .join(from, join, terms, &mut self.encoder, effects);
        if let Some(channel) = missed.filter(|_| admitted) {
            self.missed(&channel, effects);
        }
        if is_counted {
            self.tell_count(slot, !again, effects);
        }
    }

    /// C3: somebody came to a cache channel without an event. Not told again of one who only asks
    /// again (Q7).
    fn missed(&mut self, channel: &ChannelName, effects: &mut Vec<Effect>) {
        self.cache_misses += 1;
        self.notice(channel.app, WebhookKind::CacheMiss, effects, || {
            Event::of(&channel.name, What::CacheMiss)
        });
    }

    /// A presence connection is gone.
    pub(super) fn part_at_home(&mut self, part: &Part, effects: &mut Vec<Effect>) {
        let webhooks = self.apps.get(part.channel.app).webhooks;
        self.home.part(part, webhooks, &mut self.encoder, effects);
    }

    /// Shards tell how many subscribers they have.
    pub(super) fn counts_at_home(
        &mut self,
        from: ShardId,
        counts: Vec<CountNote>,
        effects: &mut Vec<Effect>,
    ) {
        for count in counts {
            match self.home.count(from, count) {
                None => {}
                Some(Counted::Changed(slot)) => self.tell_count(slot, true, effects),
                Some(Counted::Freed(channel)) if user_of(&channel.name).is_some() => {
                    self.user_left(&channel, effects);
                }
                Some(Counted::Freed(channel)) => self.notice_freed(&channel, effects),
            }
        }
    }

    /// An event takes its place in its channel's order.
    pub(super) fn publish_at_home(&mut self, publish: &Publish, effects: &mut Vec<Effect>) {
        if let Some(data_at) = publish.kept_data_at {
            let ttl_s = self.apps.get(publish.app).app.cache_ttl_s;
            let ttl_ms = u64::from(ttl_s) * 1000;
            self.cache
                .store(publish, data_at.get(), ttl_ms, self.now_ms); // C1, C4
        }
        self.home.publish(publish, effects);
    }

    /// Answers from this shard alone.
    pub(super) fn answer_to(&self, question: &Question, effects: &mut Vec<Effect>) -> Answer {
        match question {
            Question::Channel { channel, cached } => {
                let cached = cached.then(|| self.cache.data(channel, self.now_ms));
                Answer::Channel(self.home.state_of(channel), cached.flatten())
            }
            Question::Users { channel, with_info } => {
                Answer::Users(self.home.users_of(channel, *with_info))
            }
            Question::Ordered => Answer::Ordered,
            Question::Terminate(user) => {
                self.pass_on_termination(user, effects);
                Answer::Ordered
            }
            Question::Channels { app, prefix, from } => {
                let (listed, next) = self.home.list(*app, prefix, *from);
                Answer::Channels { listed, next }
            }
            Question::Connections(app) => Answer::Connections(self.sessions.count_of(*app)),
            Question::Subscribers { channel, most } => {
                Answer::Subscribers(self.subscribers_of(channel, *most))
            }
            Question::Disconnect { app, whom } => {
                Answer::Disconnected(self.disconnect(*app, whom, effects))
            }
        }
    }

    /// Some of this shard's subscribers of a channel.
    fn subscribers_of(&self, channel: &ChannelName, most: usize) -> Vec<Listener> {
        let found = self.index.find(channel.app, channel.hash, &channel.name);
        let all = found.map_or(&[][..], |channel| self.index.subscribers(channel));
        let listeners = all.iter().take(most).filter_map(|subscriber| {
            let session = self.sessions.get(subscriber.client)?;
            let own = session.subscriptions.get(subscriber.subscription as usize);
            let member = own.and_then(|own| own.user_id.clone());
            let signed_in = || session.user.as_ref().map(|user| user.id.clone());
            Some(Listener {
                socket_id: session.socket_id,
                user_id: member.or_else(signed_in),
            })
        });
        listeners.collect()
    }

    /// A large channel may be told its number again.
    pub(super) fn count_due(&mut self, home: HomeRef, effects: &mut Vec<Effect>) {
        if let Some(slot) = self.home.wake(home) {
            self.tell_count(slot, false, effects);
        }
    }

    /// To the shards that have connections of the user; to all where one may be a presence member
    /// without having signed in (Q20).
    fn pass_on_termination(&self, user: &ChannelName, effects: &mut Vec<Effect>) {
        let mut post = |to| {
            let note = Note::Terminate(Box::new(user.clone()));
            effects.push(Effect::Post { to, note });
        };
        if self.apps.get(user.app).app.terminate_presence_members {
            (0..self.options.shards).map(ShardId).for_each(post);
        } else {
            self.home.listeners(user).for_each(&mut post);
        }
    }

    fn tell_count(&mut self, slot: u32, came: bool, effects: &mut Vec<Effect>) {
        let interval_ms = self.options.count_interval_ms;
        let Some(telling) = self.home.look(slot, came, self.now_ms, interval_ms) else {
            return; // nobody is told in this channel
        };
        match telling {
            Telling::Nothing => {}
            Telling::Now => {
                let (apps, encoder) = (&self.apps, &mut self.encoder);
                self.home.deliver_count(slot, apps, encoder, effects);
            }
            Telling::At(at_ms) => {
                let home = self.home.home_ref(slot);
                self.deadlines.set(at_ms, Deadline::Count(home));
            }
        }
    }
}

//! When nothing moves: what every view, table and answer must be, from the living clients alone.

use crate::client::Client;
use crate::model::ChannelNo;
use crate::tally::Count;
use crate::verdict::{Oracle, promise, promised, violated};
use crate::world::{Waiting, World};
use shardcast::hub::{Answer, CachedEvent, ChannelName, ChannelState, Cursor, Listed};
use shardcast::hub::{Question, hash_of};
use shardcast::id::{AppSlot, ShardId};
use std::collections::{BTreeMap, BTreeSet};

impl World {
    /// Everything that holds at rest.
    pub fn check_rest(&mut self) {
        self.tally.add(Count::Rests);
        self.trace.step(self.now_us, || "at rest".to_owned());
        self.check_users();
        for client in self.clients.values() {
            client.rest(&self.model);
        }
        promise!(
            Answer,
            self.waiting.is_empty(),
            "never answered: {:?}",
            self.waiting
        );
        self.answers.clear();
        for (number, event) in self.model.events.iter().enumerate() {
            let ordered = event.position.is_some() || event.refused;
            promise!(Publish, ordered, "event {number} never came to its home");
        }
        for channel in 0..self.model.channels.len() {
            self.check_members(channel);
        }
        self.tick();
        for channel in 0..self.model.channels.len() {
            self.check_counts(channel);
        }
        self.check_cache();
        self.check_tables();
        self.check_answers();
        self.check_lists();
        for app in 0..self.setup.apps {
            self.check_places(AppSlot(app));
        }
        self.check_told();
    }

    /// After everybody left: nothing is left.
    pub fn check_empty(&mut self) {
        self.tally.add(Count::Emptied);
        self.check_rest();
        for hub in &self.hubs {
            promise!(
                Leak,
                hub.sizes() == [0; 4],
                "{} holds {:?}",
                hub.shard(),
                hub.sizes()
            );
        }
        promise!(
            Quota,
            self.held.iter().all(|held| *held == 0),
            "held: {:?}",
            self.held
        );
    }

    fn listeners(&self, channel: ChannelNo) -> impl Iterator<Item = &Client> {
        let clients = self.clients.values();
        clients.filter(move |client| client.subscriptions.contains_key(&channel))
    }

    /// The users of a channel: those of its living connections, and nothing else.
    fn users(&self, channel: ChannelNo) -> BTreeSet<&str> {
        let subscriptions = self.clients.values().map(|client| &client.subscriptions);
        let here = subscriptions.filter_map(|subscriptions| subscriptions.get(&channel));
        here.filter_map(|subscription| subscription.user.as_deref())
            .collect()
    }

    fn check_members(&self, channel: ChannelNo) {
        let at = &self.model.channels[channel];
        let users = self.users(channel);
        for client in self.listeners(channel) {
            let active = client.subscriptions[&channel].active.as_ref();
            let view = &promised!(Reply, active, "{:?} waits at rest", client.id).view;
            let same = view.keys().map(String::as_str).eq(users.iter().copied());
            promise!(
                View,
                same,
                "{:?} sees {view:?} in {}, not {users:?}",
                client.id,
                at.name
            );
        }
        // What the home has decided, by the notes it got, must be no more than the living.
        let decided: BTreeSet<&str> = at.members.iter().map(|user| user.id.as_str()).collect();
        promise!(
            View,
            decided == users,
            "home of {}: {decided:?}, not {users:?}",
            at.name
        );
    }

    /// Who is told how many are subscribed was last told the truth (section 3.7).
    fn check_counts(&self, channel: ChannelNo) {
        let name = &self.model.channels[channel].name;
        let count = self.listeners(channel).count() as u64;
        let right = self.model.is_counted(channel).then_some(count);
        for client in self.listeners(channel) {
            let active = client.subscriptions[&channel].active.as_ref();
            let told = promised!(Reply, active, "{:?} waits at rest", client.id).count;
            promise!(
                View,
                told == right,
                "{:?} was told of {told:?} in {name}, not {right:?}",
                client.id
            );
        }
    }

    /// What is cached is what is not over yet, and each miss was seen once.
    fn check_cache(&self) {
        let now_ms = self.now_us / 1_000;
        let channels = 0..self.model.channels.len();
        let kept = channels.filter(|channel| self.model.cached(*channel, now_ms).is_some());
        let right = (kept.count(), self.model.misses);
        let sizes = self.hubs.iter().map(shardcast::hub::Hub::cache_sizes);
        let told = sizes.fold((0, 0), |sum, (kept, missed)| (sum.0 + kept, sum.1 + missed));
        promise!(
            Leak,
            told == right,
            "cached, missed: {told:?}, not {right:?}"
        );
    }

    /// No table holds anything that nobody needs.
    fn check_tables(&self) {
        let occupied: BTreeSet<(ShardId, ChannelNo)> = self
            .clients
            .values()
            .flat_map(|client| {
                client
                    .subscriptions
                    .keys()
                    .map(|at| (client.id.shard(), *at))
            })
            .collect();
        let channels: BTreeSet<ChannelNo> = occupied.iter().map(|(_, at)| *at).collect();
        for hub in &self.hubs {
            let shard = hub.shard();
            let is_home = |at: &ChannelNo| {
                let channel = &self.model.channels[*at];
                hub.home_of(channel.app, &channel.name) == shard
            };
            let sessions = self.clients.keys().filter(|id| id.shard() == shard).count();
            let local = occupied.iter().filter(|(on, _)| *on == shard).count();
            let home = channels.iter().filter(|at| is_home(at)).count();
            let [has_sessions, has_local, has_home, _] = hub.sizes();
            let (has, needs) = ([has_sessions, has_local, has_home], [sessions, local, home]);
            promise!(
                Leak,
                has == needs,
                "{shard} holds {has:?}, the living need {needs:?}"
            );
        }
        let places: usize = self.hubs.iter().map(|hub| hub.sizes()[3]).sum();
        let counted = self
            .clients
            .values()
            .filter(|client| client.counted)
            .count();
        promise!(
            Quota,
            places == counted,
            "{places} places are taken by {counted} connections"
        );
        let held: u32 = self.held.iter().sum();
        promise!(
            Quota,
            held as usize == counted,
            "{held} held, {counted} counted"
        );
    }

    fn state(&self, channel: ChannelNo) -> ChannelState {
        let subscriptions = self.listeners(channel).count() as u32;
        ChannelState {
            subscriptions,
            users: self.users(channel).len() as u32,
        }
    }

    /// Asks from some shard and waits for the answer.
    fn answer(&mut self, from: ShardId, to: ShardId, question: Question) -> Answer {
        let ticket = self.ticket(from, Waiting::Question);
        self.input(from, |hub, effects| hub.ask(to, ticket, question, effects));
        self.settle();
        self.tally.add(Count::Answers);
        match self.answers.pop() {
            Some((to, answer)) if to == ticket.0 => answer,
            other => violated(Oracle::Answer, format!("{ticket:?} got {other:?}")),
        }
    }

    fn check_answers(&mut self) {
        for channel in 0..self.model.channels.len() {
            let at = &self.model.channels[channel];
            let (app, name) = (at.app, at.name.clone());
            let hash = hash_of(self.setup.hash_key, app, &name);
            let from = ShardId((channel % self.hubs.len()) as u16);
            let home = self.hubs[from.index()].home_of(app, &name);
            let named = || ChannelName {
                app,
                hash,
                name: name.as_str().into(),
            };
            let cached = self.model.cached(channel, self.now_us / 1_000);
            let right = self.state(channel);
            let question = Question::Channel {
                channel: named(),
                cached: true,
            };
            let Answer::Channel(state, data) = self.answer(from, home, question) else {
                violated(Oracle::Answer, format!("{name}: another answer"));
            };
            promise!(Answer, state == right, "{name}: {state:?}, not {right:?}");
            self.check_cached(channel, cached, data.as_ref());
            let with_info = channel % 2 == 0;
            let users = self.model.channels[channel].members.iter();
            let right = Answer::Users(users.map(|user| user.member(with_info)).collect());
            let channel = named();
            let told = self.answer(from, home, Question::Users { channel, with_info });
            promise!(Answer, told == right, "{name}: {told:?}, not {right:?}");
        }
    }

    /// What is told of a cached event: it, and how long it stays. It may have gone while the
    /// question was on its way.
    fn check_cached(&self, channel: ChannelNo, cached: Option<usize>, told: Option<&CachedEvent>) {
        let at = &self.model.channels[channel];
        let Some(told) = told else {
            let now = self.model.cached(channel, self.now_us / 1_000);
            promise!(Answer, now.is_none(), "{}: {now:?} is not told of", at.name);
            return;
        };
        let number = promised!(Answer, cached, "{}: {told:?} out of nothing", at.name);
        let mut text = b"\"".to_vec();
        text.extend_from_slice(told.escaped());
        text.push(b'"');
        let data: Option<String> = serde_json::from_slice(&text).ok();
        let right = &self.model.events[number].data;
        promise!(
            Answer,
            data.as_ref() == Some(right),
            "{}: {data:?}, not {right:?}",
            at.name
        );
        let left = 1..=self.model.ttl_ms[at.app.index()] / 1_000;
        promise!(Answer, left.contains(&told.ttl_s), "{}: {told:?}", at.name);
    }

    fn check_lists(&mut self) {
        let app = AppSlot(self.rng.below(u64::from(self.setup.apps)) as u32);
        let prefix = *self
            .rng
            .pick(&["", "p", "presence-", "private-", "n", "none", "#"]);
        let mut told = BTreeMap::new();
        for to in 0..self.setup.shards {
            let question = Question::Channels {
                app,
                prefix: prefix.into(),
                from: Cursor::default(),
            };
            let from = ShardId((to + 1) % self.setup.shards);
            let answer = self.answer(from, ShardId(to), question);
            let Answer::Channels { listed, next: None } = answer else {
                violated(
                    Oracle::Answer,
                    "asked for a short list, got another answer".to_owned(),
                );
            };
            for Listed { name, state } in listed {
                let twice = told.insert(name.to_string(), state);
                promise!(Answer, twice.is_none(), "{name} has two homes");
            }
        }
        let channels = self.model.channels.iter().enumerate();
        let right: BTreeMap<_, _> = channels
            .filter(|(_, channel)| channel.app == app && channel.name.starts_with(prefix))
            .filter(|(_, channel)| !channel.is_own_of(None)) // U9
            .map(|(number, channel)| (channel.name.clone(), self.state(number)))
            .filter(|(_, state)| state.subscriptions > 0)
            .collect();
        promise!(
            Answer,
            told == right,
            "{app:?} {prefix}*: {told:?}, not {right:?}"
        );
    }

    /// There is room exactly when fewer connections than allowed are there.
    fn check_places(&mut self, app: AppSlot) {
        let Some(max) = self.apps.get(app).app.max_connections else {
            return;
        };
        let room = self.held[app.index()] < max;
        let told = |world: &Self| {
            let tally = &world.tally;
            (tally.of(Count::Admitted), tally.of(Count::TurnedAway))
        };
        let before = told(self);
        let shard = ShardId((app.0 + 1) as u16 % self.setup.shards);
        let ticket = self.ticket(
            shard,
            Waiting::Place {
                app,
                gone: true,
                granted: None,
            },
        );
        self.input(shard, |hub, effects| hub.admit(ticket, app, effects));
        self.settle();
        let (admitted, turned_away) = (u64::from(room), u64::from(!room));
        let right = (before.0 + admitted, before.1 + turned_away);
        let told = told(self);
        promise!(
            Quota,
            told == right,
            "{app:?}: room is {room}, told {told:?}, not {right:?}"
        );
    }
}

//! Users: who is signed in, and what each must hear of its own channel and of those it watches.
//!
//! A client's own channel is one of the model's channels, which it hears from some time after its
//! sign-in on: when exactly, only the home's answer says, and no frame. Of whom it watches it hears
//! all at once and then every change; that is checked against its own eyes, and at rest against the
//! living.

use crate::client::{Active, Client, Next, Subscription};
use crate::model::{ChannelNo, Model, Stamp};
use crate::setup::MEMBER_BYTES;
use crate::speech::Spot;
use crate::tally::Count;
use crate::verdict::{promise, promised};
use crate::world::{Waiting, World};
use serde_json::{Value, json};
use shardcast::hub::Question;
use shardcast::id::{AppSlot, ClientId, ShardId};
use std::collections::{BTreeMap, BTreeSet};

/// What the names of users' own channels begin with.
pub const OWN: &str = "#server-to-user-";

/// Who a client is, once it has said so.
#[derive(Clone, Debug)]
pub struct User {
    /// The id.
    pub id: String,
    /// The info, for presence channels.
    pub info: Option<String>,
    /// Whether it has been signed in since the last rest or longer.
    pub steady: bool,
}

/// What a client knows of those it watches.
#[derive(Debug, Default)]
pub struct Watching {
    /// Whom it asked for.
    list: BTreeSet<String>,
    /// Whether it waits for the state of all.
    waits: bool,
    /// Who is online, as told.
    view: BTreeMap<String, bool>,
}

impl Client {
    /// The id it is signed in as.
    pub fn user_id(&self) -> Option<&str> {
        self.user.as_ref().map(|user| user.id.as_str())
    }

    /// A sign-in succeeds: with the text that was sent (U2).
    pub fn hear_sign_in(&mut self, user_data: &str) {
        let due = self.heard.sign_in_due.take();
        promise!(
            Reply,
            due.as_deref() == Some(user_data),
            "{:?} signs in with {user_data}, not {due:?}",
            self.id
        );
    }

    /// U10, U11: the state of all, or one change. `gone` are users with a connection that was
    /// there at the last rest and still is.
    pub fn hear_watched(&mut self, told: &[(String, bool)], steady: &BTreeSet<String>) {
        let (id, watching) = (self.id, &mut self.watching);
        let ids: BTreeSet<String> = told.iter().map(|(user, _)| user.clone()).collect();
        promise!(View, ids.len() == told.len(), "{id:?} hears twice of one");
        for (user, online) in told {
            let kept = *online || !steady.contains(user);
            promise!(View, kept, "{id:?} hears that {user} is gone, who is not");
        }
        if std::mem::take(&mut watching.waits) {
            promise!(
                View,
                ids == watching.list,
                "{id:?} hears of {ids:?}, not of {:?}",
                watching.list
            );
            watching.view = told.iter().cloned().collect();
            return;
        }
        let [(user, online)] = told else {
            crate::verdict::violated(
                crate::verdict::Oracle::View,
                format!("{id:?} hears {told:?}, not one change"),
            );
        };
        let before = watching.view.insert(user.clone(), *online);
        promise!(
            View,
            before == Some(!online),
            "{id:?} hears that {user} is {online}, and {before:?} before"
        );
    }

    /// The home has let the shard into the client's own channel.
    fn let_in(&mut self, channel: ChannelNo, position: usize) {
        if let Some(subscription) = self.subscriptions.get_mut(&channel)
            && let Some(active) = &mut subscription.active
        {
            active.let_in(position);
        }
    }

    /// At rest it hears everything of its own channel, and knows of everybody it watches.
    fn rest_as_user(&mut self, model: &Model) {
        promise!(Reply, !self.is_condemned, "{:?} outlives its user", self.id);
        if let Some(user) = &mut self.user {
            user.steady = true;
            let own = model.find(self.app, &own_channel(&user.id));
            let own = own.expect("every user has a channel");
            self.let_in(own, model.channels[own].log.len());
        }
        promise!(
            Reply,
            !self.watching.waits,
            "{:?} never hears of {:?}",
            self.id,
            self.watching.list
        );
    }
}

impl Active {
    /// A client that hears from some time on.
    fn some_time(from: usize) -> Self {
        Self {
            next: Next::Between {
                from,
                until: usize::MAX,
            },
            view: BTreeMap::new(),
            count: None,
        }
    }

    /// Whether it is known that the home has let it in.
    fn is_let_in(&self) -> bool {
        !matches!(
            self.next,
            Next::Between {
                until: usize::MAX,
                ..
            }
        )
    }

    /// From here on nothing may be missing.
    pub fn let_in(&mut self, position: usize) {
        if let Next::Between { until, .. } = &mut self.next {
            *until = position.min(*until);
        }
    }
}

/// The name of a user's own channel.
pub fn own_channel(user: &str) -> String {
    format!("{OWN}{user}")
}

impl World {
    /// A client signs in: mostly as it should.
    pub fn sign_in(&mut self, id: ClientId) {
        let number = self.rng.below(self.setup.signed_in);
        let known = self.clients[&id].user_id().map(str::to_owned);
        let known = known.filter(|_| self.rng.chance(80));
        let user = known.unwrap_or_else(|| format!("s{number}"));
        let info = match self.rng.below(10) {
            0 => Some(format!("{{\"n\":\"{}\"}}", "x".repeat(MEMBER_BYTES))),
            1..4 => Some(format!("{{\"n\":{}}}", self.rng.below(100))),
            _ => None,
        };
        let watched: Vec<String> = (0..self.rng.below(5))
            .map(|_| format!("s{}", self.rng.below(self.setup.signed_in + 1)))
            .collect();
        let mut data = json!({"id": user, "watchlist": watched});
        if let Some(info) = &info {
            data["user_info"] = serde_json::from_str::<Value>(info).expect("made above");
        }
        let garbled = self.rng.chance(5);
        if garbled {
            data["id"] = json!(number);
        }
        let signed = !self.rng.chance(5);
        let user_data = data.to_string();
        let client = &self.clients[&id];
        let tenant = self.apps.get(client.app);
        let mut text = format!("{}::user::{user_data}", client.socket);
        if !signed {
            text += "x";
        }
        let digest = tenant.signer.sign(&[text.as_bytes()]);
        let auth = format!("{}:{digest}", tenant.app.key);
        let text = json!({
            "event": "pusher:signin",
            "data": {"auth": auth, "user_data": user_data},
        });
        let other = client.user_id().is_some_and(|known| known != user);
        let spot = match (signed && !garbled, other) {
            (false, _) => Spot::Told(Some(4009)), // U4
            (true, true) => Spot::Told(None),     // U3
            (true, false) => {
                let watched = watched.into_iter().collect();
                self.expect_sign_in(id, (user, info), user_data, watched);
                Spot::Nothing
            }
        };
        self.say(id, text.to_string(), spot);
    }

    fn expect_sign_in(
        &mut self,
        id: ClientId,
        (user, info): (String, Option<String>),
        user_data: String,
        watched: BTreeSet<String>,
    ) {
        self.tally.add(Count::SignIns);
        let client = self.clients.get_mut(&id).expect("the caller has it");
        let own = self.model.find(client.app, &own_channel(&user));
        let own = own.expect("every user has a channel");
        client.heard.sign_in_due = Some(user_data);
        if self.apps.get(client.app).app.watchlist {
            client.watching = Watching {
                waits: !watched.is_empty(),
                list: watched,
                view: BTreeMap::new(),
            };
        }
        let from = self.model.channels[own].seen[id.shard().index()];
        client.subscriptions.entry(own).or_insert(Subscription {
            active: Some(Active::some_time(from)),
            ..Subscription::default()
        });
        let steady = client.user.as_ref().is_some_and(|user| user.steady);
        let id = user;
        client.user = Some(User { id, info, steady });
    }

    /// A home's answer lets the users of a shard in.
    pub fn let_users_in(&mut self, shard: ShardId, stamp: &Stamp) {
        let here = self
            .clients
            .values_mut()
            .filter(|it| it.id.shard() == shard);
        for client in here.filter(|client| client.user.is_some()) {
            let own = own_channel(client.user_id().expect("filtered above"));
            let channel = &self.model.channels[stamp.channel];
            if channel.app == client.app && channel.name == own {
                client.let_in(stamp.channel, stamp.position);
            }
        }
    }

    /// A backend ends all connections of somebody, who may be nobody.
    pub fn terminate(&mut self) {
        let (shard, app) = (self.shard(), self.rng.below(u64::from(self.setup.apps)));
        let app = AppSlot(app as u32);
        let user = if self.rng.chance(70) {
            format!("s{}", self.rng.below(self.setup.signed_in))
        } else {
            format!("u\"{}", self.rng.below(self.setup.users))
        };
        let ends_members = self.apps.get(app).app.terminate_presence_members;
        // Whoever is not let in yet may be passed over.
        let own = self.model.find(app, &own_channel(&user));
        for client in self.clients.values_mut().filter(|it| it.app == app) {
            let own = own.and_then(|own| client.subscriptions.get(&own));
            let own = own.and_then(|own| own.active.as_ref());
            let mut members = client.subscriptions.values();
            let is_member =
                members.any(|it| it.active.is_some() && it.user.as_ref() == Some(&user));
            let is_user = own.is_some_and(Active::is_let_in);
            client.is_condemned |= is_user || ends_members && is_member;
        }
        self.terminated.insert((app, user.clone()));
        let ticket = self.ticket(shard, Waiting::Question);
        self.trace.step(self.now_us, || {
            format!("{shard}: {ticket:?} to terminate {user} of {app:?}")
        });
        self.input(shard, |hub, effects| {
            let channel = hub.channel_name(app, &own_channel(&user));
            let to = hub.home_of(app, &own_channel(&user));
            hub.ask(to, ticket, Question::Terminate(channel), effects);
        });
    }

    /// A hub ends a connection for its user's sake: its user's, and no other (Q20).
    pub fn check_termination(&mut self, id: ClientId) {
        self.tally.add(Count::Terminated);
        let Some(client) = self.clients.get(&id) else {
            return;
        };
        let ends_members = self.apps.get(client.app).app.terminate_presence_members;
        let members = client.subscriptions.values().filter(|_| ends_members);
        let members = members.filter_map(|subscription| subscription.user.as_deref());
        let mut names = client.user_id().into_iter().chain(members);
        let right = names.any(|name| self.terminated.contains(&(client.app, name.to_owned())));
        promise!(Reply, right, "{id:?} is terminated for nothing");
    }

    /// Users of an app with a connection that has been signed in since the last rest.
    pub fn steady_users(&self, app: AppSlot) -> BTreeSet<String> {
        let users = self.clients.values().filter(|client| client.app == app);
        let users = users.filter_map(|client| client.user.as_ref());
        let steady = users.filter(|user| user.steady);
        steady.map(|user| user.id.clone()).collect()
    }

    /// At rest, and when everybody who is gone has been gone for long enough.
    pub fn check_users(&mut self) {
        self.terminated.clear();
        for client in self.clients.values_mut() {
            client.rest_as_user(&self.model);
        }
        let clients = self.clients.values();
        let users = clients.filter_map(|client| Some((client.app, client.user_id()?)));
        let online: BTreeSet<(AppSlot, &str)> = users.collect();
        for client in self.clients.values() {
            for (user, told) in &client.watching.view {
                let right = online.contains(&(client.app, user.as_str()));
                promise!(
                    View,
                    *told == right,
                    "{:?} believes that {user} is {told}, and is wrong",
                    client.id
                );
            }
        }
        self.check_user_tables(&online);
    }

    fn check_user_tables(&self, online: &BTreeSet<(AppSlot, &str)>) {
        let wanted = |app: AppSlot| self.apps.get(app).tracks_users;
        let clients = self.clients.values();
        let watched: BTreeSet<(ShardId, AppSlot, &str)> = clients
            .flat_map(|client| {
                let list = client.watching.list.iter();
                list.map(|user| (client.id.shard(), client.app, user.as_str()))
            })
            .collect();
        let online = online.iter().filter(|(app, _)| wanted(*app)).copied();
        let known: BTreeSet<(AppSlot, &str)> = watched
            .iter()
            .map(|(_, app, user)| (*app, *user))
            .chain(online)
            .collect();
        for hub in &self.hubs {
            let shard = hub.shard();
            let home =
                |(app, user): &&(AppSlot, &str)| hub.home_of(*app, &own_channel(user)) == shard;
            let at_home = known.iter().filter(home).count();
            let here = watched.iter().filter(|(on, ..)| *on == shard).count();
            promise!(
                Leak,
                hub.user_sizes() == [at_home, here],
                "{shard} holds {:?} users, the living need {:?}",
                hub.user_sizes(),
                [at_home, here]
            );
        }
    }

    /// The number of a client's own channel, if it has one.
    pub fn own_number(&self, id: ClientId) -> Option<ChannelNo> {
        let client = &self.clients[&id];
        let own = own_channel(client.user_id()?);
        Some(promised!(
            Sane,
            self.model.find(client.app, &own),
            "{own} is unknown"
        ))
    }
}

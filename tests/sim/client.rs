//! One client: what it asked for, what it was told, and whether that was right.
//!
//! A client judges with its own eyes first (is this user in my list already?) and then against the
//! [`Model`] (is this the next entry of the channel's order?). It never looks into a hub.

use crate::model::{ChannelNo, Entry, Event, Model, Stamp};
use crate::said::{Members, Said};
use crate::user::{User, Watching};
use crate::verdict::{Oracle, promise, promised, violated};
use shardcast::id::{AppSlot, ClientId, SocketId};
use shardcast::protocol::event::SubscriptionRefusal;
use std::collections::BTreeMap;

/// A connection that is open.
#[derive(Debug)]
pub struct Client {
    /// Its place.
    pub id: ClientId,
    /// The id it was told.
    pub socket: SocketId,
    /// The app it connected to.
    pub app: AppSlot,
    /// Whether it holds one of its app's places.
    pub counted: bool,
    /// What it is subscribed to, or waits for.
    pub subscriptions: BTreeMap<ChannelNo, Subscription>,
    /// Who it has signed in as.
    pub user: Option<User>,
    /// Whom it watches.
    pub watching: Watching,
    /// Whether it must be gone at the next rest, because its user was terminated.
    pub is_condemned: bool,
    /// What was heard in answer to the command under way.
    pub heard: Heard,
    /// When its client events were sent on, in milliseconds.
    pub sent_ms: Vec<u64>,
    /// When a client event last counted against the rate, sent or not.
    pub counted_ms: Option<u64>,
    /// The second frame of a refusal is due, for this channel.
    second_due: Option<String>,
    /// What a cache channel begins with is due: its event, or that there is none.
    pub cached_due: Option<(ChannelNo, Option<usize>)>,
}

/// What a command was answered with, besides subscriptions.
#[derive(Debug, Default)]
pub struct Heard {
    /// Codes of the errors.
    pub errors: Vec<Option<u64>>,
    /// Pongs.
    pub pongs: u32,
    /// A subscription that must be refused, and why; taken when it is.
    pub refusal_due: Option<(String, SubscriptionRefusal)>,
    /// A sign-in that must succeed, with this text; taken when it does.
    pub sign_in_due: Option<String>,
}

/// A subscription from its first request to its end.
#[derive(Debug, Default)]
pub struct Subscription {
    /// Requests that are not answered yet.
    pub asked: u32,
    /// The user that was signed.
    pub user: Option<String>,
    /// Set by the first success.
    pub active: Option<Active>,
}

/// A subscription that gets events.
#[derive(Debug)]
pub struct Active {
    /// What comes next.
    pub next: Next,
    /// The members, as told.
    pub view: BTreeMap<String, Option<String>>,
    /// How many are subscribed, as last told.
    pub count: Option<u64>,
}

/// Which entry of the channel's order comes next.
#[derive(Clone, Copy, Debug)]
pub enum Next {
    /// The one at this position, or the first after it that is due.
    At(usize),
    /// Any from `from` on, as long as nothing is missed from `until` on: a success that was given
    /// on the spot may stand anywhere among the events that are on the way to the shard.
    Between { from: usize, until: usize },
}

impl Client {
    /// A client that has not asked for anything.
    pub fn new(id: ClientId, socket: SocketId, app: AppSlot, counted: bool) -> Self {
        let (subscriptions, heard) = (BTreeMap::new(), Heard::default());
        Self {
            id,
            socket,
            app,
            counted,
            subscriptions,
            user: None,
            watching: Watching::default(),
            is_condemned: false,
            heard,
            sent_ms: Vec::new(),
            counted_ms: None,
            second_due: None,
            cached_due: None,
        }
    }

    /// A frame comes in. The stamp is that of the home's answer which brought it, if one did.
    pub fn hear(&mut self, said: &Said, stamp: Option<&Stamp>, model: &Model) {
        if let Some(refused) = self.second_due.take() {
            let second = Said::Error {
                code: None,
                channel: Some(refused),
            };
            promise!(
                Reply,
                *said == second,
                "{:?} waits for {second:?}, not {said:?}",
                self.id
            );
            return;
        }
        if let Some((channel, number)) = self.cached_due.take() {
            self.hear_cached(channel, number, said, model); // S3
            return;
        }
        match said {
            Said::Pong => self.heard.pongs += 1,
            Said::SignedIn { user_data } => self.hear_sign_in(user_data),
            Said::Watched { .. } => unreachable!("the world hands it on"),
            Said::Error { code, .. } => self.heard.errors.push(*code),
            Said::Refused { channel, message } => self.hear_refusal(channel, message, stamp, model),
            Said::Succeeded { channel, members } => {
                let number = self.number(channel, model);
                match members {
                    None => self.hear_success(number, stamp, model),
                    Some(members) => self.hear_snapshot(number, members, stamp, model),
                }
            }
            Said::Added {
                channel,
                user,
                info,
            } => {
                let entry = Entry::Added {
                    user: user.clone(),
                    info: info.clone(),
                };
                self.hear_change(self.number(channel, model), entry, model);
            }
            Said::Removed { channel, user } => {
                let entry = Entry::Removed { user: user.clone() };
                self.hear_change(self.number(channel, model), entry, model);
            }
            Said::Event { channel, .. } => {
                self.hear_event(self.number(channel, model), said, model);
            }
            Said::Missed { channel } => {
                let id = self.id;
                violated(Oracle::Run, format!("{id:?} hears of a miss in {channel}"));
            }
            Said::Counted { channel, count } => {
                self.hear_count(self.number(channel, model), *count, model);
            }
        }
    }

    /// A frame that follows no command: nothing is pending that only a command may bring.
    pub fn expect_nothing_heard(&self) {
        let Heard {
            errors,
            pongs,
            refusal_due,
            sign_in_due,
        } = &self.heard;
        let due = refusal_due.is_some() || sign_in_due.is_some();
        let quiet = errors.is_empty() && *pongs == 0 && !due;
        promise!(
            Reply,
            quiet,
            "{:?} is told without asking: {:?}",
            self.id,
            self.heard
        );
        promise!(
            Reply,
            self.second_due.is_none(),
            "{:?} got half a refusal",
            self.id
        );
        promise!(
            Run,
            self.cached_due.is_none(),
            "{:?} got no cached event: {:?}",
            self.id,
            self.cached_due
        );
    }

    fn number(&self, channel: &str, model: &Model) -> ChannelNo {
        let number = model.find(self.app, channel);
        promised!(Period, number, "{:?} is told of {channel}", self.id)
    }

    /// S1: takes one request off, or there was none.
    pub fn answered(&mut self, channel: ChannelNo) -> &mut Subscription {
        let (id, subscription) = (self.id, self.subscriptions.get_mut(&channel));
        let asked = subscription.filter(|subscription| subscription.asked > 0);
        let subscription = promised!(
            Reply,
            asked,
            "{id:?} is answered without asking on {channel}"
        );
        subscription.asked -= 1;
        subscription
    }

    fn hear_refusal(&mut self, name: &str, message: &str, stamp: Option<&Stamp>, model: &Model) {
        self.second_due = Some(name.to_owned());
        let id = self.id;
        if let Some((channel, refusal)) = self.heard.refusal_due.take() {
            let right = channel == name && refusal.message() == message;
            promise!(
                Reply,
                right,
                "{id:?} hears {message} for {name}, not {refusal:?}"
            );
            return;
        }
        let number = self.number(name, model);
        let full = message == SubscriptionRefusal::ChannelFull.message();
        promise!(
            Reply,
            full,
            "{id:?} is refused for no reason on {name}: {message}"
        );
        let full = stamp.is_some_and(|stamp| matches!(stamp.outcome, Some(Err(_))));
        promise!(
            Reply,
            full,
            "{id:?} is refused although there is room on {name}"
        ); // P8
        let subscription = self.answered(number);
        promise!(
            Reply,
            subscription.active.is_none(),
            "{id:?} is in {name} and refused"
        );
        if subscription.asked == 0 {
            self.subscriptions.remove(&number);
        }
    }

    /// P1, P4: the members as the home knew them when it let the client in.
    fn hear_snapshot(
        &mut self,
        channel: ChannelNo,
        members: &Members,
        stamp: Option<&Stamp>,
        model: &Model,
    ) {
        let (id, socket, name) = (self.id, self.socket, &model.channels[channel].name);
        if model.channels[channel].is_cache() {
            self.cached_due = stamp.map(|stamp| (channel, stamp.cached)); // P10
        }
        let right = stamp
            .filter(|stamp| stamp.channel == channel)
            .and_then(|stamp| {
                let members = stamp.outcome.as_ref()?.as_ref().ok()?;
                Some((stamp.position, members))
            });
        let (position, expected) = promised!(
            Reply,
            right,
            "{id:?} is let into {name}, but not by its home"
        );
        promise!(
            View,
            members == expected,
            "{id:?} sees {members:?} in {name}, not {expected:?}"
        );
        let subscription = self.answered(channel);
        let user = subscription.user.as_ref();
        let inside = user.is_some_and(|user| members.iter().any(|(id, _)| id == user));
        promise!(
            View,
            inside,
            "{id:?} as {user:?} is not in its own list of {name}"
        );
        let view: BTreeMap<_, _> = members.iter().cloned().collect();
        let Some(active) = &mut subscription.active else {
            subscription.active = Some(Active {
                next: Next::At(position),
                view,
                count: None,
            });
            return;
        };
        let (next, due) = (active.next.position(), model.due(channel, position, socket));
        let next = next.map(|next| model.due(channel, next, socket));
        promise!(
            Run,
            next == Some(due),
            "{id:?} sees {name} at {due}, but is at {next:?}"
        );
        let same = active.view.keys().eq(view.keys());
        promise!(
            View,
            same,
            "{id:?} saw {:?} in {name}, and now {view:?}",
            active.view
        );
        active.view = view;
    }

    /// P2, P3: somebody came or went.
    fn hear_change(&mut self, channel: ChannelNo, entry: Entry, model: &Model) {
        let (id, socket, name) = (self.id, self.socket, &model.channels[channel].name);
        let subscription = self.subscriptions.get_mut(&channel);
        let known = subscription.and_then(|subscription| {
            Some((subscription.user.as_ref(), subscription.active.as_mut()?))
        });
        let (own, active) = promised!(Period, known, "{id:?} is not in {name} and hears {entry:?}");
        match &entry {
            Entry::Added { user, info } => {
                promise!(
                    View,
                    own != Some(user),
                    "{id:?} is told of itself in {name}"
                );
                let old = active.view.insert(user.clone(), info.clone());
                promise!(
                    View,
                    old.is_none(),
                    "{id:?} hears twice of {user} in {name}"
                );
            }
            Entry::Removed { user } => {
                promise!(
                    View,
                    own != Some(user),
                    "{id:?} is told that it left {name}"
                );
                let old = active.view.remove(user);
                promise!(
                    View,
                    old.is_some(),
                    "{id:?} hears that {user} left {name}, unseen"
                );
            }
            Entry::Event(_) => unreachable!("events go elsewhere"),
        }
        let due = active
            .next
            .position()
            .map(|next| model.due(channel, next, socket));
        let expected = due.and_then(|due| model.channels[channel].log.get(due));
        promise!(
            Run,
            expected == Some(&entry),
            "{id:?} in {name}: {entry:?}, not {expected:?}"
        );
        active.next = Next::At(due.expect("an entry was found there") + 1);
    }

    fn hear_event(&mut self, channel: ChannelNo, said: &Said, model: &Model) {
        let Said::Event {
            event,
            data,
            user_id,
            ..
        } = said
        else {
            return;
        };
        let (id, socket, name) = (self.id, self.socket, &model.channels[channel].name);
        let active = self
            .subscriptions
            .get_mut(&channel)
            .and_then(|known| known.active.as_mut());
        let active = promised!(Period, active, "{id:?} is not in {name} and hears {data:?}");
        let number = Model::number_of(data).filter(|number| *number < model.events.len());
        let number = promised!(
            Publish,
            number,
            "{id:?} hears what nobody published: {data:?}"
        );
        let known @ Event {
            except, position, ..
        } = &model.events[number];
        let same = known.channel == channel
            && (event, data, user_id) == (&known.name, &known.data, &known.user_id);
        promise!(Publish, same, "{id:?} hears {number} changed: {said:?}"); // S12, W4
        promise!(
            Excluded,
            *except != Some(socket),
            "{id:?} is excluded from {number} in {name}"
        );
        let position = promised!(
            Run,
            *position,
            "{id:?} hears {number} before {name} orders it"
        );
        let next = active.next;
        let right = match next {
            Next::At(next) => model.due(channel, next, socket) == position,
            Next::Between { from, until } => {
                from <= position && position <= model.due(channel, until, socket)
            }
        };
        promise!(
            Run,
            right,
            "{id:?} in {name}: {number} at {position}, but is at {next:?}"
        );
        active.next = Next::At(position + 1);
    }

    /// At rest: every request is answered, and nothing of any channel's order is missing.
    pub fn rest(&self, model: &Model) {
        self.expect_nothing_heard();
        let (id, socket) = (self.id, self.socket);
        for (&channel, subscription) in &self.subscriptions {
            let at = &model.channels[channel];
            promise!(
                Reply,
                subscription.asked == 0,
                "{id:?} waits for {} in vain",
                at.name
            );
            let active = subscription.active.as_ref();
            let active = promised!(Reply, active, "{id:?} is in {} and not let in", at.name);
            let (Next::At(from) | Next::Between { until: from, .. }) = active.next;
            let missed = at.log.get(model.due(channel, from, socket));
            promise!(
                Run,
                missed.is_none(),
                "{id:?} in {} never got {missed:?}",
                at.name
            );
        }
    }
}

impl Next {
    /// The position, where it is known.
    fn position(self) -> Option<usize> {
        match self {
            Self::At(position) => Some(position),
            Self::Between { .. } => None,
        }
    }
}

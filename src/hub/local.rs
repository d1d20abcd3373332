//! The subscriber's side: what clients of this shard ask for, and what homes send them.

use super::channel_table::ChannelName;
use super::effect::Effect;
use super::index::{ChannelSlot, Subscriber};
use super::note::{Admission, Deliver, Join, Joined, Note, Part, Welcome, home_of};
use super::presence::Presence;
use super::session::{State, Subscription};
use super::state::Hub;
use super::tell::{pong_frame, tell};
use crate::id::{ClientId, ShardId};
use crate::limits::{ERROR_ANSWERS_PER_SECOND, EVENT_NAME_SHOWN, REFUSALS_PER_SECOND};
use crate::protocol::command::{Command, CommandError, Subscribe};
use crate::protocol::event::{self, SubscriptionRefusal};
use crate::protocol::member::Member;
use crate::protocol::user::user_of;
use crate::protocol::{ChannelKind, Code, NameError};
use crate::ws::Frame;

/// What a refusal of something that clients do ask for costs, of [`REFUSALS_PER_SECOND`].
pub(super) const REFUSAL: u32 = 1;

/// What an answer to a frame without sense costs, so that it is [`ERROR_ANSWERS_PER_SECOND`].
const NONSENSE: u32 = REFUSALS_PER_SECOND / ERROR_ANSWERS_PER_SECOND;

impl Hub {
    /// Carries out what a client said. `room` is asked whether the channel's home takes more.
    pub fn command(
        &mut self,
        client: ClientId,
        command: Result<Command<'_>, CommandError<'_>>,
        now_ms: u64,
        room: impl FnOnce(ShardId) -> bool,
        effects: &mut Vec<Effect>,
    ) {
        if self.sessions.get(client).is_none() {
            return;
        }
        match command {
            Ok(Command::Ping) => {
                const PONG: &[u8] = pong_frame();
                effects.push(Effect::Send {
                    client,
                    frame: Frame::fixed(&PONG),
                });
            }
            Ok(Command::Pong) => {}
            Ok(Command::Subscribe(subscribe)) => {
                if let Err(refusal) = self.subscribe(client, subscribe, effects) {
                    self.not_subscribed(client, subscribe, refusal, now_ms, effects);
                }
            }
            Ok(Command::Unsubscribe { channel }) => self.unsubscribe(client, channel, effects),
            Ok(Command::SignIn(sign_in)) => self.sign_in(client, sign_in, now_ms, effects),
            Ok(Command::ClientEvent(event)) => {
                if let Err(refusal) = self.client_event(client, event, now_ms, room, effects)
                    && self.may_refuse(client, refusal.cost, now_ms, effects)
                {
                    let (code, message) = (refusal.code, refusal.message);
                    tell(client, code, &message, Some(event.channel), effects);
                }
            }
            Err(error) => self.unreadable(client, error, now_ms, effects),
        }
    }

    /// A subscription is refused, and the client too if it tries signatures one after the other.
    #[cold]
    fn not_subscribed(
        &mut self,
        client: ClientId,
        subscribe: Subscribe<'_>,
        refusal: SubscriptionRefusal,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) {
        let tried = refusal == SubscriptionRefusal::Auth && subscribe.auth.is_some();
        if (!tried || self.may_fail(client, now_ms, effects))
            && self.may_refuse(client, REFUSAL, now_ms, effects)
        {
            self.refuse(client, subscribe.channel, refusal, effects);
        }
    }

    /// Section 2.7: whether one more refusal may be answered. What a client is refused without end
    /// ends with its connection, as each answer is longer than what was asked.
    pub(super) fn may_refuse(
        &mut self,
        client: ClientId,
        cost: u32,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) -> bool {
        self.happened.refusals += 1;
        let Some(session) = self.sessions.get_mut(client) else {
            return false;
        };
        let may = session.errors.take_many(now_ms, REFUSALS_PER_SECOND, cost);
        if !may {
            effects.push(Effect::Close {
                client,
                code: Code::PolicyViolation,
            });
        }
        may
    }

    /// Section 2.7, column ours: an error frame, and no more than ten of them a second.
    fn unreadable(
        &mut self,
        client: ClientId,
        error: CommandError<'_>,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) {
        if !self.may_refuse(client, NONSENSE, now_ms, effects) {
            return;
        }
        let message = match error {
            CommandError::NotJson => "Invalid message: must be a JSON object".into(),
            CommandError::NoEvent => "Invalid message: must have an event name".into(),
            CommandError::UnknownEvent(event) => {
                format!(
                    "Unknown event {}",
                    event.chars().take(EVENT_NAME_SHOWN).collect::<String>()
                )
            }
            CommandError::NoChannel(event) => format!("Invalid {event}: must have a channel"),
            CommandError::IncompleteClientEvent => {
                "Invalid client event (must contain channel and data)".into()
            }
        };
        tell(client, None, &message, None, effects);
    }

    fn subscribe(
        &mut self,
        client: ClientId,
        subscribe: Subscribe<'_>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), SubscriptionRefusal> {
        let Subscribe { channel: name, .. } = subscribe;
        if user_of(name).is_some() {
            return self.subscribe_to_own(client, name, effects); // U8
        }
        let session = self.sessions.get(client).expect("looked up by command");
        let max = self.apps.get(session.app).app.channel_name_chars;
        let kind = ChannelKind::of(name, max).map_err(|error| match error {
            NameError::TooLong => SubscriptionRefusal::NameTooLong,
            NameError::Empty | NameError::Character => SubscriptionRefusal::Name,
        })?;
        let member = self.authorize(session, kind, subscribe)?;
        let app = session.app;
        let hash = self.hash(app, name);
        let known = self.index.find(app, hash, name);
        if let Some(at) = known.and_then(|channel| session.find(channel)) {
            if self.apps.get(app).app.strict_subscribe {
                if self.may_refuse(client, REFUSAL, self.now_ms, effects) {
                    let message = format!("Existing subscription to channel {name}");
                    tell(client, None, &message, Some(name), effects);
                }
                return Ok(());
            }
            return self.subscribe_again(client, at, kind, member, effects); // Q7
        }
        // Its own channel is not one it asked for.
        let count = session.subscriptions.len() - usize::from(session.user.is_some());
        if count >= self.options.channels_per_connection {
            return Err(SubscriptionRefusal::TooManyChannels); // S8
        }
        let channel = known.unwrap_or_else(|| {
            let name = ChannelName {
                app,
                hash,
                name: name.into(),
            };
            self.index.insert(name, kind)
        });
        self.enter(client, channel, 1, member, effects);
        Ok(())
    }

    /// Begins a subscription that will be answered `owed` times, and asks the channel's home to
    /// let it in where the home has not let this shard in already.
    pub(super) fn enter(
        &mut self,
        client: ClientId,
        channel: ChannelSlot,
        owed: u32,
        member: Option<Member>,
        effects: &mut Vec<Effect>,
    ) {
        let session = self.sessions.get_mut(client).expect("looked up by command");
        session.epoch = session.epoch.wrapping_add(1);
        let epoch = session.epoch;
        session.subscriptions.push(Subscription {
            channel,
            state: State::Waiting { owed },
            epoch,
            user_id: member.as_ref().map(|member| member.user_id.clone()),
        });
        let entry = self.index.get_mut(channel);
        entry.waiting.push(client);
        if asks_home(entry.kind) {
            let asker = Some(Presence { client, epoch });
            self.join(channel, asker, member, false, effects);
        } else if entry.home.is_some() {
            entry.newcomer = true;
            self.activate_waiting(channel, effects);
        } else if entry.joins_open == 0 {
            self.join(channel, None, None, false, effects);
        }
    }

    /// Q7: success again, no count change, nobody else is told.
    pub(super) fn subscribe_again(
        &mut self,
        client: ClientId,
        at: usize,
        kind: ChannelKind,
        member: Option<Member>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), SubscriptionRefusal> {
        let session = self.sessions.get_mut(client).expect("looked up by command");
        let subscription = &mut session.subscriptions[at];
        let (channel, epoch) = (subscription.channel, subscription.epoch);
        if let Some(member) = &member
            && subscription.user_id.as_ref() != Some(&member.user_id)
        {
            return Err(SubscriptionRefusal::Member); // one connection is one user
        }
        if asks_home(kind) {
            if let State::Waiting { owed } = &mut subscription.state {
                *owed += 1;
            }
            self.join(
                channel,
                Some(Presence { client, epoch }),
                member,
                true,
                effects,
            );
            return Ok(());
        }
        match &mut subscription.state {
            State::Waiting { owed } => *owed += 1,
            State::Active { .. } => effects.push(self.succeeded(client, channel)),
        }
        Ok(())
    }

    fn join(
        &mut self,
        channel: ChannelSlot,
        asker: Option<Presence>,
        member: Option<Member>,
        again: bool,
        effects: &mut Vec<Effect>,
    ) {
        let local = self.index.local_ref(channel);
        let entry = self.index.get_mut(channel);
        entry.joins_open += 1;
        entry.reported = entry.count();
        let join = Join {
            channel: entry.name.clone(),
            kind: entry.kind,
            local,
            count: entry.reported,
            asker,
            member,
            again,
        };
        let to = home_of(entry.name.hash, self.options.shards);
        effects.push(Effect::Post {
            to,
            note: Note::Join(Box::new(join)),
        });
    }

    /// The home has let this shard, and perhaps a subscription, in.
    pub(super) fn joined(&mut self, joined: Joined, effects: &mut Vec<Effect>) {
        let channel = self.index.resolve(joined.local);
        let channel = channel.expect("a channel is kept while a join of it is under way");
        let entry = self.index.get_mut(channel);
        entry.joins_open -= 1;
        entry.home = Some(joined.home);
        match joined.asker {
            None => self.activate_waiting(channel, effects),
            Some((asker, outcome)) => self.let_in(channel, asker, outcome, effects),
        }
        self.index.mark_changed(channel);
    }

    /// The home has answered for one subscription.
    fn let_in(
        &mut self,
        channel: ChannelSlot,
        asker: Presence,
        outcome: Admission,
        effects: &mut Vec<Effect>,
    ) {
        let client = asker.client;
        let at = self.sessions.get(client).and_then(|session| {
            let at = session.find(channel)?;
            (session.subscriptions[at].epoch == asker.epoch).then_some(at)
        });
        match (at, outcome) {
            (Some(at), Ok(welcome)) => {
                self.activate(client, at);
                self.welcome(client, channel, welcome, effects);
            }
            (Some(at), Err(refusal)) => {
                let name = self.index.get(channel).name.name.clone();
                if self.may_refuse(client, REFUSAL, self.now_ms, effects) {
                    self.refuse(client, &name, refusal, effects);
                }
                // Who asked again meanwhile waits on: there may be room by then.
                let session = self.sessions.get_mut(client).expect("looked up above");
                match &mut session.subscriptions[at].state {
                    State::Waiting { owed } if *owed > 1 => *owed -= 1,
                    _ => drop(self.forget(client, at)),
                }
            }
            // It left while the join was under way, and its part is on the way to the home.
            (None, _) => {}
        }
    }

    /// S3, P10: the success, and in a cache channel its event or that there is none.
    fn welcome(
        &mut self,
        client: ClientId,
        channel: ChannelSlot,
        welcome: Welcome,
        effects: &mut Vec<Effect>,
    ) {
        let success = match welcome.snapshot {
            Some(snapshot) => Effect::Send {
                client,
                frame: Frame::shared(snapshot),
            },
            None => self.succeeded(client, channel),
        };
        effects.push(success);
        let entry = self.index.get(channel);
        if entry.kind.is_cache() {
            let name = &entry.name.name;
            let miss = || self.encoder.encode(|out| event::cache_miss(name, out));
            let frame = Frame::shared(welcome.cached.unwrap_or_else(miss));
            effects.push(Effect::Send { client, frame });
        }
    }

    fn activate_waiting(&mut self, channel: ChannelSlot, effects: &mut Vec<Effect>) {
        for client in std::mem::take(&mut self.index.get_mut(channel).waiting) {
            let session = self.sessions.get(client).expect("who waits is open");
            let at = session.find(channel).expect("who waits is subscribed");
            let State::Waiting { owed } = session.subscriptions[at].state else {
                continue;
            };
            self.activate(client, at);
            for _ in 0..owed {
                effects.push(self.succeeded(client, channel));
            }
        }
        self.index.mark_changed(channel);
    }

    /// From here on the subscription gets events (S4).
    fn activate(&mut self, client: ClientId, at: usize) {
        let session = self
            .sessions
            .get_mut(client)
            .expect("looked up by the caller");
        let subscription = &mut session.subscriptions[at];
        if let State::Waiting { .. } = subscription.state {
            let channel = self.index.get_mut(subscription.channel);
            channel.waiting.retain(|waiting| *waiting != client);
            session.is_authorized |= channel.kind.needs_auth();
            let position = channel.subscribers.len() as u32;
            channel.subscribers.push(Subscriber {
                client,
                subscription: at as u32,
            });
            subscription.state = State::Active { position };
        }
    }

    /// An event from the channel's home.
    pub(super) fn deliver(&mut self, deliver: Deliver, effects: &mut Vec<Effect>) {
        let Some(channel) = self.index.resolve(deliver.local) else {
            return;
        };
        if self.index.subscribers(channel).is_empty() {
            return;
        }
        self.delivered = self.delivered.or(deliver.stamp);
        let frame = Frame::shared(deliver.frame);
        effects.push(Effect::Fanout {
            channel,
            frame,
            except: deliver.except,
        });
    }

    fn unsubscribe(&mut self, client: ClientId, name: &str, effects: &mut Vec<Effect>) {
        let Some(session) = self.sessions.get(client) else {
            return;
        };
        let channel = self
            .index
            .find(session.app, self.hash(session.app, name), name);
        let Some(channel) = channel else { return };
        let Some(at) = session.find(channel) else {
            return; // S9
        };
        // Who is signed in stays in its own channel (U9).
        if !self.index.get(channel).kind.is_user() {
            self.leave(client, at, effects);
        }
    }

    /// Ends a subscription: local state goes at once, the home is told.
    pub(super) fn leave(&mut self, client: ClientId, at: usize, effects: &mut Vec<Effect>) {
        let gone = self.forget(client, at);
        let Some(user_id) = gone.user_id else { return };
        let channel = self.index.get(gone.channel).name.clone();
        let to = home_of(channel.hash, self.options.shards);
        let presence = Presence {
            client,
            epoch: gone.epoch,
        };
        let part = Part {
            channel,
            presence,
            user_id,
        };
        effects.push(Effect::Post {
            to,
            note: Note::Part(Box::new(part)),
        });
    }

    /// Takes a subscription out of session and index.
    fn forget(&mut self, client: ClientId, at: usize) -> Subscription {
        let session = self
            .sessions
            .get_mut(client)
            .expect("looked up by the caller");
        let gone = session.subscriptions.swap_remove(at);
        if let Some(moved) = session.subscriptions.get(at)
            && let State::Active { position } = moved.state
        {
            let channel = self.index.get_mut(moved.channel);
            channel.subscribers[position as usize].subscription = at as u32;
        }
        match gone.state {
            State::Waiting { .. } => {
                self.index
                    .get_mut(gone.channel)
                    .waiting
                    .retain(|waiting| *waiting != client);
            }
            State::Active { position } => {
                if let Some(moved) = self.index.remove_subscriber(gone.channel, position) {
                    let session = self
                        .sessions
                        .get_mut(moved.client)
                        .expect("subscribers are open");
                    session.subscriptions[moved.subscription as usize].state =
                        State::Active { position };
                }
            }
        }
        self.index.mark_changed(gone.channel);
        gone
    }

    fn succeeded(&mut self, client: ClientId, channel: ChannelSlot) -> Effect {
        let name = &self.index.get(channel).name.name;
        let bytes = self
            .encoder
            .encode(|out| event::subscription_succeeded(name, out));
        Effect::Send {
            client,
            frame: Frame::shared(bytes),
        }
    }
}

/// Whether the home lets each subscription in by itself: members are told of, and a cached event is
/// given.
fn asks_home(kind: ChannelKind) -> bool {
    kind.is_presence() || kind.is_cache()
}

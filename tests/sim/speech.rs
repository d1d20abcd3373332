//! What clients say: frames as text, as real clients write them, and what each must be answered.

use crate::client::{Client, Heard};
use crate::model::{ChannelNo, Event, Model};
use crate::setup::{DATA_BYTES, MEMBER_BYTES};
use crate::tally::Count;
use crate::verdict::promise;
use crate::world::World;
use serde_json::json;
use shardcast::hub::{Effect, Hub, Relay, Tenant};
use shardcast::id::{ClientId, ShardId, SocketId};
use shardcast::protocol::Parser;
use shardcast::protocol::event::SubscriptionRefusal;

/// A request to subscribe.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The channel, or a name that none may have.
    pub channel: Result<ChannelNo, &'static str>,
    /// Whether the signature is right.
    pub signed: bool,
    /// The user, for presence channels.
    pub user: Option<String>,
    /// The user's info.
    pub info: Option<String>,
    /// Whether `channel_data` is no member at all.
    pub garbled: bool,
}

/// How a command is answered on the spot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// With nothing but what subscriptions bring.
    Nothing,
    /// With a pong.
    Pong,
    /// With an error without a code, or by the end of the connection.
    Complaint,
    /// With an error of this code, and nothing is sent on.
    Error(Option<u64>),
    /// With an error of this code, and it was no event.
    Told(Option<u64>),
    /// With an error of this code, or it is sent on.
    Perhaps(u64),
}

const CLIENT_EVENT_REFUSED: u64 = 4301;

impl Spot {
    /// Whether what was heard on the spot is right; `kept`: a client event was not sent on.
    fn check(self, id: ClientId, heard: &Heard, kept: bool, closed: bool) {
        let Heard {
            errors,
            pongs,
            refusal_due,
            sign_in_due,
        } = heard;
        promise!(
            Reply,
            sign_in_due.is_none(),
            "{id:?} is not signed in: {sign_in_due:?}"
        );
        promise!(
            Reply,
            refusal_due.is_none(),
            "{id:?} was not refused: {refusal_due:?}"
        );
        let told = |codes: &[Option<u64>]| errors == codes && *pongs == 0;
        let right = match self {
            Self::Nothing => told(&[]) && !kept,
            Self::Pong => errors.is_empty() && *pongs == 1,
            Self::Complaint if closed => told(&[]),
            Self::Complaint => told(&[None]),
            Self::Error(code) => told(&[code]) && kept,
            Self::Told(code) => told(&[code]) && !kept,
            Self::Perhaps(code) if kept => told(&[Some(code)]),
            Self::Perhaps(_) => told(&[]),
        };
        promise!(
            Reply,
            right,
            "{id:?} expects {self:?}: {heard:?}, kept is {kept}"
        );
        promise!(
            Reply,
            !closed || self == Self::Complaint,
            "{id:?} is closed on {self:?}"
        );
    }
}

impl Ask {
    /// The frame.
    fn text(&self, client: &Client, tenant: &Tenant, model: &Model) -> String {
        let name = match self.channel {
            Ok(number) => model.channels[number].name.as_str(),
            Err(name) => name,
        };
        let mut data = json!({ "channel": name });
        let user = self
            .user
            .as_deref()
            .filter(|_| name.starts_with("presence-"));
        let member = user.map(|user| match (&self.info, self.garbled) {
            (_, true) => "[\"nobody\"]".to_owned(),
            (Some(info), false) => format!("{{\"user_id\":{},\"user_info\":{info}}}", json!(user)),
            (None, false) => format!("{{\"user_id\":{}}}", json!(user)),
        });
        if name.starts_with("presence-") || name.starts_with("private-") {
            let socket = client.socket.to_string();
            let mut text = format!("{socket}:{name}");
            if let Some(member) = &member {
                text += ":";
                text += member;
                data["channel_data"] = json!(member);
            }
            if !self.signed {
                text += "x";
            }
            let digest = tenant.signer.sign(&[text.as_bytes()]);
            data["auth"] = json!(format!("{}:{digest}", tenant.app.key));
        }
        json!({ "event": "pusher:subscribe", "data": data }).to_string()
    }

    /// What it comes to: without a member of its own it is for the user who is signed in (P9).
    fn as_user(&self, client: &Client) -> Self {
        match (&self.user, &client.user) {
            (None, Some(user)) => Self {
                user: Some(user.id.clone()),
                info: user.info.clone(),
                garbled: false,
                ..self.clone()
            },
            _ => self.clone(),
        }
    }

    /// Why it must be refused on the spot, if it must. A full channel is the home's to refuse.
    fn refusal(&self, client: &Client, world: &World) -> Option<SubscriptionRefusal> {
        use SubscriptionRefusal as Refusal;
        let number = match self.channel {
            Ok(number) => number,
            Err(name) if name.len() > 200 => return Some(Refusal::NameTooLong),
            Err(_) => return Some(Refusal::Name),
        };
        let channel = &world.model.channels[number];
        if channel.is_own_of(None) {
            let own = client.user_id();
            return (own.is_none() || !channel.is_own_of(own)).then_some(Refusal::Name); // U8
        }
        if channel.needs_auth() && !self.signed {
            return Some(Refusal::Auth);
        }
        if channel.is_presence() && (self.garbled || self.user.is_none()) {
            return Some(Refusal::Member);
        }
        let info = self.info.as_ref().map_or(0, String::len);
        if channel.is_presence() && info > MEMBER_BYTES {
            return Some(Refusal::MemberTooBig);
        }
        match client.subscriptions.get(&number) {
            Some(_) if world.apps.get(client.app).app.strict_subscribe => None,
            Some(known) if channel.is_presence() && known.user != self.user => {
                Some(Refusal::Member) // one connection is one user of a channel
            }
            Some(_) => None,
            None if client.subscriptions.len() - usize::from(client.user.is_some())
                >= world.setup.channels_per_connection =>
            {
                Some(Refusal::TooManyChannels) // S8
            }
            None => None,
        }
    }
}

impl World {
    /// A client asks to subscribe.
    pub fn subscribe(&mut self, id: ClientId, ask: &Ask) {
        let client = &self.clients[&id];
        let text = ask.text(client, self.apps.get(client.app), &self.model);
        let ask = &ask.as_user(client);
        let refusal = ask.refusal(client, self);
        let name = match ask.channel {
            Ok(number) => self.model.channels[number].name.clone(),
            Err(name) => name.to_owned(),
        };
        let client = self
            .clients
            .get_mut(&id)
            .expect("the caller picked an open one");
        client.heard.refusal_due = refusal.map(|refusal| (name, refusal));
        let strict = self.apps.get(client.app).app.strict_subscribe;
        let known = ask.channel.ok();
        if refusal.is_none()
            && strict
            && known.is_some_and(|number| {
                // Its own channel may be asked for as often as one likes (U8).
                !self.model.channels[number].is_own_of(None)
                    && client.subscriptions.contains_key(&number)
            })
        {
            return self.say(id, text, Spot::Complaint); // Q7
        }
        if refusal.is_none() {
            let number = ask.channel.expect("other names are refused");
            let user = ask
                .user
                .clone()
                .filter(|_| self.model.channels[number].is_presence());
            let subscription = client.subscriptions.entry(number).or_default();
            subscription.asked += 1;
            subscription.user = user;
        }
        self.say(id, text, Spot::Nothing);
    }

    /// A client takes a subscription back, or one that it does not have.
    pub fn unsubscribe(&mut self, id: ClientId, channel: ChannelNo) {
        let client = self
            .clients
            .get_mut(&id)
            .expect("the caller picked an open one");
        let name = &self.model.channels[channel].name;
        // Who is signed in stays in its own channel (U9).
        if !self.model.channels[channel].is_own_of(None) {
            let gone = client.subscriptions.remove(&channel);
            // A termination that is under way may find no such member any more.
            if gone.is_some_and(|subscription| subscription.user.is_some()) {
                client.is_condemned = false;
            }
        }
        let text = json!({ "event": "pusher:unsubscribe", "data": { "channel": name } });
        self.say(id, text.to_string(), Spot::Nothing); // S9
    }

    /// A client sends an event to a channel, whether it may or not, and whether the home has room
    /// for it or not.
    pub fn client_event(&mut self, id: ClientId, channel: ChannelNo, too_long: bool, room: bool) {
        let client = &self.clients[&id];
        let (socket, app) = (client.socket, &self.apps.get(client.app).app);
        let at = &self.model.channels[channel];
        let subscription = client.subscriptions.get(&channel);
        let inside = subscription.filter(|subscription| subscription.active.is_some());
        let is_open = app.allow_client_events_on_public && !at.is_own_of(None);
        let spot = if !at.needs_auth() && !is_open {
            Spot::Error(Some(CLIENT_EVENT_REFUSED))
        } else if inside.is_none() {
            Spot::Error(None)
        } else if too_long || !room {
            Spot::Error(Some(CLIENT_EVENT_REFUSED)) // without room, it may have cost a token
        } else if app.client_events_per_second.is_none() {
            Spot::Nothing
        } else {
            Spot::Perhaps(CLIENT_EVENT_REFUSED)
        };
        let user_id = inside.and_then(|subscription| subscription.user.clone()); // CE2
        let number = self.register(channel, "client-said", user_id, Some(socket), id.shard());
        if too_long {
            self.model.events[number].data += &"x".repeat(DATA_BYTES);
        }
        let (at, Event { name, data, .. }) =
            (&self.model.channels[channel], &self.model.events[number]);
        let text = json!({ "event": name, "channel": at.name, "data": data }).to_string();
        let home = self.hubs[0].home_of(at.app, &at.name);
        let now_ms = self.now_us / 1_000;
        self.publish_due = Some(number);
        let asked = self.say_with_room(id, text, spot, room);
        let sent = !self.model.events[number].refused;
        let right = asked.map_or(!sent, |asked| asked == home);
        promise!(
            Publish,
            right,
            "{id:?}: {number} asks for room at {asked:?}, not at {home}"
        );
        if let Some(client) = self.clients.get_mut(&id)
            && let Some(rate) = self.apps.get(client.app).app.client_events_per_second
            && (matches!(spot, Spot::Perhaps(_)) || !room)
        {
            client.tell_rate(rate, sent, room, now_ms);
        }
    }

    /// A backend publishes by way of some shard.
    pub fn publish(&mut self, shard: ShardId, channel: ChannelNo, except: Option<SocketId>) {
        let number = self.register(channel, "published", None, except, shard);
        self.publish_due = Some(number);
        self.model.events[number].is_kept = true;
        let at = &self.model.channels[channel];
        let (app, name) = (at.app, at.name.clone());
        let Event {
            name: event, data, ..
        } = &self.model.events[number];
        let (event, data) = (event.clone(), data.clone());
        self.trace.step(self.now_us, || {
            format!("{shard}: publish {data:?} to {name}, not {except:?}")
        });
        let relay = |hub: &mut Hub, effects: &mut Vec<Effect>| {
            let (channel, event, data) = (name.as_str(), event.as_str(), data.as_str());
            let relay = Relay {
                app,
                channel,
                event,
                data,
                user_id: None,
                except,
            };
            hub.publish(relay, effects);
        };
        self.call(shard, relay);
        promise!(
            Publish,
            self.publish_due.is_none(),
            "{shard} keeps event {number} to itself"
        );
        self.after_input(shard);
    }

    /// A client sends a frame, and hears at once what it must.
    pub fn say(&mut self, id: ClientId, text: String, spot: Spot) {
        self.say_with_room(id, text, spot, true);
    }

    /// Same, and whether the shard that is asked for room has any. Returns which one was asked.
    fn say_with_room(
        &mut self,
        id: ClientId,
        text: String,
        spot: Spot,
        room: bool,
    ) -> Option<ShardId> {
        let shard = id.shard();
        self.trace
            .step(self.now_us, || format!("{shard}: {id:?} says {text}"));
        let (closed, mut asked) = (self.tally.of(Count::Closed), None);
        let now_ms = self.now_us / 1_000;
        let mut bytes = text.into_bytes();
        self.call(shard, |hub, effects| {
            let mut parser = Parser::default();
            let command = parser.parse(&mut bytes);
            let room = |home| {
                asked = Some(home);
                room
            };
            hub.command(id, command, now_ms, room, effects);
        });
        let refused = self.publish_due.take(); // what was sent on is no longer due
        if let Some(number) = refused {
            self.model.events[number].refused = true;
        }
        if let Some(client) = self.clients.get_mut(&id) {
            let heard = std::mem::take(&mut client.heard);
            client.expect_nothing_heard();
            let closed = self.tally.of(Count::Closed) > closed;
            spot.check(id, &heard, refused.is_some(), closed);
        }
        self.after_input(shard);
        asked
    }

    fn register(
        &mut self,
        channel: ChannelNo,
        name: &str,
        user_id: Option<String>,
        except: Option<SocketId>,
        from: ShardId,
    ) -> usize {
        let number = self.model.events.len();
        let odd = *self
            .rng
            .pick(&["", "{\"a\":\"\\\\\"}", "ü\u{1}\u{2028}", "\"\\\n"]);
        let data = format!("{number}|{odd}");
        let name = name.to_owned();
        let (position, refused) = (None, false);
        let event = Event {
            channel,
            name,
            data,
            user_id,
            except,
            from,
            position,
            refused,
            is_kept: false,
        };
        self.model.events.push(event);
        number
    }
}

//! What whoever runs the server asks for by way of the admin port: published, listed and ended as
//! for a backend of the app, but without a signature, and without the app's rates.

use super::auth::Verified;
use super::route::{Caller, error};
use crate::crossing::operator::{Inquiry, Reply, Wish};
use crate::http::Response;
use crate::http::query::Plus;
use crate::hub::{Answer, ChannelState, Cursor, Listed, Listener, Question, Whom};
use crate::id::{AppSlot, ShardId, SocketId};
use crate::limits::{CHANNELS_LOOKED_AT, CHANNELS_SHOWN, SUBSCRIBERS_SHOWN};
use crate::net::{self, look_around};
use crate::protocol::ChannelKind;
use crate::pusher::Pusher;
use serde::Serialize;
use std::cmp::Reverse;
use std::rc::Rc;

#[derive(Serialize)]
struct ChannelList {
    channels: Vec<ChannelLine>,
    /// How many were found, or looked at before that was given up.
    found: usize,
    /// Whether that was given up: there may be more.
    more: bool,
}

#[derive(Serialize)]
struct ChannelLine {
    name: Box<str>,
    subscriptions: u32,
    users: u32,
}

#[derive(Serialize)]
struct ChannelPage<'a> {
    name: &'a str,
    subscriptions: u32,
    users: u32,
    members: Vec<MemberLine>,
    subscribers: Vec<SubscriberLine>,
}

#[derive(Serialize)]
struct MemberLine {
    id: Box<str>,
    /// As text, for it is the member's own JSON.
    info: Option<Box<str>>,
}

#[derive(Serialize)]
struct SubscriberLine {
    socket_id: String,
    user_id: Option<Box<str>>,
    shard: u16,
}

impl Pusher {
    /// Answers in a task of its own: other shards may be asked first.
    pub fn inquire(self: &Rc<Self>, inquiry: Inquiry) {
        let pusher = Rc::clone(self);
        net::spawn(async move {
            let Inquiry { app, wish, answer } = inquiry;
            let slot = pusher.hub.borrow().apps().by_id(&app);
            let response = match slot {
                Some(app) => pusher.grant(app, wish).await,
                None => error(404, "Unknown app"),
            };
            let reply = Reply {
                status: response.status(),
                body: response.body().to_vec(),
            };
            let _ = answer.try_send(reply); // nobody may wait any more
        });
    }

    async fn grant(&self, app: AppSlot, wish: Wish) -> Response {
        match wish {
            Wish::Publish(mut body) => self.publish_event(&operator(app), &mut body).await,
            Wish::Channels(prefix) => self.list_channels(app, &prefix).await,
            Wish::Channel(name) => self.show_channel(app, &name).await,
            Wish::Disconnect(socket_id) => self.disconnect(app, Whom::Client(socket_id)).await,
            Wish::Terminate(user) => self.disconnect(app, Whom::User(user)).await,
        }
    }

    /// The channels with most subscribers.
    async fn list_channels(&self, app: AppSlot, prefix: &str) -> Response {
        let mut found = Vec::new();
        let mut more = false;
        'shards: for shard in (0..self.endpoint.shards()).map(ShardId) {
            let mut next = Some(Cursor::default());
            while let Some(from) = next {
                let (listed, rest) = self.list(shard, app, prefix, from).await;
                found.extend(listed);
                next = rest;
                if found.len() > CHANNELS_LOOKED_AT {
                    more = true;
                    break 'shards;
                }
                if next.is_some() {
                    look_around().await; // this shard answers itself on the spot
                }
            }
        }
        found.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        let count = found.len();
        found.truncate(CHANNELS_SHOWN);
        let lines = found.into_iter().map(|Listed { name, state }| ChannelLine {
            name,
            subscriptions: state.subscriptions,
            users: state.users,
        });
        written(&ChannelList {
            channels: lines.collect(),
            found: count,
            more,
        })
    }

    async fn show_channel(&self, app: AppSlot, name: &str) -> Response {
        if self.kind_of(app, name).is_err() {
            return error(400, "The channel name is not allowed");
        }
        let (
            ChannelState {
                subscriptions,
                users,
            },
            _,
        ) = self.state_of(app, name, false).await;
        written(&ChannelPage {
            name,
            subscriptions,
            users,
            members: self.members(app, name).await,
            subscribers: self.subscribers(app, name).await,
        })
    }

    /// The first members of a presence channel.
    async fn members(&self, app: AppSlot, name: &str) -> Vec<MemberLine> {
        if !ChannelKind::of(name, usize::MAX).is_ok_and(ChannelKind::is_presence) {
            return Vec::new();
        }
        let (home, channel) = self.channel_at(app, name);
        let with_info = true;
        let users = match self.ask(home, Question::Users { channel, with_info }).await {
            Answer::Users(users) => users,
            other => unreachable!("a home answers what it was asked, not {other:?}"),
        };
        let lines = users.into_iter().take(SUBSCRIBERS_SHOWN);
        let lines = lines.map(|user| MemberLine {
            id: user.user_id,
            info: user.user_info,
        });
        lines.collect()
    }

    /// The first subscribers that the shards name.
    async fn subscribers(&self, app: AppSlot, name: &str) -> Vec<SubscriberLine> {
        let mut lines = Vec::new();
        for shard in (0..self.endpoint.shards()).map(ShardId) {
            let most = SUBSCRIBERS_SHOWN - lines.len();
            if most == 0 {
                break;
            }
            let (_, channel) = self.channel_at(app, name);
            let listeners = match self
                .ask(shard, Question::Subscribers { channel, most })
                .await
            {
                Answer::Subscribers(listeners) => listeners,
                other => unreachable!("a shard answers what it was asked, not {other:?}"),
            };
            let line = |Listener { socket_id, user_id }| SubscriberLine {
                socket_id: socket_id.to_string(),
                user_id,
                shard: shard.0,
            };
            lines.extend(listeners.into_iter().map(line));
        }
        lines
    }

    /// Ends connections; 404 when there is none.
    async fn disconnect(&self, app: AppSlot, whom: Whom) -> Response {
        let none = match &whom {
            Whom::Client(_) => "The app has no connection with this socket id",
            Whom::User(_) => "The app has no connection of this user",
        };
        let mut ended = 0;
        for shard in (0..self.endpoint.shards()).map(ShardId) {
            let is_elsewhere = |socket_id: &SocketId| socket_id.shard() != shard;
            if matches!(&whom, Whom::Client(socket_id) if is_elsewhere(socket_id)) {
                continue;
            }
            let whom = whom.clone();
            ended += match self.ask(shard, Question::Disconnect { app, whom }).await {
                Answer::Disconnected(ended) => ended,
                other => unreachable!("a shard answers what it was asked, not {other:?}"),
            };
        }
        match ended {
            0 => error(404, none),
            ended => Response::json(200, format!("{{\"connections\":{ended}}}").into_bytes()),
        }
    }
}

/// Most subscribers first, then by name.
fn order(listed: &Listed) -> (Reverse<u32>, &str) {
    (Reverse(listed.state.subscriptions), &listed.name)
}

/// Who has no signature, and needs none.
fn operator(app: AppSlot) -> Caller {
    let verified = Verified {
        plus: Plus::Literal,
        signature: 0,
        signed_s: 0,
    };
    Caller {
        app,
        verified,
        is_operator: true,
    }
}

fn written(page: &impl Serialize) -> Response {
    Response::json_of(page).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer that is no JSON");
        Response::empty(500)
    })
}

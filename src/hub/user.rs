//! Users who have signed in (section 7), on the shard of their connection.
//!
//! To be signed in is to be in the internal channel `#server-to-user-ID`: its home knows which
//! shards have connections of the user, a publish to it reaches each of them once (U9), and its
//! counts say whether the user is online. Whether a client subscribes to that channel itself makes
//! no difference but the answer (U8).

use super::ask::Whom;
use super::channel_table::ChannelName;
use super::deadlines::Deadline;
use super::effect::Effect;
use super::local::REFUSAL;
use super::session::Session;
use super::state::Hub;
use super::tell::tell;
use super::watch::WatchedSlot;
use crate::id::{AppSlot, ClientId};
use crate::protocol::auth::user_is_signed;
use crate::protocol::command::SignIn;
use crate::protocol::event::{self, SubscriptionRefusal};
use crate::protocol::member::Member;
use crate::protocol::user::{User, channel_of, user_of};
use crate::protocol::{ChannelKind, Code};
use crate::ws::Frame;

/// What a connection is told that did not sign in in time (section 7.4).
const NOT_AUTHORIZED: &str = "Connection not authorized within timeout";

/// What a connection is told that the app's backend ends (section 7.5).
const DISCONNECTED: &str = "You got disconnected by the app.";

/// The user of one connection.
#[derive(Debug)]
pub struct SignedIn {
    /// The user's id.
    pub id: Box<str>,
    /// A JSON object as text.
    pub user_info: Option<Box<str>>,
    /// Whom it watches.
    pub watched: Vec<WatchedSlot>,
    /// Of how many of them the home has not said whether they are online. Until then nothing is
    /// told of any.
    pub unknown: u32,
}

impl SignedIn {
    /// The user as a member of a presence channel (P9).
    pub fn member(&self) -> Member {
        Member {
            user_id: self.id.clone(),
            user_info: self.user_info.clone(),
        }
    }
}

/// Why a sign-in fails: what the error frame says (U3, U4).
type Refusal = (Option<Code>, &'static str);

impl Hub {
    /// Answers at once; a failure leaves the connection open (U4).
    pub(super) fn sign_in(
        &mut self,
        client: ClientId,
        sign_in: SignIn<'_>,
        now_ms: u64,
        effects: &mut Vec<Effect>,
    ) {
        let session = self.sessions.get(client).expect("looked up by command");
        let (user, user_data) = match self.check_sign_in(session, sign_in) {
            Ok(checked) => checked,
            Err((code, message)) => {
                let is_wrong = code == Some(Code::Unauthorized) && sign_in.auth.is_some();
                if (!is_wrong || self.may_fail(client, now_ms, effects))
                    && self.may_refuse(client, REFUSAL, now_ms, effects)
                {
                    tell(client, code, message, None, effects);
                }
                return;
            }
        };
        let mut text = Vec::new();
        event::signin_success(user_data, &mut text);
        effects.push(Effect::Send {
            client,
            frame: Frame::text(&text),
        });
        let app = session.app;
        let User {
            id,
            user_info,
            watchlist,
        } = user;
        let signed_in = SignedIn {
            id,
            user_info,
            watched: Vec::new(),
            unknown: 0,
        };
        let name = channel_of(&signed_in.id);
        let session = self.sessions.get_mut(client).expect("looked up above");
        session.is_authorized = true;
        let old = session.user.replace(Box::new(signed_in));
        let was_watched = old.as_ref().map_or(&[][..], |old| &old.watched);
        self.look_away(client, was_watched); // U3
        if old.is_none() {
            self.enter_own(client, app, &name, effects);
        }
        if self.apps.get(app).app.watchlist {
            self.watch_all(client, &watchlist, effects);
        }
        self.forget_unwatched(was_watched, effects);
    }

    fn check_sign_in<'a>(
        &self,
        session: &Session,
        sign_in: SignIn<'a>,
    ) -> Result<(User, &'a str), Refusal> {
        let refused = |message| (Some(Code::Unauthorized), message);
        let tenant = self.apps.get(session.app);
        let (Some(auth), Some(user_data)) = (sign_in.auth, sign_in.user_data) else {
            return Err(refused("Invalid sign-in: must have auth and user_data."));
        };
        let socket_id = session.socket_id.to_string();
        if !user_is_signed(&tenant.signer, &tenant.app.key, auth, &socket_id, user_data) {
            return Err(refused("The connection is unauthorized."));
        }
        let user = User::parse(user_data).map_err(|error| refused(error.message()))?;
        match &session.user {
            Some(known) if known.id != user.id => {
                Err((None, "The connection is signed in as another user.")) // U3, Q17
            }
            _ => Ok((user, user_data)),
        }
    }

    fn enter_own(&mut self, client: ClientId, app: AppSlot, name: &str, effects: &mut Vec<Effect>) {
        let kind = ChannelKind::of(name, name.len()).expect("made of a legal id");
        let name = self.channel_name(app, name);
        let known = self.index.find(app, name.hash, &name.name);
        let channel = known.unwrap_or_else(|| self.index.insert(name, kind));
        self.enter(client, channel, 0, None, effects);
    }

    /// A client subscribes to its own channel, which it is in already (U8).
    pub(super) fn subscribe_to_own(
        &mut self,
        client: ClientId,
        name: &str,
        effects: &mut Vec<Effect>,
    ) -> Result<(), SubscriptionRefusal> {
        let session = self.sessions.get(client).expect("looked up by command");
        let own = session.user.as_ref().map(|user| &*user.id);
        if own.is_none() || own != user_of(name) {
            return Err(SubscriptionRefusal::Name);
        }
        let hash = self.hash(session.app, name);
        let channel = self.index.find(session.app, hash, name);
        let at = channel.and_then(|channel| session.find(channel));
        let at = at.expect("who is signed in is in its own channel");
        let kind = self.index.get(session.subscriptions[at].channel).kind;
        self.subscribe_again(client, at, kind, None, effects)
    }

    /// A connection of an app that wants authorisation has had its time (section 7.4).
    pub(super) fn check_authorized(&self, client: ClientId, effects: &mut Vec<Effect>) {
        let session = self.sessions.get(client);
        if session.is_some_and(|session| !session.is_authorized) {
            effects.push(Effect::CloseBecause {
                client,
                code: Code::Unauthorized,
                message: NOT_AUTHORIZED,
            });
        }
    }

    /// Starts a new connection's time, where its app wants authorisation.
    pub(super) fn expect_authorization(&mut self, client: ClientId, app: AppSlot) {
        if self.apps.get(app).app.user_authentication {
            let at_ms = self.now_ms + self.options.sign_in_ms;
            self.deadlines.set(at_ms, Deadline::Authorize(client));
        }
    }

    /// Ends connections of this shard, as a backend ends those of a user; says how many there were.
    /// All sessions are looked at: it is asked for by people.
    pub(super) fn disconnect(&self, app: AppSlot, whom: &Whom, effects: &mut Vec<Effect>) -> u32 {
        let is_meant = |session: &&Session| {
            session.app == app
                && match whom {
                    Whom::Client(socket_id) => session.socket_id == *socket_id,
                    Whom::User(id) => stands_for(session, Some(id)),
                }
        };
        let mut count = 0;
        for session in self.sessions.iter().filter(is_meant) {
            effects.push(disconnected(session.client));
            count += 1;
        }
        count
    }

    /// Ends the user's connections here (section 7.5), and where the app wants it those that are
    /// in a presence channel under the same id (Q20).
    pub(super) fn terminate(&self, user: &ChannelName, effects: &mut Vec<Effect>) {
        let mut close = |client| effects.push(disconnected(client));
        if self.apps.get(user.app).app.terminate_presence_members {
            let id = user_of(&user.name);
            let is_user = |session: &&Session| session.app == user.app && stands_for(session, id);
            let sessions = self.sessions.iter().filter(is_user);
            sessions.for_each(|session| close(session.client));
            return;
        }
        let Some(channel) = self.index.find(user.app, user.hash, &user.name) else {
            return;
        };
        let channel = self.index.get(channel);
        let active = channel.subscribers.iter().map(|entry| entry.client);
        active
            .chain(channel.waiting.iter().copied())
            .for_each(close);
    }
}

/// Whether the user has signed in on the connection, or is a presence member by it.
fn stands_for(session: &Session, id: Option<&str>) -> bool {
    let mut members = session.subscriptions.iter();
    let signed_in = session.user.as_ref().map(|user| &*user.id);
    signed_in == id || members.any(|member| id == member.user_id.as_deref())
}

fn disconnected(client: ClientId) -> Effect {
    Effect::CloseBecause {
        client,
        code: Code::Unauthorized,
        message: DISCONNECTED,
    }
}

//! Client events (section 6): who may send what where, and on to the channel's home.

use super::effect::Effect;
use super::local::REFUSAL;
use super::note::home_of;
use super::notice::notice;
use super::publish::Relay;
use super::session::State;
use super::state::Hub;
use crate::app::{App, WebhookKind};
use crate::id::{ClientId, ShardId};
use crate::protocol::command::ClientEvent;
use crate::protocol::{ChannelKind, Code, webhook};

/// Why a client event is not relayed (CE4).
pub(super) struct EventRefusal {
    pub(super) code: Option<Code>,
    pub(super) message: String,
    /// What it takes of the refusals that a client may have in a second.
    pub(super) cost: u32,
}

impl EventRefusal {
    fn refused(message: &str) -> Self {
        Self {
            code: Some(Code::ClientEventRefused),
            message: message.into(),
            cost: REFUSAL,
        }
    }

    fn not_subscribed(channel: &str) -> Self {
        let message = format!(
            "Cannot broadcast client event (connection not subscribed to channel {channel})"
        );
        Self {
            code: None,
            message,
            cost: REFUSAL,
        }
    }
}

impl Hub {
    /// On success the event is on its way to the channel's home.
    pub(super) fn client_event(
        &mut self,
        client: ClientId,
        event: ClientEvent<'_>,
        now_ms: u64,
        room: impl FnOnce(ShardId) -> bool,
        effects: &mut Vec<Effect>,
    ) -> Result<(), EventRefusal> {
        let stamp = self.stamp.take();
        let ClientEvent {
            event,
            channel: name,
            data,
        } = event;
        let session = self.sessions.get_mut(client).expect("looked up by command");
        let app = &self.apps.get(session.app).app;
        check_frame(app, name, event)?;
        let hash = super::publish::hash_of(self.options.hash_key, session.app, name);
        let channel = self.index.find(session.app, hash, name);
        let subscription = channel
            .and_then(|channel| session.find(channel))
            .map(|at| &session.subscriptions[at])
            .filter(|subscription| matches!(subscription.state, State::Active { .. }))
            .ok_or_else(|| EventRefusal::not_subscribed(name))?;
        if data.len() > app.event_data_bytes {
            return Err(EventRefusal::refused("The event data is too large."));
        }
        let user_id = subscription.user_id.as_deref(); // CE2: from the membership, not the frame
        if let Some(rate) = app.client_events_per_second
            && !session.client_events.take(now_ms, rate)
        {
            let message = "The rate limit for sending client events exceeded the quota.";
            return Err(EventRefusal::refused(message));
        }
        let to = home_of(hash, self.options.shards);
        if !room(to) {
            let busy = EventRefusal::refused("The server is busy; the event was not sent.");
            return Err(EventRefusal { cost: 0, ..busy }); // no fault of the client
        }
        let (app, except) = (session.app, Some(session.socket_id)); // CE1
        let relay = Relay {
            app,
            channel: name,
            event,
            data,
            user_id,
            except,
        };
        let note = relay.note(hash, stamp, &mut self.encoder);
        effects.push(Effect::Post { to, note });
        notice(
            self.apps.get(app).webhooks,
            app,
            WebhookKind::ClientEvent,
            effects,
            || {
                let event = webhook::ClientEvent {
                    event: event.into(),
                    data: data.into(),
                    socket_id: session.socket_id,
                    user_id: user_id.map(Into::into),
                };
                webhook::Event::of(name, webhook::What::ClientEvent(Box::new(event)))
            },
        );
        Ok(())
    }
}

/// What can be said without looking at the sender's subscriptions.
fn check_frame(app: &App, channel: &str, event: &str) -> Result<(), EventRefusal> {
    if !app.client_events {
        return Err(EventRefusal::refused(
            "The app does not have client messaging enabled.",
        ));
    }
    let kind = ChannelKind::of(channel, app.channel_name_chars)
        .map_err(|_| EventRefusal::refused("The channel name is not allowed."))?;
    let on_public = kind.is_public() && app.allow_client_events_on_public; // Q14
    if !kind.takes_client_events() && !on_public {
        let message = "Client events are only allowed on private and presence channels.";
        return Err(EventRefusal::refused(message));
    }
    if event.chars().nth(app.event_name_chars).is_some() {
        return Err(EventRefusal::refused("The event name is too long."));
    }
    Ok(())
}

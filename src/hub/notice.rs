//! What webhooks are told of, noticed where it happens.
//!
//! A notice is made only for an app that has asked for its kind, so that everybody else pays one
//! look at a bit. Whether it is worth telling after all (K5) is for the control thread to find out.

use super::channel_table::ChannelName;
use super::effect::Effect;
use super::state::Hub;
use crate::app::{WebhookKind, WebhookKinds};
use crate::id::{AppSlot, ClientId};
use crate::protocol::user::user_of;
use crate::protocol::webhook::{ConnectionClosed, Event, What};
use crate::protocol::{ChannelKind, Code};

/// An event of an app.
#[derive(Debug)]
pub struct Notice {
    /// The app; slots are the same on every thread.
    pub app: AppSlot,
    /// What happened.
    pub event: Event,
}

/// Notes an event down if the app wants to be told of its kind.
pub(super) fn notice(
    webhooks: WebhookKinds,
    app: AppSlot,
    kind: WebhookKind,
    effects: &mut Vec<Effect>,
    event: impl FnOnce() -> Event,
) {
    if webhooks.contains(kind) {
        let event = event();
        debug_assert_eq!(event.kind(), kind);
        effects.push(Effect::Notice(Box::new(Notice { app, event })));
    }
}

impl Hub {
    /// Notes an event down if its app wants to be told of its kind.
    pub(super) fn notice(
        &self,
        app: AppSlot,
        kind: WebhookKind,
        effects: &mut Vec<Effect>,
        event: impl FnOnce() -> Event,
    ) {
        notice(self.apps.get(app).webhooks, app, kind, effects, event);
    }

    /// A channel was freed by its home. A presence channel was vacated when its last member left.
    pub(super) fn notice_freed(&self, channel: &ChannelName, effects: &mut Vec<Effect>) {
        let webhooks = self.apps.get(channel.app).webhooks;
        if !webhooks.contains(WebhookKind::ChannelVacated) {
            return; // nearly always: what the name says is not looked at for nothing
        }
        let kind = ChannelKind::of(&channel.name, usize::MAX);
        if kind.is_ok_and(|kind| !kind.is_presence()) {
            let kind = WebhookKind::ChannelVacated;
            let event = || Event::of(&channel.name, What::ChannelVacated);
            notice(webhooks, channel.app, kind, effects, event);
        }
    }

    /// A user has signed in for the first time, or its last connection is gone.
    pub(super) fn notice_user(
        &self,
        channel: &ChannelName,
        is_here: bool,
        effects: &mut Vec<Effect>,
    ) {
        let kind = match is_here {
            true => WebhookKind::UserOnline,
            false => WebhookKind::UserOffline,
        };
        self.notice(channel.app, kind, effects, || {
            let id = user_of(&channel.name).unwrap_or_default().into();
            let what = match is_here {
                true => What::UserOnline(id),
                false => What::UserOffline(id),
            };
            Event::of(&channel.name, what)
        });
    }

    /// A connection has ended with this close code.
    pub(super) fn notice_closed(&self, client: ClientId, code: u16, effects: &mut Vec<Effect>) {
        let Some(session) = self.sessions.get(client) else {
            return;
        };
        let kind = WebhookKind::ConnectionClosed;
        self.notice(session.app, kind, effects, || {
            let closed = ConnectionClosed {
                socket_id: session.socket_id,
                user_id: session.user.as_ref().map(|user| user.id.clone()),
                code,
                reason: reason(code),
            };
            Event::of("", What::ConnectionClosed(Box::new(closed)))
        });
    }
}

/// A close code in words.
fn reason(code: u16) -> &'static str {
    match code {
        1000 => "Closed normally",
        1001 => "Going away",
        1005 => "Closed without a code",
        1006 => "Connection lost",
        _ => Code::ALL
            .into_iter()
            .find(|ours| ours.number() == code)
            .map_or("Closed by the client", Code::message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_words() {
        for (code, words) in [
            (1000, "Closed normally"),
            (1006, "Connection lost"),
            (4201, Code::PongTimeout.message()),
            (4100, Code::OverCapacity.message()),
            (3999, "Closed by the client"),
        ] {
            assert_eq!(reason(code), words);
            assert!(!words.is_empty());
        }
    }
}

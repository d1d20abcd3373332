//! What a client is told at once: errors, refusals, pongs.

use super::effect::Effect;
use super::state::Hub;
use crate::app::SubscriptionErrors;
use crate::id::ClientId;
use crate::protocol::Code;
use crate::protocol::event::{self, SubscriptionRefusal};
use crate::ws::Frame;

impl Hub {
    /// A subscription failed: the frames of section 3.2 that the app wants told, in the order that
    /// every client understands.
    pub(super) fn refuse(
        &self,
        client: ClientId,
        channel: &str,
        refusal: SubscriptionRefusal,
        effects: &mut Vec<Effect>,
    ) {
        let Some(session) = self.sessions.get(client) else {
            return;
        };
        let frames = self.apps.get(session.app).app.subscription_errors;
        let both = frames == SubscriptionErrors::Both;
        if both || frames == SubscriptionErrors::SubscriptionError {
            send(client, effects, |text| {
                event::subscription_error(channel, refusal, text);
            });
        }
        if both || frames == SubscriptionErrors::Error {
            tell(client, None, refusal.message(), Some(channel), effects);
        }
        if both && session.internal_errors {
            send(client, effects, |text| {
                event::internal_subscription_error(channel, refusal, text);
            });
        }
    }
}

/// `pusher:error` (section 2.5).
pub(super) fn tell(
    client: ClientId,
    code: Option<Code>,
    message: &str,
    channel: Option<&str>,
    effects: &mut Vec<Effect>,
) {
    send(client, effects, |text| {
        event::error(code, message, channel, text);
    });
}

fn send(client: ClientId, effects: &mut Vec<Effect>, write: impl FnOnce(&mut Vec<u8>)) {
    let mut text = Vec::new();
    write(&mut text);
    let frame = Frame::text(&text);
    effects.push(Effect::Send { client, frame });
}

/// `pusher:pong` as a frame, made at compile time.
pub(super) const fn pong_frame() -> &'static [u8] {
    const TEXT: &[u8] = event::PONG.as_bytes();
    const FRAME: [u8; TEXT.len() + 2] = {
        assert!(TEXT.len() <= 125);
        let mut frame = [0; TEXT.len() + 2];
        frame[0] = 0x81;
        frame[1] = TEXT.len() as u8;
        let mut at = 0;
        while at < TEXT.len() {
            frame[at + 2] = TEXT[at];
            at += 1;
        }
        frame
    };
    &FRAME
}

//! What `info` asks of a channel (R10, sections 8.5 and 8.6), and how it is written.

use crate::hub::{Answer, CachedEvent, ChannelName, ChannelState, Question};
use crate::id::{AppSlot, ShardId};
use crate::protocol::ChannelKind;
use crate::protocol::json::write_integer;
use crate::protocol::publish::Attributes;
use crate::pusher::Pusher;

impl Pusher {
    /// Of what is asked, that which fits a channel of this name: users where there is presence, the
    /// cached event where one is kept, subscriptions where the app counts them.
    pub(super) fn fitting(&self, app: AppSlot, channel: &str, asked: Attributes) -> Attributes {
        let kind = ChannelKind::of(channel, usize::MAX);
        let counts = self.hub.borrow().apps().get(app).app.subscription_count;
        Attributes {
            user_count: asked.user_count && kind.is_ok_and(ChannelKind::is_presence),
            subscription_count: asked.subscription_count && counts,
            cache: asked.cache && kind.is_ok_and(ChannelKind::is_cache),
        }
    }

    /// Asks a channel's home for what fits, and writes it as an object.
    pub(super) async fn write_info(
        &self,
        app: AppSlot,
        channel: &str,
        asked: Attributes,
        out: &mut Vec<u8>,
    ) {
        let fitting = self.fitting(app, channel, asked);
        out.push(b'{');
        if fitting.any() {
            let (state, cached) = self.state_of(app, channel, fitting.cache).await;
            write(fitting, state, cached.as_ref(), out);
        }
        out.push(b'}');
    }

    /// The counts of a channel, and the cached event if it is wanted, from the channel's home.
    pub(super) async fn state_of(
        &self,
        app: AppSlot,
        channel: &str,
        cached: bool,
    ) -> (ChannelState, Option<CachedEvent>) {
        let (home, channel) = self.channel_at(app, channel);
        match self.ask(home, Question::Channel { channel, cached }).await {
            Answer::Channel(state, cached) => (state, cached),
            other => unreachable!("a home answers what it was asked, not {other:?}"),
        }
    }

    pub(super) fn channel_at(&self, app: AppSlot, channel: &str) -> (ShardId, ChannelName) {
        let hub = self.hub.borrow();
        (hub.home_of(app, channel), hub.channel_name(app, channel))
    }
}

/// The attributes with commas between them, without braces.
pub(super) fn write(
    fitting: Attributes,
    state: ChannelState,
    cached: Option<&CachedEvent>,
    out: &mut Vec<u8>,
) {
    let mut first = true;
    let mut key = |name: &str, out: &mut Vec<u8>| {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        out.extend_from_slice(name.as_bytes());
    };
    if fitting.user_count {
        key("\"user_count\":", out);
        write_integer(state.users, out);
    }
    if fitting.subscription_count {
        key("\"subscription_count\":", out);
        write_integer(state.subscriptions, out);
    }
    if fitting.cache {
        key("\"cache\":", out);
        match cached {
            Some(event) => {
                out.extend_from_slice(b"{\"data\":\"");
                out.extend_from_slice(event.escaped());
                out.extend_from_slice(b"\",\"ttl\":");
                write_integer(event.ttl_s, out);
                out.push(b'}');
            }
            None => out.extend_from_slice(b"null"),
        }
    }
}

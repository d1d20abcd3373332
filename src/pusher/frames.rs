//! What `--debug` shows: each message of a client and each frame for it, once for all subscribers
//! of a channel, by event, channel and length. What they carry may be secret, and tokens are: that
//! is not shown. Nothing is read or written for it while nobody has asked.

use super::fanout::Pusher;
use crate::hub::ChannelSlot;
use crate::id::{AppSlot, ClientId};
use crate::protocol::Command;
use crate::protocol::command::{ClientEvent, CommandError};
use crate::ws::Frame;
use serde::Deserialize;
use tracing::{Level, debug, enabled, trace};

impl Pusher {
    /// What a client said.
    pub(super) fn log_in(
        &self,
        client: ClientId,
        app: Option<AppSlot>,
        command: &Result<Command<'_>, CommandError<'_>>,
    ) {
        if !enabled!(Level::DEBUG) {
            return;
        }
        let hub = self.hub.borrow();
        let shard = client.shard().0;
        let app = app.map_or("", |app| hub.apps().get(app).app.id.as_str());
        let id = hub.socket_id(client).map(|id| id.to_string());
        let socket_id = id.as_deref().unwrap_or_default();
        match command {
            Ok(Command::Subscribe(it)) => {
                let channel = it.channel;
                debug!(shard, app, socket_id, channel, "in: subscribe");
            }
            Ok(Command::Unsubscribe { channel }) => {
                debug!(shard, app, socket_id, channel, "in: unsubscribe");
            }
            Ok(Command::ClientEvent(ClientEvent {
                event,
                channel,
                data,
            })) => {
                let bytes = data.len();
                debug!(
                    shard,
                    app, socket_id, channel, event, bytes, "in: client event"
                );
            }
            Ok(Command::SignIn(_)) => debug!(shard, app, socket_id, "in: sign-in"),
            Ok(Command::Ping) => debug!(shard, app, socket_id, "in: ping"),
            Ok(Command::Pong) => trace!(shard, app, socket_id, "in: pong"),
            Err(error) => debug!(shard, app, socket_id, ?error, "in: unreadable"),
        }
    }

    /// What a client is sent.
    pub(super) fn log_out(&self, client: ClientId, frame: &Frame) {
        if !enabled!(Level::DEBUG) {
            return;
        }
        let id = self.hub.borrow().socket_id(client).map(|id| id.to_string());
        let (shard, socket_id) = (client.shard().0, id.as_deref().unwrap_or_default());
        let Shown { event, channel } = Shown::of(frame);
        let bytes = frame.bytes().len();
        debug!(shard, socket_id, channel, event, bytes, "out");
    }

    /// What all subscribers of a channel on this shard are sent.
    pub(super) fn log_fanout(&self, channel: ChannelSlot, frame: &Frame, clients: usize) {
        if !enabled!(Level::DEBUG) {
            return;
        }
        let hub = self.hub.borrow();
        let app = hub.app_of_channel(channel);
        let app = app.map_or("", |app| hub.apps().get(app).app.id.as_str());
        let shard = self.endpoint.shard().0;
        let Shown { event, channel } = Shown::of(frame);
        let bytes = frame.bytes().len();
        debug!(
            shard,
            app, clients, channel, event, bytes, "out: to subscribers"
        );
    }
}

/// What is shown of a frame.
#[derive(Debug, Default, PartialEq, Deserialize)]
struct Shown {
    #[serde(default)]
    event: String,
    #[serde(default)]
    channel: String,
}

impl Shown {
    /// Nothing of a frame that holds no JSON object.
    fn of(frame: &Frame) -> Self {
        let bytes = frame.bytes();
        let header = match bytes.get(1) {
            Some(126) => 4,
            Some(127) => 10,
            _ => 2,
        };
        let payload = bytes.get(header..).unwrap_or_default();
        serde_json::from_slice(payload).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_frames_of_any_length_event_and_channel_are_shown() {
        for length in [0, 100, 1_000, 70_000] {
            let data = "x".repeat(length);
            let text = format!(r#"{{"event":"e","channel":"c","data":"{data}"}}"#);
            let shown = Shown::of(&Frame::text(text.as_bytes()));
            assert_eq!((&*shown.event, &*shown.channel), ("e", "c"), "{length}");
        }
        assert_eq!(Shown::of(&Frame::ping()), Shown::default());
    }
}

//! What `--debug` shows: each message of a client and each frame for it, once for all subscribers
//! of a channel, with the beginning of what it carries. Signatures let whoever reads them in, so
//! they are left out, as is a message that cannot be read. Nothing is read or written for it while
//! nobody has asked.

use super::fanout::Pusher;
use crate::hub::ChannelSlot;
use crate::id::{AppSlot, ClientId};
use crate::limits::DEBUG_DATA_BYTES;
use crate::protocol::Command;
use crate::protocol::command::{ClientEvent, CommandError};
use crate::ws::Frame;
use serde::Deserialize;
use serde_json::Value;
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
                let (channel, data) = (it.channel, it.channel_data.map(beginning));
                debug!(shard, app, socket_id, channel, data, "in: subscribe");
            }
            Ok(Command::Unsubscribe { channel }) => {
                debug!(shard, app, socket_id, channel, "in: unsubscribe");
            }
            Ok(Command::ClientEvent(ClientEvent {
                event,
                channel,
                data,
            })) => {
                let (bytes, data) = (data.len(), beginning(data));
                debug!(
                    shard,
                    app, socket_id, channel, event, bytes, data, "in: client event"
                );
            }
            Ok(Command::SignIn(it)) => {
                let data = it.user_data.map(beginning);
                debug!(shard, app, socket_id, data, "in: sign-in");
            }
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
        let shown = Shown::of(frame);
        let (event, channel, data) = shown.parts();
        let bytes = frame.bytes().len();
        debug!(shard, socket_id, channel, event, bytes, data, "out");
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
        let shown = Shown::of(frame);
        let (event, channel, data) = shown.parts();
        let bytes = frame.bytes().len();
        debug!(
            shard,
            app, clients, channel, event, bytes, data, "out: to subscribers"
        );
    }
}

/// The beginning of a text, so much as is shown of it.
fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(DEBUG_DATA_BYTES)]
}

/// What is shown of a frame.
#[derive(Debug, Default, PartialEq, Deserialize)]
struct Shown {
    #[serde(default)]
    event: String,
    #[serde(default)]
    channel: String,
    data: Option<Value>,
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
        let mut shown: Self = serde_json::from_slice(payload).unwrap_or_default();
        // A string is shown without the escapes that put it into another.
        shown.data = shown.data.map(|data| match data {
            Value::String(_) => data,
            other => Value::String(other.to_string()),
        });
        shown
    }

    /// Event, channel, and the beginning of the data.
    fn parts(&self) -> (&str, &str, Option<&str>) {
        let data = self.data.as_ref().and_then(Value::as_str);
        (&self.event, &self.channel, data.map(beginning))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_frames_of_any_length_event_channel_and_the_beginning_are_shown() {
        for length in [0, 100, DEBUG_DATA_BYTES, DEBUG_DATA_BYTES + 1, 70_000] {
            let data = "x".repeat(length);
            let text = format!(r#"{{"event":"e","channel":"c","data":"{data}"}}"#);
            let shown = Shown::of(&Frame::text(text.as_bytes()));
            let beginning = &data[..length.min(DEBUG_DATA_BYTES)];
            assert_eq!(shown.parts(), ("e", "c", Some(beginning)), "{length}");
        }
        assert_eq!(Shown::of(&Frame::ping()), Shown::default());
    }

    #[test]
    fn data_is_shown_without_escapes() {
        for (data, shown) in [
            (r#""{\"a\":1}""#, Some(r#"{"a":1}"#)),
            (r#"{"code": 4001}"#, Some(r#"{"code":4001}"#)),
            ("null", None),
        ] {
            let text = format!(r#"{{"event":"e","data":{data}}}"#);
            let frame = Frame::text(text.as_bytes());
            assert_eq!(Shown::of(&frame).parts().2, shown, "{data}");
        }
    }

    #[test]
    fn a_beginning_does_not_end_within_a_character() {
        let text = "é".repeat(DEBUG_DATA_BYTES);
        let cut = beginning(&text).len();
        assert!(cut <= DEBUG_DATA_BYTES && cut + 2 > DEBUG_DATA_BYTES);
    }
}

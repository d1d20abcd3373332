//! What a webhook says (section 9): events as values, and the body that carries them.
//!
//! Every field is a string except the two numbers `subscription_count` and `code`; every event
//! carries `channel`, which is empty where there is none, because the PHP SDK expects it (K10).

use super::json::{quote, write_integer};
use crate::app::WebhookKind;
use crate::id::SocketId;
use std::io::Write;

/// One event of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The channel it is about; empty for a connection.
    pub channel: Box<str>,
    /// What happened to it.
    pub what: What,
}

/// What happened, with the fields that only such an event has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A channel has its first subscriber.
    ChannelOccupied,
    /// A channel has lost its last one.
    ChannelVacated,
    /// This user has come into a presence channel.
    MemberAdded(Box<str>),
    /// This user's last connection has left a presence channel.
    MemberRemoved(Box<str>),
    /// A client event was accepted.
    ClientEvent(Box<ClientEvent>),
    /// Somebody subscribed to a cache channel that has no event.
    CacheMiss,
    /// A channel has so many subscribers now.
    SubscriptionCount(u32),
    /// This user has signed in for the first time.
    UserOnline(Box<str>),
    /// This user's last signed-in connection is gone.
    UserOffline(Box<str>),
    /// A connection was opened.
    ConnectionOpened(SocketId),
    /// A connection has ended.
    ConnectionClosed(Box<ConnectionClosed>),
}

/// See [`What::ClientEvent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientEvent {
    /// Its name.
    pub event: Box<str>,
    /// What subscribers get, byte for byte; always sent as a string.
    pub data: Box<str>,
    /// Who sent it.
    pub socket_id: SocketId,
    /// Which member that is, in presence channels.
    pub user_id: Option<Box<str>>,
}

/// See [`What::ConnectionClosed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionClosed {
    /// Which connection.
    pub socket_id: SocketId,
    /// The user who was signed in on it.
    pub user_id: Option<Box<str>>,
    /// The close code, from whichever side it came.
    pub code: u16,
    /// What that means in words.
    pub reason: &'static str,
}

impl Event {
    /// An event that is about a channel.
    #[must_use]
    pub fn of(channel: &str, what: What) -> Self {
        Self {
            channel: channel.into(),
            what,
        }
    }

    /// Its kind, which names it.
    #[must_use]
    pub fn kind(&self) -> WebhookKind {
        match self.what {
            What::ChannelOccupied => WebhookKind::ChannelOccupied,
            What::ChannelVacated => WebhookKind::ChannelVacated,
            What::MemberAdded(_) => WebhookKind::MemberAdded,
            What::MemberRemoved(_) => WebhookKind::MemberRemoved,
            What::ClientEvent(_) => WebhookKind::ClientEvent,
            What::CacheMiss => WebhookKind::CacheMiss,
            What::SubscriptionCount(_) => WebhookKind::SubscriptionCount,
            What::UserOnline(_) => WebhookKind::UserOnline,
            What::UserOffline(_) => WebhookKind::UserOffline,
            What::ConnectionOpened(_) => WebhookKind::ConnectionOpened,
            What::ConnectionClosed(_) => WebhookKind::ConnectionClosed,
        }
    }

    /// The name that an endpoint's filters look at: that of a real channel.
    #[must_use]
    pub fn filtered_by(&self) -> Option<&str> {
        (!self.kind().is_own()).then_some(&self.channel)
    }

    /// Bytes it takes in memory, about.
    #[must_use]
    pub fn size(&self) -> usize {
        let text = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        let what = match &self.what {
            What::MemberAdded(user) | What::MemberRemoved(user) => user.len(),
            What::UserOnline(user) | What::UserOffline(user) => user.len(),
            What::ClientEvent(event) => {
                let own = event.event.len() + event.data.len() + text(&event.user_id);
                own + size_of::<ClientEvent>()
            }
            What::ConnectionClosed(closed) => text(&closed.user_id) + size_of::<ConnectionClosed>(),
            _ => 0,
        };
        size_of::<Self>() + self.channel.len() + what
    }

    /// Appends it as JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"name\":\"");
        out.extend_from_slice(self.kind().name().as_bytes());
        out.extend_from_slice(b"\",\"channel\":");
        quote(&self.channel, out);
        match &self.what {
            What::ChannelOccupied | What::ChannelVacated | What::CacheMiss => {}
            What::MemberAdded(user)
            | What::MemberRemoved(user)
            | What::UserOnline(user)
            | What::UserOffline(user) => field("user_id", user, out),
            What::SubscriptionCount(count) => {
                out.extend_from_slice(b",\"subscription_count\":"); // a number (K10)
                write_integer(*count, out);
            }
            What::ClientEvent(event) => {
                field("event", &event.event, out);
                field("data", &event.data, out);
                socket(event.socket_id, out);
                if let Some(user) = &event.user_id {
                    field("user_id", user, out);
                }
            }
            What::ConnectionOpened(socket_id) => socket(*socket_id, out),
            What::ConnectionClosed(closed) => {
                socket(closed.socket_id, out);
                if let Some(user) = &closed.user_id {
                    field("user_id", user, out);
                }
                out.extend_from_slice(b",\"code\":");
                write_integer(closed.code, out);
                field("reason", closed.reason, out);
            }
        }
        out.push(b'}');
    }
}

/// A body: when it was made, in milliseconds since 1970 (K2), and events that are written already.
#[must_use]
pub fn body(time_ms: u64, events: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let length: usize = events.iter().map(|event| event.as_ref().len() + 1).sum();
    let mut out = Vec::with_capacity(length + BODY_FRAME);
    out.extend_from_slice(b"{\"time_ms\":");
    write_integer(time_ms, &mut out);
    out.extend_from_slice(b",\"events\":[");
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(event.as_ref());
    }
    out.extend_from_slice(b"]}");
    out
}

/// Bytes of a body without its events, at most.
pub const BODY_FRAME: usize = 48;

fn field(name: &str, value: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    quote(value, out);
}

fn socket(socket_id: SocketId, out: &mut Vec<u8>) {
    // Writing into a vector cannot fail.
    let _ = write!(out, ",\"socket_id\":\"{socket_id}\"");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::auth::Signer;
    use serde_json::Value;

    fn socket_id(text: &str) -> SocketId {
        let parsed = SocketId::parse(text).expect("it has the form of one");
        parsed.expect("its numbers are in range")
    }

    fn text<'a>(value: &'a Value, key: &str) -> &'a str {
        value[key].as_str().unwrap_or_default()
    }

    /// An event of a vector, as ours.
    fn event(value: &Value) -> Event {
        let user = || text(value, "user_id").into();
        let what = match text(value, "name") {
            "channel_occupied" => What::ChannelOccupied,
            "channel_vacated" => What::ChannelVacated,
            "member_added" => What::MemberAdded(user()),
            "member_removed" => What::MemberRemoved(user()),
            "cache_miss" => What::CacheMiss,
            "subscription_count" => {
                What::SubscriptionCount(value["subscription_count"].as_u64().unwrap() as u32)
            }
            "client_event" => What::ClientEvent(Box::new(ClientEvent {
                event: text(value, "event").into(),
                data: text(value, "data").into(),
                socket_id: socket_id(text(value, "socket_id")),
                user_id: value.get("user_id").map(|_| user()),
            })),
            other => panic!("{other} is not among the vectors"),
        };
        Event::of(text(value, "channel"), what)
    }

    fn written(event: &Event) -> Vec<u8> {
        let mut out = Vec::new();
        event.write(&mut out);
        out
    }

    #[test]
    fn bodies_and_signatures_equal_those_of_the_vectors() {
        // K1, K2, K8, K10
        let vectors: Value =
            serde_json::from_str(include_str!("../../tests/vectors.json")).unwrap();
        let entries = vectors["webhooks"].as_array().unwrap();
        assert_eq!(entries.len(), 9);
        for entry in entries {
            let wanted = text(entry, "body");
            let read: Value = serde_json::from_str(wanted).unwrap();
            let events: Vec<Vec<u8>> = read["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|value| written(&event(value)))
                .collect();
            let body = body(read["time_ms"].as_u64().unwrap(), &events);
            assert_eq!(std::str::from_utf8(&body).unwrap(), wanted);
            let app = &vectors["apps"][text(entry, "app")];
            let headers = &entry["headers"];
            assert_eq!(text(app, "key"), text(headers, "X-Pusher-Key"));
            let signature = Signer::new(text(app, "secret")).sign(&[&body]);
            assert_eq!(signature, text(headers, "X-Pusher-Signature"), "{wanted}");
        }
    }

    #[test]
    fn our_own_events_have_a_channel_and_strings() {
        // K10
        let socket_id = socket_id("123.456");
        let closed = ConnectionClosed {
            socket_id,
            user_id: Some("u\"1".into()),
            code: 4201,
            reason: "Pong timeout",
        };
        for (channel, what, wanted) in [
            (
                "#server-to-user-7",
                What::UserOnline("7".into()),
                r##"{"name":"user_online","channel":"#server-to-user-7","user_id":"7"}"##,
            ),
            (
                "#server-to-user-7",
                What::UserOffline("7".into()),
                r##"{"name":"user_offline","channel":"#server-to-user-7","user_id":"7"}"##,
            ),
            (
                "",
                What::ConnectionOpened(socket_id),
                r#"{"name":"connection_opened","channel":"","socket_id":"123.456"}"#,
            ),
            (
                "",
                What::ConnectionClosed(Box::new(closed)),
                concat!(
                    r#"{"name":"connection_closed","channel":"","socket_id":"123.456","#,
                    r#""user_id":"u\"1","code":4201,"reason":"Pong timeout"}"#
                ),
            ),
        ] {
            let event = Event::of(channel, what);
            let text = String::from_utf8(written(&event)).unwrap();
            assert_eq!(text, wanted);
            assert_eq!(event.filtered_by(), None);
        }
    }

    #[test]
    fn a_body_is_no_larger_than_was_counted() {
        let none: [&[u8]; 0] = [];
        assert!(body(u64::MAX, &none).len() <= BODY_FRAME);
    }

    #[test]
    fn the_size_counts_what_is_carried() {
        let event = Event::of("c", What::MemberAdded("user".into()));
        assert_eq!(event.size(), size_of::<Event>() + 5);
        let client = What::ClientEvent(Box::new(ClientEvent {
            event: "client-a".into(),
            data: "x".repeat(1000).into(),
            socket_id: socket_id("1.1"),
            user_id: None,
        }));
        assert!(Event::of("c", client).size() > 1000);
    }
}

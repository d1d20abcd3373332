//! Clients that speak the Pusher protocol, as far as tests beside handlers need it.

use super::client::Client;
use super::place::Place;
use super::shards::Shards;
use crate::app::App;
use crate::protocol::auth::Signer;
use serde_json::{Value, json};

/// A Pusher client that was told its socket id.
#[derive(Debug)]
pub struct PusherClient {
    /// Its WebSocket.
    pub client: Client,
    socket_id: String,
}

/// An event that a Pusher client was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct PusherEvent {
    /// Its name.
    pub event: String,
    /// Its channel, if it has one.
    pub channel: Option<String>,
    /// Its data; a string of JSON, as most events have it, is read as the JSON it holds. `Null`
    /// when it has none.
    pub data: Value,
}

impl Place<'_> {
    /// Connects a Pusher client to the app of this key, at the path without a prefix.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    #[track_caller]
    pub fn pusher(self, key: &str) -> PusherClient {
        let client = self.connect(&format!("/app/{key}?protocol=7&client=testing"));
        let mut pusher = PusherClient {
            client,
            socket_id: String::new(),
        };
        let established = pusher.expect_event("pusher:connection_established");
        let socket_id = established.data["socket_id"].as_str();
        pusher.socket_id = socket_id.expect("the server names one").to_owned();
        pusher
    }
}

impl Shards {
    /// Connects a Pusher client; see [`Place::pusher`].
    ///
    /// # Panics
    /// As there.
    #[must_use]
    #[track_caller]
    pub fn pusher(&self, key: &str) -> PusherClient {
        self.next().pusher(key)
    }
}

impl PusherClient {
    /// The name of its connection.
    #[must_use]
    pub fn socket_id(&self) -> &str {
        &self.socket_id
    }

    /// Sends an event; with a channel it is a client event.
    pub fn send(&mut self, event: &str, channel: Option<&str>, data: &Value) {
        let mut message = json!({"event": event, "data": data});
        if let Some(channel) = channel {
            message["channel"] = channel.into();
        }
        self.client.send_text(&message.to_string());
    }

    /// Subscribes to a public channel; gives the data of the success.
    ///
    /// # Panics
    /// When something else is answered.
    #[track_caller]
    pub fn subscribe(&mut self, channel: &str) -> Value {
        self.subscribe_with(&json!({"channel": channel}))
    }

    /// Subscribes to a private or presence channel as the app's own backend would let it; a
    /// presence channel needs the data of the member, such as `{"user_id": "1"}`. Gives the data of
    /// the success.
    ///
    /// # Panics
    /// When something else is answered.
    #[track_caller]
    pub fn subscribe_signed(&mut self, app: &App, channel: &str, member: Option<&Value>) -> Value {
        let member = member.map(Value::to_string);
        let text = [
            Some(self.socket_id.as_str()),
            Some(channel),
            member.as_deref(),
        ];
        let text = text.into_iter().flatten().collect::<Vec<_>>().join(":");
        let signature = Signer::new(app.secret.expose()).sign(&[text.as_bytes()]);
        let mut data = json!({"channel": channel, "auth": format!("{}:{signature}", app.key)});
        if let Some(member) = member {
            data["channel_data"] = member.into();
        }
        self.subscribe_with(&data)
    }

    #[track_caller]
    fn subscribe_with(&mut self, data: &Value) -> Value {
        self.send("pusher:subscribe", None, data);
        let event = self.expect_event("pusher_internal:subscription_succeeded");
        assert_eq!(event.channel.as_deref(), data["channel"].as_str());
        event.data
    }

    /// The event that is next.
    ///
    /// # Panics
    /// When it has another name, or something else is next, or nothing.
    #[track_caller]
    pub fn expect_event(&mut self, name: &str) -> PusherEvent {
        let text = self.client.expect_text();
        let mut message: Value = match serde_json::from_str(&text) {
            Ok(message) => message,
            Err(error) => panic!("an event was expected, not {text:?}: {error}"),
        };
        assert_eq!(message["event"], name, "{text}");
        let data = message["data"].take();
        let inner = data
            .as_str()
            .and_then(|text| serde_json::from_str(text).ok());
        PusherEvent {
            event: name.to_owned(),
            channel: message["channel"].as_str().map(str::to_owned),
            data: inner.unwrap_or(data),
        }
    }
}

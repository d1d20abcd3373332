//! A client that speaks the Pusher protocol: frames in, frames out, nothing assumed.

use super::sign::Keys;
use super::websocket::{FIN, Incoming, PONG, Ws, frame};
use super::wire::{Wire, on_shard};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;

/// What every SDK puts behind the key; pusher-js sends exactly this.
pub const QUERY: &str = "?protocol=7&client=js&version=8.6.0&flash=false";

/// How many shards a socket id can name (W8).
const SHARDS: u64 = 1024;

/// A frame of the protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub name: String,
    pub channel: Option<String>,
    pub data: Value,
    pub user_id: Option<String>,
}

impl Event {
    /// Takes a text apart; a key that no frame has is a failure.
    pub fn parse(text: &str) -> Self {
        let value: Value = serde_json::from_str(text).expect("frames are JSON");
        let object = value.as_object().expect("frames are objects");
        let known = ["event", "channel", "data", "user_id"];
        let stranger = object.keys().find(|key| !known.contains(&key.as_str()));
        assert_eq!(stranger, None, "{text}");
        let string = |key: &str| {
            let value = object.get(key)?;
            Some(value.as_str().expect("names are strings").to_owned())
        };
        Self {
            name: string("event").expect("every frame has an event (W1)"),
            channel: string("channel"),
            data: object.get("data").expect("every frame has data").clone(),
            user_id: string("user_id"),
        }
    }

    /// The channel.
    pub fn channel(&self) -> &str {
        self.channel.as_deref().expect("a channel's frame (W3)")
    }

    /// The data, which is a string (section 2.2).
    pub fn text(&self) -> &str {
        self.data.as_str().expect("data is a string")
    }

    /// The JSON that is in the data's string.
    pub fn json(&self) -> Value {
        serde_json::from_str(self.text()).expect("the data holds JSON")
    }

    /// Code and message of `pusher:error`, whose data is an object (W17).
    pub fn error(&self) -> (Option<u64>, &str) {
        assert_eq!(self.name, "pusher:error", "{self:?}");
        let data = self.data.as_object().expect("an error's data is an object");
        assert_eq!(data.len(), 2, "{self:?}");
        let code = &data["code"];
        assert!(code.is_null() || code.is_u64(), "{self:?}");
        (code.as_u64(), data["message"].as_str().expect("W17"))
    }
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    pub ws: Ws,
    pub socket_id: String,
    /// What the last cache channel began with; none was a miss.
    pub cached: Option<Event>,
    /// Whether to read over the numbers of subscribers, in tests of something else.
    pub skips_counts: bool,
}

impl Client {
    /// Connects to an app, which must let it in.
    pub fn connect(address: SocketAddr, key: &str) -> Self {
        Self::greeted(Ws::open(address, &format!("/app/{key}{QUERY}")))
    }

    /// Connects until the kernel has given a connection to a certain shard.
    pub fn connect_on(address: SocketAddr, key: &str, shard: u64) -> Self {
        on_shard(|| {
            let client = Self::connect(address, key);
            (client.shard() == shard).then_some(client)
        })
    }

    /// Connects so that the kernel takes next to nothing for it that it has not read.
    pub fn connect_narrow(address: SocketAddr, key: &str) -> Self {
        let connected = || {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
            socket.set_recv_buffer_size(4096)?;
            socket.connect(&address.into())?;
            Ok::<_, std::io::Error>(socket)
        };
        let wire = Wire::over(connected().expect("the server listens").into());
        Self::greeted(Ws::over(wire, &format!("/app/{key}{QUERY}")))
    }

    /// Reads the greeting of a connection that was opened.
    pub fn greeted(mut ws: Ws) -> Self {
        let greeting = Event::parse(&ws.expect_text());
        assert_eq!(greeting.name, "pusher:connection_established");
        let socket_id = greeting.json()["socket_id"]
            .as_str()
            .expect("W7")
            .to_owned();
        Self {
            ws,
            socket_id,
            cached: None,
            skips_counts: false,
        }
    }

    /// The shard that it is connected to (W8).
    pub fn shard(&self) -> u64 {
        let (high, _) = self.socket_id.split_once('.').expect("W7");
        high.parse::<u64>().expect("W7") % SHARDS
    }

    /// Sends a frame.
    pub fn send(&mut self, frame: &Value) {
        self.ws.send_text(frame.to_string());
    }

    /// The next frame.
    pub fn next(&mut self) -> Event {
        loop {
            let event = Event::parse(&self.ws.expect_text());
            if !self.skips_counts || event.name != "pusher_internal:subscription_count" {
                return event;
            }
        }
    }

    /// The next frame, which has this name.
    pub fn expect(&mut self, name: &str) -> Event {
        let event = self.next();
        assert_eq!(event.name, name, "{event:?}");
        event
    }

    /// Same, and control pings before it are answered.
    pub fn expect_through_pings(&mut self, name: &str) -> Event {
        loop {
            match self.ws.next() {
                Incoming::Ping(payload) => self.ws.send(frame(FIN | PONG, payload)),
                Incoming::Text(text) => {
                    let event = Event::parse(&text);
                    assert_eq!(event.name, name, "{event:?}");
                    return event;
                }
                other => panic!("{other:?} came where {name} should"),
            }
        }
    }

    /// The next frame, which is an error; gives its channel.
    pub fn expect_error(&mut self, code: Option<u64>) -> Option<String> {
        let event = self.next();
        assert_eq!(event.error().0, code, "{event:?}");
        event.channel
    }

    /// Proves that nothing is on its way to this client, and that it is still served (W10).
    pub fn expect_quiet(&mut self) {
        self.send(&json!({"event": "pusher:ping", "data": {}}));
        let pong = self.next();
        assert_eq!(pong.name, "pusher:pong", "{pong:?}");
    }

    /// Counts the client events that are refused with 4301 before the answer to a ping.
    pub fn count_refused(&mut self) -> usize {
        self.send(&json!({"event": "pusher:ping"}));
        let mut refused = 0;
        loop {
            let event = self.next();
            if event.name == "pusher:pong" {
                return refused;
            }
            assert_eq!(event.error().0, Some(4301), "{event:?}");
            refused += 1;
        }
    }

    /// Reads so many client events whose data are rising numbers, and nothing behind them.
    pub fn expect_rising(&mut self, name: &str, count: usize) {
        let mut last = None;
        for _ in 0..count {
            let number: usize = self.expect(name).text().parse().expect("a number");
            assert!(last.is_none_or(|last| last < number), "in order, each once");
            last = Some(number);
        }
        self.expect_quiet();
    }

    /// Asks for a public channel.
    pub fn ask(&mut self, channel: &str) {
        self.send(&json!({"event": "pusher:subscribe", "data": {"channel": channel}}));
    }

    /// Asks for a channel with a token and, perhaps, a member.
    pub fn ask_with(&mut self, channel: &str, auth: &str, channel_data: Option<&str>) {
        let mut data = json!({"channel": channel, "auth": auth});
        if let Some(channel_data) = channel_data {
            data["channel_data"] = channel_data.into();
        }
        self.send(&json!({"event": "pusher:subscribe", "data": data}));
    }

    /// Subscribes to a public channel.
    pub fn subscribe(&mut self, channel: &str) {
        self.ask(channel);
        self.expect_subscribed(channel);
    }

    /// Asks for a signed channel.
    pub fn ask_signed(&mut self, keys: &Keys, channel: &str, channel_data: Option<&str>) {
        let token = keys.token(&self.socket_id, channel, channel_data);
        self.ask_with(channel, &token, channel_data);
    }

    /// Subscribes to a private channel.
    pub fn subscribe_signed(&mut self, keys: &Keys, channel: &str) {
        self.ask_signed(keys, channel, None);
        self.expect_subscribed(channel);
    }

    /// Joins a presence channel; gives the members (P1).
    pub fn join(&mut self, keys: &Keys, channel: &str, channel_data: &Value) -> Value {
        self.ask_signed(keys, channel, Some(&channel_data.to_string()));
        self.expect_members(channel)
    }

    /// Reads the success of a presence subscription; gives the members (P1).
    pub fn expect_members(&mut self, channel: &str) -> Value {
        let event = self.expect("pusher_internal:subscription_succeeded");
        assert_eq!(event.channel(), channel);
        let data = event.json();
        assert_eq!(data.as_object().map(|data| data.len()), Some(1), "{data}");
        self.expect_cached(channel); // P10
        data["presence"].clone()
    }

    /// Reads the success of a subscription without presence.
    pub fn expect_subscribed(&mut self, channel: &str) {
        let event = self.expect("pusher_internal:subscription_succeeded");
        assert_eq!((event.channel(), event.text()), (channel, "{}"));
        self.expect_cached(channel);
    }

    /// Reads what a cache channel begins with (C2, C3, Q13); nothing in any other.
    fn expect_cached(&mut self, channel: &str) {
        if !channel.starts_with("cache-") && !channel.contains("-cache-") {
            return;
        }
        let event = self.next();
        assert_eq!((event.channel(), &event.user_id), (channel, &None));
        self.cached = if event.name == "pusher:cache_miss" {
            assert_eq!(event.text(), "{}");
            None
        } else {
            Some(event)
        };
    }

    /// Reads the number of subscribers (section 3.7).
    pub fn expect_count(&mut self, channel: &str, count: u64) {
        let event = self.expect("pusher_internal:subscription_count");
        let told = (event.channel(), event.json());
        assert_eq!(told, (channel, json!({"subscription_count": count})));
    }

    /// Reads both frames of a failed subscription, in their order (section 3.2, Q5).
    pub fn expect_refused(&mut self, channel: &str, kind: &str, status: u64) {
        let first = self.expect("pusher:subscription_error");
        let data = first.json();
        assert_eq!(first.channel(), channel);
        assert_eq!(
            (&data["type"], &data["status"]),
            (&json!(kind), &json!(status))
        );
        assert_eq!(data.as_object().map(|data| data.len()), Some(3), "{data}");
        let second = self.next();
        let (code, message) = second.error();
        assert_eq!((code, second.channel()), (None, channel));
        assert_eq!(data["error"], message);
    }

    /// Asks to be signed in with this text.
    pub fn ask_to_sign_in(&mut self, keys: &Keys, user_data: &str) {
        let auth = keys.user_token(&self.socket_id, user_data);
        let data = json!({"auth": auth, "user_data": user_data});
        self.send(&json!({"event": "pusher:signin", "data": data}));
    }

    /// Signs in with this text, which comes back as it is (U2).
    #[track_caller]
    pub fn sign_in_with(&mut self, keys: &Keys, user_data: &str) {
        self.ask_to_sign_in(keys, user_data);
        let event = self.expect("pusher:signin_success");
        assert_eq!(event.channel, None); // W3
        assert_eq!(event.json(), json!({"user_data": user_data}));
    }

    /// Signs in as a user of that id.
    #[track_caller]
    pub fn sign_in(&mut self, keys: &Keys, id: &str) {
        self.sign_in_with(keys, &json!({"id": id}).to_string());
    }

    /// Leaves a channel; nothing answers that.
    pub fn unsubscribe(&mut self, channel: &str) {
        self.send(&json!({"event": "pusher:unsubscribe", "data": {"channel": channel}}));
    }

    /// Sends a client event.
    pub fn trigger(&mut self, channel: &str, name: &str, data: &Value) {
        self.send(&json!({"event": name, "channel": channel, "data": data}));
    }

    /// Reads the error frame, then the close with the same code and text, then the end.
    pub fn expect_closed(&mut self, code: u16) {
        expect_told_and_closed(&mut self.ws, code);
    }
}

/// Reads the error frame, then the close with the same code and text, then the end (rule 5).
pub fn expect_told_and_closed(ws: &mut Ws, code: u16) {
    let text = match ws.next() {
        Incoming::Text(text) => text,
        other => panic!("{other:?} came where error {code} should"),
    };
    let event = Event::parse(&text);
    let (told, message) = event.error();
    assert_eq!((told, &event.channel), (Some(code.into()), &None));
    assert!(!message.is_empty());
    assert_eq!(ws.expect_close(code), message);
}

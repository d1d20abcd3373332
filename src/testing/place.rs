//! Connecting to one shard: handshakes, requests and bare bytes.

use super::answer::{Answer, Reading};
use super::client::{Client, Exchange, PATIENCE, Wire};
use super::seat::Speech;
use super::world::World;
use crate::ws::handshake::{Upgrade, accept};
use std::cell::Cell;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

/// One shard, to connect to.
#[derive(Clone, Copy)]
pub struct Place<'s> {
    pub(super) world: &'s Rc<World>,
    pub(super) shard: u16,
}

/// A handshake that is about to be sent.
#[derive(Debug, Default)]
pub struct Handshake {
    headers: Vec<(String, String)>,
    subprotocols: Vec<String>,
    from: Option<SocketAddr>,
}

impl Handshake {
    /// Adds a field: a cookie, an origin, a host.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Offers a subprotocol, behind those that were offered before.
    #[must_use]
    pub fn subprotocol(mut self, name: &str) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// Where the server sees the client come from; otherwise a port of 127.0.0.1, another one for
    /// each connection.
    ///
    /// # Panics
    /// When it is no address and port.
    #[must_use]
    #[track_caller]
    pub fn peer(mut self, address: &str) -> Self {
        let parsed = address.parse();
        self.from = Some(parsed.unwrap_or_else(|error| panic!("{address:?}: {error}")));
        self
    }
}

/// The key of the sample handshake in RFC 6455.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

impl Place<'_> {
    /// Opens a WebSocket at a path, perhaps with a query.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    #[track_caller]
    pub fn connect(self, target: &str) -> Client {
        self.connect_with(target, |handshake| handshake)
    }

    /// Same, with a handshake that `fill` adds to.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    #[track_caller]
    pub fn connect_with(self, target: &str, fill: impl FnOnce(Handshake) -> Handshake) -> Client {
        match self.try_connect(target, fill) {
            Ok(client) => client,
            Err(answer) => panic!(
                "{target} refused the handshake with {}: {:?}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            ),
        }
    }

    /// Opens a WebSocket, or gives the refusal. While nothing else is left to do, time passes, a
    /// minute at most.
    ///
    /// # Errors
    /// The answer of a server that refuses.
    ///
    /// # Panics
    /// When there is no answer by then, or when it accepts and is no answer to a handshake.
    #[track_caller]
    pub fn try_connect(
        self,
        target: &str,
        fill: impl FnOnce(Handshake) -> Handshake,
    ) -> Result<Client, Answer> {
        let handshake = fill(Handshake::default());
        let offered = handshake.subprotocols.join(", ");
        let mut headers = vec![
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", KEY),
        ];
        if !offered.is_empty() {
            headers.push(("Sec-WebSocket-Protocol", &offered));
        }
        let more = handshake.headers.iter();
        headers.extend(more.map(|(name, value)| (name.as_str(), value.as_str())));
        let world = Rc::clone(self.world);
        let name = format!("the client of {target} on shard {}", self.shard);
        let speech = Speech::Http(Reading::default(), false);
        let seat = world.connect(self.shard, handshake.from, name, speech);
        seat.peer.send(&request("GET", target, &headers, b""));
        let answer = Cell::default();
        let is_answered = || {
            let upgraded = seat.upgraded();
            let is_answered = upgraded.is_some();
            answer.set(upgraded);
            is_answered
        };
        let _ = world.run_for(PATIENCE, &is_answered);
        let answer: Answer = match answer.take() {
            None => panic!("{} was not answered within {PATIENCE:?}", seat.name),
            Some(answer) if answer.status != 101 => return Err(answer),
            Some(answer) => answer,
        };
        let expected = accept(Upgrade {
            key: Some(KEY.as_bytes()),
            version: Some(b"13"),
        });
        let got = answer.header("sec-websocket-accept");
        assert_eq!(got, expected.ok().as_deref(), "the answer to the key");
        Ok(Client {
            world,
            seat,
            shard: self.shard,
            answer,
        })
    }

    /// The answer to a handshake that is refused.
    ///
    /// # Panics
    /// When it is accepted.
    #[must_use]
    #[track_caller]
    pub fn handshake(self, target: &str) -> Answer {
        match self.try_connect(target, |handshake| handshake) {
            Ok(_) => panic!("{target} accepted the handshake"),
            Err(answer) => answer,
        }
    }

    /// Sends a request on a connection of its own, and waits for the whole answer. While nothing
    /// else is left to do, time passes, a minute at most. `Host` and, for a body,
    /// `Content-Length` are added unless they are among the fields.
    ///
    /// # Panics
    /// When there is no answer by then, or when it breaks off.
    #[must_use]
    #[track_caller]
    pub fn request(
        self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.begin(method, target, headers, body).finish()
    }

    /// Same, but the test waits for the answer itself: for one that comes in parts, such as
    /// server-sent events, or not before the test has done something.
    #[must_use]
    pub fn begin(
        self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Exchange {
        let world = Rc::clone(self.world);
        let name = format!("{method} {target} on shard {}", self.shard);
        let speech = Speech::Http(Reading::default(), method == "HEAD");
        let seat = world.connect(self.shard, None, name, speech);
        seat.peer.send(&request(method, target, headers, body));
        Exchange { world, seat }
    }

    /// Opens a connection of bare bytes: for what no client should send, or for what this module
    /// does not speak.
    #[must_use]
    pub fn wire(self) -> Wire {
        let world = Rc::clone(self.world);
        let name = format!("a wire on shard {}", self.shard);
        let seat = world.connect(self.shard, None, name, Speech::Bytes);
        Wire { world, seat }
    }
}

impl fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.shard).finish()
    }
}

fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let has = |wanted: &str| {
        let mut names = headers.iter().map(|(name, _)| name);
        names.any(|name| name.eq_ignore_ascii_case(wanted))
    };
    let mut out = format!("{method} {target} HTTP/1.1\r\n");
    let mut add = |name: &str, value: &str| {
        for part in [name, ": ", value, "\r\n"] {
            out.push_str(part);
        }
    };
    if !has("host") {
        add("Host", "localhost");
    }
    if !body.is_empty() && !has("content-length") && !has("transfer-encoding") {
        add("Content-Length", &body.len().to_string());
    }
    headers.iter().for_each(|(name, value)| add(name, value));
    out.push_str("\r\n");
    [out.as_bytes(), body].concat()
}

//! WebSocket frames as bytes (RFC 6455), client side: masked out, unmasked in.

use super::http::{Http, Response, request};
use super::server::TestServer;
use super::wire::{Wire, on_shard};
use std::net::SocketAddr;

pub const FIN: u8 = 0x80;
pub const CONTINUE: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// The nonce of the standard's own example.
pub const NONCE: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// What answers [`NONCE`].
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const MASK: [u8; 4] = [0x12, 0xf4, 0x56, 0x9a];

/// What came from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    /// The connection ended.
    End,
}

/// A frame's header with its mask; `first` is the first byte as it goes out.
pub fn header(first: u8, length: u64) -> Vec<u8> {
    let mut out = vec![first];
    match length {
        0..=125 => out.push(0x80 | length as u8),
        126..=65_535 => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(0x80 | 127);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out
}

/// A whole frame; `first` is the first byte as it goes out.
pub fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut out = header(first, payload.len() as u64);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(b, m)| b ^ m));
    out
}

/// A whole text message.
pub fn text(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | TEXT, payload)
}

/// The payload of a close frame.
pub fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// The handshake's request.
pub fn handshake(target: &str) -> Vec<u8> {
    upgrade("GET", target, &[])
}

/// A request for an upgrade with these further fields.
pub fn upgrade(method: &str, target: &str, fields: &[&str]) -> Vec<u8> {
    let key = format!("Sec-WebSocket-Key: {NONCE}");
    let mut all = vec![
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        &key,
    ];
    all.extend_from_slice(fields);
    request(method, target, &all, b"")
}

/// Sends a handshake with these further fields; the head of the answer, whatever it says, and the
/// connection behind it.
pub fn shake(server: &TestServer, target: &str, fields: &[&str]) -> (Response, Ws) {
    shake_at(server.address(), target, fields)
}

/// Same, with the server at an address.
pub fn shake_at(address: SocketAddr, target: &str, fields: &[&str]) -> (Response, Ws) {
    let mut http = Http::connect(address);
    http.wire.send(upgrade("GET", target, fields));
    (http.head_response(), Ws { wire: http.wire })
}

/// One open WebSocket.
#[derive(Debug)]
pub struct Ws {
    pub wire: Wire,
}

impl Ws {
    /// Connects and upgrades.
    pub fn open(address: SocketAddr, target: &str) -> Self {
        Self::over(Wire::connect(address), target)
    }

    /// Same, on a certain shard, whose number is the first text of its clients.
    pub fn open_on(address: SocketAddr, target: &str, shard: &str) -> Self {
        on_shard(|| {
            let mut ws = Self::open(address, target);
            (ws.expect_text() == shard).then_some(ws)
        })
    }

    /// Upgrades a connection.
    pub fn over(wire: Wire, target: &str) -> Self {
        let mut http = Http { wire };
        http.wire.send(handshake(target));
        Self::accepted(http)
    }

    /// Reads the answer to a handshake that was sent, which must accept it.
    pub fn accepted(mut http: Http) -> Self {
        let answer = http.head_response();
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_eq!(answer.header("sec-websocket-accept"), Some(ACCEPT));
        assert_eq!(answer.header("upgrade"), Some("websocket"));
        assert_eq!(answer.header("connection"), Some("Upgrade"));
        assert_eq!(answer.header("sec-websocket-protocol"), None); // H1
        assert_eq!(answer.header("sec-websocket-extensions"), None);
        Self { wire: http.wire }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.wire.send(bytes);
    }

    /// Sends one text message.
    pub fn send_text(&mut self, payload: impl AsRef<[u8]>) {
        self.send(text(payload));
    }

    /// The next frame, or the end.
    pub fn next(&mut self) -> Incoming {
        if self.wire.has_ended() {
            return Incoming::End;
        }
        let first = self.wire.take(1)[0];
        assert_eq!(
            first & 0xf0,
            FIN,
            "the server neither fragments nor extends"
        );
        let short = self.wire.take(1)[0];
        let length = match short {
            0..=125 => usize::from(short),
            126 => u16::from_be_bytes(self.wire.take(2).try_into().expect("two")).into(),
            127 => u64::from_be_bytes(self.wire.take(8).try_into().expect("eight")) as usize,
            _ => panic!("the server never masks"),
        };
        let payload = self.wire.take(length);
        let opcode = first & 0x0f;
        assert!(opcode < CLOSE || length <= 125, "control frames are short");
        match opcode {
            TEXT => Incoming::Text(String::from_utf8(payload).expect("text is UTF-8")),
            BINARY => Incoming::Binary(payload),
            PING => Incoming::Ping(payload),
            PONG => Incoming::Pong(payload),
            CLOSE => Incoming::Close(close_of(&payload)),
            other => panic!("opcode {other} came"),
        }
    }

    /// The next message, which is binary.
    pub fn expect_binary(&mut self) -> Vec<u8> {
        match self.next() {
            Incoming::Binary(bytes) => bytes,
            other => panic!("{other:?} came where bytes should"),
        }
    }

    /// The next frame, which is text.
    pub fn expect_text(&mut self) -> String {
        match self.next() {
            Incoming::Text(text) => text,
            other => panic!("{other:?} came where text should"),
        }
    }

    /// Reads the server's close frame, answers it, and sees the connection end.
    pub fn expect_close(&mut self, code: u16) -> String {
        let reason = match self.next() {
            Incoming::Close(Some((got, reason))) if got == code => reason,
            other => panic!("{other:?} came where close {code} should"),
        };
        let answer = frame(FIN | CLOSE, code.to_be_bytes());
        self.wire.send_while_open(&answer);
        self.wire.expect_end();
        reason
    }

    /// Closes, and sees the server do the same.
    pub fn close(mut self) {
        self.send(frame(FIN | CLOSE, close_payload(1000, "")));
        loop {
            match self.next() {
                Incoming::Close(Some((1000, _))) => break self.wire.expect_end(),
                Incoming::Text(_) | Incoming::Ping(_) => {} // it was on its way
                other => panic!("{other:?} came where the answer to a close should"),
            }
        }
    }
}

fn close_of(payload: &[u8]) -> Option<(u16, String)> {
    let (code, reason) = payload.split_first_chunk::<2>()?;
    let reason = String::from_utf8(reason.to_vec()).expect("reasons are UTF-8");
    Some((u16::from_be_bytes(*code), reason))
}

/// The answer to a handshake that is refused before any upgrade.
pub fn refused(address: SocketAddr, request: &[u8]) -> Response {
    let mut http = Http::connect(address);
    let response = http.send(request);
    assert_ne!(response.status, 101);
    response
}

//! HTTP/1.1 requests as bytes, and responses taken apart.

use super::wire::{Wire, on_shard};
use serde_json::Value;
use std::net::SocketAddr;

/// One response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The only value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let named = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        let mut values = self.headers.iter().filter(named);
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} stands twice: {self:?}");
        value
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("bodies are UTF-8")
    }

    /// The body as JSON, which its type says it is (R4).
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// The text of an error answer, which is JSON (R4).
    pub fn error(&self) -> String {
        let body = self.json();
        body["error"].as_str().expect("errors have a text").into()
    }

    /// Whether the server says that it closes the connection.
    pub fn closes(&self) -> bool {
        self.header("connection") == Some("close")
    }
}

/// A request with a host and these fields; the length of a body is added.
pub fn request(method: &str, target: &str, fields: &[&str], body: &[u8]) -> Vec<u8> {
    let mut out = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n");
    for field in fields {
        out.push_str(field);
        out.push_str("\r\n");
    }
    if !body.is_empty() {
        out.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    out.push_str("\r\n");
    let mut out = out.into_bytes();
    out.extend_from_slice(body);
    out
}

/// The chunked coding with chunks of this size.
pub fn in_chunks(body: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in body.chunks(size) {
        out.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

/// One connection that speaks HTTP.
#[derive(Debug)]
pub struct Http {
    pub wire: Wire,
}

impl Http {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        let wire = Wire::connect(address);
        Self { wire }
    }

    /// Connects to a certain shard, which `is_wanted` finds by the answer to a GET.
    pub fn connect_on(
        address: SocketAddr,
        target: &str,
        is_wanted: impl Fn(&Response) -> bool,
    ) -> Self {
        on_shard(|| {
            let mut http = Self::connect(address);
            let answer = http.ask("GET", target, b"");
            is_wanted(&answer).then_some(http)
        })
    }

    /// Sends a request and reads its answer.
    pub fn ask(&mut self, method: &str, target: &str, body: &[u8]) -> Response {
        self.wire.send(request(method, target, &[], body));
        match method {
            "HEAD" => self.head_response(),
            _ => self.response(),
        }
    }

    /// Sends bytes and reads the answer.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Response {
        self.wire.send(bytes);
        self.response()
    }

    /// Reads one response with its body.
    pub fn response(&mut self) -> Response {
        let mut response = self.head_response();
        if response.status >= 200 && !matches!(response.status, 204 | 304) {
            let length = response
                .header("content-length")
                .expect("the length is told");
            response.body = self.wire.take(length.parse().expect("lengths are numbers"));
        }
        response
    }

    /// Reads one response that has no body: an interim one, or the answer to HEAD.
    pub fn head_response(&mut self) -> Response {
        let head = String::from_utf8(self.wire.take_to(b"\r\n\r\n")).expect("heads are text");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().expect("a split has a first part");
        let status = status.strip_prefix("HTTP/1.1 ").expect(status);
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").expect("a field has a colon");
            (name.to_owned(), value.to_owned())
        });
        Response {
            status: status[..3].parse().expect("statuses are numbers"),
            headers: headers.collect(),
            body: Vec::new(),
        }
    }

    /// Reads a refusal: its status, and then the end of the connection.
    pub fn expect_refusal(&mut self, status: u16) {
        let response = self.response();
        assert_eq!(response.status, status, "{}", response.text());
        assert!(response.closes(), "{response:?}");
        self.wire.expect_end();
    }
}

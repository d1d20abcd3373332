//! One connection of the floor: bytes until they are a request or a message.

use base64::Engine;
use sha1::{Digest, Sha1};
use std::net::TcpStream;

/// What a connection has become.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Requests.
    Http,
    /// A subscriber.
    WebSocket,
}

/// A connection and what it has not finished saying.
pub struct Connection {
    pub stream: TcpStream,
    pub kind: Kind,
    pub input: Vec<u8>,
}

/// The answer to every publish.
pub const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            kind: Kind::Http,
            input: Vec::new(),
        }
    }
}

/// The 101 response, with the greeting behind it.
pub fn accept(head: &[u8]) -> Vec<u8> {
    const GREETING: &[u8] = br#"{"event":"pusher:connection_established",
"data":"{\"socket_id\":\"1.1\",\"activity_timeout\":120}"}"#;
    let key = header(head, b"sec-websocket-key: ").unwrap_or_default();
    let digest = Sha1::new()
        .chain_update(key)
        .chain_update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    let accept = base64::engine::general_purpose::STANDARD.encode(digest);
    let mut out = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes();
    out.extend_from_slice(&[0x81, GREETING.len() as u8]);
    out.extend_from_slice(GREETING);
    out
}

/// The length of a request's body.
pub fn content_length(head: &[u8]) -> usize {
    let digits = header(head, b"content-length: ").unwrap_or_default();
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

/// The value of a header, its name compared without case.
fn header<'h>(head: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    let mut lines = head.split(|byte| *byte == b'\n');
    let line = lines
        .find(|line| line.len() >= name.len() && line[..name.len()].eq_ignore_ascii_case(name))?;
    Some(
        line[name.len()..]
            .strip_suffix(b"\r")
            .unwrap_or(&line[name.len()..]),
    )
}

/// One whole masked message of up to 64 KiB at the start of `input`, unmasked in place.
pub fn message(input: &mut [u8]) -> Option<(usize, &[u8])> {
    let (start, length) = match *input.get(1)? & 0x7f {
        126 => (
            4,
            usize::from(u16::from_be_bytes([*input.get(2)?, *input.get(3)?])),
        ),
        length => (2, usize::from(length)),
    };
    let end = start + 4 + length;
    if input.len() < end {
        return None;
    }
    let mask: [u8; 4] = input[start..start + 4].try_into().expect("four bytes");
    let payload = &mut input[start + 4..end];
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Some((end, payload))
}

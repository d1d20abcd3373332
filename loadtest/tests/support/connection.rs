//! One connection of the counting server: bytes in, requests and messages out.

use mio::net::TcpStream;
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;

/// A connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    upgraded: bool,
    /// Its last answer is written: nothing that comes in is looked at any more.
    ending: bool,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Channels with the user id in each.
    pub channels: Vec<(String, String)>,
    /// A frame that is sent after the next one.
    pub held: Option<Vec<u8>>,
}

/// What a connection said.
#[derive(Debug)]
pub enum Heard {
    /// It wants frames.
    Upgrade,
    /// It publishes this body.
    Publish(Value),
    /// It sent this message.
    Message(Value),
    /// It says goodbye.
    Close,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            upgraded: false,
            ending: false,
            input: Vec::new(),
            output: Vec::new(),
            channels: Vec::new(),
            held: None,
        }
    }

    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Reads what there is; whether the connection lives.
    pub fn read(&mut self) -> bool {
        let mut buffer = [0; 64 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
    }

    /// The next thing that was said whole.
    pub fn next(&mut self) -> Option<Heard> {
        if self.ending {
            self.input.clear();
            return None;
        }
        if self.upgraded {
            return self.message();
        }
        let end = self.input.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8(self.input[..end].to_vec()).unwrap();
        if head.starts_with("GET /app/") {
            self.upgraded = true;
            self.input.drain(..end);
            return Some(Heard::Upgrade);
        }
        assert!(head.starts_with("POST /apps/"), "{head}");
        let (_, rest) = head.split_once("Content-Length: ").unwrap();
        let length: usize = rest.split("\r\n").next().unwrap().parse().unwrap();
        let body = self.input.get(end..end + length)?;
        let body = serde_json::from_slice(body).unwrap();
        self.input.drain(..end + length);
        Some(Heard::Publish(body))
    }

    fn message(&mut self) -> Option<Heard> {
        let second = *self.input.get(1)?;
        assert!(second & 0x80 != 0, "clients mask their frames");
        let (start, length) = match second & 0x7f {
            126 => (
                4,
                u16::from_be_bytes([*self.input.get(2)?, *self.input.get(3)?]).into(),
            ),
            127 => panic!("no scenario sends such long frames"),
            short => (2, usize::from(short)),
        };
        let end = start + 4 + length;
        if self.input.len() < end {
            return None;
        }
        let frame: Vec<u8> = self.input.drain(..end).collect();
        let (mask, payload) = frame[start..].split_at(4);
        let payload: Vec<u8> = payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(a, b)| a ^ b)
            .collect();
        match frame[0] & 0x0f {
            8 => Some(Heard::Close),
            1 => Some(Heard::Message(serde_json::from_slice(&payload).unwrap())),
            other => panic!("opcode {other}"),
        }
    }

    /// Writes, or keeps what the socket does not take.
    pub fn write(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
        self.flush();
    }

    /// Writes what was kept.
    pub fn flush(&mut self) {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) => {
                    self.output.drain(..count);
                }
                Err(_) => return,
            }
        }
        if self.ending {
            let _ = self.stream.shutdown(Shutdown::Write); // it may have been, or be gone
        }
    }

    /// Writes its last answer. What the peer had sent behind is still read, until it ends: closed
    /// over unread bytes, a socket resets, and the answer may be lost on the way (RFC 9112, 9.6).
    pub fn write_last(&mut self, bytes: &[u8]) {
        self.ending = true;
        self.write(bytes);
    }
}

/// A text frame of a server.
pub fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match text.len() {
        length @ 0..126 => frame.push(length as u8),
        length => {
            frame.push(126);
            frame.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    frame.extend_from_slice(text.as_bytes());
    frame
}

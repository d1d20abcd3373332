//! What is sent: text or bytes, encoded once.

use super::message::Message;
use crate::ws::{Frame, Frames};
use std::rc::Rc;
use std::sync::Arc;

/// The payload of a message: text from a `&str`, binary from bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Goes as a text message.
    Text(&'a str),
    /// Goes as a binary message.
    Binary(&'a [u8]),
    /// Goes as a text message: bytes that are known to be UTF-8, such as a text that came in. They
    /// are not looked at again, and others would break the protocol.
    Utf8(&'a [u8]),
}

impl Payload<'_> {
    /// A frame for one client, in a buffer of the shard's.
    pub(super) fn frame_for_one(self, frames: &Rc<Frames>) -> Frame {
        match self {
            Self::Text(text) => frames.text(text.as_bytes()),
            Self::Utf8(bytes) => frames.text(bytes),
            Self::Binary(bytes) => frames.binary(bytes),
        }
    }

    fn frame(self) -> Frame {
        match self {
            Self::Text(text) => Frame::text(text.as_bytes()),
            Self::Utf8(bytes) => Frame::text(bytes),
            Self::Binary(bytes) => Frame::binary(bytes),
        }
    }
}

/// What came in goes out as it is; whoever has changed a text has kept it UTF-8.
impl<'a> From<&'a Message<'_>> for Payload<'a> {
    fn from(message: &'a Message<'_>) -> Self {
        match message {
            Message::Text(bytes) => Self::Utf8(bytes),
            Message::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

impl<'a> From<Message<'a>> for Payload<'a> {
    fn from(message: Message<'a>) -> Self {
        match message {
            Message::Text(bytes) => Self::Utf8(bytes),
            Message::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

impl<'a> From<&'a str> for Payload<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Payload<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Binary(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Payload<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Binary(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Payload<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Binary(bytes)
    }
}

/// A message encoded once, for many. It may be kept, and sent from any shard.
#[derive(Clone, Debug)]
pub struct Prepared {
    bytes: Arc<[u8]>,
}

impl Prepared {
    /// Encodes a message.
    #[must_use]
    pub fn new<'a>(payload: impl Into<Payload<'a>>) -> Self {
        Self {
            bytes: Arc::from(payload.into().frame().bytes()),
        }
    }

    pub(super) fn bytes(&self) -> Arc<[u8]> {
        Arc::clone(&self.bytes)
    }

    pub(super) fn frame(&self) -> Frame {
        Frame::shared(self.bytes())
    }
}

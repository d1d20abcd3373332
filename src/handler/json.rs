//! Messages that are JSON: written and read with serde.

use super::client::Client;
use super::endpoint::Endpoint;
use super::message::Message;
use super::payload::Prepared;
use crate::conn::PushError as SendError;
use crate::id::ClientId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What went wrong with a message that is JSON.
#[derive(Debug)]
pub enum JsonError {
    /// The value cannot be written: a map whose keys are no text, for one.
    Write(serde_json::Error),
    /// The client is gone, or reads too slowly.
    Send(SendError),
    /// The message that came in is binary.
    Binary,
    /// It is no JSON, or not what was expected; the error says where.
    Read(serde_json::Error),
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(error) => write!(f, "the value cannot be written as JSON: {error}"),
            Self::Send(error) => error.fmt(f),
            Self::Binary => f.write_str("the message is binary, where JSON was expected"),
            Self::Read(error) => write!(f, "the message is not the JSON that is expected: {error}"),
        }
    }
}

impl std::error::Error for JsonError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Write(error) | Self::Read(error) => Some(error),
            Self::Send(error) => Some(error),
            Self::Binary => None,
        }
    }
}

fn text(value: &(impl Serialize + ?Sized)) -> Result<String, JsonError> {
    serde_json::to_string(value).map_err(JsonError::Write)
}

impl<S> Client<S> {
    /// Sends a value as a text message that is JSON; see [`Client::send_text`].
    ///
    /// # Errors
    /// [`JsonError::Write`] and [`JsonError::Send`]; nothing was sent then.
    pub fn send_json(&self, value: &(impl Serialize + ?Sized)) -> Result<(), JsonError> {
        self.endpoint().send_json(self.id(), value)
    }
}

impl Endpoint {
    /// Sends a value as a text message that is JSON; see [`Endpoint::send`].
    ///
    /// # Errors
    /// [`JsonError::Write`] and [`JsonError::Send`]; nothing was sent then.
    pub fn send_json(
        &self,
        client: ClientId,
        value: &(impl Serialize + ?Sized),
    ) -> Result<(), JsonError> {
        let text = text(value)?;
        self.send(client, &text).map_err(JsonError::Send)
    }

    /// Sends a value as a text message that is JSON to every client of this route, on all shards;
    /// see [`Endpoint::broadcast`].
    ///
    /// # Errors
    /// [`JsonError::Write`]; nothing was sent then.
    pub fn broadcast_json(&self, value: &(impl Serialize + ?Sized)) -> Result<(), JsonError> {
        self.broadcast(&text(value)?);
        Ok(())
    }
}

impl Prepared {
    /// Encodes a value as a text message that is JSON.
    ///
    /// # Errors
    /// [`JsonError::Write`].
    pub fn json(value: &(impl Serialize + ?Sized)) -> Result<Self, JsonError> {
        Ok(Self::new(&text(value)?))
    }
}

impl Message<'_> {
    /// Reads a text message as JSON. What is read may borrow from the message.
    ///
    /// # Errors
    /// [`JsonError::Binary`] and [`JsonError::Read`].
    pub fn json<'b, T: Deserialize<'b>>(&'b self) -> Result<T, JsonError> {
        match self {
            Self::Text(bytes) => serde_json::from_slice(bytes).map_err(JsonError::Read),
            Self::Binary(_) => Err(JsonError::Binary),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Said<'a> {
        text: &'a str,
    }

    #[test]
    fn a_message_is_read_or_the_error_says_what_failed() {
        let mut sound = br#"{"text":"hi"}"#.to_vec();
        let message = Message::Text(&mut sound);
        assert_eq!(message.json::<Said<'_>>().unwrap(), Said { text: "hi" });
        let refused = |bytes: &str| {
            let mut bytes = bytes.as_bytes().to_vec();
            let message = Message::Text(&mut bytes);
            message.json::<Said<'_>>().unwrap_err().to_string()
        };
        let start = "the message is not the JSON that is expected: ";
        for (bytes, end) in [
            ("{", "EOF while parsing an object at line 1 column 1"),
            ("{}", "missing field `text` at line 1 column 2"),
            (
                "{\"text\":1}",
                "invalid type: integer `1`, expected a borrowed string at line 1 column 9",
            ),
        ] {
            assert_eq!(refused(bytes), format!("{start}{end}"));
        }
        let mut bytes = b"{}".to_vec();
        let binary = Message::Binary(&mut bytes);
        assert!(matches!(binary.json::<Said<'_>>(), Err(JsonError::Binary)));
    }

    #[test]
    fn what_cannot_be_written_is_told_and_not_sent() {
        let odd = BTreeMap::from([((1, 2), 3)]);
        let error = Prepared::json(&odd).unwrap_err();
        assert!(matches!(error, JsonError::Write(_)));
        assert_eq!(
            error.to_string(),
            "the value cannot be written as JSON: key must be a string"
        );
    }
}

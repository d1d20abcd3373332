//! What a client says: text in, [`Command`] out. Decides nothing, only reads.

use super::json::{JsonReader, Value};
use crate::limits::JSON_DEPTH_WIRE;

/// A frame from a client, borrowed from the buffer it arrived in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `pusher:subscribe` (section 3.2).
    Subscribe(Subscribe<'a>),
    /// `pusher:unsubscribe` (section 3.3).
    Unsubscribe {
        /// The channel to leave.
        channel: &'a str,
    },
    /// `pusher:signin` (section 7.1).
    SignIn(SignIn<'a>),
    /// `pusher:ping` (W10).
    Ping,
    /// `pusher:pong`, the answer to a ping event of ours.
    Pong,
    /// `client-...` (section 6).
    ClientEvent(ClientEvent<'a>),
}

/// The fields of a subscribe frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// The channel to join.
    pub channel: &'a str,
    /// `KEY:SIGNATURE`; ignored on public channels (S2).
    pub auth: Option<&'a str>,
    /// The member's JSON text, exactly as it was signed (rule 8).
    pub channel_data: Option<&'a str>,
}

/// The fields of a sign-in frame. What is missing is refused like what is wrong (U4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignIn<'a> {
    /// `KEY:SIGNATURE`.
    pub auth: Option<&'a str>,
    /// The user's JSON text, exactly as it was signed (rule 8).
    pub user_data: Option<&'a str>,
}

/// The fields of a client event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientEvent<'a> {
    /// Begins with `client-`.
    pub event: &'a str,
    /// Where to.
    pub channel: &'a str,
    /// The text to relay: a string as it was, any other JSON as its text (CE3).
    pub data: &'a str,
}

/// Why a frame says nothing we know (section 2.7); each is answered with an error frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError<'a> {
    /// Not a JSON object.
    NotJson,
    /// `event` is missing or no string.
    NoEvent,
    /// A `pusher:` or `pusher_internal:` event that clients do not send, or a name without
    /// the `client-` prefix.
    UnknownEvent(&'a str),
    /// A subscribe or unsubscribe frame without a channel.
    NoChannel(&'a str),
    /// A client event that lacks its channel or its data (CE4).
    IncompleteClientEvent,
}

/// Reads frames one after the other; holds the buffers that make it free of allocation.
#[derive(Debug)]
pub struct Parser {
    reader: JsonReader,
    text: Vec<u8>,
}

impl Default for Parser {
    fn default() -> Self {
        Self {
            reader: JsonReader::new(JSON_DEPTH_WIRE),
            text: Vec::new(),
        }
    }
}

#[derive(Default)]
struct Fields<'a> {
    event: Option<&'a str>,
    channel: Option<&'a str>,
    /// `data` as a string, or marked as written to the parser's own text.
    data: Option<DataText<'a>>,
    subscribe_channel: Option<&'a str>,
    auth: Option<&'a str>,
    channel_data: Option<&'a str>,
    user_data: Option<&'a str>,
}

enum DataText<'a> {
    Borrowed(&'a str),
    Written,
}

impl Parser {
    /// Reads one text message, in place.
    ///
    /// # Errors
    /// [`CommandError`] when the text is no frame of the protocol; the connection stays open.
    pub fn parse<'s>(&'s mut self, input: &'s mut [u8]) -> Result<Command<'s>, CommandError<'s>> {
        self.text.clear();
        let text = &mut self.text;
        let fields = self
            .reader
            .read(input, |value| {
                value.is_object().then(|| read_fields(value, text))
            })
            .ok()
            .flatten()
            .ok_or(CommandError::NotJson)?;
        let event = fields.event.ok_or(CommandError::NoEvent)?;
        match event {
            "pusher:subscribe" => match fields.subscribe_channel {
                Some(channel) => Ok(Command::Subscribe(Subscribe {
                    channel,
                    auth: fields.auth,
                    channel_data: fields.channel_data,
                })),
                None => Err(CommandError::NoChannel(event)),
            },
            "pusher:unsubscribe" => match fields.subscribe_channel {
                Some(channel) => Ok(Command::Unsubscribe { channel }),
                None => Err(CommandError::NoChannel(event)),
            },
            "pusher:signin" => Ok(Command::SignIn(SignIn {
                auth: fields.auth,
                user_data: fields.user_data,
            })),
            "pusher:ping" => Ok(Command::Ping),
            "pusher:pong" => Ok(Command::Pong),
            _ if event.starts_with("client-") => {
                let data = match fields.data {
                    Some(DataText::Borrowed(text)) => Some(text),
                    Some(DataText::Written) => std::str::from_utf8(&self.text).ok(),
                    None => None,
                };
                match (fields.channel, data) {
                    (Some(channel), Some(data)) => Ok(Command::ClientEvent(ClientEvent {
                        event,
                        channel,
                        data,
                    })),
                    _ => Err(CommandError::IncompleteClientEvent),
                }
            }
            _ => Err(CommandError::UnknownEvent(event)),
        }
    }
}

/// Walks the frame once. `data` is only written out for client events, which is decided by
/// the event's name, wherever in the frame that stands (W2).
fn read_fields<'a>(frame: Value<'_, 'a>, text: &mut Vec<u8>) -> Fields<'a> {
    let mut fields = Fields::default();
    let mut data = None;
    for (key, value) in frame.entries() {
        match key {
            "event" => fields.event = value.as_str(),
            "channel" => fields.channel = value.as_str(),
            "data" => data = Some(value),
            _ => {} // W5
        }
    }
    let Some(data) = data else { return fields };
    if fields
        .event
        .is_some_and(|event| event.starts_with("client-"))
    {
        fields.data = match data.as_str() {
            Some(string) => Some(DataText::Borrowed(string)),
            None if data.is_null() => None, // W5
            None => {
                data.write(text);
                Some(DataText::Written)
            }
        };
    } else {
        for (key, value) in data.entries() {
            match key {
                "channel" => fields.subscribe_channel = value.as_str(),
                "auth" => fields.auth = value.as_str(),
                "channel_data" => fields.channel_data = value.as_str(), // null is absent: W5
                "user_data" => fields.user_data = value.as_str(),
                _ => {}
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: impl FnOnce(Result<Command<'_>, CommandError<'_>>)) {
        let mut input = text.as_bytes().to_vec();
        expect(Parser::default().parse(&mut input));
    }

    #[test]
    fn subscribe_frames_of_every_client() {
        let subscribe = |channel, auth, channel_data| {
            Ok(Command::Subscribe(Subscribe {
                channel,
                auth,
                channel_data,
            }))
        };
        check(
            r#"{"event":"pusher:subscribe","data":{"auth":"","channel":"news"}}"#,
            |got| {
                assert_eq!(got, subscribe("news", Some(""), None)); // pusher-js
            },
        );
        check(
            r#"{"data":{"channel":"news"},"event":"pusher:subscribe"}"#,
            |got| {
                assert_eq!(got, subscribe("news", None, None)); // W2
            },
        );
        let dotnet = r#"{"event":"pusher:subscribe",
            "data":{"channel":"private-x","auth":"k:s","channel_data":null}}"#;
        check(dotnet, |got| {
            assert_eq!(got, subscribe("private-x", Some("k:s"), None))
        }); // W5
        let presence = r#"{"event":"pusher:subscribe","data":{"auth":"k:s",
            "channel_data":"{\"user_id\":\"7\"}","channel":"presence-x"}}"#;
        check(presence, |got| {
            assert_eq!(
                got,
                subscribe("presence-x", Some("k:s"), Some(r#"{"user_id":"7"}"#))
            );
        });
    }

    #[test]
    fn sign_in_frames() {
        // Section 7.1
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors.json")).unwrap();
        for entry in vectors["user_auth"].as_array().unwrap() {
            let sign_in = SignIn {
                auth: entry["auth"].as_str(),
                user_data: entry["user_data"].as_str(),
            };
            check(entry["signin_frame"].as_str().unwrap(), |got| {
                assert_eq!(got, Ok(Command::SignIn(sign_in)));
            });
        }
        let nothing = SignIn {
            auth: None,
            user_data: None,
        };
        for data in [
            "null",
            "7",
            "[]",
            "{}",
            r#"{"auth":7,"user_data":{"id":"a"}}"#,
        ] {
            let frame = format!(r#"{{"event":"pusher:signin","data":{data}}}"#);
            check(&frame, |got| {
                assert_eq!(got, Ok(Command::SignIn(nothing)), "{data}");
            });
        }
    }

    #[test]
    fn a_frame_without_data_is_an_error_and_not_an_end() {
        // The frame that kills soketi.
        check(r#"{"event":"pusher:subscribe"}"#, |got| {
            assert_eq!(got, Err(CommandError::NoChannel("pusher:subscribe")));
        });
        for data in ["null", "7", "\"x\"", "[]", "{}", r#"{"channel":7}"#] {
            let frame = format!(r#"{{"event":"pusher:unsubscribe","data":{data}}}"#);
            check(&frame, |got| {
                assert_eq!(
                    got,
                    Err(CommandError::NoChannel("pusher:unsubscribe")),
                    "{data}"
                );
            });
        }
    }

    #[test]
    fn pings_with_and_without_data() {
        check(r#"{"event":"pusher:ping","data":{}}"#, |got| {
            assert_eq!(got, Ok(Command::Ping))
        });
        check(r#"{"event": "pusher:ping"}"#, |got| {
            assert_eq!(got, Ok(Command::Ping))
        });
        check(r#"{"event":"pusher:pong","data":{}}"#, |got| {
            assert_eq!(got, Ok(Command::Pong))
        });
    }

    #[test]
    fn client_event_data_becomes_text() {
        // CE3
        for (data, text) in [
            (r#"{"a":1}"#, r#"{"a":1}"#),
            (r#""hello""#, "hello"),
            (r#""{\"a\":\"\\n\"}""#, r#"{"a":"\n"}"#),
            ("[1, 2]", "[1,2]"),
            ("true", "true"),
            ("\"\"", ""),
        ] {
            let frame = format!(r#"{{"data":{data},"event":"client-x","channel":"private-c"}}"#);
            check(&frame, |got| {
                let channel = "private-c";
                let event = "client-x";
                assert_eq!(
                    got,
                    Ok(Command::ClientEvent(ClientEvent {
                        event,
                        channel,
                        data: text
                    }))
                );
            });
        }
    }

    #[test]
    fn incomplete_client_events() {
        // CE4
        for frame in [
            r#"{"event":"client-x","channel":"private-c"}"#,
            r#"{"event":"client-x","channel":"private-c","data":null}"#,
            r#"{"event":"client-x","data":{}}"#,
            r#"{"event":"client-x","channel":7,"data":{}}"#,
        ] {
            check(frame, |got| {
                assert_eq!(got, Err(CommandError::IncompleteClientEvent), "{frame}")
            });
        }
    }

    #[test]
    fn everything_else_is_named_in_its_error() {
        // Section 2.7, column ours (J).
        for text in ["", "nope", "7", "[]", "\"x\"", "null"] {
            check(text, |got| {
                assert_eq!(got, Err(CommandError::NotJson), "{text}")
            });
        }
        for text in ["{}", r#"{"event":7}"#, r#"{"event":null}"#] {
            check(text, |got| {
                assert_eq!(got, Err(CommandError::NoEvent), "{text}")
            });
        }
        for event in [
            "pusher:nope",
            "pusher_internal:member_added",
            "foo-client-bar",
            "hello",
        ] {
            check(&format!(r#"{{"event":"{event}","data":{{}}}}"#), |got| {
                assert_eq!(got, Err(CommandError::UnknownEvent(event)));
            });
        }
    }
}

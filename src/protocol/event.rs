//! What the server says: JSON text of every frame, appended to a buffer of the caller.
//!
//! `data` is always a string that holds JSON, except in `pusher:error`, where it must be an
//! object: some official clients read errors from an object only and everything else from a
//! string only (section 2.2). Channel names are legal before they get here and need no escapes.

use super::code::Code;
use super::json::{escape, quote, write_integer};
use super::member::Member;
use crate::id::SocketId;
use std::fmt;
use std::io::Write;

/// `pusher:pong`.
pub const PONG: &str = r#"{"event":"pusher:pong","data":"{}"}"#;

/// Text of `pusher:subscription_error`'s `type` field, with its status number (section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionRefusal {
    /// Missing or wrong signature.
    Auth,
    /// The name is longer than allowed.
    NameTooLong,
    /// The name has illegal characters, or is another user's.
    Name,
    /// `channel_data` is not a member.
    Member,
    /// The member's text is larger than the app allows.
    MemberTooBig,
    /// The presence channel has all the members it may have.
    ChannelFull,
    /// The connection has all the channels it may have.
    TooManyChannels,
}

impl SubscriptionRefusal {
    fn parts(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::Auth => ("AuthError", 401, "The connection is unauthorized."),
            Self::NameTooLong => ("LimitReached", 4009, "The channel name is too long."),
            Self::Name => ("InvalidChannel", 4009, "The channel name is not allowed."),
            Self::Member => (
                "InvalidMember",
                4009,
                "The channel_data is not a valid member.",
            ),
            Self::MemberTooBig => ("LimitReached", 4301, "The channel_data is too large."),
            Self::ChannelFull => (
                "LimitReached",
                4100,
                "The presence channel has no room for another member.",
            ),
            Self::TooManyChannels => (
                "LimitReached",
                4100,
                "The connection is subscribed to too many channels.",
            ),
        }
    }

    /// What a person reads.
    #[must_use]
    pub fn message(self) -> &'static str {
        self.parts().2
    }
}

/// `pusher:connection_established` (section 2.3).
pub fn connection_established(socket_id: SocketId, activity_timeout_s: u32, out: &mut Vec<u8>) {
    put(
        out,
        format_args!(
            "{{\"event\":\"pusher:connection_established\",\"data\":\"{{\\\"socket_id\\\":\
             \\\"{socket_id}\\\",\\\"activity_timeout\\\":{activity_timeout_s}}}\"}}"
        ),
    );
}

/// `pusher:error` (section 2.5): `code` is a number or null, `data` an object.
pub fn error(code: Option<Code>, message: &str, channel: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"event\":\"pusher:error\"");
    if let Some(channel) = channel {
        out.extend_from_slice(b",\"channel\":");
        quote(channel, out); // W18; may be a name that was refused, so it is escaped
    }
    out.extend_from_slice(b",\"data\":{\"code\":");
    match code {
        Some(code) => write_integer(code.number(), out),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"message\":");
    quote(message, out);
    out.extend_from_slice(b"}}");
}

/// `pusher_internal:subscription_succeeded` for channels without presence.
pub fn subscription_succeeded(channel: &str, out: &mut Vec<u8>) {
    const BEFORE: &str =
        r#"{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":""#;
    for part in [BEFORE, channel, "\"}"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// `pusher_internal:subscription_succeeded` with the members of a presence channel (P1).
pub fn presence_succeeded<'a>(
    channel: &str,
    members: impl ExactSizeIterator<Item = &'a Member> + Clone,
    out: &mut Vec<u8>,
) {
    let mut inner = Vec::with_capacity(64 + members.len() * 64);
    put(
        &mut inner,
        format_args!("{{\"presence\":{{\"count\":{},\"ids\":[", members.len()),
    );
    for (index, member) in members.clone().enumerate() {
        comma(index, &mut inner);
        quote(&member.user_id, &mut inner);
    }
    inner.extend_from_slice(b"],\"hash\":{");
    for (index, member) in members.enumerate() {
        comma(index, &mut inner);
        quote(&member.user_id, &mut inner);
        inner.push(b':');
        inner.extend_from_slice(member.user_info.as_deref().unwrap_or("null").as_bytes()); // P7
    }
    inner.extend_from_slice(b"}}}");
    wrapped(
        "pusher_internal:subscription_succeeded",
        &inner,
        Some(channel),
        out,
    );
}

/// `pusher:subscription_error` (section 3.2).
pub fn subscription_error(channel: &str, refusal: SubscriptionRefusal, out: &mut Vec<u8>) {
    refused("pusher:subscription_error", channel, refusal, out);
}

/// `pusher_internal:subscription_error`: the same data once more, for the .NET client. Its pending
/// call fails at once by this frame and by no other (section 3.2).
pub fn internal_subscription_error(channel: &str, refusal: SubscriptionRefusal, out: &mut Vec<u8>) {
    refused("pusher_internal:subscription_error", channel, refusal, out);
}

fn refused(event: &str, channel: &str, refusal: SubscriptionRefusal, out: &mut Vec<u8>) {
    let (kind, status, message) = refusal.parts();
    put(
        out,
        format_args!(
            "{{\"event\":\"{event}\",\"data\":\"{{\\\"type\\\":\\\"{kind}\\\",\
             \\\"error\\\":\\\"{message}\\\",\\\"status\\\":{status}}}\",\"channel\":"
        ),
    );
    quote(channel, out);
    out.push(b'}');
}

/// `pusher:cache_miss`: the cache channel has no event to begin with (C3).
pub fn cache_miss(channel: &str, out: &mut Vec<u8>) {
    put(
        out,
        format_args!(
            "{{\"event\":\"pusher:cache_miss\",\"data\":\"{{}}\",\"channel\":\"{channel}\"}}"
        ),
    );
}

/// `pusher_internal:subscription_count`: how many connections are subscribed (section 3.7).
pub fn subscription_count(channel: &str, count: u32, out: &mut Vec<u8>) {
    put(
        out,
        format_args!(
            "{{\"event\":\"pusher_internal:subscription_count\",\"data\":\
             \"{{\\\"subscription_count\\\":{count}}}\",\"channel\":\"{channel}\"}}"
        ),
    );
}

/// `pusher_internal:member_added`: id and info, nothing else of what was signed (Q10b).
pub fn member_added(channel: &str, member: &Member, out: &mut Vec<u8>) {
    let mut inner = Vec::with_capacity(64);
    inner.extend_from_slice(b"{\"user_id\":");
    quote(&member.user_id, &mut inner);
    if let Some(user_info) = &member.user_info {
        inner.extend_from_slice(b",\"user_info\":");
        inner.extend_from_slice(user_info.as_bytes());
    }
    inner.push(b'}');
    wrapped("pusher_internal:member_added", &inner, Some(channel), out);
}

/// `pusher_internal:member_removed`.
pub fn member_removed(channel: &str, user_id: &str, out: &mut Vec<u8>) {
    let mut inner = Vec::with_capacity(64);
    inner.extend_from_slice(b"{\"user_id\":");
    quote(user_id, &mut inner);
    inner.push(b'}');
    wrapped("pusher_internal:member_removed", &inner, Some(channel), out);
}

/// An event of a channel (S12): `data` is the published string, byte for byte.
///
/// `user_id` stands on client events of presence channels only (W4). Returns where in `out` things
/// are, so that a home finds the channel and keeps the data without a second copy of either.
pub fn channel_event(
    event: &str,
    data: &str,
    channel: &str,
    user_id: Option<&str>,
    out: &mut Vec<u8>,
) -> EventPlaces {
    out.reserve(event.len() + data.len() + channel.len() + 48);
    out.extend_from_slice(b"{\"event\":");
    quote(event, out);
    out.extend_from_slice(b",\"data\":");
    let data_at = out.len() + 1;
    quote(data, out);
    out.extend_from_slice(BEFORE_NAME);
    let name_at = out.len();
    out.extend_from_slice(channel.as_bytes());
    out.push(b'"');
    if let Some(user_id) = user_id {
        out.extend_from_slice(b",\"user_id\":");
        quote(user_id, out);
    }
    out.push(b'}');
    EventPlaces { data_at, name_at }
}

/// Where things are in the text of [`channel_event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPlaces {
    /// First byte of the data, with its JSON escapes, behind the quote.
    pub data_at: usize,
    /// First byte of the channel's name.
    pub name_at: usize,
}

/// What stands between the data's last quote and the channel's name.
const BEFORE_NAME: &[u8] = b",\"channel\":\"";

/// One past the last byte of the data, of an event whose channel's name begins there.
#[must_use]
pub fn data_end(name_at: usize) -> usize {
    name_at - BEFORE_NAME.len() - 1
}

/// `pusher:signin_success`: the text that was signed, in a string within a string (U2).
pub fn signin_success(user_data: &str, out: &mut Vec<u8>) {
    let mut inner = Vec::with_capacity(user_data.len() + 32);
    inner.extend_from_slice(b"{\"user_data\":");
    quote(user_data, &mut inner);
    inner.push(b'}');
    wrapped("pusher:signin_success", &inner, None, out);
}

/// `pusher_internal:watchlist_events` (U10): who is online and who is not. A list that nobody is
/// in is left out.
pub fn watchlist_events<'a>(
    mut online: impl Iterator<Item = &'a str>,
    mut offline: impl Iterator<Item = &'a str>,
    out: &mut Vec<u8>,
) {
    let mut inner = b"{\"events\":[".to_vec();
    let lists: [(&str, &mut dyn Iterator<Item = &'a str>); 2] =
        [("online", &mut online), ("offline", &mut offline)];
    let lists = lists.map(|(name, ids)| (name, ids.peekable()));
    let lists = lists.into_iter().filter_map(|(name, mut ids)| {
        ids.peek()?;
        Some((name, ids))
    });
    for (index, (name, ids)) in lists.enumerate() {
        comma(index, &mut inner);
        let head = format_args!("{{\"name\":\"{name}\",\"user_ids\":[");
        put(&mut inner, head);
        for (index, id) in ids.enumerate() {
            comma(index, &mut inner);
            quote(id, &mut inner);
        }
        inner.extend_from_slice(b"]}");
    }
    inner.extend_from_slice(b"]}");
    wrapped("pusher_internal:watchlist_events", &inner, None, out);
}

/// A frame whose data is `inner`, a JSON text of ours.
fn wrapped(event: &str, inner: &[u8], channel: Option<&str>, out: &mut Vec<u8>) {
    let inner = std::str::from_utf8(inner).expect("made of strings and ASCII");
    put(out, format_args!("{{\"event\":\"{event}\",\"data\":\""));
    escape(inner, out);
    match channel {
        Some(channel) => put(out, format_args!("\",\"channel\":\"{channel}\"}}")),
        None => out.extend_from_slice(b"\"}"),
    }
}

fn comma(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
}

fn put(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a Vec takes every write");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// Frames are compared as values, since the order of keys is free (W2).
    fn assert_is_vector(name: &str, ours: &str) {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors.json")).unwrap();
        let theirs = vectors["server_frames"][name].as_str().unwrap();
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(ours), value(theirs), "{name}");
    }

    fn member(user_id: &str, user_info: Option<&str>) -> Member {
        Member {
            user_id: user_id.into(),
            user_info: user_info.map(Into::into),
        }
    }

    #[test]
    fn frames_equal_those_of_the_vectors() {
        let socket = SocketId::parse("123.456").unwrap().unwrap();
        assert_is_vector(
            "connection_established",
            &frame(|out| connection_established(socket, 120, out)),
        );
        assert_is_vector("pong", PONG);
        assert_is_vector(
            "subscription_succeeded",
            &frame(|out| subscription_succeeded("my-channel", out)),
        );
        let members = [
            member("u-1", Some("{\"name\":\"Zoë\"}")),
            member("u-2", None),
        ];
        assert_is_vector(
            "subscription_succeeded_presence",
            &frame(|out| presence_succeeded("presence-room", members.iter(), out)),
        );
        let max = member("u-2", Some("{\"name\":\"Max\"}"));
        assert_is_vector(
            "member_added",
            &frame(|out| member_added("presence-room", &max, out)),
        );
        assert_is_vector(
            "member_removed",
            &frame(|out| member_removed("presence-room", "u-2", out)),
        );
        assert_is_vector(
            "subscription_error",
            &frame(|out| subscription_error("private-x", SubscriptionRefusal::Auth, out)),
        );
        assert_is_vector("cache_miss", &frame(|out| cache_miss("cache-a", out)));
        assert_is_vector(
            "subscription_count",
            &frame(|out| subscription_count("my-channel", 3, out)),
        );
        assert_is_vector(
            "error",
            &frame(|out| {
                error(
                    Some(Code::ClientEventRefused),
                    "Client event rejected",
                    None,
                    out,
                )
            }),
        );
        assert_is_vector(
            "event",
            &frame(|out| {
                let places = channel_event(
                    "my-event",
                    r#"{"message":"hello"}"#,
                    "my-channel",
                    None,
                    out,
                );
                assert!(out[places.name_at..].starts_with(b"my-channel"));
                let data = &out[places.data_at..data_end(places.name_at)];
                assert_eq!(data, br#"{\"message\":\"hello\"}"#);
            }),
        );
        assert_is_vector(
            "client_event_presence",
            &frame(|out| {
                channel_event("client-a", "{\"x\":1}", "presence-room", Some("u-1"), out);
            }),
        );
    }

    #[test]
    fn frames_of_users_equal_those_of_the_vectors() {
        // U2, U10
        assert_is_vector(
            "signin_success",
            &frame(|out| signin_success("{\"id\":\"user-1\"}", out)),
        );
        let events = |online: &[&str], offline: &[&str]| {
            let (online, offline) = (online.iter().copied(), offline.iter().copied());
            frame(|out| watchlist_events(online, offline, out))
        };
        assert_is_vector("watchlist_events", &events(&["user-2"], &["user-3"]));
        let data = |text: String| {
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            value["data"].as_str().unwrap().to_owned()
        };
        assert_eq!(
            data(events(&[], &["a", "\""])),
            r#"{"events":[{"name":"offline","user_ids":["a","\""]}]}"#
        );
        assert_eq!(
            data(events(&["a", "b"], &[])),
            r#"{"events":[{"name":"online","user_ids":["a","b"]}]}"#
        );
    }

    #[test]
    fn odd_text_stays_valid_json() {
        let text = frame(|out| error(None, "bad \"x\"\n", Some("a\"b\u{1}"), out));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["channel"], "a\"b\u{1}");
        assert_eq!(value["data"]["code"], serde_json::Value::Null); // W17
        let added = frame(|out| member_added("presence-a", &member("\"\\", None), out));
        let value: serde_json::Value = serde_json::from_str(&added).unwrap();
        let inner: serde_json::Value =
            serde_json::from_str(value["data"].as_str().unwrap()).unwrap();
        assert_eq!(inner, serde_json::json!({"user_id": "\"\\"})); // P7: no user_info key
    }
}

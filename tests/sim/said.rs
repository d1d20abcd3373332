//! What the server said: outgoing frames as bytes, read back as values.
//!
//! Reads like a strict client: one unfragmented, unmasked text frame, JSON, the fields in the types
//! that all official clients accept (section 2.2). All else breaks the promise [`Oracle::Sane`].

use crate::verdict::{Oracle, violated};
use serde_json::Value;
use serde_json::value::RawValue;

/// One frame of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// `pusher:pong`.
    Pong,
    /// `pusher:signin_success`, with the text that was signed.
    SignedIn { user_data: String },
    /// `pusher_internal:watchlist_events`: who is online and who is not.
    Watched { users: Vec<(String, bool)> },
    /// `pusher:error`: the code, and the channel where one is named.
    Error {
        code: Option<u64>,
        channel: Option<String>,
    },
    /// `pusher:subscription_error`, with the text for people.
    Refused { channel: String, message: String },
    /// `pusher_internal:subscription_succeeded`, with the members of a presence channel.
    Succeeded {
        channel: String,
        members: Option<Members>,
    },
    /// `pusher_internal:member_added`.
    Added {
        channel: String,
        user: String,
        info: Option<String>,
    },
    /// `pusher_internal:member_removed`.
    Removed { channel: String, user: String },
    /// `pusher:cache_miss`.
    Missed { channel: String },
    /// `pusher_internal:subscription_count`.
    Counted { channel: String, count: u64 },
    /// Anything else: an event that somebody published.
    Event {
        channel: String,
        event: String,
        data: String,
        user_id: Option<String>,
    },
}

/// The members in a snapshot: user ids and infos, in the order of `ids`.
pub type Members = Vec<(String, Option<String>)>;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    event: String,
    channel: Option<String>,
    #[serde(borrow)]
    data: &'a RawValue,
    user_id: Option<String>,
}

/// Reads a frame, header and all.
pub fn read(bytes: &[u8]) -> Said {
    try_read(bytes).unwrap_or_else(|| {
        let text = String::from_utf8_lossy(bytes);
        violated(
            Oracle::Sane,
            format!("a frame no client can read: {text:?}"),
        )
    })
}

fn try_read(bytes: &[u8]) -> Option<Said> {
    let frame: Envelope<'_> = serde_json::from_slice(payload(bytes)?).ok()?;
    if frame.event == "pusher:error" {
        let data: Value = serde_json::from_str(frame.data.get()).ok()?;
        data["message"].as_str()?;
        let code = data.get("code")?;
        if !code.is_null() && !code.is_u64() {
            return None;
        }
        return Some(Said::Error {
            code: code.as_u64(),
            channel: frame.channel,
        });
    }
    let data: String = serde_json::from_str(frame.data.get()).ok()?;
    let named = frame.channel;
    if frame.event == "pusher:pong" {
        return (data == "{}" && named.is_none()).then_some(Said::Pong);
    }
    if frame.event == "pusher:signin_success" || frame.event.ends_with(":watchlist_events") {
        return named.is_none().then(|| of_user(&frame.event, &data))?; // W3
    }
    of_channel(frame.event, named?, data, frame.user_id) // W3
}

/// What a client is told of a channel.
fn of_channel(
    event: String,
    channel: String,
    data: String,
    user_id: Option<String>,
) -> Option<Said> {
    match event.as_str() {
        "pusher:subscription_error" => {
            let data: Value = serde_json::from_str(&data).ok()?;
            data["type"].as_str()?;
            data["status"].as_u64()?;
            Some(Said::Refused {
                channel,
                message: data["error"].as_str()?.to_owned(),
            })
        }
        "pusher_internal:subscription_succeeded" => {
            let members = if data == "{}" {
                None
            } else {
                Some(members(&data)?)
            };
            Some(Said::Succeeded { channel, members })
        }
        "pusher_internal:member_added" => {
            let member: Value = serde_json::from_str(&data).ok()?;
            let info = member.get("user_info").map(Value::to_string);
            Some(Said::Added {
                channel,
                user: member["user_id"].as_str()?.to_owned(),
                info,
            })
        }
        "pusher_internal:member_removed" => {
            let member: Value = serde_json::from_str(&data).ok()?;
            Some(Said::Removed {
                channel,
                user: member["user_id"].as_str()?.to_owned(),
            })
        }
        "pusher:cache_miss" => (data == "{}").then_some(Said::Missed { channel }),
        "pusher_internal:subscription_count" => {
            let data: Value = serde_json::from_str(&data).ok()?;
            let count = data["subscription_count"].as_u64()?;
            Some(Said::Counted { channel, count })
        }
        event if event.starts_with("pusher") => None,
        _ => Some(Said::Event {
            channel,
            event,
            data,
            user_id,
        }),
    }
}

/// What a client is told as a user.
fn of_user(event: &str, data: &str) -> Option<Said> {
    let read: Value = serde_json::from_str(data).ok()?;
    match event {
        "pusher:signin_success" => {
            let user_data = read["user_data"].as_str()?.to_owned();
            Some(Said::SignedIn { user_data })
        }
        "pusher_internal:watchlist_events" => {
            let users = watched(&read)?;
            Some(Said::Watched { users })
        }
        _ => None,
    }
}

/// U10: one or two lists, each once and with somebody in it.
fn watched(data: &Value) -> Option<Vec<(String, bool)>> {
    let mut users = Vec::new();
    let mut names = Vec::new();
    for list in data["events"].as_array()? {
        let name = list["name"].as_str()?;
        let online = match name {
            "online" => true,
            "offline" => false,
            _ => return None,
        };
        let ids = list["user_ids"].as_array()?;
        if ids.is_empty() || names.contains(&name) {
            return None;
        }
        names.push(name);
        for id in ids {
            users.push((id.as_str()?.to_owned(), online));
        }
    }
    (!users.is_empty()).then_some(users)
}

/// P1: `count`, `ids` and `hash` agree, and nobody is in it twice.
fn members(data: &str) -> Option<Members> {
    let data: Value = serde_json::from_str(data).ok()?;
    let presence = data.get("presence")?;
    let (ids, hash) = (presence["ids"].as_array()?, presence["hash"].as_object()?);
    if presence["count"].as_u64()? != ids.len() as u64 || ids.len() != hash.len() {
        return None;
    }
    let mut members = Members::new();
    for id in ids {
        let id = id.as_str()?;
        if members.iter().any(|(known, _)| known == id) {
            return None;
        }
        let info = hash.get(id)?;
        members.push((id.to_owned(), (!info.is_null()).then(|| info.to_string())));
    }
    Some(members)
}

/// The payload of one whole text frame as servers send it: final, not masked, shortest length.
fn payload(bytes: &[u8]) -> Option<&[u8]> {
    let (&[0x81, short], rest) = bytes.split_first_chunk::<2>()? else {
        return None;
    };
    let (length, payload) = match short {
        0..=125 => (usize::from(short), rest),
        126 => {
            let (length, payload) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), payload)
        }
        _ => return None, // nothing in the simulation is as long as that
    };
    (payload.len() == length && (short < 126 || length > 125)).then_some(payload)
}

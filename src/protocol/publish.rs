//! Bodies of publish requests: `events` (section 8.3) and `batch_events` (section 8.4).

use super::channel_name::ChannelKind;
use super::json::{JsonReader, Value};
use crate::app::App;
use crate::id::SocketId;
use smallvec::SmallVec;
use std::borrow::Cow;

/// What an app lets its backends publish (section 10).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes of an event's data.
    pub data_bytes: usize,
    /// Most characters of a channel's name.
    pub channel_name_chars: usize,
    /// Most characters of an event's name.
    pub event_name_chars: usize,
    /// Most channels of one event.
    pub channels_per_event: usize,
    /// Most events of one batch.
    pub batch_events: usize,
}

impl Limits {
    /// Those of an app.
    #[must_use]
    pub fn of(app: &App) -> Self {
        Self {
            data_bytes: app.event_data_bytes,
            channel_name_chars: app.channel_name_chars,
            event_name_chars: app.event_name_chars,
            channels_per_event: app.channels_per_event,
            batch_events: app.batch_events,
        }
    }
}

/// One event to publish, borrowed from the request's body.
#[derive(Debug, PartialEq, Eq)]
pub struct Publication<'a> {
    /// The event's name, characters of any kind.
    pub name: &'a str,
    /// What subscribers get, byte for byte (S12).
    pub data: Cow<'a, str>,
    /// Distinct legal channel names, in the order of the request (S15).
    pub channels: SmallVec<[&'a str; 2]>,
    /// The connection that shall not get it (S13).
    pub except: Option<SocketId>,
    /// What the answer shall tell of the channels.
    pub info: Attributes,
}

/// The attributes an `info` parameter may ask for; unknown ones are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Distinct users of a presence channel.
    pub user_count: bool,
    /// Subscribed connections.
    pub subscription_count: bool,
    /// The cached event of a cache channel.
    pub cache: bool,
}

impl Attributes {
    /// Reads a comma list.
    #[must_use]
    pub fn parse(list: &str) -> Self {
        let mut attributes = Self::default();
        for name in list.split(',') {
            match name.trim() {
                "user_count" => attributes.user_count = true,
                "subscription_count" => attributes.subscription_count = true,
                "cache" => attributes.cache = true,
                _ => {}
            }
        }
        attributes
    }

    /// Whether anything was asked for.
    #[must_use]
    pub fn any(self) -> bool {
        self.user_count || self.subscription_count || self.cache
    }
}

/// Why a body is refused; nothing of it is published then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// The body is no JSON object.
    NotJson,
    /// `name` is missing, no string, empty or too long.
    Name {
        /// The app's limit, in characters.
        max: usize,
    },
    /// `data` is missing or null.
    NoData,
    /// `data` is longer than the app allows, in bytes.
    DataTooBig {
        /// The app's limit.
        max: usize,
    },
    /// Neither `channels` nor `channel`, or not strings.
    NoChannel,
    /// More channels than the app allows.
    TooManyChannels {
        /// The app's limit.
        max: usize,
    },
    /// A name that no channel can have.
    ChannelName,
    /// Not `digits.digits`.
    SocketId,
    /// `batch` is missing, no array, or empty.
    NoBatch,
    /// More events in a batch than the app allows.
    BatchTooBig {
        /// The app's limit.
        max: usize,
    },
}

impl PublishError {
    /// The HTTP status that answers it.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::DataTooBig { .. } => 413,
            _ => 400,
        }
    }
}

impl std::fmt::Display for PublishError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotJson => f.write_str("Expected the body to be a JSON object"),
            Self::Name { max } => write!(
                f,
                "Expected name parameter to be a string of 1 to {max} characters"
            ),
            Self::NoData => f.write_str("Expected data parameter"),
            Self::DataTooBig { max } => write!(
                f,
                "The data content of this event exceeds the allowed maximum ({max} bytes)"
            ),
            Self::NoChannel => f.write_str("Expected channels parameter to be an array of strings"),
            Self::TooManyChannels { max } => {
                write!(f, "An event can be published to at most {max} channels")
            }
            Self::ChannelName => f.write_str("A channel name is not allowed"),
            Self::SocketId => f.write_str("Invalid socket id"),
            Self::NoBatch => f.write_str("Expected batch parameter to be an array of events"),
            Self::BatchTooBig { max } => write!(f, "A batch holds at most {max} events"),
        }
    }
}

/// Reads the body of `POST /apps/ID/events`, in place.
///
/// # Errors
/// [`PublishError`], to be answered with its status.
pub fn event<'a>(
    reader: &mut JsonReader,
    body: &'a mut [u8],
    limits: Limits,
) -> Result<Publication<'a>, PublishError> {
    reader
        .read(body, |value| publication(value, limits, Channels::Many))
        .map_err(|_| PublishError::NotJson)?
}

/// Reads the body of `POST /apps/ID/batch_events`, in place; the first bad item refuses all.
///
/// # Errors
/// [`PublishError`], to be answered with its status.
pub fn batch<'a>(
    reader: &mut JsonReader,
    body: &'a mut [u8],
    limits: Limits,
) -> Result<Vec<Publication<'a>>, PublishError> {
    let read = |value: Value<'_, 'a>| {
        if !value.is_object() {
            return Err(PublishError::NotJson);
        }
        let list = value.entries().filter(|(key, _)| *key == "batch").last();
        let items = list
            .and_then(|(_, list)| list.elements())
            .ok_or(PublishError::NoBatch)?;
        match items.len() {
            0 => Err(PublishError::NoBatch),
            count if count > limits.batch_events => Err(PublishError::BatchTooBig {
                max: limits.batch_events,
            }),
            _ => items
                .map(|item| publication(item, limits, Channels::One))
                .collect(),
        }
    };
    reader.read(body, read).map_err(|_| PublishError::NotJson)?
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Channels {
    One,
    Many,
}

fn publication<'a>(
    object: Value<'_, 'a>,
    limits: Limits,
    mode: Channels,
) -> Result<Publication<'a>, PublishError> {
    if !object.is_object() {
        return Err(PublishError::NotJson);
    }
    let (mut name, mut data, mut one, mut many) = (None, None, None, None);
    let (mut socket_id, mut info) = (None, Attributes::default());
    for (key, value) in object.entries() {
        match key {
            "name" => name = value.as_str(),
            "data" => data = Some(value),
            "channel" => one = Some(value),
            "channels" => many = Some(value),
            "socket_id" => socket_id = Some(value),
            "info" => info = value.as_str().map(Attributes::parse).unwrap_or_default(),
            _ => {} // R6
        }
    }
    let max = limits.event_name_chars;
    let name = name
        .filter(|name| !name.is_empty() && name.chars().nth(max).is_none())
        .ok_or(PublishError::Name { max })?;
    let data = match data
        .filter(|data| !data.is_null())
        .ok_or(PublishError::NoData)?
    {
        value if value.as_str().is_some() => Cow::Borrowed(value.as_str().unwrap_or_default()),
        value => {
            let mut text = Vec::new(); // R7
            value.write(&mut text);
            Cow::Owned(String::from_utf8(text).expect("made of strings and ASCII"))
        }
    };
    let max = limits.data_bytes;
    if data.len() > max {
        return Err(PublishError::DataTooBig { max });
    }
    let channels = channel_names(one, many.filter(|_| mode == Channels::Many), limits)?;
    Ok(Publication {
        name,
        data,
        channels,
        except: excluded(socket_id)?,
        info,
    })
}

fn channel_names<'a>(
    one: Option<Value<'_, 'a>>,
    many: Option<Value<'_, 'a>>,
    limits: Limits,
) -> Result<SmallVec<[&'a str; 2]>, PublishError> {
    let mut channels = SmallVec::new();
    let mut add = |value: Value<'_, 'a>| {
        let name = value.as_str().ok_or(PublishError::NoChannel)?;
        ChannelKind::of(name, limits.channel_name_chars).map_err(|_| PublishError::ChannelName)?;
        if channels.contains(&name) {
            return Ok(()); // doubles count once
        }
        let max = limits.channels_per_event;
        if channels.len() == max {
            return Err(PublishError::TooManyChannels { max });
        }
        channels.push(name);
        Ok(())
    };
    match (many, one) {
        (Some(list), _) => {
            let names = list.elements().ok_or(PublishError::NoChannel)?;
            names.into_iter().try_for_each(&mut add)?;
        }
        (None, Some(name)) => add(name)?,
        (None, None) => {}
    }
    if channels.is_empty() {
        return Err(PublishError::NoChannel);
    }
    Ok(channels)
}

fn excluded(socket_id: Option<Value<'_, '_>>) -> Result<Option<SocketId>, PublishError> {
    match socket_id {
        None => Ok(None),
        Some(value) if value.is_null() => Ok(None),
        Some(value) => match value.as_str() {
            Some("") => Ok(None),
            Some(text) => SocketId::parse(text).map_err(|_| PublishError::SocketId),
            None => Err(PublishError::SocketId),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::JSON_DEPTH_REST;

    fn with_event<T>(
        body: &str,
        check: impl FnOnce(Result<Publication<'_>, PublishError>) -> T,
    ) -> T {
        let mut body = body.as_bytes().to_vec();
        check(event(
            &mut JsonReader::new(JSON_DEPTH_REST),
            &mut body,
            defaults(),
        ))
    }

    fn defaults() -> Limits {
        Limits::of(&App::new("1", "key", "secret"))
    }

    const NAME: PublishError = PublishError::Name { max: 200 };

    fn refusal(body: &str) -> PublishError {
        with_event(body, |outcome| outcome.expect_err(body))
    }

    #[test]
    fn an_event_as_the_sdks_send_it() {
        let body = r#"{"name":"e","channels":["a","b","a"],"data":"{\"id\":5}",
            "socket_id":"123.456","info":"user_count, subscription_count,x"}"#;
        with_event(body, |got| {
            let got = got.unwrap();
            assert_eq!(got.channels.as_slice(), ["a", "b"]);
            assert_eq!(got.data, r#"{"id":5}"#);
            assert_eq!(got.except, SocketId::parse("123.456").unwrap());
            assert!(got.info.user_count && got.info.subscription_count && !got.info.cache);
        });
        with_event(
            r#"{"name":"e","channel":"a","data":"","socket_id":null}"#,
            |got| {
                let got = got.unwrap(); // PHP; Q24: empty data is legal
                assert_eq!(
                    (got.channels.as_slice(), got.data.as_ref()),
                    (["a"].as_slice(), "")
                );
            },
        );
    }

    #[test]
    fn attributes_are_a_list_of_known_names() {
        let parsed = Attributes::parse(" cache,user_count ,nope,");
        assert!(parsed.cache && parsed.user_count && !parsed.subscription_count);
        assert!(Attributes::parse("cache").any());
        assert!(!Attributes::parse("").any() && !Attributes::parse("caches,Cache").any());
    }

    #[test]
    fn data_that_is_no_string_becomes_text() {
        // R7
        for (data, text) in [("{\"a\":[1]}", "{\"a\":[1]}"), ("7", "7"), ("true", "true")] {
            with_event(
                &format!(r#"{{"name":"e","channel":"a","data":{data}}}"#),
                |got| {
                    assert_eq!(got.unwrap().data, text);
                },
            );
        }
        assert_eq!(
            refusal(r#"{"name":"e","channel":"a","data":null}"#),
            PublishError::NoData
        );
        assert_eq!(
            refusal(r#"{"name":"e","channel":"a"}"#),
            PublishError::NoData
        );
    }

    #[test]
    fn each_limit_at_the_limit_and_one_past_it() {
        let data = |n: usize| format!(r#"{{"name":"e","channel":"a","data":"{}"}}"#, "x".repeat(n));
        with_event(&data(10_240), |got| assert!(got.is_ok()));
        assert_eq!(
            refusal(&data(10_241)),
            PublishError::DataTooBig { max: 10_240 }
        );
        assert_eq!(refusal(&data(10_241)).status(), 413);
        let named = |n: usize| format!(r#"{{"name":"{}","channel":"a","data":""}}"#, "ë".repeat(n));
        with_event(&named(200), |got| assert!(got.is_ok()));
        assert_eq!(refusal(&named(201)), NAME);
        let list = |n: usize| {
            let names: Vec<String> = (0..n).map(|i| format!("\"c{i}\"")).collect();
            format!(
                r#"{{"name":"e","channels":[{}],"data":""}}"#,
                names.join(",")
            )
        };
        with_event(&list(100), |got| {
            assert_eq!(got.unwrap().channels.len(), 100)
        });
        assert_eq!(
            refusal(&list(101)),
            PublishError::TooManyChannels { max: 100 }
        );
        let doubled = list(100).replace("[\"c0\"", "[\"c0\",\"c0\"");
        with_event(&doubled, |got| assert_eq!(got.unwrap().channels.len(), 100));
        let channel =
            |n: usize| format!(r#"{{"name":"e","channel":"{}","data":""}}"#, "c".repeat(n));
        with_event(&channel(200), |got| assert!(got.is_ok()));
        assert_eq!(refusal(&channel(201)), PublishError::ChannelName);
    }

    #[test]
    fn bad_bodies_are_named() {
        for body in ["", "[]", "7", "nope", "{", "\"x\""] {
            assert_eq!(refusal(body), PublishError::NotJson, "{body:?}");
        }
        let rest = r#""channel":"a","data":"""#;
        assert_eq!(refusal(&format!("{{{rest}}}")), NAME);
        assert_eq!(refusal(&format!("{{\"name\":\"\",{rest}}}")), NAME);
        assert_eq!(refusal(&format!("{{\"name\":7,{rest}}}")), NAME);
        let start = r#"{"name":"e","data":"""#;
        for tail in [
            "}",
            ",\"channels\":[]}",
            ",\"channels\":\"a\"}",
            ",\"channels\":[7]}",
        ] {
            assert_eq!(
                refusal(&format!("{start}{tail}")),
                PublishError::NoChannel,
                "{tail}"
            );
        }
        for name in ["", "#x", "a b", "a\\n", "ü"] {
            let body = format!("{start},\"channel\":\"{name}\"}}");
            assert_eq!(refusal(&body), PublishError::ChannelName, "{name}");
        }
        for id in ["\"1\"", "\"a.b\"", "7", "\"1.1\\n\"", "{}"] {
            let body = format!("{start},\"channel\":\"a\",\"socket_id\":{id}}}"); // Q31
            assert_eq!(refusal(&body), PublishError::SocketId, "{id}");
        }
    }

    #[test]
    fn batches_are_all_or_nothing() {
        let item = r#"{"channel":"a","name":"e","data":"x"}"#;
        let parse = |body: String| {
            let mut body = body.into_bytes();
            let mut reader = JsonReader::new(JSON_DEPTH_REST);
            batch(&mut reader, &mut body, defaults()).map(|items| items.len())
        };
        let list = |n: usize| format!("{{\"batch\":[{}]}}", vec![item; n].join(","));
        assert_eq!(parse(list(10)), Ok(10));
        assert_eq!(parse(list(11)), Err(PublishError::BatchTooBig { max: 10 }));
        assert_eq!(parse(list(0)), Err(PublishError::NoBatch));
        assert_eq!(parse("{}".into()), Err(PublishError::NoBatch));
        assert_eq!(parse("[]".into()), Err(PublishError::NotJson));
        let one_bad = format!("{{\"batch\":[{item},{{\"channel\":\"a\",\"name\":\"e\"}}]}}");
        assert_eq!(parse(one_bad), Err(PublishError::NoData));
        let many = r#"{"batch":[{"channels":["a"],"name":"e","data":"x"}]}"#;
        assert_eq!(parse(many.into()), Err(PublishError::NoChannel));
    }
}

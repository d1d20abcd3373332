//! A handler made of functions by the name of an event.

use super::callbacks::{Error, Handler, Result};
use super::client::Client;
use super::handshake::Handshake;
use super::message::{Close, Message};
use super::mount::Boxed;
use super::request::Request;
use crate::id::ClientId;
use crate::limits::EVENT_NAME_SHOWN;
use hashbrown::HashMap;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

/// A [`Handler`] that takes JSON text such as `{"event": "say", "data": {"text": "hi"}}` and calls
/// the function that was registered for the event.
///
/// ```
/// # use shardcast::handler::{Client, Handshake, Named, Router};
/// #[derive(serde::Deserialize)]
/// struct Say {
///     text: String,
/// }
///
/// fn routes(router: &mut Router) {
///     router.mount("/chat", |endpoint| {
///         let named = Named::session(async |request| {
///             let name = request.query_param("name").unwrap_or_default();
///             Ok(Handshake::accept(name.into_owned()))
///         });
///         named.on("say", async move |client: &mut Client<String>, say: Say| {
///             endpoint.broadcast(&format!("{}: {}", client.session(), say.text));
///             Ok(())
///         })
///     });
/// }
/// ```
///
/// What cannot be served is answered with an event `error`, and the connection stays: its data has
/// a `reason`, which is `not-text` for a binary message, `bad-json` for what is no object with the
/// name of an event in it, `unknown-event` (and the `event`) or `bad-data` (the same, and in
/// `message` what is wrong with it). A function that fails or panics closes its client with 1011,
/// as in every handler.
pub struct Named<S> {
    fields: Fields,
    session: Box<OnHandshake<S>>,
    on: HashMap<Box<str>, Box<OnEvent<S>>>,
    otherwise: Option<Box<Otherwise<S>>>,
    open: Option<Box<OnOpen<S>>>,
    close: Option<Box<OnClose<S>>>,
    message_max: usize,
}

type OnHandshake<S> = dyn for<'a> Fn(&'a Request<'_>) -> Boxed<'a, Result<Handshake<S>>>;
type OnEvent<S> = dyn for<'a> Fn(&'a mut Client<S>, &'a RawValue) -> Boxed<'a, Outcome>;
type Otherwise<S> = dyn for<'a> Fn(&'a mut Client<S>, &'a str, &'a RawValue) -> Boxed<'a, Result>;
type OnOpen<S> = dyn for<'a> Fn(&'a mut Client<S>) -> Boxed<'a, Result>;
type OnClose<S> = dyn Fn(ClientId, S, Close) -> Boxed<'static, ()>;
type Outcome = std::result::Result<(), Failed>;

/// Why a function did not serve an event.
enum Failed {
    Data(serde_json::Error),
    Handler(Error),
}

/// What the fields of a message are called.
#[derive(Clone, Debug)]
struct Fields {
    event: Cow<'static, str>,
    data: Cow<'static, str>,
}

impl Default for Named<()> {
    fn default() -> Self {
        Self::new()
    }
}

impl Named<()> {
    /// Lets everybody in, and keeps nothing for them.
    #[must_use]
    pub fn new() -> Self {
        Self::session(async |_: &Request<'_>| Ok(Handshake::accept(())))
    }
}

impl<S: 'static> Named<S> {
    /// Decides on handshakes, and makes the sessions: see [`Handler::on_handshake`].
    #[must_use]
    pub fn session<F>(decide: F) -> Self
    where
        F: AsyncFn(&Request<'_>) -> Result<Handshake<S>> + 'static,
    {
        let decide = Rc::new(decide);
        Self {
            fields: Fields {
                event: "event".into(),
                data: "data".into(),
            },
            session: Box::new(move |request| {
                let decide = Rc::clone(&decide);
                Box::pin(async move { decide(request).await })
            }),
            on: HashMap::new(),
            otherwise: None,
            open: None,
            close: None,
            message_max: 64 * 1024,
        }
    }

    /// Serves an event. The data of its messages are read as `D`; without data in the message, as
    /// `null`. What is no `D` is answered with the error `bad-data`.
    ///
    /// # Panics
    /// When the event has a function already.
    #[must_use]
    pub fn on<D, F>(self, event: &str, serve: F) -> Self
    where
        D: DeserializeOwned + 'static,
        F: AsyncFn(&mut Client<S>, D) -> Result + 'static,
    {
        let serve = Rc::new(serve);
        self.register(
            event,
            Box::new(move |client, data| {
                let serve = Rc::clone(&serve);
                Box::pin(async move {
                    let data = serde_json::from_str(data.get()).map_err(Failed::Data)?;
                    serve(client, data).await.map_err(Failed::Handler)
                })
            }),
        )
    }

    /// Same, with the data as the JSON text that came.
    ///
    /// # Panics
    /// As [`Named::on`].
    #[must_use]
    pub fn on_raw<F>(self, event: &str, serve: F) -> Self
    where
        F: AsyncFn(&mut Client<S>, &RawValue) -> Result + 'static,
    {
        let serve = Rc::new(serve);
        self.register(
            event,
            Box::new(move |client, data| {
                let serve = Rc::clone(&serve);
                Box::pin(async move { serve(client, data).await.map_err(Failed::Handler) })
            }),
        )
    }

    fn register(mut self, event: &str, serve: Box<OnEvent<S>>) -> Self {
        let before = self.on.insert(event.into(), serve);
        assert!(before.is_none(), "the event {event:?} has two functions");
        self
    }

    /// Serves events that have no function of their own; it is given their name. Without it they
    /// are answered with the error `unknown-event`.
    #[must_use]
    pub fn otherwise<F>(mut self, serve: F) -> Self
    where
        F: AsyncFn(&mut Client<S>, &str, &RawValue) -> Result + 'static,
    {
        let serve = Rc::new(serve);
        self.otherwise = Some(Box::new(move |client, event, data| {
            let serve = Rc::clone(&serve);
            Box::pin(async move { serve(client, event, data).await })
        }));
        self
    }

    /// The connection is open: see [`Handler::on_open`].
    #[must_use]
    pub fn on_open<F>(mut self, serve: F) -> Self
    where
        F: AsyncFn(&mut Client<S>) -> Result + 'static,
    {
        let serve = Rc::new(serve);
        self.open = Some(Box::new(move |client| {
            let serve = Rc::clone(&serve);
            Box::pin(async move { serve(client).await })
        }));
        self
    }

    /// The connection is gone: see [`Handler::on_close`].
    #[must_use]
    pub fn on_close<F>(mut self, serve: F) -> Self
    where
        F: AsyncFn(ClientId, S, Close) + 'static,
    {
        let serve = Rc::new(serve);
        self.close = Some(Box::new(move |client, session, close| {
            let serve = Rc::clone(&serve);
            Box::pin(async move { serve(client, session, close).await })
        }));
        self
    }

    /// Calls the fields of messages otherwise than `event` and `data`, in errors too.
    ///
    /// # Panics
    /// When both have one name.
    #[must_use]
    pub fn with_fields(mut self, event: &'static str, data: &'static str) -> Self {
        assert_ne!(event, data, "an event and its data are two fields");
        self.fields = Fields {
            event: event.into(),
            data: data.into(),
        };
        self
    }

    /// Sets the bytes of the largest message a client may send, 64 KiB without this; more is closed
    /// with 1009.
    #[must_use]
    pub fn with_message_max(mut self, bytes: usize) -> Self {
        self.message_max = bytes;
        self
    }

    /// Tells a client what could not be served.
    fn refuse(&self, client: &Client<S>, refusal: &Refusal<'_>) {
        let error = Event {
            fields: &self.fields,
            event: "error",
            data: refusal,
        };
        if let Ok(text) = serde_json::to_string(&error) {
            let _ = client.send_text(&text); // a client that does not read will not be told
        }
    }
}

impl<S: 'static> Handler for Named<S> {
    type Session = S;

    async fn on_handshake(&self, request: &Request<'_>) -> Result<Handshake<S>> {
        (self.session)(request).await
    }

    async fn on_open(&self, client: &mut Client<S>) -> Result {
        match &self.open {
            Some(open) => open(client).await,
            None => Ok(()),
        }
    }

    async fn on_message(&self, client: &mut Client<S>, message: Message<'_>) -> Result {
        let Some(text) = message.as_text() else {
            self.refuse(client, &Refusal::of("not-text"));
            return Ok(());
        };
        let mut json = serde_json::Deserializer::from_str(text);
        let read = self.fields.deserialize(&mut json);
        let Ok((event, data)) = read.and_then(|read| json.end().map(|()| read)) else {
            self.refuse(client, &Refusal::of("bad-json"));
            return Ok(());
        };
        let outcome = match (self.on.get(&*event), &self.otherwise) {
            (Some(serve), _) => serve(client, data).await,
            (None, Some(serve)) => serve(client, &event, data).await.map_err(Failed::Handler),
            (None, None) => {
                self.refuse(client, &Refusal::of("unknown-event").to(&event));
                return Ok(());
            }
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(Failed::Handler(error)) => Err(error),
            Err(Failed::Data(error)) => {
                let refusal = Refusal {
                    message: Some(error.to_string()),
                    ..Refusal::of("bad-data").to(&event)
                };
                self.refuse(client, &refusal);
                Ok(())
            }
        }
    }

    async fn on_close(&self, client: ClientId, session: S, close: Close) {
        if let Some(serve) = &self.close {
            serve(client, session, close).await;
        }
    }

    fn message_max(&self) -> usize {
        self.message_max
    }
}

impl<S> fmt::Debug for Named<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Named")
            .field("fields", &self.fields)
            .field("events", &self.on.keys())
            .finish_non_exhaustive()
    }
}

/// The data of an error.
struct Refusal<'a> {
    reason: &'static str,
    event: Option<&'a str>,
    message: Option<String>,
}

impl Refusal<'_> {
    fn of(reason: &'static str) -> Self {
        Self {
            reason,
            event: None,
            message: None,
        }
    }

    /// Names the event, as much of it as is shown.
    fn to(self, event: &str) -> Refusal<'_> {
        let end = event.char_indices().nth(EVENT_NAME_SHOWN);
        let shown = end.map_or(event, |(end, _)| &event[..end]);
        Refusal {
            reason: self.reason,
            event: Some(shown),
            message: self.message,
        }
    }
}

impl Serialize for Refusal<'_> {
    fn serialize<T: Serializer>(&self, serializer: T) -> std::result::Result<T::Ok, T::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("reason", self.reason)?;
        if let Some(event) = self.event {
            map.serialize_entry("event", event)?;
        }
        if let Some(message) = &self.message {
            map.serialize_entry("message", message)?;
        }
        map.end()
    }
}

/// A message that goes out.
struct Event<'a> {
    fields: &'a Fields,
    event: &'a str,
    data: &'a Refusal<'a>,
}

impl Serialize for Event<'_> {
    fn serialize<T: Serializer>(&self, serializer: T) -> std::result::Result<T::Ok, T::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(&self.fields.event, self.event)?;
        map.serialize_entry(&self.fields.data, self.data)?;
        map.end()
    }
}

/// Reads an event's name and its data; other fields are passed over.
impl<'de> DeserializeSeed<'de> for &Fields {
    type Value = (Cow<'de, str>, &'de RawValue);

    fn deserialize<D: Deserializer<'de>>(
        self,
        json: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &Fields {
    type Value = (Cow<'de, str>, &'de RawValue);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with a field {:?}", self.event)
    }

    fn visit_map<M: MapAccess<'de>>(
        self,
        mut map: M,
    ) -> std::result::Result<Self::Value, M::Error> {
        use serde::de::Error;
        let (mut event, mut data) = (None, None);
        while let Some(Text(field)) = map.next_key()? {
            let twice = if field == self.event {
                event.replace(map.next_value::<Text<'de>>()?.0).is_some()
            } else if field == self.data {
                data.replace(map.next_value()?).is_some()
            } else {
                map.next_value::<IgnoredAny>()?;
                false
            };
            if twice {
                return Err(M::Error::custom("a field comes twice"));
            }
        }
        let event = event.ok_or_else(|| M::Error::custom("no event"))?;
        Ok((event, data.unwrap_or(RawValue::NULL)))
    }
}

/// Text of the message itself where nothing in it is escaped.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, String)> {
        let named = Named::new().with_fields("name", "with");
        let mut json = serde_json::Deserializer::from_str(text);
        let (event, data) = named.fields.deserialize(&mut json).ok()?;
        json.end().ok()?;
        Some((event.into_owned(), data.get().to_owned()))
    }

    #[test]
    fn a_message_is_an_object_with_the_name_of_an_event() {
        for (text, event, data) in [
            (r#"{"name":"a","with":[1, 2]}"#, "a", "[1, 2]"),
            (
                r#" {"x":{"name":1},"with":"b","name":"\u0061"} "#,
                "a",
                "\"b\"",
            ),
            (r#"{"name":""}"#, "", "null"),
            (r#"{"\u006eame":"a","with":null}"#, "a", "null"),
        ] {
            assert_eq!(read(text), Some((event.into(), data.into())), "{text}");
        }
        for text in [
            "",
            "1",
            "[]",
            "{}",
            r#"{"with":1}"#,
            r#"{"name":1}"#,
            r#"{"name":null}"#,
            r#"{"name":"a"} x"#,
            r#"{"name":"a","name":"b"}"#,
            r#"{"name":"a","with":1,"with":1}"#,
            r#"{"name":"a","with":}"#,
            r#"{"name":"a""#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_long_name_is_shown_in_part() {
        for (long, shown) in [
            (EVENT_NAME_SHOWN, EVENT_NAME_SHOWN),
            (250, EVENT_NAME_SHOWN),
        ] {
            let name = "\u{2603}".repeat(long);
            let refusal = Refusal::of("unknown-event").to(&name);
            let told = refusal.event.map(|event| event.chars().count());
            assert_eq!(told, Some(shown));
        }
    }

    #[test]
    #[should_panic(expected = "the event \"a\" has two functions")]
    fn an_event_has_one_function() {
        let named = Named::new().on("a", async |_: &mut Client<()>, _: u8| Ok(()));
        drop(named.on_raw("a", async |_: &mut Client<()>, _: &RawValue| Ok(())));
    }

    #[test]
    #[should_panic(expected = "two fields")]
    fn fields_have_two_names() {
        drop(Named::new().with_fields("x", "x"));
    }
}

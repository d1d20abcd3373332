//! Server-sent events (the `EventSource` of browsers), as the WHATWG HTML standard writes them
//! down in its section 9.2.
//!
//! Not here: what a reconnecting client missed; its `Last-Event-ID` says where to go on.
//!
//! Invariant: what one call sends is what one event or comment is to every reader: no text of a
//! caller can begin a field of its own, and events leave whole.

use std::borrow::Cow;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::response::Response;
use super::stream::{BodyWriter, StreamResult, WriteError};

/// Silence after which a comment is sent, in milliseconds, unless another time is chosen. Proxies
/// end connections on which nothing was sent for a minute, some for half of that.
pub const KEEP_ALIVE_MS: u64 = 15_000;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    data: Cow<'a, str>,
    id: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
    retry_ms: Option<u64>,
}

/// Why an event was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventError {
    /// Its id holds CR, LF or NUL.
    Id,
    /// Its name holds CR or LF.
    Name,
    /// The client is gone.
    Gone,
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id => "an event's id must not hold CR, LF or NUL",
            Self::Name => "an event's name must not hold CR or LF",
            Self::Gone => "the client is gone",
        })
    }
}

impl std::error::Error for EventError {}

impl From<WriteError> for EventError {
    fn from(_: WriteError) -> Self {
        Self::Gone
    }
}

impl<'a> Event<'a> {
    /// A message with this text; it may have several lines. Readers get each CR LF, and each CR, as
    /// LF.
    pub fn new(data: impl Into<Cow<'a, str>>) -> Self {
        Self {
            data: data.into(),
            id: None,
            name: None,
            retry_ms: None,
        }
    }

    /// With an id: a client that comes back after a break sends the last one
    /// (`Request::last_event_id`). An empty one makes it forget.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<Cow<'a, str>>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// With a name, for `addEventListener(name, ..)`; without one it is a `message`.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Cow<'a, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// From now on the client waits so many milliseconds before it comes back after a break.
    #[must_use]
    pub fn with_retry_ms(mut self, retry_ms: u64) -> Self {
        self.retry_ms = Some(retry_ms);
        self
    }

    /// Appends the event as it is sent.
    fn encode(&self, out: &mut String) -> Result<(), EventError> {
        let id = self.id.as_deref();
        if id.is_some_and(|id| id.contains(['\r', '\n', '\0'])) {
            return Err(EventError::Id);
        }
        let name = self.name.as_deref();
        if name.is_some_and(|name| name.contains(['\r', '\n'])) {
            return Err(EventError::Name);
        }
        let retry = self.retry_ms.map(|ms| ms.to_string());
        for (field, value) in [("event", name), ("id", id), ("retry", retry.as_deref())] {
            if let Some(value) = value {
                line(field, value, out);
            }
        }
        for part in lines(&self.data) {
            line("data", part, out);
        }
        out.push('\n');
        Ok(())
    }
}

fn line(field: &str, value: &str, out: &mut String) {
    out.push_str(field);
    out.push_str(": ");
    out.push_str(value);
    out.push('\n');
}

/// The lines of a text, which CR LF, LF and CR end; a last one without an end, too.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(at) = text.find(['\r', '\n']) else {
            rest = None;
            return Some(text);
        };
        let (line, end) = text.split_at(at);
        rest = Some(end.strip_prefix("\r\n").unwrap_or(&end[1..]));
        Some(line)
    })
}

/// Sends events to one client.
#[derive(Debug)]
pub struct Events {
    body: BodyWriter,
}

impl Events {
    /// Sends an event; waits first while much of what was sent before has not left yet. Dropped
    /// while it waits, it has sent nothing.
    ///
    /// # Errors
    /// [`EventError`].
    pub async fn send(&mut self, event: Event<'_>) -> Result<(), EventError> {
        let mut text = String::new();
        event.encode(&mut text)?;
        self.body.ready().await?;
        self.body.put(text.as_bytes())?;
        Ok(self.body.flush_now()?)
    }

    /// Sends a comment, which readers pass over; see [`Events::send`].
    ///
    /// # Errors
    /// [`EventError::Gone`].
    pub async fn comment(&mut self, text: &str) -> Result<(), EventError> {
        let mut out = String::new();
        for part in lines(text) {
            line("", part, &mut out);
        }
        out.push('\n');
        self.body.ready().await?;
        self.body.put(out.as_bytes())?;
        Ok(self.body.flush_now()?)
    }

    /// Ends when the server stops; see [`BodyWriter::stopping`].
    pub fn stopping(&self) -> impl Future<Output = ()> + use<> {
        self.body.stopping()
    }
}

impl Response {
    /// A stream of server-sent events: `produce` sends them, and waits for whatever it likes in
    /// between; see [`Response::stream`] for what becomes of it. When it ends, browsers come back
    /// after a while: an answer of 204 keeps them away.
    ///
    /// A comment is sent whenever nothing else was for [`KEEP_ALIVE_MS`], so that proxies keep the
    /// connection and a client that has gone is noticed.
    ///
    /// ```
    /// use shardcast::http::{Event, Response};
    ///
    /// let response = Response::events(async |events| {
    ///     events.send(Event::new("42").with_name("price").with_id("7")).await?;
    ///     events.stopping().await;
    ///     Ok(())
    /// });
    /// assert_eq!(response.content_type(), "text/event-stream");
    /// ```
    pub fn events(produce: impl AsyncFnOnce(&mut Events) -> StreamResult + 'static) -> Self {
        Self::events_with(Some(KEEP_ALIVE_MS), produce)
    }

    /// Same, with a comment after so many milliseconds of silence, or without any.
    ///
    /// # Panics
    /// When the time is zero.
    pub fn events_with(
        keep_alive_ms: Option<u64>,
        produce: impl AsyncFnOnce(&mut Events) -> StreamResult + 'static,
    ) -> Self {
        assert_ne!(keep_alive_ms, Some(0), "comments need a pause in between");
        let response = Self::stream("text/event-stream", async move |body| {
            let mut events = Events { body: body.share() };
            let mut produced = pin!(produce(&mut events));
            let mut beating = pin!(keep_alive(body, keep_alive_ms));
            poll_fn(|cx| match produced.as_mut().poll(cx) {
                Poll::Pending => beating.as_mut().poll(cx).map(|gone| Err(gone.into())),
                ended => ended,
            })
            .await
        });
        response
            .with_header("Cache-Control", "no-cache")
            .with_header("X-Accel-Buffering", "no")
    }
}

/// Sends a comment after each so long silence, until the client is gone.
async fn keep_alive(body: &BodyWriter, after_ms: Option<u64>) -> WriteError {
    let Some(after_ms) = after_ms else {
        return std::future::pending().await;
    };
    loop {
        // One timer for each such time, however much is written meanwhile.
        let left_ms = after_ms.saturating_sub(body.still_ms());
        if left_ms > 0 {
            body.pause(left_ms).await;
        } else if let Err(gone) = body.put(b":\n\n").and_then(|()| body.flush_now()) {
            return gone;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(event: &Event<'_>) -> Result<String, EventError> {
        let mut out = String::new();
        event.encode(&mut out).map(|()| out)
    }

    #[test]
    fn events_are_framed_as_the_standard_says() {
        let table = [
            (Event::new("a"), "data: a\n\n"),
            (Event::new(""), "data: \n\n"),
            (Event::new(" a"), "data:  a\n\n"),
            (
                Event::new("a\nb\r\nc\rd"),
                "data: a\ndata: b\ndata: c\ndata: d\n\n",
            ),
            (Event::new("a\n"), "data: a\ndata: \n\n"),
            (Event::new("\n\r"), "data: \ndata: \ndata: \n\n"),
            (Event::new("id: 7"), "data: id: 7\n\n"),
            (Event::new("ü☃"), "data: ü☃\n\n"),
            (
                Event::new("x")
                    .with_id("7")
                    .with_name("price")
                    .with_retry_ms(0),
                "event: price\nid: 7\nretry: 0\ndata: x\n\n",
            ),
            (Event::new("x").with_id(""), "id: \ndata: x\n\n"),
        ];
        for (event, wanted) in table {
            assert_eq!(encoded(&event).as_deref(), Ok(wanted), "{event:?}");
        }
    }

    #[test]
    fn line_ends_in_ids_and_names_are_refused() {
        for text in ["a\n", "\r", "a\r\nb", "\nid: 1"] {
            let id = Event::new("x").with_id(text);
            assert_eq!(encoded(&id), Err(EventError::Id), "{text:?}");
            let name = Event::new("x").with_name(text);
            assert_eq!(encoded(&name), Err(EventError::Name), "{text:?}");
        }
        // A reader would pass over such an id.
        assert_eq!(encoded(&Event::new("x").with_id("\0")), Err(EventError::Id));
    }
}

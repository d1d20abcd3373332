//! A response and its bytes.
//!
//! Not here: choosing statuses, the `Date` field (there is no clock on this floor), compression,
//! and bodies that are made while they are sent ([`stream`](super::stream)). The one status below
//! 200 is that of an accepted WebSocket handshake, which only this crate makes.
//!
//! Invariants:
//! - One response is one message to every reader: the fields that frame it (`Content-Length`,
//!   `Connection`) are written by [`Response::encode`] alone, and no field added by a caller can
//!   hold a line end or any other control character (response splitting).
//! - `Content-Length` is always sent, except with 204 and 304, which have no body (RFC 9110,
//!   sections 8.6 and 15), and with a streamed body whose length is not known.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use smallvec::SmallVec;

use super::cookie::Cookie;
use super::head::{is_text, is_token};
use super::stream::Stream;

/// Room for the status line and our own fields, so that most responses grow the buffer once.
const HEAD_ROOM: usize = 160;

/// One additional field: name and value.
type Field = (Cow<'static, str>, Cow<'static, str>);

/// Why a field was not added to a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderRefused {
    /// The name is not a token (RFC 9110, section 5.6.2).
    Name,
    /// The value holds CR, LF, NUL or another control character except the tab.
    Value,
    /// The field is written by [`Response`] itself: `Content-Length`, `Content-Type`,
    /// `Connection`, `Transfer-Encoding`.
    Reserved,
}

impl fmt::Display for HeaderRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "a header name must be a token",
            Self::Value => "a header value must not hold control characters",
            Self::Reserved => "this header is written by the server",
        })
    }
}

impl std::error::Error for HeaderRefused {}

/// An answer to one request.
#[derive(Debug)]
pub struct Response {
    status: u16,
    content_type: &'static str,
    headers: SmallVec<[Field; 2]>,
    pub(super) body: Body,
    pub(super) close: bool,
}

#[derive(Debug)]
pub(super) enum Body {
    Whole(Cow<'static, [u8]>),
    /// It is made while it is sent.
    Stream(Stream),
}

impl Response {
    /// A response with a body of the given media type; `""` sends no `Content-Type`.
    ///
    /// # Panics
    /// When `status` is outside 200..=599 or `content_type` holds a control character: both are
    /// written down by the program, never taken from a peer.
    pub fn new(status: u16, content_type: &'static str, body: impl IntoBody) -> Self {
        assert!(
            (200..=599).contains(&status),
            "not a final HTTP status: {status}"
        );
        assert!(
            is_value(content_type),
            "control character in a content type"
        );
        let headers = SmallVec::new();
        Response {
            status,
            content_type,
            headers,
            body: Body::Whole(body.into_body()),
            close: false,
        }
    }

    /// A response of type `application/json`; the body has to be JSON already.
    ///
    /// # Panics
    /// As [`Response::new`].
    pub fn json(status: u16, body: impl IntoBody) -> Self {
        Self::new(status, "application/json", body)
    }

    /// A response of type `application/json` with status 200; [`Response::with_status`] gives it
    /// another.
    ///
    /// # Errors
    /// When the value cannot be written as JSON: its own `Serialize` fails, or a map has keys that
    /// are no texts.
    pub fn json_of(value: &(impl Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        serde_json::to_vec(value).map(|body| Self::json(200, body))
    }

    /// A response that sends the client elsewhere: `location` is a URL or a path, encoded already.
    ///
    /// 303 has the client fetch it with GET, 307 and 308 with the method and body of the request;
    /// 301 and 308 may be remembered for ever. A location taken from a request can lead to any
    /// host (`//host` does, too): compare it with those that are meant.
    ///
    /// # Errors
    /// [`HeaderRefused::Value`] when the location holds CR, LF or another control character.
    ///
    /// # Panics
    /// When `status` is none of 301, 302, 303, 307 and 308: it is written down by the program.
    pub fn redirect(
        status: u16,
        location: impl Into<Cow<'static, str>>,
    ) -> Result<Self, HeaderRefused> {
        assert!(
            matches!(status, 301 | 302 | 303 | 307 | 308),
            "not a status of a redirection: {status}"
        );
        Self::empty(status).try_header("Location", location)
    }

    /// A response of plain text in UTF-8.
    ///
    /// # Panics
    /// As [`Response::new`].
    pub fn text(status: u16, body: impl IntoBody) -> Self {
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    /// A response without a body.
    ///
    /// # Panics
    /// As [`Response::new`].
    pub fn empty(status: u16) -> Self {
        Self::new(status, "", "")
    }

    /// The answer to an accepted WebSocket handshake; [`Response::with_accept`] completes it.
    pub(crate) fn switching() -> Self {
        Self {
            status: 101,
            ..Self::empty(200)
        }
    }

    /// Adds the fields of the upgrade (RFC 6455, section 4.2.2).
    pub(crate) fn with_accept(self, accept: String) -> Self {
        self.with_header("Upgrade", "websocket")
            .try_header("Sec-WebSocket-Accept", accept)
            .expect("base64 is a fine value")
    }

    /// Adds a field that is written down in the program.
    ///
    /// # Panics
    /// When [`Response::try_header`] would refuse it. Both are literals, so no peer can cause that.
    #[must_use]
    pub fn with_header(self, name: &'static str, value: &'static str) -> Self {
        self.try_header(name, value)
            .expect("a literal header is valid")
    }

    /// Adds a field with a number as its value, such as `Retry-After`.
    ///
    /// # Panics
    /// When [`Response::try_header`] would refuse the name.
    #[must_use]
    pub fn with_number(self, name: &'static str, value: u64) -> Self {
        let value = itoa::Buffer::new().format(value).to_owned();
        self.try_header(name, value)
            .expect("a literal header is valid")
    }

    /// Adds a field whose name or value was made at run time, perhaps from what a peer sent.
    ///
    /// It is refused rather than repaired: dropping the line end and keeping the rest would send a
    /// text that nobody wrote, and dropping the field would hide the attempt.
    ///
    /// # Errors
    /// See [`HeaderRefused`].
    pub fn try_header(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Result<Self, HeaderRefused> {
        let (name, value) = (name.into(), value.into());
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(HeaderRefused::Name);
        }
        if !is_value(&value) {
            return Err(HeaderRefused::Value);
        }
        let reserved = [
            "Content-Length",
            "Content-Type",
            "Connection",
            "Transfer-Encoding",
        ];
        if reserved.iter().any(|r| r.eq_ignore_ascii_case(&name)) {
            return Err(HeaderRefused::Reserved);
        }
        self.headers.push((name, value));
        Ok(self)
    }

    /// Sets a cookie, beside those that are set already: each has a `Set-Cookie` field of its own.
    #[must_use]
    pub fn with_cookie(self, cookie: Cookie) -> Self {
        self.try_header("Set-Cookie", cookie.to_string())
            .expect("no cookie holds a control character")
    }

    /// The same with another status.
    ///
    /// # Panics
    /// As [`Response::new`].
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        assert!(
            (200..=599).contains(&status),
            "not a final HTTP status: {status}"
        );
        self.status = status;
        self
    }

    /// Closes the connection after this response, whatever the peer asked for.
    #[must_use]
    pub fn with_close(mut self) -> Self {
        self.close = true;
        self
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body as it was given; empty when it is [streamed](Response::stream).
    pub fn body(&self) -> &[u8] {
        match &self.body {
            Body::Whole(bytes) => bytes,
            Body::Stream(_) => &[],
        }
    }

    /// The media type of the body, `""` when none is sent.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// The same with another body.
    #[must_use]
    pub fn with_body(mut self, body: impl IntoBody) -> Self {
        self.body = Body::Whole(body.into_body());
        self
    }

    /// The same without the additional fields of this name, whatever its case.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// The first additional field of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers();
        headers
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The additional fields, in the order they were added.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// Whether the connection stays open after this response when the peer's wish is `wanted`
    /// ([`Head::keep_alive`](super::Head::keep_alive)).
    pub fn keeps_alive(&self, wanted: bool) -> bool {
        wanted && !self.close
    }

    /// Whether no body is sent whatever was given (RFC 9110, section 6.4.1).
    pub(super) fn is_bodiless(&self) -> bool {
        matches!(self.status, 101 | 204 | 304)
    }

    fn close_delimits(&self) -> bool {
        matches!(&self.body, Body::Stream(stream) if stream.ends_with_connection())
    }

    /// Appends the bytes of this response to `out`.
    ///
    /// `keep_alive` is the peer's wish; what is sent is [`Response::keeps_alive`]. `Connection` is
    /// always sent: an HTTP/1.0 peer needs to be told of either. With `head_only`, the answer to a
    /// HEAD request, the body is left out and its length is still told. A streamed body is left out
    /// too: it is made when the head has been sent.
    pub fn encode(&self, keep_alive: bool, head_only: bool, out: &mut Vec<u8>) {
        let bodiless = self.is_bodiless();
        let (body, length): (&[u8], _) = match &self.body {
            Body::Whole(body) if head_only || bodiless => (b"", Some(body.len() as u64)),
            Body::Whole(body) => (body, Some(body.len() as u64)),
            Body::Stream(stream) => (b"", stream.length()),
        };
        let mut number = itoa::Buffer::new();
        out.reserve(HEAD_ROOM + body.len());
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(number.format(self.status).as_bytes());
        out.push(b' ');
        out.extend_from_slice(reason_phrase(self.status).as_bytes());
        if !bodiless {
            if !self.content_type.is_empty() {
                out.extend_from_slice(b"\r\nContent-Type: ");
                out.extend_from_slice(self.content_type.as_bytes());
            }
            if let Some(length) = length {
                out.extend_from_slice(b"\r\nContent-Length: ");
                out.extend_from_slice(number.format(length).as_bytes());
            } else if !self.close_delimits() {
                out.extend_from_slice(b"\r\nTransfer-Encoding: chunked");
            }
        }
        if self.status != 101 {
            let keep_alive = self.keeps_alive(keep_alive);
            out.extend_from_slice(b"\r\nConnection: ");
            out.extend_from_slice(if keep_alive { b"keep-alive" } else { b"close" });
        }
        for (name, value) in &self.headers {
            if name.eq_ignore_ascii_case("upgrade") {
                // Upgrade is hop-by-hop and has to be named in Connection (RFC 9110, section 7.8).
                out.extend_from_slice(b"\r\nConnection: Upgrade");
            }
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
        }
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(body);
    }
}

/// What can be the body of a response without being copied.
pub trait IntoBody {
    /// The bytes, still borrowed when they live for the whole program.
    fn into_body(self) -> Cow<'static, [u8]>;
}

impl IntoBody for &'static str {
    fn into_body(self) -> Cow<'static, [u8]> {
        Cow::Borrowed(self.as_bytes())
    }
}

impl IntoBody for &'static [u8] {
    fn into_body(self) -> Cow<'static, [u8]> {
        Cow::Borrowed(self)
    }
}

impl<const N: usize> IntoBody for &'static [u8; N] {
    fn into_body(self) -> Cow<'static, [u8]> {
        Cow::Borrowed(self)
    }
}

impl IntoBody for Cow<'static, [u8]> {
    fn into_body(self) -> Cow<'static, [u8]> {
        self
    }
}

impl IntoBody for String {
    fn into_body(self) -> Cow<'static, [u8]> {
        Cow::Owned(self.into_bytes())
    }
}

impl IntoBody for Vec<u8> {
    fn into_body(self) -> Cow<'static, [u8]> {
        Cow::Owned(self)
    }
}

/// The answer to `Expect: 100-continue`, to be sent before the body is read.
pub fn continue_100() -> &'static [u8] {
    b"HTTP/1.1 100 Continue\r\n\r\n"
}

/// The usual phrase for a status, `""` for one that has none here. Readers ignore it.
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// Whether a text may be a field value: no control character but the tab.
fn is_value(value: &str) -> bool {
    value.bytes().all(is_text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{BodyError, HeadError};
    use super::*;

    fn encoded(response: &Response, keep_alive: bool, head_only: bool) -> String {
        let mut out = Vec::new();
        response.encode(keep_alive, head_only, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn responses_byte_for_byte() {
        // R4, R5
        let json = Response::json(200, "{}");
        let wanted = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
                      Connection: keep-alive\r\n\r\n{}";
        assert_eq!(encoded(&json, true, false), wanted);
        assert_eq!(
            encoded(&json, false, false),
            wanted.replace("keep-alive", "close")
        );
        assert_eq!(
            encoded(&json, true, true),
            wanted.strip_suffix("{}").unwrap()
        );

        let text = Response::text(429, format!("slow {}\n", "down"))
            .with_number("Retry-After", 17)
            .with_header("X-A", "b")
            .with_close();
        let wanted = "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain; charset=utf-8\r\n\
                      Content-Length: 10\r\nConnection: close\r\nRetry-After: 17\r\nX-A: b\r\n\r\n\
                      slow down\n";
        assert_eq!(encoded(&text, true, false), wanted);
        assert!(!text.keeps_alive(true) && json.keeps_alive(true) && !json.keeps_alive(false));

        let empty = encoded(&Response::empty(404), true, false);
        let wanted =
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n";
        assert_eq!(empty, wanted);
    }

    #[test]
    fn values_are_written_as_json() {
        let response = Response::json_of(&[("a", 1)]).unwrap().with_status(201);
        assert_eq!(
            (response.status(), response.content_type(), response.body()),
            (201, "application/json", &br#"[["a",1]]"#[..])
        );
        let text = Response::json_of("one line\r\n").unwrap();
        assert_eq!(text.body(), br#""one line\r\n""#);
        let keys = std::collections::BTreeMap::from([([1], 2)]);
        assert!(Response::json_of(&keys).is_err());
    }

    #[test]
    fn redirections() {
        for status in [301, 302, 303, 307, 308] {
            let location = format!("/to/{status}?a=b");
            let sent = encoded(&Response::redirect(status, location).unwrap(), true, false);
            let line = format!("HTTP/1.1 {status} {}\r\n", reason_phrase(status));
            assert!(sent.starts_with(&line), "{sent}");
            assert!(sent.contains(&format!("\r\nLocation: /to/{status}?a=b\r\n")));
        }
        for location in ["/\r\nSet-Cookie: a=1", "/\n", "\r", "/\0", "\u{7f}"] {
            let refused = Response::redirect(303, location);
            assert_eq!(refused.unwrap_err(), HeaderRefused::Value, "{location:?}");
        }
        for status in [200, 300, 304, 309, 404] {
            let outcome = std::panic::catch_unwind(|| Response::redirect(status, "/"));
            assert!(outcome.is_err(), "{status}");
        }
    }

    #[test]
    fn a_response_is_read_and_changed() {
        let response = Response::text(200, "a")
            .with_header("ETag", "x")
            .with_header("etag", "y")
            .with_header("X-A", "b");
        assert_eq!(response.content_type(), "text/plain; charset=utf-8");
        assert_eq!(
            (response.header("ETAG"), response.header("X-B")),
            (Some("x"), None)
        );
        let response = response.without_header("etag").with_body("longer");
        assert_eq!(response.headers().collect::<Vec<_>>(), [("X-A", "b")]);
        let sent = encoded(&response, true, false);
        assert!(sent.contains("Content-Length: 6\r\n") && sent.ends_with("\r\n\r\nlonger"));
    }

    #[test]
    fn cookies_have_a_field_each() {
        let cookie = |name: &str| Cookie::new(name, "1").unwrap();
        let response = Response::empty(204)
            .with_cookie(cookie("a"))
            .with_header("X-Y", "z")
            .with_cookie(cookie("b").with_secure())
            .with_cookie(cookie("a"));
        let wanted = "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\nSet-Cookie: a=1\r\n\
                      X-Y: z\r\nSet-Cookie: b=1; Secure\r\nSet-Cookie: a=1\r\n\r\n";
        assert_eq!(encoded(&response, true, false), wanted);
    }

    #[test]
    fn statuses_without_a_body_tell_no_length() {
        for status in [204, 304] {
            let sent = encoded(&Response::text(status, "ignored"), true, false);
            assert!(
                !sent.contains("Content-") && sent.ends_with("keep-alive\r\n\r\n"),
                "{sent}"
            );
        }
    }

    #[test]
    fn upgrade_is_named_in_connection() {
        let sent = encoded(
            &Response::empty(426).with_header("upgrade", "websocket"),
            false,
            false,
        );
        assert!(
            sent.contains("\r\nConnection: close\r\nConnection: Upgrade\r\nupgrade: websocket")
        );
    }

    #[test]
    fn responses_are_appended() {
        let mut out = continue_100().to_vec();
        Response::empty(200).encode(true, false, &mut out);
        assert!(out.starts_with(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
    }

    #[test]
    fn fields_that_would_split_the_response_are_refused() {
        let table = [
            ("X", "a\r\nSet-Cookie: b", HeaderRefused::Value),
            ("X", "a\nb", HeaderRefused::Value),
            ("X", "a\rb", HeaderRefused::Value),
            ("X", "\0", HeaderRefused::Value),
            ("X", "a\x7f", HeaderRefused::Value),
            ("X", "\x1b[0m", HeaderRefused::Value),
            ("", "a", HeaderRefused::Name),
            ("X:", "a", HeaderRefused::Name),
            ("X Y", "a", HeaderRefused::Name),
            ("X\r\nY", "a", HeaderRefused::Name),
            ("X\0", "a", HeaderRefused::Name),
            ("É", "a", HeaderRefused::Name),
            ("content-length", "0", HeaderRefused::Reserved),
            ("Content-Type", "text/html", HeaderRefused::Reserved),
            ("CONNECTION", "close", HeaderRefused::Reserved),
            ("Transfer-Encoding", "chunked", HeaderRefused::Reserved),
        ];
        for (name, value, wanted) in table {
            let outcome = Response::empty(200).try_header(name, value);
            assert_eq!(outcome.unwrap_err(), wanted, "{name:?}: {value:?}");
        }
        let fine = Response::empty(200)
            .try_header("X-Y", "\ta é ☃ ~ ")
            .unwrap();
        assert_eq!(fine.headers().collect::<Vec<_>>(), [("X-Y", "\ta é ☃ ~ ")]);
    }

    #[test]
    #[should_panic(expected = "a literal header is valid")]
    fn a_literal_field_must_be_valid() {
        let _ = Response::empty(200).with_header("X", "a\nb");
    }

    #[test]
    fn statuses_at_the_limits_and_one_past() {
        for (status, fits) in [(199, false), (200, true), (599, true), (600, false)] {
            let made = std::panic::catch_unwind(|| Response::empty(status));
            assert_eq!(made.is_ok(), fits, "{status}");
        }
    }

    #[test]
    fn every_refusal_has_a_phrase() {
        let heads = [
            HeadError::RequestLine,
            HeadError::BodyTooLarge,
            HeadError::TargetTooLong,
            HeadError::Expectation,
            HeadError::HeadTooLarge,
            HeadError::TransferCoding,
            HeadError::Version,
        ];
        let bodies = [
            BodyError::ChunkSize,
            BodyError::TooLarge,
            BodyError::TrailersTooLarge,
        ];
        let statuses = heads
            .map(HeadError::status)
            .into_iter()
            .chain(bodies.map(BodyError::status));
        for status in statuses {
            assert_ne!(reason_phrase(status), "", "{status}");
        }
        assert!(encoded(&Response::empty(299), true, false).starts_with("HTTP/1.1 299 \r\n"));
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_reads_back_as_one_response(
            name in "[ -~\r\n\0é]{0,12}",
            value in "[ -~\r\n\t\0é]{0,20}",
            body in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let built =
                Response::new(200, "", body.clone()).try_header(name.clone(), value.clone());
            prop_assert_eq!(
                built.is_ok(),
                !name.is_empty()
                    && name.bytes().all(is_token)
                    && !value.contains(['\r', '\n', '\0'])
                    && !["content-type", "connection"].contains(&name.to_lowercase().as_str())
            );
            let Ok(response) = built else { return Ok(()) };
            let mut out = Vec::new();
            response.encode(true, false, &mut out);
            let mut slots = [httparse::EMPTY_HEADER; 8];
            let mut read = httparse::Response::new(&mut slots);
            let head = read.parse(&out).unwrap().unwrap();
            prop_assert_eq!(&out[head..], &body[..]);
            prop_assert_eq!(read.headers.len(), 3);
            let length = body.len().to_string();
            prop_assert_eq!(read.headers[0].value, length.as_bytes());
            prop_assert_eq!(read.headers[2].name, &name);
            let blanks: &[char] = &[' ', '\t'];
            prop_assert_eq!(read.headers[2].value, value.trim_matches(blanks).as_bytes());
        }
    }
}
